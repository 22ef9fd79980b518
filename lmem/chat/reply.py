"""What a line of a chat led to, as a terminal shows it; and what a user may set.

Nothing here imports torch: the pages of the book have the same limit and the same sentences.
"""

import math
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from lmem.errors import InputError
from lmem.utils.text import checked_text

if TYPE_CHECKING:
    from lmem.memory.model import Answer

LEAST = 0.45  # confidence below which an answer is none; set on conversations that no training used
LONGEST_NAME = 40
REASONS = {  # why no answer is given
    "nothing": "nothing is kept yet",
    "untold": "nothing that is kept is like the question, and no word of it was said here",
    "spoken": "a word of the question was said here, but nothing that is kept is like it",
    "doubted": "what is kept is near the question, but only {sure} likely to answer it",
    "empty": "what is kept is near the question, but holds no answer to it",
    "unsure": "an answer was found, but it is only {sure} sure",
    "unknown": "the model itself gives no answer, and no word of the question was said here",
    "unknown but spoken": "the model itself gives no answer, though a word of the question was said here",
}


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


def reason_of(answer: "Answer", spoken: bool, bare: bool = False) -> str:
    """Return why an answer is none.

    Args:
        answer: One that was withheld, that is "unknown", or that came from an empty bank.
        spoken: Whether a word of the question was said before.
        bare: Whether the bank was empty.
    """
    if bare:
        return REASONS["nothing"]
    if answer.withheld == "doubted":
        return REASONS["doubted"].format(sure=percent(1 - (answer.doubt or 0)))
    if answer.withheld:
        return REASONS["spoken" if spoken else "untold"]
    if answer.doubt is not None:
        return REASONS["empty"]
    return REASONS["unknown but spoken" if spoken else "unknown"]


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


def is_stuck(text: str) -> bool:
    """Say whether a decoder that copies piece by piece came to no end: "Utrechtrechtrecht"."""
    return re.search(r"(\D{2,})\1\1", text) is not None


def checked_threshold(value: float | str) -> float:
    """Return a threshold for confidences, from 0 to 1, of a number in percent, such as "60%" or 60, or from 0 to 1.

    Raises:
        InputError: It is no number from 0% to 100%.
    """
    text = str(value).strip()
    try:
        threshold = float(text.removesuffix("%"))
    except ValueError:
        threshold = math.nan
    if text.endswith("%") or threshold > 1:
        threshold /= 100
    if not 0 <= threshold <= 1:
        raise InputError(f"expected a number from 0% to 100%, such as 60%, not {value!r}")
    return threshold
