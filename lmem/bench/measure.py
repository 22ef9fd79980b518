"""Unit costs times counts: what a whole run costs, from units of it that are timed by turns (chapter 15).

    seconds of a way = sum over its units of (seconds of one, measured here) x (how many a whole run needs)

A way is one implementation of the work, such as lmem's or the plain one. The ways are timed one after the other, unit by unit,
several times, so that a machine that slows down does so for all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from torch.utils.flop_counter import FlopCounterMode

from lmem.backbone.support import eager_attention
from lmem.errors import InputError
from lmem.utils.progress import track
from lmem.utils.timing import Clock, Work, memory_mib, peak_mib, reset_peak, wall_seconds

Seconds = Mapping[str, Mapping[str, Sequence[float]]]  # {way: {unit: [seconds, one per repeat]}}


class Unit(NamedTuple):
    """A sample of the work of a run.

    Attributes:
        work: The call that is timed.
        count: Turns or questions that one call processes.
    """

    work: Work
    count: int


class Timing(NamedTuple):
    """Measurements of a unit, one per repeat.

    Attributes:
        seconds: Of one turn or question.
        peaks: Highest memory in MiB; empty where it cannot be measured.
        growth: Highest memory in MiB over what was in use before the call.
    """

    seconds: list[float]
    peaks: list[float]
    growth: list[float]


def time_units(
    ways: Mapping[str, Mapping[str, Unit]],
    repeats: int,
    device: str | Any = "cpu",
    clock: Clock | None = None,
) -> dict[str, dict[str, Timing]]:
    """Time every unit of every way.

    Args:
        ways: {way: {unit: Unit}}; one way has all units.
        repeats: How often, at least 3.
        device: Where the work runs.
        clock: Measures the seconds of a call; default: wall time.

    Returns:
        {way: {unit: Timing}}.

    Raises:
        InputError: There are fewer than 3 repeats, which give no spread.
    """
    require_repeats(repeats)
    clock = clock or (lambda work: wall_seconds(work, device))
    timings = {way: {unit: Timing([], [], []) for unit in units} for way, units in ways.items()}
    names = max(ways.values(), key=len)
    order = [(way, unit) for unit in names for way in ways if unit in ways[way]]
    for way, unit in track(order * repeats, "timing"):
        timing, (work, count) = timings[way][unit], ways[way][unit]
        measurable = reset_peak(device)
        before = memory_mib(device) if measurable else 0.0
        timing.seconds.append(clock(work) / count)
        if measurable:
            timing.peaks.append(peak_mib(device))
            timing.growth.append(max(0.0, timing.peaks[-1] - before))
    return timings


def median_ms(works: Sequence[Work], repeats: int, clock: Clock) -> list[float]:
    """Time calls by turns, after each has run once; return the median of each in milliseconds."""
    for work in works:
        work()
    times = [[clock(work) for work in works] for _ in range(repeats)]
    return [1000 * median(each) for each in zip(*times, strict=True)]


def account(seconds: Seconds, counts: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Return what a whole run costs each way, and how many times as long as the engine the others take.

    Args:
        seconds: Of one turn or question; one way is "engine".
        counts: {way: {unit: how many a whole run needs}}.

    Returns:
        dict of spreads over the repeats: unit_seconds {way: {unit}}, seconds {way: {unit, total}}, ratio {other way},
        from the totals of the same repeat.
    """
    whole = {
        way: {unit: [s * counts[way][unit] for s in repeats] for unit, repeats in units.items()}
        for way, units in seconds.items()
    }
    for units in whole.values():
        units["total"] = [sum(repeat) for repeat in zip(*units.values(), strict=True)]
    engine = whole["engine"]["total"]
    return {
        "unit_seconds": _spreads(seconds),
        "seconds": _spreads(whole),
        "ratio": {
            way: ratio(units["total"], engine) for way, units in whole.items() if way != "engine"
        },
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return minimum, median and maximum."""
    return {"min": min(values), "median": median(values), "max": max(values)}


def ratio(seconds: Sequence[float], engine: Sequence[float]) -> dict[str, float]:
    """Return the spread of the ratios, repeat by repeat."""
    return spread([a / b for a, b in zip(seconds, engine, strict=True)])


def _spreads(seconds: Seconds) -> dict[str, dict[str, dict[str, float]]]:
    return {
        way: {unit: spread(repeats) for unit, repeats in units.items()}
        for way, units in seconds.items()
    }


def operations(model: Any, work: Callable[[], object]) -> tuple[int, int]:
    """Count the floating-point operations of a call's matrix products.

    Returns:
        (all, those of the decoder with its head).
    """
    # the counter does not see into fused attention
    with eager_attention(model), FlopCounterMode(display=False) as counter:
        work()
    flop = {name: sum(counts.values()) for name, counts in counter.get_flop_counts().items()}
    parts = [f"{type(model).__name__}.{part}" for part in ("decoder", "lm_head")]
    return counter.get_total_flops(), sum(flop.get(part, 0) for part in parts)


def require_repeats(repeats: int) -> None:
    """Raise InputError for fewer than 3 repeats."""
    if repeats < 3:
        raise InputError(f"expected at least 3 repeats, not {repeats}")


def require_positive(**sizes: int) -> None:
    """Raise InputError for a sample that is empty."""
    for name, size in sizes.items():
        if size < 1:
            raise InputError(f"expected at least 1 of {name}, not {size}")


def round_floats(value: Any) -> Any:
    """Round every float in a result to 4 digits."""
    if isinstance(value, dict):
        return {name: round_floats(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [round_floats(inner) for inner in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
