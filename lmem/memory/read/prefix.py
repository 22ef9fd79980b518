"""Prefix read (M.1): the bank becomes soft tokens in front of the encoder's input, and the frozen encoder selects.

    S = U_P P W_P;  Z = E([S; x]) without its first m positions      paper, section 3; chapter 3

U_P mixes R rows into m; it is the identity when m = R. W_P starts at zero.
"""

import torch
from torch import nn

from lmem.errors import MethodError
from lmem.memory.read.base import Read


class PrefixRead(Read):
    site = "encoder_input"

    def __init__(self, width, layers, rows, length=None):
        super().__init__()
        if length is not None and not 1 <= length <= rows:
            raise MethodError(
                f"a prefix of a bank with {rows} rows has 1 to {rows} tokens, not {length}"
            )
        self.w_p = nn.Parameter(torch.zeros(width, width))
        mix = None if length in (None, rows) else torch.randn(length, rows) / rows**0.5
        self.register_buffer("u_p", mix)  # not listed as trainable in the paper

    def forward(self, rows, mask, states=None, seen=None, layer=0, keys=()):
        """rows (B, R, D) -> the soft tokens (B, m, D); mixed ones carry no single row's mask."""
        if self.u_p is None:
            return rows @ self.w_p, mask
        mixed = self.u_p @ (rows * mask[:, :, None])  # (B, m, D)
        return mixed @ self.w_p, mask.any(1, keepdim=True).expand(-1, mixed.shape[1])
