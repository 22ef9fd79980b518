"""Checks of chapter 8 say what is wrong with answers that are likely, and pass right ones."""

import pytest
import torch

from lmem.exercises import chapter_08


def groups(scores, count, gamma):
    held, found = [], []
    for t in range(len(scores)):
        rated = [float(one @ scores[t]) for one in held] + [0.0] * (len(held) < count)
        best = rated.index(max(rated))
        if best == len(held):
            held.append(torch.zeros(len(scores)))
        held[best] = gamma * held[best]
        held[best][t] += 1 - gamma
        found.append(best)
    return found


def groups_without_decay(scores, count, gamma):
    return groups(scores, count, 1 - 1e-9)


def groups_that_always_open(scores, count, gamma):
    return [t % count for t in range(len(scores))]


def content(start, written, gamma):
    for one in written:
        start = gamma * start + (1 - gamma) * one
    return start


def by_score(scores, k):
    return sorted(range(len(scores)), key=lambda i: -scores[i])[:k]


RIGHT = {
    "choose": by_score,
    "content": content,
    "groups": groups,
    "penalised": lambda scores, uses, k, price: by_score(
        [s - price * u for s, u in zip(scores, uses, strict=True)], k
    ),
    "gate_leaves": lambda gates: [
        g * torch.tensor([1.0, *(1 - later for later in gates[t + 1 :])]).prod().item()
        for t, g in enumerate(gates)
    ],
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_pass(name):
    assert getattr(chapter_08, name)(RIGHT[name]).state == "right"


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("choose", lambda s, k: sorted(s, reverse=True)[:k], "at [0] expected 1, got 0.9"),
        ("choose", lambda s, k: sorted(range(len(s)), key=lambda i: (s[i], i))[-k:][::-1], "smaller index comes first"),
        ("choose", lambda s, k: sorted(by_score(s, k)), "the best is not first"),
        ("content", lambda p, w, g: content(p, w.flip(0), g), "oldest first"),
        ("content", lambda p, w, g: g * p + (1 - g) * w.sum(0), "values differ"),
        ("content", lambda p, w, g: content(g * p, w, g), "values differ"),
        ("groups", groups_that_always_open, "beats an empty one"),
        ("groups", lambda s, c, g: [0] * len(s), "an empty group, score 0, is the best"),
        ("groups", groups_without_decay, "has faded"),
        ("penalised", lambda s, u, k, p: by_score(s, k), "at [0] expected 1, got 0"),
        ("penalised", lambda s, u, k, p: by_score([a + p * b for a, b in zip(s, u, strict=True)], k), "for each of its uses"),
        ("gate_leaves", lambda gates: gates, "leave of an earlier one"),
        ("gate_leaves", lambda gates: [g * (1 - g) ** (len(gates) - 1 - t) for t, g in enumerate(gates)], "shut takes nothing off"),
    ],
)  # fmt: skip
def test_likely_mistakes(name, answer, said):
    verdict = getattr(chapter_08, name)(answer)
    assert verdict.state == "wrong"
    assert said in verdict.text
