"""The score of one answer: exact match, SQuAD's F1, and LoCoMo's own scorer (chapter 11)."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from functools import cache

from lmem.errors import InputError

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


# ---- by lag, by session --------------------------------------------------------------------------


# ---- how sure ------------------------------------------------------------------------------------
