"""Type 1 (training by answers): only the adapter learns, through a frozen decoder (paper, section 3.3; chapter 9).

    theta <- AdamW(theta, clip(grad L)),   L = -log p(answer | question, Read_theta(P_T)) per token

The backbone is frozen. Turns that are written are encoded once, before the first step; questions too, unless the bank enters
before the encoder. Each question reads its conversation's bank at the turn where it is asked, or the constant one.

The data are in `dataset`, the banks in `banks`, the loss in `loss`, what a killed run continues from in `checkpoint`; what
several processes share is in `processes`.
"""

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from accelerate import Accelerator
from torch import nn
from torch.nn.utils import clip_grad_norm_

from lmem.data.conversation import Conversation
from lmem.errors import InputError
from lmem.memory.model import MemoryModel
from lmem.training.banks import ConstantBanks, FixedBanks, LearnedBanks, constant_bank, make_banks
from lmem.training.checkpoint import Checkpoint
from lmem.training.dataset import Batches, QuestionDataset
from lmem.training.loss import AnswerLoss
from lmem.training.processes import start_processes, sum_over_processes
from lmem.utils.progress import track
from lmem.utils.settings import AtLeast0, AtLeast1, NotNegative, Positive, Settings, Share, settings


@settings
class TrainConfig(Settings):
    """Settings of Type 1 training (paper, section 3.3 and table 1; chapter 9).

    Attributes:
        steps: Optimiser steps.
        epochs: How often every question comes, instead of `steps`.
        batch: Questions of one step.
        micro: Questions of a step that pass through the model at once; their gradients are added up, so this changes memory
            and not the result. 0 is the whole batch.
        lr: Peak learning rate.
        weight_decay: Of AdamW.
        eps: Of AdamW, added to the root of the second moment. Where gradients are not far above it, steps are far smaller than
            `lr`: those of M.4 have a median of 2e-9, so its first step is about 0.2 lr with 1e-8, and about lr with 1e-12.
        warmup: Steps of linear warm-up, followed by a cosine to zero.
        clip: Norm above which the gradient is scaled down.
        window: Turns at the end of a bank through which a learned write carries gradient.
        cuts: Number of random points of each conversation at which questions are asked, in addition to its end.
        undated: Share of the conversations whose turns are written without the session's date.
        constant: Control: every question reads the same bank, in which no turn was written.
        check: Steps between two measurements of the validation loss.
        patience: Stop after this many measurements without a better one; 0 never stops.
        save_every: Steps between two checkpoints.
        seed: Of the order of questions, of the cuts, and of which conversations are undated.
    """

    steps: AtLeast1 = 1500
    epochs: AtLeast1 | None = None
    batch: AtLeast1 = 32
    micro: AtLeast0 = 0
    lr: Positive = 2e-3
    weight_decay: NotNegative = 1e-2
    eps: Positive = 1e-8
    warmup: AtLeast1 = 100
    clip: Positive = 1.0
    window: AtLeast1 = 8
    cuts: AtLeast0 = 0
    undated: Share = 0.25
    constant: bool = False
    check: AtLeast1 = 250
    patience: AtLeast0 = 3
    save_every: AtLeast1 = 250
    seed: int = 42

    @classmethod
    def paper(cls, **changes: Any) -> Self:
        """Return table 1 of the paper: no early stop, all dates, questions at the end only.

        Args:
            **changes: Settings that differ from the table.
        """
        optimiser = {"lr": 1e-4, "weight_decay": 1e-2, "warmup": 200, "clip": 1.0}
        data = {"epochs": 10, "batch": 16, "window": 8, "seed": 42, "undated": 0.0}
        values: dict[str, Any] = {**optimiser, **data, "patience": 0, **changes}
        return cls(**values)

    def total_steps(self, questions: int) -> int:
        """Return the optimiser steps for this many questions."""
        if self.epochs is None:
            return self.steps
        return math.ceil(self.epochs * questions / self.batch)


