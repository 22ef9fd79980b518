"""Checks of chapters 16 and 17: right answers pass, and likely mistakes are named."""

import math

import pytest
import torch

from lmem.exercises import chapter_16, chapter_17
from lmem.memory.write import WRITES
from lmem.memory.write.base import Write
from lmem.memory.write.recent import RecentWrite


def last_k(costs, budget):
    kept = []
    for turn in reversed(range(len(costs))):
        budget -= costs[turn]
        if budget < 0:
            break
        kept.append(turn)
    return sorted(kept)


def word_weight(turns, holding):
    return math.log(1 + (turns - holding + 0.5) / (holding + 0.5))


def break_even(turn, bank):
    return bank // turn + 1


def test_right_answers():
    for answer in (last_k, word_weight, break_even):
        assert getattr(chapter_16, answer.__name__)(answer).state == "right"


def with_gaps(costs, budget):
    kept = []
    for turn in reversed(range(len(costs))):
        if costs[turn] <= budget:
            budget -= costs[turn]
            kept.append(turn)
    return sorted(kept)


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("last_k", with_gaps, "stop at the first that does not fit"),
        ("last_k", lambda costs, budget: last_k(costs, budget)[::-1], "expected 1, got 2"),
        ("last_k", lambda costs, budget: last_k(costs, budget - 1), "expected 2 elements, got 1"),
        ("word_weight", lambda n, k: math.log10(1 + (n - k + 0.5) / (k + 0.5)), "natural logarithm"),
        ("word_weight", lambda n, k: math.log((n - k + 0.5) / (k + 0.5)), "ln(1 +"),
        ("break_even", lambda turn, bank: math.ceil(bank / turn), "larger is later"),
        ("break_even", lambda turn, bank: bank / turn, "expected 21, got 20"),
    ],
)  # fmt: skip
def test_likely_mistakes(name, answer, said):
    verdict = getattr(chapter_16, name)(answer)
    assert verdict.state == "wrong"
    assert said in verdict.text, verdict.text


# ---- chapter 17 --------------------------------------------------------------------------------------


@pytest.fixture
def writes():
    """What a check registers goes again."""
    before = dict(WRITES)
    yield WRITES
    WRITES.clear()
    WRITES.update(before)


class Stub(Write):
    def update(self, state, latents, mask):
        raise NotImplementedError


class InPlace(RecentWrite):
    def update(self, state, latents, mask):
        state.rows.mul_(0.5)
        return super().update(state, latents, mask)


class Broken(Write):
    def update(self, state, latents, mask):
        return state.rows @ latents, state.written


class RowsOnly(Write):
    def update(self, state, latents, mask):
        return state.rows + 1


class Lots(Write):
    def update(self, state, latents, mask):
        return state.rows + torch.randn_like(state.rows), self.all_rows(state)


def test_a_write_of_ones_own(writes):
    assert chapter_17.own_write(Stub).state == "unfinished"
    assert "mine" not in writes
    for answer, said in (
        (InPlace, "a write is pure: the old bank was changed"),
        (Broken, "Broken(8, 4), written a turn of 2 tokens, stops with RuntimeError"),
        (RowsOnly, "update must return (rows, written)"),
        (Lots, "nothing may be drawn while writing"),
        (dict, "expected a class that inherits from lmem.memory.write.base.Write"),
        (type("Idle", (Write,), {}), "expected an update in Idle"),
    ):
        verdict = chapter_17.own_write(answer)
        assert verdict.state == "wrong"
        assert said in verdict.text, verdict.text
    assert chapter_17.own_write(RecentWrite).state == "right"
    assert writes["mine"] is RecentWrite
    assert torch.is_tensor(RecentWrite(4, 4).p0)


def test_a_row_must_show_memory_from_the_evidence():
    score = {
        "mean": 0.3, "low": 0.2, "high": 0.4, "conversations": 6, "p": 0.0156, "two_sided": False, "mdd": 0.1,
    }  # fmt: skip
    row = {"name": "mine", "memory": score, "right": {"mean": 0.5}, "deleted": {"mean": 0.1}}
    assert chapter_17.row(row).state == "right"
    assert chapter_17.row(...).state == "unfinished"
    for change, said in (
        ({"memory": score | {"low": -0.05}}, "is 30.0 [-5.0, 40.0] (G=6) points"),
        ({"memory": score | {"conversations": 4}}, "judge it on 5 conversations or more"),
        ({"deleted": {"mean": 0.3}}, "come from elsewhere"),
        ({"name": "recent"}, "judge your own write"),
    ):
        verdict = chapter_17.row(row | change)
        assert verdict.state == "wrong"
        assert said in verdict.text
    assert chapter_17.row(0.5).state == "wrong"


def test_an_honest_choice():
    def honest(validation, test):
        chosen = max(validation, key=validation.get)
        return chosen, test[chosen]

    assert chapter_17.honest(honest).state == "right"
    peeking = chapter_17.honest(lambda validation, test: honest(test, test))
    assert peeking.state == "wrong"
