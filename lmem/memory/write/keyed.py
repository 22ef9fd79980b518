"""Keyed write: one row for one fact, retrieved by its key (chapter 14).

    (k, v, b, e) = learned functions of the turn;      nothing is written unless b > 0
    s = the row with the largest k_s . k, if that exceeds theta and e > 0;   else the row written longest ago
    P[s] <- [k, v]      after slots (M.6), key-value memories (Miller et al., 2016), least-recently-used addressing (Graves et al., 2016)

Nothing is mixed and nothing decays: a row stays equally readable until the rows run out. `b` skips turns without facts; `e`
lets a correction overwrite the row that it corrects. A row has D / cells numbers, K of them the key, so at scale 1 the bank
has 64 cells rows, and as many numbers as 64 rows of width D.

The choices have no gradient. `lmem.training.evidence` learns them in a soft form, together with the read.
"""

from typing import Any

import torch
from torch import Tensor, nn

from lmem.errors import MethodError
from lmem.memory.bank import State
from lmem.memory.options import Options
from lmem.memory.pooling import Address, Pooled, key_size
from lmem.memory.write.base import Turn, Write, unit


class FactWrite(Write):
    """What keyed writes share: facts, each a key and a value, are placed into rows one after the other.

    Attributes:
        key: K, the numbers of a key.
        theta: Similarity of keys above which a correction replaces a row.
    """

    key: int
    theta: nn.Parameter

    def facts(self, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Extract the facts of each turn: keys (..., F, K), values (..., F, V), gates b and e (..., F)."""
        raise NotImplementedError(f"{type(self).__name__} gives no facts")

    def update(self, state: State, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.place_all(state, *self.facts(latents, mask))

    def update_all(self, state: State, turns: list[Turn]) -> State:
        """Extract the facts of all turns at once, then place them one after the other."""
        longest = max(mask.shape[1] for _, mask in turns)
        pad = nn.functional.pad
        latents = torch.stack(  # (T, B, N, D)
            [pad(latents, (0, 0, 0, longest - latents.shape[1])) for latents, _ in turns]
        )
        mask = torch.stack([pad(mask, (0, longest - mask.shape[1])) for _, mask in turns])
        facts = self.facts(latents, mask)  # (T, B, F, ...) each
        for any_token, *of_turn in zip(mask.any(2).long(), *facts, strict=True):
            rows, written = self.place_all(state, *of_turn)
            state = State(rows, written, state.turns + any_token)
        return state

    def place_all(
        self, state: State, key: Tensor, value: Tensor, keep: Tensor, correct: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Put the facts of one turn into their rows: key (B, F, K), value (B, F, V), gates (B, F)."""
        for fact in zip(*(part.unbind(1) for part in (key, value, keep, correct)), strict=True):
            rows, written = self.place(state, *fact)
            state = State(rows, written, state.turns)
        return state.rows, state.written

    def place(
        self, state: State, key: Tensor, value: Tensor, keep: Tensor, correct: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Put one fact per bank into its row: key (B, K), value (B, V), gates (B,) -> `rows` and `written`."""
        similarity = torch.einsum("bk,brk->br", key, state.rows[..., : self.key])
        earlier = (state.written >= 0) & (state.written < state.turns[:, None])  # not this turn's
        nearest, row = similarity.masked_fill(~earlier, -1.0).max(1)  # (B,)
        replaces = (nearest > self.least(value)) & (correct > 0)
        row = torch.where(replaces, row, state.written.argmin(1))
        hit = torch.arange(self.rows, device=row.device) == row[:, None]
        hit = hit & (keep > 0)[:, None]  # (B, R)
        fact = torch.cat([key, value], 1)[:, None].to(state.rows.dtype)  # (B, 1, K + V)
        rows = torch.where(hit[:, :, None], fact, state.rows)
        return rows, torch.where(hit, state.turns[:, None], state.written)

    def least(self, value: Tensor) -> Tensor:
        """Return the similarity that facts with these values (B, V) must exceed to replace a row: () or (B,)."""
        return self.theta

    def readable(self, state: State) -> Tensor:
        return state.written >= 0


class KeyedWrite(FactWrite):
    """Write one row per turn, by key."""

    form = "keyed"
    choices = ("gate", "theta")
    layout = ("cells", "key")

    def __init__(
        self,
        rows: int,
        width: int,
        cells: int = 2,
        key: int | None = None,
        heads: int = 2,
        hidden: int = 256,
        theta: float = 0.8,
        select: bool = True,
        replace: bool = True,
    ):
        """Draw the pools.

        Args:
            rows: Rows of width D; the bank has `cells` times as many.
            width: D.
            cells: Rows for each row of width D.
            key: Numbers of the key, even; default: 5 of 8.
            heads: Queries of the pools that make the key.
            hidden: Hidden units of the pools.
            theta: Similarity of keys above which a correction replaces a row, at the start.
            select: Skip turns without facts; False keeps every turn.
            replace: Let a correction overwrite the row that it corrects; False always takes the oldest row.

        Raises:
            MethodError: cells, key or theta do not fit.
        """
        size = width // max(1, cells)
        key = key_size(size) if key is None else key
        if cells < 1 or width % cells or not 2 <= key < size or key % 2:
            raise MethodError(
                f"expected cells that divide the width {width}, and an even key below {size}, not {cells} and {key}"
            )
        if not -1 < theta < 1:
            raise MethodError(f"theta must lie between -1 and 1, not {theta}")
        super().__init__(rows * cells, width, gamma=1.0, trainable=True, noise=0.0)
        self.p0 = nn.Buffer(torch.zeros(self.rows, size))
        self.key, self.select, self.replace = key, select, replace
        self.address = Address(width, key, heads, hidden)
        self.value = Pooled(width, size - key, heads=1)
        self.gate = Pooled(width, 2, heads=2, hidden=min(hidden, 32))
        self.theta = nn.Parameter(torch.tensor(float(theta)))
        with torch.no_grad():
            self.gate.linear.bias.copy_(torch.tensor([2.0, -2.0]))  # at first keep everything

    @classmethod
    def complete(cls, rows: int, width: int, given: Options) -> dict[str, Any]:
        options = super().complete(rows, width, given)
        if options["key"] is None:
            options["key"] = key_size(width // max(1, options["cells"]))
        return options

    def parts(
        self, latents: Tensor, mask: Tensor, key_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Extract the fact of each turn.

        Args:
            latents: (..., N, D).
            mask: (..., N), 1 for a token and 0 for padding.
            key_mask: (..., N), the tokens that the key is made of, if not all.

        Returns:
            Key (..., K), value (..., V), gates b and e (...), both far below 0 for a turn of padding.
        """
        key = self.address(latents, mask if key_mask is None else key_mask)
        value = unit(self.value(latents, mask))
        keep, correct = self.gate(latents, mask).unbind(-1)
        keep = keep if self.select else torch.full_like(keep, 20.0)
        correct = correct if self.replace else torch.full_like(correct, -20.0)
        padding = ~mask.bool().any(-1)
        return key, value, keep.masked_fill(padding, -20.0), correct.masked_fill(padding, -20.0)

    def facts(self, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        key, value, keep, correct = self.parts(latents, mask)
        return key[..., None, :], value[..., None, :], keep[..., None], correct[..., None]
