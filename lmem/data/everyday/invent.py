"""Invented names and values, so that nothing but copying can answer a question about them.

`INVENT[kind]` makes a value of a kind: towns and names from syllables, companies with odd capitals,
titles and dishes from parts, numbers from digits. What they are made of is in words/invented.toml. For kinds without a
maker, `recombine` joins halves of listed values ("salmon kibble" and "turkey mince" give "salmon mince").
"""

import random
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from lmem.utils.toml import read_toml

_TABLES = read_toml(Path(__file__).parent / "words" / "invented.toml")
PARTS: dict[str, list[str]] = _TABLES["parts"]
_MARK = re.compile(r"\{([^}]+)\}")


def word(rng: random.Random, low: int = 2, high: int = 3) -> str:
    """Invent a word of `low` to `high` invented syllables, in lower case."""
    text = ""
    for _ in range(rng.randint(low, high)):
        text += "".join(rng.choice(PARTS[part]) for part in ("onsets", "vowels", "codas"))
    return text[: rng.randint(6, 10)]


def name(rng: random.Random, gender: str = "any") -> str:
    """Invent a first name; its end suits the gender."""
    return (word(rng, 1, 2) + rng.choice(PARTS[f"{gender}_ends"])).capitalize()


def town(rng: random.Random) -> str:
    """Invent the name of a town."""
    plain = word(rng, 1, 2).capitalize() + rng.choice(PARTS["town_ends"])
    return f"{rng.choice(PARTS['town_fronts'])} {plain}" if rng.random() < 0.15 else plain


def full_name(rng: random.Random) -> str:
    """Invent a first name and a surname."""
    return f"{name(rng)} {town(rng) if rng.random() < 0.3 else name(rng)}"


def title(rng: random.Random) -> str:
    """Invent the title of a book, a film or a song."""
    adjective, noun = (rng.choice(PARTS[part]).capitalize() for part in ("adjectives", "nouns"))
    how = rng.randrange(7)
    titles = (
        f"The {adjective} {noun}",
        f"{adjective} {noun}",
        f"{_plural(noun)} of {town(rng)}",
        f"{'An' if noun[0] in 'AEIOU' else 'A'} {noun} for {name(rng)}",
        f"{name(rng)} and the {noun}",
        f"The {noun} {rng.choice(PARTS['nouns']).capitalize()}",
        town(rng),
    )
    return titles[how]


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("x", "ch", "sh", "s")) else "s")


def price(rng: random.Random) -> str:
    """Invent a price."""
    amount = rng.choice([rng.randint(3, 99), rng.randint(100, 999), rng.randint(2, 40) * 50])
    cents = rng.choice(["", "", ".50", ".99"]) if amount < 100 else ""
    return f"{rng.choice('$$£€')}{amount}{cents}"


def clock(rng: random.Random) -> str:
    """Invent a time of day."""
    hour, minute = rng.randint(1, 12), rng.choice(PARTS["minutes"])
    half = rng.choice([" am", " pm", "am", "pm"])
    return f"{hour}{'' if minute == '00' else ':' + minute}{half}"


def hotel(rng: random.Random) -> str:
    """Invent the name of a hotel."""
    return rng.choice([f"Hotel {town(rng)}", f"The {town(rng)} Inn"])


MAKERS: dict[str, Callable[[random.Random], str]] = {  # of the marks in invented.toml
    "name": name,
    "female_name": partial(name, gender="female"),
    "male_name": partial(name, gender="male"),
    "town": town,
    "word": word,
    "syllables": partial(word, low=1, high=2),
}


def fill(templates: str | Sequence[str], rng: random.Random) -> str:
    """Make a value of its template, or of one out of several; marks are filled from left to right."""
    template = templates if isinstance(templates, str) else rng.choice(templates)
    return _MARK.sub(lambda match: _part(match[1], rng), template)


def _part(mark: str, rng: random.Random) -> str:
    """Make what a mark stands for: "2-90" a number, "name|town" one of both, "Nouns" a part with a capital."""
    if "|" in mark:
        return rng.choice([_part(each, rng) for each in mark.split("|")])
    low, dash, high = mark.partition("-")
    if dash:
        return str(rng.randint(int(low), int(high)))
    key = mark.lower()
    text = MAKERS[key](rng) if key in MAKERS else rng.choice(PARTS[key])
    return text if mark == key else text.capitalize()


INVENT: dict[str, Callable[[random.Random], str]] = {
    **{kind: partial(fill, templates) for kind, templates in _TABLES["kinds"].items()},
    **dict.fromkeys(("band", "song", "book", "film", "series", "game", "board_game"), title),
    "person": name,
    "full_name": full_name,
    "price": price,
    "time": clock,
    "hotel": hotel,
}
company = INVENT["company"]


def recombine(rng: random.Random, items: Sequence[str]) -> str | None:
    """Join the first half of one listed value and the second half of another.

    Args:
        rng: Source of chance.
        items: Listed values of one kind.

    Returns:
        A value of two words, or None if fewer than half of the items have two words.
    """
    halves = [item.split() for item in items if len(item.split()) == 2]
    halves = [pair for pair in halves if pair[0].lower() not in ("the", "a", "an", "my", "no")]
    if len(halves) < max(12, len(items) / 2):
        return None
    return f"{rng.choice(halves)[0]} {rng.choice(halves)[1]}"
