"""A memory's scores by ability: what it answers, what it leaves unanswered, what it invents (chapter 12).

The abilities are those of LongMemEval (Wu et al., ICLR 2025): extraction, multi-hop, temporal, update, abstention. An answer is
right, "unknown" or another phrase that declines, or wrong. In abstention nothing was told, so only declining is right, and any
other answer is invented.

    risk-coverage curve     Only answers with a confidence of at least c are given. Coverage is the share of all questions
                            that are answered, with those never told among them. Risk is the share of these answers that
                            are wrong. Both by c (El-Yaniv and Wiener, JMLR 2010).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lmem.data.everyday import UNKNOWN
from lmem.errors import InputError
from lmem.evaluation.summary import Figures, Rows, difference, interval
from lmem.metrics.answer_scores import declines, exact_match

ABILITIES = ("extraction", "multi-hop", "temporal", "update", "abstention")
# what is new in a question for a memory that was trained on everyday conversations, in words
NOVELTY = {
    "seen": "at most names and values",
    "phrasing": "the words of a turn or of the question",
    "relation": "what it is about",
}
ABILITY = {  # by kind of question
    **{name: name for name in ABILITIES},
    **{"single": "extraction", "two-hop": "multi-hop", "list": "multi-hop"},
    **{"updated": "update", "never-told": "abstention"},
}
_CATEGORY = {1: "multi-hop", 2: "temporal", 4: "extraction", 5: "abstention"}


def declined(answer: str) -> bool:
    """Say whether an answer is "unknown" or one of LoCoMo's phrases that decline."""
    return exact_match(answer, UNKNOWN) or declines(answer)


def ability(kind: str | None, category: int = 0) -> str | None:
    """Name the ability that a question tests, by its kind or by LoCoMo's category; None for open-domain questions."""
    return ABILITY.get(kind or "") or _CATEGORY.get(category)


def novelty(held_out: Sequence[str]) -> str:
    """Say what is new in a question: its relation, else the words of the question or its evidence, else neither ("seen")."""
    return next((part for part in ("relation", "phrasing") if part in held_out), "seen")


def by_novelty(rows: Rows, condition: str = "right") -> dict[str, Figures]:
    """Compute the figures of the simple questions (extraction) by what is new in them.

    Args:
        rows: As in `by_ability`.
        condition: Which answers.

    Returns:
        {novelty: {n, right, unknown}}, the shares with their intervals over conversations; what no question has is left out.
    """
    simple = [
        row
        for row in rows
        if row["answerable"] and ability(row["kind"], row["category"]) == "extraction"
    ]
    found: dict[str, Figures] = {}
    for name in NOVELTY:
        asked = [row for row in simple if novelty(row.get("held_out", ())) == name]
        if asked:
            unknown = [float(declined(row[condition]["answer"])) for row in asked]
            right = [row[condition]["em"] for row in asked]
            found[name] = {
                "n": len(asked),
                "right": interval(asked, right, share=True),
                "unknown": interval(asked, unknown, share=True),
            }
    return found


def _never_told(row: Mapping[str, Any]) -> bool:
    return ability(row["kind"], row["category"]) == "abstention"


def by_ability(rows: Rows, controls: Sequence[str]) -> dict[str, Figures]:
    """Compute the figures of each ability under each condition.

    Args:
        rows: One dict per question, as `lmem.evaluation.evaluate.evaluate` makes them.
        controls: The conditions that they have.

    Returns:
        {ability: figures}, abilities without questions left out. figures: n; conditions, {name: {right, unknown}}, each with its
        interval over conversations; for abilities other than abstention memory, {wrong bank: right minus wrong}.
    """
    found: dict[str, Figures] = {}
    for name in ABILITIES:
        asked = [row for row in rows if ability(row["kind"], row["category"]) == name]
        told = name != "abstention"
        if told:
            asked = [row for row in asked if row["answerable"]]
        if not asked:
            continue
        found[name] = figures = {"n": len(asked), "conditions": {}}
        for condition in controls:
            unknown = [float(declined(row[condition]["answer"])) for row in asked]
            right = [row[condition]["em"] for row in asked] if told else unknown
            figures["conditions"][condition] = {
                "right": interval(asked, right, share=True),
                "unknown": interval(asked, unknown, share=True),
            }
        wrong_banks = [c for c in ("twin", "other") if {c, "right"} <= set(controls)]
        if told:
            figures["memory"] = {
                wrong: difference(asked, [row["right"]["em"] - row[wrong]["em"] for row in asked])
                for wrong in wrong_banks
            }
    return found


def risk_coverage(rows: Rows, condition: str = "right") -> list[dict[str, float]]:
    """Compute the risk-coverage curve of a condition.

    Args:
        rows: As in `by_ability`, evaluated with EvalConfig(confidence=True).
        condition: Which answers.

    Returns:
        A point for each number of questions that are answered, the most confident first: confidence, coverage, risk, and right,
        the share of all questions that is answered rightly. Answers that decline are not answered at any confidence.

    Raises:
        InputError: The rows hold no confidence.
    """
    asked = [row for row in rows if row["answerable"] or _never_told(row)]
    if not asked or asked[0][condition].get("confidence") is None:
        raise InputError("expected answers with their confidence, evaluate with confidence=True")
    given = [row for row in asked if not declined(row[condition]["answer"])]
    given.sort(key=lambda row: -row[condition]["confidence"])
    points, right = [], 0
    for n, row in enumerate(given, start=1):
        right += bool(row["answerable"] and row[condition]["em"])
        points.append(
            {
                "confidence": row[condition]["confidence"],
                "coverage": n / len(asked),
                "risk": 1 - right / n,
                "right": right / len(asked),
            }
        )
    return points
