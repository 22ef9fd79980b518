"""What the command line's verbs have in common: which conversations to train on, to test on, and a short run of everything."""

import random
from dataclasses import replace
from pathlib import Path

from lmem.data import locomo, tinyworld
from lmem.errors import InputError


def for_training(data, n, turns, seed, validation=0, varied=False):
    """Training conversations and `validation` others, which are no test conversations either: (list, list).

    Of tinyworld n, without what is held out; of a file those of its training split, the last ones for validation.
    validation  None: a fifth as many as there are, at most 40
    varied      of tinyworld: some with few facts and some with many, few people or many, and with many corrections and two hops
    raises      InputError if a file leaves none to train on
    """
    if data == "tinyworld":
        worlds = _worlds(turns, random.Random(f"worlds {seed}") if varied else None)
        validation = min(40, n // 5) if validation is None else validation
        names = [("train", i) for i in range(n)] + [("validation", i) for i in range(validation)]
        drawn = [
            tinyworld.sample(f"{name} {seed}", i, next(worlds), twin=False) for name, i in names
        ]
        conversations = locomo.parse(drawn)
        return conversations[:n], conversations[n:]
    conversations = _split(data)[0]
    validation = min(40, len(conversations) // 5) if validation is None else validation
    if validation >= len(conversations):
        raise InputError(
            f"expected fewer than {len(conversations)} validation conversations of {data}, not {validation}"
        )
    cut = len(conversations) - validation
    return conversations[:cut], conversations[cut:]


def _worlds(turns, rng):
    """What conversations are drawn from, one World after the other: always the same, or drawn by `rng`."""
    world = tinyworld.World(turns=turns, questions=turns, facts=0.5, subjects=6, pool="train")
    while True:
        if rng is None:
            yield world
        else:
            facts, subjects = rng.choice([0.35, 0.5, 0.8]), rng.choice([6, 10, 20, 40])
            mix = (0.45, 0.25, 0.25, 0.05)
            yield replace(world, facts=facts, subjects=subjects, overwritten=0.3, mix=mix)


def for_testing(data, n, turns, seed, everything=False, cut=False):
    """Test conversations: n of tinyworld with their twins, or those of a file's test split.

    cut  of tinyworld: each ends at a random turn of its last three quarters, and is asked what was told by then
    """
    if data == "tinyworld":
        found = locomo.parse(tinyworld.samples(n, f"test {seed}", tinyworld.World(turns=turns)))
        rng = random.Random(f"cut {seed}")
        return [c.until(rng.randint(turns // 4, turns)) if cut else c for c in found]
    return _load(data) if everything else _split(data)[1]


def _load(data):
    return locomo.load(None if data == "locomo" else data)


def _split(data):
    """LoCoMo's paper split; any other file: its last third is the test."""
    conversations = _load(data)
    if set(locomo.PAPER_TEST) <= {c.id for c in conversations}:
        return locomo.paper_split(conversations)
    cut = max(1, len(conversations) - max(1, len(conversations) // 3))
    return conversations[:cut], conversations[cut:] or conversations


def label(data, turns):
    """How a result file names its data: never a path of this machine."""
    return f"tinyworld, {turns} turns" if data == "tinyworld" else Path(data).stem
