"""Which conversations to train on and which to test on: tinyworld drawn by seed, LoCoMo by the paper's split, any other file by thirds.

Tinyworld's training conversations contain no held-out name, relation or phrasing (chapter 9).
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from lmem.data import locomo, tinyworld
from lmem.data.conversation import Conversation
from lmem.errors import DataError, InputError

PAPER_TEST = ("conv-48", "conv-49", "conv-50")


def for_training(
    data: str | Path,
    n: int,
    turns: int,
    seed: int,
    validation: int | None = 0,
    varied: bool = False,
) -> tuple[list[Conversation], list[Conversation]]:
    """Choose conversations to train on, and others for validation; neither are test conversations.

    Args:
        data: "tinyworld", "locomo", or a file in LoCoMo's form, of which only the training split is used.
        n: Conversations to draw from tinyworld.
        turns: Turns of each of tinyworld's.
        seed: Seed of tinyworld's.
        validation: Conversations for validation; of a file the last ones. None: a fifth as many as there are, at most 40.
        varied: Draw tinyworld's with few facts or many, few people or many, and with many corrections and two hops.

    Returns:
        (training, validation).

    Raises:
        InputError: A file leaves none to train on.
    """
    if data == "tinyworld":
        validation = min(40, n // 5) if validation is None else validation
        conversations = _drawn_for_training(n, validation, turns, seed, varied)
        cut = n
    else:
        conversations, _ = _thirds(_load(data))
        validation = min(40, len(conversations) // 5) if validation is None else validation
        if validation >= len(conversations):
            raise InputError(
                f"expected fewer than {len(conversations)} validation conversations of {data}, not {validation}"
            )
        cut = len(conversations) - validation
    return conversations[:cut], conversations[cut:]


def _drawn_for_training(
    n: int, validation: int, turns: int, seed: int, varied: bool
) -> list[Conversation]:
    """Draw `n` conversations of tinyworld to train on, then those for validation."""
    rng = random.Random(f"worlds {seed}")
    world = tinyworld.World(turns=turns, questions=turns, facts=0.5, subjects=6, pool="train")
    names = [("train", i) for i in range(n)] + [("validation", i) for i in range(validation)]
    drawn = []
    for name, i in names:
        if varied:
            facts, subjects = rng.choice([0.35, 0.5, 0.8]), rng.choice([6, 10, 20, 40])
            mix = (0.45, 0.25, 0.25, 0.05)
            world = replace(world, facts=facts, subjects=subjects, overwritten=0.3, mix=mix)
        drawn.append(tinyworld.sample(f"{name} {seed}", i, world, twin=False))
    return locomo.parse(drawn)


def for_testing(
    data: str | Path,
    n: int,
    turns: int,
    seed: int,
    everything: bool = False,
    cut: bool = False,
) -> list[Conversation]:
    """Choose test conversations: n of tinyworld with their twins, or the test split of a file.

    Args:
        data: "tinyworld", "locomo", or a file in LoCoMo's form.
        n: Conversations to draw from tinyworld.
        turns: Turns of each of tinyworld's.
        seed: Seed of tinyworld's.
        everything: Take all conversations of a file.
        cut: End each of tinyworld's at a random turn of its last three quarters; it is asked what was stated by then.
    """
    if data == "tinyworld":
        world = tinyworld.World(turns=turns)
        conversations = locomo.parse(tinyworld.samples(n, f"test {seed}", world))
        rng = random.Random(f"cut {seed}")
        return [c.until(rng.randint(turns // 4, turns)) if cut else c for c in conversations]
    conversations = _load(data)
    return conversations if everything else _thirds(conversations)[1]


def label(data: str | Path, turns: int) -> str:
    """Name the data of a result file, never by a path of this machine."""
    return f"tinyworld, {turns} turns" if data == "tinyworld" else Path(data).stem


def _load(data: str | Path) -> list[Conversation]:
    return locomo.load(None if data == "locomo" else data)


def _thirds(conversations: list[Conversation]) -> tuple[list[Conversation], list[Conversation]]:
    """Split LoCoMo as the paper does; of any other file the last third is the test."""
    if set(PAPER_TEST) <= {c.id for c in conversations}:
        return paper_split(conversations)
    cut = max(1, len(conversations) - max(1, len(conversations) // 3))
    return conversations[:cut], conversations[cut:] or conversations


def paper_split(
    conversations: Iterable[Conversation],
) -> tuple[list[Conversation], list[Conversation]]:
    """Split LoCoMo as the paper does: train on the first 7, test on conv-48, conv-49 and conv-50.

    Raises:
        DataError: One of the three is missing.
    """
    conversations = list(conversations)
    missing = [name for name in PAPER_TEST if name not in {c.id for c in conversations}]
    if missing:
        came = ", ".join(c.id for c in conversations[:12]) or "nothing"
        raise DataError(f"expected LoCoMo with {', '.join(missing)}, got {came}")
    train = [c for c in conversations if c.id not in PAPER_TEST]
    return train, [c for c in conversations if c.id in PAPER_TEST]


def leave_one_out(
    conversations: Iterable[Conversation],
) -> Iterator[tuple[list[Conversation], list[Conversation]]]:
    """Split once per conversation: it alone is the test, all others are for training.

    Raises:
        DataError: There are fewer than two conversations.
    """
    conversations = list(conversations)
    if len(conversations) < 2:
        raise DataError(
            f"expected at least 2 conversations to leave one out, got {len(conversations)}"
        )
    for i in range(len(conversations)):
        yield conversations[:i] + conversations[i + 1 :], [conversations[i]]
