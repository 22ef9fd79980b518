"""Reads alone: gradients, masks, and the shapes that they promise."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmem.errors import MethodError
from lmem.memory.pooling import mlp
from lmem.memory.read import READS

B, N, R, D, L = 2, 4, 5, 6, 3
OPTIONS = {
    "recall": {"cells": 1, "key": 4, "hidden": 4},
    "copying": {"key": 2, "code": 2, "length": 2, "heads": 1, "hidden": 4, "threshold": 2.0},
}
VARIANTS = [(name, {}) for name in READS] + [
    ("prefix", {"length": 2}),
    ("extension", {"start": "identity"}),
    ("branch", {"heads": 2, "shared": False, "beta": 0.5}),
    ("branch", {"heads": 2, "inner": 4, "raw": True}),
    ("gated_branch", {"heads": 3, "shared": False}),
]


def read(name, rows=R, **options):
    torch.manual_seed(0)
    found = READS[name](D, L, rows, **{**OPTIONS.get(name, {}), **options})
    if name == "copying":  # 512 hidden units are 7,700 weights, each of which `test_gradient` moves
        found.around = mlp(found.around[0].in_features, 4, D)
        found.spelling.piece = mlp(2, 4, D)
    found = found.double()
    with torch.no_grad():  # away from a start at zero
        for weight in found.parameters():
            weight.copy_(torch.randn_like(weight))
    return found


def given_to(name, batch=B, rows=R, tokens=N, seed=1):
    generator = torch.Generator().manual_seed(seed)
    width = {"square": rows, "spans": D + 1}.get(READS[name].form, D)  # and the turn
    bank = torch.randn(batch, rows, width, generator=generator, dtype=torch.float64)
    states = torch.randn(batch, tokens, D, generator=generator, dtype=torch.float64)
    return bank, torch.ones(batch, rows, dtype=torch.bool), states


def inputs_of(module, bank, mask, states):
    """Arguments of a read at a row site."""
    return (bank, mask) if module.site == "encoder_input" else (bank, mask, states)


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=str)
def test_gradient(name, options):
    """By the bank, by the states, and by every weight; layer by layer every weight gets one."""
    module = read(name, **options)
    bank, mask, states = given_to(name)
    learned = [
        (name, weight)
        for name, weight in module.named_parameters()
        if name.split(".")[0] not in module.choices and "spelling.gate" not in name
    ]
    names, weights = zip(*learned, strict=True)

    def out(bank, states, *weights):
        swapped = dict(zip(names, weights, strict=True))
        if module.site != "decoder_layer":
            given = inputs_of(module, bank, mask, states)
            extra, _, *pieces = torch.func.functional_call(module, swapped, given)
            return torch.cat([extra, *pieces], 1)
        gains = [
            torch.func.functional_call(module, swapped, (bank, mask, states, layer))
            for layer in range(L)
        ]
        return torch.stack(gains)

    inputs = (
        bank.requires_grad_(),
        states.requires_grad_(),
        *(w.detach().requires_grad_() for w in weights),
    )
    assert torch.autograd.gradcheck(out, inputs)
    out(*inputs).square().sum().backward()
    uses_states = module.site != "encoder_input" and not module.from_bank_only
    uses_states &= not module.choices  # the states choose a row, and nothing else
    assert (states.grad is not None and bool(states.grad.abs().sum() > 0)) == uses_states
    shared = [w for w in inputs if w is not states]
    assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in shared)


def test_each_step_gains_the_piece_that_is_due():
    """From step 3 on nothing is left of a value of two tokens; step by step is the same as all steps at once."""
    spelling = read("copying").spelling
    states = torch.randn(B, 4, D, dtype=torch.float64, requires_grad=True)
    pieces = torch.randn(B, 2, D, dtype=torch.float64, requires_grad=True)
    gain = spelling(states, pieces)
    gate = torch.sigmoid(states @ spelling.gate.weight[0] + spelling.gate.bias)[..., None]
    assert torch.allclose(gain[:, :2], gate[:, :2] * pieces)
    assert gain[:, 2:].abs().sum() == 0
    single = [spelling(states[:, t : t + 1], pieces, t) for t in range(4)]
    assert torch.allclose(torch.cat(single, 1), gain)
    assert torch.autograd.gradcheck(spelling, (states, pieces))
    gain.sum().backward()
    assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in spelling.gate.parameters())


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=str)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_masked_rows_are_not_there(name, options, data):
    """Rows under the mask count as if they were cut off; a bank without a readable row gives nothing to read."""
    module = read(name, **options)
    bank, mask, states = given_to(
        name, tokens=data.draw(st.integers(1, 5)), seed=data.draw(st.integers(0, 99))
    )
    if module.form == "square":  # a square bank is read as a whole or not at all
        mask[0] = False
    else:
        mask[0] = torch.tensor(data.draw(st.lists(st.booleans(), min_size=R, max_size=R)))
    dirty = bank.masked_fill(~mask[:, :, None], 99.0)
    if module.site == "decoder_layer":
        found, other = (module(x, mask, states, layer=1) for x in (bank, dirty))
        torch.testing.assert_close(found, other, atol=1e-9, rtol=0)
        assert bool((found[0] == 0).all()) == (not mask[0].any())
        return
    (found, seen, *pieces), (other, *_) = (
        module(*inputs_of(module, x, mask, states)) for x in (bank, dirty)
    )
    for each in pieces:  # what spells is silent for a bank without a readable row
        assert bool(each[0].abs().sum() > 0) == bool(mask[0].any())
    assert seen.shape == found.shape[:2]
    assert bool(seen[0].any()) == bool(mask[0].any())
    assert seen[1].all()
    torch.testing.assert_close(found[seen], other[seen], atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", ["query", "proxy_branch", "proxy_gated_branch"])
def test_rows_made_from_padding_are_not_read(name):
    """Reads that ask with the question's tokens give one row each; those of its padding are masked."""
    bank, mask, states = given_to(name)
    seen = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    extra, both = read(name)(bank, mask, states, seen)
    assert extra.shape == states.shape
    assert torch.equal(both, seen.bool())


def test_options_that_do_not_fit():
    for name, options, match in (
        ("prefix", {"length": 0}, "1 to 5"), ("prefix", {"length": 6}, "1 to 5"),
        ("branch", {"heads": 4}, "split"), ("gated_branch", {"heads": 4}, "split"),
    ):  # fmt: skip
        with pytest.raises(MethodError, match=match):
            READS[name](D, L, R, **options)
