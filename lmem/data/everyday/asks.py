"""Questions, and how an answer follows from the story: directly, through a role, from a list, or not at all.

A question that says "my" or "your" names its asker first, since a frozen encoder must know who "my" is:

    Maya: What's my dog called?          asked by the speaker Maya, about herself
    Ben: What's your dog called?         asked by Ben, about the other speaker, Maya
    What is Maya's dog called?           asked by anybody

Without a name before it, "my" means the only speaker who speaks of such a thing.
"""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lmem.data.everyday.cast import role_id
from lmem.data.everyday.keys import rivals_there, suits
from lmem.data.everyday.language import kept
from lmem.data.everyday.marks import Form, fill
from lmem.data.everyday.noise import QUESTION_STYLES, lower_names, type_out
from lmem.data.everyday.story import Key, Story, Telling
from lmem.data.everyday.values import Values
from lmem.data.everyday.wording import worded
from lmem.data.everyday.world import KINDS, World

_NOT_TO_YOU = re.compile(r"^Do you (?:know|remember|happen)")  # where your own dog sleeps
_NOT_OF_ME = re.compile(r"\bI\b")  # "which number do I call to reach me?"


@dataclass(frozen=True)
class Ask:
    """One question: its kind, whom and what it is about, its phrasing, and who asks (None: anybody).

    `named` is what its {V} says: "When did Ana move to Paris?"
    """

    kind: str
    subject: str
    relation: str
    template: str
    form: Form
    asker: str | None
    held_out: bool
    named: tuple[str, ...] = ()
    style: str = "plain"


@dataclass(frozen=True)
class Tellings:
    """The turns in which a story states a fact.

    Attributes:
        tellings: Of the fact, oldest first; empty if it was never stated.
        links: Turns that say whose name the fact was stated under.
    """

    tellings: tuple[Telling, ...] = ()
    links: tuple[int, ...] = ()


def resolve(story: Story, values: Values, subject: str, relation: str) -> Tellings:
    """Find the tellings of a fact, under the subject's name or through its role.

    Args:
        story: What is said in which turn.
        values: Its values, of the conversation or of the twin.
        subject: Whom it is about.
        relation: What it is about.
    """
    direct = story.tellings.get((subject, relation))
    if direct:
        return Tellings(tuple(direct))
    entity = story.cast.entities.get(subject)
    if entity is not None and entity.owner and entity.role:
        link = story.tellings.get((entity.owner, entity.role))
        if link:
            name = name_of(link, values)
            rows = story.tellings.get((name, relation), ())
            return Tellings(tuple(rows), link[-1].turns if rows else ())
        return Tellings()
    for owner, role in story.cast.links:
        link = story.tellings.get((owner, role))
        if link and name_of(link, values) == subject:
            rows = story.tellings.get((role_id(owner, role), relation), ())
            if rows:
                return Tellings(tuple(rows), link[-1].turns)
    return Tellings()


def name_of(link: Sequence[Telling], values: Values) -> str:
    """Give the name that belongs to a role, by the turns that say so."""
    slot = link[-1].slot
    return values[slot].texts[0] if slot is not None else ""


def answer(
    story: Story, values: Values, shown: Mapping[int, tuple[str, ...]], key: Key
) -> tuple[str | None, tuple[int, ...]]:
    """Find the right answer and its evidence.

    Args:
        story: What is said in which turn.
        values: Its values.
        shown: {slot: texts of its values as they are spelled in the turn}.
        key: Whom and what it is about: (subject, relation).

    Returns:
        (answer or None, evidence turns ascending). A fact taken back has no answer, and the turn
        that takes it back as evidence.
    """
    known = resolve(story, values, *key)
    if not known.tellings:
        return None, ()
    row, last = story.relation(key[1]), known.tellings[-1]
    if last.slot is None:
        return None, tuple(sorted({*last.turns, *known.links}))
    if row.many:
        slots = [telling.slot for telling in known.tellings if telling.slot is not None]
        texts = [text for slot in slots for text in shown[slot]]
        turns = {turn for telling in known.tellings for turn in telling.turns}
        return ", ".join(dict.fromkeys(texts)), tuple(sorted(turns | set(known.links)))
    text = values[last.slot].answer if row.tense else shown[last.slot][0]
    return text, tuple(sorted({*last.turns, *known.links}))


