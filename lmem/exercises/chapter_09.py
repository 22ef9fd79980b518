"""Checks of chapter 9: how much of the gradient a window sees, the detach before it, schedules, steps that vanish."""

import torch

from lmem.exercises.cases import read_checks
from lmem.exercises.exercise import Wrong, call, exercise, expect, require

window_share, rate = read_checks("9.1", "9.3")


@exercise("9.2")
def write_with_window(answer):
    """Write turns one after the other, with gradient through the last `window` only: (write, state, turns, window)."""

    # d state / d weight, over the turns of the window: 9 / 2 + 16; with 1 / 8 + 4 / 4 all of them
    for window, seen, share in (
        (2, [0, 0, 1, 1], 20.5), (4, [1, 1, 1, 1], 21.625), (9, [1, 1, 1, 1], 21.625),
    ):  # fmt: skip
        weight = torch.ones(1, requires_grad=True)

        def write(state, turn, weight=weight):
            return 0.5 * state + weight * turn.square()

        turns = [torch.tensor([float(i)], requires_grad=True) for i in (1, 2, 3, 4)]
        what = f"the state after turns of 1, 2, 3, 4 with a window of {window}"
        try:
            state = answer(write, torch.zeros(1), turns, window)
        except NotImplementedError:
            raise
        except Exception as error:
            raise Wrong(
                f"with a window of {window} it stops with {type(error).__name__}: {error}"
            ) from error
        require(
            isinstance(state, torch.Tensor),
            f"{what}: expected a tensor, got {type(state).__name__}",
        )
        # 1; 0.5 + 4; 2.25 + 9; 5.625 + 16
        expect(
            state.detach(), torch.tensor([21.625]), what, "all turns are written, in their order"
        )
        require(
            state.requires_grad,
            f"{what} carries no gradient; only what lies before the window may be cut",
        )
        state.backward()
        reached = [int(turn.grad is not None and bool(turn.grad.any())) for turn in turns]
        require(
            reached == seen,
            f"with a window of {window} the turns that got a gradient should be {seen}, they are {reached} (1 yes, 0 no); "
            "`detach` what the older turns wrote, once, just before the window begins",
        )
        got = 0.0 if weight.grad is None else weight.grad.item()
        require(
            abs(got - share) < 1e-4,
            f"with a window of {window} the write's own weight should get a gradient of {share}, it gets {got:.4g}: the older turns "
            "still teach the write; cut the state, not the turns",
        )


@exercise("9.4")
def vanishes(answer):
    """Does a bfloat16 weight stay where it is when `step` is added? (weight, step); True or False."""
    hint = (
        "between 2^e and 2^(e+1) numbers are 2^(e-7) apart; less than half of that is rounded away"
    )
    rounds = "the weight is rounded to bfloat16 first, and this one becomes a power of two"
    turns = "at a power of two the numbers towards zero are twice as close as the others"
    cases = (
        (0.75, 1e-4, hint), (0.02, 1e-4, hint), (-2.0, 1e-4, hint), (-2.0, 0.01, hint), (3e-4, 1e-6, hint),
        (0.04, 5e-4, hint), (0.09, 2e-4, hint), (0.09, 3e-4, hint), (0.9999, 3e-3, rounds),
        (-2.0, 5e-3, turns), (2.0, 5e-3, turns),
    )  # fmt: skip
    for weight, step, hint in cases:
        start = torch.tensor(weight, dtype=torch.bfloat16)
        expected = bool(start + step == start)
        stays = call(answer, weight, step)
        stays = bool(stays) if isinstance(stays, torch.Tensor) and not stays.ndim else stays
        expect(stays, expected, f"vanishes({weight}, {step})", hint)
