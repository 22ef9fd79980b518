"""Invented names and values, so that nothing but copying can answer a question about them.

`INVENT[kind]` makes a value of a kind: towns and names from syllables, companies with odd capitals,
titles and dishes from parts, numbers from digits. For kinds without a maker, `recombine` joins halves of
listed values ("salmon kibble" and "turkey mince" give "salmon mince").
"""

import random
from collections.abc import Callable, Sequence

# fmt: off
_ON = ("b", "br", "c", "ch", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "kr", "l", "m", "n", "p",
       "pl", "qu", "r", "s", "sh", "sk", "st", "t", "th", "tr", "v", "w", "y", "z", "zh", "")
_VOWELS = ("a", "e", "i", "o", "u", "a", "e", "i", "o", "ai", "ee", "ia", "oo", "ou", "y")
_OFF = ("", "", "", "", "l", "n", "r", "s", "th", "m", "ck", "nd", "lt", "x", "sk", "rn", "v")
_TOWN = ("ford", "ton", "bury", "by", "wick", "mouth", "ville", "berg", "stad", "haven", "field", "ham",
         "stead", "port", "dale", "ow", "ina", "os", "aro", "pur", "minster", "grad", "ly")
_TOWN_FRONT = ("Port", "San", "New", "Upper", "Lake", "Saint", "North", "Little", "Bad", "Fort", "Cape")
_FIRM = ("Labs", "Group", "& Sons", "Foods", "Logistics", "Media", "Works", "Partners", "Robotics", "Tea",
         "Bank", "Textiles", "Energy", "Studio", "Dental", "Freight", "Optics", "Records")
_FIRM_END = ("ly", "ify", "ora", "ix", "eon", "io", "ade", "ster", "core", "soft", "nest", "hub", "cart")
_ADJECTIVES = (
    "silver", "quiet", "crooked", "hidden", "burning", "velvet", "hollow", "golden", "lonely", "electric",
    "broken", "distant", "wild", "paper", "glass", "midnight", "frozen", "scarlet", "wandering", "lazy",
    "copper", "salty", "restless", "ninth", "last", "second", "blue", "northern", "iron", "secret",
    "crimson", "tiny", "foggy", "clever", "dusty", "green", "gentle", "rusty", "sleepy", "wooden",
)
_NOUNS = (
    "orchard", "lantern", "harbour", "winter", "compass", "river", "sparrow", "kingdom", "garden", "mirror",
    "thunder", "island", "staircase", "moth", "bridge", "cathedral", "fox", "engine", "meadow", "letter",
    "forest", "carousel", "anchor", "tide", "lighthouse", "beetle", "clock", "valley", "comet", "raven",
    "kettle", "pepper", "otter", "cellar", "willow", "barrel", "marble", "acorn", "badger", "cinder",
    "violin", "pillow", "magnet", "feather", "saddle", "window", "turnip", "ladder", "mitten", "heron",
)
_FOODS = (
    "pumpkin", "lentil", "mushroom", "salmon", "chickpea", "spinach", "beetroot", "coconut", "aubergine",
    "lamb", "prawn", "halloumi", "sweet potato", "leek", "walnut", "apricot", "cauliflower", "goat cheese",
    "black bean", "tofu", "fennel", "duck", "courgette", "barley", "plum", "pear", "kale", "tuna",
)
_STYLES = ("spicy", "smoky", "roasted", "creamy", "crispy", "pickled", "braised", "grilled", "sticky", "baked")
_FORMS = ("pie", "curry", "stew", "soup", "tart", "risotto", "dumplings", "salad", "lasagne", "casserole",
          "fritters", "tacos", "noodles", "gratin", "skewers", "pancakes", "burger", "chowder")
