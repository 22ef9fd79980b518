"""Attention pooling: a few learned queries summarise the latents of one text (chapter 14).

x_h = softmax(Z u_h)^T Z,   h = 1 .. H;      y = [x_1 .. x_H] W + MLP([x_1 .. x_H])

An anchored pool looks from one of the tokens, a: its queries are u_h + U_h a, and a itself is one more x.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class Pooled(nn.Module):
    """H attention pools over the tokens, a linear map of them, and a small MLP if `hidden` is not 0."""

    def __init__(
        self, width: int, out: int, heads: int = 2, hidden: int = 0, anchored: bool = False
    ):
        super().__init__()
        self.queries = nn.Parameter(0.05 * torch.randn(heads, width))
        pooled = (heads + anchored) * width
        self.linear = nn.Linear(pooled, out)
        self.mlp = mlp(pooled, hidden, out) if hidden else None
        if anchored:
            self.turned = nn.Linear(width, heads * width, bias=False)
            nn.init.normal_(self.turned.weight, std=0.2 / width)

    def forward(self, latents: Tensor, mask: Tensor, anchor: Tensor | None = None) -> Tensor:
        """Pool the tokens of each text.

        Args:
            latents: (..., N, D).
            mask: (..., N), 1 for a token and 0 for padding.
            anchor: (..., D), the token to look from, for an anchored pool.

        Returns:
            (..., out); a text without tokens gives the same as zeros.
        """
        queries = self.queries.T
        if anchor is not None:
            turned = self.turned(anchor).unflatten(-1, self.queries.shape)  # (..., H, D)
            queries = (self.queries + turned).transpose(-1, -2)
        scores = (latents @ queries).transpose(-1, -2)  # (..., H, N)
        scores = scores.masked_fill(~mask[..., None, :].bool(), -1e9)
        pooled = (scores.softmax(-1) @ latents).flatten(-2)  # (..., H D)
        if anchor is not None:
            pooled = torch.cat([pooled, anchor], -1)
        return self.linear(pooled) + (self.mlp(pooled) if self.mlp else 0)


class Address(nn.Module):
    """Key of a text: whom it is about and what about them, two halves of length sqrt(1/2), so that the key has length 1."""

    def __init__(
        self, width: int, size: int, heads: int = 2, hidden: int = 256, anchored: bool = False
    ):
        super().__init__()
        self.halves = nn.ModuleList(
            Pooled(width, size // 2, heads, hidden, anchored) for _ in range(2)
        )

    def forward(self, latents: Tensor, mask: Tensor, anchor: Tensor | None = None) -> Tensor:
        """Map latents (..., N, D) with their mask (..., N), and a token to look from (..., D), to keys (..., K)."""
        halves = [normalize(half(latents, mask, anchor), dim=-1) for half in self.halves]
        return torch.cat(halves, -1) * 0.5**0.5  # (..., K)


def key_size(size: int) -> int:
    """Return how many numbers of a row are its key by default: 5 of 8, rounded down to an even number."""
    return size * 5 // 16 * 2


def row_sizes(width: int, key: int | None, code: int | None) -> tuple[int, int]:
    """Return the numbers of a span row's key and of each code: those that are given, else D, made even, and 3 D / 16."""
    return width // 2 * 2 if key is None else key, width * 3 // 16 if code is None else code


def mlp(width: int, hidden: int, out: int) -> nn.Sequential:
    """Return a network with one hidden layer and GELU."""
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, out))
