"""Check a learner's write against the properties that every write must have (chapter 17).

The package's tests check the same properties of its own writes. Each property is checked by itself, so one failure does not hide another.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmem.exercises.exercise import Wrong, require
from lmem.exercises.own_write import memory
from lmem.memory.bank import Bank, State
from lmem.memory.model import MemoryModel
from lmem.memory.write import WRITES
from lmem.memory.write.base import Write

ROWS, WIDTH = 24, 16  # of the small rule that is checked
TALK = ["Ana: I adopted a cat called Miro.", "Ben: How sweet!", "Ben: I live in Cedar-Bay."]


@dataclass(frozen=True)
class Report:
    """Result of the checks of a write: {property: None, or a sentence about what is wrong}."""

    name: str
    problems: dict[str, str | None]

    @property
    def passed(self) -> bool:
        """Whether all properties hold."""
        return not any(self.problems.values())

    def __repr__(self) -> str:
        lines = [
            f"  wrong  {what}: {wrong}" if wrong else f"  holds  {what}"
            for what, wrong in self.problems.items()
        ]
        good = sum(wrong is None for wrong in self.problems.values())
        return "\n".join([f"{self.name}: {good} of {len(self.problems)} hold", *lines])


def check(name: str, write: Mapping[str, Any] | None = None) -> Report:
    """Try a registered write.

    Args:
        name: Its name.
        write: Options of the write.
    """
    options = dict(write or {})

    def rule() -> Write:
        return WRITES[name](ROWS, WIDTH, **options)

    def model() -> MemoryModel:
        return memory(name, write=options)

    problems = {what: _wrong(holds, rule) for what, holds in OF_A_RULE.items()}
    problems |= {what: _wrong(holds, model) for what, holds in OF_A_MODEL.items()}
    return Report(name, problems)


def _wrong(holds: Callable[[Any], None], make: Callable[[], Any]) -> str | None:
    """Try one invariant; return what is wrong."""
    try:
        torch.manual_seed(0)
        with torch.no_grad():
            holds(make())
    except Wrong as error:
        return str(error)
    except Exception as error:
        return f"it raises {type(error).__name__}: {error}"
    return None


# ---- of the rule alone -----------------------------------------------------------------------------


def _turn(tokens: int, batch: int = 1, extra: int = 0) -> tuple[Tensor, Tensor]:
    """Draw latents and mask of a turn, with `extra` padding that is not zero."""
    latents = torch.randn(batch, tokens + extra, WIDTH)
    mask = torch.ones(batch, tokens + extra, dtype=torch.bool)
    mask[:, tokens:] = False
    return latents, mask


def _written(rule: Write, turns: list[tuple[Tensor, Tensor]]) -> State:
    """Write turns one by one into new banks."""
    state = rule.start(len(turns[0][0]))
    for latents, mask in turns:
        state = rule(state, latents, mask)
    return state


def _same(left: State, right: State) -> bool:
    pairs = zip(left, right, strict=True)
    return all(torch.allclose(a.double(), b.double(), atol=1e-5) for a, b in pairs)


def _form(rule: Write) -> None:
    start = rule.start(2)
    require(
        not bool(rule.readable(start).any()),
        "before the first turn `readable` must be False for every row",
    )
    new = rule(start, *_turn(5, 2))
    require(isinstance(new, State), f"a write returns a State, not {type(new).__name__}")
    for part in State._fields:
        a, b = getattr(start, part), getattr(new, part)
        require(
            a.shape == b.shape and a.dtype == b.dtype,
            f"`{part}` has shape {tuple(a.shape)} and type {a.dtype} before a turn, {tuple(b.shape)} and {b.dtype} after it",
        )
    turns = new.turns.tolist()
    require(
        turns == [1, 1], f"after one turn `turns` must be 1 for each of the two banks, not {turns}"
    )
    require(bool(rule.readable(new).any()), "after a turn `readable` must be True for some row")


def _changes(rule: Write) -> None:
    new = _written(rule, [_turn(5)])
    require(
        not torch.equal(new.rows, rule.start().rows),
        "a turn of five tokens changes no row; return the new rows",
    )


def _pure(rule: Write) -> None:
    state = _written(rule, [_turn(5)])
    before = State(*(part.clone() for part in state))
    latents, mask = _turn(4)
    given = latents.clone()
    rule(state, latents, mask)
    changed = "the write changes the old bank; work on a copy, or build a new tensor"
    require(_same(state, before), changed)
    require(torch.equal(latents, given), "the write changes the turn's latents; work on a copy")


def _padding(rule: Write) -> None:
    latents, mask = _turn(4, extra=3)
    padded = _written(rule, [(latents, mask)])
    plain = _written(rule, [(latents[:, :4], mask[:, :4])])
    wrong = "padding changes the result: use the mask, also where tokens are chosen or counted"
    require(_same(padded, plain), wrong)


def _nothing(rule: Write) -> None:
    state = _written(rule, [_turn(5)])
    latents, mask = _turn(3)
    empty = rule(state, latents, mask & False)
    require(_same(empty, state), "a turn without tokens changes the bank; return the old one")


def _neighbours(rule: Write) -> None:
    turns = [_turn(5, 2), _turn(3, 2), _turn(9, 2)]
    turns[0][1][1] = False  # the second conversation is one turn shorter
    state = _written(rule, turns)
    for i in range(2):
        alone = _written(rule, [(latents[i : i + 1], mask[i : i + 1]) for latents, mask in turns])
        require(
            _same(alone, State(*(part[i : i + 1] for part in state))),
            f"bank {i} of a batch of two differs from the same bank written alone: something mixes the banks",
        )


def _scan(rule: Write) -> None:
    turns = [_turn(n) for n in (5, 3, 9, 4)]
    state = _written(rule, turns)
    at_once = rule.scan(rule.start(), turns)
    drawn = "the same turns give different banks: does the write draw random numbers, or keep something outside the bank?"
    require(_same(at_once, rule.scan(rule.start(), turns)), drawn)
    wrong = "all turns at once give another bank than one by one; leave `update_all` to the base class, or make it equal to `update` turn by turn"
    require(_same(at_once, state), wrong)


def _numbers(rule: Write) -> None:
    """Require that a row with an old turn number was there before, with the same number."""
    state = rule.start()
    for t in range(12):
        new = rule(state, *_turn(5))
        for row, number in zip(new.rows[0], new.written[0].tolist(), strict=True):
            range_ = f"`written` says {number} after turn {t}; turns are numbered from 0, and -1 means never"
            require(-1 <= number <= t, range_)
            if 0 <= number < t:
                there = (state.rows[0] - row).abs().amax(1) < 1e-5
                require(
                    bool((there & (state.written[0] == number)).any()),
                    f"after turn {t} `written` says that a row was last changed in turn {number}, but there was no such row before: "
                    "give the turn's number to every row that changes, and move it with the row",
                )
        state = new


def _long(rule: Write) -> None:
    state = rule.start()
    for _ in range(300):
        state = rule(state, *_turn(4))
    require(bool(torch.isfinite(state.rows).all()), "after 300 turns the rows are no longer finite")
    size = state.rows.norm(dim=2).max().item()
    grown = (
        f"after 300 turns of latents of length 4 a row has length {size:.3g}: it grows without end"
    )
    require(size < 1e4, grown)


OF_A_RULE: dict[str, Callable[[Write], None]] = {
    "a State goes in, and a State of the same form comes out": _form,
    "a turn changes the bank": _changes,
    "a write is pure": _pure,
    "all turns at once give the same bank as one by one": _scan,
    "padding is never written": _padding,
    "a turn without tokens writes nothing": _nothing,
    "the banks of a batch do not mix": _neighbours,
    "`written` tells the truth": _numbers,
    "rows stay finite over 300 turns": _long,
}


# ---- of a model with this write --------------------------------------------------------------------


def _logits(model: MemoryModel) -> Tensor:
    backbone = model.backbone
    inputs = backbone.inputs(["question: What is Ana's cat called?"])
    return backbone.model(**inputs, labels=backbone.labels(["Miro"])).logits


def _attached(model: MemoryModel) -> None:
    bare = _logits(model)
    with model.attached(model.new_bank()):
        empty = _logits(model)
    require(torch.equal(empty, bare), "an empty bank must change no answer: check `readable`")
    with model.attached(model.write(model.new_bank(), TALK)):
        read = _logits(model)
    seen = float((read - bare).abs().max()) > 1e-2
    require(seen, "a bank with three turns in it changes no answer")
    after = "the backbone answers differently after the bank is detached"
    require(torch.equal(_logits(model), bare), after)


def _saved(model: MemoryModel) -> None:
    bank = model.write(model.new_bank(), TALK)
    with tempfile.TemporaryDirectory() as folder:
        bank.save(Path(folder) / "bank.safetensors")
        later = Bank.load(Path(folder) / "bank.safetensors")
    torch.manual_seed(99)
    # another session: a model made from the same seed
    again = memory(str(model.method.write), write=model.options["write"])
    require(
        again.owner == model.owner,
        "a rule made again from the same seed differs: draw random numbers in `__init__`, into a buffer or a parameter",
    )
    here, there = model.write(bank, ["Ana: Bye!"]), again.write(later, ["Ana: Bye!"])
    wrong = (
        "a saved and loaded bank continues differently: the rule keeps something outside the bank"
    )
    require(_same(there.state, here.state), wrong)


OF_A_MODEL: dict[str, Callable[[MemoryModel], None]] = {
    "an attached bank changes answers; an empty or detached one does not": _attached,
    "a saved bank continues in another session": _saved,
}
