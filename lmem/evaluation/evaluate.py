"""Evaluation: write the whole conversation, then ask; and ask again of banks that cannot know (chapters 11 and 12).

Every question is asked under every condition of `lmem.evaluation.conditions`, so that conditions are compared question by question. The
likelihood of the right answer is measured beside the answer: it needs no decoding, and tells broken decoding from forgetting.
"""

import math
import time
from functools import partial

import numpy as np
import torch

from lmem.errors import InputError
from lmem.evaluation.conditions import Battery, allowed
from lmem.evaluation.summary import summarise
from lmem.evaluation.text_baselines import CHOICES
from lmem.metrics import answer_scores, forgetting
from lmem.utils import provenance
from lmem.utils.digest import digest
from lmem.utils.progress import track
from lmem.utils.settings import AtLeast1, Settings, settings


@settings
class EvalConfig(Settings):
    """Write the whole conversation, then ask (paper, section 4.2; chapter 11).

    dates, captions  of the turns as they are written
    budget           tokens of the encoder's input where turns stand in it as text, the question included
    knowledge        ask at the end of every session too: the knowledge curve
    seed             of the shuffled turns and the noise
    """

    batch: AtLeast1 = 64
    max_new_tokens: AtLeast1 = 32
    dates: bool = True
    captions: bool = True
    budget: AtLeast1 = 384
    knowledge: bool = False
    seed: int = 42

    def __post_init__(self):
        if self.budget > 384:
            raise InputError(f"budget must be at most 384, the longest source, not {self.budget}")


def evaluate(model, conversations, config=None, controls=None, constant=None, progress=True):
    """Ask every question under every condition.

    conversations  list of Conversation, at least 2 for the condition "other"
    controls       "light" (default), "all" that can be had here, or names out of `lmem.evaluation.conditions.CONTROLS`
    constant       a model trained with TrainConfig(constant=True), for the condition of that name
    returns        dict: method, rows, scale, options, backbone; `adapter`, its seed and the digest of its weights; `questions`,
                   one row each (id, conversation, lag, kind, category, held_out, answerable, in_bank, and for each condition
                   what `_scored` gives); `summary` (see `lmem.evaluation.summary`); `provenance`. No question, right answer or turn is in it
    raises         InputError for an unknown condition or one that these conversations do not allow, for a constant of
                   another method, size or backbone, and without questions
    """
    config = config or EvalConfig()
    if not any(c.questions for c in conversations):
        raise InputError(
            f"expected questions to evaluate on, {len(conversations)} conversations hold none"
        )
    controls = allowed(model, conversations, controls, constant)
    seconds, begun = {}, time.perf_counter()
    battery = Battery(model, conversations, controls, config, constant, progress)
    seconds["write"] = time.perf_counter() - begun
    asked, right = battery.asked, battery.banks.get("right")
    twins = {q.id: q.answer for c in conversations if c.twin for q in c.twin.questions}
    rows = [_row(conversations[i], q, right and right.pick(i)) for i, q in asked]
    for condition in controls:
        begun = time.perf_counter()
        sources = battery.sources(condition)
        order = sorted(range(len(asked)), key=lambda k: len(sources[k][0]))
        if condition == "deleted":
            order = range(len(asked))  # banks of one conversation are written together
        answers = ask(
            model.backbone, [text for text, _ in sources], order, partial(battery.attached, condition),
            config, f"asking: {condition}", progress, golds=[q.answer for _, q in asked],
            latents=None if condition in CHOICES else battery.questions,
        )  # fmt: skip
        for row, (_, question), (_, turns), found in zip(
            rows, asked, sources, answers, strict=True
        ):
            row[condition] = _scored(question, *found)
            if condition == "twin":
                row[condition] |= _follows(found[0], twins.get(question.id))
            if turns is not None:
                row[condition] |= {"turns": len(turns), "in_text": _within(question, turns)}
        seconds[condition] = time.perf_counter() - begun
    summary = summarise(rows, controls)
    if config.knowledge:
        begun = time.perf_counter()
        summary["knowledge"], wider = _knowledge(battery, progress)
        if wider:
            summary["with_category_5"]["knowledge"] = wider
        seconds["knowledge"] = time.perf_counter() - begun
    return {
        "method": model.method.name,
        "rows": model.rows,
        "scale": model.scale,
        "options": model.options,
        "backbone": model.backbone.name,
        "adapter": {"seed": model.seed, "digest": digest(model.state_dict())},
        "settings": config.difference(),
        "summary": summary,
        "questions": rows,
        "provenance": provenance.provenance(config.seed, seconds),
    }


def _row(conversation, question, bank):
    return {
        "id": question.id,
        "conversation": conversation.id,
        "lag": question.lag,
        "category": question.category,
        "kind": question.kind,
        "held_out": list(question.held_out),
        "answerable": question.answer is not None and question.category != 5,
        "in_bank": None if bank is None else in_bank(bank, question),
    }