_STREETS = ("Lane", "Street", "Road", "Avenue", "Close", "Drive", "Court", "Terrace", "Hill", "Square")
_COLOURS = ("red", "teal", "yellow", "black", "striped", "purple", "beige", "navy", "orange", "pale green")
_THINGS = (
    "umbrella", "backpack", "lamp", "teapot", "wallet", "suitcase", "blanket", "jacket", "bicycle", "clock",
    "scarf", "mug", "notebook", "tent", "guitar case", "armchair", "toolbox", "camera", "lunchbox", "rug",
)
_CRAFTS = ("carving", "painting", "collecting", "repair", "racing", "spotting", "making", "restoration")
_CRAFT_OF = ("kite", "spoon", "clock", "stamp", "moth", "canoe", "puppet", "candle", "drone", "radio", "bottle",
             "model train", "lantern", "fossil", "basket", "sled", "bonsai", "mask")
_JOBS = ("inspector", "designer", "technician", "restorer", "trainer", "buyer", "engineer", "tester", "broker",
         "analyst", "planner", "fitter", "teacher", "dealer", "writer")
_JOB_OF = ("kite", "lift", "violin", "bridge", "tea", "drone", "map", "puppet", "tyre", "mattress", "sewage",
           "perfume", "satellite", "pension", "signage", "carpet", "insurance", "toy", "traffic")
_EVENTS = ("festival", "fair", "parade", "regatta", "marathon", "exhibition", "contest", "market", "gala")
_SCHOOLS = ("Primary", "High School", "Academy", "Grammar School", "Middle School")
_PLACES = ("Café", "Kitchen", "Grill", "Diner", "Bistro", "Tavern", "House", "Table", "Noodle Bar", "Pizzeria")
_FEMALE_KIN = ("aunt", "grandma", "cousin", "great-aunt", "granny")
_MALE_KIN = ("uncle", "grandpa", "cousin", "great-uncle", "grandad")
_AID = ("Foundation", "Trust", "Relief", "Rescue", "Food Bank", "Hospice", "Appeal", "Aid")
_GYMS = ("Gym", "Fitness", "Athletics", "Health Club", "Boxing", "Leisure Centre")
_TEAMS = ("Rovers", "United", "Hawks", "Otters", "Wolves", "Comets", "Pirates", "Bees", "Rangers", "Giants")
# fmt: on


def word(rng: random.Random, low: int = 2, high: int = 3) -> str:
    """Invent a word of `low` to `high` invented syllables, in lower case."""
    text = ""
    for _ in range(rng.randint(low, high)):
        text += rng.choice(_ON) + rng.choice(_VOWELS) + rng.choice(_OFF)
    return text[: rng.randint(6, 10)]


def name(rng: random.Random, gender: str = "any") -> str:
    """Invent a first name; its end suits the gender."""
    end = {
        "female": ("a", "ia", "e", "elle", "ina", "y"),
        "male": ("o", "an", "us", "ek", "in", ""),
    }
    return (word(rng, 1, 2) + rng.choice(end.get(gender, ("", "", "o", "i", "a")))).capitalize()


def town(rng: random.Random) -> str:
    """Invent the name of a town."""
    plain = word(rng, 1, 2).capitalize() + rng.choice(_TOWN)
    return f"{rng.choice(_TOWN_FRONT)} {plain}" if rng.random() < 0.15 else plain


def company(rng: random.Random) -> str:
    """Invent the name of a company."""
    how = rng.randrange(5)
    if how == 0:
        return f"{word(rng, 1, 2).capitalize()} {rng.choice(_FIRM)}"
    if how == 1:
        return rng.choice(_ADJECTIVES).capitalize() + rng.choice(_NOUNS).capitalize()  # GlassOtter
    if how == 2:
        return word(rng, 1, 2).capitalize() + rng.choice(_FIRM_END)
    if how == 3:
        return f"{rng.choice(_NOUNS).capitalize()} {rng.choice(_FIRM)}"
    return f"{name(rng)} & {name(rng)}"


