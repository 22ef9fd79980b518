"""What the paper prints (arXiv 2603.16413v1), and its tables 2 to 5 next to ours (chapter 15).

The paper's numbers are in percent, of Flan-T5-XL on LoCoMo, one seed without intervals, over 639 questions of which 134 have no
answer. Its recall rate is smoothed: a gain over zero rows, clipped at 0.

Our numbers are over the questions that have an answer; the same with category 5 by LoCoMo's own rule is in a separate column.
A recall rate is clipped at 0 before it is averaged, so noise makes it positive. The memory score, right bank minus another
conversation's, is the figure to look at.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from lmem.evaluation.summary import headline
from lmem.evaluation.tables import render, with_interval, with_mdd

RECALL = {  # table 3: {scale: {method: recall rate by bucket of lag}}
    1: {
        "m0": (0.0, 0.0, 0.0, 0.0, 0.0),
        "m1": (0.02, 0.02, 0.02, 0.02, 0.02),
        "m2": (17.85, 14.65, 9.02, 9.02, 9.02),
        "m3": (0.0, 0.0, 0.0, 0.0, 0.0),
        "m4": (9.51, 9.51, 9.23, 9.23, 9.23),
        "m5": (0.36, 0.10, 0.10, 0.10, 0.09),
        "m6": (17.21, 13.91, 7.08, 7.08, 7.08),
    },
    10: {
        "m0": (0.0, 0.0, 0.0, 0.0, 0.0),
        "m1": (10.75, 10.75, 9.30, 9.30, 9.20),
        "m2": (11.90, 11.90, 9.88, 9.88, 9.88),
        "m3": (15.58, 15.58, 9.69, 9.69, 9.69),
        "m4": (15.86, 11.19, 10.32, 10.32, 10.32),
        "m5": (11.22, 7.62, 7.62, 7.62, 7.62),
        "m6": (13.85, 10.60, 10.60, 10.21, 9.66),
    },
}
MEAN_RECALL = {  # table 3: {scale: {method: plain mean of the five buckets}}
    1: {"m1": 0.02, "m2": 11.91, "m3": 0.0, "m4": 9.34, "m5": 0.15, "m6": 10.47},
    10: {"m1": 9.86, "m2": 10.69, "m3": 12.05, "m4": 11.60, "m5": 8.34, "m6": 10.99},
}
QUESTIONS = (28, 24, 62, 130, 395)  # in its test split, by bucket of lag
KNOWLEDGE = {  # table 4, 1x: {method: (K_30, K_30 - K_1)}
    "m0": (5.57, 5.57),
    "m1": (0.0, 0.0),
    "m2": (11.04, 7.34),
    "m3": (0.0, 0.0),
    "m4": (10.62, 7.84),
    "m5": (0.17, 0.17),
    "m6": (9.71, 9.71),
}
F_BASE = 6.44  # table 5: F1 of the bare backbone
TAX_AND_BENEFIT = {  # table 5: {scale: {method: (F_BASE - F_0, F_mem - F_BASE)}}
    1: {
        "m1": (2.38, -6.42),
        "m2": (3.39, 6.76),
        "m3": (2.38, -6.44),
        "m4": (3.39, 3.10),
        "m5": (3.39, -6.30),
        "m6": (2.38, 5.75),
    },
    10: {
        "m1": (4.23, 4.00),
        "m2": (3.39, 5.09),
        "m3": (4.23, 6.26),
        "m4": (3.39, 5.46),
        "m5": (3.39, 1.83),
        "m6": (4.23, 5.22),
    },
}
# table 5: the same taxes; there is one number for each number of rows that are read
TAX_BY_ROWS = {64: 2.38, 384: 3.39, 640: 4.23}
# table 2: what learns, in millions, at d = 2048 and 24 layers
PARAMETERS = {"m0": 0.0, "m1": 4.2, "m2": 16.8, "m3": 4.2, "m4": 1.0, "m5": 21.0, "m6": 4.2}
SESSIONS = 30  # of its knowledge curve


def levels(method: str, scale: int = 1) -> dict[str, float]:
    """Return the three F1 levels behind a method's tax and benefit, percent, to two digits."""
    tax, benefit = TAX_AND_BENEFIT[scale][method]
    scores = {"baseline": F_BASE, "null_rows": F_BASE - tax, "right": F_BASE + benefit}
    return {name: round(value, 2) + 0.0 for name, value in scores.items()}


# ---- tables 2 to 5, the paper's values next to ours ----------------------------------------------

METHODS = ("m0", "m1", "m2", "m3", "m4", "m5", "m6", "m2_as_run", "m5_as_run")
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
        {"2".."5": list of {column: value}}; values are numbers, lists of numbers, {mean, low, high, mdd}, or None.
    """
    return {
        "2": list(_parameter_rows(cells)),
        "3": list(_recall_rows(cells)),
        "4": list(_knowledge_rows(cells)),
        "5": list(_tax_rows(cells)),
    }


def _summaries(
    cells: Cells, figure: str, scales: tuple[int, ...] = (1, 10)
) -> Iterator[tuple[str, int, Mapping[str, Any], Mapping[str, Any]]]:
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
    return {key: _percent(figures[key]) for key in ("mean", "low", "high", "mdd")}


def comparison_page(tables: Mapping[str, list[Row]], backbone: str, seed: int, limits: str) -> str:
    """Write the tables as Markdown, with what they are of in the first lines.

    Args:
        tables: As of `comparison_tables`.
        backbone: Name or folder of our backbone.
        seed: Our seed.
        limits: What keeps our run from being the whole experiment, in words; "" if nothing does.
    """
    name = backbone.rstrip("/").rpartition("/")[2]
    parts = [
        "# The paper's tables and ours",
        f"Paper: Flan-T5-XL on LoCoMo, one seed. Ours: {name} on LoCoMo's form, seed {seed}.",
    ]
    if limits:
        parts.append(f"**A check of the path, with {limits}: its figures mean nothing.**")
    for number, title in TITLES.items():
        texts = [{name: _text(value) for name, value in row.items()} for row in tables[number]]
        parts += [f"## {title}", render(texts, "markdown") if texts else "No result yet."]
    return "\n\n".join(parts) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_text, value))
    if isinstance(value, dict):
        return with_mdd(value, _text_of_mean)
    return _text_of_mean(value) if isinstance(value, float) or value is None else str(value)


def _text_of_mean(value: float | Mapping[str, Any] | None) -> str:
    return with_interval(value, lambda x: f"{x:.2f}")
