"""Training and test conversations of everyday English, drawn by seed (chapter 9).

Training conversations contain no held-out name, value, relation or phrasing. Test conversations contain everything.
"""

import random
from dataclasses import replace

from lmem.data import everyday, locomo
from lmem.data.conversation import Conversation
from lmem.data.everyday.world import World


def training_conversations(
    n: int, validation: int, turns: int, seed: int, varied: bool
) -> list[Conversation]:
    """Draw `n` conversations to train on, then those for validation.

    Args:
        n: Conversations to train on.
        validation: Conversations for validation.
        turns: Turns of each.
        seed: Other seeds draw other conversations.
        varied: Few facts or many, few people or many, and many corrections and two hops.
    """
    rng = random.Random(f"everyday worlds {seed}")
    world = World(turns=turns, questions=turns, facts=0.5, subjects=6, pool="train")
    names = [("train", i) for i in range(n)] + [("validation", i) for i in range(validation)]
    drawn = []
    for name, i in names:
        if varied:
            facts, subjects = rng.choice([0.4, 0.6, 0.8]), rng.choice([6, 10, 20, 40])
            mix = (0.3, 0.25, 0.15, 0.25, 0.05)
            world = replace(world, facts=facts, subjects=subjects, overwritten=0.3, mix=mix)
        drawn.append(everyday.sample(f"{name} {seed}", i, world, twin=False))
    return locomo.parse(drawn)


def test_conversations(n: int, turns: int, seed: int) -> list[Conversation]:
    """Draw `n` test conversations of `turns` turns, with their counterfactual twins."""
    return locomo.parse(everyday.samples(n, f"test {seed}", World(turns=turns)))
