"""How much a run has to do: conversations, turns and questions, and their lengths in tokens (chapter 15)."""

import random
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean
from typing import Annotated, Self

from pydantic import Field

from lmem.backbone.backbone import Backbone
from lmem.data import splits
from lmem.data.conversation import Conversation
from lmem.errors import InputError
from lmem.utils.settings import AtLeast0, AtLeast1, Settings, settings

TOKENS_OF_A_WORD = 1.2  # as in LoCoMo

Turns = tuple[AtLeast1, AtLeast1, AtLeast1]
Tokens = Annotated[float, Field(ge=1)]


@settings
class Workload(Settings):
    """How much there is to do: by default LoCoMo in the paper's split, counted in its release.

    Lengths are means by a tokenizer of 4,000 pieces that was learned from LoCoMo. Flan-T5's has 32,000, and makes fewer.

    Attributes:
        train: (conversations, turns, turns of the longest) to train on.
        train_questions: Questions to train on among them: those with an answer, not of category 5.
        test: The same as `train`, of the test conversations.
        test_questions: All their questions.
        turn: Tokens of a turn.
        question: Tokens of a question.
        answer: Tokens of an answer.
        padded: Tokens of an answer, padded as in a batch of 16.
        knowledge: Questions of a knowledge curve, session by session.
        deleted: Turns that are written where each question's evidence is left out.
    """

    train: Turns = (7, 4124, 689)
    train_questions: AtLeast1 = 1035
    test: Turns = (3, 1758, 681)
    test_questions: AtLeast1 = 639
    turn: Tokens = 40.5
    question: Tokens = 19.6
    answer: Tokens = 9.8
    padded: AtLeast1 = 28
    knowledge: AtLeast0 = 6936
    deleted: AtLeast0 = 140534

    def limited(self, turns: int = 0, questions: int = 0) -> Self:
        """Return the work of the first `turns` turns and of `questions` questions of each conversation, at most; 0 is no limit."""

        def cut(part: Turns, asked: int) -> tuple[Turns, int]:
            n, total, longest = part
            most = min(longest, turns or longest)
            return (n, min(total, n * most), most), min(asked, n * (questions or asked))

        train, train_questions = cut(self.train, self.train_questions)
        test, test_questions = cut(self.test, self.test_questions)
        share = test_questions / self.test_questions
        return replace(
            self,
            train=train,
            train_questions=train_questions,
            test=test,
            test_questions=test_questions,
            knowledge=round(self.knowledge * share),
            deleted=round(self.deleted * share * test[1] / self.test[1]),
        )


def workload_of_data(data: str) -> Workload:
    """Return what there is to do with "locomo", by its counts, or with a file, its tokens estimated from its words."""
    if data == "locomo":
        return Workload()
    return workload_of_split(
        splits.for_training(data, 0, 0, 0)[0], splits.for_testing(data, 0, 0, 0)
    )


def workload_of_split(train: Sequence[Conversation], test: Sequence[Conversation]) -> Workload:
    """Return what there is to do with these training and test conversations, their tokens estimated from their words."""
    answers = [q.answer or "" for c in train for q in c.questions if q.answerable]
    questions = [q for c in test for q in c.questions]
    prompts = [q.prompt for c in train for q in c.questions if q.answerable]

    def tokens(texts: list[str]) -> float:
        return TOKENS_OF_A_WORD * mean(len(text.split()) for text in texts)

    answer = tokens(answers) + 1
    return Workload(
        train=_turns(train),
        test=_turns(test),
        train_questions=len(answers),
        test_questions=len(questions),
        turn=tokens([text for c in (*train, *test) for text in c.texts()]),
        question=tokens(prompts + [q.prompt for q in questions]),
        answer=answer,
        padded=round(2 * answer),
        knowledge=sum(len(c.questions) * len(c.sessions) // 2 for c in test),
        deleted=sum(len(c.questions) * len(c.turns) // 2 for c in test),
    )


def workload_of(backbone: Backbone, conversations: Sequence[Conversation], batch: int) -> Workload:
    """Return counts and lengths, in the backbone's tokens, of conversations that are trained on and tested on.

    Args:
        backbone: Its tokenizer counts.
        conversations: Their questions without an answer are left out.
        batch: Questions of a batch, whose answers are padded to the longest.

    Raises:
        InputError: No question has an answer.
    """
    questions = [q for c in conversations for q in c.questions if q.answerable]
    if not questions:
        raise InputError("expected questions with answers, found none")

    def tokens(texts: list[str]) -> list[int]:
        return [len(ids) for ids in backbone.tokenize(texts, truncate=True)]

    answers = tokens([str(q.answer) for q in questions])
    rng = random.Random(0)
    longest = [max(rng.choices(answers, k=batch)) for _ in range(50)]
    return Workload(
        train=_turns(conversations),
        train_questions=len(questions),
        test=_turns(conversations),
        test_questions=len(questions),
        turn=mean(tokens([text for c in conversations for text in c.texts()])),
        question=mean(tokens([q.prompt for q in questions])),
        answer=mean(answers),
        padded=round(mean(longest)),
        knowledge=0,
        deleted=0,
    )


def _turns(conversations: Sequence[Conversation]) -> tuple[int, int, int]:
    lengths = [len(c.turns) for c in conversations]
    return len(lengths), sum(lengths), max(lengths)
