"""Hebbian write (M.4): features that occur together strengthen their link.

    M <- clamp(gamma M + (1/N) (Z W_KH)^T (Z W_VH)),   clamp(X) = X / max(|X|_F, 1)      paper, section 3; chapter 7

M is square, (A, A), and starts at zero. W_KH, W_VH are random, N(0, 1/D). The clamp is what `normalise` means here (on, as
printed); without it the rule is linear and a whole conversation is one product.
"""

import torch

from lmem.errors import MethodError
from lmem.memory.bank import State
from lmem.memory.write.base import Write


class HebbianWrite(Write):
    form = "square"

    def __init__(self, rows, width, normalise=True, **options):
        super().__init__(rows, width, normalise=normalise, **options)
        for name in ("w_k", "w_v"):
            self.map(name, width, rows)

    def update(self, state, latents, mask):
        keys, values = latents @ self.w_k, latents @ self.w_v  # (B, N, A)
        tokens = mask.sum(1).clamp(min=1)[:, None, None]
        rows = self.gamma * state.rows + keys.transpose(1, 2) @ values / tokens  # (B, A, A)
        return self._clamp(rows) if self.normalise else rows, self.all_rows(state)

    def scan(self, state, turns):
        """Without the clamp M_T = gamma^T M_0 + sum_t gamma^(T-1-t) K_t^T V_t / N_t, one product over all tokens."""
        if self.normalise or not turns:
            return super().scan(state, turns)
        latents, mask = (torch.cat(parts, 1) for parts in zip(*turns, strict=True))
        some = torch.stack([one.bool().any(1) for _, one in turns], 1).long()  # (B, T)
        left = self.gamma ** (some.sum(1, keepdim=True) - some.cumsum(1)).to(state.rows.dtype)
        tokens = torch.stack([one.sum(1).clamp(min=1) for _, one in turns], 1)
        lengths = torch.tensor([one.shape[1] for _, one in turns], device=mask.device)
        weight = (left / tokens).repeat_interleave(lengths, 1) * mask.bool()  # (B, all N)
        latents = latents.to(state.rows.dtype) * mask.bool()[:, :, None]
        keys, values = latents @ self.w_k * weight[:, :, None], latents @ self.w_v
        count = some.sum(1)
        kept = self.gamma ** count.to(state.rows.dtype)[:, None, None] * state.rows
        last = torch.where(count > 0, state.turns + count - 1, -1)[:, None]
        written = torch.where(last >= 0, last, state.written)
        return State(kept + keys.transpose(1, 2) @ values, written, state.turns + count)

    def merge(self, first, second):
        """Without the clamp: gamma^T M_1 + M_2, T the turns of the second bank (its own decay is done)."""
        if self.normalise:
            raise MethodError(
                "a clamped Hebbian bank depends on its order; only normalise=False merges"
            )
        faded = self.gamma ** second.turns.to(first.rows.dtype)[:, None, None] * first.rows
        later = torch.where(
            second.written >= 0, second.written + first.turns[:, None], first.written
        )
        return State(faded + second.rows, later, first.turns + second.turns)

    @staticmethod
    def _clamp(rows):
        """X / max(|X|_F, 1), one Frobenius norm for each bank."""
        norm = rows.flatten(1).norm(dim=1)[:, None, None]
        return rows / norm.clamp(min=1)
