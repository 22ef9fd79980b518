"""Checks of chapter 9 say what is wrong with answers that are likely, and pass right ones."""

import math

import pytest
import torch

from lmem.exercises import chapter_09


def with_window(write, state, turns, window):
    for t, turn in enumerate(turns):
        if t == max(0, len(turns) - window):
            state = state.detach()
        state = write(state, turn)
    return state


def detached_last(write, state, turns, window):
    return with_window(write, state, turns, len(turns)).detach()


def detached_always(write, state, turns, window):
    for turn in turns:
        state = write(state.detach(), turn)
    return state


def dropped(write, state, turns, window):
    return with_window(write, state, turns[-window:], window)


def off_by_one(write, state, turns, window):
    return with_window(write, state, turns, window - 1)


def cosine(step, peak, warmup, total, first=1):
    warm = min(1.0, (step + first) / warmup)
    done = max(0, step - warmup) / (total - warmup)
    return peak * warm * 0.5 * (1 + math.cos(math.pi * done))


def share(gamma, window, turns):
    parts = [gamma**lag for lag in range(turns)]
    return sum(parts[:window]) / sum(parts)


def vanish(weight, step):
    weight = torch.tensor(weight, dtype=torch.bfloat16)
    return bool(weight + step == weight)


RIGHT = {
    "window_share": share,
    "write_with_window": with_window,
    "rate": cosine,
    "vanishes": vanish,
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_pass(name):
    assert getattr(chapter_09, name)(RIGHT[name]).state == "right"


def test_a_tensor_of_true_or_false_is_taken_too():
    def answer(weight, step):
        weight = torch.tensor(weight, dtype=torch.bfloat16)
        return weight + step == weight

    assert chapter_09.vanishes(answer).state == "right"


def test_a_stub_is_unfinished():
    def stub(write, state, turns, window):
        raise NotImplementedError

    assert chapter_09.write_with_window(stub).state == "unfinished"


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("window_share", lambda g, w, t: g**w, "a share of all"),
        ("window_share", lambda g, w, t: 1 - g**w, "expected 0.6667, got 0.5"),
        ("window_share", lambda g, w, t: (1 - g**w) / (1 - g**t), "ZeroDivisionError"),
        ("write_with_window", lambda *a: with_window(*a[:3], 99), "should be [0, 0, 1, 1], they are [1, 1, 1, 1]"),
        ("write_with_window", detached_last, "carries no gradient"),
        ("write_with_window", detached_always, "they are [0, 0, 0, 1]"),
        ("write_with_window", dropped, "all turns are written"),
        ("write_with_window", off_by_one, "they are [0, 0, 0, 1]"),
        ("write_with_window", lambda *a: None, "expected a tensor"),
        ("write_with_window", lambda *a: a[2][7], "stops with IndexError"),
        ("rate", lambda *a: cosine(*a, first=0), "counted from 0"),
        ("rate", lambda s, p, w, t: p * min(1, (s + 1) / w), "half a cosine"),
        ("rate", lambda s, p, w, t: cosine(s, p, w, t + w), "half a cosine"),
        ("vanishes", lambda w, s: s < abs(w) / 256, "expected False, got True"),
        ("vanishes", lambda w, s: torch.tensor(w) + s == torch.tensor(w), "expected True, got False"),
        ("vanishes", lambda w, s: s <= 1e-4, "rounded away"),
    ],
)  # fmt: skip
def test_likely_mistakes(name, answer, said):
    verdict = getattr(chapter_09, name)(answer)
    assert verdict.state == "wrong"
    assert said in verdict.text
