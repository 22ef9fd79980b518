"""Training conversations of a generator: named by seed, without twins, each perhaps of another world (chapter 9)."""

from collections.abc import Callable
from typing import Any

from lmem.data import locomo
from lmem.data.conversation import Conversation


def draw(
    sample: Callable[[str, int, Any, bool], dict],
    counts: dict[str, int],
    seed: int,
    world: Any,
    vary: Callable[[Any], Any] | None = None,
) -> list[Conversation]:
    """Draw conversations without twins.

    Args:
        sample: A generator's function of (seed, index, world, twin).
        counts: How many of each name: {"train": 1600, "validation": 40}. Other names draw other conversations.
        seed: Other seeds draw other conversations.
        world: What they are drawn from.
        vary: Changes the world before each conversation.
    """
    drawn = []
    for name, n in counts.items():
        for i in range(n):
            world = vary(world) if vary else world
            drawn.append(sample(f"{name} {seed}", i, world, False))
    return locomo.parse(drawn)
