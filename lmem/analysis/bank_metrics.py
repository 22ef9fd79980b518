"""What a bank looks like from outside: is it collapsing? (chapters 6, 8 and 13)

    effective rank = exp(-sum_i p_i log p_i),   p_i = s_i / sum_j s_j,   s the singular values of the rows      Roy and Vetterli, 2007

A bank of equal rows has rank 1, however many rows it has; R rows at right angles and of one length have rank R. Nothing here knows
a write rule, except `key_similarity`.
"""

import torch
from scipy.sparse.csgraph import connected_components
from torch.nn.functional import normalize

from lmem.errors import InputError

ALIKE = 0.1  # of the longer row's length: two rows that lie no further apart are one


def effective_rank(rows):
    """Of (R, D): between 1 and min(R, D); 0 for zeros."""
    sizes = torch.linalg.svdvals(rows.double())
    share = sizes[sizes > 0] / sizes.sum()
    return float(torch.exp(-(share * share.log()).sum())) if len(share) else 0.0


def distinct_rows(rows, alike=ALIKE):
    """How many rows of (R, D) are left when rows that lie close together count as one, and so do chains of such rows."""
    rows = rows.double()
    size = rows.norm(dim=1)
    close = torch.cdist(rows, rows) <= alike * torch.maximum(size[:, None], size)
    return int(connected_components(close.cpu().numpy(), directed=False)[0])


def mean_cosine(rows):
    """Mean cosine between two different rows of (R, D), R > 1; a row of zeros is at right angles to all."""
    units = normalize(rows.double(), dim=1)
    n = len(units)
    own = units.square().sum()
    return float((units.sum(0).square().sum() - own) / (n * (n - 1)))


def look(bank):
    """One bank in numbers.

    returns  {turns, rows, rank, distinct, cosine, low, middle, high (row norms: smallest, median, largest), changed, used};
             changed, used  share of the rows that the newest turn changed, and that any turn did
    raises   InputError for more than one bank
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
        "changed": float(((written == turns - 1) & (written >= 0)).double().mean()),
        "used": float((written >= 0).double().mean()),
    }


def usage(banks):
    """How often each row was written.

    banks    of one conversation: before the first turn, then after every turn
    returns  (T + 1, R) turns that changed a row so far
    """
    hits = [torch.zeros_like(banks[0].state.written[0])]
    for bank in banks[1:]:
        written, turns = bank.state.written[0], bank.state.turns[0]
        hits.append(((written == turns - 1) & (written >= 0)).long())
    return torch.stack(hits).cumsum(0)


def cosines(rows, count=24):
    """(n, n) cosines between n rows of (R, D), at most `count` of them, evenly spaced."""
    places = torch.linspace(0, len(rows) - 1, min(count, len(rows))).round().long()
    units = normalize(rows[places].double(), dim=1).cpu()
    return units @ units.T


def key_similarity(rule, latents):
    """(T, T) cosines between turns' mean keys in a square bank: where two are alike, the turns write over each other.

    rule     a Hebbian or delta write
    latents  list of (N, D), as `encode` gives them
    raises   InputError for a write over rows, whose turns have no keys
    """
    if rule.form != "square":
        raise InputError(
            f"expected a write with keys into a square bank, not {type(rule).__name__}"
        )
    means = torch.stack([z.to(rule.w_k.dtype).mean(0) for z in latents]) @ rule.w_k.detach()
    units = normalize(means.double(), dim=1).cpu()
    return units @ units.T
