"""Figures of a run, from its rows: one row per question, with its scores under each condition (chapters 11 and 12).

    memory score   right bank minus wrong bank: the twin's where there is one, else another conversation's
    adapter tax    F_base - F_0:   what the adapter costs when its bank is forced to zero        paper, section 4.2
    net benefit    F_mem - F_base: what memory adds to the bare backbone                         paper, section 4.2

Every mean comes with a 95% interval (bootstrap over conversations), every difference also with the p of a permutation test for
"positive" and the smallest difference that could have been found. Where there is one conversation only, these are None.
"""

import math
from collections import Counter

import numpy as np

from lmem.metrics import answer_scores, forgetting, statistics

MEASURES = ("f1", "em", "bits")


def summarise(rows, controls):
    """All figures of the questions that have an answer; apart from them, of all with LoCoMo's rule for those that have none.

    rows     from `lmem.evaluation.evaluate`; controls  the conditions they hold
    returns  dict: conversations, what `_figures` gives, `with_category_5` (the same with that category's questions, whose
             f1 and em are then 1 if the answer declines), `locomo` (its official scores, see `_official`)
    """
    answered = [row for row in rows if row["answerable"]]
    found = {
        "conversations": len({row["conversation"] for row in answered}),
        **_figures(answered, controls),
    }
    declining = [row for row in rows if row["category"] == 5]
    if declining:
        declining = [
            {**row, **{c: _declined(row[c]) for c in controls}} if row["category"] == 5 else row
            for row in rows
            if row["answerable"] or row["category"] == 5
        ]
        found["with_category_5"] = _figures(declining, controls)
    found["locomo"] = _official(rows, controls)
    return found


def headline(summary):
    """The memory score of all questions and its wrong bank: (figures, "twin" or "other"), or (None, None)."""
    for wrong in ("twin", "other"):
        if f"right-{wrong}, all" in summary["memory"]:
            return summary["memory"][f"right-{wrong}, all"], wrong
    return None, None


def _figures(rows, controls):
    """What a set of questions says.

    returns  dict: n; `conditions`, see `_conditions`; `in_bank`, n and conditions of the questions whose evidence is still in
             the bank; `memory`, right minus each wrong bank for both, in exact match and below it in f1 and bits;
             `forgetting`, curves by lag: the paper's recall rate, its draft's clipped gain, the signed gain, f1 and em of each
             condition; adapter_tax and net_benefit
    """
    kept = [row for row in rows if row["in_bank"]]
    found = {"n": len(rows), "conditions": _conditions(rows, controls)}
    found["in_bank"] = {"n": len(kept), "conditions": _conditions(kept, controls)}
    found["memory"] = {
        f"right-{wrong}, {name}": _memory(chosen, wrong)
        for wrong in ("twin", "other")
        for name, chosen in (("all", rows), ("in_bank", kept))
        if chosen and {"right", wrong} <= set(controls)
    }
    if rows and {"right", "null_rows"} <= set(controls):
        found["forgetting"] = _forgetting(rows, controls)
    if rows and {"right", "null_rows", "baseline"} <= set(controls):
        found["adapter_tax"] = difference(rows, _gains(rows, "f1", "baseline", "null_rows"))
        found["net_benefit"] = difference(rows, _gains(rows, "f1", "right", "baseline"))
    return found


def _conditions(rows, controls):
    """{name: figures}: f1, em, bits (log2-likelihood of the right answer), bits_gained over "none", locomo (official score); the
    shares of empty, repeated and identical answers; for the twin `follows`, the rate of giving the twin's own answer; for turns
    as text `in_text`, how often all of the evidence stands there."""
    found = {}
    for name in controls if rows else ():
        scored = [row[name] for row in rows]
        figures = {}
        for measure in (*MEASURES, "locomo", "follows", "in_text"):
            some = [
                (row, s[measure])
                for row, s in zip(rows, scored, strict=True)
                if s.get(measure) is not None
            ]
            if some:
                figures[measure] = interval(*zip(*some, strict=True))
        if "none" in controls and "bits" in figures:
            with_bits = [row for row in rows if row[name]["bits"] is not None]
            figures["bits_gained"] = interval(with_bits, _gains(with_bits, "bits", name, "none"))
        answers = [s["answer"] for s in scored]
        figures["empty"] = _share(not answer.strip() for answer in answers)
        figures["repeated"] = _share(map(answer_scores.repeats, answers))
        most = Counter(answers).most_common(1)[0][0]
        figures["identical"] = _share(answer == most for answer in answers)
        found[name] = figures
    return found


def _memory(rows, wrong):
    """Right minus wrong, of exact match; beside it of f1 and bits."""
    found = {"n": len(rows), **difference(rows, _gains(rows, "em", "right", wrong))}
    for measure in ("f1", "bits"):
        some = [row for row in rows if row["right"][measure] is not None]
        if some:
            found[measure] = difference(some, _gains(some, measure, "right", wrong))
    return found


def _gains(rows, measure, condition, other):
    return [row[condition][measure] - row[other][measure] for row in rows]


def _forgetting(rows, controls):
    """Curves by lag; questions without one are left out."""
    rows = [row for row in rows if row["lag"] is not None]
    lags, clusters = [row["lag"] for row in rows], [row["conversation"] for row in rows]
    f_mem, f_0 = ([row[name]["f1"] for row in rows] for name in ("right", "null_rows"))
    values = {
        "recall_rate": forgetting.recall_rate(f_mem, f_0),
        "clipped_gain": forgetting.clipped_gain(f_mem, f_0),
        "signed_gain": forgetting.signed_gain(f_mem, f_0),
    }
    for name in controls:
        for measure in ("f1", "em"):
            values[f"{measure} {name}"] = [row[name][measure] for row in rows]
    return {name: forgetting.forgetting_curve(lags, v, clusters) for name, v in values.items()}


def _official(rows, controls):
    """{condition: {category: {n, mean}, "without_5", "all"}} by LoCoMo's own scorer."""
    rows = [row for row in rows if row[controls[0]]["locomo"] is not None]
    sets = {str(c): [row for row in rows if row["category"] == c] for c in range(1, 6)}
    sets |= {"without_5": [row for row in rows if row["category"] != 5], "all": rows}
    return {
        name: {
            which: {"n": len(chosen), **interval(chosen, [row[name]["locomo"] for row in chosen])}
            for which, chosen in sets.items()
            if chosen
        }
        for name in controls
    }


def _declined(scored):
    """A question of category 5 by LoCoMo's rule, which is its f1 and em."""
    return {**scored, "f1": scored["locomo"], "em": scored["locomo"], "bits": None}


def interval(rows, values):
    """Mean of a value per question, and its 95% interval over conversations: {mean, low, high}."""
    ends = statistics.clustered_bootstrap(values, [row["conversation"] for row in rows])
    return {"mean": _plain(np.mean(values)), "low": _plain(ends[0]), "high": _plain(ends[1])}


def difference(rows, values, two_sided=False):
    """The interval of a difference per question, with p and the minimum detectable difference: {mean, low, high, p, mdd}."""
    clusters = [row["conversation"] for row in rows]
    return {
        **interval(rows, values),
        "p": _plain(statistics.permutation_test(values, clusters, two_sided)),
        "mdd": _plain(statistics.minimum_detectable_difference(values, clusters)),
    }


def _share(hits):
    return _plain(np.mean([bool(hit) for hit in hits]))


def _plain(value):
    return None if math.isnan(value) else round(float(value), 4) + 0.0  # no -0.0
