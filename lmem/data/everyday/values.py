"""Values: what fills the slots of a story, once for the conversation and once for its twin."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lmem.data.everyday import dates, invent
from lmem.data.everyday.cast import Namer
from lmem.data.everyday.language import Relation
from lmem.data.everyday.story import Slot, Story

_AGES = ("age", "grandparent_age")  # a new age is a little higher than the one it replaces
_OLD = 0.4  # share of "person" values that are somebody else of the cast


@dataclass(frozen=True)
class Value:
    """What fills one slot.

    Attributes:
        texts: The values told, usually one; () where only a time is told.
        when: The time in words, "" if none is told.
        answer: The time as an answer, "" if none is told.
        held_out: Whether training never uses one of the texts.
    """

    texts: tuple[str, ...] = ()
    when: str = ""
    answer: str = ""
    held_out: bool = False


Values: TypeAlias = Sequence[Value]  # of a story, in the order of its slots


def draw_values(story: Story, namer: Namer, other_than: Values | None = None) -> list[Value]:
    """Draw one Value per slot of the story.

    Args:
        story: What is said in which turn.
        namer: The story's own, with its source of chance and its world.
        other_than: The conversation's values, if these are the twin's: every answer then differs.

    Returns:
        Values in the order of `story.slots`.
    """
    rng, values = namer.rng, list[Value]()
    used: dict[str | None, set[str]] = {}
    times: dict[str, set[str]] = {}
    for slot, value in zip(story.slots, other_than or (), strict=False):
        used.setdefault(story.relation(slot.key[1]).value, set()).update(value.texts)
        times.setdefault(slot.key[1], set()).add(value.answer)
    for i, slot in enumerate(story.slots):
        row = story.relation(slot.key[1])
        if row.role:
            name = story.cast.links[slot.key][other_than is not None]
            values.append(Value((name,), held_out=_held_name(story, name)))
            continue
        theirs = other_than[i] if other_than else None
        banned = used.setdefault(row.value, set())
        texts: tuple[str, ...] = ()
        held = False
        if row.value and row.tense and slot.before is not None:
            texts, held = values[slot.before].texts, values[slot.before].held_out
        elif row.value and row.tense and theirs:
            texts, held = theirs.texts, theirs.held_out  # the question may name it
        elif row.value:
            for _ in range(slot.count):
                before = values[slot.before].texts[0] if slot.before is not None else ""
                if row.value in _AGES and before.isdigit():
                    text, out = _older(int(before), theirs, rng), False
                else:
                    text, out = _draw(slot, row, story, namer, banned, theirs)
                texts, held = (*texts, text), held or out
        when = answer = ""
        if row.tense:
            last = values[slot.before].answer if slot.before is not None else ""
            while answer in {"", last} | times.get(row.name, set()):
                when, answer = dates.when(rng, row.tense, story.moments[slot.session])
        values.append(Value(texts, when, answer, held))
    return values


def _older(age: int, theirs: Value | None, rng: random.Random) -> str:
    years = [str(age + n) for n in (1, 2, 3) if not theirs or str(age + n) not in theirs.texts]
    return rng.choice(years)


def _draw(
    slot: Slot, row: Relation, story: Story, namer: Namer, banned: set[str], theirs: Value | None
) -> tuple[str, bool]:
    """Draw (text, held out): a value that nobody has in this conversation yet, as far as the kind allows."""
    text, held = "", False
    for attempt in range(40):
        text, held = _once(slot, row, story, namer)
        same = theirs and text in theirs.texts
        if not same and (text not in banned or attempt > 20):
            break
    banned.add(text)
    return text, held


def _once(slot: Slot, row: Relation, story: Story, namer: Namer) -> tuple[str, bool]:
    kind, rng = row.value or "", namer.rng
    if kind in ("person", "pet_name"):
        people = [
            person for person in story.cast.entities.values()
            if person.kind == "person" and not person.role and person.id not in (slot.key[0], *story.cast.speakers)
        ]  # fmt: skip
        # of several, such as children, nobody is one of those who are spoken of as grown up
        if kind == "person" and people and not row.many and rng.random() < _OLD:
            person = rng.choice(people)
            return person.id, person.held_out
        return namer.draw(kind, rng.choice(["female", "male"]))
    listed = story.language.kinds[kind]
    limit = listed.train if namer.world.pool == "train" else len(listed.items)
    if rng.random() < namer.world.invented:
        if kind in invent.INVENT:
            return invent.INVENT[kind](rng), False
        made = invent.recombine(rng, listed.items[:limit])
        if made and made not in listed.items:
            return made, False
    i = rng.randrange(limit)
    return listed.items[i], i >= listed.train


def _held_name(story: Story, name: str) -> bool:
    entity = story.cast.entities.get(name)
    return bool(entity and entity.held_out)
