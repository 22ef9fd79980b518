"""Checks of chapter 2: what a decay leaves, whom it reaches, how a bank adds up, what a pure write is, how old a row is."""

import torch

from lmem.exercises.cases import read_checks
from lmem.exercises.exercise import Wrong, call, exercise, expect

turns_until, within_reach, ages = read_checks("2.1", "2.2", "2.5")


@exercise("2.3")
def bank_of(answer):
    """The bank after T turns from what each of them added: ((T, R, D) parts, gamma) to (R, D); P_0 is zero."""
    generator = torch.Generator().manual_seed(23)
    parts = torch.randn(5, 3, 2, generator=generator)
    rows = torch.zeros(3, 2)
    for part in parts:
        rows = 0.5 * rows + part
    hint = "which lag does each turn have after the last one, and what does gamma do to it?"
    yield (parts, 0.5), rows, hint
    yield (parts, 1.0), parts.sum(0), "at gamma = 1 nothing fades"
    yield (parts[:1], 0.5), parts[0], "one turn alone has not faded at all"


@exercise("2.4")
def is_pure(answer):
    """Whether a write leaves the rows that it is given as they are: (write, rows, latents) to True or False."""
    rows = torch.arange(6.0).reshape(3, 2)
    turn = torch.tensor([[7.0, 8.0]])
    last = rows[-1:]
    same = "this write changes its rows and then returns them: compare before with after"
    given = "what it returns may differ; compare what it was given, before and after"
    still = "a write that changes nothing is pure"
    new = "a write can return a new tensor and still have changed the old one: look at what it was given"
    for title, write, arguments, pure, hint in (
        ("a write that returns a new bank", _push, (rows, turn), True, given),
        ("a write into the bank itself, in place", _overwrite, (rows, turn), False, same),
        ("a write that reverses the order of the rows, in place", _flip, (rows, turn), False, same),
        ("a write of the last row over itself", _push, (last, last.clone()), True, still),
        ("a write that returns its argument untouched", _same, (rows, turn), True, still),
        ("a write that changes the bank and returns a copy", _halve, (rows, turn), False, new),
    ):
        try:
            verdict = call(answer, write, *arguments)
        except Wrong as error:
            if "changes what it was given" not in str(error):
                raise
            raise Wrong(
                f"with {title}: the rows that were handed in are no longer what they were; give the write a copy of them"
            ) from error
        expect(verdict, pure, f"with {title}", hint)


def _push(rows, latents):
    return torch.cat([rows, latents])[len(latents) :]


def _overwrite(rows, latents):
    rows[-len(latents) :] = latents
    return rows


def _flip(rows, latents):
    rows.copy_(rows.flip(0))
    return rows


def _same(rows, latents):
    return rows


def _halve(rows, latents):
    rows.mul_(0.5)
    return rows.clone()
