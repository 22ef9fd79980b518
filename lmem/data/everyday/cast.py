"""The cast: two speakers, and the people, pets, places and organisations that they mention.

A person or a pet can be known by a name ("Lena"), by a role ("Maya's sister"), or by both: then a
*link* says which name belongs to the role, and the counterfactual twin gives the role to another name.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lmem.data.everyday import invent
from lmem.data.everyday.language import Language, Relation
from lmem.data.everyday.marks import Form
from lmem.data.everyday.world import World

NOBODY = ("User", "Me", "You", "Guest")  # a speaker alone may have no name
_PLACES = ("restaurant", "shop", "venue")
_ORGS = ("company", "club", "charity")


@dataclass(frozen=True)
class Entity:
    """Somebody or something that facts are about; `id` is the name, or "Maya's sister" for a role."""

    id: str
    kind: str  # person, pet, place, org
    gender: str  # female, male, thing
    owner: str | None = None
    role: str | None = None
    held_out: bool = False
    names: str | None = None  # the kind of name of a place or an organisation


@dataclass
class Cast:
    """Who is there.

    Attributes:
        speakers: The two speakers' names.
        alone: Whether the first of them says everything.
        entities: {id: Entity}.
        links: {(owner, role): (name, name in the twin)}.
    """

    speakers: tuple[str, str]
    alone: bool
    entities: dict[str, Entity] = field(default_factory=dict)
    links: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def aliases(self, subject: str) -> set[str]:
        """List other ids that may mean the same as this one, in the conversation or in its twin."""
        entity = self.entities.get(subject)
        if entity is not None and entity.owner and entity.role:
            return set(self.links.get((entity.owner, entity.role), ()))
        return {role_id(*key) for key, names in self.links.items() if subject in names}

    def refer(self, subject: str, speaker: str | None) -> Form:
        """Give the Form in which `speaker` (None: an outsider) speaks of a subject."""
        entity = self.entities[subject]
        if subject == speaker:
            return Form("I")
        if speaker is not None and subject in self.speakers:
            return Form("you")
        if entity.role:
            whose = f"{entity.owner}'s"
            if entity.owner == speaker:
                whose = "my"
            elif speaker is not None and entity.owner in self.speakers:
                whose = "your"
            return Form("name", f"{whose} {entity.role}", entity.gender)
        return Form("name", subject, entity.gender)


def role_id(owner: str, role: str) -> str:
    """Make the id of somebody known by a role."""
    return f"{owner}'s {role}"


class Namer:
    """Draws names that were not drawn before in this conversation."""

    def __init__(self, rng: random.Random, world: World, language: Language) -> None:
        self.rng, self.world, self.language = rng, world, language
        self.used: set[str] = set()

    def draw(self, kind: str, gender: str = "any") -> tuple[str, bool]:
        """Draw a new name.

        Args:
            kind: "person", "pet_name", "restaurant", ...
            gender: Of a person: "female", "male" or "any".

        Returns:
            (name, whether it is held out of training).
        """
        name, held = self._once(kind, gender)
        for _ in range(99):
            new = not any(name in used or used in name for used in self.used)
            if new and name.lower() not in self.language.unfit:
                break
            name, held = self._once(kind, gender)
        self.used.add(name)
        return name, held

    def _once(self, kind: str, gender: str) -> tuple[str, bool]:
        share = self.world.invented * (0.6 if kind in ("person", "pet_name") else 1)
        if kind == "person":
            listed = self.language.names[gender if gender != "any" else "female"]
        else:
            listed = self.language.kinds.get(kind)
        maker = invent.INVENT.get(kind)
        if listed is None or (maker is not None and self.rng.random() < share):
            made = (
                invent.name(self.rng, gender)
                if kind == "person"
                else (maker or invent.word)(self.rng)
            )
            return made, False
        i = self.rng.randrange(listed.train if self.world.pool == "train" else len(listed.items))
        return listed.items[i], i >= listed.train


def draw_cast(namer: Namer, relations: Mapping[str, Sequence[Relation]]) -> Cast:
    """Draw the cast of one conversation.

    Args:
        namer: Draws the names; its world says how many are mentioned.
        relations: {kind of subject: relations that may be spoken of}.
    """
    rng, world = namer.rng, namer.world
    alone = rng.random() < world.alone
    speakers: list[str] = []
    entities: dict[str, Entity] = {}

    def add(name: str, kind: str, gender: str, held: bool, names: str | None = None) -> None:
        entities[name] = Entity(name, kind, gender, held_out=held, names=names)

    for i in range(2):
        gender = rng.choice(["female", "male"])
        name, held = namer.draw("person", gender)
        if alone and i == 0 and rng.random() < 0.5:
            name, held = rng.choice(NOBODY), False
        add(name, "person", gender, held)
        speakers.append(name)
    cast = Cast((speakers[0], speakers[1]), alone, entities)
    n = world.subjects if world.subjects is not None else min(40, max(4, world.turns // 8))
    people: list[str] = []
    for _ in range((n + 1) // 2):
        gender = rng.choice(["female", "male"])
        name, held = namer.draw("person", gender)
        add(name, "person", gender, held)
        people.append(name)
    pets: list[str] = []
    if relations["pet"]:
        for _ in range((n + 5) // 6):
            name, held = namer.draw("pet_name")
            add(name, "pet", rng.choice(["female", "male"]), held)
            pets.append(name)
    for kind, usual in (("place", _PLACES), ("org", _ORGS)):
        for _ in range((n + 3) // 8 if relations[kind] else 0):
            which = rng.choice(relations[kind]).names or rng.choice(usual)
            name, held = namer.draw(which)
            add(name, kind, "thing", held, names=which)
    _draw_roles(cast, namer, people, pets)
    return cast


def _draw_roles(cast: Cast, namer: Namer, people: list[str], pets: list[str]) -> None:
    """Give roles to some of the people and pets, and invent others who have a role and no name."""
    rng, language, train = namer.rng, namer.language, namer.world.pool == "train"
    roles = [row for row in language.roles.values() if not (train and row.held_out)]
    owners = [cast.speakers[0]] if cast.alone else list(cast.speakers)
    wanted = max(2, len(people) + len(pets))
    free = {"person": list(people), "pet": list(pets)}
    common = roles[: len(roles) // 3]  # sister, brother, mum ... come first in the file
    for _ in range(wanted):
        owner = rng.choice(owners) if rng.random() < 0.8 or not people else rng.choice(people)
        row = rng.choice(common if rng.random() < 0.4 else roles)
        role, gender = row.name, language.role_gender[row.name]
        kind = row.role or "person"
        if any((owner, taken) in _roles(cast) for taken in language.same.get(role, {role})):
            continue
        if owner not in cast.speakers and kind == "pet":
            continue
        fits = [
            candidate for candidate in free[kind]
            if candidate != owner and gender in ("any", cast.entities[candidate].gender)
        ]  # fmt: skip
        if fits and rng.random() < 0.6:
            name = rng.choice(fits)
            free[kind].remove(name)
            gender = cast.entities[name].gender
            twin = [
                candidate for candidate in (people if kind == "person" else pets)
                if candidate not in (owner, name) and gender == cast.entities[candidate].gender
                and all(candidate != pair[1] for pair in cast.links.values())
            ]  # fmt: skip
            name_in_twin = rng.choice(twin) if twin and rng.random() < 0.8 else None
            if name_in_twin is None:
                name_in_twin, _ = namer.draw("person" if kind == "person" else "pet_name", gender)
            cast.links[owner, role] = (name, name_in_twin)
        elif gender == "any":
            gender = rng.choice(["female", "male"])
        known_as = role_id(owner, role)
        cast.entities[known_as] = Entity(known_as, kind, gender, owner, role)


def _roles(cast: Cast) -> set[tuple[str | None, str]]:
    """List the roles that are taken: (owner, role)."""
    return {(entity.owner, entity.role) for entity in cast.entities.values() if entity.role}
