"""Span write: a row for each fact of a turn, found at the token where the fact's value begins (chapter 14).

    b_n = gate(z_n), at the last token ends(z);  a value begins at token n if b_n > 0; of a turn, the strongest `facts` are kept
    k = pools of the turn, seen from z_n        whom the fact is about, and what about them
    c = [A z_n, A z_n+1 .. A z_n+L-1]           L tokens in v numbers each, 0 behind the end of the turn
    placed by key as in the keyed write, with [k, c] for the row

The keyed write has one row for a turn and one vector for a value, which is enough where every value is a single token. In plain
English a turn states several facts, and a value is a few tokens: "Thistlewick", "a piano tuner". The latents are stored, not the
text: A keeps the directions that the frozen decoder needs to copy a token.

Something that is taken back is a fact as well, an *end*. It begins at the last token of the turn; whether there is one is seen in the
whole turn. It takes the row of its fact at a smaller similarity than a value does. Of a value and the end of the same turn, "I no longer
play the violin", only the likelier one is kept.
"""

from typing import Any

import torch
from torch import Tensor, nn

from lmem.errors import MethodError
from lmem.memory.bank import State
from lmem.memory.options import Options
from lmem.memory.pooling import Address, Pooled, mlp, row_sizes
from lmem.memory.write.base import Write
from lmem.memory.write.keyed import FactWrite

END = 0.9  # similarity that what is taken back must exceed to take the row of its fact, if theta is larger


