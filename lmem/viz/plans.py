"""Plans: memory by part and time by phase of each Flan-T5 on each card (chapter 15)."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lmem.errors import InputError
from lmem.viz.colours import BLUE, GREEN, ORANGE
from lmem.viz.plots import add_slider, grouped, line, significant, style

CARDS = {"t4": ORANGE, "a100": BLUE, "h200": GREEN}
LEAST_GIB, LEAST_SECONDS = 1e-3, 1e-1  # where the axes begin


def memory_and_time(result: dict, title: str, shown: int = 3) -> go.Figure:
    """Draw GiB by part with each card's memory, and seconds by phase, on log scales, with a slider over sizes.

    Args:
        result: Of `lmem.experiments.planning.plan.grid`.
        title: The heading.
        shown: Which size is drawn first.

    Raises:
        InputError: It is another result.
    """
    if result.get("what") != "plans":
        raise InputError("expected a result of `lmem.experiments.planning.plan.grid`")
    by_size = grouped(result["plans"], "backbone")
    sizes = list(by_size)
    shown = min(shown, len(sizes) - 1)
    frames = [[trace for plan in plans for trace in _traces(plan)] for plans in by_size.values()]
    figure = make_subplots(rows=2, vertical_spacing=0.24)
    for place, trace in enumerate(frames[shown]):
        figure.add_trace(trace, row=2 if place % 3 == 2 else 1, col=1)
    spoken = []
    for size, plans in by_size.items():
        fits = ", ".join(plan["profile"] for plan in plans if plan["fits"])
        spoken.append(f"{size} fits on {fits or 'none'}")
    alt = (
        f"Planned memory by part and time by phase, with a slider over sizes. {'; '.join(spoken)}."
    )
    style(figure, title, alt, height=720)
    figure.update_layout(barmode="group")
    figure.update_yaxes(title="memory, GiB", type="log", range=[-3, 2.2], row=1, col=1)
    figure.update_yaxes(title="time, seconds", type="log", range=[-1, 4.5], row=2, col=1)
    return add_slider(figure, frames, sizes, "backbone: ", shown=shown)


def _traces(plan: dict) -> tuple[go.Bar, go.Scatter, go.Bar]:
    """One card's bars of memory, the line of what it has, and its bars of time."""
    name, memory, seconds = plan["profile"], plan["memory_mib"], plan["seconds"]
    colour = CARDS.get(name)
    look = {"name": name, "legendgroup": name, "marker": {"color": colour}}
    gib = [significant(max(mib / 1024, LEAST_GIB), 4) for mib in memory.values()]
    budget, ends = [significant(plan["budget_mib"] / 1024, 4)] * 2, [next(iter(memory)), "total"]
    phases = [phase.replace("write without evidence", "deleted") for phase in seconds]
    times = [significant(max(value, LEAST_SECONDS), 4) for value in seconds.values()]
    return (
        go.Bar(x=list(memory), y=gib, **look),
        line(ends, budget, f"what {name} has", colour, "dot", 1.5, legendgroup=name),
        go.Bar(x=phases, y=times, showlegend=False, **look),
    )


def plan_rows(result: dict) -> list[dict]:
    """List the numbers behind `memory_and_time`."""
    return [
        {
            "backbone": plan["backbone"],
            "profile": plan["profile"],
            "numbers": plan["dtype"],
            "weights, GiB": f"{plan['memory_mib']['weights'] / 1024:.2f}",
            "working, GiB": f"{plan['memory_mib']['working'] / 1024:.2f}",
            "total, GiB": f"{plan['memory_mib']['total'] / 1024:.1f}",
            "of, GiB": f"{plan['budget_mib'] / 1024:g}",
            "fits": "yes" if plan["fits"] else "no",
            "training, minutes": f"{plan['seconds']['train'] / 60:.1f}",
            "one adapter, minutes": f"{plan['seconds']['total'] / 60:.1f}",
            "latents on disk, GiB": f"{plan['disk_mib'] / 1024:.2f}",
        }
        for plan in result["plans"]
    ]
