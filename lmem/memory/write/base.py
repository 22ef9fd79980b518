"""What all write rules share: the signature, the masks, the size, and the rule that a turn without tokens writes nothing.

P_t = Write(P_{t-1}, Z_t)      paper, section 2; chapter 2
"""

from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lmem.backbone.latent_statistics import padded, whitening
from lmem.errors import MethodError, ShapeError
from lmem.memory.bank import State
from lmem.memory.options import Options, completed

Turn = tuple[Tensor, Tensor]  # latents (B, N, D) and mask (B, N)


class Write(nn.Module):
    """A write rule; subclasses define `update`. Their constructor's arguments after the sizes are the rule's options.

    Attributes:
        form: Kind of bank: "rows" (R, D), "square" (A, A) associations, or "keyed" (R, K + V).
        choices: Names of weights that get no gradient from the rule itself.
        layout: Names of options that fix how a row is laid out; the read gets the same values.
        looks_back: A turn that follows a question is encoded together with it, and its own tokens are written.
        p0: (R, D) or (A, A), the bank P_0 before any turn, drawn once from the adapter's seed.
    """

    form: str = "rows"
    choices: tuple[str, ...] = ()
    layout: tuple[str, ...] = ()
    looks_back: bool = False

    def __init__(
        self,
        rows: int,
        width: int,
        gamma: float = 0.95,
        normalise: bool = False,
        trainable: bool = False,
        noise: float = 0.02,
        maps: Literal["normal", "linear", "identity"] = "normal",
    ):
        """Draw P_0.

        Args:
            rows: R, the bank's rows; a square bank has R = A.
            width: D, the backbone's width.
            gamma: Decay in (0, 1]: the share of the bank that a turn leaves.
            normalise: Limit what the bank can grow to; each rule says how.
            trainable: Learn the maps. Otherwise they are random and fixed, as in the paper.
            noise: Standard deviation of P_0; 0 starts from zeros, as square banks do by default.
            maps: How maps of D inputs are drawn: "normal" is N(0, 1 / D), as the paper prints; "linear" is the default of
                PyTorch's Linear, as in the paper's released code: uniform, with a standard deviation of 0.577 / sqrt(D);
                "identity" is 1 on the diagonal, so that what is written are latents.

        Raises:
            MethodError: gamma is outside (0, 1].
        """
        super().__init__()
        if not 0 < gamma <= 1:
            raise MethodError(f"gamma must lie in (0, 1], not {gamma}")
        self.rows, self.width, self.gamma = rows, width, gamma
        self.normalise, self.trainable = normalise, trainable
        self.maps, self.noise = maps, noise
        if self.form == "square":  # zeros take no number from the seed
            p0 = noise * torch.randn(rows, rows) if noise else torch.zeros(rows, rows)
        else:
            p0 = noise * torch.randn(rows, width)
        self.p0 = nn.Buffer(p0)

    @classmethod
    def complete(cls, rows: int, width: int, given: Options) -> dict[str, Any]:
        """Return all options for a bank of this size, the given ones and defaults, as `completed` does."""
        return completed(cls, given)

    def draw(self, *shape: int) -> nn.Parameter | nn.Buffer:
        """Draw a map of shape[0] inputs as `maps` says: a parameter if the rule is trainable, else a buffer."""
        if self.maps == "identity" and len(shape) == 2:
            drawn = torch.eye(*shape)
        else:
            drawn = torch.randn(*shape) if self.maps != "linear" else 2 * torch.rand(*shape) - 1
            drawn = drawn / shape[0] ** 0.5
        return nn.Parameter(drawn) if self.trainable else nn.Buffer(drawn)

    def adapt(self, model: PreTrainedModel) -> Self:
        """Fit a new write to the backbone; by default there is nothing to do."""
        return self

    def start(self, batch: int = 1) -> State:
        """Return B banks without any turn."""
        rows = self.p0.expand(batch, -1, -1).clone()
        written = rows.new_full((batch, self.rows), -1, dtype=torch.long)
        return State(rows, written, written.new_zeros(batch))

    def forward(self, state: State, latents: Tensor, mask: Tensor) -> State:
        """Write one turn per conversation.

        Args:
            state: B banks; they are not changed.
            latents: (B, N, D), the turn's hidden states from the frozen encoder.
            mask: (B, N), 1 for a token and 0 for padding. Padding is never written.

        Returns:
            The B banks after the turn. A bank whose mask is all 0 does not change.

        Raises:
            ShapeError: The sizes do not fit.
        """
        return self.step(state, *self.checked(state, latents, mask))

    def checked(self, state: State, latents: Tensor, mask: Tensor) -> Turn:
        """Check the sizes of a turn, as in `forward`.

        Returns:
            Latents (B, N, D) in the type of the rows, 0 where they are padding, whatever was there; the mask as bool.

        Raises:
            ShapeError: The sizes do not fit.
        """
        if (
            latents.ndim != 3
            or latents.shape[0] != state.rows.shape[0]
            or latents.shape[2] != self.width
        ):
            raise ShapeError(
                f"expected latents ({state.rows.shape[0]}, N, {self.width}), not {tuple(latents.shape)}"
            )
        if mask.shape != latents.shape[:2]:
            raise ShapeError(f"expected a mask {tuple(latents.shape[:2])}, not {tuple(mask.shape)}")
        mask = mask.bool()
        # a product with the mask would keep NaN and inf
        return latents.to(state.rows.dtype).masked_fill(~mask[:, :, None], 0), mask

    def step(self, state: State, latents: Tensor, mask: Tensor) -> State:
        """Write one turn that is already `checked`."""
        rows, written = self.update(state, latents, mask)
        any_token = mask.any(1)
        return State(
            torch.where(any_token[:, None, None], rows, state.rows),
            torch.where(any_token[:, None], written, state.written),
            state.turns + any_token.long(),
        )

    def update(self, state: State, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the rule.

        Args:
            state: B banks.
            latents: (B, N, D), 0 where the mask is.
            mask: (B, N), bool.

        Returns:
            `rows` and `written` of the State after the turn.
        """
        raise NotImplementedError(f"{type(self).__name__} gives no update")

    def scan(self, state: State, turns: list[Turn]) -> State:
        """Write many turns, one after the other.

        Args:
            state: B banks; they are not changed.
            turns: For each turn latents (B, N, D) and mask (B, N), as in `forward`.

        Raises:
            ShapeError: The sizes of a turn do not fit.
        """
        if not turns:
            return state
        return self.update_all(state, [self.checked(state, *turn) for turn in turns])

    def update_all(self, state: State, turns: list[Turn]) -> State:
        """Apply the rule to turns that are `checked`. Rules that permit it do so at once, with the same result."""
        for latents, mask in turns:
            state = self.step(state, latents, mask)
        return state

    def merge(self, first: State, second: State) -> State:
        """Return the state after both conversations, as if the second had continued from the first.

        Raises:
            MethodError: What the rule writes depends on what is already in the bank.
        """
        raise MethodError(
            f"{type(self).__name__} writes depending on what is in the bank; two banks cannot be merged"
        )

    def readable(self, state: State) -> Tensor:
        """Return (B, R), True for rows that a read may use; none before the first turn."""
        return (state.turns > 0)[:, None].expand(-1, self.rows)

    def content(self, state: State) -> tuple[Tensor, Tensor]:
        """Return what a read gets: rows (B, R, ...), and which of them it may use (B, R)."""
        return state.rows, self.readable(state)

    @staticmethod
    def all_rows(state: State) -> Tensor:
        """Return `written` (B, R) of a rule that changes every row with every turn."""
        return state.turns[:, None].expand_as(state.written)


class SquareWrite(Write):
    """What the rules share that keep keys and values in a matrix: the maps W_K and W_V, (D, A)."""

    form = "square"

    def __init__(self, rows: int, width: int, whiten: bool = False, **options: Any):
        """Draw the maps.

        Args:
            rows: A.
            width: D.
            whiten: Set W_K to the map that whitens the backbone's latents (`adapt`), so that keys of different tokens differ.
            **options: Those of `Write`.
        """
        super().__init__(rows, width, **options)
        self.whiten = whiten
        self.w_k = self.draw(width, rows)
        self.w_v = self.draw(width, rows)

    @torch.no_grad()
    def adapt(self, model: PreTrainedModel) -> Self:
        """If `whiten` is set, fill the first D columns of W_K, and the others with zeros."""
        if self.whiten and not self.w_k.is_meta:
            self.w_k.copy_(padded(whitening(model)[0], self.rows))
        return self


def unit(rows: Tensor) -> Tensor:
    """Scale rows (..., D) to root mean square 1, as of a T5 latent before its norm's weights."""
    return rows * torch.rsqrt(rows.square().mean(-1, keepdim=True) + 1e-6)


def numbered_after(first: State, second: State) -> Tensor:
    """Return `written` (B, R) of the second state in the numbers of a conversation that begins with the first."""
    return torch.where(second.written >= 0, second.written + first.turns[:, None], -1)
