"""The language: relations, values, names and talk, read from the TOML files next to this module.

    areas/AREA.toml    relations of one area: statements, questions, updates, withdrawals
    words/*.toml       values by kind, first names, small talk, roles ("my sister")
    words/open.toml    patterns of open relations, each with many nouns: "my umbrella is green", "my tent is blue"
    FORMAT.md          how such a file is written

What is held out from training is decided here, once: the last 12% of each list of values and names,
the last 3 statements and last 2 questions of each relation, and one relation in seven.
"""

import random
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from lmem.data.everyday import marks, wording
from lmem.errors import DataError
from lmem.utils.toml import read_toml

FOLDER = Path(__file__).parent
HELD_STATEMENTS, HELD_QUESTIONS, HELD_VALUES = 3, 2, 0.12
_SHORT = re.compile(
    r"\b(What|Who|Where|How|When|Which|what|who|where|how)'s \{S\}( (?:got|been|had|done)\b)?"
)
_NAMES = ("Mum", "Dad", "Gran")  # keep their capital inside a sentence
SUBJECTS = ("person", "pet", "place", "org")
PARTS = ("statements", "questions", "first", "updates", "withdrawals", "asked", "replies")


@dataclass(frozen=True)
class Relation:
    """One thing that can be said about a subject, and the ways to say and to ask it.

    Attributes:
        name: As in the area's file; of a role the role itself ("sister").
        subject: What it is said of: person, pet, place or org.
        value: The kind of the value, None where only a time is told.
        many: Whether several values hold at the same time.
        tense: "past" or "future" if the answer is a time, else None.
        role: "person" or "pet" if the value is the name of somebody's sister or dog, else None.
        brief: Notes made of the questions: "{S's} rent: {V}".
        names: The kind of names that a place or an organisation has, None if any will do.
        rivals: Relations and roles that the same subject cannot have besides it.
        roles: Of a pet known by a role, the roles that it fits (a horse has no sleeping spot on the sofa).
        kin: Whether it is told of relatives too ("my dad's dad" would be odd).
    """

    name: str
    subject: str
    value: str | None
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    first: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    withdrawals: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    replies: tuple[str, ...] = ()
    many: bool = False
    tense: str | None = None
    role: str | None = None
    names: str | None = None
    brief: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    kin: bool = True

    @property
    def held_out(self) -> bool:
        """Whether no training conversation speaks of it."""
        return zlib.crc32(self.name.encode()) % 7 == 2

    def train(self, part: str) -> tuple[str, ...]:
        """Give the phrasings of "statements" or "questions" that training may use."""
        rows = getattr(self, part)
        return rows[: -HELD_STATEMENTS if part == "statements" else -HELD_QUESTIONS]


@dataclass(frozen=True)
class Kind:
    """A kind of value: its list, and whether "a" may stand before it."""

    items: tuple[str, ...]
    article: bool
    train: int  # training uses only the first so many


@dataclass(frozen=True)
class Language:
    """Everything that a conversation is made of.

    Attributes:
        relations: {name: Relation}, without the roles.
        roles: {role: Relation} that tells the name of somebody's sister or dog.
        role_gender: {role: "female", "male" or "any"}.
        kinds: {kind: Kind}.
        names: {"female": Kind, "male": Kind} of first names.
        talk: words/talk.toml as it is.
        frames: words/frames.toml as it is.
        same: {role: roles that a person cannot have besides it}.
        rivals: {relation or role: others that the same subject cannot have besides it}: father_job and the role
            "dad", a list of pets and the role "dog".
        kin: Roles of relatives.
        common: Words that some statement has in lower case, so that they are no names.
        unfit: Words that cannot be told from a name.
    """

    relations: dict[str, Relation]
    roles: dict[str, Relation]
    role_gender: dict[str, str]
    kinds: dict[str, Kind]
    names: dict[str, Kind]
    talk: dict[str, Any]
    frames: dict[str, Any]
    same: dict[str, set[str]]
    rivals: dict[str, set[str]]
    kin: frozenset[str]
    common: frozenset[str]
    unfit: frozenset[str]

    def tense(self, relation: str | None) -> str | None:
        """Give "past" or "future" if the answer is a time, else None."""
        row = self.relations.get(relation or "")
        return row.tense if row else None


