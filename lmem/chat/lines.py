"""What a line of a chat is: something to remember, a question, or both.

A question ends with a question mark of any script, or begins as English questions do: "where do I live".
"""

import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from lmem.utils.toml import read_toml

ENGLISH = read_toml(Path(__file__).with_name("english.toml"))
UNTOLD = "You haven't told me."  # what a user sees where the backbone says "unknown"
_WORDS = ENGLISH["lines"]
_OPENINGS = [re.compile(one.format(**_WORDS), re.IGNORECASE) for one in _WORDS["openings"]]
_RHETORICAL = re.compile(rf"(?:{'|'.join(_WORDS['rhetorical'])})\W*", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!。！…])\s+")


class Line(NamedTuple):
    """The parts of a line: what is said, and what is asked after it; either may be empty."""

    said: str
    asked: str


def parts_of(line: str) -> Line:
    """Split a line into what is to be remembered and what is asked: "I moved to Rome. Where do I live?" has both.

    A question that wants no answer ("Can you believe it?") belongs to what was said before it.
    """
    sentences = _SENTENCE.split(line)
    before, mark, after = line.partition("?")
    if after[:1] == " " and _begins_like_one(before) and not is_question(after):
        return Line(after.strip(), before + mark)  # "Where do I live? I forgot."
    if not is_question(sentences[-1]):
        return Line(line, "")
    if len(sentences) == 1:
        return Line("", line)
    if _RHETORICAL.fullmatch(straight_quotes(sentences[-1])):
        return Line(line, "")
    return Line(line[: -len(sentences[-1])].strip(), sentences[-1])


def is_question(line: str) -> bool:
    """Say whether a line asks: it ends with a question mark of any script, or begins like a question in English.

    After the mark there may be quotes, brackets, exclamation marks and emoji: `?!`, `?"`, `？`, `؟`. Greek asks with a
    semicolon, and Armenian marks a vowel inside the word that is asked for.
    """
    if "\N{ARMENIAN QUESTION MARK}" in line:
        return True
    end = len(line)
    while end and _may_follow(line[end - 1]):
        end -= 1
    last = line[end - 1 : end]
    if last == ";":
        return re.search("[\u0370-\u03ff\u1f00-\u1fff]", line) is not None
    if _is_question_mark(last):
        return True
    return not line.rstrip().endswith("!") and _begins_like_one(line)


def _begins_like_one(line: str) -> bool:
    words = straight_quotes(line).strip().lstrip("¿¡\"'(* ")
    return any(opening.match(words) for opening in _OPENINGS)


def straight_quotes(text: str) -> str:
    """Replace the apostrophes and quotes of typography by those of a keyboard."""
    return text.translate({0x2018: "'", 0x2019: "'", 0x02BC: "'", 0x201C: '"', 0x201D: '"'})


def _is_question_mark(character: str) -> bool:
    """Say whether Unicode's name of a character is that of a question mark."""
    name = unicodedata.name(character, "") if character else ""
    return "QUESTION" in name or "INTERROBANG" in name


def _may_follow(character: str) -> bool:
    """Say whether a character may come after the question mark that ends a line."""
    if _is_question_mark(character):
        return False
    kind = unicodedata.category(character)
    return character in "\"'!！*_~" or kind in ("Pe", "Pf", "Pi", "Zs", "Cf", "Mn", "So", "Sk")
