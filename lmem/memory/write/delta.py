"""Delta write: subtract what a key already recalls before adding its value, so that a newer fact replaces an older one.

    M <- M + b_n k_n (v_n - M^T k_n)^T for every token n,   k_n = K_n / |K_n|,   K = Z W_K,   V = Z W_V,   b = sigmoid(Z w_b)

after the delta rule (Widrow and Hoff, 1960) as a fast-weight memory (Schlag et al., 2021; Yang et al., 2024); chapter 7. M is
(A, A) and starts at zero; `gamma` decays it once a turn (1 by default: no decay). All tokens of a turn are written at once:
with b on the diagonal of B, their true values U solve (I + B tril(K K^T, -1)) U = B (V - K M), and M <- M + K^T U.
`normalise` scales the keys to length 1 (on by default); without it long keys overshoot.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lmem.memory.bank import State
from lmem.memory.write.base import SquareWrite


class DeltaWrite(SquareWrite):
    """Write the difference between a token's value and what the matrix recalls for its key."""

    def __init__(
        self,
        rows: int,
        width: int,
        gamma: float = 1.0,
        normalise: bool = True,
        noise: float = 0.0,
        **options: Any,
    ):
        super().__init__(rows, width, gamma=gamma, normalise=normalise, noise=noise, **options)
        self.w_b = self.draw(width)

    def update(self, state: State, latents: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        keys, values = latents @ self.w_k, latents @ self.w_v  # (B, N, A)
        if self.normalise:
            keys = normalize(keys, dim=2)
        strength = torch.sigmoid(latents @ self.w_b)[:, :, None] * mask[:, :, None]  # (B, N, 1)
        rows = self.gamma * state.rows
        system = torch.eye(mask.shape[1], dtype=keys.dtype, device=keys.device)
        system = system + (strength * keys @ keys.transpose(1, 2)).tril(-1)  # (B, N, N)
        right = strength * (values - keys @ rows)  # (B, N, A)
        true = torch.linalg.solve_triangular(system, right, upper=False, unitriangular=True)
        return rows + keys.transpose(1, 2) @ true, self.all_rows(state)  # (B, A, A)
