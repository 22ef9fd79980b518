"""Which fact comes next: a (subject, relation) that is new, often similar to an older one, and contradicts nothing."""

import random

from lmem.data.everyday.cast import role_id
from lmem.data.everyday.language import Language, Relation
from lmem.data.everyday.story import Key, Story
from lmem.data.everyday.world import World


def usable(world: World, language: Language, rng: random.Random) -> dict[str, list[Relation]]:
    """List the relations that a conversation of this world may speak of, by the kind of their subject."""
    relations: dict[str, list[Relation]] = {"person": [], "pet": [], "place": [], "org": []}
    for row in language.relations.values():
        if not (world.pool == "train" and row.held_out):
            relations[row.subject].append(row)
    if world.relations is not None:
        for kind, rows in relations.items():
            n = world.relations if kind == "person" else -(-world.relations // 4)
            relations[kind] = rng.sample(rows, min(len(rows), n))
    return relations


def rivals_there(story: Story, subject: str, relation: str) -> bool:
    """Check whether something is told, or can be told, of the subject that the relation would contradict."""
    ids = {subject, *story.cast.aliases(subject)}
    return any(
        (name, rival) in story.tellings or role_id(name, rival) in story.cast.entities
        for rival in story.language.rivals.get(relation, ())
        for name in ids
    )


def suits(story: Story, subject: str, row: Relation) -> bool:
    """Check whether a relation fits the roles that a subject has, in the conversation or in its twin."""
    cast = story.cast
    ids = {subject, *cast.aliases(subject)}
    roles = {cast.entities[name].role for name in ids if name in cast.entities} - {None}
    if row.roles and not roles <= set(row.roles):
        return False
    return row.kin or not roles & story.language.kin


class Keys:
    """Draws the keys of a story's facts.

    Attributes:
        relations: {kind of subject: relations that may be spoken of}.
        subjects: Ids, the more frequent ones several times.
    """

    def __init__(
        self, rng: random.Random, story: Story, relations: dict[str, list[Relation]]
    ) -> None:
        self.rng, self.story, self.relations = rng, story, relations
        self.subjects = self._weighted()

    def _weighted(self) -> list[str]:
        """List the subjects, the more frequent ones several times; the silent speaker is none."""
        cast = self.story.cast
        ids = []
        for entity in cast.entities.values():
            if entity.id in cast.speakers:
                weight = 0 if cast.alone and entity.id == cast.speakers[1] else 4
                weight = max(weight, len(cast.entities) // 4) if weight else 0
            else:
                weight = 1
            ids += [entity.id] * weight
        return ids

    def new(self, speaker: str, subject: str | None = None) -> Key | None:
        """Draw a (subject, relation) not told yet, half of the time near an older fact; None if there is none."""
        rng, stated = self.rng, self.story.tellings
        for _ in range(40):
            who = subject or rng.choice(self.subjects)
            entity = self.story.cast.entities[who]
            names = [row.name for row in self.relations[entity.kind]]
            links = [role for owner, role in self.story.cast.links if owner == who]
            more = [
                name for subject_, name in stated
                if subject_ == who and name in names and self.story.relation(name).many
            ]  # fmt: skip
            if entity.role and entity.owner in self.story.cast.speakers and entity.owner != speaker:
                continue  # "my sister" is said by her owner
            if who in self.story.cast.speakers and who != speaker and rng.random() < 0.85:
                continue
            if links and rng.random() < 0.35:
                key = who, rng.choice(links)
            elif more and rng.random() < 0.3:
                key = who, rng.choice(more)  # a list grows
            elif names:
                key = who, rng.choice(names)
                if stated and rng.random() < 0.5:
                    key = self._near(who, names)
            else:
                continue
            if self._free(key):
                return key
        return None

    def _near(self, who: str, names: list[str]) -> Key:
        """Draw a relation that was told already of somebody else, if this subject can have it."""
        twins = {name for pair in self.story.cast.links.values() if who in pair for name in pair}
        near = [
            name
            for subject, name in self.story.tellings
            if subject in twins - {who} and name in names
        ]
        if not near or self.rng.random() < 0.5:  # else near to whoever has the role in the twin
            near = [name for _, name in self.story.tellings if name in names]
        return who, self.rng.choice(near or names)

    def _free(self, key: Key) -> bool:
        """Check whether a fact may be told: not yet told, also not under another name, and no rival relation."""
        subject, name = key
        row = self.story.relation(name)
        if key in self.story.tellings:
            rows = self.story.tellings[key]
            return row.many and len(rows) < 4 and not rows[-1].withdrawn
        if any((alias, name) in self.story.tellings for alias in self.story.cast.aliases(subject)):
            return False
        entity = self.story.cast.entities[subject]
        if entity.names and row.names and entity.names != row.names:
            return False
        if not suits(self.story, subject, row):
            return False
        return not rivals_there(self.story, subject, name)

    def changeable(self, key: Key) -> bool:
        """Check whether what was told can change, or be taken back."""
        rows = self.story.tellings[key]
        row = self.story.relation(key[1])
        fits = not (row.many or row.role or rows[-1].withdrawn) and len(rows) < 3
        return fits and (not row.tense or bool(row.updates))
