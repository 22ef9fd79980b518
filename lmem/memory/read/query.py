"""Query read (M.4): each token of the question queries a matrix memory; the results are appended to the encoder's output.

    R = (Z W_QH) M;  H = R W_mem;  every decoder layer sees [Z; H]      paper, section 3; chapter 7

One row for each token of the question, padding masked. W_mem starts at zero and W_QH does not: if both were zero, neither
would ever get a gradient.

`start="identity"` sets W_QH to the identity and W_mem to I / m, with m the mean of z . z over the backbone's vocabulary, so that a
token that asks the matrix of its own latent, z z^T, gets about that latent. `start="whitened"` sets W_QH to the map that whitens the
backbone's latents, where the write's W_KH starts with `whiten`, and W_mem to the identity.

With `resize` each row of H is as long as a latent. A sum over many tokens can have any length, and the frozen decoder attends to long
rows.
"""

from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lmem.backbone.latent_statistics import padded, vocabulary_latents, whitening
from lmem.memory.read.base import Keys, Read, Seen, extra_mask
from lmem.memory.write.base import unit


class QueryRead(Read):
    """Read a square bank by matrix products."""

    site = "encoder_output"
    form = "square"

    def __init__(
        self,
        width: int,
        layers: int,
        rows: int,
        start: Literal["drawn", "identity", "whitened"] = "drawn",
        resize: bool = False,
    ):
        """Draw W_QH; `start` is "drawn", or what `adapt` sets; `resize` gives the rows that are read the length of a latent."""
        super().__init__()
        self.start, self.resize = start, resize
        if resize:
            self.size = nn.Buffer(torch.ones(()))  # root mean square of a latent
        self.w_q = nn.Parameter(0.02 * torch.randn(width, rows))
        self.w_mem = nn.Parameter(torch.zeros(rows, width))

    @torch.no_grad()
    def adapt(self, model: PreTrainedModel, modules: list[Any]) -> Self:
        """Set both maps as `start` says, and the size of a latent if rows are resized."""
        if self.w_q.is_meta:
            return self
        if self.start == "identity":
            size = vocabulary_latents(model).square().sum(1).mean()
            self.w_q.copy_(torch.eye(*self.w_q.shape))
            self.w_mem.copy_(torch.eye(*self.w_mem.shape) / size)
        if self.resize or self.start == "whitened":
            white, size = whitening(model)
            if self.resize:
                self.size.copy_(size)
            if self.start == "whitened":
                self.w_q.copy_(padded(white, self.w_q.shape[1]))
                self.w_mem.copy_(torch.eye(*self.w_mem.shape))
        return self

    def forward(
        self, rows: Tensor, mask: Tensor, states: Tensor, seen: Seen = None, keys: Keys = ()
    ) -> tuple[Tensor, Tensor]:
        """Return the extra rows (B, N, D) of a bank (B, A, A) for states (B, N, D), and their mask (B, N)."""
        extra = states @ self.w_q @ rows @ self.w_mem  # (B, N, D)
        if self.resize:
            extra = self.size * unit(extra)
        return extra, extra_mask(mask, extra.shape[1], seen)
