"""What must hold of every write, tried on one that a learner wrote; what does not hold is said in words (chapter 17).

The package's own writes are held to the same by its tests. One thing that is wrong does not hide another.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from lmem.exercises.exercise import Wrong, require
from lmem.exercises.own_write import memory
from lmem.memory.bank import Bank, State
from lmem.memory.write import WRITES

ROWS, WIDTH = 24, 16  # of the small rule that is tried


@dataclass(frozen=True)
class Report:
    """What was found of a write: {what must hold: None, or a sentence that says what is wrong}."""

    name: str
    found: dict

    @property
    def passed(self):
        return not any(self.found.values())

    def __repr__(self):
        lines = [
            f"  wrong  {what}: {said}" if said else f"  holds  {what}"
            for what, said in self.found.items()
        ]
        good = sum(said is None for said in self.found.values())
        return "\n".join([f"{self.name}: {good} of {len(self.found)} hold", *lines])


def check(name, write=None):
    """Try a registered write: Report.

    write  options of the write
    """
    found = {}
    for what, holds in HOLDS.items():
        try:
            torch.manual_seed(0)
            with torch.no_grad():
                holds(name, dict(write or {}))
        except Wrong as error:
            found[what] = str(error)
        except Exception as error:
            found[what] = f"it stops with {type(error).__name__}: {error}"
        else:
            found[what] = None
    return Report(name, found)


def _rule(name, options):
    return WRITES[name](ROWS, WIDTH, **options)


def _turn(tokens, batch=1, extra=0):
    """Latents and mask of a turn, with `extra` padding that holds something."""
    latents = torch.randn(batch, tokens + extra, WIDTH)
    mask = torch.ones(batch, tokens + extra, dtype=torch.bool)
    mask[:, tokens:] = False
    return latents, mask


def _same(one, other):
    return all(torch.allclose(a.double(), b.double(), atol=1e-5) for a, b in zip(one, other, strict=True))  # fmt: skip


def _form(name, options):
    rule = _rule(name, options)
    start = rule.start(2)
    require(not bool(rule.readable(start).any()), "before the first turn no row may be read")
    new = rule(start, *_turn(5, 2))
    require(isinstance(new, State), f"a write returns a State, not {type(new).__name__}")
    for part in State._fields:
        a, b = getattr(start, part), getattr(new, part)
        require(
            a.shape == b.shape and a.dtype == b.dtype,
            f"`{part}` had shape {tuple(a.shape)} and type {a.dtype}, after a turn {tuple(b.shape)} and {b.dtype}",
        )
    require(new.turns.tolist() == [1, 1], f"one turn was written, `turns` says {new.turns.tolist()}")  # fmt: skip
    require(bool(rule.readable(new).any()), "after a turn nothing may be read")


def _changes(name, options):
    rule = _rule(name, options)
    new = rule(rule.start(), *_turn(5))
    require(not torch.equal(new.rows, rule.start().rows), "a turn of five tokens changes no row")


def _pure(name, options):
    rule = _rule(name, options)
    state = rule(rule.start(), *_turn(5))
    before = State(*(part.clone() for part in state))
    latents, mask = _turn(4)
    kept = latents.clone()
    rule(state, latents, mask)
    require(_same(state, before), "the old bank was changed; work on a copy, or build a new tensor")  # fmt: skip
    require(torch.equal(latents, kept), "the turn's latents were changed; work on a copy")


def _padding(name, options):
    rule = _rule(name, options)
    latents, mask = _turn(4, extra=3)
    padded = rule(rule.start(), latents, mask)
    plain = rule(rule.start(), latents[:, :4], mask[:, :4])
    require(_same(padded, plain), "padding is written: use the mask, also where tokens are chosen or counted")  # fmt: skip


def _nothing(name, options):
    rule = _rule(name, options)
    state = rule(rule.start(), *_turn(5))
    latents, mask = _turn(3)
    require(_same(rule(state, latents, mask & False), state), "a turn without a token changes the bank")  # fmt: skip


def _neighbours(name, options):
    rule = _rule(name, options)
    state, turns = rule.start(2), [_turn(5, 2), _turn(3, 2), _turn(9, 2)]
    for one in turns:
        state = rule(state, *one)
    for i in range(2):
        alone = rule.start()
        for latents, mask in turns:
            alone = rule(alone, latents[i : i + 1], mask[i : i + 1])
        require(
            _same(alone, State(*(part[i : i + 1] for part in state))),
            f"bank {i} of a batch of two is not what it is alone: something mixes the banks",
        )


def _scan(name, options):
    rule = _rule(name, options)
    turns = [_turn(n) for n in (5, 3, 9, 4)]
    state = rule.start()
    for one in turns:
        state = rule(state, *one)
    require(
        _same(rule.scan(rule.start(), turns), rule.scan(rule.start(), turns)),
        "the same turns give two banks: nothing may be drawn while writing",
    )
    require(_same(rule.scan(rule.start(), turns), state), "written at once is not what one by one gives; leave `scan` to the base class, or mend it")  # fmt: skip


def _written(name, options):
    """A row that says it is old must be one that was there before, with the same number."""
    rule = _rule(name, options)
    state = rule.start()
    for t in range(12):
        new = rule(state, *_turn(5))
        for row, number in zip(new.rows[0], new.written[0].tolist(), strict=True):
            require(-1 <= number <= t, f"`written` says {number} after turn {t}; turns are numbered from 0, and -1 is never")  # fmt: skip
            if 0 <= number < t:
                there = (state.rows[0] - row).abs().amax(1) < 1e-5
                require(
                    bool((there & (state.written[0] == number)).any()),
                    f"after turn {t} a row says it was last changed in turn {number}, but no such row was there before: "
                    "give the turn's number to every row that changes, and move it with the row",
                )
        state = new


def _long(name, options):
    rule = _rule(name, options)
    state = rule.start()
    for _ in range(300):
        state = rule(state, *_turn(4))
    require(bool(torch.isfinite(state.rows).all()), "after 300 turns the rows are no longer finite")
    size = state.rows.norm(dim=2).max().item()
    require(size < 1e4, f"after 300 turns of latents of length 4 a row is {size:.3g} long: it grows without end")  # fmt: skip


TALK = ["Ana: I adopted a cat called Miro.", "Ben: How sweet!", "Ben: I live in Cedar-Bay."]


def _logits(model, bank=None):
    inputs = model.backbone.inputs(["question: What is Ana's cat called?"])
    labels = model.backbone.labels(["Miro"])
    if bank is None:
        return model.backbone.model(**inputs, labels=labels).logits
    with model.attached(bank):
        return model.backbone.model(**inputs, labels=labels).logits


def _attached(name, options):
    model = memory(name, write=options)
    bare = _logits(model)
    require(
        torch.equal(_logits(model, model.new_bank()), bare), "an empty bank is not as no bank at all: look at `readable`"
    )  # fmt: skip
    bank = model.write(model.new_bank(), TALK)
    require(float((_logits(model, bank) - bare).abs().max()) > 1e-2, "a bank with three turns in it changes no answer")  # fmt: skip
    require(torch.equal(_logits(model), bare), "after the bank was taken away the backbone is not what it was")  # fmt: skip


def _saved(name, options):
    model = memory(name, write=options)
    bank = model.write(model.new_bank(), TALK)
    with tempfile.TemporaryDirectory() as folder:
        bank.save(Path(folder) / "bank.safetensors")
        later = Bank.load(Path(folder) / "bank.safetensors")
    torch.manual_seed(99)
    again = memory(name, write=options)  # another session: a model made anew from the same seed
    require(
        again.owner == model.owner,
        "made anew it is another rule: what it draws must be a buffer or a parameter, drawn when it is made",
    )
    more, there = again.write(later, ["Ana: Bye!"]), model.write(bank, ["Ana: Bye!"])
    require(_same(more.state, there.state), "a bank that was saved and loaded is written on otherwise: the rule keeps something of its own")  # fmt: skip


HOLDS = {
    "it takes a State and returns one of the same form": _form,
    "a turn changes the bank": _changes,
    "a write is pure": _pure,
    "at once is one by one, and again the same": _scan,
    "padding is never written": _padding,
    "a turn without tokens writes nothing": _nothing,
    "banks side by side do not mix": _neighbours,
    "`written` tells the truth": _written,
    "300 turns do not blow it up": _long,
    "attached it is seen, empty and detached it is not": _attached,
    "it goes on in another session": _saved,
}
