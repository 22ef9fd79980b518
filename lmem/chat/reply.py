"""What a line of a chat led to, as a terminal shows it; and what a user may set."""

import math
from typing import Literal, NamedTuple

from lmem.errors import InputError
from lmem.utils.text import checked_text

LONGEST_NAME = 40


class Reply(NamedTuple):
    """A reply.

    Attributes:
        text: What the user is shown.
        kind: "answer" of the model, "notice" about a command, or "written" for a turn.
        note: Something to know about it, such as words that the backbone cannot read.
    """

    text: str
    kind: Literal["answer", "notice", "written"]
    note: str = ""


def turns_of(count: int) -> str:
    """Return "1 turn", "2 turns"."""
    return f"{count} turn{'' if count == 1 else 's'}"


def percent(share: float) -> str:
    """Return a share in percent, such as "79%"; "under 1%" where it would round to none."""
    return "under 1%" if 0 < share < 0.005 else f"{share:.0%}"


def checked_name(name: str) -> str:
    """Return a name that can stand before a colon.

    Raises:
        InputError: It is too long, has a colon, or no words.
    """
    text = checked_text(name, "your name")
    if len(text) > LONGEST_NAME or ":" in text:
        raise InputError(
            f"expected a name of at most {LONGEST_NAME} characters without a colon, not {text[:60]!r}"
        )
    return text


def checked_threshold(value: float | str) -> float:
    """Return a threshold for confidences, from 0 to 1 or in percent, such as "60%".

    Raises:
        InputError: It is no number from 0 to 1.
    """
    text = str(value).strip()
    try:
        threshold = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        threshold = math.nan
    if not 0 <= threshold <= 1:
        raise InputError(f"expected a threshold from 0 to 1, not {value!r}")
    return threshold
