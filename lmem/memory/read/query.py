"""Query read (M.4): each token of the question queries a matrix memory; the results are appended to the encoder's output.

    R = (Z W_QH) M;  H = R W_mem;  every decoder layer sees [Z; H]      paper, section 3; chapter 7

One row for each token of the question, padding masked. W_mem starts at zero and W_QH does not: if both were zero, neither
would ever get a gradient.
"""

import torch
from torch import Tensor, nn

from lmem.memory.read.base import Keys, Read, extra_mask


class QueryRead(Read):
    """Read a square bank by matrix products."""

    site = "encoder_output"
    form = "square"

    def __init__(self, width: int, layers: int, rows: int):
        super().__init__()
        self.w_q = nn.Parameter(0.02 * torch.randn(width, rows))
        self.w_mem = nn.Parameter(torch.zeros(rows, width))

    def forward(
        self,
        rows: Tensor,
        mask: Tensor,
        states: Tensor,
        seen: Tensor | None = None,
        keys: Keys = (),
    ) -> tuple[Tensor, Tensor]:
        """Return the extra rows (B, N, D) of a bank (B, A, A) for states (B, N, D), and their mask (B, N)."""
        extra = states @ self.w_q @ rows @ self.w_mem  # (B, N, D)
        return extra, extra_mask(mask, extra.shape[1], seen)
