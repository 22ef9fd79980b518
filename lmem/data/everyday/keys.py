"""Which fact comes next: a (subject, relation) that is new, often similar to an older one, and contradicts nothing."""

import random

from lmem.data.everyday.cast import role_id
from lmem.data.everyday.language import Language, Relation
from lmem.data.everyday.story import Key, Story
from lmem.data.everyday.world import World


def usable(world: World, language: Language, rng: random.Random) -> dict[str, list[Relation]]:
    """List the relations that a conversation of this world may speak of, by the kind of their subject."""
    found: dict[str, list[Relation]] = {"person": [], "pet": [], "place": [], "org": []}
    for row in language.relations.values():
        if not (world.pool == "train" and row.held_out):
            found[row.subject].append(row)
    if world.relations is not None:
        for kind, rows in found.items():
            n = world.relations if kind == "person" else -(-world.relations // 4)
            found[kind] = rng.sample(rows, min(len(rows), n))
    return found


def rivals_there(story: Story, subject: str, relation: str) -> bool:
    """Check whether something is told, or can be told, of the subject that the relation would contradict."""
    ids = {subject, *story.cast.aliases(subject)}
    return any(
        (one, other) in story.told or role_id(one, other) in story.cast.entities
        for other in story.language.rivals.get(relation, ())
        for one in ids
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
        found = []
        for one in cast.entities.values():
            if one.id in cast.speakers:
                weight = 0 if cast.alone and one.id == cast.speakers[1] else 4
                weight = max(weight, len(cast.entities) // 4) if weight else 0
            else:
                weight = 1
            found += [one.id] * weight
        return found

    def new(self, speaker: str, subject: str | None = None) -> Key | None:
        """Draw a (subject, relation) not told yet, half of the time near an older fact; None if there is none."""
        rng, told = self.rng, self.story.told
        for _ in range(40):
            who = subject or rng.choice(self.subjects)
            one = self.story.cast.entities[who]
            names = [row.name for row in self.relations[one.kind]]
            links = [role for owner, role in self.story.cast.links if owner == who]
            more = [
                name for subject_, name in told
                if subject_ == who and name in names and self.story.relation(name).many
            ]  # fmt: skip
            if one.role and one.owner in self.story.cast.speakers and one.owner != speaker:
                continue  # "my sister" is said by her owner
            if who in self.story.cast.speakers and who != speaker and rng.random() < 0.85:
                continue
            if links and rng.random() < 0.35:
                key = who, rng.choice(links)
            elif more and rng.random() < 0.3:
                key = who, rng.choice(more)  # a list grows
            elif names:
                key = who, rng.choice(names)
                if told and rng.random() < 0.5:
                    key = self._near(who, names)
            else:
                continue
            if self._free(key):
                return key
        return None

    def _near(self, who: str, names: list[str]) -> Key:
        """Draw a relation that was told already of somebody else, if this subject can have it."""
        twins = {one for pair in self.story.cast.links.values() if who in pair for one in pair} - {
            who
        }
        near = [name for one, name in self.story.told if one in twins and name in names]
        if not near or self.rng.random() < 0.5:  # else near to whoever has the role in the twin
            near = [name for _, name in self.story.told if name in names]
        return who, self.rng.choice(near or names)

    def _free(self, key: Key) -> bool:
        """Check whether a fact may be told: not yet told, also not under another name, and no rival relation."""
        subject, name = key
        row = self.story.relation(name)
        if key in self.story.told:
            rows = self.story.told[key]
            return row.many and len(rows) < 4 and not rows[-1].withdrawn
        if any((other, name) in self.story.told for other in self.story.cast.aliases(subject)):
            return False
        one = self.story.cast.entities[subject]
        if one.names and row.names and one.names != row.names:
            return False
        if not suits(self.story, subject, row):
            return False
        return not rivals_there(self.story, subject, name)

    def changeable(self, key: Key) -> bool:
        """Check whether what was told can change, or be taken back."""
        rows = self.story.told[key]
        row = self.story.relation(key[1])
        fits = not (row.many or row.role or rows[-1].withdrawn) and len(rows) < 3
        return fits and (not row.tense or bool(row.updates))
