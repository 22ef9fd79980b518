"""The plain way of doing the same work, as most code does it: the measure of ours (chapter 15).

One conversation, one turn and one question at a time; every text padded to 384 tokens, and masked; every turn encoded again and
written again in each epoch. No gradient where none is needed, all threads, the same type of numbers, the same optimiser: what is
compared is the order of the work, not care against carelessness. Banks, losses and answers equal ours up to rounding.

`length` is the padding everywhere; None pads nothing, which tells how much of the difference is padding.
"""

from dataclasses import replace
from itertools import islice

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from lmem.backbone.backbone import MAX_TOKENS
from lmem.training.train import learning_rate


def inputs(backbone, text, length=MAX_TOKENS):
    """One text as the encoder takes it: input_ids and attention_mask, (1, N)."""
    found = backbone.tokenizer(
        [text], padding="max_length" if length else False, max_length=length or MAX_TOKENS,
        truncation=True, return_tensors="pt",
    )  # fmt: skip
    return {name: found[name].to(backbone.device) for name in ("input_ids", "attention_mask")}


@torch.no_grad()
def encode(backbone, text, length=MAX_TOKENS):
    """One turn: latents (1, N, D) and mask (1, N)."""
    batch = inputs(backbone, text, length)
    return backbone.encoder(**batch).last_hidden_state, batch["attention_mask"]


@torch.no_grad()
def write(model, texts, length=MAX_TOKENS):
    """The bank of one conversation, turn by turn."""
    bank = model.new_bank()
    for text in texts:
        bank = replace(
            bank, state=model.write_rule(bank.state, *encode(model.backbone, text, length))
        )
    return bank


def logits(model, bank, prompt, labels, length=MAX_TOKENS):
    """What the model says to one question, teacher-forced: labels (1, N) -> (N, vocabulary)."""
    with model.attached(bank):
        batch = inputs(model.backbone, prompt, length)
        return model.backbone.model(**batch, labels=labels, use_cache=False).logits[0].float()


def loss(model, bank, question, length=MAX_TOKENS):
    """Negative log-likelihood of one question's answer, in nats, summed over its tokens."""
    labels = model.backbone.labels([question.answer])
    said = logits(model, bank, question.prompt, labels, length)
    return cross_entropy(said, labels[0], reduction="sum")


def learn(model, optimizer, batch, clip=1.0, length=MAX_TOKENS):
    """One step of the optimiser; the gradients of its questions are added up one by one.

    batch    list of (bank, question)
    returns  the mean loss of an answer's token, in nats
    """
    tokens = sum(model.backbone.labels([question.answer]).numel() for _, question in batch)
    total = 0.0
    for bank, question in batch:
        share = loss(model, bank, question, length) / tokens
        share.backward()
        total += share.item()
    clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def optimizer_of(model, config):
    """AdamW over what learns."""
    learned = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.AdamW(learned, lr=config.lr, weight_decay=config.weight_decay)


def train(model, conversations, config, length=MAX_TOKENS):
    """All of Type 1 training, for `config.epochs`; returns the loss of each step."""
    asked = [[q for q in c.questions if q.answer is not None] for c in conversations]
    steps = config.total_steps(sum(map(len, asked)))
    optimizer, losses = optimizer_of(model, config), []

    def lessons():
        for _ in range(config.epochs):
            for conversation, questions in zip(conversations, asked, strict=True):
                bank = write(model, conversation.texts(), length)
                yield from ((bank, question) for question in questions)

    lesson = lessons()
    while batch := list(islice(lesson, config.batch)):
        rate = config.lr * learning_rate(len(losses), config, steps)
        optimizer.param_groups[0]["lr"] = rate
        losses.append(learn(model, optimizer, batch, config.clip, length))
    return losses


def answer(model, bank, prompt, max_new_tokens=32, length=MAX_TOKENS):
    """One greedy answer from a bank."""
    with model.attached(bank):
        [found] = model.backbone.generate(
            inputs(model.backbone, prompt, length), max_new_tokens=max_new_tokens
        )
    return found


def evaluate(model, conversations, max_new_tokens=32, length=MAX_TOKENS):
    """Every question of every conversation, asked at its end: list of answers."""
    answers = []
    for conversation in conversations:
        bank = write(model, conversation.texts(), length)
        for question in conversation.questions:
            answers.append(answer(model, bank, question.prompt, max_new_tokens, length))
    return answers
