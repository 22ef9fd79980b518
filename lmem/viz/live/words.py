"""The sentences and words that a page offers for a backbone: those of `words.toml`, and what is drawn from the data."""

import re
from pathlib import Path
from typing import Any

from lmem.chat.lines import ENGLISH, PATTERNS, UNSURE, UNTOLD
from lmem.data import everyday
from lmem.data.running_conversation import TALK
from lmem.data.tinyworld import World, sample
from lmem.data.tinyworld.language import NAMES, VALUES
from lmem.utils.toml import read_toml

TURNS = 60  # of the conversation along which banks are watched
LATER = 600  # turns after which a fact is asked for, at most
MINI_POOLS = ("pet_name", "city", "country", "allergen", "instrument", "fruit", "language")

_TABLES = read_toml(Path(__file__).with_name("words.toml"))
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
        "pools": [NAMES["pet"], NAMES["person"]],
        "pairs": [list(map(list, pair)) for pair in VALUES.values()],
        "known": known,
        "methods": METHODS,
        "collapse": words["collapse"] | {"turns": long_talk()},
        "machine": words["machine"] | {"turns": corrected_talk()},
        "journey": words["journey"] | {"turns": later},
    }


def mini_words() -> dict[str, Any]:
    """Return what the page offers for mini, which reads plain English."""
    words, language = plain_words() | _TABLES["mini"], everyday.load()
    kinds = [language.names["female"], language.names["male"]]
    kinds += [language.kinds[name] for name in MINI_POOLS]
    pools = [[word for word in kind.items if re.fullmatch(r"\w+", word)] for kind in kinds]
    return words | {
        "untold": UNTOLD,
        "oneself": ENGLISH["questions"]["oneself"],
        "pools": [*pools, list(words["swap"]), *words["calendar"]],
        "others": {"names": pools[0][::10], "towns": pools[3][::10]},
    }


def plain_words() -> dict[str, Any]:
    """Return the words of a backbone that the page does not know."""
    lines = PATTERNS | {"small": ENGLISH["requests"]["small"]}
    return _TABLES["plain"] | {"unsure": UNSURE, "lines": lines}


WORDS = {"nano": nano_words, "mini": mini_words}
