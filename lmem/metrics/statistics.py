"""Intervals and tests of a mean when the questions of one conversation belong together (chapter 12).

    h_g = Q_g / Q,    u_g = sum_{q in g} (v_q - mean) / Q
    V   = sum_g u_g^2 / (1 - h_g)                                            variance of the mean
    df  = 1 / (sum_g h_g^2 + sum_{g != k} w_g w_k),   w_g = h_g^2 / (1 - h_g)    G - 1 if all h_g are equal
    mean -+ t_df sqrt(V)

Questions of one conversation share its bank and are no independent draws; conversations are. Q is the number of questions,
G of conversations, S of seeds. V is the cluster-robust variance with Bell and McCaffrey's correction for few clusters of
unequal size (CR2), df their degrees of freedom (Survey Methodology 28, 2002; Imbens and Kolesar, Review of Economics and
Statistics 98, 2016).

With several seeds the scores are (S, Q). Seeds and conversations are crossed factors: V is that of the scores averaged over
seeds, and what the seeds add to it is a second variance with S - 1 degrees of freedom. The interval's half length is
sqrt(t_df^2 V + t_{S-1}^2 V_S) (Graybill and Wang, Journal of the American Statistical Association 75, 1980).
"""

# so that the reference shows `ArrayLike` and not all that it stands for
from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from lmem.errors import InputError


def clustered_interval(
    values: ArrayLike, clusters: Sequence, level: float = 0.95, share: bool = False
) -> tuple[float, float]:
    """Compute Student's t interval of the mean, clustered by conversation.

    Args:
        values: (Q,) scores, or (S, Q) of several seeds.
        clusters: (Q,) the conversation of each question.
        level: Coverage of the interval.
        share: The scores lie between 0 and 1, such as exact match. Near 0 and 1 their mean is skewed, and Wilson's interval
            with the effective number of questions, mean (1 - mean) / V, covers better (Franco et al., Journal of Survey
            Statistics and Methodology 7, 2019). Not for differences, whose interval must be able to hold 0.

    Returns:
        (low, high); (nan, nan) if there is one conversation only, or all conversations have the same mean, because then
        nothing says how far others may differ.

    Raises:
        InputError: There are no values, one is no finite number or no share, the lengths differ, or the level is none.
    """
    scores, member = _by_seed(values, clusters)
    _expect_within(level, "a level")
    if share and not -1e-9 <= scores.min() <= scores.max() <= 1 + 1e-9:
        raise InputError(f"expected shares from 0 to 1, got {scores.min():g} to {scores.max():g}")
    mean, half = float(scores.mean()), _half_length(scores, member, [(1 + level) / 2])
    if math.isnan(half):
        return math.nan, math.nan
    if share:
        return _wilson(mean, half**2 / (mean * (1 - mean)))
    return mean - half, mean + half


def minimum_detectable_difference(
    values: ArrayLike,
    clusters: Sequence,
    two_sided: bool = False,
    power: float = 0.8,
    level: float = 0.95,
) -> float:
    """Compute how large a true mean must be to be found: `t_.975 + t_.80` standard errors (Bloom, Evaluation Review 19, 1995).

    Args:
        values: (Q,) differences of two conditions on the same questions, or (S, Q) of several seeds.
        clusters: (Q,) the conversation of each question.
        two_sided: Whether the permutation test that goes with it is two-sided.
        power: Probability of finding a mean of that size.
        level: Coverage of the interval that must exclude 0.

    Returns:
        The difference; nan where there is none: with so few conversations that no p of `permutation_test` reaches
        1 - level, and where conversations do not differ at all, because then the spread is not known.

    Raises:
        InputError: There are no values, one is no finite number, the lengths differ, or power or level is none.
    """
    scores, member = _by_seed(values, clusters)
    _expect_within(level, "a level")
    _expect_within(power, "a power")
    if smallest_p(member.max() + 1, two_sided) > 1 - level:
        return math.nan
    return _half_length(scores, member, [(1 + level) / 2, power])


def _half_length(scores: NDArray, member: NDArray, quantiles: Sequence[float]) -> float:
    """Return sqrt(t_df^2 V + t_{S-1}^2 V_S), each t the sum of these quantiles; nan if V is unknown or 0.

    Args:
        scores: (S, Q).
        member: (Q,) number of the conversation.
        quantiles: Probabilities.
    """
    seeds, questions = scores.shape
    size = np.bincount(member) / questions  # h, (G)
    if len(size) == 1:
        return math.nan
    apart = np.stack([np.bincount(member, row) for row in scores - scores.mean()]) / questions
    mean_apart, weight = apart.mean(0), size**2 / (1 - size)  # u and w, (G)
    freedom = 1 / ((size**2).sum() + weight.sum() ** 2 - (weight**2).sum())
    parts = [((mean_apart**2 / (1 - size)).sum(), freedom)]
    if seeds > 1:  # V_S: what seeds differ by, less what they would by the conversations' chance
        by_seed = apart.sum(1)  # (S)
        rest = apart - mean_apart - by_seed[:, None] * size  # (S, G)
        more = (by_seed**2).sum() - (rest**2 / (1 - size)).sum()
        parts.append((max(0.0, more) / (seeds * (seeds - 1)), seeds - 1))
    if sum(variance for variance, _ in parts) < 1e-24:  # rounding
        return math.nan
    return math.sqrt(sum(v * sum(stdtrit(df, q) for q in quantiles) ** 2 for v, df in parts))


