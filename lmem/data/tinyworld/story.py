"""A story of tinyworld: who says what about whom in which turn, with which values, and what is asked at its end.

Everything is drawn from one `random.Random`, in a fixed order, so that a seed gives the same conversation everywhere
(chapter 1).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from lmem.data.tinyworld.language import (
    CHAT,
    CLOSERS,
    CORRECTIONS,
    HELD_OUT_NAMES,
    HELD_OUT_RELATIONS,
    NAMED,
    NAMES,
    OPENERS,
    RELATIONS,
    VALUES,
)
from lmem.data.tinyworld.world import KINDS, World

Key: TypeAlias = tuple[str, str]  # (subject, relation)
Values: TypeAlias = dict[int, str]  # the value that each turn with a fact states


@dataclass(frozen=True)
class Event:
    """One turn of the story: a fact about (subject, relation), or small talk (both None)."""

    speaker: str
    subject: str | None = None
    relation: str | None = None
    template: str = ""
    opener: str = ""
    closer: str = ""


@dataclass(frozen=True)
class Ask:
    """One question of the story.

    Attributes:
        kind: One of KINDS.
        subject: Whom the question is about.
        path: (relation,), or (relation to another person or pet, relation) for two hops.
        template: The question with its marks.
    """

    kind: str
    subject: str
    path: tuple[str, ...]
    template: str


@dataclass
class Story:
    """Events and questions without values.

    Attributes:
        id: Name of the conversation.
        speakers: The two who speak.
        names: Names of the conversation by kind, for the kinds of value that are names.
        events: One for each turn.
        stated: {(subject, relation): turns that state it, oldest first}.
        asks: The questions.
    """

    id: str
    speakers: tuple[str, str]
    names: dict[str, list[str]]
    events: list[Event]
    stated: dict[Key, list[int]]
    asks: list[Ask] = field(default_factory=list)


def draw_story(name: str, rng: Random, world: World) -> Story:
    """Draw who says what about whom in which turn; values and questions are still to be drawn."""
    kind_of = _draw_cast(rng, world)
    subjects = list(kind_of)
    speakers = (subjects[0], subjects[1])
    relations = {kind: _draw_relations(rng, world, kind) for kind in NAMES}
    n_facts = max(1, round(world.facts * world.turns))
    fact_turns = set(rng.sample(range(world.turns), n_facts))
    stated: dict[Key, list[int]] = {}
    events = []
    for t in range(world.turns):
        speaker = speakers[(t + (rng.random() < 0.15)) % 2]
        if t not in fact_turns:
            small_talk = rng.choice(CHAT).replace("{P}", rng.choice(subjects))
            events.append(Event(speaker, template=small_talk))
            continue
        once = [key for key, turns in stated.items() if len(turns) == 1]
        if once and rng.random() < world.overwritten:
            subject, relation = rng.choice(once)
        else:
            subject, relation = _new_key(rng, kind_of, relations, stated)
        template = _phrasing(RELATIONS[relation].statements, rng, world)
        opener = rng.choice(CORRECTIONS if (subject, relation) in stated else OPENERS)
        closer = rng.choice(CLOSERS)
        events.append(Event(speaker, subject, relation, template, opener, closer))
        stated.setdefault((subject, relation), []).append(t)
    names = {kind: [name for name in subjects if kind_of[name] == kind] for kind in NAMED}
    return Story(name, speakers, names, events, stated)


def _draw_cast(rng: Random, world: World) -> dict[str, str]:
    """Draw {name: kind}: two speakers first, then the people, pets and places that they mention."""
    n = world.subjects if world.subjects is not None else min(40, max(6, world.turns // 12))
    sizes = {"person": 2 + max(2, n // 2), "pet": max(3, n // 4), "place": max(1, n // 4)}
    kind_of = {}
    for kind, names in NAMES.items():
        pool = [name for name in names if not (world.training and name in HELD_OUT_NAMES)]
        kind_of |= dict.fromkeys(rng.sample(pool, min(len(pool), sizes[kind])), kind)
    return kind_of


def _draw_relations(rng: Random, world: World, kind: str) -> list[str]:
    """Draw the relations that occur for a kind of subject; for pets and places fewer than for people."""
    names = [
        name
        for name, relation in RELATIONS.items()
        if relation.subject == kind and not (world.training and name in HELD_OUT_RELATIONS)
    ]
    if world.relations is None:
        return names
    n = world.relations if kind == "person" else -(-world.relations // 4)
    return rng.sample(names, min(len(names), n))


def _new_key(
    rng: Random, kind_of: Mapping[str, str], relations: Mapping[str, list[str]], stated: Mapping
) -> Key:
    """Draw a (subject, relation) that nobody has stated yet.

    Half of the time it shares its subject or its relation with an older fact, so that facts look alike.
    """
    subjects = list(kind_of)
    for _ in range(50):
        subject = rng.choice(subjects)
        relation = rng.choice(relations[kind_of[subject]])
        if stated and rng.random() < 0.5:
            near_subject, near_relation = rng.choice(list(stated))
            if rng.random() < 0.5:
                subject, relation = near_subject, rng.choice(relations[kind_of[near_subject]])
            elif RELATIONS[near_relation].subject == kind_of[subject]:
                relation = near_relation
        if (subject, relation) not in stated:
            break
    return subject, relation  # after 50 tries everything is stated, and this one is stated again


def _phrasing(templates: list[str], rng: Random, world: World) -> str:
    """Draw one of a relation's statements or questions; the last one is held out from training."""
    return rng.choice(templates[:-1] if world.training else templates)


