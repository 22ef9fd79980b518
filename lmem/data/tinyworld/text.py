"""A story of tinyworld as sentences, and every word that such sentences can contain (chapter 1)."""

import re
from dataclasses import replace
from itertools import product

from lmem.data.tinyworld.language import (
    CHAT,
    CLOSERS,
    CORRECTIONS,
    MONTHS,
    NAMES,
    OPENERS,
    RELATIONS,
    UNKNOWN,
    VALUES,
)
from lmem.data.tinyworld.story import Ask, Event


def say(event: Event, value: str) -> str:
    """Write a turn's text: small talk as it is, a fact through its template.

    Args:
        event: The turn. A speaker who talks about herself says "I", "my" and "me".
        value: The value of the fact; small talk has none.
    """
    if event.subject is None:
        return _capital(event.template)
    me = event.subject == event.speaker
    name = event.subject
    marks = {
        "{S's}": "my" if me else f"{name}'s",
        "{S}": "I" if me else name,
        "{O}": "me" if me else name,
        "{is}": "am" if me else "is",
        "{has}": "have" if me else "has",
    }
    text = event.template
    for mark, words in marks.items():
        text = text.replace(mark, words)
    text = re.sub(r"(\w+)\[(e?s)\]", r"\1" if me else _third_person, text).replace("{V}", value)
    return _capital(" ".join(part for part in (event.opener, f"{text}.", event.closer) if part))


def question_text(ask: Ask) -> str:
    """Write a question; for two hops its subject is "Ana's brother"."""
    subject = ask.subject if len(ask.path) == 1 else f"{ask.subject}'s {ask.path[0]}"
    return _capital(ask.template.replace("{S's}", f"{subject}'s").replace("{S}", subject))


def _third_person(match: re.Match) -> str:
    verb = match[1]
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + match[2]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def vocabulary() -> list[str]:
    """List every word that a conversation can contain, in both cases where a sentence can begin with it."""
    words = {UNKNOWN, *MONTHS, *(name for names in NAMES.values() for name in names)}
    words |= {str(day) for day in range(1, 32)}
    words |= {f"{first}-{second}" for pools in VALUES.values() for first, second in product(*pools)}
    phrases = [*OPENERS, *CORRECTIONS, *CLOSERS, *CHAT]
    for name, relation in RELATIONS.items():
        words.add(name)
        for speaker in ("Ana", "Ben"):
            for statement in relation.statements:
                event = Event(speaker, "Ana", name, statement)
                phrases += [say(event, "Ana"), say(replace(event, opener="listen,"), "Ana")]
        phrases += [question_text(Ask("single", "Ana", (name,), q)) for q in relation.questions]
    for phrase in phrases:
        for text in (phrase, _capital(phrase)):
            words |= set(re.findall(r"[A-Za-z]+", text.replace("'s", "").replace("{P}", "")))
    return sorted(words)
