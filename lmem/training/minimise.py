"""The plain loop of the lessons before the decoder: AdamW, a warm-up of 50 steps, then a cosine to zero (chapter 14)."""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from lmem.utils.progress import track


class Decay(Protocol):
    """What a configuration says about every step: weight_decay of AdamW, and the norm above which a gradient is scaled down."""

    @property
    def weight_decay(self) -> float: ...
    @property
    def clip(self) -> float: ...


def minimise(
    loss_of: Callable[[], Tensor],
    weights: Sequence[nn.Parameter],
    config: Decay,
    steps: int,
    lr: float,
    title: str,
    progress: bool = True,
) -> list[float]:
    """Minimise a loss that draws its own batches.

    Args:
        loss_of: Draws a batch and computes its loss, ().
        weights: What learns.
        config: Weight decay and clipping.
        steps: Optimiser steps.
        lr: Peak learning rate.
        title: Of the progress bar.
        progress: Show it.

    Returns:
        The loss of each step.
    """
    optimizer = torch.optim.AdamW(weights, lr=lr, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min(1, (s + 1) / 50) * (1 + math.cos(math.pi * s / steps)) / 2
    )
    optimizer.zero_grad(set_to_none=True)  # of another loss before this one
    losses = []
    for _ in track(range(steps), title, progress):
        loss = loss_of()
        loss.backward()
        clip_grad_norm_(weights, config.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        losses.append(loss.item())
    return losses


def hundreds(losses: Sequence[float]) -> list[float]:
    """Average each hundred steps."""
    parts = [losses[i : i + 100] for i in range(0, len(losses), 100)]
    return [sum(part) / len(part) for part in parts]
