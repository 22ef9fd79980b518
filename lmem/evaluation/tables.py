"""Tables: results compared, values as text, and one renderer for the terminal and for Markdown (chapter 13).

Values are fractions; texts are in percent. An interval comes with its number of conversations, G, and a memory score with its minimum
detectable difference (MDD).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.abilities import NOVELTY
from lmem.evaluation.summary import difference, headline, is_too_few, verdict, verdicts

Row = Mapping[str, Any]
# what `lmem.evaluation.summary.difference` returns
DIFFERENCE = ("mean", "low", "high", "conversations", "p", "two_sided", "mdd")

# ---- the renderer --------------------------------------------------------------------------------


def render(rows: Sequence[Row], form: str = "text") -> str:
    """Render rows as a table.

    Args:
        rows: List of {column: value}. A column that a row lacks is empty there.
        form: "text" for the terminal, with numbers aligned to the right, or "markdown", with cells that are not
            padded, so that a new row changes no other line.

    Returns:
        The lines of the table.

    Raises:
        InputError: There is no row.
    """
    if not rows:
        raise InputError("expected at least one row to make a table of, got none")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [[str(row.get(column, "")) for column in columns] for row in rows]
    if form == "markdown":
        return tabulate(
            cells, columns, "github", disable_numparse=True, stralign=None, numalign=None
        )
    sides = [
        "right" if all(map(_is_numeric, column)) else "left" for column in zip(*cells, strict=True)
    ]
    return tabulate(cells, columns, "simple", disable_numparse=True, colalign=sides)


def _is_numeric(text: str) -> bool:
    """Say whether a text is empty or starts like a number, such as a mean with its interval."""
    return not text.strip("- ") or text.lstrip("-+")[0].isdigit()


# ---- values as text ------------------------------------------------------------------------------


def percent(value: float | Row | None) -> str:
    """Format a fraction, or a mean with its interval, in percent; "-" for None."""
    return with_interval(value, lambda x: f"{100 * x:z.1f}")


def bits(value: float | Row | None) -> str:
    """Format bits, or a mean with its interval; "-" for None."""
    return with_interval(value, lambda x: f"{x:z.2f}")


def with_interval(value: float | Row | None, form: Callable[[float], str]) -> str:
    """Format a number by `form`, or a mean with its interval and number of conversations; "-" for None.

    Returns:
        Such as "80.7 [78.0, 83.5] (G=10)".
    """
    if value is None:
        return "-"
    if not isinstance(value, Mapping):
        return form(value)
    return f"{form(value['mean'])} {interval_text(value, form)}"


def interval_text(value: Row, form: Callable[[float], str]) -> str:
    """Format the interval of a mean and its number of conversations, or say why there is no interval."""
    count = value.get("conversations")  # Wilson's interval has questions instead
    if value["low"] is not None:
        ends = f"[{form(value['low'])}, {form(value['high'])}]"
        return ends if count is None else f"{ends} (G={count})"
    if count == 1:
        return "[no interval: one conversation]"
    return f"[no interval: all {count} conversations agree]"


def with_mdd(figures: Row | None, form: Callable[[Any], str], mark: str = "") -> str:
    """Format a difference with its interval and its minimum detectable difference.

    Args:
        figures: {mean, low, high, conversations, mdd} as of `lmem.evaluation.summary.difference`, or None.
        form: `percent` or `bits`.
        mark: Put around the difference, such as "**".

    Returns:
        "26.1 [22.9, 29.2] (G=10), MDD 4.2", or why there is no MDD, or "-".
    """
    if figures is None:
        return "-"
    has_mdd = "mdd" in figures and figures["low"] is not None
    mdd = f", {mdd_text(figures, form, 'MDD ')}" if has_mdd else ""
    return f"{mark}{form(figures)}{mark}{mdd}"


def mdd_text(figures: Row, form: Callable[[Any], str], before: str = "") -> str:
    """Format a minimum detectable difference, or say why there is none."""
    if figures["mdd"] is not None:
        return f"{before}{form(figures['mdd'])}"
    none = f"no {before.strip()}" if before else "none"
    return f"{none}: {'too few conversations' if is_too_few(figures) else 'no interval'}"


def verdict_text(figures: Row) -> str:
    """Say in a sentence what a memory score shows."""
    few = figures["conversations"]
    return {
        "more": "Better than the wrong bank: this is memory.",
        "less": "The wrong bank does better: something is wrong.",
        "not shown": "The difference may be chance: no memory is shown.",
        "too few": f"No verdict: {few} {'conversation is' if few == 1 else 'conversations are'} too few; at least 5 are needed.",
    }[verdict(figures)]


# ---- result files compared -----------------------------------------------------------------------


def result_rows(names: Iterable[str | Path]) -> list[dict[str, Any]]:
    """Summarise each result file in one row.

    Args:
        names: Result files, by path or by the name of a shipped one.

    Returns:
        A dict for each file: name, method, rows, scale, data, n, right and wrong (exact match with both banks), memory
        (figures of `lmem.evaluation.summary.difference`), wrong_bank, bits (gained over no bank). What the stateless method lacks is None.

    Raises:
        InputError: A file is no result of this version's `lmem evaluate`.
    """
    return [_result_row(str(name), _load_evaluated(name)) for name in names]


def _result_row(name: str, result: Row) -> dict[str, Any]:
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
        "memory": memory and {key: memory[key] for key in DIFFERENCE},
        "bits": mean("right", "bits_gained"),
    }


def compare(first: str | Path, second: str | Path) -> dict[str, Any]:
    """Subtract the second result from the first, question by question.

    Args:
        first: Result file, by path or by the name of a shipped one.
        second: The one that is subtracted.

    Returns:
        A dict with these entries:

        - first, second;
        - n, the questions that both have;
        - differences, {measure: figures of `lmem.evaluation.summary.difference`}, with a two-sided p. The measures are em, f1
          and bits with the right bank, and memory, exact match over the wrong bank, where both have the same kind of it.

    Raises:
        InputError: They are not of the same data, or share no question that has an answer.
    """
    minuend, subtrahend = _load_evaluated(first), _load_evaluated(second)
    if minuend.get("data") != subtrahend.get("data"):
        raise InputError(
            f"expected two results on the same data, not on {minuend.get('data')} and {subtrahend.get('data')}"
        )
    digests = {result.get("conversations_sha256") for result in (minuend, subtrahend)} - {None}
    if len(digests) > 1:
        raise InputError(
            f"expected two results on the same conversations, {first} and {second} are not"
        )
    for name, result in ((first, minuend), (second, subtrahend)):
        if "right" not in result["summary"]["conditions"]:
            raise InputError(f"expected a result with the condition right in {name}, it has none")
    second_rows = {row["id"]: row for row in subtrahend["questions"] if row["answerable"]}
    pairs = [
        (row, second_rows[row["id"]])
        for row in minuend["questions"]
        if row["answerable"] and row["id"] in second_rows
    ]
    if not pairs:
        raise InputError(f"expected questions that {first} and {second} both answer, found none")
    rows = [row for row, _ in pairs]

    def differ(value):
        return difference(rows, [value(a) - value(b) for a, b in pairs], two_sided=True)

    differences = {
        measure: differ(lambda row, m=measure: row["right"][m]) for measure in ("em", "f1", "bits")
    }
    wrong = headline(minuend["summary"])[1]
    if wrong and wrong == headline(subtrahend["summary"])[1]:
        differences["memory"] = differ(lambda row: row["right"]["em"] - row[wrong]["em"])
    return {"first": str(first), "second": str(second), "n": len(pairs), "differences": differences}


def _load_evaluated(name: str | Path) -> dict[str, Any]:
    """Load a result of `lmem evaluate`; refuse older ones and other files."""
    result = results.load(name)
    try:
        memory, _ = headline(result["summary"])
        complete = {"scale", "questions"} <= set(result) and (
            memory is None or set(DIFFERENCE) <= set(memory)
        )
    except (KeyError, TypeError):
        complete = False
    if not complete:
        raise InputError(
            f"expected a result of this version's `lmem evaluate` in {name}, it lacks some figures; run `lmem summarise` on it"
        )
    return result


# ---- rows of texts, to be rendered ---------------------------------------------------------------


def result_texts(rows: Iterable[Row]) -> list[dict[str, str]]:
    """Format what `result_rows` returns."""
    return [
        {
            "result": row["name"],
            "method": row["method"],
            "rows": f"{row['rows']} ({row['scale']:g}x)",
            "n": str(row["n"]),
            "right": percent(row["right"]),
            "wrong": percent(row["wrong"]) + (f" {row['wrong_bank']}" if row["memory"] else ""),
            "memory score": percent(row["memory"]),
            "MDD": mdd_text(row["memory"], percent) if row["memory"] else "-",
            "bits": bits(row["bits"]),
        }
        for row in rows
    ]


def comparison_texts(comparison: Row) -> list[dict[str, str]]:
    """Format what `compare` returns; the verdicts are adjusted for their number by Holm's method."""
    shown = verdicts(comparison["differences"])
    forms = {measure: percent for measure in comparison["differences"]} | {"bits": bits}
    return [
        {
            "first - second": measure,
            "difference": forms[measure](figures),
            "p": f"{figures['p']:.4f}",
            "MDD": mdd_text(figures, forms[measure]),
            "verdict": shown[measure],
        }
        for measure, figures in comparison["differences"].items()
    ]


