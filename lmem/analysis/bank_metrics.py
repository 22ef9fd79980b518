"""Metrics of a bank: is it collapsing? (chapters 6, 8 and 13)

    effective rank = exp(-sum_i f_i log f_i),   f_i = s_i / sum_j s_j,   s the singular values of the rows      Roy and Vetterli, 2007

A bank of equal rows has rank 1, however many rows it has; R orthogonal rows of one length have rank R. Nothing here depends on
the write rule, except `key_similarity`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch.nn.functional import normalize

from lmem.errors import InputError
from lmem.memory.bank import Bank
from lmem.memory.write import DeltaWrite, HebbianWrite

ALIKE = 0.1  # share of the longer row's length; two rows that are closer count as one


def effective_rank(rows: Tensor) -> float:
    """Compute the effective rank of (R, D): between 1 and min(R, D); 0 for zeros."""
    sizes = torch.linalg.svdvals(rows.double())
    share = sizes[sizes > 0] / sizes.sum()
    return float(torch.exp(-(share * share.log()).sum())) if len(share) else 0.0


def distinct_rows(rows: Tensor, alike: float = ALIKE) -> int:
    """Count the rows of (R, D) when rows that are close together count as one, and so do chains of such rows.

    Args:
        rows: (R, D).
        alike: Distance up to which two rows are one, as a share of the longer row's length.
    """
    rows = rows.double()
    size = rows.norm(dim=1)
    close = torch.cdist(rows, rows) <= alike * torch.maximum(size[:, None], size)
    return int(connected_components(close.cpu().numpy(), directed=False)[0])


def mean_cosine(rows: Tensor) -> float:
    """Average the cosine over pairs of different rows of (R, D), R > 1; a row of zeros has cosine 0 with all."""
    units = normalize(rows.double(), dim=1)
    n = len(units)
    own = units.square().sum()
    return float((units.sum(0).square().sum() - own) / (n * (n - 1)))


def measure_bank(bank: Bank) -> dict[str, Any]:
    """Describe one bank in numbers.

    Returns:
        A dict: turns, rows, rank, distinct, cosine; low, middle, high (smallest, median and largest norm of a row); changed,
        used (share of the rows that the newest turn changed, and that any turn did).

    Raises:
        InputError: There is more than one bank.
    """
    if len(bank) != 1:
        raise InputError(f"expected one bank, not {len(bank)}")
    rows, written, turns = (tensor[0] for tensor in bank.state)
    norms = rows.double().norm(dim=1)
    return {
        "turns": int(turns),
        "rows": len(rows),
        "rank": effective_rank(rows),
        "distinct": distinct_rows(rows),
        "cosine": mean_cosine(rows),
        "low": float(norms.min()),
        "middle": float(norms.median()),
        "high": float(norms.max()),
        "changed": float(_changed(bank)[0].double().mean()),
        "used": float((written >= 0).double().mean()),
    }


def write_counts(banks: Sequence[Bank]) -> Tensor:
    """Count how often each row was written.

    Args:
        banks: Of one conversation: before the first turn, then after every turn.

    Returns:
        (T + 1, R) number of turns that have changed a row so far.
    """
    changed = [_changed(bank)[0].long() for bank in banks[1:]]
    return torch.stack([torch.zeros_like(banks[0].state.written[0]), *changed]).cumsum(0)


def _changed(bank: Bank) -> Tensor:
    """Tell which rows the newest turn changed, (B, R)."""
    written, turns = bank.state.written, bank.state.turns
    return (written == turns[:, None] - 1) & (written >= 0)


def cosines(rows: Tensor, count: int = 24) -> Tensor:
    """Compute (n, n) cosines between n rows of (R, D), at most `count` of them, evenly spaced."""
    places = torch.linspace(0, len(rows) - 1, min(count, len(rows))).round().long()
    units = normalize(rows[places].double(), dim=1).cpu()
    return units @ units.T


def key_similarity(rule: HebbianWrite | DeltaWrite, latents: Sequence[Tensor]) -> Tensor:
    """Compute (T, T) cosines between turns' mean keys in a square bank: turns with similar keys overwrite each other.

    Args:
        rule: A Hebbian or delta write.
        latents: The turns, (N, D) each.

    Raises:
        InputError: The write is over rows, where turns have no keys.
    """
    if rule.form != "square":
        raise InputError(
            f"expected a write with keys into a square bank, not {type(rule).__name__}"
        )
    w_k: Tensor = rule.w_k.detach()
    keys = torch.stack([z.to(w_k.dtype).mean(0) for z in latents]) @ w_k  # (T, A)
    units = normalize(keys.double(), dim=1)
    return units.cpu() @ units.cpu().T
