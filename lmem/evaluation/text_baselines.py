"""Text memory: the bare backbone with turns of the conversation in its input (chapter 16).

Turns are taken in an order of preference while they fit into a budget of tokens. In the input they are in their own order:
    oracle  the evidence, which only the author of the question knows
    last_k  the newest turns first
    bm25    first the turns that share rare words with the question (Okapi BM25, library bm25s, with Porter's stems)
"""

import sys
from collections.abc import Iterable, Sequence
from typing import cast

import bm25s

from lmem.backbone.backbone import Backbone
from lmem.data.conversation import Question
from lmem.data.reading import source_text
from lmem.errors import InputError
from lmem.metrics import answer_scores


def sources(
    backbone: Backbone, texts: Sequence[str], questions: Sequence[Question], how: str, budget: int
) -> list[tuple[str, tuple[int, ...]]]:
    """Choose what the encoder reads for each question of a conversation.

    Args:
        backbone: Its tokenizer counts.
        texts: The conversation's turns, rendered.
        questions: The questions.
        how: A name out of CHOICES.
        budget: Tokens of the input at most, including the question.

    Returns:
        For each question (source, turns): the text, and the numbers of the turns in it, ascending.

    Raises:
        InputError: A question alone is longer than the budget.
    """
    unlimited = sys.maxsize
    # with the blank that joins them, without the end of text
    costs = [len(ids) - 1 for ids in backbone.tokenize([f" {text}" for text in texts], unlimited)]
    prompts = backbone.tokenize([question.prompt for question in questions], unlimited)
    chosen = []
    for question, ids, order in zip(
        questions, prompts, CHOICES[how](texts, questions), strict=True
    ):
        left = budget - len(ids)
        taken: list[int] = []
        if left < 0:
            raise InputError(
                f"expected a budget of {len(ids)} tokens or more for question {question.id}, not {budget}"
            )
        for turn in order:
            left -= costs[turn]
            if left < 0:
                break
            taken.append(turn)
        taken.sort()
        chosen.append((source_text(question, [texts[t] for t in taken]), tuple(taken)))
    return chosen


def _oracle(texts: Sequence[str], questions: Sequence[Question]) -> Iterable[Iterable[int]]:
    return [question.evidence for question in questions]


def _last_k(texts: Sequence[str], questions: Sequence[Question]) -> Iterable[Iterable[int]]:
    return [range(len(texts) - 1, -1, -1)] * len(questions)


def _bm25(texts: Sequence[str], questions: Sequence[Question]) -> Iterable[Iterable[int]]:
    """Order all turns by their score for each question; of equal turns the newer one comes first."""
    index = bm25s.BM25()
    index.index(_words([text.removeprefix("context: ") for text in texts]), show_progress=False)
    for words in _words([question.text for question in questions]):
        scores = index.get_scores(words) if words else [0.0] * len(texts)
        yield sorted(range(len(texts)), key=lambda turn: (-scores[turn], -turn))


def _words(texts: list[str]) -> list[list[str]]:
    """Return the stems of each text's words, without the most common ones."""
    words = bm25s.tokenize(
        texts, stemmer=answer_scores.stems, return_ids=False, show_progress=False
    )
    return cast("list[list[str]]", words)


CHOICES = {"oracle": _oracle, "last_k": _last_k, "bm25": _bm25}
