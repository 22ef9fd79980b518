"""The units that every run consists of (encode, write, step, answer), as lmem does them and the plain way (chapter 15).

Every benchmark times these and no others. What they cost without weights is in `lmem.experiments.planning.meta_model`.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from lmem.backbone.backbone import MAX_TOKENS
from lmem.bench import plain
from lmem.bench.measure import Unit
from lmem.data.conversation import Conversation
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel
from lmem.training.dataset import Example
from lmem.training.loss import AnswerLoss

Optimizer = torch.optim.Optimizer


class EngineUnits:
    """The units as lmem does them: conversations in parallel, turns and questions in batches of similar length."""

    def __init__(self, model: MemoryModel) -> None:
        self.model, self.backbone = model, model.backbone

    def encode(self, texts: Sequence[str], batch_tokens: int | None = None) -> Unit:
        """Encode turns in batches of at most `batch_tokens` tokens."""
        return Unit(partial(self.backbone.encode, texts, True, batch_tokens), len(texts))

    def encode_questions(self, prompts: Sequence[str]) -> Unit:
        """Encode questions, where the bank enters behind the encoder."""
        return Unit(partial(self.model.encode_questions, prompts), len(prompts))

    def write(self, latents: list[list[Tensor]]) -> Unit:
        """Write latents, for each conversation (N, D) per turn, into empty banks."""
        bank = self.model.new_bank(len(latents))
        work = partial(self.model.write_latents, bank, latents)
        return Unit(torch.no_grad()(work), sum(map(len, latents)))

    def step(
        self,
        loss: AnswerLoss,
        batches: Sequence[Sequence[Example]],
        optimizer: Optimizer,
        clip: float,
    ) -> Unit:
        """Take an optimiser step on each batch of examples."""

        def work() -> None:
            for batch in batches:
                loss(batch).backward()
                clip_grad_norm_(optimizer.param_groups[0]["params"], clip)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)

        return Unit(work, sum(map(len, batches)))

    def answer(
        self,
        banks: Bank,
        batches: Sequence[Sequence[tuple[int, str]]],
        latents: dict[str, Tensor] | None = None,
        **options: Any,
    ) -> Unit:
        """Answer batches of (place of the bank, question).

        Args:
            banks: One batch of banks.
            batches: The questions that are decoded together.
            latents: {question: (N, D)}, if the encoder has run; not where the bank enters before it.
            options: Of transformers' generate.
        """

        @torch.no_grad()
        def work() -> None:
            for batch in batches:
                places, prompts = zip(*batch, strict=True)
                with self.model.attached(banks, expand=1, of=places):
                    inputs = self.backbone.inputs(prompts, True, latents)
                    self.backbone.generate(self.backbone.encoded(inputs), **options)

        return Unit(work, sum(map(len, batches)))

    def bits(
        self, banks: Bank, batch: Sequence[tuple[int, str, str]], latents: dict[str, Tensor]
    ) -> Unit:
        """Compute the likelihoods of the right answers of one batch of (place, question, answer)."""
        places, prompts, answers = zip(*batch, strict=True)
        labels = self.backbone.labels(answers)

        @torch.no_grad()
        def work() -> None:
            with self.model.attached(banks, expand=1, of=places):
                inputs = self.backbone.inputs(prompts, True, latents)
                self.backbone.bits(self.backbone.encoded(inputs), labels)

        return Unit(work, len(batch))

    def answer_from_text(self, sources: Sequence[str], **options: Any) -> Unit:
        """Answer one batch of questions from turns in the input, without a bank."""

        def work() -> None:
            inputs = self.backbone.encoded(self.backbone.inputs(sources, True))
            self.backbone.generate(inputs, **options)

        return Unit(work, len(sources))


class PlainUnits:
    """The units the plain way, one turn and one question at a time, padded to `length` tokens (None: not padded)."""

    def __init__(self, model: MemoryModel, length: int | None = MAX_TOKENS) -> None:
        self.model, self.length = model, length

    def encode(self, texts: Sequence[str]) -> Unit:
        """Encode turns."""

        def work() -> None:
            for text in texts:
                plain.encode(self.model.backbone, text, self.length)

        return Unit(work, len(texts))

    def write(self, texts: Sequence[str]) -> Unit:
        """Write turns that are already encoded into one bank."""
        latents = [plain.encode(self.model.backbone, text, self.length) for text in texts]

        @torch.no_grad()
        def work() -> None:
            state = self.model.new_bank().state
            for turn, mask in latents:
                state = self.model.write_rule(state, turn, mask)

        return Unit(work, len(texts))

    def step(self, pairs: Sequence[plain.Pair], optimizer: Optimizer, clip: float) -> Unit:
        """Take one optimiser step on pairs of bank and question."""
        work = partial(plain.learn, self.model, optimizer, pairs, clip, self.length)
        return Unit(work, len(pairs))

    def answer(self, pairs: Sequence[plain.Pair], **options: Any) -> Unit:
        """Answer pairs of bank and question."""

        def work() -> None:
            for bank, question in pairs:
                plain.answer(self.model, bank, question.prompt, self.length, **options)

        return Unit(work, len(pairs))


def randomise(module: nn.Module, seed: int) -> None:
    """Draw the weights of a read at random.

    A read often starts at zero, and would then ignore the bank; results that are compared must depend on it.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for weight in module.parameters():
            drawn = torch.randn(weight.shape) / weight.shape[-1] ** 0.5
            weight.copy_(drawn if weight.ndim > 1 else torch.ones(weight.shape))


def sample_evenly(items: list, n: int) -> list:
    """Return about n of the items, at equal distances."""
    return items[:: max(1, len(items) // n)][:n]


def shortened(conversation: Conversation, turns: int, questions: int | None = None) -> Conversation:
    """Return its first turns and its questions that have an answer, even if what they ask about is missing."""
    sessions, left = [], turns
    for session in conversation.sessions:
        if left > 0:
            sessions.append(replace(session, turns=session.turns[:left]))
        left -= len(session.turns)
    answered = [q for q in conversation.questions if q.answer is not None][:questions]
    answered = [replace(q, evidence=(), lag=None) for q in answered]
    return replace(conversation, sessions=tuple(sessions), questions=tuple(answered), twin=None)
