"""Checks of chapter 9: how much of the gradient a window sees, the detach before it, schedules, steps that vanish."""

import torch

from lmem.exercises.cases import read_checks
from lmem.exercises.exercise import Wrong, exercise, expect, require

window_share, rate, vanishes = read_checks("9.1", "9.3", "9.4")


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
            "what the older turns wrote must carry no gradient into the window, and nothing else may be cut",
        )
        got = 0.0 if weight.grad is None else weight.grad.item()
        require(
            abs(got - share) < 1e-4,
            f"with a window of {window} the write's own weight should get a gradient of {share}, it gets {got:.4g}: the older turns "
            "still teach the write",
        )
