"""Chapter 14's checks: right answers pass, near misses are told what is wrong."""

import math

import pytest

from lmem.exercises import chapter_14 as check


def place(likeness, age, theta, keep, corrects):
    if not keep:
        return None
    best = max(range(len(likeness)), key=likeness.__getitem__)
    if corrects and likeness[best] > theta:
        return best
    return max(range(len(age)), key=age.__getitem__)


def kept_share(turns, facts, corrected, rows):
    return min(1.0, rows / (turns * facts * (1 - corrected)))


def stays(b, later):
    for keep, fix, near in later:
        b *= 1 - keep * fix * near
    return b


def empty_hand(likeness, beta, nu):
    mine = math.exp(beta * (1 - nu))
    return mine / (mine + sum(math.exp(beta * one) for one in likeness))


RIGHT = {f.__name__: f for f in (place, kept_share, stays, empty_hand)}
WRONG = {
    "place": [lambda s, a, t, k, c: s.index(max(s)), lambda s, a, t, k, c: a.index(max(a)) if k else None],
    "kept_share": [lambda t, f, c, r: r / (t * f * (1 - c)), lambda t, f, c, r: min(1.0, r / (t * f))],
    "stays": [lambda b, later: b, lambda b, later: b * math.prod(1 - m for *_, m in later), lambda b, later: b * (1 - sum(x * e * m for x, e, m in later))],
    "empty_hand": [lambda s, b, n: 1 - max(s, default=0.0), lambda s, b, n: math.exp(b * (1 - n)), lambda s, b, n: empty_hand(s, b, 1 - n), lambda s, b, n: empty_hand([max(s)] if s else [], b, n)],
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_pass(name):
    assert getattr(check, name)(RIGHT[name]).state == "right"


@pytest.mark.parametrize("name", RIGHT)
def test_near_misses_are_told(name):
    for wrong in WRONG[name]:
        verdict = getattr(check, name)(wrong)
        assert verdict.state == "wrong"
        assert len(verdict.text) > 40


@pytest.mark.parametrize("name", RIGHT)
def test_stubs_are_unfinished(name):
    def stub(*_):
        raise NotImplementedError

    assert getattr(check, name)(stub).state == "unfinished"
