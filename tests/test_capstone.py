"""The capstone's checker passes what is right, and names each planted mistake in a learner's write; the leaderboard refuses what does not hold."""

import copy
import json
import re

import numpy as np
import pytest
import torch
from chapters import CHAPTERS, read, source

from lmem.data.conversation import conversations_sha256
from lmem.errors import InputError, MethodError
from lmem.evaluation import results
from lmem.exercises import capstone
from lmem.memory.write import WRITES
from lmem.memory.write.base import Write
from lmem.memory.write.recent import RecentWrite


@pytest.fixture(autouse=True)
def only_the_packages():
    """What a test registers goes again."""
    before = dict(WRITES)
    yield
    WRITES.clear()
    WRITES.update(before)


class Mean(Write):
    """A plain right answer: every row moves a step towards the turn's mean."""

    def update(self, state, latents, mask):
        mean = latents.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        rows = self.gamma * state.rows + (1 - self.gamma) * mean[:, None]
        return rows, self.all_rows(state)


class InPlace(Mean):
    def update(self, state, latents, mask):
        state.rows.mul_(self.gamma)
        return super().update(state, latents, mask)


class CountsPadding(Mean):
    def update(self, state, latents, mask):
        return state.rows + 0.1 * latents.mean(1)[:, None], self.all_rows(state)


class MixesBanks(Mean):
    def update(self, state, latents, mask):
        rows, written = super().update(state, latents, mask)
        return rows - rows.mean(0, keepdim=True) + rows.mean(), written


class Grows(Mean):
    def update(self, state, latents, mask):
        rows, written = super().update(state, latents, mask)
        return 1.2 * rows, written


class Draws(Mean):
    def update(self, state, latents, mask):
        rows, written = super().update(state, latents, mask)
        return rows + torch.randn_like(rows), written


class Lies(Mean):
    def update(self, state, latents, mask):
        return super().update(state, latents, mask)[0], torch.zeros_like(state.written)


class FromTheFuture(Mean):
    def update(self, state, latents, mask):
        return super().update(state, latents, mask)[0], self.all_rows(state) + 1


class KeepsSomething(Mean):
    """What is read of the last turn is not in the bank."""

    last = 0.0

    def update(self, state, latents, mask):
        rows, written = super().update(state, latents, mask)
        self.last, before = latents.mean().item(), self.last
        return rows + before, written


class DrawnAnew(Mean):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.shift = float(np.random.default_rng().normal())  # of no seed

    def update(self, state, latents, mask):
        rows, written = super().update(state, latents, mask)
        return rows + self.shift, written


class ReadableAtOnce(Mean):
    def readable(self, state):
        return torch.ones_like(state.written, dtype=torch.bool)


class Transposed(Mean):
    def update(self, state, latents, mask):
        rows, written = super().update(state, latents, mask)
        return rows[:, :-1], written


class Nothing(Mean):
    def update(self, state, latents, mask):
        return state.rows, self.all_rows(state)


class Empty(Mean):
    """Overrides forward and forgets what the base class does for a turn of no tokens."""

    def forward(self, state, latents, mask):
        rows, written = self.update(state, latents, mask)
        return type(state)(rows, written, state.turns + 1)


class WrongScan(Mean):
    def scan(self, state, turns):
        return self(state, *turns[-1])


MISTAKES = [
    (InPlace, "a write is pure", "work on a copy"),
    (CountsPadding, "padding is never written", "use the mask"),
    (MixesBanks, "the banks of a batch do not mix", "something mixes the banks"),
    (Grows, "rows stay finite over 300 turns", "no longer finite|grows without end"),
    (Draws, "all turns at once give the same bank as one by one", "one by one|draw random numbers"),
    (Lies, "`written` tells the truth", "there was no such row before"),
    (FromTheFuture, "`written` tells the truth", "turns are numbered from 0"),
    (
        KeepsSomething,
        "a saved bank continues in another session",
        "keeps something outside the bank",
    ),
    (DrawnAnew, "a saved bank continues in another session", "keeps something outside the bank"),
    (
        ReadableAtOnce,
        "a State goes in, and a State of the same form comes out",
        "before the first turn",
    ),
    (
        ReadableAtOnce,
        "an attached bank changes answers; an empty or detached one does not",
        "check `readable`",
    ),
    (Transposed, "a State goes in, and a State of the same form comes out", "it raises"),
    (Nothing, "a turn changes the bank", "changes no row"),
    (Empty, "a turn without tokens writes nothing", "changes the bank"),
    (
        WrongScan,
        "all turns at once give the same bank as one by one",
        "leave `update_all` to the base class",
    ),
]


@pytest.mark.parametrize(("rule", "what", "said"), MISTAKES, ids=[f"{m[0].__name__}: {m[1][:20]}" for m in MISTAKES])  # fmt: skip
def test_a_mistake_is_named(rule, what, said):
    capstone.register("mine", rule)
    report = capstone.check("mine")
    assert not report.passed
    assert report.problems[what] is not None, report
    assert any(part in report.problems[what] for part in said.split("|")), report.problems[what]
    assert f"  wrong  {what}: " in repr(report)


@pytest.mark.parametrize("rule", [Mean, RecentWrite, *(WRITES[n] for n in ("attention", "gated", "slots"))])  # fmt: skip
def test_what_is_right_passes(rule):
    report = capstone.check(capstone.register("mine", rule))
    assert report.passed, report
    assert repr(report).startswith("mine: 11 of 11 hold\n  holds  a State goes in")


