"""Type 1 training: only the adapter learns, from the answers, through a frozen decoder (paper, section 3.3; chapter 9).

The backbone is frozen, so each turn is encoded once; a write without weights to learn makes the same bank in every epoch, so
each bank is made once. What is left of a step is a batch of questions, each with the bank of its own conversation.
"""

import math
import random
import time

import torch
from torch.nn.utils import clip_grad_norm_

from lmem.bank import Bank, State
from lmem.config import TrainConfig
from lmem.errors import InputError
from lmem.progress import track


def make_banks(model, texts, batch=32, progress=True):
    """Write every conversation into a bank of its own, `batch` of them side by side: one Bank of all.

    texts   for each conversation its turns as the encoder sees them (`Conversation.texts`); turns that are
            too long for the backbone are cut
    """
    states = []
    chunks = [texts[i : i + batch] for i in range(0, len(texts), batch)]
    for chunk in track(chunks, "writing banks", progress):
        bank = model.new_bank(len(chunk))
        states.append(model.write(bank, chunk if len(chunk) > 1 else chunk[0], truncate=True).state)
    state = State(*(torch.cat(parts) for parts in zip(*states, strict=True)))
    return Bank(state, bank.owner, bank.backbone)


def train(model, conversations, config=None, progress=True):
    """Train the adapter of `model` on the questions of these conversations, asked at their end.

    model          MemoryModel; its read learns, its backbone does not change
    conversations  list of Conversation; questions without an answer are left out
    config         TrainConfig
    returns        dict: loss (mean of the last 100 steps), losses, seconds by phase, questions, parameters
    raises         InputError if there is nothing to learn or nothing to learn from
    """
    config = config or TrainConfig()
    learned = [p for p in model.parameters() if p.requires_grad]
    if not learned:
        raise InputError(f"expected a method with weights to learn, {model.method.name} has none")
    pairs = [
        (i, q.prompt, q.answer)
        for i, conversation in enumerate(conversations)
        for q in conversation.questions
        if q.answer is not None
    ]
    if not pairs:
        raise InputError(
            f"expected questions with answers in {len(conversations)} conversations, found none"
        )
    begun = time.perf_counter()
    rng = random.Random(f"dates {config.seed}")
    texts = [c.texts(dates=rng.random() >= config.undated) for c in conversations]
    banks = make_banks(model, texts, progress=progress)
    written = time.perf_counter()

    optimizer = torch.optim.AdamW(learned, lr=config.lr, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate(step, config)
    )
    draw = _epochs(pairs, config)
    losses = []
    for _ in track(range(config.steps), "training", progress):
        batch = next(draw)
        inputs = model.backbone.inputs([prompt for _, prompt, _ in batch], truncate=True)
        labels = model.backbone.labels([answer for _, _, answer in batch])
        with model.attached(banks.pick([i for i, _, _ in batch])):
            loss = model.backbone.model(**inputs, labels=labels, use_cache=False).loss
        loss.backward()
        clip_grad_norm_(learned, config.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    return {
        "loss": sum(losses[-100:]) / len(losses[-100:]),
        "losses": losses,
        "questions": len(pairs),
        "parameters": sum(p.numel() for p in learned),
        "seconds": {"write": written - begun, "train": time.perf_counter() - written},
    }


def learning_rate(step, config):
    """Share of `lr` at a step: linear warm-up, then a cosine to zero."""
    warm = min(1.0, (step + 1) / config.warmup)
    done = max(0, step - config.warmup) / max(1, config.steps - config.warmup)
    return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _epochs(pairs, config):
    """Endless batches; every question comes once before any comes twice."""
    rng = random.Random(f"train {config.seed}")
    queue = []
    while True:
        while len(queue) < config.batch:
            queue += rng.sample(pairs, len(pairs))
        yield queue[: config.batch]
        queue = queue[config.batch :]
