"""How a question is put: "Where does Ana work?", "Remind me where Ana works", "Hey, where does Ana work?".

The templates of a relation are direct questions. `indirect` turns those with a simple grammar around, and `worded` puts a
frame of words/frames.toml around one; the answer stays the same.
"""

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from lmem.utils.toml import read_toml

_TABLES = read_toml(Path(__file__).parent / "words" / "wording.toml")
_PAST, _VERBS = _TABLES["past"], _TABLES["verbs"]
_WORD = r"[a-z]+"
_ASK = r"(What|Who|Whose|Where|When|Which|How)\b"
_DID = re.compile(rf"({_ASK}[^{{}}]*) did (\{{S\}}|\{{S's\}} {_WORD}) ({_WORD})\b([^?]*)\?")
_DOES = re.compile(rf"({_ASK}[^{{}}]*) \{{does\}} \{{S\}} ({_WORD})\b([^?]*)\?")
_DOES_NOUN = re.compile(rf"({_ASK}[^{{}}]*) does (\{{S's\}} {_WORD}) ({_WORD})\b([^?]*)\?")
_BE = re.compile(rf"({_ASK}[^{{}}]*) (\{{is\}}|\{{was\}}|\{{has\}}|will|can) \{{S\}}([^?,]*)\?")
_NOUN_IS = re.compile(
    rf"(What|Who|Where|When|How old)(?:'s| is) ((?:the {_WORD}(?: {_WORD})? of )?\{{S's\}} {_WORD}(?: {_WORD})?)"
    r"( called)?\?"
)
_NO_NOUN = re.compile(
    r" (?:\w+ing|about|at|in|of|on|to|for|with|from|now|again|called|like|up|off|[a-z]+ly|\w+ed)$"
)


def indirect(question: str) -> str | None:
    """Turn a direct question around, without its question mark.

    Args:
        question: A template, "Where {does} {S} work?".

    Returns:
        "where {S} work[s]", as it goes on after "remind me"; None if the grammar is not a simple one.
    """
    if "," in question:
        return None
    if match := _DID.fullmatch(question):
        asked, _, subject, verb, rest = match.groups()
        unclear = (
            verb in _VERBS["adverbs"]
            or (subject != "{S}" and verb not in _VERBS["after_noun"])
            or " and " in rest
        )
        return None if unclear else f"{_low(asked)} {subject} {_past(verb)}{rest}"
    if match := _DOES.fullmatch(question):
        asked, _, verb, rest = match.groups()
        return None if verb in _VERBS["adverbs"] else f"{_low(asked)} {{S}} {_present(verb)}{rest}"
    if match := _DOES_NOUN.fullmatch(question):
        asked, _, subject, verb, rest = match.groups()
        return (
            f"{_low(asked)} {subject} {_third(verb)}{rest}"
            if verb in _VERBS["after_noun"]
            else None
        )
    if match := _BE.fullmatch(question):
        asked, _, be, rest = match.groups()
        return f"{_low(asked)} {{S}} {be}{rest}"
    if match := _NOUN_IS.fullmatch(question):
        asked, noun, called = match.groups()
        return None if _NO_NOUN.search(noun) else f"{_low(asked)} {noun} is{called or ''}"
    return None


def _low(text: str) -> str:
    return text[:1].lower() + text[1:]


def _past(verb: str) -> str:
    """Give the past tense of a verb."""
    if verb in _PAST:
        return _PAST[verb]
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ied"
    return verb + (verb[-1] if verb in _VERBS["doubled"] else "") + "ed"


def _present(verb: str) -> str:
    """Give a verb with its ending of the third person in the marks of a template."""
    if verb == "have":
        return "{has}"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}[y/ies]"
    return verb + ("[es]" if verb.endswith(("s", "sh", "ch", "x", "o")) else "[s]")


def _third(verb: str) -> str:
    if verb == "have":
        return "has"
    return re.sub(r"\[(?:y/)?(\w+)\]", r"\1", _present(verb))


def worded(
    question: str, frames: Mapping[str, Sequence[str]], rng: random.Random, you: bool = False
) -> str:
    """Put a frame around a question, seldom.

    Args:
        question: A template.
        frames: Lists of frames by name: "indirect" and "you" with {Q} for a question turned around, "before", "after".
        rng: Source of chance.
        you: Whether the one who is asked is spoken of: nobody says "do you know where you work".
    """
    drawn = rng.random()
    if drawn < 0.15:
        turned = indirect(question)
        if turned:
            return rng.choice(frames["you" if you else "indirect"]).replace("{Q}", turned)
    elif drawn < 0.25:
        start = question if question.startswith("{") else _low(question)
        return f"{rng.choice(frames['before'])} {start}"
    elif drawn < 0.28 and question.startswith(("Wh", "How")):
        return question[:-1] + rng.choice(frames["after"])
    return question


def named(question: str) -> str | None:
    """Give what a question asks for: "{S's} favourite colour" of "What's {S's} favourite colour?", if it is so simple."""
    match = _NOUN_IS.fullmatch(question)
    if (
        not match
        or match[3]
        or match[1] not in ("What", "Who", "When")
        or _NO_NOUN.search(match[2])
    ):
        return None
    return match[2]
