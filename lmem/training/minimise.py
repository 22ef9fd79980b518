"""The plain loop of the lessons before the decoder: AdamW or Muon, a warm-up of 50 steps, then a cosine to zero (chapter 14)."""

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
    muon_lr: float | None = None,
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
        muon_lr: Peak learning rate of Muon, for matrices; the rest learns by AdamW. None: AdamW for all.

    Returns:
        The loss of each step.
    """
    matrices = [p for p in weights if p.ndim == 2 and min(p.shape) > 1] if muon_lr else []
    in_matrices = {id(p) for p in matrices}
    others = [p for p in weights if id(p) not in in_matrices]
    decay = config.weight_decay
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(others, lr=lr, weight_decay=decay)]
    if muon_lr:
        optimizers.append(
            torch.optim.Muon(matrices, muon_lr, decay, adjust_lr_fn="match_rms_adamw")
        )

    def rate(step: int) -> float:
        return min(1, (step + 1) / 50) * (1 + math.cos(math.pi * step / steps)) / 2

    schedules = [torch.optim.lr_scheduler.LambdaLR(each, rate) for each in optimizers]
    for p in weights:  # of another loss before this one
        p.grad = None
    losses = []
    for _ in track(range(steps), title, progress):
        loss = loss_of()
        loss.backward()
        clip_grad_norm_(weights, config.clip)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            schedule.step()
        losses.append(loss.item())
    return losses


def hundreds(losses: Sequence[float]) -> list[float]:
    """Average each hundred steps."""
    parts = [losses[i : i + 100] for i in range(0, len(losses), 100)]
    return [sum(part) / len(part) for part in parts]
