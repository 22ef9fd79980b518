"""How to talk to a memory: each backbone was trained on sentences of some form, and people type others.

A dialect says how a line and a question must be put so that the frozen backbone can read them. It knows no facts: the answers
come from the bank alone.

    nano, tinyworld     "where do i live" by Mehmet is asked as "Where does Piet live?": nano has no first person in questions, a
                        capital at the start of each sentence, and no word for Mehmet
    others, everyday    the same as "Mehmet: Where do I live?"
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lmem.chat.lines import ENGLISH, as_written, straight_quotes
from lmem.chat.topics import ONESELF, everyday_topics, plain_question, tinyworld_topics
from lmem.data.everyday.marks import Form
from lmem.data.tinyworld.language import UNKNOWN

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
        kept: A fact that a memory of this backbone keeps.
        unknown: The answer of a backbone that finds nothing.
        stand_in: What to call a user whose name the backbone cannot read; "" if it reads any.
    """

    examples: tuple[str, str, str] = (
        "I adopted a dog called Rex.",
        "What is my dog called?",
        "/why",
    )
    kept: str = "My diet is vegetarian."
    unknown: str = "unknown"
    stand_in: str = ""

    def statement(self, line: str) -> str:
        """Return a line as it is written."""
        return line

    def question(self, line: str, name: str, names: Mapping[str, str] | None = None) -> str:
        """Return a question as it is asked; one about the speaker names him or her first.

        Args:
            line: As it was typed.
            name: Who asks.
            names: Of `names_in` what was said before, for their spelling.
        """
        asked = as_written(line, {**(names or {}), name.lower(): name})
        return f"{name}: {asked}" if _SPEAKS_OF_ONESELF.search(straight_quotes(line)) else asked

    def topics(self, sentence: str, name: str, about: str = "") -> dict[str, float]:
        """Return the questions that fit a sentence, as in `Topics.of`.

        Args:
            sentence: As it was typed; "" for all questions.
            name: Who said it.
            about: Whom all questions are about; "" for the speaker.
        """
        known = everyday_topics().of(sentence, Form("name", about) if about else ONESELF)
        return plain_question(sentence) | known


class Tinyworld(Dialect):
    """The way to put lines to nano."""

    def statement(self, line: str) -> str:
        text = _CONTRACTED.sub(lambda match: _SHORT[match[0].lower()], straight_quotes(line))
        text = re.sub(r"\bi\b", "I", text)
        text = re.sub(r"\b([Ff])avorite\b", r"\1avourite", text)
        text = re.sub(r"\b([Nn])eighbor\b", r"\1eighbour", text)
        text = re.sub(r"(^|[.!?] +)(\w)", lambda match: match[1] + match[2].upper(), text)
        return text if text[-1:] in ".!?" else f"{text}."

    def question(self, line: str, name: str, names: Mapping[str, str] | None = None) -> str:
        text = _POLITE.sub("", self.statement(line).rstrip(" .!?…？"))
        text = _INDIRECT.sub(r"\1 do i \2", text)
        for pattern, words in _PATTERNS["first_person"]:
            said = words.replace("{S}", name)
            text = re.sub(pattern, lambda match, said=said: said, text, flags=re.IGNORECASE)
        text = text.strip()
        return f"{text[:1].upper()}{text[1:]}?"

    def topics(self, sentence: str, name: str, about: str = "") -> dict[str, float]:
        return tinyworld_topics().of(sentence, Form("name", about or name))


EVERYDAY = Dialect()
DIALECTS: dict[str, Dialect] = {  # by the backbone's name; any other one reads everyday English
    "nano": Tinyworld(
        ("I live in Cedar-Bay.", "Where do I live?", "/why"), "My brother is Hugo.", UNKNOWN, "Piet"
    )
}


def dialect_of(backbone: str) -> Dialect:
    """Return the way to talk to a backbone."""
    return DIALECTS.get(backbone, EVERYDAY)
