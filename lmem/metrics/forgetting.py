"""How a score falls with time: the paper's recall rate, forgetting curves by lag, and knowledge curves by session.

    rho = max(0, F_mem - F_0) / max(1 - F_0, eps)      recall rate: paper, section 4.2; chapter 11
    K_s = mean F1 after sessions 1..s, over the questions whose evidence lies within 1..s

F_mem is the F1 with the bank intact, F_0 the F1 of the same model with its bank forced to zero. Every score lies in [0, 1].
Curves are plain values: floats, ints, and None where nothing can be averaged.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from lmem.errors import InputError
from lmem.metrics.statistics import clustered_bootstrap, mean_or_none, score_array

BUCKETS = ((0, 32), (32, 64), (64, 128), (128, 256), (256, math.inf))  # lag in turns, [low, high)


BUCKET_NAMES = tuple(f"[{low},{high})" for low, high in BUCKETS)


def recall_rate(f_mem: ArrayLike, f_0: ArrayLike, eps: float = 1e-6):
    """The paper's rho, elementwise: of what was left to gain, the share that the bank gained.

    Clipped at 0 before any averaging, so noise alone makes its mean positive; see `signed_gain`.
    """
    f_mem, f_0 = np.asarray(f_mem, float), np.asarray(f_0, float)
    return np.maximum(0.0, f_mem - f_0) / np.maximum(1.0 - f_0, eps)


def clipped_gain(f_mem: ArrayLike, f_0: ArrayLike):
    """max(0, F_mem - F_0), elementwise: the recall rate of the paper's earlier draft, without the denominator."""
    return np.maximum(0.0, signed_gain(f_mem, f_0))


def signed_gain(f_mem: ArrayLike, f_0: ArrayLike):
    """F_mem - F_0, elementwise. Unlike rho it has mean 0 when the bank is only noise."""
    return np.asarray(f_mem, float) - np.asarray(f_0, float)


def bucket_of(lag: int | None) -> int | None:
    """Which of BUCKETS a lag in turns falls into; None without a lag.

    raises  InputError if the lag is negative
    """
    if lag is None:
        return None
    for i, (low, high) in enumerate(BUCKETS):
        if low <= lag < high:
            return i
    raise InputError(f"expected a lag of 0 turns or more, got {lag}")


def forgetting_curve(
    lags: Sequence[int | None], values: ArrayLike, clusters: Sequence | None = None
) -> dict:
    """How a score falls with the number of turns since the evidence.

    lags      (Q,) turns; questions without a lag (None) are counted and lie outside every bucket
    values    (Q,) scores of the questions
    clusters  (Q,) the conversation of each question: then each bucket's interval is given too
    returns   dict with one entry per bucket in `buckets`, `n`, `raw` (plain means) and `fit` (their
              non-increasing isotonic fit, weighted by n), and with clusters `low` and `high` of the raw
              means (`clustered_bootstrap`, 95%); `mean_of_buckets` (of the fit: the paper's "Mean"; an
              empty bucket is left out), `raw_mean_of_buckets`, `mean_of_questions`; `without_lag`, a
              count. Empty, or of one conversation only, means None.
    raises    InputError if the lengths differ or a lag is negative
    """
    values = score_array(values, len(lags))
    where = np.array([-1 if lag is None else bucket_of(lag) for lag in lags], dtype=int)
    n = [int((where == i).sum()) for i in range(len(BUCKETS))]
    full = [i for i in range(len(BUCKETS)) if n[i]]
    raw, fit = [None] * len(BUCKETS), [None] * len(BUCKETS)
    for i in full:
        raw[i] = float(values[where == i].mean())
    fitted = _non_increasing([raw[i] for i in full], [n[i] for i in full])
    for i, value in zip(full, fitted, strict=True):
        fit[i] = float(value)
    return {
        "buckets": list(BUCKET_NAMES),
        "n": n,
        "raw": raw,
        "fit": fit,
        **({} if clusters is None else _ends(values, where, np.asarray(clusters, object))),
        "mean_of_buckets": mean_or_none([fit[i] for i in full]),
        "raw_mean_of_buckets": mean_or_none([raw[i] for i in full]),
        "mean_of_questions": mean_or_none(values[where >= 0]),
        "without_lag": int((where < 0).sum()),
    }


def _ends(values, where, clusters):
    """Ends of each bucket's interval, None where there is none."""
    ends = [
        clustered_bootstrap(values[where == i], clusters[where == i])
        if (where == i).any()
        else (math.nan, math.nan)
        for i in range(len(BUCKETS))
    ]
    low, high = ([None if math.isnan(x) else x for x in side] for side in zip(*ends, strict=True))
    return {"low": low, "high": high}


def _non_increasing(means, weights):
    if not means:
        return []
    from sklearn.isotonic import IsotonicRegression  # takes seconds to import

    fitted = IsotonicRegression(increasing=False)
    return fitted.fit_transform(np.arange(len(means)), means, sample_weight=weights)


def knowledge_curve(scores: ArrayLike, newest: Sequence[int | None]) -> dict:
    """Knowledge after each session: the paper's growing set of questions, and a fixed panel.

    scores   (S, Q) F1 of question q asked after sessions 1..s; NaN where it was not asked
    newest   (Q,) number of the session, from 1, that holds the question's newest evidence; None
             without evidence, and then it never counts
    returns  dict: `k` (S) means over the questions whose evidence lies within 1..s, `n` (S) how
             many, `delta` = K_S - K_1; `panel` (S) means over the questions of K_1 that were asked
             after every session, `panel_n` how many, `panel_delta`: what remains of the gain when
             the questions stay the same. Empty means None.
    raises   InputError if the shapes do not fit
    """
    scores = np.asarray(scores, float)
    if scores.ndim != 2 or scores.shape[1] != len(newest):
        raise InputError(f"expected scores (S, {len(newest)}), got {scores.shape}")
    known = np.array([math.inf if s is None else s for s in newest], float)
    asked = ~np.isnan(scores)
    fixed = asked.all(axis=0) & (known <= 1)  # (Q)
    k, n = [], []
    for s, (row, there) in enumerate(zip(scores, asked, strict=True), 1):
        counted = there & (known <= s)
        k.append(mean_or_none(row[counted]))
        n.append(int(counted.sum()))
    panel = [mean_or_none(row[fixed]) for row in scores]
    return {
        "k": k,
        "n": n,
        "delta": _difference(k),
        "panel": panel,
        "panel_n": int(fixed.sum()),
        "panel_delta": _difference(panel),
    }


def _difference(curve):
    return None if not curve or None in (curve[0], curve[-1]) else curve[-1] - curve[0]
