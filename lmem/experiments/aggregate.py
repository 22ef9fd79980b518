"""Result files that differ in their seed only, averaged question by question (chapters 13 and 14).

    v_sq = better_sq - worse_sq of seed s and question q;   the figure is the mean of v_sq

Its interval takes seeds and conversations as crossed factors, so it is widened by both (`lmem.metrics.statistics`).

Two such groups are compared over the seeds and the questions that both have, so that what is left is what was changed.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.summary import difference, headline, interval

_NAME = re.compile(r"(?P<method>[^-]+)-(?P<scale>[0-9.e+]+)x(?:-(?P<options>.+))?-s(?P<seed>\d+)")

Result = Mapping[str, Any]


class Group(NamedTuple):
    """What the files of a group share: method, options as text, scale."""

    method: str
    options: str
    scale: float

    @property
    def name(self) -> str:
        """The files' name without the seed: "m3-10x-gamma=0.99"."""
        options = f"-{self.options}" if self.options else ""
        return f"{self.method}-{self.scale:g}x{options}"


def group_by_seed(names: Iterable[str | Path]) -> dict[Group, dict[int, str | Path]]:
    """Group the result files of a sweep or a ladder by their names; other names are left out.

    Args:
        names: Result files, by path or by the name of shipped ones.

    Returns:
        {Group: {seed: name}}, sorted by method, options and scale.
    """
    groups: dict[Group, dict[int, str | Path]] = {}
    for name in names:
        if match := _NAME.fullmatch(results.stem(name)):
            group = Group(match["method"], match["options"] or "", float(match["scale"]))
            groups.setdefault(group, {})[int(match["seed"])] = name
    return {group: dict(sorted(groups[group].items())) for group in sorted(groups)}


def question_scores(
    seeds: Sequence[Result],
    measure: str = "em",
    better: str = "right",
    worse: str | None = None,
    keep: Callable[[Result], bool] = lambda row: True,
) -> tuple[list[Result], NDArray]:
    """Collect a score of each seed and question.

    Args:
        seeds: Results on the same questions.
        measure: "em", "f1" or "bits".
        better: A condition.
        worse: The condition that is subtracted, if any.
        keep: Which of the questions count.

    Returns:
        (Q) questions that have an answer and count, and their (S, Q) scores.

    Raises:
        InputError: The seeds were not asked the same questions.
    """
    by_id = [{row["id"]: row for row in seed["questions"] if row["answerable"]} for seed in seeds]
    if any(rows.keys() != by_id[0].keys() for rows in by_id):
        raise InputError("expected the same questions for all seeds, they differ")
    rows = [row for row in by_id[0].values() if keep(row)]
    values = [
        [
            seed[row["id"]][better][measure] - (seed[row["id"]][worse][measure] if worse else 0)
            for row in rows
        ]
        for seed in by_id
    ]
    return rows, np.array(values, float)


def mean_gain(
    seeds: Sequence[Result],
    keep: Callable[[Result], bool] = lambda row: True,
    better: str = "right",
    worse: str | None = "twin",
    measure: str = "em",
) -> dict[str, Any] | None:
    """Compute the gain of one condition over another, with its interval; see `question_scores`.

    Returns:
        Figures of `lmem.evaluation.summary.difference`, or of `interval` if nothing is subtracted; n questions, and the
        number of seeds. None if no question counts.
    """
    rows, values = question_scores(seeds, measure, better, worse, keep)
    if not rows:
        return None
    figures = difference(rows, values) if worse else interval(rows, values, share=measure != "bits")
    return figures | {"n": len(rows), "seeds": len(seeds)}


def gather(names: Iterable[str | Path]) -> list[dict[str, Any]]:
    """Summarise the files of a sweep, one line for all that differ in the seed only.

    Args:
        names: Result files of a sweep, by path or by the name of shipped ones.

    Returns:
        A list of dicts with these entries; what cannot be computed is None:

        - cell (the name without its seed), method, rows, scale, options, seeds, n;
        - right and wrong, exact match with both banks, and wrong_bank;
        - memory and bits, right minus wrong (figures of a difference), and bits_gained over no bank;
        - tax and benefit in F1;
        - empty, the share of empty answers with the right bank;
        - agreement, the share of questions with the same answer from the wrong bank;
        - spread, the lowest and the highest memory score of a seed.

    Raises:
        InputError: The seeds of a cell were not asked the same questions.
    """
    groups = group_by_seed(names).items()
    return [summarise_seeds(group.name, load_seeds(files)) for group, files in groups]


