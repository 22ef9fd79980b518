"""The plain way of doing the same work, as most code does it: what lmem's speed is compared with (chapter 15).

One conversation, one turn and one question at a time. Every text is padded to 384 tokens and masked. Every turn is encoded and
written again in each epoch. There is no gradient where none is needed; threads, number type and optimiser are the same, so the
comparison is between two orders of work. Banks, losses and answers equal lmem's up to rounding.

`length` is the padding everywhere; None pads nothing, which shows how much of the difference is due to padding.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from lmem.backbone.backbone import MAX_TOKENS, Backbone
from lmem.data.conversation import Question
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel
from lmem.training.train import TrainConfig

Pair = tuple[Bank, Question]
Length = int | None


def inputs(backbone: Backbone, text: str, length: Length = MAX_TOKENS) -> dict[str, Tensor]:
    """Return input_ids and attention_mask of one text, (1, N)."""
    padding = {"padding": "max_length" if length else False, "max_length": length or MAX_TOKENS}
    batch = backbone.tokenizer([text], truncation=True, return_tensors="pt", **padding)
    return {name: batch[name].to(backbone.device) for name in ("input_ids", "attention_mask")}


@torch.no_grad()
def encode(backbone: Backbone, text: str, length: Length = MAX_TOKENS) -> tuple[Tensor, Tensor]:
    """Return latents (1, N, D) and mask (1, N) of one turn."""
    batch = inputs(backbone, text, length)
    return backbone.encoder(**batch).last_hidden_state, batch["attention_mask"]


@torch.no_grad()
def write(model: MemoryModel, texts: Sequence[str], length: Length = MAX_TOKENS) -> Bank:
    """Return the bank of one conversation, written turn by turn."""
    bank = model.new_bank()
    for text in texts:
        state = model.write_rule(bank.state, *encode(model.backbone, text, length))
        bank = replace(bank, state=state)
    return bank


def logits(
    model: MemoryModel, bank: Bank, prompt: str, labels: Tensor, length: Length = MAX_TOKENS
) -> Tensor:
    """Answer one question teacher-forced: labels (1, N) -> (N, vocabulary)."""
    with model.attached(bank):
        batch = inputs(model.backbone, prompt, length)
        return model.backbone.model(**batch, labels=labels, use_cache=False).logits[0].float()


def loss(model: MemoryModel, bank: Bank, question: Question, length: Length = MAX_TOKENS) -> Tensor:
    """Return the negative log-likelihood of one question's answer, in nats, summed over its tokens: ()."""
    labels = model.backbone.labels([str(question.answer)])
    predicted = logits(model, bank, question.prompt, labels, length)
    return cross_entropy(predicted, labels[0], reduction="sum")


def learn(
    model: MemoryModel,
    optimizer: torch.optim.Optimizer,
    batch: Sequence[Pair],
    clip: float = 1.0,
    length: Length = MAX_TOKENS,
) -> float:
    """Take one step of the optimiser; the gradients of the questions are added up one by one.

    Returns:
        The mean loss of an answer's token, in nats.
    """
    tokens = sum(model.backbone.labels([str(question.answer)]).numel() for _, question in batch)
    total = 0.0
    for bank, question in batch:
        share = loss(model, bank, question, length) / tokens
        share.backward()
        total += share.item()
    clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def optimizer_of(model: MemoryModel, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW over the weights that learn."""
    learned = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.AdamW(learned, lr=config.lr, weight_decay=config.weight_decay)


def answer(
    model: MemoryModel, bank: Bank, prompt: str, length: Length = MAX_TOKENS, **options: Any
) -> str:
    """Return one greedy answer from a bank; options of transformers' generate."""
    with model.attached(bank):
        [text] = model.backbone.generate(inputs(model.backbone, prompt, length), **options)
    return text
