"""Checks of chapter 10 say what is wrong with answers that are likely, and pass right ones."""

import pytest
import torch

from lmem.exercises import chapter_10


def source(bits, least):
    best = max(range(len(bits)), key=bits.__getitem__)
    return best if bits[best] >= least else -1


def without(parts, t, gamma):
    left = [part for i, part in enumerate(parts) if i != t]
    return sum(gamma ** (len(left) - 1 - i) * part for i, part in enumerate(left))


def faded_as_before(parts, t, gamma):
    last = len(parts) - 1
    return sum(gamma ** (last - i) * part for i, part in enumerate(parts) if i != t)


RIGHT = {
    "source": source,
    "without": without,
    "merge": lambda first, second, rows: torch.cat([first, second])[-rows:],
    "hiding": lambda distances, resolution: sum(d <= min(distances) + resolution for d in distances),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_pass(name):
    assert getattr(chapter_10, name)(RIGHT[name]).state == "right"


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("source", lambda bits, least: max(bits), "expected 1, got 10.5"),
        ("source", lambda bits, least: max(range(len(bits)), key=bits.__getitem__), "expected -1, got 2"),
        ("source", lambda bits, least: next((t for t, b in enumerate(bits) if b >= least), -1), "which of them is"),
        ("source", lambda bits, least: source([abs(b) for b in bits], least), "stands in the way"),
        ("source", lambda bits, least: source(bits, least + 1e-9), "just enough"),
        ("source", lambda bits, least: source(bits, least) + 1, "expected 1, got 2"),
        ("without", faded_as_before, "have faded without this one"),
        ("without", lambda parts, t, gamma: without(parts, t, 1.0), "have faded without this one"),
        ("without", lambda parts, t, gamma: sum(parts), "times what it should be"),
        ("merge", lambda first, second, rows: torch.cat([second, first])[-rows:], "came later"),
        ("merge", lambda first, second, rows: torch.cat([first, second])[:rows], "values differ"),
        ("merge", lambda first, second, rows: torch.cat([first, second]), "expected shape (4, 2), got (5, 2)"),
        ("merge", lambda first, second, rows: torch.cat([first[len(second) :], second])[-rows:], "expected shape (4, 2), got (3, 2)"),
        ("hiding", lambda d, r: sum(one <= r for one in d), "measure from it"),
        ("hiding", lambda d, r: d.index(min(d)), "expected 1, got 0"),
        ("hiding", lambda d, r: 1, "expected 3, got 1"),
    ],
)  # fmt: skip
def test_likely_mistakes(name, answer, said):
    verdict = getattr(chapter_10, name)(answer)
    assert verdict.state == "wrong"
    assert said in verdict.text
