"""Branch read (M.2): next to each frozen cross-attention runs a second one, over the bank.

    s + XAttn_frozen(s, Z) + beta_l softmax(s W_q (P W_k)^T / sqrt(D_h)) P W_v W_o      paper, section 3; chapter 5

s is the state after the layer's own layer norm. As printed: one head, projections shared by the layers, one scalar beta
per layer that starts at 0, so an untrained adapter changes nothing.
"""

from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lmem.errors import MethodError
from lmem.memory.read.attend import Attend, borrowed
from lmem.memory.read.base import Keys, Read


class BranchRead(Read):
    """Read with a second cross-attention in every decoder layer."""

    site = "decoder_layer"
    untrained = "silent"

    def __init__(
        self,
        width: int,
        layers: int,
        rows: int = 0,
        heads: int = 1,
        inner: int | None = None,
        shared: bool = True,
        beta: float = 0.0,
        raw: bool = False,
        start: Literal["drawn", "borrowed"] = "drawn",
    ):
        """Draw the projections.

        Args:
            width: D.
            layers: L.
            rows: Not used.
            heads: Attention heads.
            inner: Width that the heads share; default: D.
            shared: One set of projections for all layers.
            beta: Start value of beta.
            raw: Read with the state before the layer norm.
            start: "borrowed" takes heads and weights from the frozen cross-attentions (`adapt`); it needs shared=False.
        """
        super().__init__()
        if start == "borrowed" and shared:
            raise MethodError(
                "expected shared=False for a branch that starts borrowed: each layer has its own attention"
            )
        self.width, self.sets = width, 1 if shared else layers
        self.raw, self.start = raw, start
        self.attend = Attend(width, heads, inner, self.sets)
        self.w_o = nn.Parameter(
            torch.randn(self.sets, self.attend.inner, width) / self.attend.inner**0.5
        )
        self.beta = nn.Parameter(torch.full((layers,), float(beta)))

    @torch.no_grad()
    def adapt(self, model: PreTrainedModel, modules: list[Any]) -> Self:
        """If `start` is "borrowed", copy the frozen cross-attentions, whose maps already fit the encoder's latents.

        Raises:
            MethodError: The backbone's attention has biases.
        """
        if self.start != "borrowed":
            return self
        self.attend = borrowed(model, modules)
        self.w_o = nn.Parameter(torch.empty(self.sets, self.attend.inner, self.width))
        for i, module in enumerate(modules):
            self.w_o[i].copy_(module.EncDecAttention.o.weight.T)
        return self

    def keys(self, rows: Tensor, layer: int = 0) -> Keys:
        """Return keys and values of rows (B, R, D)."""
        return self.attend.keys(rows, layer % self.sets)

    def attended(self, keys: Keys, mask: Tensor, states: Tensor, layer: int = 0) -> Tensor:
        """Return (B, N, D), what the states (B, N, D) read from the bank, before beta."""
        place = layer % self.sets
        return self.attend(states, keys, mask, place) @ self.w_o[place]

    def forward(
        self, rows: Tensor, mask: Tensor, states: Tensor, layer: int = 0, keys: Keys = ()
    ) -> Tensor:
        """Return (B, N, D), the gain of layer `layer`; zeros for a bank without a readable row."""
        keys = keys or self.keys(rows, layer)
        return self.beta[layer] * self.attended(keys, mask, states, layer)
