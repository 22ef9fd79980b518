"""What more rows, or rows of another length, change: cells of a sweep, side by side, question by question (chapter 13).

A cell is a method with its options at a scale; its files differ in the seed alone. Two cells are compared over the seeds and the
questions that both have, so that what is left is what was changed.
"""

import re
from pathlib import Path

import numpy as np

from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.summary import difference, headline

NAME = re.compile(r"(?P<method>[^-]+)-(?P<scale>[0-9.e+]+)x(?:-(?P<options>.+))?-s(?P<seed>\d+)")


def cells(names):
    """The result files of a sweep, by what they are of; other names are left out.

    names    result files, by path or by the name of shipped ones
    returns  {(method, options as text, scale): {seed: name}}, of growing scale
    """
    found = {}
    for name in names:
        last = Path(str(name)).name
        for suffix in sorted(results.SUFFIXES, key=len, reverse=True):
            last = last.removesuffix(suffix)
        if match := NAME.fullmatch(last):
            key = match["method"], match["options"] or "", float(match["scale"])
            found.setdefault(key, {})[int(match["seed"])] = name
    return dict(sorted(found.items()))


def change(first, second):
    """The second cell minus the first, question by question, each question's mean over the seeds that both have.

    first, second  {seed: name}, as `cells` gives them
    returns        {seeds, n, memory, bits: of right minus wrong bank, gained: bits over no bank, each {mean, low, high, p, mdd},
                   p two-sided; empty: the shares of empty answers with the right bank, before and after}
    raises         InputError if they share no seed, were asked different questions or of another kind of wrong bank, or have none
    """
    seeds = sorted(set(first) & set(second))
    if not seeds:
        raise InputError(
            f"expected two cells with a seed in common, found {sorted(first)} and {sorted(second)}"
        )
    before, after = ([results.load(cell[seed]) for seed in seeds] for cell in (first, second))
    kinds = {headline(one["summary"])[1] for one in (*before, *after)}
    if len(kinds) != 1 or kinds == {None}:
        raise InputError(f"expected one kind of wrong bank in all files, found {kinds}")
    [wrong] = kinds
    if not all("none" in one["summary"]["conditions"] for one in (*before, *after)):
        raise InputError(
            "expected files with the condition none, no bank, to count bits gained over it"
        )
    old, new = _answered(before), _answered(after)
    if [row["id"] for row in old[0]] != [row["id"] for row in new[0]]:
        raise InputError("expected two cells that were asked the same questions")

    def moved(measure, worse):
        return _gain(new, measure, worse) - _gain(old, measure, worse)

    asked = {
        "memory": moved("em", wrong),
        "bits": moved("bits", wrong),
        "gained": moved("bits", "none"),
    }
    found = {name: difference(old[0], values, two_sided=True) for name, values in asked.items()}
    empty = tuple(float(np.mean([_empty(rows) for rows in side])) for side in (old, new))
    return {"seeds": seeds, "n": len(old[0]), **found, "empty": empty}


def agreement(cell):
    """How often the right bank and the wrong one lead to the very same answer: a share of the questions, mean over the seeds."""
    found = [results.load(name) for name in cell.values()]
    wrong = headline(found[0]["summary"])[1]
    if wrong is None:
        raise InputError("expected files with a wrong bank, these have none")
    return float(
        np.mean(
            [
                np.mean([row["right"]["answer"] == row[wrong]["answer"] for row in rows])
                for rows in _answered(found)
            ]
        )
    )


def _answered(loaded):
    """Of each file the questions that have an answer."""
    return [[row for row in one["questions"] if row["answerable"]] for one in loaded]


def _gain(seeds, measure, worse):
    """(Q,) right minus another condition, mean over the seeds."""
    return np.mean(
        [[row["right"][measure] - row[worse][measure] for row in rows] for rows in seeds], axis=0
    )


def _empty(rows):
    return np.mean([not row["right"]["answer"].strip() for row in rows])
