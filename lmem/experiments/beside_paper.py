"""The paper's tables 2 to 5 beside ours: its printed value, and what was measured here, with intervals and a control (chapter 15).

The paper prints one seed without intervals, over 639 questions of which 134 have no answer. Ours are over the questions that have
one; the same with category 5 by LoCoMo's own rule stands beside each. A recall rate is clipped at 0 before it is averaged, so
noise makes it positive: the memory score, right bank minus another conversation's, is the figure that says something.
"""

from lmem.evaluation.summary import headline
from lmem.experiments import paper

METHODS = ("m0", "m1", "m2", "m3", "m4", "m5", "m6", "m2_as_run", "m5_as_run")


def tables(found):
    """Rows of the four tables, as plain values.

    found    {"m3-1x": result of `lmem.experiments.reproduce`}; what is missing is left out
    returns  {"2".."5": list of {column: value}}; values are numbers, lists of numbers, {mean, low, high}, or None
    """
    return {
        "2": [_parameters(m, found[f"{m}-1x"]) for m in METHODS if f"{m}-1x" in found],
        "3": [row for scale in (1, 10) for row in _recall(found, scale)],
        "4": [
            _knowledge(m, found[f"{m}-1x"]) for m in METHODS if _has(found, f"{m}-1x", "knowledge")
        ],
        "5": [row for scale in (1, 10) for row in _tax(found, scale)],
    }


def _parameters(method, result):
    printed = paper.PARAMETERS.get(method)
    return {
        "method": method,
        "paper, millions": printed,
        "ours, millions": result["parameters"] / 1e6,
    }


def _recall(found, scale):
    for method in METHODS:
        name = f"{method}-{scale}x"
        if not _has(found, name, "forgetting"):
            continue
        summary = found[name]["summary"]
        rate, wider = summary["forgetting"]["recall_rate"], summary.get("with_category_5", {})
        rate_5 = wider.get("forgetting", {}).get("recall_rate", {})
        memory, wrong = headline(summary)
        yield {
            "method": method,
            "scale": scale,
            "paper": paper.RECALL[scale].get(method),
            "paper, mean": paper.MEAN_RECALL[scale].get(method),
            "ours": [_percent(value) for value in rate["fit"]],
            "ours, mean": _percent(rate["mean_of_buckets"]),
            "with category 5, mean": _percent(rate_5.get("mean_of_buckets")),
            f"memory score, F1: right - {wrong or 'other'}": _scaled(memory and memory["f1"]),
        }


def _knowledge(method, result):
    summary = result["summary"]
    name = "right" if "right" in summary["knowledge"] else "none"
    curve = summary["knowledge"][name]
    wider = summary.get("with_category_5", {}).get("knowledge", {}).get(name, {"k": []})
    last, gained = paper.KNOWLEDGE.get(method, (None, None))
    values, values_5 = ([v for v in each["k"] if v is not None] for each in (curve, wider))
    return {
        "method": method,
        "paper, K_30": last,
        "paper, K_30 - K_1": gained,
        "ours, last K": _percent(values[-1]) if values else None,
        "ours, last K - first": _percent(values[-1] - values[0]) if values else None,
        "ours, sessions": len(curve["k"]),
        "with category 5, last K": _percent(values_5[-1]) if values_5 else None,
    }


def _tax(found, scale):
    for method in METHODS:
        name = f"{method}-{scale}x"
        if not _has(found, name, "adapter_tax"):
            continue
        summary = found[name]["summary"]
        wider = summary.get("with_category_5", {})
        tax, benefit = paper.TAX_AND_BENEFIT[scale].get(method, (None, None))
        yield {
            "method": method,
            "scale": scale,
            "paper, tax": tax,
            "ours, tax": _scaled(summary["adapter_tax"]),
            "paper, benefit": benefit,
            "ours, benefit": _scaled(summary["net_benefit"]),
            "with category 5, tax": _scaled(wider.get("adapter_tax")),
            "with category 5, benefit": _scaled(wider.get("net_benefit")),
            "paper, F_base": paper.F_BASE,
            "ours, F_base": _percent(summary["conditions"]["baseline"]["f1"]["mean"]),
        }


def _has(found, name, key):
    return name in found and key in found[name]["summary"]


TITLES = {
    "2": "Table 2: what learns",
    "3": "Table 3: recall rate by lag, percent, smoothed",
    "4": "Table 4: knowledge curve at 1x, F1, percent",
    "5": "Table 5: adapter tax and net benefit, F1, points",
}


def written(found, config):
    """The tables as Markdown, with what they are of in the first lines."""
    head = [
        "# The paper's tables beside ours",
        "",
        f"Paper: Flan-T5-XL on LoCoMo, one seed. Ours: {config.backbone.rstrip('/').rpartition('/')[2]} on LoCoMo's form, seed {config.seed}.",
    ]
    limits = config.limits()
    if limits:
        head += ["", f"**A check of the path, with {limits}: its figures mean nothing.**"]
    for number, title in TITLES.items():
        head += ["", f"## {title}", "", *_markdown(found[number])]
    return "\n".join(head) + "\n"


def _markdown(rows):
    if not rows:
        return ["No result yet."]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, ["---"] * len(columns)]
    lines += [[_text(row.get(column)) for column in columns] for row in rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _text(value):
    if value is None:
        return "-"
    if isinstance(value, dict):
        ends = "" if value["low"] is None else f" [{value['low']:.2f}, {value['high']:.2f}]"
        mdd = "" if value.get("mdd") is None else f", MDD {value['mdd']:.2f}"
        return f"{value['mean']:.2f}{ends}{mdd}"
    if isinstance(value, list | tuple):
        return " ".join(map(_text, value))
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _percent(value):
    return None if value is None else round(100 * value, 2) + 0.0


def _scaled(figures):
    return figures and {key: _percent(figures[key]) for key in ("mean", "low", "high", "mdd")}
