"""How to talk to a memory: each backbone was trained on sentences of some form, and people type others.

A dialect says how a line and a question must be put so that the frozen backbone can read them, and what can be asked. It knows
no facts: the answers come from the bank alone.

    nano, tinyworld     "where do i live" by Mehmet is asked as "Where does Piet live?": nano has no first person in questions, a
                        capital at the start of each sentence, and no word for Mehmet
    others, everyday    the same as "Mehmet: Where do I live?"
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lmem.chat.lines import ENGLISH, as_written, names_in, straight_quotes
from lmem.data.everyday import language as everyday
from lmem.data.everyday.marks import END, KEEP, Form, fill
from lmem.data.tinyworld import language as tinyworld

_SHORT, _PATTERNS = ENGLISH["contracted"], ENGLISH["questions"]
_CONTRACTED = re.compile("|".join(rf"\b{re.escape(short)}\b" for short in _SHORT), re.IGNORECASE)
_POLITE, _INDIRECT, _SPEAKS_OF_ONESELF = (
    re.compile(_PATTERNS[name], re.IGNORECASE) for name in ("polite", "indirect", "oneself")
)


@dataclass(frozen=True)
class Dialect:
    """A way to put lines to a backbone; this one is for everyday English.

    Attributes:
        examples: Three lines for the start.
        unknown: The answer of a backbone that finds nothing.
        stand_in: What to call a user whose name the backbone cannot read; "" if it reads any.
    """

    examples: tuple[str, str, str] = (
        "I adopted a dog called Rex.",
        "What is my dog called?",
        "/why",
    )
    unknown: str = "unknown"
    stand_in: str = ""

    def statement(self, line: str) -> str:
        """Return a line as it is written."""
        return line

    def question(self, line: str, name: str, told: Iterable[str] = ()) -> str:
        """Return a question as it is asked; one about the speaker names him or her first.

        Args:
            line: As it was typed.
            name: Who asks.
            told: What was said before, for the spelling of names.
        """
        asked = as_written(line, names_in(told) | {name.lower(): name})
        return f"{name}: {asked}" if _SPEAKS_OF_ONESELF.search(straight_quotes(line)) else asked

    def topics(self, name: str) -> Iterator[str]:
        """Yield the questions that can be asked about somebody."""
        known = everyday.load()
        for relation in (*known.relations.values(), *known.roles.values()):
            if relation.subject == "person" and relation.value:
                text = fill(relation.questions[0], Form("name", name))
                yield text.replace(KEEP, "").replace(END, "")

    def names(self, answers: list[str]) -> list[str]:
        """Return the answers about which one can ask further; none, since any word may be a name."""
        return []


class Tinyworld(Dialect):
    """The way to put lines to nano."""

    def statement(self, line: str) -> str:
        text = _CONTRACTED.sub(lambda match: _SHORT[match[0].lower()], straight_quotes(line))
        text = re.sub(r"\bi\b", "I", text)
        text = re.sub(r"\b([Ff])avorite\b", r"\1avourite", text)
        text = re.sub(r"\b([Nn])eighbor\b", r"\1eighbour", text)
        text = re.sub(r"(^|[.!?] +)(\w)", lambda match: match[1] + match[2].upper(), text)
        return text if text[-1:] in ".!?" else f"{text}."

    def question(self, line: str, name: str, told: Iterable[str] = ()) -> str:
        text = _POLITE.sub("", self.statement(line).rstrip(" .!?…？"))
        text = _INDIRECT.sub(r"\1 do i \2", text)
        for pattern, words in _PATTERNS["first_person"]:
            said = words.replace("{S}", name)
            text = re.sub(pattern, lambda match, said=said: said, text, flags=re.IGNORECASE)
        text = text.strip()
        return f"{text[:1].upper()}{text[1:]}?"

    def topics(self, name: str) -> Iterator[str]:
        kind = next((kind for kind, names in tinyworld.NAMES.items() if name in names), "person")
        for relation in tinyworld.RELATIONS.values():
            if relation.subject == kind:
                for question in relation.questions[:-1]:
                    text = question.replace("{S's}", f"{name}'s").replace("{S}", name)
                    yield f"{text[:1].upper()}{text[1:]}"

    def names(self, answers: list[str]) -> list[str]:
        known = {name for names in tinyworld.NAMES.values() for name in names}
        return [answer for answer in dict.fromkeys(answers) if answer in known]


EVERYDAY = Dialect()
DIALECTS: dict[str, Dialect] = {  # by the backbone's name; any other one reads everyday English
    "nano": Tinyworld(
        ("I live in Cedar-Bay.", "Where do I live?", "/why"), tinyworld.UNKNOWN, "Piet"
    )
}


def dialect_of(backbone: str) -> Dialect:
    """Return the way to talk to a backbone."""
    return DIALECTS.get(backbone, EVERYDAY)
