"""The units that every run consists of (encode, write, step, answer), as lmem does them and the plain way (chapter 15).

Every benchmark times these and no others. What they cost without weights is in `lmem.experiments.planning.meta_model`.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from lmem.backbone.backbone import MAX_TOKENS
from lmem.bench import plain
from lmem.bench.measure import Unit
from lmem.data.conversation import Conversation
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel
from lmem.training.dataset import Batches, Example
from lmem.training.train import TrainConfig, prepare_loss


class Asked(NamedTuple):
    """A batch of questions.

    Attributes:
        places: For each question the place of its bank.
        prompts: The questions as the encoder sees them.
        latents: {prompt: (N, D)}, if the encoder has run; empty where the bank enters before it.
    """

    places: list[int]
    prompts: list[str]
    latents: Mapping[str, Tensor] = {}


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

    def step(self, sample: "TrainingSample") -> Unit:
        """Take an optimiser step on each batch of a sample."""
        parameters = sample.optimizer.param_groups[0]["params"]

        def work() -> None:
            for batch in sample.batches:
                sample.loss(batch).backward()
                clip_grad_norm_(parameters, sample.clip)
                sample.optimizer.step()
                sample.optimizer.zero_grad(set_to_none=True)

        return Unit(work, sum(map(len, sample.batches)))

    def answer(self, banks: Bank, batches: Sequence[Asked], **options: Any) -> Unit:
        """Answer batches of questions.

        Args:
            banks: One batch of banks.
            batches: The questions that are decoded together.
            options: Of transformers' generate.
        """

        @torch.no_grad()
        def work() -> None:
            for batch in batches:
                with self.model.attached(banks, expand=1, of=batch.places):
                    self.backbone.generate(self._encoded(batch), **options)

        return Unit(work, sum(len(batch.places) for batch in batches))

    def bits(self, banks: Bank, batch: Asked, answers: Sequence[str]) -> Unit:
        """Compute the likelihoods of the right answers of one batch."""
        labels = self.backbone.labels(answers)

        @torch.no_grad()
        def work() -> None:
            with self.model.attached(banks, expand=1, of=batch.places):
                self.backbone.bits(self._encoded(batch), labels)

        return Unit(work, len(batch.places))

    def answer_from_text(self, sources: Sequence[str], **options: Any) -> Unit:
        """Answer one batch of questions from turns in the input, without a bank."""
        asked = Asked([0] * len(sources), list(sources))
        return Unit(lambda: self.backbone.generate(self._encoded(asked), **options), len(sources))

    def _encoded(self, batch: Asked) -> dict[str, Any]:
        inputs = self.backbone.inputs(batch.prompts, True, batch.latents)
        return self.backbone.encoded(inputs)


class TrainingSample:
    """What training steps work on.

    Attributes:
        loss: AnswerLoss over all questions of the conversations.
        batches: Batches of questions, drawn as in training.
        optimizer: AdamW over what learns.
        clip: The greatest norm of the gradient.
    """

    def __init__(
        self,
        model: MemoryModel,
        conversations: Sequence[Conversation],
        config: TrainConfig,
        steps: int = 1,
    ) -> None:
        self.loss = prepare_loss(model, conversations, config, False)
        examples = self.loss.dataset.examples
        self.batches = [*islice(Batches(examples, config.batch, config.seed), steps)]
        self.optimizer, self.clip = plain.optimizer_of(model, config), config.clip

    def asked(self, n: int) -> tuple[Bank, Asked, list[Example]]:
        """Draw n questions: the banks, the questions as `EngineUnits.answer` takes them, and the questions with answers."""
        examples = random.Random(0).choices(self.loss.dataset.examples, k=n)
        banks, places = self.loss.banks.select([example.place for example in examples])
        prompts = [example.prompt for example in examples]
        return banks, Asked(places, prompts, self.loss.question_latents), examples


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

    def step(
        self, pairs: Sequence[plain.Pair], optimizer: torch.optim.Optimizer, clip: float
    ) -> Unit:
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
    answered = [
        replace(q, evidence=(), lag=None) for q in conversation.questions if q.answer is not None
    ]
    whole = replace(conversation, questions=tuple(answered[:questions]), twin=None)
    return whole.until(min(turns, len(whole.turns)))
