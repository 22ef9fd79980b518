"""Intervals and tests of a mean when the questions of one conversation belong together (chapter 12)."""

import math
from collections.abc import Callable, Sequence
from itertools import product
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from lmem.errors import InputError


def clustered_bootstrap(
    values: ArrayLike,
    clusters: Sequence,
    statistic: Callable[[np.ndarray], float] = np.mean,
    n: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of a statistic, resampling whole conversations.

    Questions of one conversation share its bank and are no independent draws; conversations are.

    values     (Q,) scores
    clusters   (Q,) the conversation of each question
    statistic  of a (Q',) array; the mean is computed for all n resamples at once
    returns    (low, high); (nan, nan) if there is only one conversation: it says nothing of others
    raises     InputError if there are no values or the lengths differ
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
    """Of the mean over all questions, when questions of one conversation go together.

        SE^2 = G / (G - 1) sum_g (sum_{q in g} (v_q - mean))^2 / Q^2

    values    (Q,); clusters  (Q,) the conversation of each question, G of them
    returns   nan if there is only one
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
    """How large a true mean must be to be found at this level with this power: (z_.975 + z_.80) standard errors.

    values   (Q,) differences of two conditions on the same questions
    returns  nan with one conversation, and where conversations do not differ at all: no spread was seen, so none is known
    """
    error = clustered_standard_error(values, clusters)
    if error < 1e-12:
        return math.nan
    z = NormalDist().inv_cdf((1 + level) / 2) + NormalDist().inv_cdf(power)
    return z * error


def permutation_test(
    values: ArrayLike, clusters: Sequence, two_sided: bool = False, n: int = 10_000, seed: int = 0
) -> float:
    """Is the mean positive? If it came by chance, any conversation's differences might have the other sign.

    Signs are flipped by whole conversations: all 2^G ways if these are at most `n`, else n random ones.

    values     (Q,) differences of two conditions on the same questions
    two_sided  is it different from 0?
    returns    p: the share of all ways, the seen one among them, that lie as far out as the seen one
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


def _members(clusters):
    return np.unique([str(c) for c in clusters], return_inverse=True)[1]


def wilson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share, for independent questions.

    raises  InputError unless 0 <= successes <= n and n > 0
    """
    if not (n > 0 and 0 <= successes <= n):
        raise InputError(f"expected 0 to n successes out of n > 0, got {successes} of {n}")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / n
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return (0.0 if successes == 0 else low), (1.0 if successes == n else high)


def score_array(values, length):
    values = np.asarray(values, float)
    if values.shape != (length,):
        raise InputError(f"expected {length} values, one per question, got {values.shape}")
    return values


def mean_or_none(values):
    return float(np.mean(values)) if len(values) else None
