"""The sentences and words that a page offers for a backbone: those of `words.toml`, and what is drawn from the data."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from lmem.chat.lines import ENGLISH, PATTERNS, UNSURE, UNTOLD
from lmem.chat.reply import LEAST, REASONS
from lmem.data import everyday
from lmem.data.running_conversation import TALK
from lmem.data.tinyworld import World, sample
from lmem.data.tinyworld.language import NAMES, VALUES
from lmem.utils.toml import read_toml

TURNS = 60  # of the conversation along which banks are watched
LATER = 600  # turns after which a fact is asked for, at most

_TABLES = read_toml(Path(__file__).with_name("words.toml"))
_SWAPS = read_toml(Path(__file__).with_name("swaps.toml"))
METHODS: list[dict[str, Any]] = _TABLES["methods"]


def long_talk() -> list[list[str]]:
    """Return (speaker, text) of 60 turns: the running conversation, then turns of tinyworld that do not speak of Ana's cat."""
    more = other_turns("a longer talk", 4 * TURNS)
    return [turn.split(": ", 1) for turn in TALK] + more[: TURNS - len(TALK)]


def corrected_talk() -> list[list[str]]:
    """Return (speaker, text) of 12 turns: the beginning of the running conversation, and a correction of its turn 3."""
    turns = [turn.split(": ", 1) for turn in TALK[:11]]
    return [*turns[:10], ["Ben", "Correction: I live in Amber-Hill."], turns[10]]


def other_turns(seed: str, turns: int) -> list[list[str]]:
    """Return (speaker, text) of those turns of a conversation of tinyworld that neither Ana says nor speak of her or a cat."""
    sessions = sample(seed, 0, World(turns=turns), twin=False)["conversation"]
    return [
        [turn["speaker"], turn["text"]]
        for name in sorted(sessions, key=lambda key: (len(key), key))
        if name.startswith("session_") and not name.endswith("time")
        for turn in sessions[name]
        if turn["speaker"] != "Ana" and not re.search(r"\b(cat|Ana|Miro)\b", turn["text"])
    ]


def nano_words() -> dict[str, Any]:
    """Return what the page offers for nano, which reads tinyworld's language only."""
    words = plain_words() | _TABLES["nano"]
    known = [
        ("People", NAMES["person"]),
        ("Pets", NAMES["pet"]),
        ("Towns", [f"{a}-{b}" for a, b in zip(*VALUES["town"], strict=True)]),
        ("Dishes", [f"{a}-{b}" for a, b in zip(*VALUES["dish"], strict=True)]),
    ]
    later = other_turns("six hundred turns", 2000)[:LATER]
    return words | {
        "swaps": swaps("nano", NAMES)
        + [{"halves": pair, "around": [["", ""]]} for pair in VALUES.values()],
        "known": known,
        "methods": METHODS,
        "collapse": words["collapse"] | {"turns": long_talk()},
        "machine": words["machine"] | {"turns": corrected_talk()},
        "journey": words["journey"] | {"turns": later},
    }


def mini_words() -> dict[str, Any]:
    """Return what the page offers for mini, which reads plain English."""
    words, language = plain_words() | _TABLES["mini"], everyday.load()
    lists = {name: kind.items for name, kind in (language.kinds | language.names).items()}
    return words | {
        "untold": UNTOLD,
        "oneself": ENGLISH["questions"]["oneself"],
        "swaps": swaps("mini", lists),
    }


def swaps(backbone: str, lists: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return the kinds of values that can stand for each other: of `swaps.toml`, with their words and patterns.

    Args:
        backbone: Whose kinds.
        lists: The data's words by kind.
    """
    kinds = []
    for kind in _SWAPS[backbone]:
        items = [*kind.get("items", ()), *chain(*(lists[name] for name in kind.get("lists", ())))]
        sides = {name: _sides(kind[name]) for name in ("around", "open", "low") if name in kind}
        sides |= {"cue": _filled(kind["cue"])} if "cue" in kind else {}
        kinds.append(kind | {"items": items} | sides)
    return kinds


def _sides(pairs: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return pairs of patterns, before and after a value, written out."""
    return [list(map(_filled, pair)) for pair in pairs]


def _filled(pattern: str) -> str:
    """Return a pattern with those that it names in braces, and theirs."""
    for name in reversed(_SWAPS["patterns"]):
        pattern = pattern.replace(f"{{{name}}}", _SWAPS["patterns"][name])
    return pattern.replace("{small}", ENGLISH["requests"]["small"])


def plain_words() -> dict[str, Any]:
    """Return the words of a backbone that the page does not know."""
    lines = PATTERNS | {"small": ENGLISH["requests"]["small"]}
    reasons = {name: f"{why[0].upper()}{why[1:]}." for name, why in REASONS.items()}
    said = {"unsure": UNSURE, "reasons": reasons, "least": LEAST, "lines": lines}
    return _TABLES["plain"] | said | {"swaps": [], "around": _sides([["{before}", "{after}"]])}


WORDS = {"nano": nano_words, "mini": mini_words}
