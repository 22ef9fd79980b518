"""Supervision by evidence: a keyed write and its read learn which turn answers which question (chapter 14).

The write's choices (keep a turn, replace a row) have no gradient, so they are trained in a soft form, before the decoder is used.
Turn t is kept with probability b_t and corrects an older one with probability e_t. A later turn u that does both removes it, as
far as their keys are alike:

    log w_t = log b_t + sum_{u>t} log(1 - b_u e_u m_ut),   m_ut = sigmoid(25 (k_u . k_t - theta))
    L = -log p(evidence | question, keys, w)      for both hops, with a margin; "nothing" for a question without an answer
        - log p(first token of the answer | value of the evidence)      through the frozen embeddings
        + price of every turn that is kept, and of every one that corrects

p is the read's own softmax. Keys of the other conversations of a batch are added as distractors, so that 100 turns teach what 600
need. Noise on the logits of the gates makes them decide. Afterwards all of this is frozen, and `lmem.training.train` trains the
rest: how the read passes on what it found to the decoder.
"""

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lmem.backbone.backbone import pad
from lmem.data.conversation import Conversation
from lmem.errors import InputError
from lmem.memory.model import MemoryModel
from lmem.memory.read.recall import RecallRead
from lmem.memory.write.base import unit
from lmem.memory.write.keyed import KeyedWrite
from lmem.training.evidence_data import EvidenceBatch, EvidenceDataset
from lmem.training.minimise import hundreds, minimise
from lmem.utils.settings import AtLeast1, NotNegative, Positive, Settings, Share, settings

SLOPE = 25.0  # of the soft comparison of keys


@settings
class RehearsalConfig(Settings):
    """Settings of supervision by evidence (chapter 14).

    Attributes:
        steps: Optimiser steps.
        batch: Conversations of one step.
        questions: Questions of each conversation, at most.
        lr: Peak learning rate.
        weight_decay: Of AdamW.
        clip: Norm above which the gradient is scaled down.
        margin: By which the right key must win, as a cosine.
        noise: Standard deviation of the noise on every latent.
        drop: Share of the tokens that are hidden from keys and questions, drawn at every step.
        price: Of a turn that is kept, and of one that may replace the row of what it corrects: rows are scarce.
        cuts: Share of the conversations that are cut at a random turn.
        undated: Share of the conversations whose turns are written without the session's date.
        seed: Of everything random.
    """

    steps: AtLeast1 = 2500
    batch: AtLeast1 = 8
    questions: AtLeast1 = 40
    lr: Positive = 3e-3
    weight_decay: NotNegative = 1e-2
    clip: Positive = 2.0
    margin: NotNegative = 0.05
    noise: NotNegative = 0.4
    drop: Share = 0.1
    price: tuple[NotNegative, NotNegative] = (0.3, 0.15)
    cuts: Share = 0.3
    undated: Share = 0.25
    seed: int = 42


