"""Extension read (M.3, M.6): the bank's rows stand behind the encoder's output, and the decoder's own attention selects.

    H = P W_mem;  every decoder layer's frozen K and V maps see [Z; H]      paper, section 3; chapter 4

W_mem starts at zero as in the paper, or at the identity, for banks whose rows are latents already.
"""

import torch
from torch import nn

from lmem.errors import MethodError
from lmem.memory.read.base import Read


class ExtensionRead(Read):
    site = "encoder_output"
    alone = True

    def __init__(self, width, layers, rows=None, start="zero"):
        super().__init__()
        if start not in ("zero", "identity"):
            raise MethodError(f'start must be "zero" or "identity", not {start!r}')
        self.w_mem = nn.Parameter(
            torch.eye(width) if start == "identity" else torch.zeros(width, width)
        )

    def keys(self, rows, layer=0):
        """(B, R, D) -> (B, R, D), the rows that join the encoder's output."""
        return (rows @ self.w_mem,)

    def forward(self, rows, mask, states=None, seen=None, layer=0, keys=()):
        """rows (B, R, D) -> (B, R, D) extra rows, under the bank's mask."""
        [extra] = keys or self.keys(rows)
        return extra, mask
