"""What an attention-coupled bank becomes, predicted from the latents and the rule's maps alone (chapters 6 and 13).

    mean row    c <- gamma c + (1/R) sum_n v_n                     exact: every token's shares sum to 1 over the rows
    deviation   d_r <- J d_r,   J = gamma I + (1 / (R sqrt(D))) sum_n v_n q_n^T      to first order in d = P - c
    v = z W_V,   q = z W_Q W_K^T

What all rows have in common cancels in the softmax, so only deviations steer it. J tells what becomes of them: if it shrinks
them, the rows meet; if it stretches them in some direction, one row ends with everything. Both leave a single direction.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from lmem.errors import MethodError
from lmem.memory.write.attention import AttentionWrite
from lmem.memory.write.base import Write, unit


def mean_rows(rule: Write, latents: Sequence[Tensor]) -> Tensor:
    """Predict the bank's mean row before the first turn and after each one.

    Args:
        rule: An attention-coupled write.
        latents: The turns, (N, D) each.

    Returns:
        (T + 1, D).

    Raises:
        MethodError: It is another write, or normalises its rows, which changes their mean.
    """
    rule = _attention(rule, "their mean has no such form")
    means = [rule.p0.double().mean(0)]
    for turn in latents:
        means.append(rule.gamma * means[-1] + _mean_value(rule, turn))
    return torch.stack(means)


def banks(rule: Write, latents: Sequence[Tensor]) -> Iterator[Tensor]:
    """Predict the whole bank, to first order in the deviations.

    Args:
        rule: An attention-coupled write.
        latents: The turns, (N, D) each.

    Yields:
        (R, D), before the first turn and after each one.

    Raises:
        MethodError: It is another write.
    """
    rule = _attention(rule)
    rows = rule.p0.double()
    mean, deviations = rows.mean(0), rows - rows.mean(0)
    yield rows
    for turn in latents:
        mean = rule.gamma * mean + _mean_value(rule, turn)
        deviations = deviations @ jacobian(rule, turn).T
        if rule.normalise:
            rows = unit(mean + deviations)
            mean, deviations = rows.mean(0), rows - rows.mean(0)
        yield mean + deviations


def jacobian(rule: Write, turn: Tensor) -> Tensor:
    """Compute J of one turn, (D, D): what it makes of a row's deviation from the mean row, before any normalising."""
    rule = _attention(rule)
    z = turn.double()
    values, queries = z @ rule.w_v.double(), z @ rule.w_q.double() @ rule.w_k.double().T
    own = rule.gamma * torch.eye(rule.width, dtype=torch.double, device=z.device)
    return own + values.T @ queries / (rule.rows * rule.width**0.5)


def gain(rule: Write, latents: Sequence[Tensor]) -> float:
    """Compute the largest factor by which a turn stretches a deviation: the largest absolute eigenvalue of the mean J.

    Args:
        rule: An attention-coupled write.
        latents: The turns, (N, D) each.

    Returns:
        A number. Clearly below 1 the rows meet; clearly above 1 they are driven apart, until one row takes everything. It is that of
            an average turn, a rough guide; `banks` predicts how far apart the rows are.

    Raises:
        MethodError: It is another write, or normalises its rows.
    """
    rule = _attention(rule, "dividing by their size changes the factor")
    mean = torch.stack([jacobian(rule, turn) for turn in latents]).mean(0)
    return float(torch.linalg.eigvals(mean).abs().max())


def _mean_value(rule: AttentionWrite, turn: Tensor) -> Tensor:
    """Average what a turn adds over the rows, (D,)."""
    return (turn.double() @ rule.w_v.double()).sum(0) / rule.rows


def _attention(rule: Write, why: str = "") -> AttentionWrite:
    """Check that a write is attention-coupled, and if a reason is given, that its rows are not normalised."""
    if not isinstance(rule, AttentionWrite):
        raise MethodError(f"expected an attention-coupled write, not {type(rule).__name__}")
    if rule.address:
        raise MethodError("expected rows that tokens find by their contents, not by addresses")
    if why and rule.normalise:
        raise MethodError(f"expected rows that are not normalised; {why}")
    return rule
