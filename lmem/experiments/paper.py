"""What the paper prints (arXiv 2603.16413v1), and its tables 2 to 5 next to ours (chapter 15).

The paper's numbers are read from paper_tables.json. They are in percent, of Flan-T5-XL on LoCoMo, one seed without intervals, over 639 questions of which 134 have no
answer. Its recall rate is smoothed: a gain over zero rows, clipped at 0.

Our numbers are over the questions that have an answer; the same with category 5 by LoCoMo's own rule is in a separate column.
A recall rate is clipped at 0 before it is averaged, so noise makes it positive. The memory score, right bank minus another
conversation's, is the figure to look at.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lmem.evaluation.summary import headline
from lmem.evaluation.tables import render, with_interval, with_mdd

_TABLES = json.loads((Path(__file__).parent / "paper_tables.json").read_text(encoding="utf-8"))


def _by_scale(table: Mapping[str, Any], convert: Callable) -> dict[int, Any]:
    """Return {scale: {method: value}} of a table whose keys are texts."""
    return {int(scale): {m: convert(v) for m, v in row.items()} for scale, row in table.items()}


# table 3: {scale: {method: recall rate by bucket of lag}}, and the plain mean of the five buckets
RECALL: dict[int, dict[str, tuple[float, ...]]] = _by_scale(_TABLES["recall"], tuple)
MEAN_RECALL: dict[int, dict[str, float]] = _by_scale(_TABLES["mean_recall"], float)
QUESTIONS = tuple(_TABLES["questions"])  # in its test split, by bucket of lag
# table 4, 1x: {method: (K_30, K_30 - K_1)}
KNOWLEDGE: dict[str, tuple[float, ...]] = {m: tuple(v) for m, v in _TABLES["knowledge"].items()}
F_BASE: float = _TABLES["f_base"]  # table 5: F1 of the bare backbone
# table 5: {scale: {method: (F_BASE - F_0, F_mem - F_BASE)}}; the taxes have one value for each number of rows
TAX_AND_BENEFIT: dict[int, dict[str, tuple[float, ...]]] = _by_scale(
    _TABLES["tax_and_benefit"], tuple
)
TAX_BY_ROWS: dict[int, float] = {int(n): tax for n, tax in _TABLES["tax_by_rows"].items()}
PARAMETERS: dict[str, float] = _TABLES["parameters"]  # table 2: millions, at d = 2048, 24 layers


def levels(method: str, scale: int = 1) -> dict[str, float]:
    """Return the three F1 levels behind a method's tax and benefit, percent, to two digits."""
    tax, benefit = TAX_AND_BENEFIT[scale][method]
    scores = {"baseline": F_BASE, "null_rows": F_BASE - tax, "right": F_BASE + benefit}
    return {name: round(value, 2) + 0.0 for name, value in scores.items()}


# ---- tables 2 to 5, the paper's values next to ours ----------------------------------------------

METHODS = ("m0", "m1", "m2", "m3", "m4", "m5", "m6", "m2_as_run", "m5_as_run")
METHODS += tuple(f"{method}_repaired" for method in ("m2", "m3", "m5", "m6"))  # not in the paper
TITLES = {
    "2": "Table 2: what learns",
    "3": "Table 3: recall rate by lag, percent, smoothed",
    "4": "Table 4: knowledge curve at 1x, F1, percent",
    "5": "Table 5: adapter tax and net benefit, F1, points",
}
Row = dict[str, Any]
Cells = Mapping[str, Mapping[str, Any]]


def comparison_tables(cells: Cells) -> dict[str, list[Row]]:
    """Put the paper's tables next to ours, as plain values.

    Args:
        cells: {"m3-1x": result of `lmem.experiments.reproduce`}; missing ones are left out of the tables.

    Returns:
        {"2".."5": list of {column: value}}; values are numbers, lists of numbers, {mean, low, high, conversations, mdd} and so on, or None.
    """
    return {
        "2": list(_parameter_rows(cells)),
        "3": list(_recall_rows(cells)),
        "4": list(_knowledge_rows(cells)),
        "5": list(_tax_rows(cells)),
    }


def _summaries(cells: Cells, figure: str, scales: tuple[int, ...] = (1, 10)) -> Iterator[tuple]:
    """Yield method, scale, summary, and summary with category 5, of the cells whose summary has a figure."""
    for scale in scales:
        for method in METHODS:
            summary = cells.get(f"{method}-{scale}x", {}).get("summary", {})
            if figure in summary:
                yield method, scale, summary, summary.get("with_category_5", {})


