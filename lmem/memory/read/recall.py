"""Recall read: the question becomes a key, matching rows return their values, and these are appended to the encoder's output (chapter 14).

    p = softmax(beta [q . k_1 .. q . k_R, 1 - nu]);   f = p_1 v_1 + .. + p_R v_R      the last, p_0, is the share of "no row matches"
    a second hop asks again, with f appended to the question's latents;   h is the weight of the second hop
    X rows = (1 - p_0) MLP(f),   f and p_0 those of both hops, mixed by h      after end-to-end memory networks (Sukhbaatar et al., 2015)

The decoder's frozen cross-attention sees [Z; X rows]. The keys are those of the keyed write. The sharp softmax makes it possible
to read one fact out of hundreds alone, which no sum over rows can do.
"""

import torch
from torch import Tensor, nn

from lmem.memory.pooling import Address, Pooled, key_size, mlp
from lmem.memory.read.base import Keys, Read, Seen, extra_mask

Hop = tuple[
    Tensor, Tensor, Tensor
]  # scores (B, R + 1), the last for "no match", f (B, V), p_0 (B, 1)


class RecallRead(Read):
    """Read a keyed bank in two hops."""

    site = "encoder_output"
    form = "keyed"

    def __init__(
        self,
        width: int,
        layers: int,
        rows: int = 0,
        cells: int = 2,
        key: int | None = None,
        heads: int = 2,
        hidden: int = 256,
        extra: int = 2,
    ):
        """Draw the pools.

        Args:
            width: D.
            layers: Not used.
            rows: Not used.
            cells: Rows for each row of width D, as in the write.
            key: Numbers of the key, as in the write.
            heads: Queries of the pools that make the question's key.
            hidden: Hidden units of the pools.
            extra: X, rows that the decoder gets.
        """
        super().__init__()
        size = width // cells
        self.key = key_size(size) if key is None else key
        value = size - self.key
        self.asks = nn.ModuleList(Address(width, self.key, heads, hidden) for _ in range(2))
        self.back = nn.Linear(value, width)
        self.halt = Pooled(width, 1, heads=1, hidden=min(hidden, 32))
        self.sharp = nn.Parameter(torch.tensor(1.5))  # beta / 10
        self.nu = nn.Parameter(torch.tensor(0.5))  # how far from a perfect match a key may be
        self.tell = mlp(value, 2 * width, extra * width)
        self.width = width

    def recall(
        self, keys: Tensor, values: Tensor, bias: Tensor, states: Tensor, seen: Tensor
    ) -> list[Hop]:
        """Make two hops over the keys.

        Args:
            keys: (B, R, K).
            values: (B, R, V).
            bias: (B, R), added to the scores; -1e9 where a row may not be read.
            states: (B, N, D), the question's latents.
            seen: (B, N), their mask.
        """
        beta, hops = 10 * self.sharp, []
        none = (beta * (1 - self.nu)).expand(len(keys), 1)
        for ask in self.asks:
            scores = beta * torch.einsum("bk,brk->br", ask(states, seen), keys) + bias
            scores = torch.cat([scores, none], 1)  # (B, R + 1)
            value = torch.einsum("br,brv->bv", self.shares(scores), values)
            hops.append((scores, value, scores.softmax(1)[:, -1:]))
            states, seen = self.next_question(states, seen, value)
        return hops

    def shares(self, scores: Tensor) -> Tensor:
        """Return what each row gives to the value of a hop (B, R), for its scores (B, R + 1)."""
        return scores.softmax(1)[:, :-1]

    def look_up(self, rows: Tensor, mask: Tensor, states: Tensor, seen: Tensor) -> list[Hop]:
        """Make two hops over the rows of a bank (B, R, K + V), of which a mask (B, R) says which may be read."""
        bias = torch.zeros_like(rows[..., 0]).masked_fill(~mask, -1e9)
        return self.recall(rows[..., : self.key], rows[..., self.key :], bias, states, seen)

    def next_question(self, states: Tensor, seen: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Append a hop's value (B, V) to the question: latents (B, N + 1, D) and mask (B, N + 1)."""
        states = torch.cat([states, self.back(value)[:, None]], 1)
        return states, torch.cat([seen, seen.new_ones(len(seen), 1)], 1)

    def value_rows(self, value: Tensor) -> Tensor:
        """Map a value (B, V) to the rows (B, X, D) that the decoder sees."""
        return self.tell(value).unflatten(1, (-1, self.width))

    def forward(
        self, rows: Tensor, mask: Tensor, states: Tensor, seen: Seen = None, keys: Keys = ()
    ) -> tuple[Tensor, Tensor]:
        """Return the extra rows (B, X, D) of a bank (B, R, K + V) for states (B, N, D), and their mask (B, X)."""
        seen = states.new_ones(states.shape[:2]).bool() if seen is None else seen.bool()
        hops = self.look_up(rows, mask, states, seen)
        (_, value_1, none_1), (_, value_2, none_2) = hops
        second = torch.sigmoid(self.halt(states, seen))  # (B, 1)
        value = (1 - second) * value_1 + second * value_2  # (B, V)
        none = (1 - second) * none_1 + second * none_2  # (B, 1)
        extra = (1 - none)[:, :, None] * self.value_rows(value)
        return extra, extra_mask(mask, extra.shape[1])
