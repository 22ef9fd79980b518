"""Evaluation: write the whole conversation, then ask; and ask again with banks that cannot know (chapters 11 and 12).

Every question is asked under every condition of `lmem.evaluation.conditions`, so that conditions are compared question by
question. The likelihood of the right answer is measured in addition to the answer. It needs no decoding, so it
distinguishes broken decoding from forgetting.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple, TypedDict

import numpy as np
import torch
from torch import Tensor

from lmem.backbone.backbone import Backbone
from lmem.data.conversation import Conversation, Question, conversations_sha256
from lmem.errors import InputError
from lmem.evaluation.conditions import Battery, allowed_conditions
from lmem.evaluation.summary import summarise
from lmem.evaluation.text_baselines import CHOICES
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel
from lmem.metrics import answer_scores, forgetting
from lmem.utils import provenance
from lmem.utils.digest import digest
from lmem.utils.progress import track
from lmem.utils.settings import AtLeast1, Settings, settings


@settings
class EvalConfig(Settings):
    """How questions are asked (paper, section 4.2; chapter 11).

    Attributes:
        batch: Questions that are answered together.
        max_new_tokens: Tokens of an answer at most.
        dates: Write the turns with their dates.
        captions: Write the turns with the captions of their images.
        budget: Tokens of the encoder's input when turns are in it as text, including the question.
        knowledge: Ask at the end of every session too, for the knowledge curve.
        confidence: Keep how sure the decoder is of each answer, for the risk-coverage curve.
        seed: Seed of the shuffled turns and of the noise.
    """

    batch: AtLeast1 = 64
    max_new_tokens: AtLeast1 = 32
    dates: bool = True
    captions: bool = True
    budget: AtLeast1 = 384
    knowledge: bool = False
    confidence: bool = False
    seed: int = 42

    def __post_init__(self):
        if self.budget > 384:
            raise InputError(f"budget must be at most 384, the longest source, not {self.budget}")


class Answered(NamedTuple):
    """An answer; bits, log2 of the right answer's likelihood, or None; confidence, p(answer | input), or None."""

    text: str
    bits: float | None
    confidence: float | None


class EvaluationResult(TypedDict):
    """What `evaluate` returns. It has no question, right answer or turn in it.

    Attributes:
        method: Name of the method, such as "attention+extension".
        rows: Rows of the bank.
        scale: Size of the bank; 1 is 64 rows.
        options: {"write", "read"}: options over the method's own.
        backbone: Name of the backbone.
        conversations_sha256: Digest of the conversations that were written and asked.
        adapter: {"seed", "digest"} of the adapter's weights.
        settings: What differs from the defaults of EvalConfig.
        summary: See `lmem.evaluation.summary.summarise`.
        questions: One dict per question: id, conversation, lag, kind, category, held_out, answerable, in_bank, and for each
            condition its answer and scores (answer, f1, em, bits, locomo; confidence, if it was asked for).
        provenance: Versions, machine, seed and seconds.
    """

    method: str
    rows: int
    scale: float
    options: dict[str, Any]
    backbone: str
    conversations_sha256: str
    adapter: dict[str, Any]
    settings: dict[str, Any]
    summary: dict[str, Any]
    questions: list[dict[str, Any]]
    provenance: dict[str, Any]