def in_bank(bank, question):
    """True if every evidence turn still has rows in the bank, and not only a part of them (None without evidence).

    A full bank's oldest turn may have lost rows already, so it does not count; where every turn changes every row, none is kept.
    """
    written = bank.state.written[0].tolist()
    oldest = min((turn for turn in written if turn >= 0), default=None)
    whole = -1 in written  # rows are still free, so nothing was pushed out
    return _within(question, {turn for turn in written if turn >= 0 and (whole or turn != oldest)})


def _within(question, turns):
    return set(question.evidence) <= set(turns) if question.evidence else None


def ask(
    backbone, sources, order, attached, config, title, progress, golds=None, latents=None
):  # fmt: skip
    """Answers to all sources, in batches along `order`, and how likely the right ones are.

    attached  places -> the context in which the sources at these places are answered
    golds     right answers, or None where there is none
    latents   of the sources, if they are known: {text: (N, D)}
    returns   list of (answer, bits); bits, log2 of the gold answer's likelihood, is None without one
    """
    found = [None] * len(sources)
    chunks = [order[k : k + config.batch] for k in range(0, len(order), config.batch)]
    for chunk in track(chunks, title, progress):
        wanted = [golds[k] if golds else None for k in chunk]
        bits = [None] * len(chunk)
        with attached(chunk):
            inputs = backbone.encoded(backbone.inputs([sources[k] for k in chunk], True, latents))
            answers = backbone.generate(inputs, max_new_tokens=config.max_new_tokens)
            if any(wanted):
                found_bits = backbone.bits(
                    inputs, backbone.labels([gold or "-" for gold in wanted])
                )
                bits = [
                    b if gold else None for b, gold in zip(found_bits.tolist(), wanted, strict=True)
                ]
        for k, *one in zip(chunk, answers, bits, strict=True):
            found[k] = tuple(one)
    return found


def _scored(question, answer, bits):
    """Answer and scores of one question: SQuAD's f1 and em, and the answer's likelihood in bits (None if it has no answer to
    be scored by, as in LoCoMo's category 5), and LoCoMo's own score (None outside its categories)."""
    gold, category = question.answer, question.category
    scored = gold is not None and category != 5
    official = category == 5 or (scored and category != 0)
    return {
        "answer": answer,
        "f1": round(answer_scores.f1(answer, gold), 4) if scored else None,
        "em": int(answer_scores.exact_match(answer, gold)) if scored else None,
        "bits": round(bits, 3) if scored else None,
        "locomo": round(answer_scores.locomo_official(answer, gold, category), 4)
        if official
        else None,
    }


def _follows(answer, gold):
    """Is it the twin's own answer, read from the wrong bank?"""
    return {"follows": None if gold is None else int(answer_scores.exact_match(answer, gold))}


def _knowledge(battery, progress):
    """The knowledge curve: after each session, the questions whose evidence was said by then (paper, section 4.2).

    returns  {"right": curve, "none": curve} as `score.knowledge_curve` gives them, for the stateless method only "none"; and the
             same with LoCoMo's category 5 by its own rule, {} where there is none
    """
    model, config, conversations = battery.model, battery.config, battery.conversations
    asked = [(i, q) for i, q in battery.asked if q.answer is not None or q.category == 5]
    prompts = [question.prompt for _, question in asked]
    ends = [np.cumsum([0, *(len(s.turns) for s in c.sessions)]) for c in conversations]
    newest = [  # number of the session, from 1, or None
        int(np.searchsorted(ends[i], q.evidence[-1], "right")) if q.evidence else None
        for i, q in asked
    ]
    bank = model.new_bank(len(conversations)) if battery.latents else None

    def f1_of(places, ablate=None):
        """{place: F1, of category 5 whether it declines} of these questions, asked of `bank` as it is now."""

        def attached(chunk):
            return model.attached(bank, ablate, expand=1, of=[asked[k][0] for k in chunk])

        found = ask(
            model.backbone, prompts, places, attached, config, "", progress=False,
            latents=battery.questions,
        )  # fmt: skip
        return {
            k: float(answer_scores.declines(found[k][0]))
            if asked[k][1].category == 5
            else answer_scores.f1(found[k][0], asked[k][1].answer)
            for k in places
        }

    never = f1_of([k for k, session in enumerate(newest) if session], "masked")
    curves = {"right": [], "none": []}
    for s in track(range(1, max(map(len, ends))), "knowledge by session", progress):
        due = [k for k, (i, _) in enumerate(asked) if newest[k] and newest[k] <= s < len(ends[i])]
        curves["none"].append({k: never[k] for k in due})
        if bank:
            with torch.no_grad():
                said = [
                    z[e[s - 1] : e[s]] if s < len(e) else []
                    for z, e in zip(battery.latents, ends, strict=True)
                ]
                bank = model.write_latents(bank, said)
            curves["right"].append(f1_of(due))

    def curve(by_session, places):
        values = [[found.get(k, math.nan) for k in places] for found in by_session]
        return forgetting.knowledge_curve(values, [newest[k] for k in places])

    every = range(len(asked))
    answered = [k for k in every if asked[k][1].category != 5]
    curves = {name: by_session for name, by_session in curves.items() if by_session}
    plain, wider = (
        {name: curve(by_session, places) for name, by_session in curves.items()}
        for places in (answered, every)
    )
    return plain, wider if len(answered) < len(asked) else {}
