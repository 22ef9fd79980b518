"""Everyday: generated conversations in plain English, with every fact, its turn and its question known exactly.

The same contract as `lmem.data.tinyworld`, with an open vocabulary: LoCoMo's JSON form, exact evidence, everything
determined by a seed, counterfactual twins. The modules:

    world      size, shares, mix               language   relations and words, read from TOML
    cast       who is spoken of                story      events, slots, tellings
    keys       which fact comes next           teller     who says what, when
    values     what fills a story's slots      invent     invented names and values
    marks      one statement, any subject      noise      typing: capitals, full stops, mistakes
    dates      "last Friday" and its answer    talk       small talk, openers, distractors
    asks       questions and answers           render     LoCoMo's JSON form
    draw       training and test conversations reading    questions with their turns as text

Three steps: draw a story without values, fill it with values, fill it with other values for the twin.
"""

import random

from lmem.data.everyday import render
from lmem.data.everyday.asks import draw_asks
from lmem.data.everyday.language import load
from lmem.data.everyday.teller import Teller
from lmem.data.everyday.values import draw_values
from lmem.data.everyday.world import CATEGORY, KINDS, POOLS, World
from lmem.errors import InputError

UNKNOWN = "unknown"

__all__ = ["CATEGORY", "KINDS", "POOLS", "UNKNOWN", "World", "load", "sample", "samples"]


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


def sample(seed: int | str, index: int, world: World, twin: bool = True) -> dict:
    """Generate conversation number `index` of `seed`; see `samples`."""
    rng = random.Random(f"everyday {seed} {index}")
    language = load()
    story, namer = Teller(f"everyday-{seed}-{index}", rng, world, language).write()
    values = draw_values(story, namer, rng, world)
    others = draw_values(story, namer, rng, world, other_than=values)
    asks = draw_asks(story, values, others, rng, world)
    typing = rng.random()
    written = render.written(story, values, asks, random.Random(typing))
    if twin:
        other = render.written(story, others, asks, random.Random(typing))
        return {"sample_id": story.id, **written, "counterfactual": other}
    return {"sample_id": story.id, **written}
