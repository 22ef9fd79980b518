"""Checks of chapter 2: what a decay leaves, whom it reaches, how a bank adds up, what a pure write is, how old a row is."""

import torch

from lmem.exercises.exercise import Wrong, call, exercise, expect, shown


@exercise("2.1", "the smallest lag with gamma ** lag < share; a logarithm, or a loop")
def turns_until(answer):
    """After how many later turns less than `share` of a turn is left: (gamma, share) to a whole number, or None."""
    yield (0.5, 0.1), 4  # 0.125 after 3, 0.0625 after 4
    yield (0.95, 0.5), 14  # 0.5133 after 13, 0.4877 after 14
    yield (0.95, 2.0**-8), 109  # 0.00393 after 108, 0.00373 after 109; 2^-8 = 0.00391
    yield (0.5, 0.25), 3, "after 2 turns exactly 0.25 is left, and that is not less"
    yield (1.0, 0.5), None, "without decay all of it stays for ever: return None"


@exercise("2.2")
def within_reach(answer):
    """Share of the questions whose evidence has at least `share` left: (gamma, share, lags)."""
    hint = (
        "gamma ** lag, for each lag; how many of these are large enough, over how many there are?"
    )
    yield (0.5, 0.1, [1, 3, 4, 5, 6, 7, 8, 100]), 0.25, hint  # 0.125 at 3, 0.0625 at 4
    yield (0.5, 0.25, [2, 3]), 0.5, "what is exactly the share still counts"
    yield (1.0, 0.9, [0, 500]), 1.0, "without decay everything is within reach"


@exercise("2.3")
def bank_of(answer):
    """The bank after T turns from what each of them added: ((T, R, D) parts, gamma) to (R, D); P_0 is zero."""
    generator = torch.Generator().manual_seed(23)
    parts = torch.randn(5, 3, 2, generator=generator)
    rows = torch.zeros(3, 2)
    for part in parts:
        rows = 0.5 * rows + part
    hint = "the newest turn is added as it is, the one before it times gamma, and so on"
    yield (parts, 0.5), rows, hint
    yield (parts, 1.0), parts.sum(0), "at gamma = 1 nothing fades"
    yield (parts[:1], 0.5), parts[0], "one turn alone is there whole"


@exercise("2.4")
def is_pure(answer):
    """Whether a write leaves the rows that it is given as they are: (write, rows, latents) to True or False."""
    rows = torch.arange(6.0).reshape(3, 2)
    turn = torch.tensor([[7.0, 8.0]])
    last = rows[-1:].clone()
    _verdict(answer, "a write that returns a new bank", _push, rows, turn, True)
    _verdict(answer, "a write into the bank itself, in place", _overwrite, rows, turn, False)
    same = "here the write changes its rows, and what it returns is equal to them: compare before with after"
    _verdict(
        answer, "a write that turns the bank upside down, in place", _flip, rows, turn, False, same
    )
    still = "a write that changes nothing is pure"
    _verdict(answer, "a write of the last row over itself", _push, rows[-1:], last, True, still)


def _verdict(answer, title, write, rows, turn, pure, hint=""):
    try:
        verdict = call(answer, write, rows, turn)
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


@exercise("2.5")
def ages(answer):
    """How many turns ago each row changed last: ((R,) number of the turn that wrote it, turns written) to (R,)."""
    written = torch.tensor([0, 4, 2, -1])
    hint = "turns are counted from 0: after 5 turns the newest is turn 4, and its age is 0"
    expect(call(answer, written, 5), torch.tensor([4, 0, 2, -1]), shown(answer, (written, 5)), hint)
    never = torch.tensor([-1, -1])
    yield (never, 3), torch.tensor([-1, -1]), "a row that was never written has no age: -1"
