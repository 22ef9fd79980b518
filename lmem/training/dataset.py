"""The training data: questions with answers, each with the place of the bank that it is asked of (chapter 9).

A conversation is asked at its end, and at `cuts` random points before it, once the evidence of a question has been written.
With S = cuts + 1 points per conversation, point s of conversation i is the bank at place i S + s.
"""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lmem.data.conversation import Conversation, Question
from lmem.errors import InputError


class Example(NamedTuple):
    """A question with its answer.

    Attributes:
        place: Which bank the question is asked of.
        prompt: The question as the encoder sees it.
        answer: The text to learn.
    """

    place: int
    prompt: str
    answer: str


class QuestionDataset:
    """Questions with answers, and the point of its conversation at which each is asked.

    Attributes:
        texts: For each conversation its turns, as the encoder sees them.
        cuts: For each conversation the numbers of turns after which its questions are asked, in rising order.
        examples: The questions, each with the place of its bank.
    """

    def __init__(
        self, conversations: Sequence[Conversation], cuts: int, undated: float, seed: int
    ) -> None:
        """Draw the points at which questions are asked.

        Args:
            conversations: Where the questions come from; those without an answer are left out, and category 5.
            cuts: Random points per conversation, in addition to its end.
            undated: Share of the conversations whose turns do not carry the session's date.
            seed: Of the random points and of the choice of undated conversations.

        Raises:
            InputError: No question has an answer.
        """
        rng = random.Random(f"lessons {seed}")
        self.texts = [c.texts(dates=rng.random() >= undated) for c in conversations]
        self.cuts = [
            [*sorted(rng.randint(1, len(turns)) for _ in range(cuts)), len(turns)]
            for turns in self.texts
        ]
        self.examples: list[Example] = []
        for i, conversation in enumerate(conversations):
            for s, cut in enumerate(self.cuts[i]):
                at_end = cut == len(self.texts[i])
                self.examples += [
                    Example(i * (cuts + 1) + s, question.prompt, question.answer or "")
                    for question in conversation.questions
                    if question.answerable and _was_written(question, cut, at_end)
                ]
        if not self.examples:
            raise InputError(
                f"expected questions with answers in {len(conversations)} conversations, found none"
            )

    @property
    def prompts(self) -> list[str]:
        """All questions, each once."""
        return list(dict.fromkeys(example.prompt for example in self.examples))

    def written(self, place: int) -> tuple[int, int]:
        """Return what the bank at this place contains: (conversation, number of its first turns)."""
        conversation, point = divmod(place, len(self.cuts[0]))
        return conversation, self.cuts[conversation][point]


def _was_written(question: Question, cut: int, at_end: bool) -> bool:
    """Return True if the evidence is among the first `cut` turns; unknown evidence waits for the end."""
    if not question.evidence:
        return at_end
    return all(turn < cut for turn in question.evidence)


class Batches(Iterator[list[Example]]):
    """Endless random batches; every example comes once before any comes twice."""

    def __init__(self, examples: Sequence[Example], size: int, seed: int) -> None:
        """Shuffle `examples` with `seed`; each batch has `size` of them."""
        self.examples, self.size = examples, size
        self.rng = random.Random(f"train {seed}")
        self.queue: list[int] = []

    def __next__(self) -> list[Example]:
        while len(self.queue) < self.size:
            self.queue += self.rng.sample(range(len(self.examples)), len(self.examples))
        batch, self.queue = self.queue[: self.size], self.queue[self.size :]
        return [self.examples[i] for i in batch]

    def state_dict(self) -> dict:
        """Return the random generator and the examples that are already drawn, as plain values."""
        return {"rng": self.rng.getstate(), "queue": list(self.queue)}

    def load_state_dict(self, state: dict) -> None:
        """Continue where `state_dict` was taken."""
        self.rng.setstate(state["rng"])
        self.queue = list(state["queue"])
