"""Checks of chapter 5: a branch and a gate by hand, what they cost in numbers, and a hook that adds to a module's output."""

import torch
from torch import nn

from lmem.exercises.cases import read_checks
from lmem.exercises.exercise import call, exercise, expect, require

[trainable] = read_checks("5.3")


@exercise("5.1")
def branch(answer):
    """M.2 on plain tensors: states (N, D), rows (R, D), w_q, w_k, w_v, w_o (D, D), beta to what the states gain, (N, D)."""
    drawn = torch.Generator().manual_seed(0)
    states, rows = torch.randn(3, 4, generator=drawn), torch.randn(5, 4, generator=drawn)
    maps = [torch.randn(4, 4, generator=drawn) for _ in range(4)]
    expected = 0.5 * _read(states, rows, *maps[:3]) @ maps[3]
    hint = (
        "go through the formula: scores, softmax over the rows, values, W_o, beta; check each shape"
    )
    w_q, w_k, w_v, w_o = maps
    scores, values = states @ w_q @ (rows @ w_k).T, rows @ w_v @ w_o

    def gained(scores, axis=-1):
        return 0.5 * scores.softmax(axis) @ values

    over_states = "the softmax runs over the states; each state divides itself among the rows"
    over_n = "the scores are divided by the square root of N; it should be that of D"
    slips = {
        "the scores are not divided by sqrt(D)": gained(scores),
        "the scores are divided by D; it should be its square root": gained(scores / 4),
        over_n: gained(scores / 3**0.5),
        over_states: gained(scores / 2, 0),
        "the states are included; return only what is added to them": states + expected,
        "beta is missing": 2 * expected,
        "W_o is missing": 0.5 * _read(states, rows, w_q, w_k, w_v),
    }
    yield (states, rows, *maps, 0.5), expected, hint, slips
    yield (states, rows, *maps, 0.0), torch.zeros(3, 4), "with beta = 0 nothing is gained"
    equal = rows[:1].expand(5, -1).contiguous()
    same = (equal[0] @ maps[2] @ maps[3]).expand(3, -1)
    yield (states, equal, *maps, 1.0), same, "from equal rows every state gains the same"


@exercise("5.2")
def gated(answer):
    """M.5's gate: states (N, D), context c (N, D), w_g (2 D, D), b_g (D) to g * c, (N, D)."""
    drawn = torch.Generator().manual_seed(1)
    states, context = torch.randn(3, 4, generator=drawn), torch.randn(3, 4, generator=drawn)
    w_g, b_g = torch.randn(8, 4, generator=drawn), torch.full((4,), -2.0)
    shut = torch.sigmoid(torch.tensor(-2.0)) * context
    hint = "with W_g = 0 the gate is sigmoid(b_g) for every state"
    slips = {
        "this is the gate alone; multiply the context by it": shut / context,
        "the gate multiplies the states; it must multiply the context": shut / context * states,
    }
    yield (states, context, torch.zeros(8, 4), b_g), shut, hint, slips
    expected = torch.sigmoid(torch.cat([states, context], 1) @ w_g + b_g) * context
    hint = "the gate's input is the states and then the context; the gate multiplies the context"
    swapped = torch.sigmoid(torch.cat([context, states], 1) @ w_g + b_g) * context
    slips = {"the gate's input begins with the context; the states come first": swapped}
    yield (states, context, w_g, b_g), expected, hint, slips


class _Pair(nn.Module):
    """A module whose output is a tuple, as the sublayer's is: the states doubled, which it also keeps, and something else."""

    def forward(self, states):
        self.own = states * 2
        return self.own, "kept"


@exercise("5.4")
def add_beside(answer):
    """(module, gain): a hook that adds gain(input) to the first of the module's outputs; returns the handle."""
    module, states = _Pair(), torch.tensor([[1.0, 2.0]])

    def add_beside(gain):  # the module itself: the hook has to sit on it, not on a copy
        return answer(module, gain)

    handle = call(add_beside, torch.neg)
    require(
        hasattr(handle, "remove"),
        "return the handle that `register_forward_hook` gives, so that the hook can be taken off",
    )

    def the_module(states):
        return module(states)

    output = call(
        the_module,
        states,
        hint="a hook gets (module, args, output); args is a tuple, the input is its first; output is one too",
    )
    require(
        isinstance(output, tuple) and len(output) == 2,
        "a hook that returns something replaces the whole output: return a tuple like the one it was given",
    )
    expect(
        output[0],
        2 * states - states,
        "the first output",
        "to what must the gain be added, and of what is it the gain? a hook gets (module, args, output)",
    )
    expect(output[1], "kept", "the second output", "the other outputs must not change")
    require(
        torch.equal(module.own, 2 * states),
        "the hook changes the module's own tensor in place; add without an underscore, which makes a new one",
    )
    handle.remove()
    expect(module(states)[0], 2 * states, "after handle.remove() the first output")


def _read(states, rows, w_q, w_k, w_v):
    shares = (states @ w_q @ (rows @ w_k).T / states.shape[1] ** 0.5).softmax(-1)
    return shares @ (rows @ w_v)
