"""Gated branch read (M.5): a second cross-attention, and a gate that decides how much of it each state takes.

    s + XAttn_frozen(s, Z) + g * c,   c = softmax(s W_q (P W_k)^T / sqrt(D)) P W_v,   g = sigmoid([s; c] W_g + b_g)
                                                                                    paper, section 3; chapter 6

The paper prints W_g and b_g per layer, but its 21.0M parameters fit only if the layers share them: 3 D^2 + 2 D^2 + D. b_g
starts at -2: the gate is nearly closed but not shut, so an untrained adapter changes the logits.

`start="borrowed"` starts each layer at its frozen cross-attention, as far as one head without W_o can: its W_q and W_k are those of
all frozen heads together, so a row's score is the sum of their scores, and its W_v is the frozen W_v W_o. W_g then starts at zero,
so the gate is sigmoid(b_g) everywhere.
"""

from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lmem.errors import MethodError
from lmem.memory.read.attend import Attend, borrowed
from lmem.memory.read.base import Keys, Read


class GatedBranchRead(Read):
    """Read with a gated second cross-attention in every decoder layer, without W_o; the heads split the width D."""

    site = "decoder_layer"
    untrained = "the gate starts at sigmoid(-2)"

    def __init__(
        self,
        width: int,
        layers: int,
        rows: int = 0,
        heads: int = 1,
        shared: bool = True,
        bias: float = -2.0,
        raw: bool = False,
        start: Literal["drawn", "borrowed"] = "drawn",
    ):
        """Draw the projections.

        Args:
            width: D.
            layers: L.
            rows: Not used.
            heads: Attention heads.
            shared: One set of projections for all layers.
            bias: Start value of b_g.
            raw: Read with the state before the layer norm.
            start: "borrowed" starts at the frozen cross-attentions (`adapt`); it needs shared=False and one head.

        Raises:
            MethodError: It starts borrowed and is shared.
        """
        super().__init__()
        if start == "borrowed" and shared:
            raise MethodError(
                "expected shared=False for a branch that starts borrowed: each layer has its own attention"
            )
        self.start = start
        self.sets, self.raw = 1 if shared else layers, raw
        self.attend = Attend(width, heads, sets=self.sets)
        self.w_g = nn.Parameter(torch.randn(self.sets, 2 * width, width) / (2 * width) ** 0.5)
        self.b_g = nn.Parameter(torch.full((self.sets, width), float(bias)))

    @torch.no_grad()
    def adapt(self, model: PreTrainedModel, modules: list[Any]) -> Self:
        """If `start` is "borrowed", copy what fits of the frozen cross-attentions.

        Raises:
            MethodError: The backbone's attention has biases, or there are several heads.
        """
        if self.start != "borrowed":
            return self
        frozen = borrowed(model, modules)
        if self.attend.heads != 1:
            raise MethodError(
                f"expected one head for a branch that starts borrowed, not {self.attend.heads}"
            )
        # as wide as all frozen heads together; their scores have the width of one head under the root, ours that of all
        self.attend.w_q = nn.Parameter(frozen.w_q * frozen.heads**0.5)
        self.attend.w_k = frozen.w_k
        self.w_g.zero_()
        for i, module in enumerate(modules):
            self.attend.w_v[i].copy_(frozen.w_v[i] @ module.EncDecAttention.o.weight.T)
        return self

    def keys(self, rows: Tensor, layer: int = 0) -> Keys:
        """Return keys and values of rows (B, R, D)."""
        return self.attend.keys(rows, layer % self.sets)

    def attended(self, keys: Keys, mask: Tensor, states: Tensor, layer: int = 0) -> Tensor:
        """Return (B, N, D), what the states (B, N, D) read from the bank and the gate lets through."""
        place = layer % self.sets
        content = self.attend(states, keys, mask, place)  # (B, N, D)
        both = torch.cat([states, content], 2)  # (B, N, 2 D)
        return torch.sigmoid(both @ self.w_g[place] + self.b_g[place]) * content

    def forward(
        self, rows: Tensor, mask: Tensor, states: Tensor, layer: int = 0, keys: Keys = ()
    ) -> Tensor:
        """Return (B, N, D), the gain of layer `layer`; zeros for a bank without a readable row."""
        return self.attended(keys or self.keys(rows, layer), mask, states, layer)