def train(
    model: MemoryModel,
    conversations: Sequence[Conversation],
    config: TrainConfig | None = None,
    progress: bool = True,
    validation: Sequence[Conversation] | None = None,
    folder: str | Path | None = None,
) -> dict[str, Any]:
    """Train the adapter of `model` on the questions of these conversations.

    Args:
        model: Its adapter learns in place; its backbone does not change.
        conversations: Questions without an answer are left out.
        config: Default: `TrainConfig()`.
        progress: Show progress bars.
        validation: Other conversations. Their loss is measured every `check` steps, the best weights are kept, and
            training stops after `patience` checks without a better one. The paper's preset has none.
        folder: Where checkpoints and the log go. A run that finds its own checkpoint there continues it.

    Returns:
        loss (mean of the last 100 steps), losses, validation, steps, questions, processes, parameters, and
        seconds by phase.

    Raises:
        InputError: The method has no weights, or no question has an answer; the folder has the checkpoint of another
            run; or `accelerate` is set to a precision in which T5 overflows.
    """
    config = config or TrainConfig()
    weights = trained_weights(model, config)
    if not weights:
        raise InputError(f"expected a method with weights to learn, {model.method.name} has none")
    processes = start_processes(model.backbone.device)
    progress = progress and processes.is_main_process
    started = time.perf_counter()
    answer_loss = prepare_loss(model, conversations, config, progress, processes)
    validation_loss = (
        prepare_loss(model, validation, config, progress, processes) if validation else None
    )
    prepared = time.perf_counter()

    examples = answer_loss.dataset.examples
    steps = config.total_steps(len(examples))
    batches = Batches(examples, config.batch, config.seed)
    optimizer = torch.optim.AdamW(
        weights.values(), config.lr, eps=config.eps, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_factor(step, config, steps)
    )
    datasets = [loss.dataset for loss in (answer_loss, validation_loss) if loss is not None]
    resumable = {"optimizer": optimizer, "schedule": schedule, "batches": batches}
    run = Checkpoint(folder, identity(model, config, datasets), weights, resumable)
    run.load()
    for _ in track(range(run.step, steps), "training", progress):
        if run.stalled(config.patience):
            break
        # forward and backward: this process's share of the batch
        batch = next(batches)
        mine = batch[processes.process_index :: processes.num_processes]
        tokens, loss = sum(answer_loss.answer_lengths(batch)), None
        size = config.micro or len(batch)
        for start in range(0, len(mine), size):
            with processes.autocast():
                part = answer_loss(mine[start : start + size], tokens=tokens)
            part.backward()
            loss = part.detach() if loss is None else loss + part.detach()
        batch_loss = sum_over_processes(processes, weights.values(), loss)
        # update
        clip_grad_norm_(weights.values(), config.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        run.record(batch_loss, float(schedule.get_last_lr()[0]))
        schedule.step()
        # validation and checkpoint
        last = run.step == steps
        if validation_loss is not None and (run.step % config.check == 0 or last):
            run.check(validation_loss.mean(config.micro or config.batch))
        if run.step % config.save_every == 0 or last or run.stalled(config.patience):
            run.save(writes=processes.is_main_process)
    run.restore_best()
    processes.wait_for_everyone()
    recent = run.losses[-100:]
    return {
        "loss": sum(recent) / len(recent),
        "losses": run.losses,
        "validation": run.checks,
        "steps": run.step,
        "questions": len(examples),
        "processes": processes.num_processes,
        "parameters": sum(p.numel() for p in weights.values()),
        "seconds": {"write": prepared - started, "train": time.perf_counter() - prepared},
    }


def learning_rate_factor(step: int, config: TrainConfig, steps: int | None = None) -> float:
    """Return the factor of `lr` at a step, from 0 to 1: linear warm-up, then a cosine to zero.

    Args:
        step: From 0.
        config: Its `warmup` is used, and its `steps` if the next argument is not given.
        steps: Of the whole run.
    """
    steps = steps or config.steps
    warm = min(1.0, (step + 1) / config.warmup)
    done = max(0, step - config.warmup) / max(1, steps - config.warmup)
    return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def trained_weights(model: MemoryModel, config: TrainConfig) -> dict[str, nn.Parameter]:
    """Return {name: weight} of everything that the answers' gradient reaches.

    Weights behind hard choices (`choices` of write and read) get no gradient; with a constant bank no write weight does.
    """
    parts = {} if model.write_rule is None else {"write_rule": model.write_rule, "read": model.read}
    fixed = tuple(f"{part}.{name}" for part, module in parts.items() for name in module.choices)
    if config.constant:
        fixed = ("write_rule.", *fixed)
    return {
        name: p
        for name, p in model.named_parameters()
        if p.requires_grad and not name.startswith(fixed)
    }


def prepare_loss(
    model: MemoryModel,
    conversations: Sequence[Conversation],
    config: TrainConfig,
    progress: bool = True,
    processes: Accelerator | None = None,
) -> AnswerLoss:
    """Return the loss of these conversations' questions; encodes turns and questions, and writes fixed banks, now.

    Args:
        model: Encodes, writes and reads.
        conversations: Where the questions come from.
        config: Says when questions are asked, and how banks are made.
        progress: Show a progress bar.
        processes: From `start_processes`; each encodes and writes its share.

    Raises:
        InputError: No question has an answer.
    """
    dataset = QuestionDataset(conversations, config.cuts, config.undated, config.seed)
    if config.constant:
        banks = ConstantBanks(constant_bank(model))
    elif any(p.requires_grad for p in model.write_rule.parameters()):
        banks = LearnedBanks(model, dataset, config.window, processes)
    else:
        texts, cuts = dataset.texts, dataset.cuts
        banks = FixedBanks(make_banks(model, texts, cuts, progress=progress, processes=processes))
    return AnswerLoss(model, dataset, banks, processes)


def identity(
    model: MemoryModel, config: TrainConfig, datasets: Sequence[QuestionDataset]
) -> list[Any]:
    """Return what is trained, how, and on what, as plain values: only a run with the same ones may be continued."""
    adapter = [model.owner, model.options, model.seed, model.backbone.fingerprint]
    settings = json.loads(config.to_json())
    del settings["micro"]  # a run may continue with smaller micro-batches
    if settings["eps"] == TrainConfig.eps:
        del settings["eps"]  # checkpoints from before this setting can be continued
    return [
        json.dumps(settings, indent=1),
        adapter,
        [[d.texts, d.cuts, d.examples] for d in datasets],
    ]