def draw_asks(
    story: Story, values: Values, twin: Values, rng: random.Random, world: World
) -> list[Ask]:
    """Draw questions of every kind, none twice, in the shares of the mix."""
    pools: dict[str, list[Key]] = {kind: [] for kind in KINDS}
    for key in _keys(story, values):
        kind = _kind(story, values, *key)
        theirs = resolve(story, twin, *key).tellings
        if kind == "abstention" and theirs and not theirs[-1].withdrawn:
            continue  # taken back here, but in the twin the role has another name, of whom it holds
        if kind:
            pools[kind].append(key)
    pools["abstention"] += _never_told(story, values, twin, rng)
    limit = world.questions if world.questions is not None else min(200, max(2, world.turns // 2))
    asks = []
    for kind, share in zip(KINDS, world.mix, strict=True):
        pool = pools[kind]
        take = min(len(pool), max(1, round(limit * share / sum(world.mix))) if share else 0)
        train = world.pool == "train"
        asks += [_ask(story, values, kind, key, rng, train) for key in rng.sample(pool, take)]
    rng.shuffle(asks)
    return asks[:limit]


def _keys(story: Story, values: Values) -> list[Key]:
    """List everything that can be asked: what was told, and what follows through a role."""
    keys = dict.fromkeys(story.tellings)
    for owner, role in story.cast.links:
        link = story.tellings.get((owner, role))
        if link:
            name, alias = name_of(link, values), role_id(owner, role)
            for subject, relation in list(story.tellings):
                if subject == name:
                    keys[alias, relation] = None
                elif subject == alias:
                    keys[name, relation] = None
    return list(keys)


def _kind(story: Story, values: Values, subject: str, relation: str) -> str | None:
    """Name the ability that a question tests; None for a question that cannot be asked."""
    if subject not in story.cast.entities:
        return None
    known = resolve(story, values, subject, relation)
    if not known.tellings:
        return None
    if known.tellings[-1].withdrawn:
        return "abstention"
    row = story.relation(relation)
    if row.tense:
        return "temporal"
    slots = [telling.slot for telling in known.tellings if telling.slot is not None]
    several = sum(story.slots[slot].count for slot in slots) > 1
    apart = not set(known.links) <= set(known.tellings[-1].turns)
    if apart or (row.many and several):
        return "multi-hop"
    return "update" if len(known.tellings) > 1 else "extraction"


def _never_told(story: Story, values: Values, twin: Values, rng: random.Random) -> list[Key]:
    """Draw questions without an answer: somebody else's fact is there, or another fact of the same subject."""
    stated = list(story.tellings)
    if not stated:
        return []
    keys: dict[Key, None] = {}
    for _ in range(4 * len(stated) + 8):
        relation = rng.choice(stated)[1]
        row = story.relation(relation)
        fits = [
            entity.id for entity in story.cast.entities.values()
            if entity.kind == row.subject and (not entity.names or entity.names == (row.names or entity.names))
        ]  # fmt: skip
        if story.cast.alone:
            fits = [entity for entity in fits if entity != story.cast.speakers[1]]
        if row.role or not fits:
            continue
        subject = rng.choice(fits)
        if rivals_there(story, subject, relation) or not suits(story, subject, row):
            continue
        if not any(resolve(story, side, subject, relation).tellings for side in (values, twin)):
            keys[subject, relation] = None
    return list(keys)


def _ask(story: Story, values: Values, kind: str, key: Key, rng: random.Random, train: bool) -> Ask:
    """Word one question."""
    subject, relation = key
    row, cast = story.relation(relation), story.cast
    templates = row.train("questions") if train else row.questions
    template = rng.choice(templates)
    entity = cast.entities[subject]
    owner = entity.owner or subject
    asker = None
    if owner in cast.speakers:
        drawn = rng.random()
        if cast.alone or drawn < 0.35:
            asker = owner
        elif drawn < 0.55:
            asker = cast.speakers[owner == cast.speakers[0]]
        elif drawn < 0.65:
            asker = rng.choice(cast.speakers)
            asker = None if asker in (owner, subject) else asker
    elif rng.random() < 0.3 and not cast.alone:
        asker = rng.choice(cast.speakers)
    form = cast.refer(subject, asker)
    mine = owner in cast.speakers and asker == owner
    if mine and (_only(story, owner, subject, relation) and (cast.alone or rng.random() < 0.3)):
        asker = None if rng.random() < 0.8 else asker
    you = asker is not None and owner in cast.speakers and owner != asker
    odd = _NOT_TO_YOU if you else _NOT_OF_ME if form.how == "I" else None
    if odd and odd.search(template):
        template = rng.choice([text for text in templates if not odd.search(text)] or [template])
    held = template not in row.train("questions")
    frames = {
        name: rows[: kept(len(rows))] if train else rows
        for name, rows in story.language.frames["ask"].items()
    }
    template = worded(template, frames, rng, you)
    style = rng.choice(QUESTION_STYLES)
    return Ask(
        kind, subject, relation, template, form, asker, held, _named(story, values, subject, relation),
        style,
    )  # fmt: skip


def _named(story: Story, values: Values, subject: str, relation: str) -> tuple[str, ...]:
    """Find the value that a question about a time names; of somebody else's if the subject has none."""
    tellings: Iterable[Telling] = resolve(story, values, subject, relation).tellings
    if not tellings:
        tellings = next(rows for (_, name), rows in story.tellings.items() if name == relation)
    return values[next(telling.slot for telling in tellings if telling.slot is not None)].texts


def _only(story: Story, owner: str, subject: str, relation: str) -> bool:
    """Check that no other speaker tells the same of himself, so that "my" needs no name before it."""
    if story.cast.alone:
        return True
    partner = story.cast.speakers[owner == story.cast.speakers[0]]
    entity = story.cast.entities[subject]
    rival = role_id(partner, entity.role) if entity.role else partner
    said = (rival, relation) in story.tellings or (
        rival != partner and rival in story.cast.entities
    )
    return not said and (subject, relation) in story.tellings


def question_text(story: Story, ask: Ask) -> str:
    """Write the question as it is asked, with its asker's name before it if it needs one."""
    kind = story.language.kinds.get(story.relation(ask.relation).value or "")
    text = fill(ask.template, ask.form, ask.named, articles=bool(kind and kind.article))
    if ask.style == "sloppy":
        text = lower_names(text)
    rng = random.Random(f"{story.id} {ask.subject} {ask.relation}")
    said, _ = type_out(text, ask.style, rng, 0.1 if ask.style == "typos" else 0.0)
    if ask.style in ("bare", "sloppy"):
        said = said.rstrip("?.")
    return f"{ask.asker}: {said}" if ask.asker else said
