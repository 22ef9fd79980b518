"""What a line of a chat is: something to remember, a question, or both; and whether it asks to forget.

A question ends with a question mark of any script, or begins as English questions do: "where do I live".
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from lmem.utils.toml import read_toml

ENGLISH = read_toml(Path(__file__).with_name("english.toml"))
UNTOLD = "You haven't told me."  # where nothing in the bank is near the question, and none of its words was said
UNSURE = "I'm not sure."  # where something is near, but doubted too much to be told, or a word of the question was said
_WORDS, _REQUESTS = ENGLISH["lines"], ENGLISH["requests"]
_OPENING = "|".join(_WORDS["openings"]).format(**_WORDS)
_TAG, _UNMARKED, _CONFIRMS = (
    "|".join(_WORDS[name]).format(**_WORDS) for name in ("tags", "unmarked", "confirms")
)
PATTERNS = {  # that JavaScript reads too; group 1 of `tagged` is the statement before a tag
    "opening": rf"^[¿¡\"'(* ]*(?:{_OPENING})",
    "rhetorical": rf"^(?:{'|'.join(_WORDS['rhetorical'])})\W*$",
    "tagged": rf"^(?!\W*(?:{_OPENING}))(.*?\w)(?:(?:{_TAG})\W*\?|(?:{_UNMARKED}))\W*$",
    "confirms": rf"^(?:{_CONFIRMS})\W*\?\W*$",
}
_OPENS, _RHETORICAL, _TAGGED, _ASKS_IF_SO = (
    re.compile(one, re.IGNORECASE) for one in PATTERNS.values()
)
_SENTENCE = re.compile(r"(?<=[.!?。！？…])(?<!\b[DMS][rst]\.)(?<!\bMrs\.)\s+(?=\w|[\"'“‘¿¡(*])")
_LAST, *_ABOUT = (
    re.compile(rf"{_REQUESTS['opening']}{one}{_REQUESTS['closing']}", re.IGNORECASE)
    for one in (_REQUESTS["last"], *_REQUESTS["about"])
)
_WITHDRAWAL = re.compile(_REQUESTS["withdrawal"], re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_INSIDE = re.compile(r"(?<=[^.!?…:\s] )[^\W\d_]+")  # a word that begins no sentence
_SMALL = frozenset(_REQUESTS["small"].split("|"))


class Line(NamedTuple):
    """The parts of a line: what is said, and what is asked after it; either may be empty."""

    said: str
    asked: str


def parts_of(line: str) -> Line:
    """Split a line into what is to be remembered and what is asked: "I moved to Rome. Where do I live?" has both.

    A question that wants no answer ("Can you believe it?") belongs to what was said before it. A statement with a tag ("I live
    in Paris, right?") is asked, for it may be wrong: what is asked changes no bank.
    """
    sentences = _SENTENCE.split(line)
    said, asked = [], []
    for place, sentence in enumerate(sentences):
        plain, last = straight_quotes(sentence), place == len(sentences) - 1
        asks = is_question(sentence) if last else "?" in sentence and _begins_like_one(sentence)
        if said and _RHETORICAL.match(plain):
            said.append(sentence)
        elif said and _ASKS_IF_SO.match(plain):
            asked.append(f"{said.pop()} {sentence}")
        else:
            (asked if asks or has_tag(sentence) else said).append(sentence)
    return Line(" ".join(said), " ".join(asked))


def has_tag(line: str) -> bool:
    """Say whether a line is a statement that asks whether it is so: "I live in Paris, right?", "I live in Paris. Right?"."""
    *before, last = _SENTENCE.split(straight_quotes(line).strip())
    return _TAGGED.match(last) is not None or bool(before and _ASKS_IF_SO.match(last))


def split_request(line: str) -> tuple[str, str | None]:
    """Split off a last sentence that asks to forget: "No, that was wrong. Forget what I said about my sister."

    Returns:
        The line without it; and what to forget, "" for the last thing said, None if nothing of the kind is asked.
    """
    *before, last = _SENTENCE.split(line)
    text = straight_quotes(last).strip().rstrip(".!?… ")
    if _LAST.fullmatch(text):
        return " ".join(before), ""
    found = next(filter(None, (about.fullmatch(text) for about in _ABOUT)), None)
    return (" ".join(before), found[1]) if found else (line, None)


def is_withdrawal(line: str) -> bool:
    """Say whether a line says that something has ended: "I don't have a dog any more"."""
    return _WITHDRAWAL.search(line) is not None


def content_words(text: str) -> set[str]:
    """Return the words of a text that say what it is about, in small letters and without s or 's at the end."""
    words = re.findall(r"\w+(?:'\w+)?", straight_quotes(text).lower())
    return {re.sub(r"(?<=\w\w)(?:'s|(?<!s)s)$", "", word) for word in words if word not in _SMALL}


def names_in(texts: Iterable[str]) -> dict[str, str]:
    """Return {name in small letters: name} of the words that have a capital inside a sentence and are never written without."""
    spelled = [word for text in texts for word in _INSIDE.findall(text)]
    small = {word for word in spelled if word.islower()} | _SMALL
    return {
        word.lower(): word for word in spelled if word[0].isupper() and word.lower() not in small
    }


def as_written(question: str, names: Mapping[str, str]) -> str:
    """Return a question as it is in books: a capital at its start, I, the names that are known, and a mark at its end.

    A small model reads "where do i live" less well than "Where do I live?".

    Args:
        question: As it was typed.
        names: Of `names_in`.
    """
    text = question.lower() if question.isupper() else question
    text = _WORD.sub(lambda match: names.get(match[0], "I" if match[0] == "i" else match[0]), text)
    text = text[:1].upper() + text[1:]
    return f"{text}?" if _WORD.match(text[-1:]) else text


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
    return _OPENS.match(straight_quotes(line).strip()) is not None


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