def simple(language: Language, relations: int, phrasings: int) -> Language:
    """Make a smaller language, always the same: for the first lessons of a model.

    Args:
        language: The whole one.
        relations: Relations of people that training may speak of; of pets, places and organisations a quarter each.
        phrasings: Statements of each relation that training may use, and questions.
    """
    left = {kind: relations if kind == "person" else -(-relations // 4) for kind in SUBJECTS}
    rows = {}
    for row in sorted(language.relations.values(), key=lambda row: zlib.crc32(row.name.encode())):
        if not row.held_out and left[row.subject]:
            left[row.subject] -= 1
            rows[row.name] = _shorter(row, phrasings)
    roles = {name: _shorter(row, phrasings) for name, row in language.roles.items()}
    return replace(language, relations=rows, roles=roles)


def _shorter(row: Relation, phrasings: int) -> Relation:
    """Keep the first phrasings, and those at the end that training leaves out anyhow."""
    return replace(
        row,
        statements=row.train("statements")[:phrasings] + row.statements[-HELD_STATEMENTS:],
        questions=row.train("questions")[:phrasings] + row.questions[-HELD_QUESTIONS:],
    )


def opened(language: Language, rng: random.Random, n: int) -> Language:
    """Add open relations, for training that must not rely on which relations there are.

    Args:
        language: The whole one.
        rng: Source of chance.
        n: How many of them.
    """
    rows = _open_relations()
    drawn = [rows[i] for i in sorted(rng.sample(range(len(rows)), n))]
    more = {row.name: row for row in drawn}
    return replace(
        language,
        relations=language.relations | more,
        common=language.common | _lower_case(drawn, PARTS[:1]),
    )


@cache
def _open_relations() -> tuple[Relation, ...]:
    """Put each noun into its pattern; a table of nouns says what kind of value each has."""
    path = FOLDER / "words" / "open.toml"
    rows = []
    for pattern, table in _read(path).items():
        nouns = table["nouns"]
        for noun in nouns:
            value = nouns[noun] if isinstance(nouns, dict) else table["value"]
            row = {"subject": table["subject"], "value": value} | {
                part: [_with_noun(text, noun) for text in table.get(part, ())] for part in PARTS
            }
            rows.append(_relation(f"open_{pattern}_{noun}".replace(" ", "_"), row, path))
    return tuple(rows)


def _with_noun(text: str, noun: str) -> str:
    return text.replace("{a N}", marks.article(noun) + noun).replace("{N}", noun)


def _lower_case(rows: Iterable[Relation], parts: Sequence[str]) -> set[str]:
    """List the words that are written in lower case in some parts of some relations."""
    return {
        word
        for row in rows
        for part in parts
        for text in getattr(row, part)
        for word in text.split()
        if word.isalpha() and word.islower()
    }


def kept(n: int) -> int:
    """Count how many of n listed things training may use."""
    return n - max(1, round(n * HELD_VALUES)) if n > 1 else n


@cache
def load(folder: Path = FOLDER) -> Language:
    """Read the language.

    Args:
        folder: Where areas/ and words/ are.

    Raises:
        DataError: A file breaks the format; the message names the file and the line's text.
    """
    kinds: dict[str, Kind] = {}
    relations: dict[str, Relation] = {}
    for path in sorted((folder / "areas").glob("*.toml")):
        for name, row in _read(path).items():
            if name == "values":
                kinds |= {kind: _kind(value) for kind, value in row.items()}
            else:
                if name in relations:  # of two areas: the later one's has the area before it
                    name = f"{path.stem}_{name}"
                relations[name] = _relation(name, row, path)
    words = {path.stem: _read(path) for path in sorted((folder / "words").glob("*.toml"))}
    for kind, row in words["values"].items():
        kinds[kind] = _kind(row)
    rows = words["roles"]
    roles = {}
    for kind, table in (("person", rows["roles"]), ("pet", rows["pets"])):
        for role in table:
            more = [relations.pop(name) for name in _named(role, relations)]
            if role.replace(" ", "_").replace("-", "_") in relations:
                continue  # an area speaks of it in its own way
            roles[role] = _role(role, kind, rows[kind], more, rows["more"].get(role, {}))
    common = {
        text.split()[0].lower()
        for row in relations.values()
        for text in row.first
        if text.split()[0].isalpha() and text.split()[0] not in _NAMES
    }
    common |= _lower_case(
        [*relations.values(), *roles.values()], ("statements", "first", "updates")
    )
    same = {role: set(group) for group in rows["same"]["groups"] for role in group}
    return Language(
        relations=relations,
        roles=roles,
        role_gender=rows["roles"] | rows["pets"],
        kinds=kinds,
        names=_names(words["names"]),
        talk=words["talk"],
        frames=words["frames"],
        same=same,
        kin=frozenset(rows["kin"]["roles"]),
        common=frozenset(common),
        unfit=frozenset(words["names"]["unfit"]["items"]),
        rivals=_rivals(relations, roles, same),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except (OSError, ValueError) as error:
        raise DataError(f"expected TOML in {path}: {error}") from error


def _kind(row: Any) -> Kind:
    """Make a kind of a list of values, or of a table with `items` and `article`."""
    items = row["items"] if isinstance(row, dict) else row
    article = row.get("article", False) if isinstance(row, dict) else False
    items = tuple(dict.fromkeys(map(str, items)))
    return Kind(items, article, kept(len(items)))


def _relation(name: str, row: dict[str, Any], path: Path) -> Relation:
    """Check one table of an area's file."""
    temporal, value = row.get("temporal", False), row.get("value")
    if row.get("subject") not in SUBJECTS:
        raise DataError(f"expected a subject out of {', '.join(SUBJECTS)} for {name} in {path}")
    if not temporal and not value:
        raise DataError(f"expected a value for {name} in {path}")
    parts: dict[str, Any] = {part: tuple(row.get(part, ())) for part in PARTS}
    for part, texts in parts.items():
        for text in texts:
            unknown = marks.marks_of(text) - marks.ALL
            if unknown:
                raise DataError(
                    f"expected marks of the format in {path.name}, {name}, {part}: {text!r} "
                    f"has {', '.join(sorted(unknown))}"
                )
    for part in ("statements", "questions"):
        for text in parts[part]:
            if not marks.marks_of(text) & marks.SUBJECT:
                raise DataError(
                    f"expected a subject in {path.name}, {name}, {part}: {text!r} (use `first`)"
                )
    parts["questions"] = tuple(_SHORT.sub(_spell, text) for text in parts["questions"])
    tense = row.get("tense", "past") if temporal else None
    parts["brief"] = _brief(parts, value, tense)
    return Relation(
        name, row["subject"], value, **parts, many=bool(row.get("many")), tense=tense,
        names=row.get("names"), rivals=tuple(row.get("rivals", ())), roles=tuple(row.get("roles", ())),
        kin=row.get("kin", True),
    )  # fmt: skip


def _brief(parts: dict[str, Any], value: str | None, tense: str | None) -> tuple[str, ...]:
    """Make notes of what the questions ask for: "my blood type: A positive"."""
    if value and tense:
        return ()
    said = "{WHEN}" if tense else "{V}"
    for spelled in ("{a V}", "the {V}"):
        if any(f" is {spelled}" in text for text in parts["statements"]):
            said = spelled
    nouns = {wording.named(text) for text in parts["questions"][:-HELD_QUESTIONS]} - {None}
    return tuple(
        form.format(noun, said)
        for noun in sorted(noun for noun in nouns if noun)
        for form in ("{}: {}", "{} is {}", "{}? {}")
        if not tense or form != "{}? {}"
    )


def _spell(match: re.Match) -> str:
    """Turn "What's {S} reading", which is right for Maya and not for you, into "What {is} {S} reading"."""
    return f"{match[1]} {{{'has' if match[2] else 'is'}}} {{S}}{match[2] or ''}"


def _named(role: str, relations: dict[str, Relation]) -> list[str]:
    """Find the areas' relations that tell the name of this role: dog_name of "dog", work_boss of "boss"."""
    slug = role.replace(" ", "_").replace("-", "_")
    names = []
    for name, row in relations.items():
        ends = name.removesuffix("_name")
        fits = row.value in ("person", "pet_name") and row.subject == "person" and not row.many
        if fits and not row.tense and (ends == slug or ends.endswith("_" + slug)):
            names.append(name)
    return names


def _rivals(
    relations: dict[str, Relation], roles: dict[str, Relation], same: dict[str, set[str]]
) -> dict[str, set[str]]:
    """Find relations and roles that speak of the same thing: by their files, and by a role that begins a name."""
    rivals: dict[str, set[str]] = {}

    def add(row_name: str, rival: str) -> None:
        rivals.setdefault(row_name, set()).add(rival)
        rivals.setdefault(rival, set()).add(row_name)

    for name, row in relations.items():
        for rival in row.rivals:
            add(name, rival)
        for role in roles:
            if name.startswith(role.replace(" ", "_").replace("-", "_") + "_"):
                for rival in same.get(role, {role}):
                    add(name, rival)
    return rivals


def _role(
    role: str, kind: str, row: dict[str, Any], more: list[Relation], own: dict[str, Any]
) -> Relation:
    """Make the relation of a role: its own phrasings, the general ones, and between them the areas' own ones."""
    parts: dict[str, Any] = {
        part: tuple(text.replace("{R}", role) for text in row[part])
        for part in ("statements", "questions", "asked", "replies", "first")
    }
    for part in ("statements", "questions"):
        parts[part] = (*own.get(part, ()), *parts[part])
    for area in more:
        for part, held in (("statements", HELD_STATEMENTS), ("questions", HELD_QUESTIONS)):
            texts = getattr(area, part)  # what is held out of both lists comes last
            parts[part] = texts[:-held] + parts[part][:-held] + texts[-held:]
        parts["asked"] += area.asked
        parts["replies"] += area.replies
        parts["first"] += area.first
    value = "person" if kind == "person" else "pet_name"
    return Relation(role, "person", value, **parts, role=kind)


def _names(table: dict[str, Any]) -> dict[str, Kind]:
    """Read first names by gender, each list with its held-out names last; those of either gender are in both."""
    kinds = {}
    for gender in ("female", "male"):
        lists = [tuple(dict.fromkeys(table[key]["items"])) for key in (gender, "either")]
        held = [names[kept(len(names)) :] for names in lists]
        out = {name for rows in held for name in rows}
        first = [name for names in lists for name in names[: kept(len(names))] if name not in out]
        kinds[gender] = Kind(
            tuple(first + [name for rows in held for name in rows]), False, len(first)
        )
    return kinds
