"""What an attention-coupled bank becomes, said beforehand, from the latents and the rule's maps alone (chapters 6 and 13).

    mean row    c <- gamma c + (1/R) sum_n v_n                     exact: every token's shares sum to 1 over the rows
    deviation   d_r <- J d_r,   J = gamma I + (1 / (R sqrt(D))) sum_n v_n q_n^T      to first order in d = P - c
    v = z W_V,   q = z W_Q W_K^T

A common part of all rows cancels in the softmax, so only deviations steer it. J says what becomes of them: if it shrinks them, the
rows meet; if it stretches them in some direction, one row ends with everything. Both leave one direction.
"""

import torch

from lmem.errors import MethodError
from lmem.memory.write.attention import AttentionWrite


def mean_rows(rule, latents):
    """The bank's mean row before the first turn and after each one, (T + 1, D).

    latents  list of (N, D)
    raises   MethodError for another write, and for rows that are normalised, whose mean is not kept
    """
    _check(rule)
    if rule.normalise:
        raise MethodError("expected rows that are not normalised; their mean has no such form")
    found = [rule.p0.double().mean(0)]
    for turn in latents:
        value = (turn.double() @ rule.w_v.double()).sum(0) / rule.rows
        found.append(rule.gamma * found[-1] + value)
    return torch.stack(found)


def banks(rule, latents):
    """The whole bank, to first order in the deviations: yields (R, D), before the first turn and after each one.

    raises  MethodError for another write
    """
    _check(rule)
    rows = rule.p0.double()
    middle, apart = rows.mean(0), rows - rows.mean(0)
    yield rows
    for turn in latents:
        values = (turn.double() @ rule.w_v.double()).sum(0) / rule.rows
        middle = rule.gamma * middle + values
        apart = apart @ jacobian(rule, turn).T
        if rule.normalise:
            rows = middle + apart
            rows = rows * torch.rsqrt(rows.square().mean(1, keepdim=True) + 1e-6)
            middle, apart = rows.mean(0), rows - rows.mean(0)
        yield middle + apart


def jacobian(rule, turn):
    """J of one turn, (D, D): what it makes of a row's deviation from the mean row, before any normalising."""
    z = turn.double()
    values, asks = z @ rule.w_v.double(), z @ rule.w_q.double() @ rule.w_k.double().T
    own = rule.gamma * torch.eye(rule.width, dtype=torch.double, device=z.device)
    return own + values.T @ asks / (rule.rows * rule.width**0.5)


def gain(rule, latents):
    """The largest factor by which a turn stretches a deviation, on average: the largest eigenvalue of the mean J, in size.

    returns  a number: below 1 the rows meet, above 1 they are driven apart, until one row takes all
    raises   MethodError for another write, and for rows that are normalised
    """
    _check(rule)
    if rule.normalise:
        raise MethodError(
            "expected rows that are not normalised; dividing by their size changes the factor"
        )
    mean = torch.stack([jacobian(rule, turn) for turn in latents]).mean(0)
    return float(torch.linalg.eigvals(mean).abs().max())


def _check(rule):
    if not isinstance(rule, AttentionWrite):
        raise MethodError(f"expected an attention-coupled write, not {type(rule).__name__}")
