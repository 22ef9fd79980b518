"""Plans drawn: memory by part and time by phase, one Flan-T5 at a time, each card beside the others (chapter 15)."""

from plotly.graph_objects import Bar, Scatter
from plotly.subplots import make_subplots

from lmem.errors import InputError
from lmem.viz.plots import slide, style

COLOURS = {"t4": "#D55E00", "a100": "#0072B2", "h200": "#009E73"}
LEAST = {"memory": 1e-3, "time": 1e-1}  # GiB and seconds: where the axes begin


def draw(result, title="A plan for each size and card", shown=3):
    """Two panels over a slider of sizes: GiB by part with what each card has, and seconds by phase; both by their logarithm.

    result  of `lmem.experiments.planning.plan.grid`
    shown   which size is there at first
    raises  InputError for another result
    """
    if result.get("what") != "plans":
        raise InputError("expected a result of `lmem.experiments.planning.plan.grid`")
    sizes = list(dict.fromkeys(one["backbone"] for one in result["plans"]))
    shown = min(shown, len(sizes) - 1)
    figure = make_subplots(rows=2, cols=1, vertical_spacing=0.24)
    mine = [_bars(result, size) for size in sizes]
    for trace, row in mine[shown]:
        figure.add_trace(trace, row=row, col=1)
    style(figure, title, _alt(result, sizes), None, None, 720)
    figure.update_layout(barmode="group")
    figure.update_yaxes(title="memory, GiB", type="log", range=[-3, 2.2], row=1, col=1)
    figure.update_yaxes(title="time, seconds", type="log", range=[-1, 4.5], row=2, col=1)
    frames = [[trace for trace, _ in bars] for bars in mine]
    return slide(figure, frames, sizes, "backbone: ", shown=shown)


def _bars(result, size):
    """(trace, panel) of one size: bars of memory and the card's line, then bars of time, card by card."""
    found = []
    for one in (p for p in result["plans"] if p["backbone"] == size):
        name, memory = one["profile"], one["memory_mib"]
        look = {"name": name, "legendgroup": name, "marker": {"color": COLOURS.get(name)}}
        gib = [_digits(max(value / 1024, LEAST["memory"])) for value in memory.values()]
        found.append((Bar(x=list(memory), y=gib, **look), 1))
        held = [_digits(one["budget_mib"] / 1024)] * 2
        line = {"color": COLOURS.get(name), "dash": "dot", "width": 1.5}
        text = f"what {name} has"
        ends = [next(iter(memory)), "total"]
        found.append(
            (Scatter(x=ends, y=held, mode="lines", line=line, name=text, legendgroup=name), 1)
        )
        seconds = one["seconds"]
        taken = [_digits(max(value, LEAST["time"])) for value in seconds.values()]
        names = [phase.replace("write without evidence", "deleted") for phase in seconds]
        found.append((Bar(x=names, y=taken, showlegend=False, **look), 2))
    return found


def _digits(value):
    return float(f"{value:.4g}")


def _alt(result, sizes):
    fit = {
        size: [p["profile"] for p in result["plans"] if p["backbone"] == size and p["fits"]]
        for size in sizes
    }
    spoken = "; ".join(
        f"{size} fits on {', '.join(names) or 'none'}" for size, names in fit.items()
    )
    return f"Planned memory by part and time by phase, with a slider over sizes. {spoken}."


def table(result):
    """The same in numbers: list of {column: value}, for `lmem.viz.plots.numbers`."""
    return [
        {
            "backbone": one["backbone"],
            "profile": one["profile"],
            "numbers": one["dtype"],
            "weights, GiB": f"{one['memory_mib']['weights'] / 1024:.2f}",
            "working, GiB": f"{one['memory_mib']['working'] / 1024:.2f}",
            "total, GiB": f"{one['memory_mib']['total'] / 1024:.1f}",
            "of, GiB": f"{one['budget_mib'] / 1024:g}",
            "fits": "yes" if one["fits"] else "no",
            "training, minutes": f"{one['seconds']['train'] / 60:.1f}",
            "one adapter, minutes": f"{one['seconds']['total'] / 60:.1f}",
            "latents on disk, GiB": f"{one['disk_mib'] / 1024:.2f}",
        }
        for one in result["plans"]
    ]