class SpanWrite(FactWrite):
    """Write a row for every fact, by key."""

    form = "spans"
    choices = ("gate", "ends", "theta", "address", "correct")
    layout = ("key", "code", "length")
    looks_back = True

    def __init__(
        self,
        rows: int,
        width: int,
        key: int | None = None,
        code: int | None = None,
        length: int = 8,
        facts: int = 3,
        heads: int = 4,
        hidden: int = 256,
        theta: float = 0.8,
    ):
        """Draw the pools.

        Args:
            rows: Rows of width D; the bank has as many rows of K + L v numbers as fit into them.
            width: D.
            key: K, even; default: D.
            code: v, numbers of a token of the value; default: 3 of 16 of D.
            length: L, tokens of a value.
            facts: Most facts of a turn.
            heads: Queries of the pools that make the key.
            hidden: Hidden units of the pools.
            theta: Similarity of keys above which a correction replaces a row, at the start.

        Raises:
            MethodError: key, code, length or facts do not fit, or not a single row does.
        """
        key, code = row_sizes(width, key, code)
        size = key + code * length
        if key < 2 or key % 2 or min(code, length, facts) < 1 or rows * width < size:
            raise MethodError(
                f"expected an even key, code, length and facts of at least 1, and {rows * width} numbers for a row of {size}"
            )
        if not -1 < theta < 1:
            raise MethodError(f"theta must lie between -1 and 1, not {theta}")
        Write.__init__(self, rows * width // size, width, gamma=1.0, trainable=True, noise=0.0)
        self.p0 = nn.Buffer(torch.zeros(self.rows, size))
        self.key, self.length, self.most = key, length, facts
        self.gate = mlp(width, 192, 1)
        *_, weight, bias = self.gate.parameters()
        nn.init.normal_(weight, std=0.02)
        nn.init.constant_(bias, 2.0)  # at first keep whatever comes
        self.ends = Pooled(width, 1, heads=4, hidden=64)
        self.address = Address(width, key, heads, hidden, anchored=True)
        self.correct = Pooled(width, 1, heads=2, hidden=32, anchored=True)
        self.code = nn.Linear(width, code)
        self.theta = nn.Parameter(torch.tensor(float(theta)))

    def least(self, value: Tensor) -> Tensor:
        """Ask less of an end than of a value: what is taken back has no new value that would be lost in the wrong row."""
        return torch.where(self.is_end(value), self.theta.clamp(max=END), self.theta)

    def is_end(self, value: Tensor) -> Tensor:
        """Say which values (..., L v) are ends: only their first token is there, the last one of the turn."""
        behind = value.unflatten(-1, (self.length, -1))[..., 1:, :]
        return (self.length > 1) & ~behind.any(-1).any(-1)

    def content(self, state: State) -> tuple[Tensor, Tensor]:
        """Return rows (B, R, K + L v + 1), whose last number is the turn that wrote them, the newest 0; and which may be read."""
        turn = (state.written - state.turns[:, None] + 1)[..., None].to(state.rows.dtype)
        return torch.cat([state.rows, turn], 2), self.readable(state)

    @classmethod
    def complete(cls, rows: int, width: int, given: Options) -> dict[str, Any]:
        options = super().complete(rows, width, given)
        options["key"], options["code"] = row_sizes(width, options["key"], options["code"])
        return options

    def begins(self, latents: Tensor, mask: Tensor) -> Tensor:
        """Return b, (..., N): above 0 where a value begins, far below for padding, which follows the tokens."""
        places = torch.arange(mask.shape[-1], device=mask.device)
        last = places == mask.long().sum(-1, keepdim=True) - 1
        begins = torch.where(last, self.ends(latents, mask), self.gate(latents)[..., 0])
        return begins.masked_fill(~mask.bool(), -20.0)

    def facts_at(
        self, latents: Tensor, mask: Tensor, places: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Extract the facts whose values begin at some tokens.

        Args:
            latents: (..., N, D).
            mask: (..., N).
            places: (..., F), tokens.

        Returns:
            Keys (..., F, K), values (..., F, L v), gate e (..., F).
        """
        width = latents.shape[-1]
        anchor = latents.gather(-2, places[..., None].expand(*places.shape, width))  # (..., F, D)
        seen = latents[..., None, :, :], mask[..., None, :]  # the same turn for each of its facts
        key = self.address(*seen, anchor)
        correct = self.correct(*seen, anchor)[..., 0]
        return key, self.value(latents, mask, places).flatten(-2), correct

    def value(self, latents: Tensor, mask: Tensor, places: Tensor) -> Tensor:
        """Return the codes (..., F, L, v) of L tokens from each place on."""
        tokens = places[..., None] + torch.arange(self.length, device=places.device)  # (..., F, L)
        inside = tokens.clamp(max=latents.shape[-2] - 1)
        codes = self.code(latents)  # (..., N, v)
        flat = inside.flatten(-2)[..., None]
        taken = codes.gather(-2, flat.expand(*flat.shape[:-1], codes.shape[-1]))
        there = (tokens < latents.shape[-2]) & mask.bool().gather(-1, inside.flatten(-2)).unflatten(
            -1, tokens.shape[-2:]
        )
        return taken.unflatten(-2, tokens.shape[-2:]) * there[..., None]

    def facts(self, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        latents, mask = _without_holes(latents, mask)
        begins = self.begins(latents, mask)
        keep, places = begins.topk(min(self.most, begins.shape[-1]), -1)
        places, order = places.sort(-1)  # in the order of the text
        key, value, correct = self.facts_at(latents, mask, places)
        keep = self._once(key, keep.gather(-1, order), places == mask.long().sum(-1, True) - 1)
        return key, value, keep, correct

    def _once(self, key: Tensor, keep: Tensor, end: Tensor) -> Tensor:
        """Of a value and the end of its own turn, if theta takes them for the same fact, keep the likelier one: gates (..., F)."""
        same = (key @ key.transpose(-1, -2) > self.theta) & (end[..., None] != end[..., None, :])
        likelier = keep[..., None, :] > keep[..., None].clamp(min=0)
        return keep.masked_fill((same & likelier).any(-1), -20.0)


def _without_holes(latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Move the tokens that count to the front, in their order: what follows a token is then the next one that counts."""
    order = mask.bool().logical_not().to(torch.uint8).argsort(stable=True, dim=-1)
    moved = latents.gather(-2, order[..., None].expand_as(latents))
    return moved, mask.gather(-1, order)
