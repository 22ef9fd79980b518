"""Intervals and tests of a mean when the questions of one conversation belong together (chapter 12).

    SE^2 = G / (G - 1) sum_g (sum_{q in g} (v_q - mean))^2 / Q^2      cluster-robust standard error

Questions of one conversation share its bank and are no independent draws; conversations are. Q is the number of
questions, G the number of conversations.
"""

from __future__ import (
    annotations,
)  # so that the reference shows `ArrayLike` and not all that it stands for

import math
from collections.abc import Callable, Sequence
from itertools import product
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmem.errors import InputError


def clustered_bootstrap(
    values: ArrayLike,
    clusters: Sequence,
    statistic: Callable[[np.ndarray], float] = np.mean,
    n: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Compute the percentile interval of a statistic, resampling whole conversations.

    Args:
        values: (Q,) scores.
        clusters: (Q,) the conversation of each question.
        statistic: Function of a (Q',) array; the mean is computed for all n resamples at once.
        n: Number of resamples.
        seed: Seed of the resampling.
        level: Coverage of the interval.

    Returns:
        (low, high); (nan, nan) if there is only one conversation, which says nothing about others.

    Raises:
        InputError: There are no values, or the lengths differ.
    """
    values = score_array(values, len(clusters))
    if not len(values):
        raise InputError("expected at least one value to resample, got none")
    member = _members(clusters)  # (Q)
    groups = member.max() + 1
    if groups == 1:
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    draws = rng.integers(groups, size=(n, groups))  # (n, groups)
    if statistic is np.mean:
        sums, sizes = np.bincount(member, values), np.bincount(member)  # (groups)
        found = sums[draws].sum(1) / sizes[draws].sum(1)  # (n)
    else:
        parts = [values[member == g] for g in range(groups)]
        found = [statistic(np.concatenate([parts[g] for g in draw])) for draw in draws]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def clustered_standard_error(values: ArrayLike, clusters: Sequence) -> float:
    """Compute the standard error of the mean over all questions, clustered by conversation.

    Args:
        values: (Q,) scores.
        clusters: (Q,) the conversation of each question.

    Returns:
        The standard error; nan if there is only one conversation.

    Raises:
        InputError: The lengths differ.
    """
    values, member = score_array(values, len(clusters)), _members(clusters)
    groups = member.max() + 1
    if groups == 1:
        return math.nan
    apart = np.bincount(member, values - values.mean())  # (groups)
    return float(math.sqrt(groups / (groups - 1) * (apart**2).sum()) / len(values))


def minimum_detectable_difference(
    values: ArrayLike, clusters: Sequence, power: float = 0.8, level: float = 0.95
) -> float:
    """Compute how large a true mean must be to be found: `z_.975 + z_.80` standard errors.

    Args:
        values: (Q,) differences of two conditions on the same questions.
        clusters: (Q,) the conversation of each question.
        power: Probability of finding a mean of that size.
        level: Coverage of the interval that must exclude 0.

    Returns:
        The difference; nan with one conversation, and where conversations do not differ at all, because then
        the spread is not known.

    Raises:
        InputError: The lengths differ.
    """
    error = clustered_standard_error(values, clusters)
    if error < 1e-12:
        return math.nan
    z = NormalDist().inv_cdf((1 + level) / 2) + NormalDist().inv_cdf(power)
    return z * error


def permutation_test(
    values: ArrayLike, clusters: Sequence, two_sided: bool = False, n: int = 10_000, seed: int = 0
) -> float:
    """Test whether the mean is positive, by flipping signs.

    If the mean came by chance, the differences of any conversation might have the opposite sign. Signs are flipped
    by whole conversations: all 2^G ways if these are at most `n`, otherwise n random ones.

    Args:
        values: (Q,) differences of two conditions on the same questions.
        clusters: (Q,) the conversation of each question.
        two_sided: Test whether the mean differs from 0 instead.
        n: Number of sign patterns.
        seed: Seed of the random patterns.

    Returns:
        p: the share of all patterns, including the observed one, that are at least as extreme.

    Raises:
        InputError: The lengths differ.
    """
    values = score_array(values, len(clusters))
    sums = np.bincount(_members(clusters), values)  # (G)
    if 2 ** len(sums) <= n:
        signs = np.array(list(product((1, -1), repeat=len(sums))))  # (2^G, G)
    else:
        rng = np.random.default_rng(seed)
        signs = rng.choice((1, -1), size=(n, len(sums)))
        signs[0] = 1  # what was seen is one of the ways
    found, seen = signs @ sums, sums.sum()
    if two_sided:
        found, seen = np.abs(found), abs(seen)
    rounding = 1e-9 * np.abs(sums).sum()
    return float((found >= seen - rounding).mean())


def _members(clusters: Sequence) -> NDArray:
    """Number the conversations: (Q,) ints from 0."""
    return np.unique([str(c) for c in clusters], return_inverse=True)[1]


def wilson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Compute Wilson's interval of a share, for independent questions.

    Args:
        successes: Number of successes.
        n: Number of questions.
        level: Coverage of the interval.

    Returns:
        (low, high), both between 0 and 1.

    Raises:
        InputError: Not 0 <= successes <= n and n > 0.
    """
    if not (n > 0 and 0 <= successes <= n):
        raise InputError(f"expected 0 to n successes out of n > 0, got {successes} of {n}")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / n
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return (0.0 if successes == 0 else low), (1.0 if successes == n else high)


def score_array(values: ArrayLike, length: int) -> NDArray:
    """Return one score per question as a float array, (Q,).

    Raises:
        InputError: There are not `length` values.
    """
    values = np.asarray(values, float)
    if values.shape != (length,):
        raise InputError(f"expected {length} values, one per question, got {values.shape}")
    return values


def mean_or_none(values) -> float | None:
    """Return the mean, or None of nothing."""
    return float(np.mean(values)) if len(values) else None
