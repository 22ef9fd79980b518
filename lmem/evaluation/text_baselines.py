"""Text memory: the bare backbone with turns of the conversation in its input, where a memory has a bank (chapter 16).

Turns are taken in an order of preference while they fit into a budget of tokens, and stand in the input in their own order:
    oracle  the evidence, which nobody knows who was not told
    last_k  the newest turns first
    bm25    first the turns that share rare words with the question (Okapi BM25, library bm25s, over Porter's stems)
"""

import bm25s

from lmem.data.reading import source_text
from lmem.errors import InputError
from lmem.metrics import answer_scores


def sources(backbone, texts, questions, how, budget):
    """What the encoder reads for each question of a conversation, in `budget` tokens at most.

    texts    the conversation's turns, rendered
    how      a name out of CHOICES
    returns  list of (source, turns): the text, and the numbers of the turns in it, ascending
    raises   InputError if a question alone is longer
    """
    endless = float("inf")
    # with the blank that joins them, without the end of text
    costs = [len(ids) - 1 for ids in backbone.tokenize([f" {text}" for text in texts], endless)]
    asked = backbone.tokenize([question.prompt for question in questions], endless)
    found = []
    for question, ids, order in zip(questions, asked, CHOICES[how](texts, questions), strict=True):
        left, taken = budget - len(ids), []
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
        found.append((source_text(question, [texts[t] for t in taken]), tuple(taken)))
    return found


def _oracle(texts, questions):
    return [question.evidence for question in questions]


def _last_k(texts, questions):
    return [range(len(texts) - 1, -1, -1)] * len(questions)


def _bm25(texts, questions):
    """All turns by their score for each question; of equals the newer one first."""
    index = bm25s.BM25()
    index.index(_words([text.removeprefix("context: ") for text in texts]), show_progress=False)
    for words in _words([question.text for question in questions]):
        scores = index.get_scores(words) if words else [0.0] * len(texts)
        yield sorted(range(len(texts)), key=lambda turn: (-scores[turn], -turn))


def _words(texts):
    """The stems of each text's words, without the most common ones."""
    return bm25s.tokenize(texts, stemmer=answer_scores.stems, return_ids=False, show_progress=False)


CHOICES = {"oracle": _oracle, "last_k": _last_k, "bm25": _bm25}
