"""Query read (M.4): each token of the question asks a matrix memory, and what it recalls stands behind the encoder's output.

    R = (Z W_QH) M;  H = R W_mem;  every decoder layer sees [Z; H]      paper, section 3; chapter 7

One row for each token of the question, padding masked. W_mem starts at zero and W_QH does not: with both at zero neither
would ever get a gradient.
"""

import torch
from torch import nn

from lmem.memory.read.base import Read


class QueryRead(Read):
    site = "encoder_output"
    form = "square"

    def __init__(self, width, layers, rows):
        super().__init__()
        self.w_q = nn.Parameter(0.02 * torch.randn(width, rows))
        self.w_mem = nn.Parameter(torch.zeros(rows, width))

    def forward(self, rows, mask, states, seen=None, layer=0, keys=()):
        """rows (B, A, A), states (B, N, D) -> (B, N, D), seen where the token is and a turn was written."""
        found = states @ self.w_q @ rows @ self.w_mem  # (B, N, D)
        written = mask.any(1, keepdim=True).expand(-1, found.shape[1])
        return found, written if seen is None else written & seen.bool()
