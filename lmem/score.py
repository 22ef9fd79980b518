"""Scores: from an answer and the right answer to a forgetting curve with its uncertainty.

    rho = max(0, F_mem - F_0) / max(1 - F_0, eps)      recall rate: paper, section 4.2; chapter 11
    K_s = mean F1 after sessions 1..s, over the questions whose evidence lies within 1..s

F_mem is the F1 with the bank intact, F_0 that of the same model with its bank forced to zero. Every
score lies in [0, 1]. Curves are plain values: floats, ints, and None where nothing can be averaged.
"""

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from lmem.errors import InputError

BUCKETS = ((0, 32), (32, 64), (64, 128), (128, 256), (256, math.inf))  # lag in turns, [low, high)
BUCKET_NAMES = tuple(f"[{low},{high})" for low, high in BUCKETS)

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_OFFICIAL_ARTICLES = re.compile(r"\b(a|an|the|and)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


# ---- one answer ----------------------------------------------------------------------------------


def normalise(text: str, as_run: bool = False) -> str:
    """Lower case, without punctuation, articles and spare blanks (SQuAD).

    as_run  articles before punctuation, as the released code does: "A-team" -> "team", not "ateam"
    raises  InputError if this is no text
    """
    if not isinstance(text, str):
        raise InputError(f"expected an answer as text, got {type(text).__name__}")
    text = text.lower()
    if as_run:
        text = _ARTICLES.sub(" ", text).translate(_NO_PUNCTUATION)
    else:
        text = _ARTICLES.sub(" ", text.translate(_NO_PUNCTUATION))
    return " ".join(text.split())


def exact_match(pred: str, gold: str, as_run: bool = False) -> bool:
    """Are the two the same after `normalise`?"""
    return normalise(pred, as_run) == normalise(gold, as_run)


def f1(pred: str, gold: str, as_run: bool = False) -> float:
    """SQuAD's token F1: harmonic mean of precision and recall over the words of both, as bags.

    If one side has no words left, it is 1 when both have none and 0 otherwise (SQuAD 2.0).
    """
    pred, gold = normalise(pred, as_run).split(), normalise(gold, as_run).split()
    if not pred or not gold:
        return float(pred == gold)
    return _bags(pred, gold)


def _bags(pred, gold):
    shared = (Counter(pred) & Counter(gold)).total()
    return 2 * shared / (len(pred) + len(gold))


def declines(pred: str) -> bool:
    """LoCoMo's own rule for category 5: right if it says that there is no information."""
    return any(text in pred.lower() for text in ("no information available", "not mentioned"))


def locomo_official(pred: str, gold: str | None, category: int) -> float:
    """LoCoMo's own score of an answer, by its question's category (Maharana et al., 2024; its task_eval/evaluation.py).

    2, 4  token F1 of the words' stems, without articles and "and"; nothing shared is 0
    1     both are split at commas: of each part of the gold answer its best F1 with any part of `pred`, averaged
    3     the gold answer ends before its first ";"
    5     1 if `pred` declines, whatever the gold answer

    raises  InputError for another category
    """
    if category not in (1, 2, 3, 4, 5):
        raise InputError(f"expected one of LoCoMo's categories 1 to 5, not {category!r}")
    if category == 5:
        return float(declines(pred))
    if category == 3:
        gold = gold.split(";")[0]
    golds, preds = (gold.split(","), pred.split(",")) if category == 1 else ([gold], [pred])
    parts = [_stemmed(part) for part in preds]
    best = [max(_official_f1(part, wanted) for part in parts) for wanted in map(_stemmed, golds)]
    return sum(best) / len(best)


def _official_f1(pred, gold):
    return _bags(pred, gold) if pred and gold else 0.0


def _stemmed(text):
    bare = text.lower().translate(_NO_PUNCTUATION)
    return stems(_OFFICIAL_ARTICLES.sub(" ", bare).split())


def stems(words: Sequence[str]) -> list[str]:
    """Porter's stems, in the extended form of NLTK that LoCoMo's scorer uses: "adopting" -> "adopt"."""
    return [_stemmer().stem(word) for word in words]


@cache
def _stemmer():
    from nltk.stem.porter import PorterStemmer  # takes seconds to import

    return PorterStemmer()


def repeats(pred: str) -> bool:
    """Is a word said three times running? Then the decoder is stuck."""
    words = pred.lower().split()
    return any(a == b == c for a, b, c in zip(words, words[1:], words[2:], strict=False))


# ---- what memory adds ----------------------------------------------------------------------------


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


# ---- by lag, by session --------------------------------------------------------------------------


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
    values = _flat(values, len(lags))
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
        "mean_of_buckets": _mean([fit[i] for i in full]),
        "raw_mean_of_buckets": _mean([raw[i] for i in full]),
        "mean_of_questions": _mean(values[where >= 0]),
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
        k.append(_mean(row[counted]))
        n.append(int(counted.sum()))
    panel = [_mean(row[fixed]) for row in scores]
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


# ---- how sure ------------------------------------------------------------------------------------


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
    values = _flat(values, len(clusters))
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
    values, member = _flat(values, len(clusters)), _members(clusters)
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
    values = _flat(values, len(clusters))
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


def _flat(values, length):
    values = np.asarray(values, float)
    if values.shape != (length,):
        raise InputError(f"expected {length} values, one per question, got {values.shape}")
    return values


def _mean(values):
    return float(np.mean(values)) if len(values) else None