def permutation_test(
    values: ArrayLike, clusters: Sequence, two_sided: bool = False, n: int = 10_000, seed: int = 0
) -> float:
    """Test whether the mean is positive, by flipping signs.

    If the mean came by chance, the differences of any conversation might have the opposite sign. Signs are flipped
    by whole conversations: all 2^G ways if these are at most `n`, otherwise n random ones.

    Args:
        values: (Q,) differences of two conditions on the same questions, or (S, Q) of several seeds, which are averaged.
        clusters: (Q,) the conversation of each question.
        two_sided: Test whether the mean differs from 0 instead.
        n: Number of sign patterns.
        seed: Seed of the random patterns.

    Returns:
        p: the share of all patterns, including the observed one, that are at least as extreme.

    Raises:
        InputError: There are no values, one is no finite number, the lengths differ, or n is not positive.
    """
    scores, member = _by_seed(values, clusters)
    if not isinstance(n, int) or n < 1:
        raise InputError(f"expected at least 1 sign pattern, as a whole number, not {n!r}")
    sums = np.bincount(member, scores.mean(0))  # (G)
    found, seen = _signs(len(sums), n, seed) @ sums, sums.sum()
    if two_sided:
        found, seen = np.abs(found), abs(seen)
    rounding = 1e-9 * np.abs(sums).sum()
    return float((found >= seen - rounding).mean())


@lru_cache(maxsize=8)
def _signs(conversations: int, n: int, seed: int) -> NDArray:
    """Return all sign patterns if they are at most n, otherwise n random ones: (2^G or n, G)."""
    if 2**conversations <= n:
        return np.array(list(product((1.0, -1.0), repeat=conversations)))
    signs = np.random.default_rng(seed).choice((1, -1), size=(n, conversations)).astype(float)
    signs[0] = 1  # what was seen is one of the ways
    return signs


def smallest_p(conversations: int, two_sided: bool = False) -> float:
    """Return the smallest p that `permutation_test` can find, with all sign patterns: 2^-G, two-sided twice that."""
    return min(1.0, 2.0 ** (two_sided - int(conversations)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values of several tests that are read together (Holm, Scandinavian Journal of Statistics 6, 1979).

    Returns:
        Adjusted p-values in the order given. If all that are at most .05 are called findings, the probability of one
        finding or more where nothing differs is at most .05.

    Raises:
        InputError: One is no number from 0 to 1.
    """
    if len(p_values) and not all(0 <= p <= 1 for p in score_array(p_values, len(p_values))):
        raise InputError(f"expected p-values from 0 to 1, got {list(p_values)}")
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def wilson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Compute Wilson's interval of a share, for independent questions.

    Args:
        successes: Number of successes.
        n: Number of questions.
        level: Coverage of the interval.

    Returns:
        (low, high), both between 0 and 1.

    Raises:
        InputError: Not 0 <= successes <= n and n > 0, or the level is none.
    """
    _expect_within(level, "a level")
    if not (n > 0 and 0 <= successes <= n):
        raise InputError(f"expected 0 to n successes out of n > 0, got {successes} of {n}")
    low, high = _wilson(successes / n, NormalDist().inv_cdf((1 + level) / 2) ** 2 / n)
    return (0.0 if successes == 0 else low), (1.0 if successes == n else high)


def _wilson(share: float, width: float) -> tuple[float, float]:
    """Return the p with (share - p)^2 = width p (1 - p): the ends of Wilson's interval, where width is z^2 / n."""
    half = math.sqrt(width * share * (1 - share) + width**2 / 4)
    middle = share + width / 2
    return (middle - half) / (1 + width), (middle + half) / (1 + width)


def _by_seed(values: ArrayLike, clusters: Sequence) -> tuple[NDArray, NDArray]:
    """Return the scores as (S, Q) and the number of each question's conversation, (Q,) ints from 0."""
    try:
        names = list(clusters)
        number = {name: i for i, name in enumerate(sorted(set(names), key=str))}
    except TypeError as error:
        raise InputError(f"expected a list with the conversation of each score: {error}") from error
    if any(
        name != name for name in number
    ):  # NaN, as pandas has it, would be a conversation of its own
        raise InputError("expected the conversation of each score, one is NaN")
    try:
        seeds = np.atleast_2d(values)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"expected scores of shape (Q,) or (S, Q): {error}") from error
    scores = np.stack([score_array(row, len(names)) for row in seeds])
    if not scores.size:
        raise InputError("expected at least one score, got none")
    return scores, np.array([number[name] for name in names])


def score_array(values: ArrayLike, length: int) -> NDArray:
    """Return one score per question as a float array, (Q,).

    Raises:
        InputError: There are not `length` values, or one is no finite number.
    """
    try:
        values = np.asarray(values, float)
    except (TypeError, ValueError) as error:
        raise InputError(f"expected scores as numbers: {error}") from error
    if not np.isfinite(values).all():
        raise InputError("expected finite scores, found NaN or inf; leave such questions out")
    if values.shape != (length,):
        raise InputError(f"expected {length} values, one per question, got {values.shape}")
    return values


def _expect_within(value: float, what: str) -> None:
    """Raise an InputError unless a probability lies between 0 and 1."""
    if not (isinstance(value, int | float) and 0 < value < 1):
        raise InputError(f"expected {what} between 0 and 1, such as 0.95, not {value!r}")


def mean_or_none(values) -> float | None:
    """Return the mean, or None of nothing."""
    return float(np.mean(values)) if len(values) else None
