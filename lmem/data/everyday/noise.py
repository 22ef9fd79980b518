"""How a message is typed: capitals, full stops, typing mistakes; names and values are never touched.

`marks.fill` puts what must stay as it is between KEEP and END. `type_out` works on the rest, takes
the marks away, and says how each value stands in the finished text.
"""

import random
import re
from pathlib import Path

from lmem.data.everyday.marks import END, KEEP, VALUE
from lmem.utils.toml import read_toml

STYLES = (*["plain"] * 10, *["bare"] * 4, *["lower"] * 2, "texting", "lively", "lively", "shouty")
QUESTION_STYLES = (*["plain"] * 13, "bare", "bare", "lower", "lower", "texting", "sloppy", "typos")
_TABLES = read_toml(Path(__file__).parent / "words" / "noise.toml")
_TEXTED, _NEAR = _TABLES["texted"], _TABLES["near"]
_TEXTED_WORD = re.compile(rf"\b({'|'.join(sorted(_TEXTED, key=len, reverse=True))})\b")
_APOSTROPHE = re.compile(r"'(?=(?:s|m|t|re|ve|ll|d)\b)")
_DONE = (".", "!", "?", "…", ":)", ":D", ":(", "😂", "😅", "🙈", "🎉")  # after these no full stop
_SMALL = ("lower", "texting", "sloppy")
_WORD = re.compile(r"[A-Za-z]{4,}")


def type_out(
    text: str, style: str, rng: random.Random | None = None, typos: float = 0.0
) -> tuple[str, dict[str, str]]:
    """Finish a message.

    Args:
        text: Filled sentences, with KEEP, END and VALUE.
        style: "bare" leaves the last full stop out, "lower" has no capitals of its own, "texting" and "sloppy"
            have no apostrophes either, "lively" and "shouty" like exclamation marks; others are plain.
        rng: Source of the mistakes; None: there are none.
        typos: Share of the words of four letters or more that are mistyped.

    Returns:
        (text, values): the message, and {tag: how the value stands in it}.
    """
    text = _ended(text, style)
    text = _lowered(text, style) if style in _SMALL else _capitals(text)
    text = re.sub(rf"([.!?…]{END})\.", r"\1", text)  # "D.C." ends a sentence alone
    done: list[str] = []
    values: dict[str, str] = {}
    for i, part in enumerate(re.split(f"{KEEP}([^{END}]*){END}", text)):
        if i % 2 == 0:
            done.append(_mistype(part, rng, typos) if rng and typos else part)
        else:
            _, tag, kept = part.split(VALUE) if part.startswith(VALUE) else ("", None, part)
            done.append(kept)
            if tag is not None:
                values.setdefault(tag, kept)
    return "".join(done), values


def _ended(text: str, style: str) -> str:
    """Put one mark of punctuation at the end, as the style likes it."""
    done = text.replace(END, "")
    if done.endswith(_DONE):
        return text[:-1] if style in ("bare", *_SMALL) and done.endswith(".") else text
    return text + {"bare": "", "lively": "!", "shouty": "!!"}.get(
        style, "" if style in _SMALL else "."
    )


def _capitals(text: str) -> str:
    """Put a capital at each start of a sentence, unless a value is spelled with capitals inside."""

    def raise_(match: re.Match) -> str:
        start, opened, word = match.groups()
        inner = any(letter.isupper() for letter in word[1:])
        return start + opened + (word if inner else word[:1].upper() + word[1:])

    pattern = rf"(^|[.!?…]\s+)((?:{KEEP}(?:{VALUE}[^{VALUE}]*{VALUE})?)?[\"'(]?)([^\W\d_][\w-]*)"
    return re.sub(pattern, raise_, text)


def _lowered(text: str, style: str) -> str:
    """Leave no capitals outside of names and values, and in some styles no apostrophes."""

    def small(part: str) -> str:
        part = part.lower()
        if style in ("texting", "sloppy"):
            part = _TEXTED_WORD.sub(lambda match: _TEXTED[match[0]], part)
            part = _APOSTROPHE.sub("", part)
        return part

    parts = re.split(f"({KEEP}[^{END}]*{END})", text)
    return "".join(part if i % 2 else small(part) for i, part in enumerate(parts))


def lower_names(text: str) -> str:
    """Leave no capitals in names either; values stay as they are."""
    return re.sub(f"{KEEP}[^{END}{VALUE}]*{END}", lambda match: match[0].lower(), text)


def _mistype(text: str, rng: random.Random, share: float) -> str:
    def slip(match: re.Match) -> str:
        word = match.group()
        if rng.random() >= share:
            return word
        i = rng.randrange(1, len(word) - 1)
        slips = (
            word[:i] + word[i + 1] + word[i] + word[i + 2 :],  # swapped
            word[:i] + word[i + 1 :],  # left out
            word[:i] + word[i] + word[i:],  # twice
            word[:i] + _NEAR.get(word[i], word[i]) + word[i + 1 :],  # the key next to it
        )
        return rng.choice(slips)

    return _WORD.sub(slip, text)
