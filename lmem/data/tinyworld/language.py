"""The words and sentences of tinyworld, read from `language.toml` (chapter 1)."""

from pathlib import Path
from typing import NamedTuple

from lmem.utils.toml import read_toml


class Relation(NamedTuple):
    """One thing that can be said of a subject.

    Attributes:
        subject: Kind of the subject: "person", "pet" or "place".
        value: Kind of the value: a key of VALUES or one of NAMED.
        statements: Templates that state the fact; the last one is held out from training.
        questions: Templates that ask for it; the last one is held out from training.
    """

    subject: str
    value: str
    statements: list[str]
    questions: list[str]


_LANGUAGE = read_toml(Path(__file__).with_name("language.toml"))
_HELD_OUT = _LANGUAGE["held_out"]

UNKNOWN: str = _LANGUAGE["unknown"]
MONTHS: list[str] = _LANGUAGE["months"]
OPENERS: list[str] = _LANGUAGE["openers"]
CORRECTIONS: list[str] = _LANGUAGE["corrections"]
CLOSERS: list[str] = _LANGUAGE["closers"]
CHAT: list[str] = _LANGUAGE["chat"]

# names by the kind of who has them, those held out from training last
NAMES: dict[str, list[str]] = {
    "person": _LANGUAGE["names"]["people"] + _HELD_OUT["people"],
    "pet": _LANGUAGE["names"]["pets"] + _HELD_OUT["pets"],
    "place": _LANGUAGE["names"]["places"] + _HELD_OUT["places"],
}
HELD_OUT_NAMES = frozenset(_HELD_OUT["people"] + _HELD_OUT["pets"] + _HELD_OUT["places"])

# kinds of value: (first words, second words), or a name of the conversation
VALUES: dict[str, tuple[list[str], list[str]]] = {
    kind: (_LANGUAGE["words"][first], _LANGUAGE["words"][second])
    for kind, (first, second) in _LANGUAGE["values"].items()
}
NAMED = ("person", "pet")

RELATIONS = {name: Relation(**table) for name, table in _LANGUAGE["relations"].items()}
HELD_OUT_RELATIONS = frozenset(_HELD_OUT["relations"])
