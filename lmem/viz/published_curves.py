"""The published experiment in one figure and on one page: the paper's table 3, our LoCoMo results, and a run of your own (chapter 15).

The paper's values are open diamonds: of another backbone, and a recall rate, which is clipped at 0 before it is averaged
(`lmem.experiments.paper`). A curve is memory only as far as the right bank is above another conversation's.
"""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import plotly.graph_objects as go

from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.summary import headline
from lmem.evaluation.tables import bits, percent
from lmem.experiments import paper
from lmem.experiments.reproduce import ReproduceConfig, Reproduction
from lmem.metrics.forgetting import BUCKET_NAMES
from lmem.utils.files import write_text
from lmem.viz.colours import COLOURS, GREEN, GREY, NAMES, PURPLE
from lmem.viz.forgetting_curve import PAPER_MARK, knowledge_curve
from lmem.viz.plots import add_slider, line, style
from lmem.viz.plots import percent as in_percent
from lmem.viz.tables import html_table

Results = Mapping[str, Mapping[str, Any]]
CONDITIONS = {name: (NAMES[name], COLOURS[name]) for name in ("right", "other", "none")}
CONDITIONS["oracle"] = ("evidence as text", GREEN)
PAGE = Path(__file__).with_name("report.html")  # $body is what a run fills in


def curves(cells: Results, locomo: Results | None = None, title: str = "F1 by lag") -> go.Figure:
    """Draw F1 by lag of every cell, one at a time, with its recall rate and the paper's.

    Args:
        cells: {"m3-1x": result} of a run, of the same conversations.
        locomo: The same, of results on LoCoMo; only their recall rates are drawn.
        title: The heading.

    Raises:
        InputError: There is no cell with curves.
    """
    if not cells or any("forgetting" not in cell["summary"] for cell in cells.values()):
        raise InputError("expected results with forgetting curves: right bank and null rows")
    frames = [_traces(name, cell, locomo or {}) for name, cell in cells.items()]
    counts = next(iter(cells.values()))["summary"]["forgetting"]["recall_rate"]["n"]
    spoken = []
    for name, cell in cells.items():
        means = [cell["summary"]["conditions"][c]["f1"]["mean"] for c in ("right", "other")]
        spoken.append(f"{name} {100 * means[0]:.1f} and {100 * means[1]:.1f}")
    alt = (
        "Lines of F1 in percent by lag, with a slider over methods; means with the right and with another's bank: "
        f"{'; '.join(spoken)}."
    )
    figure = style(go.Figure(), title, alt, "lag of the evidence, turns", "F1, %", 620, b=270)
    ticks = [f"{name}<br>n = {n}" for name, n in zip(BUCKET_NAMES, counts, strict=True)]
    figure.update_xaxes(
        tickvals=list(range(len(ticks))), ticktext=ticks, tickfont_size=11, zeroline=False
    )
    figure.update_yaxes(rangemode="tozero")
    return add_slider(figure, frames, list(cells), "method: ", shown=len(cells) - 1)


def _traces(name: str, cell: Mapping[str, Any], locomo: Results) -> list[go.Scatter]:
    """The lines of one cell; those that it lacks are empty, since all frames have the same ones."""
    summary, places = cell["summary"], list(range(len(BUCKET_NAMES)))
    forgetting, mode = summary["forgetting"], "lines+markers"
    traces = []
    for size, (condition, (label, colour)) in zip((16, 12, 8, 8), CONDITIONS.items(), strict=True):
        raw = forgetting.get(f"f1 {condition}", {"raw": [None] * len(places)})["raw"]
        marker = {"size": size}  # all can be seen where they coincide
        traces.append(line(places, map(in_percent, raw), label, colour, mode=mode, marker=marker))
    ours = locomo.get(name, {"summary": {}})["summary"].get("forgetting")
    fits = {"this run: recall rate": forgetting, "our LoCoMo result: recall rate": ours}
    for dash, (label, of) in zip(("dot", "dashdot"), fits.items(), strict=True):
        fit = of["recall_rate"]["fit"] if of else [None] * len(places)
        traces.append(line(places, map(in_percent, fit), label, PURPLE, dash, mode=mode))
    method, _, scale = name.removesuffix("x").partition("-")
    printed = paper.RECALL.get(int(float(scale)), {}).get(method, [None] * len(places))
    label = "paper, Flan-T5-XL on LoCoMo: recall rate"
    traces.append(line(places, printed, label, GREY, "dash", 1, mode, marker=PAPER_MARK))
    return traces


