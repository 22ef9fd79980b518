"""Text on its way in: whitespace and Unicode are normalised here, and nowhere else, for every backbone alike.

T5's tokenizers collapse whitespace, others do not, and a mark that nobody sees would still be tokens. The backbone
normalises whatever it tokenizes; readers of files and of the user's input use the same functions to refuse or count.
"""

import re
import unicodedata
from typing import Any

from lmem.errors import InputError

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_SURROGATE = re.compile("[\ud800-\udfff]")
# soft hyphen, zero-width space, marks of direction, byte order mark, controls
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]"
)


def normalise_text(text: str) -> str:
    """Return the text composed (NFC), without invisible marks, and with single blanks as its only whitespace.

    The joiners U+200C and U+200D stay: Persian words and emoji sequences need them.
    """
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", text)).split())


def has_words(text: str) -> bool:
    """Say whether anything is left of a text after `normalise_text`."""
    return bool(normalise_text(text).strip("\u200c\u200d "))


def has_surrogates(text: str) -> bool:
    """Say whether a text has lone surrogates: halves of characters, which no file can store."""
    return _SURROGATE.search(text) is not None


def replace_surrogates(text: str) -> str:
    """Replace each lone surrogate by U+FFFD."""
    return _SURROGATE.sub(REPLACEMENT, text)


def checked_text(value: Any, name: str) -> str:
    """Return a normalised text.

    Args:
        value: What should be a text.
        name: What it is, for the message: "turn 3 of 5".

    Raises:
        InputError: It is no text, has no words, or has lone surrogates.
    """
    if not isinstance(value, str):
        raise InputError(f"expected text as {name}, got {type(value).__name__}")
    if has_surrogates(value):
        raise InputError(
            f"expected Unicode text as {name}, it has half a character (a lone surrogate); "
            "was a file read with another encoding?"
        )
    if not has_words(value):
        raise InputError(f"expected words in {name}, its text is empty")
    return normalise_text(value)
