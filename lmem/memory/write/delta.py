"""Delta write: what a key recalls already is taken off before its value is added, so a newer fact replaces an older one.

    M <- M + b_n k_n (v_n - M^T k_n)^T for every token n,   k_n = K_n / |K_n|,   K = Z W_K,   V = Z W_V,   b = sigmoid(Z w_b)

after the delta rule (Widrow and Hoff, 1960) as a fast-weight memory (Schlag et al., 2021; Yang et al., 2024); chapter 7. M is
(A, A) and starts at zero; `gamma` decays it once a turn (1, none, by default). A turn is written at once: with beta on the
diagonal of B, the tokens' true values solve the triangular system (I + B tril(K K^T, -1)) U = B (V - K M), and M <- M + K^T U.
`normalise` is the keys' (on by default); without it long keys overshoot.
"""

import torch
from torch.nn.functional import normalize

from lmem.memory.write.base import Write


class DeltaWrite(Write):
    form = "square"

    def __init__(self, rows, width, gamma=1.0, normalise=True, **options):
        super().__init__(rows, width, gamma=gamma, normalise=normalise, **options)
        for name in ("w_k", "w_v"):
            self.map(name, width, rows)
        self.map("w_b", width)

    def update(self, state, latents, mask):
        keys, values = latents @ self.w_k, latents @ self.w_v  # (B, N, A)
        if self.normalise:
            keys = normalize(keys, dim=2)
        strength = torch.sigmoid(latents @ self.w_b)[:, :, None] * mask[:, :, None]  # (B, N, 1)
        rows = self.gamma * state.rows
        system = torch.eye(mask.shape[1], dtype=keys.dtype, device=keys.device)
        system = system + (strength * keys @ keys.transpose(1, 2)).tril(-1)  # (B, N, N)
        right = strength * (values - keys @ rows)  # (B, N, A)
        true = torch.linalg.solve_triangular(system, right, upper=False, unitriangular=True)
        return rows + keys.transpose(1, 2) @ true, self.all_rows(state)
