"""How a score falls with time: the paper's recall rate, forgetting curves by lag, and knowledge curves by session.

    rho = max(0, F_mem - F_0) / max(1 - F_0, eps)      recall rate: paper, section 4.2; chapter 11
    K_s = mean F1 after sessions 1..s, over the questions whose evidence is in sessions 1..s

F_mem is the F1 with the bank intact, F_0 the F1 of the same model with its bank forced to zero. Every score is
between 0 and 1. Curves are plain values: floats, ints, and None where nothing can be averaged. Q is the number of
questions, S the number of sessions.
"""

# so that the reference shows `ArrayLike` and not all that it stands for
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from lmem.errors import InputError
from lmem.metrics.statistics import clustered_interval, mean_or_none, score_array

BUCKETS = ((0, 32), (32, 64), (64, 128), (128, 256), (256, math.inf))  # lag in turns, [low, high)
BUCKET_NAMES = tuple(f"[{low},{high})" for low, high in BUCKETS)


def recall_rate(f_mem: ArrayLike, f_0: ArrayLike, eps: float = 1e-6) -> NDArray:
    """Compute the paper's rho, elementwise: the share of what was left to gain that the bank gained.

    It is clipped at 0 before any averaging, so noise alone makes its mean positive; see `signed_gain`.

    Args:
        f_mem: (Q,) F1 with the bank intact.
        f_0: (Q,) F1 with the bank forced to zero.
        eps: The least denominator.

    Returns:
        (Q,) recall rates.
    """
    f_mem, f_0 = np.asarray(f_mem, float), np.asarray(f_0, float)
    return np.maximum(0.0, f_mem - f_0) / np.maximum(1.0 - f_0, eps)


def clipped_gain(f_mem: ArrayLike, f_0: ArrayLike) -> NDArray:
    """Compute max(0, F_mem - F_0), elementwise: the recall rate of the paper's earlier draft."""
    return np.maximum(0.0, signed_gain(f_mem, f_0))


def signed_gain(f_mem: ArrayLike, f_0: ArrayLike) -> NDArray:
    """Compute F_mem - F_0, elementwise. Unlike rho it has mean 0 when the bank is only noise."""
    return np.asarray(f_mem, float) - np.asarray(f_0, float)


def bucket_of(lag: int | None) -> int | None:
    """Return the number of the bucket of a lag in turns; None without a lag.

    Raises:
        InputError: The lag is negative.
    """
    if lag is None:
        return None
    for i, (low, high) in enumerate(BUCKETS):
        if low <= lag < high:
            return i
    raise InputError(f"expected a lag of 0 turns or more, got {lag}")


def forgetting_curve(
    lags: Sequence[int | None],
    values: ArrayLike,
    clusters: Sequence | None = None,
    share: bool = False,
) -> dict[str, Any]:
    """Compute how a score falls with the number of turns since the evidence.

    Args:
        lags: (Q,) turns; questions without a lag (None) are counted and belong to no bucket.
        values: (Q,) scores of the questions.
        clusters: (Q,) the conversation of each question; if given, each bucket has an interval.
        share: The scores lie between 0 and 1; see `lmem.metrics.statistics.clustered_interval`.

    Returns:
        A dict with these entries:

        - `buckets`, `n`, `raw` (plain means) and `fit` (their non-increasing isotonic fit, weighted by n), one value per bucket;
        - with clusters also `low` and `high`, the 95% interval of the raw means, and `conversations`, how many;
        - `mean_of_buckets` (of the fit, the paper's "Mean"; an empty bucket is left out) and `raw_mean_of_buckets`;
        - `mean_of_questions`, and `without_lag`, a count.

        None means that a bucket is empty, or for intervals that there is one conversation only, or all of them agree.

    Raises:
        InputError: The lengths differ or a lag is negative.
    """
    scores = score_array(values, len(lags))
    buckets = [bucket_of(lag) for lag in lags]
    members = [np.array([bucket == i for bucket in buckets], bool) for i in range(len(BUCKETS))]
    n = [int(member.sum()) for member in members]
    raw = [mean_or_none(scores[member]) for member in members]
    full = [i for i in range(len(BUCKETS)) if n[i]]
    fit: list[float | None] = [None] * len(BUCKETS)
    if full:
        means, weights = (np.array([part[i] for i in full], float) for part in (raw, n))
        fitted = isotonic_regression(means, weights=weights, increasing=False).x
        for i, value in zip(full, fitted, strict=True):
            fit[i] = float(value)
    return {
        "buckets": list(BUCKET_NAMES),
        "n": n,
        "raw": raw,
        "fit": fit,
        **({} if clusters is None else _intervals(scores, members, clusters, share)),
        "mean_of_buckets": mean_or_none([fit[i] for i in full]),
        "raw_mean_of_buckets": mean_or_none([raw[i] for i in full]),
        "mean_of_questions": mean_or_none(scores[[bucket is not None for bucket in buckets]]),
        "without_lag": buckets.count(None),
    }


def _intervals(
    scores: NDArray, members: list[NDArray], clusters: Sequence, share: bool
) -> dict[str, list]:
    """Return the ends of each bucket's interval, None where there is none, and its number of conversations."""
    conversations = np.asarray(clusters, object)
    ends = [
        clustered_interval(scores[member], list(conversations[member]), share=share)
        if member.any()
        else (math.nan, math.nan)
        for member in members
    ]
    low, high = ([None if math.isnan(x) else x for x in side] for side in zip(*ends, strict=True))
    return {
        "low": low,
        "high": high,
        "conversations": [len(set(conversations[member])) for member in members],
    }


def knowledge_curve(scores: ArrayLike, newest: Sequence[int | None]) -> dict[str, Any]:
    """Compute the knowledge after each session: of the paper's growing set of questions, and of a fixed panel.

    Args:
        scores: (S, Q) F1 of question q asked after sessions 1..s; NaN where it was not asked.
        newest: (Q,) number of the session, from 1, with the question's newest evidence; None without
            evidence, and then the question never counts.

    Returns:
        A dict: `k` (S) means over the questions whose evidence is in 1..s, `n` (S) how many,
        `delta` = K_S - K_1; `panel` (S) means over the questions of K_1 that were asked after every session,
        `panel_n` how many, `panel_delta`, the gain that is left when the questions stay the same. None means
        that nothing can be averaged.

    Raises:
        InputError: The shapes do not fit.
    """
    table = np.asarray(scores, float)
    if table.ndim != 2 or table.shape[1] != len(newest):
        raise InputError(f"expected scores (S, {len(newest)}), got {table.shape}")
    known = np.array([math.inf if s is None else s for s in newest], float)
    was_asked = ~np.isnan(table)
    fixed = was_asked.all(axis=0) & (known <= 1)  # (Q)
    k, n = [], []
    for s, row in enumerate(table, 1):
        counted = was_asked[s - 1] & (known <= s)
        k.append(mean_or_none(row[counted]))
        n.append(int(counted.sum()))
    panel = [mean_or_none(row[fixed]) for row in table]
    return {
        "k": k,
        "n": n,
        "delta": _last_minus_first(k),
        "panel": panel,
        "panel_n": int(fixed.sum()),
        "panel_delta": _last_minus_first(panel),
    }


def _last_minus_first(curve: list[float | None]) -> float | None:
    if not curve or curve[0] is None or curve[-1] is None:
        return None
    return curve[-1] - curve[0]
