"""The score of one answer: exact match, SQuAD's F1, and LoCoMo's own scorer (chapter 11).

    F1 = 2 |pred and gold| / (|pred| + |gold|)      over the words of both, as bags

Every score lies in [0, 1].
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

from nltk.stem.porter import PorterStemmer

from lmem.errors import InputError

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_OFFICIAL_ARTICLES = re.compile(r"\b(a|an|the|and)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_STEMMER = PorterStemmer()


def normalise(text: str) -> str:
    """Lower the case; drop punctuation, articles and spare blanks, as SQuAD does.

    Args:
        text: An answer.

    Returns:
        The normalised answer.

    Raises:
        InputError: The answer is no text.
    """
    if not isinstance(text, str):
        raise InputError(f"expected an answer as text, got {type(text).__name__}")
    text = _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION))
    return " ".join(text.split())


def exact_match(pred: str, gold: str) -> bool:
    """Say whether two answers are the same after `normalise`."""
    return normalise(pred) == normalise(gold)


def f1(pred: str, gold: str) -> float:
    """Compute SQuAD's token F1: harmonic mean of precision and recall over bags of words.

    Args:
        pred: The model's answer.
        gold: The right answer.

    Returns:
        A score between 0 and 1. If one side has no words left, it is 1 when both have none and
        0 otherwise (SQuAD 2.0).
    """
    pred_words, gold_words = normalise(pred).split(), normalise(gold).split()
    if not pred_words or not gold_words:
        return float(pred_words == gold_words)
    return _bag_f1(pred_words, gold_words)


def _bag_f1(pred_words: list[str], gold_words: list[str]) -> float:
    shared = (Counter(pred_words) & Counter(gold_words)).total()
    return 2 * shared / (len(pred_words) + len(gold_words))


def declines(pred: str) -> bool:
    """Say whether an answer declines: LoCoMo's own rule for category 5."""
    if not isinstance(pred, str):
        raise InputError(f"expected an answer as text, got {type(pred).__name__}")
    return any(text in pred.lower() for text in ("no information available", "not mentioned"))


def locomo_official(pred: str, gold: str | None, category: int) -> float:
    """Score an answer as LoCoMo does, by its question's category.

    - Categories 2 and 4: token F1 of the words' stems, without articles and "and"; nothing shared is 0.
    - Category 1: both answers are split at commas; the mean, over the parts of the gold answer, of the best F1 with any
      part of `pred`.
    - Category 3: as 2, and the gold answer ends before its first ";".
    - Category 5: 1 if `pred` declines, whatever the gold answer is.

    Source: Maharana et al., 2024; their task_eval/evaluation.py.

    Args:
        pred: The model's answer.
        gold: The right answer; only category 5 may have none.
        category: LoCoMo's category, 1 to 5.

    Returns:
        A score between 0 and 1.

    Raises:
        InputError: There is no such category, or an answer is missing or no text.
    """
    if category not in (1, 2, 3, 4, 5):
        raise InputError(f"expected one of LoCoMo's categories 1 to 5, not {category!r}")
    for answer in (pred,) if category == 5 else (pred, gold):
        if not isinstance(answer, str):
            raise InputError(
                f"expected answers of category {category} as text, got {type(answer).__name__}"
            )
    if category == 5 or gold is None:
        return float(declines(pred))
    if category == 3:
        gold = gold.split(";")[0]
    golds, preds = (gold.split(","), pred.split(",")) if category == 1 else ([gold], [pred])
    pred_parts = [_official_stems(part) for part in preds]
    gold_parts = [_official_stems(part) for part in golds]
    best = [max(_official_f1(part, wanted) for part in pred_parts) for wanted in gold_parts]
    return sum(best) / len(best)


def _official_f1(pred_words: list[str], gold_words: list[str]) -> float:
    return _bag_f1(pred_words, gold_words) if pred_words and gold_words else 0.0


def _official_stems(text: str) -> list[str]:
    bare = text.lower().translate(_NO_PUNCTUATION)
    return stems(_OFFICIAL_ARTICLES.sub(" ", bare).split())


def stems(words: Sequence[str]) -> list[str]:
    """Reduce words to Porter's stems: "adopting" becomes "adopt".

    The algorithm is NLTK's extended form, which LoCoMo's scorer uses.
    """
    return [_STEMMER.stem(word) for word in words]


def repeats(pred: str) -> bool:
    """Say whether a word is repeated three times in a row, the sign of a decoder that is stuck."""
    if not isinstance(pred, str):
        raise InputError(f"expected an answer as text, got {type(pred).__name__}")
    words = pred.lower().split()
    return any(a == b == c for a, b, c in zip(words, words[1:], words[2:], strict=False))
