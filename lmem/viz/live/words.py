"""The sentences and words that a page offers for a backbone."""

import re
from typing import Any

from lmem.chat.lines import ENGLISH, PATTERNS, UNSURE, UNTOLD
from lmem.data import everyday
from lmem.data.running_conversation import TALK
from lmem.data.tinyworld import World, sample
from lmem.data.tinyworld.language import NAMES, UNKNOWN, VALUES

TURNS = 60  # of the conversation along which banks are watched
LATER = 600  # turns after which a fact is asked for, at most
BOTH = [[1, "1x: 64 rows"], [10, "10x: 640 rows"]]


def _method(
    adapter: str, label: str, sizes: list[list], about: str, single: bool = False
) -> dict[str, Any]:
    """One choice of a bank; `single` if its rows are written one by one, and the others are empty."""
    return {"adapter": adapter, "label": label, "sizes": sizes, "about": about, "single": single}


METHODS = [
    _method("nano-m2", "M.2: attention write, branch read", BOTH, "Every turn changes every row."),
    _method("nano-keyed", "keyed: a row for each fact", [[1, "1x: 128 half rows"], [10, "10x: 1,280 half rows"]],
            "A fact gets a row of its own, half as wide; other turns change nothing.", True),
    _method("nano-m6", "M.6: slots, extension read", BOTH, "Every turn changes 8 rows."),
    _method("nano-m3-repaired", "M.3 repaired: rows with addresses", [[10, "10x: 640 rows"]],
            "Each token goes to the rows whose fixed address fits it."),
    _method("nano-m6-repaired", "M.6 repaired: a row for each token", [[10, "10x: 640 rows"]],
            "Each token is written by itself, into an empty row while there is one."),
    _method("nano-recent", "recent: newest hidden states", [[1, "1x: 64 rows"], [3, "3x: 192 rows"], [10, "10x: 640 rows"]],
            "The newest tokens, one a row; the oldest drop out.", True),
    _method("nano-m1", "M.1: attention write, prefix read", [[1, "1x: 64 rows"]], "Every turn changes every row."),
    _method("nano-m3", "M.3: attention write, extension read", BOTH, "Every turn changes every row."),
    _method("nano-m4", "M.4: Hebbian write, query read", [[1, "1x: 256 x 256"]], "One matrix of associations, no rows."),
    _method("nano-m5", "M.5: attention write, gated read", BOTH, "Every turn changes every row."),
]  # fmt: skip


JOURNEYS = [  # one memory for each of the three sites
    ["nano-keyed", "keyed: joins the encoder's output", "encoder output"],
    ["nano-recent", "recent: read inside the decoder", "decoder layers"],
    ["nano-m1", "M.1: joins the encoder's input", "encoder input"],
]


def long_talk() -> list[list[str]]:
    """Return (speaker, text) of 60 turns: the running conversation, then turns of tinyworld that do not speak of Ana's cat."""
    more = other_turns("a longer talk", 4 * TURNS)
    return [turn.split(": ", 1) for turn in TALK] + more[: TURNS - len(TALK)]


def corrected_talk() -> list[list[str]]:
    """Return (speaker, text) of 12 turns: the beginning of the running conversation, and a correction of its turn 3."""
    turns = [turn.split(": ", 1) for turn in TALK[:11]]
    return [*turns[:10], ["Ben", "Correction: I live in Amber-Hill."], turns[10]]


def other_turns(seed: str, turns: int) -> list[list[str]]:
    """Return (speaker, text) of those turns of a conversation of tinyworld that neither Ana says nor speak of her or a cat."""
    sessions = sample(seed, 0, World(turns=turns), twin=False)["conversation"]
    return [
        [turn["speaker"], turn["text"]]
        for name in sorted(sessions, key=lambda key: (len(key), key))
        if name.startswith("session_") and not name.endswith("time")
        for turn in sessions[name]
        if turn["speaker"] != "Ana" and not re.search(r"\b(cat|Ana|Miro)\b", turn["text"])
    ]