def load_seeds(files: Mapping[int, str | Path]) -> dict[int, Result]:
    """Load the result files of one group: {seed: result}."""
    return {seed: results.load(name) for seed, name in files.items()}


def summarise_seeds(cell: str, by_seed: Mapping[int, Result]) -> dict[str, Any]:
    """Summarise the results of one cell, {seed: result}; see `gather`."""
    seeds = list(by_seed.values())
    first = seeds[0]
    wrong = headline(first["summary"])[1]
    conditions = set(first["summary"]["conditions"])

    def gain(measure: str, better: str, worse: str | None) -> dict[str, Any] | None:
        if not {better, worse} <= conditions:
            return None
        return difference(*question_scores(seeds, measure, better, worse))

    line = {
        "cell": cell,
        "method": first["method"],
        "rows": first["rows"],
        "scale": first["scale"],
        "options": first["options"],
        "seeds": sorted(by_seed),
        "n": sum(row["answerable"] for row in first["questions"]),
        "wrong_bank": wrong,
        "memory": gain("em", "right", wrong),
        "bits": gain("bits", "right", wrong),
        "bits_gained": gain("bits", "right", "none"),
        "tax": gain("f1", "baseline", "null_rows"),
        "benefit": gain("f1", "right", "baseline"),
    }
    with_bank = dict.fromkeys(("right", "wrong", "empty", "agreement", "spread"))
    if wrong is not None:
        answers = [_answers(seed, "right", wrong) for seed in seeds]
        scores = [headline(seed["summary"])[0] or {} for seed in seeds]
        with_bank = {
            "right": float(question_scores(seeds, better="right")[1].mean()),
            "wrong": float(question_scores(seeds, better=wrong)[1].mean()),
            "empty": _mean(_mean(not right.strip() for right, _ in pairs) for pairs in answers),
            "agreement": _mean(_mean(right == twin for right, twin in pairs) for pairs in answers),
            "spread": [choose(score["mean"] for score in scores) for choose in (min, max)],
        }
    return line | with_bank


def compare_cells(
    before: Mapping[int, Result | str | Path], after: Mapping[int, Result | str | Path]
) -> dict[str, Any]:
    """Subtract one cell from another, question by question, over the seeds that both have.

    Args:
        before: {seed: result or its file} of the cell that is subtracted.
        after: The same of the other cell.

    Returns:
        A dict: seeds, n; memory and bits of right minus wrong bank, gained: bits over no bank, each the figures of a difference with a
        two-sided p; empty: the shares of empty answers with the right bank, before and after.

    Raises:
        InputError: They share no seed, were asked different questions, have different kinds of wrong bank, or lack one.
    """
    shared = sorted(set(before) & set(after))
    if not shared:
        raise InputError(
            f"expected two cells with a seed in common, found {sorted(before)} and {sorted(after)}"
        )
    old, new = ([_loaded(cell[seed]) for seed in shared] for cell in (before, after))
    kinds = {headline(result["summary"])[1] for result in (*old, *new)}
    if len(kinds) != 1 or kinds == {None}:
        raise InputError(f"expected one kind of wrong bank in all files, found {kinds}")
    [wrong] = kinds
    if not all("none" in result["summary"]["conditions"] for result in (*old, *new)):
        raise InputError(
            "expected files with the condition none, no bank, to count bits gained over it"
        )

    def change(measure: str, worse: str | None) -> dict[str, Any]:
        rows, old_values = question_scores(old, measure, "right", worse)
        new_rows, new_values = question_scores(new, measure, "right", worse)
        if [row["id"] for row in rows] != [row["id"] for row in new_rows]:
            raise InputError("expected two cells that were asked the same questions")
        return difference(rows, new_values - old_values, two_sided=True)

    old_empty, new_empty = (
        _mean(_mean(not right.strip() for right, _ in _answers(r, "right", "right")) for r in side)
        for side in (old, new)
    )
    return {
        "seeds": shared,
        "n": len(question_scores(old)[0]),
        "memory": change("em", wrong),
        "bits": change("bits", wrong),
        "gained": change("bits", "none"),
        "empty": (old_empty, new_empty),
    }


def _loaded(result: Result | str | Path) -> Result:
    return results.load(result) if isinstance(result, str | Path) else result


def _answers(result: Result, *conditions: str) -> list[tuple[str, ...]]:
    """Return the answers under some conditions, for each question that has an answer."""
    rows = (row for row in result["questions"] if row["answerable"])
    return [tuple(row[condition]["answer"] for condition in conditions) for row in rows]


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
