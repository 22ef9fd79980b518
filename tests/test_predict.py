"""What is predicted of an attention-coupled bank holds: the mean row exactly, deviations to first order."""

import pytest
import torch

from lmem.analysis import mean_field
from lmem.errors import MethodError
from lmem.memory.write import AttentionWrite, SlotWrite

WIDTH = 8


def latents(turns=6, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return [
        torch.randn(3 + t % 3, WIDTH, generator=drawn, dtype=torch.double) for t in range(turns)
    ]


def drawn(rows=5, seed=1, **options):
    torch.manual_seed(seed)
    return AttentionWrite(rows, WIDTH, **options).double()


def written(rule, turns):
    state = rule.start()
    found = [state.rows[0]]
    for turn in turns:
        state = rule(state, turn[None], torch.ones(1, len(turn)))
        found.append(state.rows[0])
    return found


@pytest.mark.parametrize("noise", [0.0, 0.02, 3.0])
def test_the_mean_row_is_exact_however_far_rows_lie_apart(noise):
    rule, turns = drawn(noise=noise), latents()
    real = torch.stack([rows.mean(0) for rows in written(rule, turns)])
    torch.testing.assert_close(mean_field.mean_rows(rule, turns), real, rtol=1e-9, atol=1e-12)
    assert real[-1].norm() > 0.1


@pytest.mark.parametrize("normalise", [False, True])
def test_deviations_are_right_to_first_order(normalise):
    """Ten times smaller deviations are predicted ten times better, relative to their size."""
    turns, errors = latents(4), []
    for noise in (1e-2, 1e-3):
        rule = drawn(noise=noise, normalise=normalise)
        if normalise:  # rows that lie close together, at root mean square 1
            rule.p0 += 1.0
        real = written(rule, turns)[-1]
        [*_, said] = mean_field.banks(rule, turns)
        apart = (real - real.mean(0)).norm()
        errors.append(float((said - real).norm() / apart))
    assert errors[0] < 0.1
    assert errors[1] < 0.2 * errors[0]
    assert errors[1] > 0


def test_the_first_bank_is_p0_and_there_is_one_for_each_turn():
    rule, turns = drawn(), latents(3)
    said = list(mean_field.banks(rule, turns))
    assert len(said) == 4
    assert torch.equal(said[0], rule.p0)


def test_a_jacobian_by_hand():
    """One token, width 1: v = z, q = z, R = 2: gamma + z^2 / 2."""
    rule = AttentionWrite(2, 1, gamma=0.5).double()
    for name in ("w_q", "w_k", "w_v"):
        getattr(rule, name).fill_(1.0)
    turn = torch.tensor([[3.0]], dtype=torch.double)
    assert mean_field.jacobian(rule, turn).item() == 0.5 + 9 / 2
    assert mean_field.gain(rule, [turn, 0 * turn]) == pytest.approx(0.5 + 9 / 4)


def test_the_gain_tells_rows_that_meet_from_a_row_that_takes_all():
    """W_Q, W_K, W_V the identity: a row that is asked for is given what asks for it. With the sign turned it is not."""
    turns = [torch.full((4, WIDTH), 0.5, dtype=torch.double)] * 40
    largest = {}
    for sign in (1.0, -1.0):
        rule = drawn(rows=4)
        for name in ("w_q", "w_k", "w_v"):
            getattr(rule, name).copy_(torch.eye(WIDTH))
        rule.w_q *= sign
        found = written(rule, turns)[-1]
        size = found.norm(dim=1)
        largest[mean_field.gain(rule, turns) > 1] = float(size.max() / size.sum())
    assert largest[True] > 0.9  # one of the 4 rows has nearly everything
    assert largest[False] == pytest.approx(0.25, abs=0.01)


def test_what_has_no_such_form_is_refused():
    with pytest.raises(MethodError, match="expected an attention-coupled write, not SlotWrite"):
        mean_field.mean_rows(SlotWrite(8, WIDTH), latents())
    for asked in (mean_field.mean_rows, mean_field.gain):
        with pytest.raises(MethodError, match="not normalised"):
            asked(drawn(normalise=True), latents())