def evaluate(
    model: MemoryModel,
    conversations: Sequence[Conversation],
    config: EvalConfig | None = None,
    controls: str | Iterable[str] | None = None,
    constant: MemoryModel | None = None,
    progress: bool = True,
) -> EvaluationResult:
    """Ask every question under every condition.

    Args:
        model: The memory.
        conversations: At least 2 for the condition "other".
        config: How questions are asked.
        controls: "light" (default), "all" that are possible here, or names out of `lmem.evaluation.conditions.CONTROLS`.
        constant: A model trained with TrainConfig(constant=True), for the condition of that name.
        progress: Show progress bars.

    Returns:
        Answers and scores of each question, their summary, and where they come from.

    Raises:
        InputError: There are no questions, a condition is unknown or impossible with these conversations, or the constant is
            of another method, size or backbone.
    """
    config = config or EvalConfig()
    if not any(c.questions for c in conversations):
        raise InputError(
            f"expected questions to evaluate on, {len(conversations)} conversations have none"
        )
    conditions = allowed_conditions(model, conversations, controls, constant)
    seconds, start = {}, time.perf_counter()
    battery = Battery(model, conversations, conditions, config, constant, progress)
    seconds["write"] = time.perf_counter() - start
    right_bank = battery.banks.get("right")
    twin_answers = {q.id: q.answer for c in conversations if c.twin for q in c.twin.questions}
    rows = [
        _question_row(conversations[i], q, None if right_bank is None else right_bank.pick(i))
        for i, q in battery.items
    ]
    for condition in conditions:
        start = time.perf_counter()
        sources = battery.sources(condition)
        order: Sequence[int] = sorted(range(len(sources)), key=lambda k: len(sources[k][0]))
        if condition == "deleted":
            order = range(len(sources))  # banks of one conversation are written together
        answers = answer_questions(
            model.backbone,
            [text for text, _ in sources],
            order,
            partial(battery.attached, condition),
            config,
            golds=[q.answer for _, q in battery.items],
            latents=None if condition in CHOICES else battery.question_latents,
            title=f"asking: {condition}",
            progress=progress,
        )
        for k, (_, question) in enumerate(battery.items):
            answer, (_, turns) = answers[k], sources[k]
            scores = rows[k][condition] = _answer_scores(question, answer.text, answer.bits)
            if answer.confidence is not None:
                scores["confidence"] = round(answer.confidence, 4)
            if condition == "twin":
                scores["follows"] = _is_right(answer.text, twin_answers.get(question.id))
            if turns is not None:
                scores["turns"] = len(turns)
                scores["in_text"] = _evidence_within(question, turns)
        seconds[condition] = time.perf_counter() - start
    summary = summarise(rows, conditions)
    if config.knowledge:
        start = time.perf_counter()
        summary["knowledge"], with_category_5 = _knowledge(battery, progress)
        if with_category_5:
            summary["with_category_5"]["knowledge"] = with_category_5
        seconds["knowledge"] = time.perf_counter() - start
    return {
        "method": model.method.name,
        "rows": model.rows,
        "scale": model.scale,
        "options": model.options,
        "backbone": model.backbone.name,
        "conversations_sha256": conversations_sha256(conversations),
        "adapter": {"seed": model.seed, "digest": digest(model.state_dict())},
        "settings": config.difference(),
        "summary": summary,
        "questions": rows,
        "provenance": provenance.provenance(config.seed, seconds),
    }


def _question_row(conversation, question, bank) -> dict[str, Any]:
    return {
        "id": question.id,
        "conversation": conversation.id,
        "lag": question.lag,
        "category": question.category,
        "kind": question.kind,
        "held_out": list(question.held_out),
        "answerable": question.answerable,
        "in_bank": None if bank is None else in_bank(bank, question),
    }


def in_bank(bank: Bank, question: Question) -> bool | None:
    """Say whether every evidence turn still has all of its rows in the bank.

    A full bank's oldest turn may have lost rows already, so it does not count. Where every turn changes every
    row, no turn is kept.

    Returns:
        True or False; None without evidence.
    """
    written = bank.state.written[0].tolist()
    oldest = min((turn for turn in written if turn >= 0), default=None)
    has_free_rows = -1 in written  # then nothing was pushed out
    kept = {turn for turn in written if turn >= 0 and (has_free_rows or turn != oldest)}
    return _evidence_within(question, kept)


def _evidence_within(question: Question, turns: Iterable[int]) -> bool | None:
    return set(question.evidence) <= set(turns) if question.evidence else None


def answer_questions(
    backbone: Backbone,
    sources: Sequence[str],
    order: Sequence[int],
    attached: Callable[[Sequence[int]], AbstractContextManager],
    config: EvalConfig,
    *,
    golds: Sequence[str | None] | None = None,
    latents: dict[str, Tensor] | None = None,
    title: str = "",
    progress: bool = True,
) -> dict[int, Answered]:
    """Answer sources in batches, and measure how likely the right answers are.

    Args:
        backbone: It answers.
        sources: What the encoder reads.
        order: Places of the sources to answer, in the order in which they are batched.
        attached: Maps places to the context in which the sources at these places are answered.
        config: Size of a batch and length of an answer.
        golds: Right answers, or None where there is none.
        latents: {text: (N, D)} of the sources, if they are known.
        title: Of the progress bar.
        progress: Show it.

    Returns:
        {place: answer}; its bits are None where there is no right answer, its confidence unless config asks for it.
    """
    answered: dict[int, Answered] = {}
    chunks = [order[k : k + config.batch] for k in range(0, len(order), config.batch)]
    for chunk in track(chunks, title, progress):
        chunk_golds = [golds[k] if golds else None for k in chunk]
        bits = [None] * len(chunk)
        with attached(chunk):
            inputs = backbone.encoded(backbone.inputs([sources[k] for k in chunk], True, latents))
            sure: list[float | None] = [None] * len(chunk)
            if config.confidence:
                answers, shares = backbone.generate_with_confidence(
                    inputs, max_new_tokens=config.max_new_tokens
                )
                sure = shares.tolist()
            else:
                answers = backbone.generate(inputs, max_new_tokens=config.max_new_tokens)
            if any(chunk_golds):
                labels = backbone.labels([gold or "-" for gold in chunk_golds])
                bits = backbone.bits(inputs, labels).tolist()
        for k, answer, likelihood, confidence, gold in zip(
            chunk, answers, bits, sure, chunk_golds, strict=True
        ):
            answered[k] = Answered(answer, likelihood if gold else None, confidence)
    return answered


