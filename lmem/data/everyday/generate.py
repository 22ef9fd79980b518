"""Everyday conversations in the form of LoCoMo's release file (chapter 1).

Three steps: draw a story without values, fill it with values, fill it with other values for the twin.
"""

import random

from lmem.data.everyday import render
from lmem.data.everyday.asks import draw_asks
from lmem.data.everyday.language import Language, load
from lmem.data.everyday.teller import Teller
from lmem.data.everyday.values import draw_values
from lmem.data.everyday.world import World
from lmem.errors import InputError


def samples(
    n: int, seed: int | str = 0, world: World | None = None, twins: bool = True
) -> list[dict]:
    """Generate conversations in LoCoMo's JSON form.

    Args:
        n: How many. Conversation i depends on (seed, i, world) only.
        seed: Other seeds give other conversations.
        world: What they are drawn from; None is the default mix.
        twins: Give each its counterfactual twin.

    Returns:
        n dicts: sample_id, conversation, qa, and counterfactual (conversation, qa).

    Raises:
        InputError: n is not positive.
    """
    if n < 1:
        raise InputError(f"expected at least 1 conversation, not {n}")
    return [sample(seed, i, world or World(), twins) for i in range(n)]


def sample(
    seed: int | str, index: int, world: World, twin: bool = True, language: Language | None = None
) -> dict:
    """Generate conversation number `index` of `seed`; see `samples`. The language is the whole one if none is given."""
    rng = random.Random(f"everyday {seed} {index}")
    language = language or load()
    story, namer = Teller(f"everyday-{seed}-{index}", rng, world, language).write()
    values = draw_values(story, namer)
    twin_values = draw_values(story, namer, other_than=values)
    asks = draw_asks(story, values, twin_values, rng, world)
    typing = rng.random()
    written = render.written(story, values, asks, random.Random(typing))
    if twin:
        twin_written = render.written(story, twin_values, asks, random.Random(typing))
        return {"sample_id": story.id, **written, "counterfactual": twin_written}
    return {"sample_id": story.id, **written}
