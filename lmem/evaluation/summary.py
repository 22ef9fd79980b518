"""Figures of a run, from its rows: one row per question, with its scores under each condition (chapters 11 and 12).

    memory score   right bank minus wrong bank: the twin's where there is one, otherwise another conversation's
    adapter tax    F_base - F_0:   what the adapter costs when its bank is forced to zero        paper, section 4.2
    net benefit    F_mem - F_base: what memory adds to the bare backbone                         paper, section 4.2

Every mean comes with a 95% interval and the number of conversations behind it, every difference also with the p of a permutation
test and the minimum detectable difference (`lmem.metrics.statistics`). Where there is only one conversation, or all of them agree,
there is no interval.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lmem.errors import InputError
from lmem.metrics import answer_scores, forgetting, statistics

MEASURES = ("f1", "em", "bits")
Rows = Sequence[Mapping[str, Any]]
Figures = dict[str, Any]


def summarise(rows: Rows, controls: Sequence[str]) -> Figures:
    """Compute all figures of the questions that have an answer, and apart from them those with LoCoMo's category 5.

    Args:
        rows: One dict per question, as `lmem.evaluation.evaluate.evaluate` makes them.
        controls: The conditions that they have.

    Returns:
        A dict with these entries:

        - conversations and n;
        - `conditions`, see `_conditions`;
        - `in_bank`, n and conditions of the questions whose evidence is still in the bank;
        - `memory`, right minus each wrong bank for both, in exact match and below it in f1 and bits;
        - `forgetting`, by lag: recall rate, clipped gain, signed gain, and f1 and em of each condition;
        - adapter_tax and net_benefit;
        - `with_category_5`, the same with that category's questions; an answer that declines has f1 and em 1 there;
        - `locomo`, its official scores, see `_official`.
    """
    answerable = [row for row in rows if row["answerable"]]
    summary = {
        "conversations": len({row["conversation"] for row in answerable}),
        **_figures(answerable, controls),
    }
    if any(row["category"] == 5 for row in rows):
        with_category_5 = [
            {**row, **{c: _declining_scores(row[c]) for c in controls}}
            if row["category"] == 5
            else row
            for row in rows
            if row["answerable"] or row["category"] == 5
        ]
        summary["with_category_5"] = _figures(with_category_5, controls)
    summary["locomo"] = _official(rows, controls)
    return summary


def resummarise(result: Mapping[str, Any]) -> Figures:
    """Compute the summary of a result again, from the scores of its questions.

    What cannot be computed from them, the knowledge after each session, stays as it is.

    Args:
        result: Of `lmem.evaluation.evaluate.evaluate`.

    Returns:
        The summary; the result is not changed.

    Raises:
        InputError: The result was published without the texts of its answers.
    """
    rows, old = result["questions"], result["summary"]
    controls = [name for name, value in rows[0].items() if isinstance(value, dict)]
    if "answer" not in rows[0][controls[0]]:
        raise InputError("expected a result with its answers, this one was published without them")
    summary = summarise(rows, controls)
    for new, before in (
        (summary, old),
        (summary.get("with_category_5"), old.get("with_category_5", {})),
    ):
        if new is not None and "knowledge" in before:
            new["knowledge"] = before["knowledge"]
    return summary


def headline(summary: Mapping[str, Any]) -> tuple[Figures, str] | tuple[None, None]:
    """Return the memory score of all questions and its wrong bank.

    Returns:
        (figures, "twin" or "other"), or (None, None) without a wrong bank.
    """
    for wrong in ("twin", "other"):
        if f"right-{wrong}, all" in summary["memory"]:
            return summary["memory"][f"right-{wrong}, all"], wrong
    return None, None


def _figures(rows: Rows, controls: Sequence[str]) -> Figures:
    """Compute the figures of a set of questions; see `summarise`."""
    kept = [row for row in rows if row["in_bank"]]
    figures: Figures = {"n": len(rows), "conditions": _conditions(rows, controls)}
    figures["in_bank"] = {"n": len(kept), "conditions": _conditions(kept, controls)}
    figures["memory"] = {
        f"right-{wrong}, {name}": _memory_score(chosen, wrong)
        for wrong in ("twin", "other")
        for name, chosen in (("all", rows), ("in_bank", kept))
        if chosen and {"right", wrong} <= set(controls)
    }
    if rows and {"right", "null_rows"} <= set(controls):
        figures["forgetting"] = _forgetting(rows, controls)
    if rows and {"right", "null_rows", "baseline"} <= set(controls):
        figures["adapter_tax"] = difference(rows, _gains(rows, "f1", "baseline", "null_rows"))
        figures["net_benefit"] = difference(rows, _gains(rows, "f1", "right", "baseline"))
    return figures


def _conditions(rows: Rows, controls: Sequence[str]) -> dict[str, Figures]:
    """Compute the figures of each condition.

    Returns:
        {name: figures}, with the figures

        - f1, em, bits (log2-likelihood of the right answer), bits_gained over "none", locomo (official score);
        - empty, repeated and identical, shares of the answers;
        - `follows`, for the twin: the share of the twin's own answers;
        - `in_text`, for turns as text: the share of questions whose whole evidence is in the text.
    """
    if not rows:
        return {}
    conditions = {}
    for name in controls:
        figures: Figures = {}
        for measure in (*MEASURES, "locomo", "follows", "in_text"):
            measured = [row for row in rows if row[name].get(measure) is not None]
            if measured:
                values = [row[name][measure] for row in measured]
                figures[measure] = interval(measured, values, share=measure != "bits")
        if "none" in controls and "bits" in figures:
            measured = [row for row in rows if row[name]["bits"] is not None]
            figures["bits_gained"] = interval(measured, _gains(measured, "bits", name, "none"))
        answers = [row[name]["answer"] for row in rows]
        most_frequent = Counter(answers).most_common(1)[0][0]
        figures["empty"] = _share(not answer.strip() for answer in answers)
        figures["repeated"] = _share(map(answer_scores.repeats, answers))
        figures["identical"] = _share(answer == most_frequent for answer in answers)
        conditions[name] = figures
    return conditions


def _memory_score(rows: Rows, wrong: str) -> Figures:
    """Compute right minus wrong in exact match, and below it in f1 and bits."""
    score = {"n": len(rows), **difference(rows, _gains(rows, "em", "right", wrong))}
    for measure in ("f1", "bits"):
        measured = [row for row in rows if row["right"][measure] is not None]
        if measured:
            score[measure] = difference(measured, _gains(measured, measure, "right", wrong))
    return score


def _gains(rows: Rows, measure: str, better: str, worse: str) -> list[float]:
    return [row[better][measure] - row[worse][measure] for row in rows]


def _forgetting(rows: Rows, controls: Sequence[str]) -> dict[str, Figures]:
    """Compute curves by lag; questions without one are left out."""
    with_lag = [row for row in rows if row["lag"] is not None]
    lags, clusters = [row["lag"] for row in with_lag], [row["conversation"] for row in with_lag]
    f_mem, f_0 = ([row[name]["f1"] for row in with_lag] for name in ("right", "null_rows"))
    values: dict[str, ArrayLike] = {
        "recall_rate": forgetting.recall_rate(f_mem, f_0),
        "clipped_gain": forgetting.clipped_gain(f_mem, f_0),
        "signed_gain": forgetting.signed_gain(f_mem, f_0),
    }
    for name in controls:
        for measure in ("f1", "em"):
            values[f"{measure} {name}"] = [row[name][measure] for row in with_lag]
    return {
        name: forgetting.forgetting_curve(lags, v, clusters, share=name != "signed_gain")
        for name, v in values.items()
    }


def _official(rows: Rows, controls: Sequence[str]) -> dict[str, dict[str, Figures]]:
    """Average LoCoMo's own scores: {condition: {category, "without_5" or "all": {n, mean, ...}}}; see `interval`."""
    rows = [row for row in rows if row[controls[0]]["locomo"] is not None]
    sets = {str(c): [row for row in rows if row["category"] == c] for c in range(1, 6)}
    sets |= {"without_5": [row for row in rows if row["category"] != 5], "all": rows}

    def score(chosen: Rows, name: str) -> Figures:
        values = [row[name]["locomo"] for row in chosen]
        return {"n": len(chosen), **interval(chosen, values, share=True)}

    return {
        name: {which: score(chosen, name) for which, chosen in sets.items() if chosen}
        for name in controls
    }