def condition_texts(summary: Row) -> list[dict[str, str]]:
    """Format a summary's conditions, one row each."""
    return [
        {
            "condition": name,
            "EM": percent(figures["em"]),
            "F1": percent(figures["f1"]["mean"]),
            "bits": bits(figures.get("bits_gained", {}).get("mean")),
            "empty": percent(figures["empty"]),
            "repeated": percent(figures["repeated"]),
            "same": percent(figures["identical"]),
        }
        for name, figures in summary["conditions"].items()
    ]


def figure_texts(summary: Row) -> dict[str, str]:
    """Format a summary's other figures: the memory score with its uncertainty, and the paper's figures."""
    memory, wrong = headline(summary)
    texts = {"questions": str(summary["n"]), "conversations": str(summary["conversations"])}
    if memory:
        texts[f"memory score, EM: right - {wrong}"] = percent(memory)
        texts["p, permutation test for positive"] = f"{memory['p']:.4f}"
        texts["smallest detectable difference"] = mdd_text(memory, percent)
        texts["verdict"] = verdict_text(memory)
    if "forgetting" in summary:
        rate = summary["forgetting"]["recall_rate"]
        texts["recall rate, mean of buckets"] = percent(rate["mean_of_buckets"])
        texts["recall rate, mean of questions"] = percent(rate["mean_of_questions"])
    for name in ("adapter_tax", "net_benefit"):
        if name in summary:
            texts[f"{name.replace('_', ' ')}, F1"] = with_mdd(summary[name], percent)
    for name, curve in summary.get("knowledge", {}).items():
        texts[f"knowledge after each session, {name}"] = ", ".join(map(percent, curve["k"]))
    if "with_category_5" in summary:
        conditions = summary["with_category_5"]["conditions"]
        name = f"EM with category 5, {summary['with_category_5']['n']} questions"
        shown = [c for c in ("right", wrong, "baseline") if c in conditions]
        texts[name] = ", ".join(f"{c} {percent(conditions[c]['em']['mean'])}" for c in shown)
    return texts


