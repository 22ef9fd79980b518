"""Latents of the vocabulary: what the frozen encoder returns for each token alone, for maps that are fitted to a backbone."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
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


@torch.no_grad()
def whitening(model: PreTrainedModel, ridge: float = 0.01) -> tuple[Tensor, Tensor]:
    """Return the map (D, D) that whitens the vocabulary's latents and drops their mean, and their root mean square ().

    W = (1 - m m^T / (m^T m)) (C + r c 1)^(-1/2),   C covariance, m mean, c mean variance, r = `ridge`
    """
    latents = vocabulary_latents(model).double()
    mean = latents.mean(0)
    sizes, vectors = torch.linalg.eigh(torch.cov(latents.T))
    white = vectors * (sizes + ridge * sizes.mean()).rsqrt() @ vectors.T
    away = torch.eye(len(mean)).to(white) - torch.outer(mean, mean) / mean.square().sum()
    return away @ white, latents.square().mean().sqrt()


def padded(weight: Tensor, columns: int) -> Tensor:
    """Return the first columns of a map (D, D), with zeros behind them if there are too few: (D, columns)."""
    return pad(weight[:, :columns], (0, max(0, columns - weight.shape[1])))
