"""How well a backbone reads: exact match on held-out questions, with the evidence in the encoder's input and without.

A memory score means memory only if the backbone reads what is in front of it and knows nothing otherwise (chapter 1).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from lmem.backbone.backbone import Backbone
from lmem.data.conversation import Conversation, json_sha256
from lmem.data.reading import readings
from lmem.data.tinyworld import World
from lmem.data.tinyworld.language import UNKNOWN
from lmem.errors import InputError
from lmem.metrics import answer_scores, statistics

HELD_OUT_SEED = "held out"  # no training stream uses it
TURNS = 6
ALIKE = World(turns=24, facts=0.8, subjects=8, relations=6)  # many facts of few relations
WORD = r"[^\W\d_]+(?:-[^\W\d_]+)*"  # a hyphenated value of tinyworld is one word


def vocabulary(backbone: Backbone, conversations: Iterable[Conversation]) -> dict[str, Any]:
    """Measure for how much of the text the tokenizer has whole words.

    Returns:
        A dict: turns, tokens, tokens_per_word, words_spelled_out (share of words in several pieces), truncated_turns.
    """
    texts = [text for c in conversations for text in c.texts()]
    full = backbone.tokenize(texts, max_tokens=10**6)
    cut = backbone.tokenize(texts, truncate=True)
    tokens = sum(map(len, full))
    plain = [text.removeprefix("context: ").replace("'s", "") for text in texts]
    words = Counter(word for text in plain for word in re.findall(WORD, text))
    spelled = sum(n for word, n in words.items() if len(backbone.tokenizer.tokenize(word)) > 1)
    return {
        "turns": len(texts),
        "tokens": tokens,
        "tokens_per_word": round(tokens / words.total(), 3),
        "words_spelled_out": round(spelled / words.total(), 4),
        "truncated_turns": sum(len(a) > len(b) for a, b in zip(full, cut, strict=True)),
    }


def measure(
    backbone: Backbone,
    questions: int = 1000,
    evidence: bool = True,
    alike: bool = False,
    seed: int | str = HELD_OUT_SEED,
    batch: int = 64,
) -> dict[str, Any]:
    """Measure exact match on the first questions of a held-out stream, with 6 turns in the encoder's input.

    Args:
        backbone: What reads.
        questions: How many questions to ask.
        evidence: False replaces the evidence by other turns.
        alike: Use conversations of few relations, and draw turns first that state the same relation of somebody else, so that
            the subject must be read and not the relation alone.
        seed: Seed of the stream.
        batch: Questions to answer together.

    Returns:
        A dict with these entries:

        - questions_sha256, of what was asked;
        - n, em, low and high (Wilson, 95%), by_kind;
        - best_guess, the share that the best constant answer per relation would get;
        - unknown, the share of answers "unknown", which are never right here.

    Raises:
        InputError: `questions` is not positive.
    """
    if questions < 1:
        raise InputError(f"expected at least 1 question to measure with, not {questions}")
    world, share = (ALIKE, 1.0) if alike else (None, 0.0)
    rows = list(islice(readings(seed, TURNS, world, evidence, alike=share), questions))

    def answer(texts: list[str]) -> list[str]:
        return backbone.generate(backbone.inputs(texts), max_new_tokens=8)

    answers = in_batches(answer, [row.source for row in rows], batch)
    right = [answer_scores.exact_match(a, r.target) for a, r in zip(answers, rows, strict=True)]
    by_kind, by_relation = defaultdict(list), defaultdict(Counter)
    for row, hit in zip(rows, right, strict=True):
        by_kind[row.kind].append(hit)
        by_relation[row.relation][row.target] += 1
    low, high = statistics.wilson(sum(right), len(right))
    guessed = sum(counts.most_common(1)[0][1] for counts in by_relation.values())
    return {
        "questions_sha256": json_sha256([(row.source, row.target) for row in rows]),
        "n": len(rows),
        "em": sum(right) / len(rows),
        "low": low,
        "high": high,
        "by_kind": {
            kind: round(sum(hits) / len(hits), 4) for kind, hits in sorted(by_kind.items())
        },
        "best_guess": guessed / len(rows),
        "unknown": sum(answer == UNKNOWN for answer in answers) / len(rows),
    }


def in_batches(
    answer: Callable[[list[str]], list[str]], sources: Sequence[str], batch: int
) -> list[str]:
    """Answer in batches of similar length.

    Args:
        answer: Answers some sources together.
        sources: What the encoder reads for each answer.
        batch: Answers to generate together.

    Returns:
        One text per source, in their order.
    """
    answers = [""] * len(sources)
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        for place, text in zip(places, answer([sources[i] for i in places]), strict=True):
            answers[place] = text
    return answers