def novelty_texts(figures: Row) -> list[dict[str, str]]:
    """Format the figures of `by_novelty`, a row for each: percent of the questions with the right bank."""
    return [
        {
            "new": NOVELTY[name],
            "questions": str(found["n"]),
            "right": percent(found["right"]),
            "says unknown": percent(found["unknown"]["mean"]),
        }
        for name, found in figures.items()
    ]


def ability_texts(abilities: Row, wrong: str | None) -> list[dict[str, str]]:
    """Format the figures of `by_ability`, one row for each ability: percent of the questions.

    Args:
        abilities: What `by_ability` returns.
        wrong: The condition to compare with, "twin" or "other"; None for none.
    """
    rows = []
    for name, figures in abilities.items():
        right = figures["conditions"].get("right")
        if right is None:
            continue
        row = {"ability": name, "questions": str(figures["n"])}
        row |= {"right bank": percent(right["right"])}
        row |= {"says unknown": percent(right["unknown"]["mean"])}
        for condition, title in ((wrong, "wrong bank"), ("none", "no bank"), ("oracle", "as text")):
            if condition in figures["conditions"]:
                row[title] = percent(figures["conditions"][condition]["right"]["mean"])
        memory = figures.get("memory", {}).get(wrong)
        row["right - wrong"] = percent(memory) if memory else "-"
        rows.append(row)
    return rows
