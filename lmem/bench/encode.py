"""Encoding turns: batches of similar length, against one turn at a time padded to 384 tokens (chapter 15).

The plain way is what the paper's released code does. The shorter the turns are, the more its padding costs.
"""

from collections.abc import Sequence
from typing import Any

from lmem.backbone.backbone import Backbone
from lmem.bench import plain
from lmem.bench.measure import Unit, ratio, round_floats, spread, time_units
from lmem.bench.units import sample_evenly
from lmem.errors import InputError
from lmem.utils import provenance


def bench_encode(
    backbone: Backbone, texts: Sequence[str], plain_turns: int = 200, repeats: int = 3
) -> dict[str, Any]:
    """Measure turns per second of both ways, and the greatest difference of their latents.

    Args:
        backbone: The frozen model.
        texts: The turns; all of them for the batched way.
        plain_turns: Turns for the plain way, at equal distances.
        repeats: At least 3.

    Returns:
        dict: turns, tokens, turns_per_second of both ways, ratio (spreads over the repeats), difference, provenance.

    Raises:
        InputError: A way has no turn, or there are fewer than 3 repeats.
    """
    if not texts or plain_turns < 1:
        raise InputError(f"expected turns for both ways, not {len(texts)} and {plain_turns}")
    few = sample_evenly(list(texts), plain_turns)

    def one_by_one() -> list:
        return [plain.encode(backbone, text)[0][0] for text in few]

    difference = max(
        (ours - theirs[: len(ours)]).abs().max().item()
        for ours, theirs in zip(backbone.encode(few, truncate=True), one_by_one(), strict=True)
    )
    ways = {
        "batched": {"encode": Unit(lambda: backbone.encode(texts, truncate=True), len(texts))},
        "plain": {"encode": Unit(one_by_one, len(few))},
    }
    timings = time_units(ways, repeats, backbone.device)
    seconds = {way: units["encode"].seconds for way, units in timings.items()}
    took = {way: sum(seconds[way]) * units["encode"].count for way, units in ways.items()}
    result = {
        "backbone": backbone.name,
        "turns": len(texts),
        "tokens": sum(len(ids) for ids in backbone.tokenize(texts, truncate=True)),
        "turns_per_second": {way: spread([1 / s for s in seconds[way]]) for way in ways},
        "ratio": ratio(seconds["plain"], seconds["batched"]),
        "difference": difference,
        "provenance": provenance.provenance(0, took),
    }
    return round_floats(result)
