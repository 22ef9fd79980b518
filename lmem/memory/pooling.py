"""Pooling: what a few learned queries find in the latents of one text (chapter 14).

x_h = softmax(Z u_h)^T Z,   h = 1 .. H;      y = [x_1 .. x_H] W + MLP([x_1 .. x_H])
"""

import torch
from torch import nn
from torch.nn.functional import normalize


class Pooled(nn.Module):
    """H attention pools over the tokens, a linear map of them, and beside it a small MLP where `hidden` is given."""

    def __init__(self, width, out, heads=2, hidden=0):
        super().__init__()
        self.queries = nn.Parameter(0.05 * torch.randn(heads, width))
        self.linear = nn.Linear(heads * width, out)
        self.mlp = mlp(heads * width, hidden, out) if hidden else None

    def forward(self, latents, mask):
        """latents (..., N, D), mask (..., N) -> (..., out); a text without a token gives what zeros give."""
        scores = (latents @ self.queries.T).transpose(-1, -2)  # (..., H, N)
        scores = scores.masked_fill(~mask[..., None, :].bool(), -1e9)
        found = (scores.softmax(-1) @ latents).flatten(-2)  # (..., H D)
        return self.linear(found) + (self.mlp(found) if self.mlp else 0)


class Address(nn.Module):
    """Whom a text speaks of and what about: two halves of length sqrt(1/2) each, so the whole has length 1."""

    def __init__(self, width, size, heads=2, hidden=256):
        super().__init__()
        self.halves = nn.ModuleList(Pooled(width, size // 2, heads, hidden) for _ in range(2))

    def forward(self, latents, mask):
        """latents (..., N, D), mask (..., N) -> (..., K)"""
        halves = [normalize(half(latents, mask), dim=-1) for half in self.halves]
        return torch.cat(halves, -1) * 0.5**0.5


def key_size(size):
    """How many of a row's numbers are its key, if nothing else is said: 5 of 8, an even number."""
    return size * 5 // 16 * 2


def mlp(width, hidden, out):
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, out))
