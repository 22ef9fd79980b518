"""Checks of chapter 17: right answers pass, and likely mistakes are named."""

import pytest
import torch

from lmem.exercises import chapter_17
from lmem.memory.write import WRITES
from lmem.memory.write.base import Write
from lmem.memory.write.recent import RecentWrite


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


class EveryOther(RecentWrite):
    """Keep every other token of a turn."""

    update_all = Write.update_all

    def update(self, state, latents, mask):
        return super().update(state, latents, mask & (mask.long().cumsum(1) % 2 == 1))


class Longest(RecentWrite):
    """Keep the two longest latents of a turn."""

    update_all = Write.update_all

    def update(self, state, latents, mask):
        norms = latents.norm(dim=-1).masked_fill(~mask, -1.0)
        best = norms.topk(min(2, norms.shape[1]), 1).indices
        return super().update(state, latents, mask & torch.zeros_like(mask).scatter(1, best, True))


class Forgetful(RecentWrite):
    """Write padding as well."""

    update_all = Write.update_all

    def update(self, state, latents, mask):
        return super().update(state, latents, torch.ones_like(mask))


class OneCount(Write):
    """Write a turn's mean into the next row, by the number of turns of the first conversation of the batch."""

    def update(self, state, latents, mask):
        row = int(state.turns[0]) % self.rows
        mean = (latents * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        rows, written = state.rows.clone(), state.written.clone()
        rows[:, row], written[:, row] = mean, state.turns
        return rows, written


def test_a_write_of_ones_own(writes):
    assert chapter_17.own_write(Stub).state == "unfinished"
    assert "mine" not in writes
    for answer, said in (
        (InPlace, "a write is pure: the write changes the old bank"),
        (Broken, "Broken(8, 4), written a turn of 2 tokens, stops with RuntimeError"),
        (RowsOnly, "update must return (rows, written)"),
        (Lots, "does the write draw random numbers"),
        (Forgetful, "padding changes the result"),
        (OneCount, "something mixes the banks"),
        (dict, "expected a class that inherits from lmem.memory.write.base.Write"),
        (type("Idle", (Write,), {}), "expected an update in Idle"),
    ):
        verdict = chapter_17.own_write(answer)
        assert verdict.state == "wrong"
        assert said in verdict.text, verdict.text
    for answer in (EveryOther, Longest, RecentWrite):
        verdict = chapter_17.own_write(answer)
        assert verdict.state == "right", verdict.text
    assert writes["mine"] is RecentWrite
    assert torch.is_tensor(RecentWrite(4, 4).p0)


def test_a_row_must_show_memory_from_the_evidence():
    score = {
        "mean": 0.3, "low": 0.2, "high": 0.4, "conversations": 6, "p": 0.0156, "two_sided": False, "mdd": 0.1,
    }  # fmt: skip
    row = {"name": "mine", "memory": score, "right": {"mean": 0.5}, "deleted": {"mean": 0.1}}
    for one in (
        row,
        row | {"deleted": {"mean": 0.24}},
        row | {"memory": score | {"mean": 0.25, "low": 0.05}},
    ):
        assert chapter_17.row(one).state == "right"
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


def honest(validation, test):
    chosen = max(validation, key=validation.get)
    return chosen, test[chosen]


def honest_sorted(validation, test):
    *_, (_, chosen) = sorted((score, setting) for setting, score in validation.items())
    return [chosen, test[chosen]]


def honest_loop(validation, test):
    best = None
    for setting, score in validation.items():
        if best is None or score > validation[best]:
            best = setting
    return best, test[best]


def test_an_honest_choice():
    for answer in (honest, honest_sorted, honest_loop):
        assert chapter_17.honest(answer).state == "right"
    for answer in (
        lambda validation, test: honest(test, test),
        lambda validation, test: honest(validation, validation),
        lambda validation, test: (honest(validation, test)[0], max(test.values())),
        lambda validation, test: honest(validation, test)[::-1],
        lambda validation, test: honest({s: validation[s] + test[s] for s in test}, test),
        lambda validation, test: honest(validation, test)[0],
        lambda validation, test: None,
    ):
        assert chapter_17.honest(answer).state == "wrong"
