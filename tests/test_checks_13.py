"""Chapter 13's checks: right answers pass, and each mistake that is likely is named."""

import math

import pytest
import torch

from lmem.exercises import chapter_13


def bank_share(rows, length, score, question):
    bank = rows * math.exp(length * score)
    return bank / (bank + question)


def held(rows, length):
    size = rows.norm(dim=1, keepdim=True)
    return torch.where(size > 0, length * rows / size.clamp(min=1e-12), rows)


def lift(right_small, wrong_small, right_large, wrong_large):
    small, large = sum(right_small) - sum(wrong_small), sum(right_large) - sum(wrong_large)
    return 100 * (large - small) / len(right_small)


def rows_for(tokens, lag):
    return sum(tokens[len(tokens) - 1 - lag :])


@pytest.mark.parametrize("answer", [bank_share, held, lift, rows_for])
def test_right_answers_pass(answer):
    verdict = getattr(chapter_13, answer.__name__)(answer)
    assert verdict.state == "right", verdict.text


@pytest.mark.parametrize(
    ("check", "answer", "said"),
    [
        ("bank_share", lambda r, f, s, q: bank_share(1, f, s, q), "R rows"),
        ("bank_share", lambda r, f, s, q: r * f * math.exp(s) / (r * f * math.exp(s) + q), "not e^s"),
        ("bank_share", lambda r, f, s, q: r * math.exp(f * s) / q, "R rows"),
        ("held", lambda p, n: n * p / p.norm(), "its own length"),
        ("held", lambda p, n: p / p.norm(dim=1, keepdim=True), "multiply"),
        ("held", lambda p, n: n * p / p.norm(dim=1, keepdim=True), "row of zeros"),
        ("lift", lambda a, b, c, d: 100 * (sum(c) - sum(a)) / len(a), "memory score of the large"),
        ("lift", lambda a, b, c, d: lift(a, b, c, d) / 100, "in points"),
        ("lift", lambda a, b, c, d: max(0, lift(a, b, c, d)), "nothing is cut off"),
        ("rows_for", lambda tokens, lag: sum(tokens[: lag + 1]), "lag 0 is the newest"),
        ("rows_for", lambda tokens, lag: sum(tokens[len(tokens) - lag :]), "the turn itself"),
    ],
)  # fmt: skip
def test_likely_mistakes_of_chapter_13(check, answer, said):
    verdict = getattr(chapter_13, check)(answer)
    assert verdict.state == "wrong"
    assert said in verdict.text


@pytest.mark.parametrize("check", ["bank_share", "held", "lift", "rows_for"])
def test_stubs_are_unfinished(check):
    def stub(*given):
        raise NotImplementedError

    assert getattr(chapter_13, check)(stub).state == "unfinished"
