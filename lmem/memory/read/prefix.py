"""Prefix read (M.1): the bank becomes soft tokens before the encoder's input; the frozen encoder selects among them.

    S = U_P P W_P;  Z = E([S; x]) without its first m positions      paper, section 3; chapter 3

U_P mixes R rows into m; it is the identity when m = R. W_P starts at zero. `start="embeddings"` starts it at the least-squares map
from what the encoder returns for a token alone to that token's embedding: where rows are latents, soft tokens then are
approximately the words that were said.
"""

from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lmem.errors import MethodError
from lmem.memory.read.base import Read, extra_mask

RIDGE = 1e-2  # of the least squares, times the mean square of the latents
BATCH = 512  # tokens that are encoded at once


class PrefixRead(Read):
    """Read through `length` soft tokens (m); default: one for each row."""

    site = "encoder_input"

    def __init__(
        self,
        width: int,
        layers: int,
        rows: int,
        length: int | None = None,
        start: Literal["zero", "embeddings"] = "zero",
    ):
        """Draw U_P, if there is one; `start` is that of W_P."""
        super().__init__()
        if length is not None and not 1 <= length <= rows:
            raise MethodError(
                f"a prefix of a bank with {rows} rows has 1 to {rows} tokens, not {length}"
            )
        self.start = start
        self.w_p = nn.Parameter(torch.zeros(width, width))
        mix = None if length in (None, rows) else torch.randn(length, rows) / rows**0.5
        self.u_p: Tensor | None
        self.register_buffer("u_p", mix)  # not listed as trainable in the paper

    @torch.no_grad()
    def adapt(self, model: PreTrainedModel, modules: list[Any]) -> Self:
        """If `start` is "embeddings", fit W_P to the backbone's vocabulary."""
        embeddings = model.get_input_embeddings().weight
        if self.start == "embeddings" and not embeddings.is_meta:
            encoder, end = model.get_encoder(), model.config.eos_token_id
            tokens = torch.arange(len(embeddings), device=embeddings.device)
            pairs = torch.stack([tokens, torch.full_like(tokens, end)], 1)  # (V, 2)
            states = [encoder(part).last_hidden_state[:, 0] for part in pairs.split(BATCH)]
            latents = torch.cat(states).double()  # (V, D)
            gram = latents.T @ latents
            gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram)).to(gram)
            fitted = torch.linalg.solve(gram, latents.T @ embeddings.double())
            self.w_p.copy_(fitted.to(self.w_p))
        return self

    def forward(self, rows: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the soft tokens (B, m, D) of rows (B, R, D), and their mask (B, m)."""
        if self.u_p is None:
            return rows @ self.w_p, mask
        mixed = self.u_p @ (rows * mask[:, :, None])  # (B, m, D)
        return mixed @ self.w_p, extra_mask(mask, mixed.shape[1])
