"""Training and test conversations of tinyworld, drawn by seed (chapter 9).

Training conversations contain no held-out name, relation or phrasing. Test conversations contain everything.
"""

import random
from dataclasses import replace

from lmem.data import locomo
from lmem.data.conversation import Conversation
from lmem.data.drawing import draw
from lmem.data.tinyworld.generate import sample, samples
from lmem.data.tinyworld.world import World


def training_conversations(
    n: int, validation: int, turns: int, seed: int, varied: bool
) -> list[Conversation]:
    """Draw `n` conversations to train on, then those for validation; see `lmem.data.splits.for_training`."""
    rng = random.Random(f"worlds {seed}")
    world = World(turns=turns, questions=turns, facts=0.5, subjects=6, pool="train")

    def vary(world: World) -> World:
        facts, subjects = rng.choice([0.35, 0.5, 0.8]), rng.choice([6, 10, 20, 40])
        mix = (0.45, 0.25, 0.25, 0.05)
        return replace(world, facts=facts, subjects=subjects, overwritten=0.3, mix=mix)

    counts = {"train": n, "validation": validation}
    return draw(sample, counts, seed, world, vary if varied else None)


def test_conversations(n: int, turns: int, seed: int) -> list[Conversation]:
    """Draw `n` test conversations of `turns` turns, with their counterfactual twins."""
    return locomo.parse(samples(n, f"test {seed}", World(turns=turns)))
