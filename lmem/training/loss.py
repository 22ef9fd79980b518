"""The loss: how unlikely the right answers are, given the questions and their banks (chapter 9).

    L = - sum_i log p(y_i | y_<i, question, Read(P)) / (number of answer tokens)      teacher forcing; paper, section 3.3

The frozen encoder sees each question once if the bank enters behind it. A batch is decoded in groups of similar length, so that
little of it is padding; the head, which is the largest matrix product, sees the tokens of all groups at once.
"""

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn.functional import cross_entropy

from lmem.memory.model import MemoryModel
from lmem.training.banks import Banks
from lmem.training.dataset import Example, QuestionDataset
from lmem.training.processes import share_work

LONG_PREFIX = (
    256  # rows before the encoder from which on only questions of equal length are batched
)
SHORT_ANSWER = 8  # tokens


class AnswerLoss:
    """Negative log-likelihood of the answers, in nats per token.

    Attributes:
        dataset: The questions.
        banks: Their banks.
        question_latents: {prompt: (N, D)}; empty where the bank enters before the encoder.
    """

    def __init__(
        self,
        model: MemoryModel,
        dataset: QuestionDataset,
        banks: Banks,
        processes: Accelerator | None = None,
    ) -> None:
        """Encode all questions, if the encoder's output does not depend on the bank."""
        self.model, self.dataset, self.banks = model, dataset, banks
        prompts = dataset.prompts

        def encode(part: list[str]) -> list[Tensor]:
            return list(model.encode_questions(part).values())

        latents = share_work(prompts, encode, processes)
        self.question_latents = dict(zip(prompts, latents, strict=True)) if latents else {}

    def __call__(self, batch: Sequence[Example], tokens: int | None = None) -> Tensor:
        """Compute the loss of a batch.

        Args:
            batch: Questions with answers.
            tokens: What the sum is divided by; default: the tokens of the batch's own answers.

        Returns:
            () with gradient for the read, and for a learned write.
        """
        bank, indices = self.banks.select([example.place for example in batch])
        lengths = self.answer_lengths(batch)
        states, labels = [], []
        for group in self.groups(batch, lengths):
            examples, of = [batch[k] for k in group], [indices[k] for k in group]
            inputs = self.model.backbone.inputs(
                [example.prompt for example in examples], True, self.question_latents
            )
            targets = self.model.backbone.labels([example.answer for example in examples])  # (B, N)
            with self.model.attached(bank, expand=1, of=of):
                states.append(self.model.backbone.states(inputs, targets))  # (tokens, D)
            labels.append(targets[targets >= 0])
        logits = self.model.backbone.head(torch.cat(states)).float()
        loss = cross_entropy(logits, torch.cat(labels), reduction="sum")
        return loss / (tokens or sum(lengths))

    def groups(self, batch: Sequence[Example], lengths: Sequence[int]) -> list[list[int]]:
        """Return the indices of a batch in groups that pass through the model together.

        Usually short and long answers are separated. Behind a long prefix, padding a question requires its own
        attention bias, (H, N, N) in every layer of the encoder; there, questions of one length form a group.
        """
        if self.question_latents or self.model.rows < LONG_PREFIX:
            return group_by_length(lengths)
        groups: dict[int, list[int]] = {}
        prompts = [example.prompt for example in batch]
        for i, ids in enumerate(self.model.backbone.tokenize(prompts, truncate=True)):
            groups.setdefault(len(ids), []).append(i)
        return list(groups.values())

    def answer_lengths(self, batch: Sequence[Example]) -> list[int]:
        """Return the number of tokens of each answer, the end of the text included."""
        answers = [example.answer for example in batch]
        return [len(ids) for ids in self.model.backbone.tokenize(answers)]

    @torch.no_grad()
    def mean(self, size: int, examples: Sequence[Example] | None = None) -> float:
        """Return the mean loss of an answer's token, in batches of `size`, over all questions or over `examples`."""
        examples = self.dataset.examples if examples is None else examples
        batches = [examples[i : i + size] for i in range(0, len(examples), size)]
        tokens = [sum(self.answer_lengths(batch)) for batch in batches]
        total = sum(self(batch).item() * n for batch, n in zip(batches, tokens, strict=True))
        return total / sum(tokens)


def group_by_length(lengths: Sequence[int], short: int = SHORT_ANSWER) -> list[list[int]]:
    """Return the indices of lengths up to `short` and of longer ones; only one group if the other is empty."""
    groups = (
        [i for i, length in enumerate(lengths) if length <= short],
        [i for i, length in enumerate(lengths) if length > short],
    )
    return [group for group in groups if group]
