"""Training and test conversations of a generator, drawn by seed (chapter 9).

Training conversations contain nothing that is held out, and have no twins. Test conversations contain everything.
"""

import random
from dataclasses import dataclass, replace
from typing import Any

from lmem.data import locomo
from lmem.data.conversation import Conversation

SUBJECTS = (6, 10, 20, 40)  # of varied conversations


@dataclass
class Generator:
    """A source of conversations, and how training conversations vary if they are to.

    Attributes:
        source: A module with `World`, `sample` and `samples`, such as `lmem.data.tinyworld`.
        stream: Names the random numbers that draw varied worlds.
        facts: Shares of turns that state a fact, of which each varied conversation has one.
        mix: Shares of the kinds of questions in varied conversations.
    """

    source: Any
    stream: str
    facts: tuple[float, ...]
    mix: tuple[float, ...]

    def training_conversations(
        self, n: int, validation: int, turns: int, seed: int, varied: bool
    ) -> list[Conversation]:
        """Draw `n` conversations to train on, then those for validation; see `lmem.data.splits.for_training`."""
        rng, drawn = random.Random(f"{self.stream} {seed}"), []
        world = self.source.World(turns=turns, questions=turns, facts=0.5, subjects=6, pool="train")
        for name, count in (("train", n), ("validation", validation)):
            for i in range(count):
                if varied:
                    sizes = {"facts": rng.choice(self.facts), "subjects": rng.choice(SUBJECTS)}
                    world = replace(world, overwritten=0.3, mix=self.mix, **sizes)
                drawn.append(self.source.sample(f"{name} {seed}", i, world, False))
        return locomo.parse(drawn)

    def test_conversations(self, n: int, turns: int, seed: int) -> list[Conversation]:
        """Draw `n` test conversations of `turns` turns, with their counterfactual twins."""
        return locomo.parse(self.source.samples(n, f"test {seed}", self.source.World(turns=turns)))
