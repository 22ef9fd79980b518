"""Encoding turns: batches of similar length, against one turn at a time padded to 384 tokens (chapter 15).

The plain way is what the paper's released code does; its padding costs the more the shorter the turns are.
"""

from functools import partial

from lmem.bench import plain
from lmem.bench.compare import digits, some
from lmem.bench.measure import in_turn, spread
from lmem.errors import InputError
from lmem.utils import provenance
from lmem.utils.timing import seconds


def bench_encode(backbone, texts, plain_turns=200, repeats=3, progress=True):
    """Turns per second of both ways, in turn, `repeats` times; and the greatest difference of their latents.

    texts        the turns; all of them for the batched way
    plain_turns  so many, spread evenly over the texts, for the plain way
    returns      dict: turns, tokens, turns per second of both, ratio (spreads over the repeats), difference, provenance
    raises       InputError without a turn for either way, or for less than 3 repeats
    """
    if not texts or plain_turns < 1:
        raise InputError(f"expected turns for both ways, not {len(texts)} and {plain_turns}")
    few = some(texts, plain_turns)
    batched = partial(backbone.encode, texts, truncate=True)

    def one_by_one():
        return [plain.encode(backbone, text) for text in few]

    difference = max(
        (ours - theirs[0, : len(ours)]).abs().max().item()
        for ours, (theirs, _) in zip(backbone.encode(few, truncate=True), one_by_one(), strict=True)
    )
    ways = {"batched": (batched, len(texts)), "plain": (one_by_one, len(few))}
    costs, _ = in_turn(
        {
            way: {"encode": lambda work=work, n=n: seconds(work, backbone.device) / n}
            for way, (work, n) in ways.items()
        },
        repeats, backbone.device, progress,
    )  # fmt: skip
    costs = {way: units["encode"] for way, units in costs.items()}
    took = {way: sum(costs[way]) * n for way, (_, n) in ways.items()}
    found = {
        "backbone": backbone.name,
        "turns": len(texts),
        "tokens": sum(len(ids) for ids in backbone.tokenize(texts, truncate=True)),
        "turns_per_second": {way: spread([1 / one for one in costs[way]]) for way in ways},
        "ratio": spread([b / a for a, b in zip(costs["batched"], costs["plain"], strict=True)]),
        "difference": difference,
        "provenance": provenance.provenance(0, took),
    }
    return digits(found)