def title(rng: random.Random) -> str:
    """Invent the title of a book, a film or a song."""
    adjective, noun = rng.choice(_ADJECTIVES).capitalize(), rng.choice(_NOUNS).capitalize()
    how = rng.randrange(7)
    return (
        f"The {adjective} {noun}", f"{adjective} {noun}", f"{_plural(noun)} of {town(rng)}", f"{_a(noun)} {noun} for {name(rng)}",
        f"{name(rng)} and the {noun}", f"The {noun} {rng.choice(_NOUNS).capitalize()}", town(rng),
    )[how]  # fmt: skip


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("x", "ch", "sh", "s")) else "s")


def _a(noun: str) -> str:
    return "An" if noun[0] in "AEIOU" else "A"


def relative(rng: random.Random) -> str:
    """Invent a relative with a name: "aunt Doria"."""
    gender = rng.choice(["female", "male"])
    return f"{rng.choice(_FEMALE_KIN if gender == 'female' else _MALE_KIN)} {name(rng, gender)}"


def dish(rng: random.Random) -> str:
    """Invent a dish."""
    how = rng.randrange(3)
    if how == 0:
        return f"{rng.choice(_STYLES)} {rng.choice(_FOODS)} {rng.choice(_FORMS)}"
    if how == 1:
        return f"{rng.choice(_FOODS)} {rng.choice(_FORMS)}"
    return f"{rng.choice(_FOODS)} and {rng.choice(_FOODS)} {rng.choice(_FORMS)}"


def code(rng: random.Random) -> str:
    """Invent a number or a password."""
    how = rng.randrange(3)
    if how == 0:
        return str(rng.randint(1000, 99999))
    if how == 1:
        return f"{rng.choice(_ADJECTIVES)}-{rng.choice(_NOUNS)}-{rng.randint(2, 99)}"
    return f"{rng.choice('ABCDEFGHJKLMNPRSTVWXYZ')}{rng.randint(10, 999)}"


def price(rng: random.Random) -> str:
    """Invent a price."""
    amount = rng.choice([rng.randint(3, 99), rng.randint(100, 999), rng.randint(2, 40) * 50])
    cents = rng.choice(["", "", ".50", ".99"]) if amount < 100 else ""
    return f"{rng.choice('$$£€')}{amount}{cents}"


def clock(rng: random.Random) -> str:
    """Invent a time of day."""
    hour, minute = rng.randint(1, 12), rng.choice(["00", "15", "30", "45", "10", "20", "40", "05"])
    half = rng.choice([" am", " pm", "am", "pm"])
    return f"{hour}{'' if minute == '00' else ':' + minute}{half}"


def _two(rng: random.Random, first: Sequence[str], second: Sequence[str]) -> str:
    return f"{rng.choice(first)} {rng.choice(second)}"


