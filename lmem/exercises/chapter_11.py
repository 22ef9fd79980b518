"""Checks of chapter 11: the lag of a question, the recall rate, the fit that may not rise, knowledge by session."""

import math

import numpy as np

from lmem.exercises.cases import read_checks
from lmem.exercises.exercise import call, exercise, expect, require
from lmem.metrics import forgetting

lag, recall_rate = read_checks("11.1", "11.2")


@exercise("11.3")
def never_rising(answer):
    """(means of the buckets, questions in each) to their non-increasing fit, weighted by questions."""
    yield ([0.5, 0.25], [1, 3]), [0.5, 0.25], "what falls stays as it is"
    # 0.2 (1 question) and 0.6 (3): (0.2 + 1.8) / 4
    yield ([0.2, 0.6], [1, 3]), [0.5, 0.5], "a rise is pooled, weighted by questions"
    hint = "after pooling look back: the pool may now stand above the one before it"
    yield ([0.5, 0.25, 0.25, 0.0, 0.5], [2, 2, 2, 1, 3]), [0.5] + [0.3125] * 4, hint
    rng = np.random.default_rng(0)
    for _ in range(20):  # against scikit-learn, through the package
        means, counts = rng.random(5).tolist(), rng.integers(1, 40, 5).tolist()
        lags = [
            low for (low, _), n in zip(forgetting.BUCKETS, counts, strict=True) for _ in range(n)
        ]
        values = [mean for mean, n in zip(means, counts, strict=True) for _ in range(n)]
        wanted = forgetting.forgetting_curve(lags, values)["fit"]
        shown = f"never_rising({[round(m, 2) for m in means]}, {counts})"
        fit = call(answer, means, counts)
        require(isinstance(fit, list | tuple), f"{shown}: expected a list of five means")
        expect(list(fit), wanted, shown, hint)


@exercise("11.4")
def knowledge(answer):
    """(scores by session and question, None where not asked; session of each question's newest evidence) to (K by session, panel by session)."""
    scores = [[0.5, 0.0, None, None], [0.5, 0.0, 1.0, None], [0.0, 0.0, 1.0, 1.0]]
    newest = [1, 1, 2, 3]
    hint = "K_s is over all questions whose evidence lies within 1..s; the panel is the questions of session 1 at every s"
    yield (scores, newest), ([0.25, 0.5, 0.5], [0.25, 0.25, 0.0]), hint
    # a question that could be asked already, and was: it counts only when its evidence is there
    early = [[1.0, 0.0], [1.0, 0.0]]
    curves = call(answer, early, [1, 2])
    require(
        isinstance(curves, list | tuple) and len(curves) == 2,
        "expected two lists: K, and the panel",
    )
    require(
        math.isclose(curves[0][0], 1.0) and math.isclose(curves[0][1], 0.5),
        f"knowledge({early}, [1, 2]): expected K = [1, 0.5], got {list(curves[0])}",
    )
    expect(list(curves[1]), [1.0, 1.0], "its panel", hint)
