"""Proxy reads: the paper's shortcut for M.2 and M.5, which its experiments ran instead of the printed equations.

    c = XAttn_mem(Z, P), once, with the question's latents Z instead of the decoder's states;
    mean(beta) c, or g * c, is appended to the encoder's output as further positions      paper, section 3; chapter 5

`maps="linear"` draws the maps as the paper's released code does, with the default of PyTorch's Linear: uniform, with a standard
deviation of 0.577 / sqrt(D). Scores, which are products of two maps, are then three times smaller than with N(0, 1 / D).

No layer is hooked: the decoder's own attention must select c among its positions. One row for each token, padding masked.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from lmem.memory.read.base import Keys, Read, Seen, extra_mask
from lmem.memory.read.branch import BranchRead
from lmem.memory.read.gated_branch import GatedBranchRead


class ProxyRead(Read):
    """Read once with the branch `inner`, whose site is not used."""

    site = "encoder_output"
    shortcut = True
    inner: BranchRead | GatedBranchRead

    def keys(self, rows: Tensor, layer: int = 0) -> Keys:
        """Return the branch's keys and values of rows (B, R, D)."""
        return self.inner.keys(rows)

    def strength(self) -> Tensor | float:
        """Return the factor of the extra rows."""
        return 1.0

    def forward(
        self, rows: Tensor, mask: Tensor, states: Tensor, seen: Seen = None, keys: Keys = ()
    ) -> tuple[Tensor, Tensor]:
        """Return the extra rows (B, N, D) of rows (B, R, D) for states (B, N, D), and their mask (B, N)."""
        extra = self.strength() * self.inner.attended(keys or self.keys(rows), mask, states)
        return extra, extra_mask(mask, extra.shape[1], seen)


class ProxyBranchRead(ProxyRead):
    """M.2 as run."""

    inner: BranchRead

    def __init__(
        self,
        width: int,
        layers: int,
        rows: int = 0,
        heads: int = 1,
        beta: float = 0.0,
        maps: Literal["normal", "linear"] = "normal",
    ):
        super().__init__()
        self.inner = BranchRead(width, layers, heads=heads, beta=beta)
        if maps == "linear":
            draw_as_linear(self.inner)

    def strength(self) -> Tensor | float:
        return self.inner.beta.mean()


class ProxyGatedBranchRead(ProxyRead):
    """M.5 as run."""

    inner: GatedBranchRead
    untrained = GatedBranchRead.untrained

    def __init__(
        self,
        width: int,
        layers: int,
        rows: int = 0,
        heads: int = 1,
        bias: float = -2.0,
        maps: Literal["normal", "linear"] = "normal",
    ):
        super().__init__()
        self.inner = GatedBranchRead(width, layers, heads=heads, bias=bias)
        if maps == "linear":
            draw_as_linear(self.inner)


@torch.no_grad()
def draw_as_linear(module: nn.Module) -> None:
    """Draw the maps (S, D, X) of a branch again, uniformly between -1 / sqrt(D) and 1 / sqrt(D); scalars and biases stay."""
    for weight in module.parameters():
        if weight.ndim == 3:
            bound = weight.shape[1] ** -0.5
            weight.uniform_(-bound, bound)