def _declining_scores(scores: Mapping[str, Any]) -> Figures:
    """Score a question of category 5 by LoCoMo's rule, as its f1 and em."""
    return {**scores, "f1": scores["locomo"], "em": scores["locomo"], "bits": None}


def interval(rows: Rows, values: ArrayLike, share: bool = False) -> Figures:
    """Compute the mean of a value per question, with its 95% interval over conversations.

    Args:
        rows: (Q) questions; only their "conversation" is used.
        values: (Q,) one value each, or (S, Q) of several seeds.
        share: The values lie between 0 and 1 and are no difference; see `lmem.metrics.statistics.clustered_interval`.

    Returns:
        {mean, low, high, conversations}, rounded; low and high are None without an interval.
    """
    clusters = [row["conversation"] for row in rows]
    low, high = statistics.clustered_interval(values, clusters, share=share)
    return {
        "mean": _rounded(np.mean(np.asarray(values, float))),
        "low": _rounded(low),
        "high": _rounded(high),
        "conversations": len(set(clusters)),
    }


def difference(rows: Rows, values: ArrayLike, two_sided: bool = False) -> Figures:
    """Compute the mean of a difference per question, with interval, test and minimum detectable difference.

    Args:
        rows: (Q) questions; only their "conversation" is used.
        values: (Q,) differences of two conditions, or (S, Q) of several seeds.
        two_sided: Test for "different from 0" instead of "positive".

    Returns:
        {mean, low, high, conversations, p, two_sided, mdd}, rounded; None for what cannot be computed.
    """
    clusters = [row["conversation"] for row in rows]
    mdd = statistics.minimum_detectable_difference(values, clusters, two_sided)
    return {
        **interval(rows, values),
        "p": _rounded(statistics.permutation_test(values, clusters, two_sided)),
        "two_sided": two_sided,
        "mdd": _rounded(mdd),
    }


