"""A larger mini that computes what the smaller one did: longer heads and more layers in the decoder.

    q' = (q, 0),  k' = (k, random),  v' = (v, random),  o' = (o, 0):   q'.k' = q.k,  o' v' = o v
    a new layer adds o(...) and wo(...) to its input, and both start at zero

What training then makes of the new numbers is added to what was learned, as in Net2Net (Chen et al., ICLR 2016).
"""

from typing import Any

import torch
from torch import Tensor


@torch.no_grad()
def grow(small: Any, large: Any) -> Any:
    """Make the larger T5 compute what the smaller one does.

    Args:
        small: T5ForConditionalGeneration.
        large: The same with random weights; its heads may be longer and its decoder deeper.

    Returns:
        `large`.
    """
    old, new = small.state_dict(), large.state_dict()
    sizes = small.config.num_heads, small.config.d_kv, large.config.d_kv
    for name, weight in new.items():
        part = name.split(".")[-2]
        if name not in old:
            if part in ("o", "wo"):
                weight.zero_()
        elif part == "o":
            _lengthen(weight.T, old[name].T, *sizes, zero=True)
        elif part in ("q", "k", "v"):
            _lengthen(weight, old[name], *sizes, zero=part == "q")
        else:
            weight.copy_(old[name])
    return large


def _lengthen(new: Tensor, old: Tensor, heads: int, before: int, after: int, zero: bool) -> None:
    """Put each head's (before, D) into the first rows of its (after, D)."""
    rows = new.unflatten(0, (heads, after))
    if zero:
        rows[:, before:] = 0.0
    rows[:, :before] = old.unflatten(0, (heads, before))
