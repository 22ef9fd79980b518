"""Attention over a bank's rows, for the reads that select by themselves (chapter 5).

softmax(s W_q (P W_k)^T / sqrt(D_h)) P W_v, in H heads of width D_h
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lmem.errors import MethodError
from lmem.memory.read.base import Keys


class Attend(nn.Module):
    """The three projections of a read, and the attention that uses them."""

    def __init__(self, width: int, heads: int = 1, inner: int | None = None, sets: int = 1):
        """Draw the projections.

        Args:
            width: D.
            heads: H.
            inner: Width that the heads share; default: D.
            sets: 1 for one set of projections for all layers, as printed; L for one for each.

        Raises:
            MethodError: The heads do not divide the width.
        """
        super().__init__()
        inner = inner or width
        if inner % heads:
            raise MethodError(f"a width of {inner} cannot be split over {heads} heads")
        self.heads, self.inner = heads, inner
        self.w_q = nn.Parameter(torch.randn(sets, width, inner) / width**0.5)
        self.w_k = nn.Parameter(torch.randn(sets, width, inner) / width**0.5)
        self.w_v = nn.Parameter(torch.randn(sets, width, inner) / width**0.5)

    def keys(self, rows: Tensor, layer: int = 0) -> Keys:
        """Return keys and values of rows (B, R, D): two tensors (B, H, R, D_h)."""
        return self.split(rows @ self.w_k[layer]), self.split(rows @ self.w_v[layer])

    def shares(self, states: Tensor, keys: Tensor, mask: Tensor, layer: int = 0) -> Tensor:
        """Return the attention weights (B, H, N, R) of states (B, N, D) over keys (B, H, R, D_h)."""
        queries = self.split(states @ self.w_q[layer])  # (B, H, N, D_h)
        scores = queries @ keys.transpose(2, 3) / queries.shape[-1] ** 0.5  # (B, H, N, R)
        scores = scores.masked_fill(~mask[:, None, None, :], torch.finfo(scores.dtype).min)
        return scores.softmax(-1)

    def forward(self, states: Tensor, keys: Keys, mask: Tensor, layer: int = 0) -> Tensor:
        """Attend to the rows.

        Args:
            states: (B, N, D).
            keys: Keys and values, from `keys`.
            mask: (B, R), True where a row may be read.
            layer: Which set of projections.

        Returns:
            (B, N, inner); zeros for a bank without a readable row.
        """
        k, v = keys
        values = self.shares(states, k, mask, layer) @ v  # (B, H, N, D_h)
        values = values.transpose(1, 2).flatten(2)  # (B, N, inner)
        return values * mask.any(1)[:, None, None]

    def split(self, states: Tensor) -> Tensor:
        """Split (B, N, inner) into heads: (B, H, N, D_h)."""
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


@torch.no_grad()
def borrowed(model: PreTrainedModel, modules: list[Any]) -> Attend:
    """Return an `Attend` with the heads and weights of the frozen cross-attentions, one set for each layer.

    Args:
        model: The backbone.
        modules: Its cross-attention sublayers.

    Raises:
        MethodError: The backbone's attention has biases.
    """
    if any(name.endswith("bias") for name, _ in modules[0].named_parameters()):
        raise MethodError(
            f'expected a branch with start="drawn", {model.config.model_type} has biases in its attention'
        )
    heads, size = model.config.num_heads, model.config.d_kv
    attend = Attend(model.config.d_model, heads, heads * size, len(modules))
    for i, module in enumerate(modules):
        frozen = module.EncDecAttention
        # T5 does not scale its queries, we scale scores by 1 / sqrt(D_h)
        attend.w_q[i].copy_(frozen.q.weight.T * size**0.5)
        attend.w_k[i].copy_(frozen.k.weight.T)
        attend.w_v[i].copy_(frozen.v.weight.T)
    return attend
