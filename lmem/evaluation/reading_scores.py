"""How well a backbone reads, by ability: the evidence as text in the encoder's input, and without it (chapter 1).

The abilities are those of LongMemEval (Wu et al., ICLR 2025): extraction, multi-hop, temporal, update, abstention. In the last
the right answer is "unknown". What a backbone cannot read in its input it cannot read in a memory. Only probes can also be asked of
a memory, to compare the two.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, TypeAlias

from lmem.backbone.backbone import Backbone
from lmem.backbone.reading import in_batches
from lmem.data import everyday, locomo, tinyworld
from lmem.data.conversation import CATEGORIES, json_sha256
from lmem.data.everyday.reading import Source
from lmem.data.everyday.reading import reading as everyday_reading
from lmem.data.reading import conversations
from lmem.data.reading import reading as plain_reading
from lmem.errors import DataError, InputError
from lmem.evaluation.abilities import ABILITIES, ABILITY, ability, declined, novelty
from lmem.evaluation.summary import difference, interval
from lmem.memory.model import MemoryModel
from lmem.metrics import answer_scores
from lmem.utils.progress import track

UNKNOWN = everyday.UNKNOWN


@dataclass(frozen=True)
class Example:
    """One question with its text.

    Attributes:
        source: The encoder's input: the question, then turns.
        answers: All that count as right; ("unknown",) where the text does not say.
        ability: One of ABILITIES, or "open-domain" (LoCoMo's category 3).
        conversation: Questions of one conversation belong together.
        category: LoCoMo's number, whose own score counts as F1 then; 0 elsewhere.
        group: What else it is reported by: "seen", "phrasing" or "relation" held out; a probe's difficulty.
        turns: The turns of the source, of a probe.
    """

    source: str
    answers: tuple[str, ...]
    ability: str
    conversation: str
    category: int = 0
    group: str = ""
    turns: tuple[str, ...] = ()


Examples: TypeAlias = Iterator[Example]


def read(
    backbone: Backbone,
    data: str | Path = "everyday",
    questions: int = 1000,
    turns: int = 6,
    evidence: bool = True,
    seed: int | str = "held out",
    batch: int = 64,
    rounded: Backbone | None = None,
    memory: MemoryModel | None = None,
    padding: int = 0,
) -> dict[str, Any]:
    """Measure how well a backbone answers from text.

    Args:
        backbone: What reads.
        data: "tinyworld", "everyday", "locomo", or a file of probes, see `probes`.
        questions: How many questions to ask, at most.
        turns: Turns in the input, the evidence among them. LoCoMo and probes ignore it: the evidence alone, all turns.
        evidence: False leaves the evidence out, so that only "unknown" is right; what is answered then is a guess or was
            known before. Not for probes.
        seed: Names the stream of generated conversations; no training uses it.
        batch: Questions to answer together.
        rounded: The same backbone with rounded weights, which answers the same questions.
        memory: Answers from its bank, in place of the backbone, which would see the turns. For probes.
        padding: Turns of another conversation that the bank gets too, half of them before a probe's turns.

    Returns:
        A dict with these entries:

        - data, turns, n, and questions_sha256 of the questions;
        - em and f1 of the questions that have an answer, {mean, low, high, conversations};
        - false_unknown, the share of them answered "unknown", and abstention, the share of the others answered so;
        - by_ability and by_group, {name: {n, em, f1}};
        - best_guess, the share of the most frequent answer;
        - with a rounded backbone also `rounded`: its em and abstention, the share of its answers that are `alike`, and the
          `difference` of em, question by question, rounded minus plain.

        Without evidence, em compares with the answer that the evidence would give.

    Raises:
        InputError: `questions` is not positive, probes are to be read without evidence, or a memory is to be asked about
            something else.
        DataError: The file of probes has another form.
    """
    if questions < 1:
        raise InputError(f"expected at least 1 question to measure with, not {questions}")
    rows = list(islice(examples(data, turns, evidence, seed), questions))
    fixed = data in ("tinyworld", "everyday")
    if memory is not None and (fixed or data == "locomo"):
        raise InputError("expected a file of probes to ask a memory; for the others: lmem evaluate")
    if memory is None:
        scored = _answered(backbone, rows, batch)
    else:
        texts = [_remembered(memory, row, padding) for row in track(rows, "asking")]
        scored = [_score(row, text) for row, text in zip(rows, texts, strict=True)]
    answerable, others = _by_answer(scored)
    shown = turns if fixed else "evidence" if data == "locomo" else "all"
    counts = Counter(row.answers[0] for row in rows if row.ability != "abstention")
    found = {
        "data": str(data) if fixed or data == "locomo" else Path(data).stem,
        "turns": shown,
        "evidence": evidence,
        "questions_sha256": json_sha256([(row.source, row.answers) for row in rows]),
        "n": len(rows),
        "em": _mean(answerable, "em"),
        "f1": _mean(answerable, "f1"),
        "false_unknown": _mean(answerable, "unknown"),
        "abstention": _mean(others, "unknown"),
        "by_ability": _by(scored, "ability", ABILITIES) if fixed or data == "locomo" else {},
        "by_group": _by([row for row in answerable if row["group"]], "group"),
        "best_guess": round(max(counts.values(), default=0) / max(1, len(answerable)), 4),
    }
    if memory is not None:
        found |= {"method": memory.method.name, "scale": memory.scale, "padding": padding}
    if rounded is not None:
        found["rounded"] = _compared(scored, _answered(rounded, rows, batch))
    return found


def _answered(backbone: Backbone, rows: Sequence[Example], batch: int) -> list[dict[str, Any]]:
    """Answer and score each question."""

    def answer(texts: list[str]) -> list[str]:
        return backbone.generate(backbone.inputs(texts, truncate=True), max_new_tokens=24)

    texts = in_batches(answer, [row.source for row in rows], batch)
    return [_score(row, text) for row, text in zip(rows, texts, strict=True)]


def _remembered(memory: MemoryModel, row: Example, padding: int) -> str:
    """Write a probe's turns amid other talk, and answer from the bank."""
    talk: list[str] = []
    if padding:
        name, world = f"padding {row.conversation}", everyday.World(turns=padding, questions=1)
        [other] = locomo.parse([everyday.sample(name, 0, world, twin=False)])
        talk = other.texts()
    told = [*talk[: padding // 2], *row.turns, *talk[padding // 2 :]]
    bank = memory.write(memory.new_bank(), told, truncate=True)
    return memory.answer(bank, row.source.partition(" context: ")[0])


def _by_answer(scored: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], ...]:
    """Return the questions that have an answer, and the others."""
    told = [row for row in scored if row["ability"] != "abstention"]
    return told, [row for row in scored if row["ability"] == "abstention"]


def _compared(plain: Sequence[dict[str, Any]], rounded: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Compare two scores of each question, as `read` says."""
    pairs = zip(plain, rounded, strict=True)
    (before, _), (after, others) = _by_answer(plain), _by_answer(rounded)
    gains = [b["em"] - a["em"] for a, b in zip(before, after, strict=True)]
    return {
        "em": _mean(after, "em"),
        "abstention": _mean(others, "unknown"),
        "alike": round(sum(a["answer"] == b["answer"] for a, b in pairs) / len(plain), 4),
        "difference": difference(after, gains, two_sided=True) if after else None,
    }


def examples(data: str | Path, turns: int, evidence: bool, seed: int | str) -> Examples:
    """Give the examples of a source; those of a generator without end."""
    if data == "tinyworld":
        return _tinyworld(turns, evidence, seed)
    if data == "everyday":
        return _everyday(turns, evidence, seed)
    if data == "locomo":
        return _locomo(evidence)
    if not evidence:
        raise InputError("expected evidence: a probe is read with all its turns")
    return probes(data)


def _everyday(turns: int, evidence: bool, seed: int | str) -> Examples:
    """Read conversations of 40 turns; half of the other turns are chosen for being similar to the evidence."""
    world = everyday.World(turns=40, facts=0.5, questions=12)
    for index in count():
        rng = random.Random(f"everyday read {seed} {index}")
        source = Source(everyday.sample(f"read {seed}", index, world, twin=False), dates=True)
        for question in source.conversation.questions:
            if not evidence and question.answer is None:
                continue
            row = everyday_reading(source, question, turns, rng, missing=not evidence)
            yield Example(
                row.source,
                (question.answer or UNKNOWN,),
                question.kind or "extraction",
                source.conversation.id,
                group=novelty(question.held_out),
            )


def _tinyworld(turns: int, evidence: bool, seed: int | str) -> Examples:
    for rng, conversation in conversations("tinyworld", f"read {seed}", tinyworld.World()):
        texts = conversation.texts()
        for question in conversation.questions:
            if not evidence and question.answer is None:
                continue
            row = plain_reading(conversation, texts, question, turns, rng, evidence)
            tested = ability(question.kind or "single") or ""
            yield Example(row.source, (row.target,), tested, conversation.id)


def _locomo(evidence: bool) -> Examples:
    """Read LoCoMo's questions, each with its evidence only; without evidence, the question alone."""
    for conversation in locomo.load():
        texts = conversation.texts(dates=True)
        for question in conversation.questions:
            shown = [texts[t] for t in question.evidence] if evidence else []
            yield Example(
                " ".join([question.prompt, *shown]),
                (question.answer if question.answerable and question.answer else UNKNOWN,),
                ability(None, question.category) or CATEGORIES[question.category],
                conversation.id,
                question.category,
            )


def probes(path: str | Path) -> Examples:
    """Read conversations written by hand.

    Args:
        path: A JSON list of {id, turns: ["Ana: ...", ...], question, answers: [all that count as right, or "unknown"],
            kind, and if known date, difficulty}; kind is single, list, two-hop, temporal, update or never-told.

    Raises:
        DataError: The file has another form.
    """
    wanted = "a JSON list of probes: objects with id, turns, question, answers, kind"
    try:
        rows = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"expected tinyworld, everyday, locomo or a file, there is no {path}"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"expected {wanted} in {path}: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"expected {wanted} in {path}")
    for row in rows:
        try:
            when = f"{row['date']}, " if row.get("date") else ""
            turns = [f"context: {when}{turn}" for turn in row["turns"]]
            yield Example(
                " ".join([f"question: {row['question']}", *turns]),
                tuple(map(str, row["answers"])),
                ABILITY[row["kind"]],
                str(row["id"]),
                group=str(row.get("difficulty", "")),
                turns=tuple(turns),
            )
        except (KeyError, TypeError) as error:
            raise DataError(
                f"expected {wanted} in {path}, probe {row.get('id')}: {error}"
            ) from None


def _score(row: Example, text: str) -> dict[str, Any]:
    return {
        "answer": text,
        "ability": row.ability,
        "conversation": row.conversation,
        "group": row.group,
        "em": float(any(answer_scores.exact_match(text, gold) for gold in row.answers)),
        "f1": max(_f1(text, gold, row.category) for gold in row.answers),
        "unknown": float(declined(text)),
    }


def _f1(text: str, gold: str, category: int) -> float:
    """Compute F1, in LoCoMo's categories of answers as LoCoMo does."""
    if category in (1, 2, 3, 4):
        return answer_scores.locomo_official(text, gold, category)
    return answer_scores.f1(text, gold)


def _mean(rows: Sequence[dict[str, Any]], name: str) -> dict[str, Any] | None:
    return interval(rows, [row[name] for row in rows], share=True) if rows else None


def _by(
    rows: Sequence[dict[str, Any]], name: str, order: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    names = sorted(
        {row[name] for row in rows}, key=lambda n: (order.index(n) if n in order else 99, n)
    )
    parts = {n: [row for row in rows if row[name] == n] for n in names}
    return {
        n: {"n": len(part), "em": _mean(part, "em"), "f1": _mean(part, "f1")}
        for n, part in parts.items()
    }
