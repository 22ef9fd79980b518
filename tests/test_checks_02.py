"""Chapter 2's checks: a right answer, and for each mistake that is likely the words that it gets."""

import math

import pytest
import torch

from lmem.exercises import chapter_02 as check


def turns_until(gamma, share):
    if gamma == 1:
        return None
    lag = 0
    while gamma**lag >= share:
        lag += 1
    return lag


def is_pure(write, rows, latents):
    given = rows.clone()
    write(given, latents)
    return torch.equal(given, rows)


def bank_of(parts, gamma):
    powers = gamma ** torch.arange(len(parts) - 1, -1, -1.0)
    return (powers[:, None, None] * parts).sum(0)


RIGHT = {
    "turns_until": turns_until,
    "within_reach": lambda gamma, share, lags: sum(gamma**lag >= share for lag in lags) / len(lags),
    "bank_of": bank_of,
    "is_pure": is_pure,
    "ages": lambda written, turns: torch.where(written >= 0, turns - 1 - written, -1),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers(name):
    verdict = getattr(check, name)(RIGHT[name])
    assert verdict.state == "right", verdict.text


def by_rounding_up(gamma, share):
    return None if gamma == 1 else math.ceil(math.log(share) / math.log(gamma))


def without_a_copy(write, rows, latents):
    before = rows.clone()
    write(rows, latents)
    return torch.equal(before, rows)


def by_what_it_returns(write, rows, latents):
    given = rows.clone()
    return not torch.equal(write(given, latents), given)


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("turns_until", lambda gamma, share: 3, "expected 4, got 3"),
        ("turns_until", by_rounding_up, "expected 3, got 2. Hint: after 2 turns exactly 0.25"),
        ("turns_until", lambda gamma, share: math.floor(math.log(share) / math.log(gamma)) + 1, "stops in its line 1 with ZeroDivisionError"),
        ("turns_until", lambda gamma, share: None if gamma == 1 else math.floor(math.log(share) / math.log(gamma)) + 1, "logarithms are rounded"),
        ("within_reach", lambda gamma, share, lags: sum(gamma**lag >= share for lag in lags), "expected 0.25, got 2"),
        ("within_reach", lambda gamma, share, lags: sum(gamma**lag > share for lag in lags) / len(lags), "exactly the share"),
        ("within_reach", lambda gamma, share, lags: sum(gamma**lag < share for lag in lags) / len(lags), "expected 0.25, got 0.75"),
        ("within_reach", lambda gamma, share, lags: None, "is a `return` missing? Hint: "),
        ("bank_of", lambda parts, gamma: bank_of(parts.flip(0), gamma), "values differ"),
        ("bank_of", lambda parts, gamma: gamma * bank_of(parts, gamma), "every value is 0.5 times"),
        ("bank_of", lambda parts, gamma: bank_of(parts, gamma).T, "it is transposed"),
        ("is_pure", lambda write, rows, latents: torch.equal(write(rows.clone(), latents), rows), "compare what it was given"),
        ("is_pure", without_a_copy, "in place: the rows that were handed in are no longer"),
        ("is_pure", by_what_it_returns, "changes nothing is pure"),
        ("is_pure", lambda write, rows, latents: True, "in place: expected False, got True"),
        ("is_pure", lambda write, rows, latents: None, "is a `return` missing?"),
        ("ages", lambda written, turns: turns - written, "5"),
        ("ages", lambda written, turns: turns - 1 - written, "values differ"),
        ("ages", lambda written, turns: [4, 0, 2, -1], "expected a tensor, got a list"),
    ],
)  # fmt: skip
def test_likely_mistakes(name, answer, said):
    verdict = getattr(check, name)(answer)
    assert verdict.state == "wrong"
    assert said in verdict.text