def _answer_scores(question: Question, answer: str, bits: float | None) -> dict[str, Any]:
    """Score one answer.

    Returns:
        answer; SQuAD's f1 and em and the bits of the right answer, None if there is no answer to compare with, as in LoCoMo's
        category 5; locomo, LoCoMo's own score, None outside its categories.
    """
    gold, category = question.answer, question.category
    scores: dict[str, Any] = {"answer": answer, "f1": None, "em": None, "bits": None}
    if gold is not None and category != 5:
        scores["f1"] = round(answer_scores.f1(answer, gold), 4)
        scores["em"] = int(answer_scores.exact_match(answer, gold))
        scores["bits"] = None if bits is None else round(bits, 3)
    has_official_score = category == 5 or (gold is not None and category != 0)
    official = answer_scores.locomo_official(answer, gold, category) if has_official_score else None
    return scores | {"locomo": None if official is None else round(official, 4)}


def _is_right(answer: str, gold: str | None) -> int | None:
    return None if gold is None else int(answer_scores.exact_match(answer, gold))


def _knowledge(battery: Battery, progress: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compute the knowledge curve: after each session, the questions whose evidence was given by then.

    Source: paper, section 4.2.

    Returns:
        {"right": curve, "none": curve} as of `forgetting.knowledge_curve`, for the stateless method only "none"; and
        the same with LoCoMo's category 5 by its own rule, {} where there is none.
    """
    model, config, conversations = battery.model, battery.config, battery.conversations
    items = [(i, q) for i, q in battery.items if q.answer is not None or q.category == 5]
    prompts = [question.prompt for _, question in items]
    ends = [np.cumsum([0, *(len(s.turns) for s in c.sessions)]) for c in conversations]
    newest = [  # number of the session with the newest evidence, from 1, or None
        int(np.searchsorted(ends[i], q.evidence[-1], "right")) if q.evidence else None
        for i, q in items
    ]
    bank = model.new_bank(len(conversations)) if battery.latents else None

    def f1_of(places: Sequence[int], ablate: str | None = None) -> dict[int, float]:
        """Ask the questions at these places with the bank as it is now: {place: F1, or whether category 5 declines}."""

        def attached(chunk):
            return model.attached(bank, ablate, expand=1, of=[items[k][0] for k in chunk])

        latents = battery.question_latents
        answers = answer_questions(
            model.backbone, prompts, places, attached, config, latents=latents, progress=False
        )
        return {
            k: float(answer_scores.declines(answer.text))
            if items[k][1].category == 5
            else answer_scores.f1(answer.text, items[k][1].answer or "")
            for k, answer in answers.items()
        }

    without_bank = f1_of([k for k, session in enumerate(newest) if session], "masked")
    by_session: dict[str, list[dict[int, float]]] = {"right": [], "none": []}
    for s in track(range(1, max(map(len, ends))), "knowledge by session", progress):
        due = [
            k
            for k, (i, _) in enumerate(items)
            if (session := newest[k]) and session <= s < len(ends[i])
        ]
        by_session["none"].append({k: without_bank[k] for k in due})
        if bank:
            new_turns = [
                z[e[s - 1] : e[s]] if s < len(e) else []
                for z, e in zip(battery.latents, ends, strict=True)
            ]
            with torch.no_grad():
                bank = model.write_latents(bank, new_turns)
            by_session["right"].append(f1_of(due))

    def curves(places: Sequence[int]) -> dict[str, Any]:
        return {
            name: forgetting.knowledge_curve(
                [[scores.get(k, math.nan) for k in places] for scores in sessions],
                [newest[k] for k in places],
            )
            for name, sessions in by_session.items()
            if sessions
        }

    answerable = [k for k, (_, q) in enumerate(items) if q.category != 5]
    declining = len(answerable) < len(items)
    return curves(answerable), curves(range(len(items))) if declining else {}
