"""Result files side by side: one line each, or two of them question by question (chapter 13).

Fractions in the values, percent in what is printed. A memory score stands beside the smallest one that could have been found.
"""

from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.summary import difference, headline


def table(names):
    """One line per result file, by path or by the name of a shipped one.

    returns  list of dict: name, method, rows, scale, data, n, right and wrong (exact match of both banks), memory (mean,
             low, high, p, mdd), wrong_bank, bits (gained over no bank); None for what the stateless method has not
    raises   InputError for a file that is no result of this version's `lmem evaluate`
    """
    return [_line(str(name), _evaluated(name)) for name in names]


def _line(name, result):
    summary = result["summary"]
    conditions, (memory, wrong) = summary["conditions"], headline(summary)

    def mean(condition, measure):
        return conditions.get(condition, {}).get(measure, {"mean": None})["mean"]

    return {
        "name": name,
        "method": result["method"],
        "rows": result["rows"],
        "scale": result["scale"],
        "data": result.get("data"),
        "n": summary["n"],
        "right": mean("right", "em"),
        "wrong": mean(wrong, "em"),
        "wrong_bank": wrong,
        "memory": memory and {key: memory[key] for key in ("mean", "low", "high", "p", "mdd")},
        "bits": mean("right", "bits_gained"),
    }


def compare(first, second):
    """The first result minus the second, question by question, for the right bank and for the memory score.

    first, second  result files, by path or by the name of shipped ones
    returns        dict: n, questions that both have; differences, {measure: {mean, low, high, p, mdd}}: em, f1, bits and locomo
                   of the right bank, and memory, exact match over the wrong bank where both have the same kind; p is two-sided
    raises         InputError if they are not of the same data, or share no question that has an answer
    """
    one, other = _evaluated(first), _evaluated(second)
    if one.get("data") != other.get("data"):
        raise InputError(
            f"expected two results on the same data, not on {one.get('data')} and {other.get('data')}"
        )
    for name, result in ((first, one), (second, other)):
        if "right" not in result["summary"]["conditions"]:
            raise InputError(f"expected a result with the condition right in {name}, it has none")
    theirs = {row["id"]: row for row in other["questions"] if row["answerable"]}
    pairs = [
        (row, theirs[row["id"]])
        for row in one["questions"]
        if row["answerable"] and row["id"] in theirs
    ]
    if not pairs:
        raise InputError(f"expected questions that {first} and {second} both answer, found none")
    rows = [row for row, _ in pairs]

    def found(value):
        return difference(rows, [value(a) - value(b) for a, b in pairs], two_sided=True)

    differences = {
        measure: found(lambda row, m=measure: row["right"][m]) for measure in ("em", "f1", "bits")
    }
    wrong = headline(one["summary"])[1]
    if wrong and wrong == headline(other["summary"])[1]:
        differences["memory"] = found(lambda row: row["right"]["em"] - row[wrong]["em"])
    return {"first": str(first), "second": str(second), "n": len(pairs), "differences": differences}


def _evaluated(name):
    """A result of `lmem evaluate` with all figures; older ones and other files are refused."""
    result = results.load(name)
    try:
        memory, _ = headline(result["summary"])
        whole = {"scale", "questions"} <= set(result) and (memory is None or "mdd" in memory)
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise InputError(
            f"expected a result of this version's `lmem evaluate` in {name}, it lacks some figures; make it again"
        )
    return result


# ---- as printed: rows of texts by column, percent and bits -------------------------------------------


def printed_table(lines):
    """Lines of `table`, to be printed."""
    return [
        {
            "result": line["name"],
            "method": line["method"],
            "rows": f"{line['rows']} ({line['scale']:g}x)",
            "n": str(line["n"]),
            "right": percent(line["right"]),
            "wrong": percent(line["wrong"]) + (f" {line['wrong_bank']}" if line["memory"] else ""),
            "memory score": percent(line["memory"]),
            "MDD": percent(line["memory"] and line["memory"]["mdd"]),
            "bits": bits(line["bits"]),
        }
        for line in lines
    ]


def printed_comparison(found):
    """What `compare` found, to be printed."""
    rows = []
    for measure, figures in found["differences"].items():
        form = bits if measure == "bits" else percent
        row = {"first - second": measure, "difference": form(figures)}
        rows.append({**row, "p": f"{figures['p']:.4f}", "MDD": form(figures["mdd"])})
    return rows


def printed_conditions(summary):
    """A summary's conditions, one line each, to be printed."""
    return [
        {
            "condition": name,
            "EM": percent(found["em"]),
            "F1": percent(found["f1"]["mean"]),
            "bits": bits(found.get("bits_gained", {}).get("mean")),
            "empty": percent(found["empty"]),
            "repeated": percent(found["repeated"]),
            "same": percent(found["identical"]),
        }
        for name, found in summary["conditions"].items()
    ]


def printed_figures(summary):
    """What stands below the conditions: the memory score with its uncertainty, and the paper's figures."""
    memory, wrong = headline(summary)
    found = {"questions": summary["n"], "conversations": summary["conversations"]}
    if memory:
        found[f"memory score, EM: right - {wrong}"] = percent(memory)
        found["p, permutation test for positive"] = f"{memory['p']:.4f}"
        found["smallest detectable difference"] = percent(memory["mdd"])
    if "forgetting" in summary:
        rate = summary["forgetting"]["recall_rate"]
        found["recall rate, mean of buckets"] = percent(rate["mean_of_buckets"])
        found["recall rate, mean of questions"] = percent(rate["mean_of_questions"])
    for name in ("adapter_tax", "net_benefit"):
        if name in summary:
            found[f"{name.replace('_', ' ')}, F1"] = scored(summary[name], percent)
    for name, curve in summary.get("knowledge", {}).items():
        found[f"knowledge after each session, {name}"] = ", ".join(map(percent, curve["k"]))
    if "with_category_5" in summary:
        more = summary["with_category_5"]["conditions"]
        name = f"EM with category 5, {summary['with_category_5']['n']} questions"
        shown = [c for c in ("right", wrong, "baseline") if c in more]
        found[name] = ", ".join(f"{c} {percent(more[c]['em']['mean'])}" for c in shown)
    return found


def percent(value):
    """A fraction, or a mean with its interval, as text in percent; "-" for None."""
    return _text(value, lambda x: f"{100 * x:.1f}")


def scored(found, form, mark=""):
    """A difference with its interval, and the smallest that such a run would find (MDD); "-" for None."""
    if found is None:
        return "-"
    mdd = f", MDD {form(found['mdd'])}" if found.get("mdd") is not None else ""
    return f"{mark}{form(found)}{mark}{mdd}"


def bits(value):
    """Bits, or a mean with its interval, as text; "-" for None."""
    return _text(value, lambda x: f"{x:.2f}")


def _text(value, form):
    if value is None:
        return "-"
    if not isinstance(value, dict):
        return form(value)
    if None in (value["low"], value["high"]):
        return f"{form(value['mean'])} [one conversation]"
    return f"{form(value['mean'])} [{form(value['low'])}, {form(value['high'])}]"
