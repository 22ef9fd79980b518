"""Checks of chapter 12: right answers pass, and likely mistakes are named."""

import math
from itertools import product

import pytest

from lmem.exercises import chapter_12 as check


def both_gains(right, wrong):
    gains = [r - w for r, w in zip(right, wrong, strict=True)]
    return sum(max(0.0, g) for g in gains) / len(gains), sum(gains) / len(gains)


def exchanged(sums, reaches=lambda total, seen: total > seen - 1e-9):
    totals = [
        sum(s * x for s, x in zip(signs, sums, strict=True))
        for signs in product((1, -1), repeat=len(sums))
    ]
    return sum(reaches(total, sum(sums)) for total in totals) / len(totals)


def null_share(logit, tokens, rows):
    return rows / (math.exp(logit) + tokens - 1 + rows)


def of_questions(means, counts):
    weighted = sum(m * c for m, c in zip(means, counts, strict=True)) / sum(counts)
    return sum(means) / len(means), weighted


def test_right_answers():
    for answer in (both_gains, exchanged, null_share, of_questions):
        assert getattr(check, answer.__name__)(answer).state == "right"


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        # clipped after the mean: max(0, -2/4) = 0
        ("both_gains", lambda r, w: (max(0, both_gains(r, w)[1]), both_gains(r, w)[1]), "expected 0.25, got 0"),
        ("both_gains", lambda r, w: (both_gains(r, w)[0],) * 2, "the signed gain is never cut"),
        # without the seen way itself (+, +) nothing of (1, 2) reaches 3
        ("exchanged", lambda sums: exchanged(sums, lambda total, seen: total > seen + 1e-9), "what was seen counts"),
        # -0.1 - 0.2 + 0.3 is 0 but for a rounding, and so is what was seen
        ("exchanged", lambda sums: exchanged(sums, lambda total, seen: total >= seen), "allow for rounding"),
        # all tokens at the logit that is looked for: 4 / (4 + 4) at logit 0, wrong at 3
        ("null_share", lambda logit, tokens, rows: rows / (tokens * math.exp(logit) + rows), "the other tokens have logit 0"),
        ("null_share", lambda logit, tokens, rows: rows / (math.exp(logit) + tokens + rows), "expected 0.5, got 0.4444"),
        ("of_questions", lambda m, c: (sum(m) / len(m),) * 2, "weight each bucket by its questions"),
    ],
)  # fmt: skip
def test_likely_mistakes(name, answer, said):
    verdict = getattr(check, name)(answer)
    assert verdict.state == "wrong"
    assert said in verdict.text, verdict.text