def _parameter_rows(cells: Cells) -> Iterator[Row]:
    for method in METHODS:
        if f"{method}-1x" in cells:
            yield {
                "method": method,
                "paper, millions": PARAMETERS.get(method),
                "ours, millions": cells[f"{method}-1x"]["parameters"] / 1e6,
            }


def _recall_rows(cells: Cells) -> Iterator[Row]:
    for method, scale, summary, with_5 in _summaries(cells, "forgetting"):
        rate = summary["forgetting"]["recall_rate"]
        rate_5 = with_5.get("forgetting", {}).get("recall_rate", {})
        memory, wrong = headline(summary)
        yield {
            "method": method,
            "scale": scale,
            "paper": RECALL[scale].get(method),
            "paper, mean": MEAN_RECALL[scale].get(method),
            "ours": [_percent(value) for value in rate["fit"]],
            "ours, mean": _percent(rate["mean_of_buckets"]),
            "with category 5, mean": _percent(rate_5.get("mean_of_buckets")),
            f"memory score, F1: right - {wrong or 'other'}": _percents(memory and memory["f1"]),
        }


def _knowledge_rows(cells: Cells) -> Iterator[Row]:
    for method, _, summary, with_5 in _summaries(cells, "knowledge", (1,)):
        condition = "right" if "right" in summary["knowledge"] else "none"
        curve = summary["knowledge"][condition]["k"]
        curve_5 = with_5.get("knowledge", {}).get(condition, {"k": []})["k"]
        last, gained = KNOWLEDGE.get(method, (None, None))
        values, values_5 = ([v for v in each if v is not None] for each in (curve, curve_5))
        yield {
            "method": method,
            "paper, K_30": last,
            "paper, K_30 - K_1": gained,
            "ours, last K": _percent(values[-1]) if values else None,
            "ours, last K - first": _percent(values[-1] - values[0]) if values else None,
            "ours, sessions": len(curve),
            "with category 5, last K": _percent(values_5[-1]) if values_5 else None,
        }


def _tax_rows(cells: Cells) -> Iterator[Row]:
    for method, scale, summary, with_5 in _summaries(cells, "adapter_tax"):
        tax, benefit = TAX_AND_BENEFIT[scale].get(method, (None, None))
        yield {
            "method": method,
            "scale": scale,
            "paper, tax": tax,
            "ours, tax": _percents(summary["adapter_tax"]),
            "paper, benefit": benefit,
            "ours, benefit": _percents(summary["net_benefit"]),
            "with category 5, tax": _percents(with_5.get("adapter_tax")),
            "with category 5, benefit": _percents(with_5.get("net_benefit")),
            "paper, F_base": F_BASE,
            "ours, F_base": _percent(summary["conditions"]["baseline"]["f1"]["mean"]),
        }


def _percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 2) + 0.0


def _percents(figures: Mapping[str, Any] | None) -> Row | None:
    if figures is None:
        return None
    return {**figures, **{key: _percent(figures[key]) for key in ("mean", "low", "high", "mdd")}}


def comparison_page(tables: Mapping[str, list[Row]], backbone: str, seed: int, warning: str) -> str:
    """Write the tables as Markdown, with what they are of in the first lines.

    Args:
        tables: As of `comparison_tables`.
        backbone: Name or folder of our backbone.
        seed: Our seed.
        warning: What keeps our run from being the whole experiment, as a sentence; "" if nothing does.
    """
    name = backbone.rstrip("/").rpartition("/")[2]
    parts = [
        "# The paper's tables and ours",
        f"Paper: Flan-T5-XL on LoCoMo, one seed. Ours: {name} on LoCoMo's form, seed {seed}.",
    ]
    if warning:
        parts.append(f"**{warning}**")
    for title, texts in table_texts(tables).items():
        parts += [f"## {title}", render(texts, "markdown") if texts else "No result yet."]
    return "\n\n".join(parts) + "\n"


def table_texts(tables: Mapping[str, list[Row]]) -> dict[str, list[dict[str, str]]]:
    """Format what `comparison_tables` returns: {title: rows of texts}."""
    return {
        title: [{name: _text(value) for name, value in row.items()} for row in tables[number]]
        for number, title in TITLES.items()
    }


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_text, value))
    if isinstance(value, dict):
        return with_mdd(value, _text_of_mean)
    return _text_of_mean(value) if isinstance(value, float) or value is None else str(value)


def _text_of_mean(value: float | Mapping[str, Any] | None) -> str:
    return with_interval(value, lambda x: f"{x:.2f}")