def train_with_evidence(
    model: MemoryModel,
    conversations: Sequence[Conversation],
    config: RehearsalConfig | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Train what a keyed model keeps, under which key, and how it finds it again.

    Args:
        model: With the write `keyed`. Its adapter learns in place; its backbone does not change.
        conversations: With evidence.
        config: Default: `RehearsalConfig()`.
        progress: Show progress bars.

    Returns:
        loss (mean of the last hundred steps), losses (mean of each hundred steps), steps, questions, parameters, seconds.

    Raises:
        InputError: The write is not keyed, or no question has evidence.
    """
    config = config or RehearsalConfig()
    keyed_parts(model)
    started = time.perf_counter()
    dataset = EvidenceDataset(model.backbone, conversations, config.undated, config.seed, progress)
    loss_of = EvidenceLoss(model, dataset, config)
    weights = [p for p in model.parameters() if p.requires_grad]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        losses = minimise(
            lambda: loss_of(dataset.draw(config.batch, config.questions, config.cuts)),
            weights,
            config,
            config.steps,
            config.lr,
            "training with evidence",
            progress,
        )
    means = hundreds(losses)
    return {
        "loss": means[-1],
        "losses": [round(mean, 4) for mean in means],
        "steps": config.steps,
        "questions": sum(map(len, dataset.questions)),
        "parameters": sum(p.numel() for p in weights),
        "seconds": time.perf_counter() - started,
    }


def freeze_retrieval(model: MemoryModel) -> None:
    """Freeze everything that `train_with_evidence` trained, except how the read passes on what it found to the decoder."""
    _, read = keyed_parts(model)
    model.requires_grad_(False)
    read.tell.requires_grad_(True)


def keyed_parts(model: MemoryModel) -> tuple[KeyedWrite, RecallRead]:
    """Return the write and the read of a keyed model.

    Raises:
        InputError: The model has another write or read.
    """
    write, read = model.write_rule, model.read
    if isinstance(write, KeyedWrite) and isinstance(read, RecallRead):
        return write, read
    raise InputError(f"expected a method with a keyed write to rehearse, not {model.method.name}")


class EvidenceLoss:
    """The loss of a batch of conversations and questions; see the head of this file."""

    def __init__(
        self, model: MemoryModel, dataset: EvidenceDataset, config: RehearsalConfig
    ) -> None:
        """Use the write and the read of `model`, on batches of `dataset`."""
        self.write, self.read = keyed_parts(model)
        self.dataset, self.config = dataset, config
        embeddings = model.backbone.model.get_input_embeddings().weight
        self.embeddings = unit(embeddings.detach().float())  # (V, D)

    def __call__(self, batch: EvidenceBatch) -> Tensor:
        """Compute the loss of a batch: () with gradient for the whole adapter."""
        config, write, read = self.config, self.write, self.read
        latents, mask = self.dataset.latents(batch)
        latents = self._noisy(latents)
        key, value, keep, fix = write.parts(latents, mask, self._dropped(mask))  # (C, T, ...)
        log_weight = log_survival(write, key, _noisy_gate(keep), _noisy_gate(fix))  # (C, T)

        def tensor(values: list) -> Tensor:
            return torch.tensor(values, device=key.device)

        place = tensor(batch.places)  # (Q,)
        first_turn = tensor([q.first_turn for q in batch.questions])
        answer_turn = tensor([q.answer_turn for q in batch.questions])
        two_hops = tensor([q.hops == 2 for q in batch.questions])
        answerable = answer_turn >= 0
        states, seen = pad(
            [self.dataset.question_latents[q.prompt].float() for q in batch.questions]
        )
        states, seen = self._noisy(states), self._dropped(seen.bool())

        # retrieval: each hop finds its turn, among distractors; the place after the last turn means "nothing"
        hops = read.recall(key[place], value[place], log_weight[place], states, seen)
        query = 10 * read.sharp * read.asks[0](states, seen)
        distractors = torch.einsum("qk,ctk->qct", query, key)
        distractors = distractors + self._distractor_bias(log_weight, batch)
        log_p = torch.cat([hops[0][0], distractors.flatten(1)], 1).log_softmax(1)
        margin = 10 * read.sharp.detach() * config.margin
        nothing = key.shape[1]
        target = torch.where(answerable, first_turn, nothing)
        loss = margin_nll(log_p, target, margin * answerable).mean()
        if two_hops.any():
            log_p = hops[1][0][two_hops].log_softmax(1)
            loss = loss + 0.3 * margin_nll(log_p, answer_turn[two_hops], margin).mean()
        second_hop = read.halt(states, seen)[:, 0]
        loss = loss + 0.3 * F.binary_cross_entropy_with_logits(second_hop, two_hops.float())
        # content: the value of the evidence names the answer's first token
        if answerable.any():
            tokens = tensor([q.token for q in batch.questions])[answerable]
            evidence = value[place[answerable], answer_turn[answerable]]
            similarity = unit(read.value_rows(evidence)[:, 0]) @ self.embeddings.T
            loss = loss + F.cross_entropy(2 * similarity / self.embeddings.shape[1] ** 0.5, tokens)
        # prices
        turns = mask.any(-1)
        spread = value[turns].mean(0).square().mean()  # 0 if the values point in all directions
        keep_price, fix_price = config.price
        price = (keep_price * F.softplus(keep) + fix_price * F.softplus(fix))[turns].mean()
        return loss + 0.1 * spread + price

    def _noisy(self, latents: Tensor) -> Tensor:
        return latents + self.config.noise * torch.randn_like(latents)

    def _dropped(self, mask: Tensor) -> Tensor:
        """Hide random tokens, so that no single word is relied on."""
        return mask & (torch.rand(mask.shape, device=mask.device) >= self.config.drop)

    def _distractor_bias(self, log_weight: Tensor, batch: EvidenceBatch) -> Tensor:
        """Return what is added to the scores of all keys of the batch, (Q, C, T).

        It excludes the question's own conversation, whose keys are scored already, and turns of other conversations
        that contain the same fact. A question without an answer gets no distractors.
        """
        turns_of_fact: dict[tuple | str, list[tuple[int, int]]] = {}
        for place, i in enumerate(batch.conversations):
            for question in self.dataset.questions[i]:
                if question.hops == 1 and 0 <= question.answer_turn < log_weight.shape[1]:
                    turn = (place, question.answer_turn)
                    turns_of_fact.setdefault(question.fact, []).append(turn)
        size = (len(batch.questions), *log_weight.shape)
        excluded = torch.zeros(size, dtype=torch.bool, device=log_weight.device)
        for n, (place, question) in enumerate(zip(batch.places, batch.questions, strict=True)):
            excluded[n, place] = True
            if question.answer_turn < 0:
                excluded[n] = True
            elif question.hops == 1:
                for turn in turns_of_fact.get(question.fact, ()):
                    excluded[n][turn] = True
        return log_weight[None].masked_fill(excluded, -1e9)


def _noisy_gate(logits: Tensor) -> Tensor:
    """Double a gate's logits and add logistic noise: only logits far from 0 are safe, so the gate learns to decide."""
    return 2 * (logits + torch.rand_like(logits).clamp(1e-4, 1 - 1e-4).logit())


def log_survival(write: KeyedWrite, key: Tensor, keep: Tensor, fix: Tensor) -> Tensor:
    """Compute how much of each turn is left after all later ones; see the head of this file.

    Args:
        write: Its threshold theta is used.
        key: (C, T, K), of length 1.
        keep: (C, T), logits of b, that a turn is kept.
        fix: (C, T), logits of e, that it corrects an older one.

    Returns:
        log w, (C, T).
    """
    same_row = torch.sigmoid(SLOPE * (key @ key.transpose(1, 2) - write.theta))  # m, (C, t, u)
    replaced = same_row * (torch.sigmoid(keep) * torch.sigmoid(fix))[:, None, :]
    return F.logsigmoid(keep) + torch.log1p(-replaced.clamp(max=1 - 1e-4)).triu(1).sum(2)


def margin_nll(log_p: Tensor, target: Tensor, margin: Tensor | float) -> Tensor:
    """Compute -log p of the targets, after their scores are lowered by a margin.

    Args:
        log_p: (Q, R) log-probabilities.
        target: (Q,) places in the rows.
        margin: (Q,) or one number, in units of the scores.

    Returns:
        (Q,) in nats. With p exp(-margin) for the target, the other places keep 1 - p.
    """
    own = log_p.gather(1, target[:, None])[:, 0]
    lowered = own - margin
    rest = torch.log1p(-own.exp().clamp(max=1 - 1e-6))
    return torch.logaddexp(lowered, rest) - lowered