@pytest.mark.parametrize(
    ("name", "rule", "said"),
    [
        ("recent", Mean, "expected a new name"),
        ("My Write", Mean, "expected a new name"),
        ("mine", Mean(4, 4), "expected a class that inherits"),
        ("mine", dict, "expected a class that inherits"),
        ("mine", type("Idle", (Write,), {}), "expected an update in Idle"),
        ("mine", type("Square", (Mean,), {"form": "square"}), "expected form 'rows'"),
    ],
)
def test_what_cannot_be_registered(name, rule, said):
    with pytest.raises(MethodError, match=said):
        capstone.register(name, rule)


def test_the_book_s_reservoir_is_a_write_like_any_other():
    """The source that the solution of 17.5 shows; its row lies in the leaderboard of 240 turns."""
    [shown] = [source(c) for c in read(CHAPTERS[-1])["cells"] if "class Reservoir" in source(c)]
    space = {}
    exec(re.search(r"```python\n(.*?)```", shown, re.S)[1], space)
    report = capstone.check(capstone.register("reservoir", space["Reservoir"]))
    assert report.passed, report
    rows = {row["name"]: row for row in results.load("capstone/leaderboard-240")["rows"]}
    assert set(rows) == {"recent", "novel", "novel_085", "reservoir"}
    low, high = (rows["novel"]["memory"][end] for end in ("low", "high"))
    assert rows["recent"]["memory"]["high"] < low
    assert high < rows["reservoir"]["memory"]["low"], "it would look like a discovery"
    assert rows["reservoir"]["memory"]["high"] > rows["novel_085"]["memory"]["low"], "it is none"


def test_options_reach_the_rule():
    capstone.register("mine", Mean)
    assert capstone.memory("mine", write={"gamma": 0.5}).write_rule.gamma == 0.5
    assert not capstone.check("mine", {"gamma": 2.0}).passed


def test_the_read_is_the_shipped_one_and_recent_is_the_shipped_memory(talk, questions):
    import lmem

    mine, shipped = capstone.memory("recent"), lmem.MemoryModel.from_shipped("nano-recent")
    answers = [m.answer(m.write(m.new_bank(), talk), questions) for m in (mine, shipped)]
    assert answers[0] == answers[1]


def test_judged_entered_and_printed(conversations, tmp_path):
    path = tmp_path / "board.json"
    assert capstone.board(path) == []
    row = capstone.judge("recent", conversations)
    assert row["memory"]["mean"] == pytest.approx(
        row["right"]["mean"] - row["twin"]["mean"], abs=1e-3
    )
    assert row["memory"]["conversations"] == len(conversations)
    assert row["conversations_sha256"] == conversations_sha256(conversations)
    assert row["kib"] == round(192 * (128 * 4 + 8) / 1024 + 8 / 1024, 1)  # rows, written, turns
    assert 0 < row["seconds"] < 1
    capstone.register("mine", Mean)
    worse = copy.deepcopy(row) | {"name": "mine"}
    worse["memory"]["low"] = row["memory"]["low"] - 0.1
    capstone.enter(worse, path)
    assert [one["name"] for one in capstone.enter(row, path)] == ["recent", "mine"]
    assert len(capstone.enter(row, path)) == 2  # in the place of its own
    printed = capstone.printed(capstone.board(path))
    assert [one["method"] for one in printed] == ["recent", "mine"]
    kept = json.loads(path.read_text())
    assert (kept["backbone"], len(kept["rows"])) == ("nano", 2)
    assert "torch" in kept["versions"]


def test_the_board_refuses_what_does_not_hold(tmp_path):
    path = tmp_path / "board.json"
    capstone.register("mine", InPlace)
    row = {"name": "mine", "write": {}, "memory": {"low": 0.1}}
    with pytest.raises(InputError, match="a write is pure"):
        capstone.enter(row, path)
    capstone.register("fine", Mean)
    with pytest.raises(InputError, match="two conversations or more"):
        capstone.enter(row | {"name": "fine", "memory": {"low": None}}, path)
    assert not path.exists()
    path.write_text("{}")
    with pytest.raises(InputError, match="expected a leaderboard"):
        capstone.board(path)


def row_of(low, high, right=0.8, deleted=0.0, other=0.0, conversations=10):
    mean = 0.4 if low is None else (low + high) / 2
    p = 0.001 if mean > 0 else 0.999
    score = {"mean": mean, "low": low, "high": high, "conversations": conversations, "p": p, "two_sided": False}  # fmt: skip
    row = {"memory": score, "right": {"mean": right}, "deleted": {"mean": deleted}}
    return row | {"other": {"mean": other}, "noise": {"mean": 0.0}}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (row_of(0.2, 0.6), "this is memory"),
        (row_of(-0.1, 0.6), "no memory is shown"),
        (row_of(-0.6, -0.2), "something is wrong"),
        (row_of(None, None), "this is memory"),  # all ten conversations agree on .4
        (row_of(None, None, conversations=1), "No verdict: 1 conversation is too few"),
        (row_of(0.2, 0.6, conversations=3), "No verdict: 3 conversations are too few"),
        (row_of(0.2, 0.6, deleted=0.5), "it comes from elsewhere"),  # 0.5 > 0.8 / 2
        (row_of(0.2, 0.6, other=0.5), "that part is no memory"),
    ],
)
def test_a_row_in_words(row, said):
    assert said in " ".join(capstone.sentences(row))
