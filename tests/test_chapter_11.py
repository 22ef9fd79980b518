"""Checks of chapter 11: right answers pass, and likely mistakes are named."""

import pytest

from lmem.exercises import chapter_11 as check


def lag(turns, evidence):
    return max(0, turns - 1 - min(evidence)) if evidence else None


def recall_rate(f_mem, f_0):
    return max(0.0, f_mem - f_0) / max(1 - f_0, 1e-6)


def never_rising(means, counts, back=True, weighted=True):
    pools = []  # [mean, weight, buckets]
    for mean, count in zip(means, counts, strict=True):
        pools.append([mean, count if weighted else 1, 1])
        while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
            mean, weight, size = pools.pop()
            last = pools[-1]
            last[0] = (last[0] * last[1] + mean * weight) / (last[1] + weight)
            last[1], last[2] = last[1] + weight, last[2] + size
            if not back:
                break
    return [mean for mean, _, size in pools for _ in range(size)]


def knowledge(scores, newest):
    def mean(values):
        return sum(values) / len(values)

    k = [
        mean([x for x, s in zip(row, newest, strict=True) if x is not None and s <= now])
        for now, row in enumerate(scores, 1)
    ]
    panel = [mean([x for x, s in zip(row, newest, strict=True) if s == 1]) for row in scores]
    return k, panel


def test_right_answers():
    for answer in (lag, recall_rate, never_rising, knowledge):
        assert getattr(check, answer.__name__)(answer).state == "right"


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("lag", lambda turns, evidence: turns - min(evidence), "expected 16, got 17"),
        ("lag", lambda turns, evidence: turns - 1 - max(evidence), "expected 16, got 9"),
        ("lag", lambda turns, evidence: turns - 1 - evidence[0], "expected 4, got 0"),
        ("lag", lambda turns, evidence: turns - 1 - min(evidence), "a lag is never negative"),
        ("lag", lambda turns, evidence: max(0, turns - 1 - min(evidence)), "stops"),  # without evidence
        ("recall_rate", lambda a, b: max(0, a - b), "how much was left to gain here"),
        ("recall_rate", lambda a, b: (a - b) / max(1 - b, 1e-6), "a loss counts as 0"),
        ("recall_rate", lambda a, b: max(0, a - b) / (1 - b), "stops"),
        ("never_rising", lambda m, n: m, "a rise is pooled"),
        ("never_rising", lambda m, n: never_rising(m, n, weighted=False), "weighted by questions"),
        ("never_rising", lambda m, n: never_rising(m, n, back=False), "look back"),
        ("knowledge", lambda s, n: (knowledge(s, n)[0],) * 2, "the panel is the questions of session 1"),
        # all that was asked, whether its evidence was there or not: (1 + 0) / 2 at session 1
        ("knowledge", lambda s, n: ([sum(x for x in r if x is not None) / sum(x is not None for x in r) for r in s], knowledge(s, n)[1]), "K: at [0] expected 1, got 0.5"),
        ("knowledge", lambda s, n: knowledge(s, n)[0], "expected 2 elements, K and the panel, got 3"),
    ],
)  # fmt: skip
def test_likely_mistakes(name, answer, said):
    verdict = getattr(check, name)(answer)
    assert verdict.state == "wrong"
    assert said in verdict.text, verdict.text
