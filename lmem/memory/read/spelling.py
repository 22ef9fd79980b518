"""Spelling: at each step of decoding, the code of the token that is due points at its piece (chapter 14).

    s_t <- s_t + sigmoid(w . s_t + b) 10 MLP(c_t)      c_t is the code of the value's token t; from token L on nothing is added

A frozen decoder misspells rare words, with the text in its input too ("Utrechtrecht"). MLP(c) points at the piece that a code
stands for, in the space in which the frozen head tells pieces apart; the gate decides, from the state, whether the word goes on or
ends. After the copying of pointer-generator networks (See et al., 2017), with places that are known in place of attention.
"""

import torch
from torch import Tensor, nn

from lmem.memory.pooling import mlp


class Spelling(nn.Module):
    """A network from codes to pieces, and a gate."""

    def __init__(self, width: int, code: int, hidden: int = 512):
        """Draw the maps.

        Args:
            width: D.
            code: v, numbers of a code.
            hidden: Hidden units between a code and its piece.
        """
        super().__init__()
        self.piece = mlp(code, hidden, width)
        self.gate = nn.Linear(width, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, -2.0)  # at first the decoder spells by itself

    def pieces(self, codes: Tensor) -> Tensor:
        """Map codes (..., v) to what the frozen head takes for their pieces (..., D)."""
        return 10 * self.piece(codes)

    def forward(self, states: Tensor, pieces: Tensor, first: int = 0) -> Tensor:
        """Return what states (B, N, D) of the steps from `first` on gain from a value's pieces (B, L, D): (B, N, D)."""
        due = pieces[:, first : first + states.shape[1]]  # (B, at most N, D)
        due = nn.functional.pad(due, (0, 0, 0, states.shape[1] - due.shape[1]))
        return torch.sigmoid(self.gate(states)) * due