def locomo_results(backbone: str = "mini") -> dict[str, dict[str, Any]]:
    """Load the shipped results on LoCoMo of one backbone, first seeds: {"m3-1x": result}.

    Args:
        backbone: Whose.
    """
    prefix, found = f"locomo/{backbone}-", {}
    for name in results.names():
        if name.startswith(prefix):
            cell = name.removeprefix(prefix).rpartition("-s")[0]
            found.setdefault(cell, results.load(name))
    return found


def score_rows(cells: Results) -> list[dict[str, str]]:
    """List for each cell the recall rate as the paper prints it, and next to it what only the right bank gives."""
    rows = []
    for name, cell in cells.items():
        summary = cell["summary"]
        memory, wrong = headline(summary)
        if memory is None:
            continue
        rate = summary["forgetting"]["recall_rate"]["mean_of_buckets"]
        oracle = summary["conditions"].get("oracle")
        rows.append(
            {
                "method": name,
                "recall rate, %": percent(rate),
                f"memory score, F1: right - {wrong}": percent(memory["f1"]),
                "the same in bits": bits(memory["bits"]),
                "evidence as text, F1": percent(oracle["f1"]["mean"]) if oracle else "-",
            }
        )
    return rows


def write_report(out: str | Path) -> Path:
    """Write report.html into a folder of `lmem reproduce`: all curves and tables of what is finished, as one page.

    Raises:
        InputError: The folder has no results of that verb.
    """
    loaded = map(results.load, sorted(Path(out).glob("*.json.gz")))
    made = [each["reproduce"] for each in loaded if "reproduce" in each]
    if not made:
        raise InputError(f"expected results of `lmem reproduce` in {out}, found none")
    config = ReproduceConfig(**made[0])
    run = Reproduction(config, out)
    cells, failed = run.results(), run.failed()
    data = f"{Path(config.backbone).name} on {Path(config.data).name}, seed {config.seed}"
    body = [f"<h1>The published experiment: {escape(data)}</h1>"]
    if config.warning():
        body.append(f"<p>{config.warning()}</p>")
    body.append(
        f"<p>{len(cells)} runs are finished, of {len(run.cells)} of the published experiment.</p>"
    )
    body += [f"<p>{escape(name)} did not run: {escape(why)}.</p>" for name, why in failed.items()]
    if rows := score_rows(cells):
        body.append(html_table(rows, "The recall rate next to the memory score"))
    for place, figure in enumerate(_figures(cells)):
        body.append(figure.to_html(full_html=False, include_plotlyjs=place == 0))
    for title, texts in paper.table_texts(run.tables()).items():
        body += [f"<h2>{title}</h2>", html_table(texts) if texts else "<p>No result yet.</p>"]
    target = Path(out) / "report.html"
    page = Template(PAGE.read_text(encoding="utf-8"))
    write_text(target, page.substitute(body="\n".join(body)))
    return target


def _figures(cells: Results) -> list[go.Figure]:
    """Draw the curves of all cells that have one."""
    with_curve = {name: cell for name, cell in cells.items() if "forgetting" in cell["summary"]}
    figures = [curves(with_curve, locomo_results())] if with_curve else []
    for name, cell in cells.items():
        if knowledge := cell["summary"].get("knowledge"):
            method = name.partition("-")[0]
            title, printed = f"{name}: F1 after each session", None
            if method in paper.KNOWLEDGE:
                last, gained = paper.KNOWLEDGE[method]
                printed = method, (last, gained)
            figures.append(knowledge_curve(knowledge, title, printed))
    return figures