INVENT: dict[str, Callable[[random.Random], str]] = {
    "person": name,
    "full_name": lambda rng: f"{name(rng)} {town(rng) if rng.random() < 0.3 else name(rng)}",
    "pet_name": lambda rng: rng.choice([name(rng), rng.choice(_NOUNS).capitalize(), name(rng)]),
    "nickname": lambda rng: rng.choice([name(rng), rng.choice(_NOUNS).capitalize()]),
    "author": lambda rng: f"{name(rng)} {name(rng)}",
    "city": town, "region": town, "neighbourhood": town,
    "street": lambda rng: f"{rng.randint(1, 240)} {word(rng, 1, 2).capitalize()} {rng.choice(_STREETS)}",
    "company": company, "app": company, "shop": company,
    "charity": lambda rng: f"{rng.choice([name(rng), town(rng), rng.choice(_NOUNS).capitalize()])} {rng.choice(_AID)}",
    "phone": lambda rng: f"{word(rng, 1, 2).capitalize()} {rng.choice('XSZGAN')}{rng.randint(2, 30)}",
    "car": lambda rng: f"{word(rng, 1, 2).capitalize()} {word(rng, 1, 2).capitalize()}",
    "bike": lambda rng: f"{word(rng, 1, 2).capitalize()} {rng.choice(_NOUNS).capitalize()}",
    "school": lambda rng: f"{town(rng)} {rng.choice(_SCHOOLS)}",
    "university": lambda rng: rng.choice(["University of {}", "{} University", "{} College"]).format(town(rng)),
    "restaurant": lambda rng: f"{rng.choice([name(rng), word(rng, 1, 2).capitalize()])} {rng.choice(_PLACES)}",
    "team": lambda rng: f"{town(rng)} {rng.choice(_TEAMS)}",
    "band": title, "song": title, "book": title, "film": title, "series": title, "game": title,
    "board_game": title,
    "dish": dish,
    "thing": lambda rng: _two(rng, _COLOURS, _THINGS),
    "gift": lambda rng: _two(rng, _COLOURS, _THINGS),
    "hobby": lambda rng: _two(rng, _CRAFT_OF, _CRAFTS),
    "job": lambda rng: _two(rng, _JOB_OF, _JOBS),
    "event": lambda rng: _two(rng, _NOUNS, _EVENTS),
    "venue": lambda rng: f"the {rng.choice(_NOUNS).capitalize()} {rng.choice(['Hall', 'Room', 'Arena', 'Theatre'])}",
    "landmark": lambda rng: f"{town(rng)} {rng.choice(['Tower', 'Castle', 'Bridge', 'Falls', 'Abbey'])}",
    "course": lambda rng: f"{_two(rng, _CRAFT_OF, _CRAFTS)} course",
    "award": lambda rng: f"{name(rng)} {rng.choice(['Prize', 'Award', 'Medal', 'Cup'])}",
    "medicine": lambda rng: word(rng, 2, 3),
    "code": code, "price": price, "time": clock,
    "age": lambda rng: str(rng.randint(18, 79)),
    "phone_digits": lambda rng: rng.choice(["07{} {}", "0{} {}", "{}-{}"]).format(rng.randint(100, 999), rng.randint(100000, 999999)),
    "year": lambda rng: str(rng.randint(1961, 2024)),
    "date": lambda rng: f"{rng.randint(1, 28)} {rng.choice(['March', 'May', 'June', 'October', 'July', 'April'])}",
    "distance": lambda rng: f"{rng.randint(2, 90)} {rng.choice(['km', 'miles', 'kilometres'])}",
    "salary": lambda rng: f"{rng.choice('$£€')}{rng.randint(18, 140)},{rng.randint(0, 9)}00",
    "home_rent": lambda rng: f"{rng.choice('$£€')}{rng.randint(300, 2900)}",
    "sunday_dish": dish, "handmade": lambda rng: _two(rng, _COLOURS, _THINGS),
    "souvenir": lambda rng: _two(rng, _COLOURS, _THINGS),
    "purchase": lambda rng: _two(rng, _COLOURS, _THINGS),
    "trip_sight": lambda rng: f"the {town(rng)} {rng.choice(['Tower', 'Castle', 'Bridge', 'Falls', 'Abbey'])}",
    "doctor_name": lambda rng: f"Dr {name(rng)}",
    "teacher_name": lambda rng: f"{rng.choice(['Mr', 'Mrs', 'Ms'])} {name(rng)}",
    "gym_name": lambda rng: f"{rng.choice([town(rng), rng.choice(_ADJECTIVES).capitalize()])} {rng.choice(_GYMS)}",
    "family_relative": relative, "hotel": lambda rng: rng.choice([f"Hotel {town(rng)}", f"The {town(rng)} Inn"]),
    "award_for": lambda rng: f"best {rng.choice(_CRAFT_OF)} {rng.choice(_CRAFTS)}",
    "tattoo": lambda rng: f"{rng.choice(_ADJECTIVES)} {rng.choice(_NOUNS)}",
    "lucky_number": lambda rng: str(rng.randint(2, 99)),
    "flat_number": lambda rng: str(rng.randint(2, 299)),
    "grandparent_age": lambda rng: str(rng.randint(68, 101)),
    "vet_practice": lambda rng: f"{town(rng)} Vets",
    "shelter": lambda rng: f"{town(rng)} Animal Rescue",
}  # fmt: skip


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
