"""Hebbian write (M.4): strengthen the link between features that occur together.

    M <- clamp(gamma M + (1/N) (Z W_KH)^T (Z W_VH)),   clamp(X) = X / max(|X|_F, 1)      paper, section 3; chapter 7

M is (A, A) and starts at zero (the released code starts at noise: an option); W_KH, W_VH are (D, A), random, N(0, 1/D); N is the
turn's tokens. `normalise` applies the clamp, as the paper prints it. Without the clamp a conversation can be written as one
matrix product.
"""

from typing import Any

import torch
from torch import Tensor

from lmem.errors import MethodError
from lmem.memory.bank import State
from lmem.memory.write.base import SquareWrite, Turn, numbered_after


class HebbianWrite(SquareWrite):
    """Write the outer products of keys and values into a matrix."""

    def __init__(
        self, rows: int, width: int, normalise: bool = True, noise: float = 0.0, **options: Any
    ):
        """Draw the maps; with `noise` M_0 is random, as in the paper's released code. See `Write`."""
        super().__init__(rows, width, normalise=normalise, noise=noise, **options)

    def update(self, state: State, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        keys, values = latents @ self.w_k, latents @ self.w_v  # (B, N, A)
        tokens = mask.sum(1).clamp(min=1)[:, None, None]  # (B, 1, 1)
        rows = self.gamma * state.rows + keys.transpose(1, 2) @ values / tokens  # (B, A, A)
        return self.clamp(rows) if self.normalise else rows, self.all_rows(state)

    def update_all(self, state: State, turns: list[Turn]) -> State:
        """Without the clamp M_T = gamma^T M_0 + sum_t gamma^(T-1-t) K_t^T V_t / N_t, one product over all tokens.

        K_t = Z_t W_KH, V_t = Z_t W_VH, turns t = 0..T-1.
        """
        if self.normalise:
            return super().update_all(state, turns)
        masks = [mask for _, mask in turns]
        mask = torch.cat(masks, 1)  # (B, all N)
        latents = torch.cat([latents for latents, _ in turns], 1)  # (B, all N, D)
        has_tokens = torch.stack([m.any(1) for m in masks], 1).long()  # (B, T)
        turns_after = has_tokens.sum(1, keepdim=True) - has_tokens.cumsum(1)  # (B, T)
        decay_left = self.gamma ** turns_after.to(latents.dtype)
        tokens = torch.stack([m.sum(1).clamp(min=1) for m in masks], 1)  # (B, T)
        lengths = torch.tensor([m.shape[1] for m in masks], device=mask.device)
        weight = (decay_left / tokens).repeat_interleave(lengths, 1) * mask  # (B, all N)
        keys, values = latents @ self.w_k * weight[:, :, None], latents @ self.w_v
        turns_written = has_tokens.sum(1)  # (B,)
        faded = self.gamma ** turns_written.to(latents.dtype)[:, None, None] * state.rows
        last = (state.turns + turns_written - 1)[:, None]
        written = torch.where(turns_written[:, None] > 0, last, state.written)
        return State(faded + keys.transpose(1, 2) @ values, written, state.turns + turns_written)

    def merge(self, first: State, second: State) -> State:
        """Without the clamp: gamma^T M_1 + M_2, T = turns in the second bank (M_2 has already decayed)."""
        if self.normalise:
            raise MethodError(
                "a clamped Hebbian bank depends on its order; only normalise=False merges"
            )
        if self.noise:
            raise MethodError("expected noise=0 to merge, both banks contain the same random start")
        faded = self.gamma ** second.turns.to(first.rows.dtype)[:, None, None] * first.rows
        later = numbered_after(first, second)
        written = torch.where(later >= 0, later, first.written)
        return State(faded + second.rows, written, first.turns + second.turns)

    @staticmethod
    def clamp(rows: Tensor) -> Tensor:
        """Return `X / max(|X|_F, 1)`, one Frobenius norm for each bank."""
        norm = rows.flatten(1).norm(dim=1)[:, None, None]  # (B, 1, 1)
        return rows / norm.clamp(min=1)
