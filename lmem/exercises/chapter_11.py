"""Checks of chapter 11: the lag of a question, the recall rate, the fit that may not rise, knowledge by session."""

from typing import Any

import numpy as np
import torch

from lmem.exercises.cases import read_checks
from lmem.exercises.exercise import call, exercise, expect, require
from lmem.exercises.words import kind
from lmem.metrics import forgetting

lag, recall_rate = read_checks("11.1", "11.2")


@exercise("11.3")
def never_rising(answer):
    """(means of the buckets, questions in each) to their non-increasing fit, weighted by questions: a list, array or tensor."""
    look_back = "after pooling look back: the pool may now be higher than the one before it"
    cases = [
        ([0.5, 0.25], [1, 3], [0.5, 0.25], "what falls stays as it is"),
        # 0.2 (1 question) and 0.6 (3): (0.2 + 1.8) / 4
        ([0.2, 0.6], [1, 3], [0.5, 0.5], "a rise is pooled, weighted by questions"),
        ([0.5, 0.25, 0.25, 0.0, 0.5], [2, 2, 2, 1, 3], [0.5] + [0.3125] * 4, look_back),
    ]
    rng = np.random.default_rng(0)
    for _ in range(20):  # against SciPy, through the package
        means, counts = rng.random(5).tolist(), rng.integers(1, 40, 5).tolist()
        lags = [
            low for (low, _), n in zip(forgetting.BUCKETS, counts, strict=True) for _ in range(n)
        ]
        values = [mean for mean, n in zip(means, counts, strict=True) for _ in range(n)]
        wanted = forgetting.forgetting_curve(lags, values)["fit"]
        cases.append((means, counts, wanted, look_back))
    for means, counts, wanted, hint in cases:
        shown = f"never_rising({[round(m, 2) for m in means]}, {counts})"
        fit = plain(call(answer, means, counts))
        require(isinstance(fit, list | tuple), f"{shown}: expected {len(means)} means in a list")
        expect(list(fit), wanted, shown, hint)


@exercise("11.4")
def knowledge(answer):
    """(scores by session and question, None where not asked; session of each question's newest evidence) to (K by session, panel by session)."""
    scores = [[0.5, 0.0, None, None], [0.5, 0.0, 1.0, None], [0.0, 0.0, 1.0, 1.0]]
    hint = "K_s is over all questions whose evidence is in sessions 1..s; the panel is the questions of session 1 at every s"
    # the last question could be asked already, and was: it counts only when its evidence is there
    early = [[1.0, 0.0], [1.0, 0.0]]
    cases = [
        (scores, [1, 1, 2, 3], [0.25, 0.5, 0.5], [0.25, 0.25, 0.0]),
        (early, [1, 2], [1.0, 0.5], [1.0, 1.0]),
    ]
    for scores, newest, k, panel in cases:
        shown = f"knowledge({scores}, {newest})"
        curves = plain(call(answer, scores, newest, hint=hint))
        require(
            isinstance(curves, list | tuple),
            f"{shown}: expected two lists, K and the panel, got {kind(curves)}",
        )
        require(
            len(curves) == 2, f"{shown}: expected 2 elements, K and the panel, got {len(curves)}"
        )
        for name, curve, wanted in zip(("K", "the panel"), curves, (k, panel), strict=True):
            require(
                isinstance(curve, list | tuple),
                f"{shown}: expected {name} as a list with one number for each session, got {kind(curve)}",
            )
            expect(list(curve), wanted, f"{shown}, {name}", hint)


def plain(value: Any) -> Any:
    """Return arrays and tensors as lists, also inside a list or tuple."""
    if isinstance(value, np.ndarray | np.generic | torch.Tensor):
        return value.tolist()
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value