def draw_values(story: Story, rng: Random, other_than: Values | None = None) -> Values:
    """Draw the value of each turn with a fact.

    Args:
        story: The story.
        rng: The source of chance.
        other_than: Values of the twin; no turn gets the same value as in there.

    Returns:
        {turn: value}. A correction never repeats the value before it.
    """
    values: Values = {}
    for (subject, relation), turns in story.stated.items():
        kind, before = RELATIONS[relation].value, None
        for t in turns:
            banned = {before, subject, other_than[t] if other_than else None}
            value = _draw_value(kind, story, rng)
            while value in banned:
                value = _draw_value(kind, story, rng)
            values[t] = before = value
    return values


def _draw_value(kind: str, story: Story, rng: Random) -> str:
    if kind in NAMED:
        return rng.choice(story.names[kind])
    return "-".join(rng.choice(pool) for pool in VALUES[kind])


def follow(
    story: Story, values: Values, subject: str, path: tuple[str, ...]
) -> tuple[str | None, list[int]]:
    """Follow a path of relations through the newest values.

    Returns:
        The answer (None if a hop is not stated), and the turns that the hops were found in.
    """
    evidence = []
    for relation in path:
        turns = story.stated.get((subject, relation))
        if not turns:
            return None, evidence
        evidence.append(turns[-1])
        subject = values[turns[-1]]
    return subject, evidence


def draw_asks(story: Story, values: Values, rng: Random, world: World) -> list[Ask]:
    """Draw questions of every kind, without repetition, in the shares of the world's mix."""
    candidates = _candidates(story, values)
    limit = world.questions if world.questions is not None else min(200, world.turns // 2)
    asks = []
    for kind, share in zip(KINDS, world.mix, strict=True):
        take = min(len(candidates[kind]), round(limit * share / sum(world.mix)))
        for subject, path in rng.sample(candidates[kind], take):
            template = _phrasing(RELATIONS[path[-1]].questions, rng, world)
            asks.append(Ask(kind, subject, path, template))
    rng.shuffle(asks)
    return asks


def _candidates(story: Story, values: Values) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """List what can be asked: {kind of question: [(subject, path), ...]}."""
    stated = story.stated
    relations = {relation for _, relation in stated}
    # all relations of a subject are of the same kind of subject
    kind_of = {subject: RELATIONS[relation].subject for subject, relation in stated}
    two_hops = []
    for subject, relation in stated:
        if RELATIONS[relation].value in NAMED:
            person = values[stated[subject, relation][-1]]
            two_hops += [
                (subject, (relation, second))
                for who, second in stated
                if who == person and RELATIONS[second].value not in NAMED
            ]
    return {
        "single": [(s, (r,)) for (s, r), turns in stated.items() if len(turns) == 1],
        "updated": [(s, (r,)) for (s, r), turns in stated.items() if len(turns) > 1],
        "two-hop": two_hops,
        "never-told": sorted(
            (subject, (relation,))
            for subject, kind in kind_of.items()
            for relation in relations
            if (subject, relation) not in stated and RELATIONS[relation].subject == kind
        ),
    }
