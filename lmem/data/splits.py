"""Which conversations to train on and which to test on (chapter 9).

Generated conversations are drawn by seed. LoCoMo is split as in the paper, any other file by thirds.
"""

import hashlib
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lmem.data import everyday, locomo, locomo_release, tinyworld
from lmem.data.conversation import Conversation, conversations_sha256
from lmem.data.drawing import Generator
from lmem.errors import DataError, InputError
from lmem.utils.files import user_path

# whatever has `training_conversations` and `test_conversations`: a Generator, or a module
GENERATORS: dict[str, Any] = {
    "tinyworld": Generator(tinyworld, "worlds", (0.35, 0.5, 0.8), (0.45, 0.25, 0.25, 0.05)),
    "everyday": Generator(
        everyday, "everyday worlds", (0.4, 0.6, 0.8), (0.3, 0.25, 0.15, 0.25, 0.05)
    ),
}
Data = str | Path  # name of a generator, "locomo", or a file in its form
PAPER_TEST = ("conv-48", "conv-49", "conv-50")


def for_training(
    data: Data, n: int, turns: int, seed: int, validation: int | None = 0, varied: bool = False
) -> tuple[list[Conversation], list[Conversation]]:
    """Choose conversations to train on, and others for validation; neither are test conversations.

    Args:
        data: A name out of GENERATORS, "locomo", or a file in LoCoMo's form, of which only the training split is used.
        n: Conversations to draw from a generator.
        turns: Turns of each drawn one.
        seed: Seed of the drawing.
        validation: Conversations for validation; of a file the last ones. None: a fifth as many as there are, at most 40.
        varied: Draw conversations with few facts or many, few people or many, and with many corrections and two hops.

    Returns:
        (training, validation).

    Raises:
        InputError: A file leaves none to train on.
    """
    if generator := GENERATORS.get(str(data)):
        validation = min(40, n // 5) if validation is None else validation
        conversations = generator.training_conversations(n, validation, turns, seed, varied)
    else:
        conversations, tests = _thirds(_load(data))
        if not conversations:
            raise InputError(
                f"expected at least 2 conversations in {data}, to train on one and test on the other, got {len(tests)}"
            )
        validation = min(40, len(conversations) // 5) if validation is None else validation
        if validation >= len(conversations):
            raise InputError(
                f"expected fewer than {len(conversations)} validation conversations of {data}, not {validation}"
            )
    cut = len(conversations) - validation
    return conversations[:cut], conversations[cut:]


def for_testing(
    data: Data, n: int, turns: int, seed: int, everything: bool = False, cut: bool = False
) -> list[Conversation]:
    """Choose test conversations: n drawn ones with their counterfactual twins, or the test split of a file.

    Args:
        data: A name out of GENERATORS, "locomo", or a file in LoCoMo's form.
        n: Conversations to draw from a generator.
        turns: Turns of each drawn one.
        seed: Seed of the drawing.
        everything: Take all conversations of a file.
        cut: End each drawn one at a random turn of its last three quarters; it is asked what was stated by then.
    """
    if generator := GENERATORS.get(str(data)):
        conversations = generator.test_conversations(n, turns, seed)
        rng = random.Random(f"cut {seed}")
        return [c.until(rng.randint(turns // 4, turns)) if cut else c for c in conversations]
    conversations = _load(data)
    return conversations if everything else _thirds(conversations)[1]


def label(data: Data, turns: int) -> str:
    """Name the data of a result file: "locomo" for the release, whatever its file is called, and never a path of this machine."""
    return source(data, turns)["data"]


def source(data: Data, turns: int, conversations: Iterable[Conversation] = ()) -> dict[str, Any]:
    """Say where the data of a result come from.

    Args:
        data: As in `for_testing`.
        turns: Turns of each drawn conversation.
        conversations: Those that were used, for their digest.

    Returns:
        data, the label; conversations_sha256 if there are conversations; for a file also file_sha256 and release, "yes" or "no".
    """
    conversations = list(conversations)
    used = {"conversations_sha256": conversations_sha256(conversations)} if conversations else {}
    if str(data) in GENERATORS:
        return {"data": f"{data}, {turns} turns", **used}
    path = locomo_release.find() if data == "locomo" else user_path(data)
    content = path.read_bytes() if path and path.is_file() else b""
    # what is not here yet can only be the release: nothing else is downloaded
    sha256 = hashlib.sha256(content).hexdigest() if path else locomo_release.SHA256
    name, release = path.stem if path else "locomo", sha256 == locomo_release.SHA256
    if not release and name == "locomo":
        name = "locomo, not the release"
    file = {"file_sha256": sha256, "release": "yes" if release else "no"}
    return {"data": "locomo" if release else name, **file, **used}


def _load(data: Data) -> list[Conversation]:
    if data != "locomo" and not user_path(data).exists():
        raise DataError(
            f'expected {", ".join(GENERATORS)}, "locomo" or a LoCoMo file, there is no {data}'
        )
    return locomo.load(None if data == "locomo" else data)


def _thirds(conversations: list[Conversation]) -> tuple[list[Conversation], list[Conversation]]:
    """Split LoCoMo as the paper does; of any other file the last third is the test, and a single conversation is all of it."""
    if set(PAPER_TEST) <= {c.id for c in conversations}:
        return paper_split(conversations)
    cut = len(conversations) - max(1, len(conversations) // 3)
    return conversations[:cut], conversations[cut:]


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
