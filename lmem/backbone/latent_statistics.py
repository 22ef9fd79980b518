"""Latents of the vocabulary: what the frozen encoder returns for each token alone, for maps that are fitted to a backbone."""

from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

BATCH = 512  # tokens that are encoded at once


@torch.no_grad()
def vocabulary_latents(model: PreTrainedModel) -> Tensor:
    """Return (V, D), the hidden state of each of the V tokens, read alone with the end of the text behind it."""
    embeddings: Any = model.get_input_embeddings()
    encoder, weight = model.get_encoder(), embeddings.weight
    tokens = torch.arange(len(weight), device=weight.device)
    pairs = torch.stack([tokens, torch.full_like(tokens, model.config.eos_token_id)], 1)  # (V, 2)
    return torch.cat([encoder(part).last_hidden_state[:, 0] for part in pairs.split(BATCH)])
