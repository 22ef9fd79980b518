"""Unit costs times counts: what a whole run costs, from pieces of it that are timed in turn (chapter 15).

    seconds of a way = sum over its units of (seconds for one, measured here) x (how many a whole run needs)

Ways are timed in turn, piece by piece, several times over, so that a machine that slows down does so for all of them.
"""

from statistics import median

from torch.utils.flop_counter import FlopCounterMode

from lmem.errors import InputError
from lmem.utils.progress import track
from lmem.utils.timing import peak_mib, reset_peak


def spread(values):
    """Least, median and greatest."""
    return {"min": min(values), "median": median(values), "max": max(values)}


def in_turn(ways, repeats, device="cpu", progress=True):
    """Time every unit of every way, `repeats` times.

    ways     {way: {unit: call}}; a call works on a sample and returns the seconds of one unit; one way has all units
    returns  {way: {unit: [seconds, one for each repeat]}}, and {way: peak memory in MiB, or None}
    raises   InputError for less than 3 repeats, of which no spread can be told
    """
    if repeats < 3:
        raise InputError(f"expected at least 3 repeats, not {repeats}")
    costs = {way: {unit: [] for unit in units} for way, units in ways.items()}
    peaks = {way: [] for way in ways}
    units = max(ways.values(), key=len)
    pieces = [(way, unit) for unit in units for way in ways if unit in ways[way]]
    for way, unit in track(pieces * repeats, "timing", progress):
        known = reset_peak(device)
        costs[way][unit].append(ways[way][unit]())
        peaks[way].append(peak_mib(device) if known else None)
    return costs, {way: None if None in found else max(found) for way, found in peaks.items()}


def account(costs, counts):
    """What a whole run costs each way, and how many times the engine's time the others take.

    costs    {way: {unit: [seconds of one, for each repeat]}}; one way is "engine"
    counts   {way: {unit: how many a whole run needs}}
    returns  dict of spreads over the repeats: `unit_seconds` {way: {unit}}, `seconds` {way: {unit, total}},
             `ratio` {other way}, from the totals of the same repeat
    """
    whole = {
        way: {unit: [one * counts[way][unit] for one in each] for unit, each in units.items()}
        for way, units in costs.items()
    }
    for units in whole.values():
        units["total"] = [sum(each) for each in zip(*units.values(), strict=True)]
    engine = whole["engine"]["total"]
    return {
        "unit_seconds": _spreads(costs),
        "seconds": _spreads(whole),
        "ratio": {
            way: spread([a / b for a, b in zip(units["total"], engine, strict=True)])
            for way, units in whole.items()
            if way != "engine"
        },
    }


def _spreads(found):
    return {
        way: {unit: spread(each) for unit, each in units.items()} for way, units in found.items()
    }


def operations(model, work):
    """Floating-point operations of a call's matrix products: (all, those of the decoder with its head)."""
    kernel = model.config._attn_implementation
    model.set_attn_implementation("eager")  # the counter does not see into fused attention
    try:
        with FlopCounterMode(display=False) as counter:
            work()
    finally:
        model.set_attn_implementation(kernel)
    found = {name: sum(each.values()) for name, each in counter.get_flop_counts().items()}
    name = type(model).__name__
    decoder = sum(found.get(f"{name}.{part}", 0) for part in ("decoder", "lm_head"))
    return counter.get_total_flops(), decoder