def nano_words() -> dict[str, Any]:
    """Return what the page offers for nano, which reads tinyworld's language only.

    Returns:
        speaker: Who speaks. unknown: The model's answer to what was never said. untold, unsure: How the page puts it, and what it
        says where a row was withheld. lines: Patterns of what asks. oneself: A pattern of questions about the speaker, where one
        may give a name of one's own. tell: Sentences, with the question that each answers; `after` names the sentence that must
        come first. hops: Questions that need two sentences. never: Questions without an answer. pools: Words that can stand for
        each other. pairs: Lists of first and second halves of such words. swap: Counterparts that are chosen by hand. others:
        Names and towns for a name that is in no pool. known: Words to try.
    """
    cat, brother = "I adopted a cat called Miro.", "My brother is Hugo."
    home, job = "I live in Cedar-Bay.", "Hugo works for Falcon-Studio."
    tell: list[dict[str, str]] = [
        {"text": cat, "ask": "What is Ana's cat called?"},
        {"text": home, "ask": "Where does Ana live?"},
        {"text": "What a long day.", "label": "small talk"},
        {"text": brother, "ask": "Who is Ana's brother?"},
        {"text": "My favourite dish is spiced-turnip.", "ask": "What is Ana's favourite dish?"},
        {"text": job, "ask": "Who does Hugo work for?", "after": brother},
        {"text": "Correction: I live in Amber-Hill.", "ask": "Where does Ana live?", "after": home, "label": "replaces a fact"},
        {"text": "I am afraid of the giant-otter.", "ask": "What is Ana afraid of?"},
    ]  # fmt: skip
    pairs = [list(map(list, pair)) for pair in VALUES.values()]
    known = [
        ("People", NAMES["person"]),
        ("Pets", NAMES["pet"]),
        ("Towns", [f"{a}-{b}" for a, b in zip(*VALUES["town"], strict=True)]),
        ("Dishes", [f"{a}-{b}" for a, b in zip(*VALUES["dish"], strict=True)]),
    ]
    return {
        "speaker": "Ana",
        "unknown": UNKNOWN,
        "untold": UNKNOWN,
        "unsure": UNSURE,
        "lines": PATTERNS,
        "tell": tell,
        "hops": [{"ask": "Who does Ana's brother work for?", "after": [brother, job]}],
        "never": ["What is Ana's favourite song?"],
        "pools": [NAMES["pet"], NAMES["person"]],
        "pairs": pairs,
        "swap": {"Miro": "Pixel", "Hugo": "Nils"},
        "title": "Which words can it read?",
        "about": "This model, nano, has 1.9 million weights and reads a small generated language, tinyworld. Names are single "
        "words; towns, dishes and things are two words joined by a hyphen. Use other combinations than the sentences above, "
        "with these words; a word outside of its vocabulary is reported.",
        "known": known,
        "methods": METHODS,
        "collapse": {
            "turns": long_talk(),
            "question": "What is Ana's cat called?",
            "answer": "Miro",
        },
        "machine": {"turns": corrected_talk(), "question": "Where does Ben live?"},
        "journey": {"turns": other_turns("six hundred turns", 2000)[:LATER], "memories": JOURNEYS},
    }


MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]  # fmt: skip
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MINI_POOLS = ("pet_name", "city", "country", "allergen", "instrument", "fruit", "language")


def mini_words() -> dict[str, Any]:
    """Return what the page offers for mini, which reads plain English, as in `nano_words`.

    Whether it answers rightly is a matter of its weights: the sentences are like those that it was trained on.
    """
    language = everyday.load()
    kinds = [language.names["female"], language.names["male"]]
    kinds += [language.kinds[name] for name in MINI_POOLS]
    pools = [[word for word in kind.items if re.fullmatch(r"\w+", word)] for kind in kinds]
    swap = {
        "Rex": "Pixel",
        "Lisbon": "Oslo",
        "Hugo": "Nils",
        "walnuts": "sesame",
        "Marlow": "Ferris",
    }
    tell = [
        {"text": "I adopted a dog called Rex.", "ask": "What is my dog called?"},
        {"text": "I grew up in Lisbon.", "ask": "Where did I grow up?"},
        {"text": "What a long day.", "label": "small talk"},
        {"text": "My brother is called Hugo.", "ask": "What is my brother called?"},
        {"text": "I'm allergic to walnuts.", "ask": "What am I allergic to?"},
        {"text": "My dentist is called Marlow.", "ask": "What is my dentist called?"},
    ]
    return plain_words() | {
        "tell": tell,
        "never": ["What is my favourite song?"],
        "untold": UNTOLD,
        "oneself": ENGLISH["questions"]["oneself"],
        "pools": [*pools, list(swap), MONTHS, DAYS],
        "swap": swap,
        "others": {"names": pools[0][::10], "towns": pools[3][::10]},
        "about": "This model, mini, has 4.1 million weights and was trained on generated everyday English. It has pieces of "
        "words, so it can read any name, also one that you invent. It is small: short plain sentences suit it best.",
        "machine": {"turns": MINI_TALK, "question": "Where does Ben live?"},
    }


MINI_TALK = [
    ["Ana", "I adopted a ferret called Miro."],
    ["Ben", "I live in Lisbon."],
    ["Ana", "My brother is called Hugo."],
    ["Ben", "What a long day."],
    ["Ana", "I'm allergic to walnuts."],
    ["Ben", "Big news: I moved to Oslo."],
]


def plain_words() -> dict[str, Any]:
    """Return the words of a backbone that the page does not know: no sentences are offered, and nothing is swapped."""
    example = {"text": "I adopted a cat called Miro.", "ask": "What is Ana's cat called?"}
    nothing: dict[str, Any] = dict.fromkeys(("hops", "never", "pools", "pairs", "known"), ())
    return nothing | {
        "speaker": "Ana",
        "unknown": UNKNOWN,
        "untold": UNKNOWN,
        "unsure": UNSURE,
        "lines": PATTERNS,
        "tell": [example],
        "swap": {},
        "title": "Which words can it read?",
        "about": "A word that it has no piece for is reported when you use it.",
    }


WORDS = {"nano": nano_words, "mini": mini_words}