def verdicts(differences: Mapping[Any, Mapping[str, Any]], level: float = 0.05) -> dict[Any, str]:
    """Say of each difference of a family whether it is shown to be more or less than 0.

    A difference is shown if its interval excludes 0 and its p, adjusted by Holm's method for all that are read together, is at
    most `level`. Where all conversations agree there is no interval, and p decides.

    Args:
        differences: {name: figures of `difference`}, all that are read together.
        level: Of the permutation test.

    Returns:
        {name: verdict}: "more", "less", "not shown", or "too few" where there are so few conversations that no p could reach
        the level.
    """
    more, less = ([_p(each, sign) for each in differences.values()] for sign in (1, -1))
    found = {}
    for (name, each), p_more, p_less in zip(
        differences.items(), statistics.holm(more), statistics.holm(less), strict=True
    ):
        low, high = each["low"], each["high"]
        if is_too_few(each, level):
            found[name] = "too few"
        elif p_more <= level and each["mean"] > 0 and (low is None or low > 0):
            found[name] = "more"
        elif p_less <= level and each["mean"] < 0 and (high is None or high < 0):
            found[name] = "less"
        else:
            found[name] = "not shown"
    return found


def verdict(figures: Mapping[str, Any], level: float = 0.05) -> str:
    """Say whether a single difference is shown to be "more" or "less" than 0; see `verdicts`."""
    return verdicts({"": figures}, level)[""]


def is_too_few(figures: Mapping[str, Any], level: float = 0.05) -> bool:
    """Say whether a difference has so few conversations that no p of its permutation test could reach the level."""
    return statistics.smallest_p(figures["conversations"], figures["two_sided"]) > level


def _p(figures: Mapping[str, Any], sign: int) -> float:
    """Return the p of a difference for the mean's being positive or negative; a two-sided p serves both."""
    if figures["two_sided"] or sign > 0:
        return figures["p"]
    return min(1.0, 1 - figures["p"] + statistics.smallest_p(figures["conversations"]))


def _share(hits: Iterable[bool]) -> float | None:
    return _rounded(np.mean([bool(hit) for hit in hits]))


def _rounded(value: float | np.floating) -> float | None:
    return None if math.isnan(value) else round(float(value), 4) + 0.0  # no -0.0
