"""Chapter 15's checks and figure: three right forms pass, five near misses are told; shipped plans are those that the planner makes."""

import itertools
import math
import random

import numpy as np
import pytest
from helpers import untried

from lmem.errors import InputError
from lmem.evaluation import results
from lmem.exercises import chapter_15 as check
from lmem.experiments.planning import plan
from lmem.experiments.planning.machine import MachineProfile
from lmem.viz import plans


def held(frozen, size, trained):
    return (frozen * size + 16 * trained) / 2**30


def seconds(ops, rate, bandwidth, overhead):
    return sum(max(flop / rate, moved / bandwidth) + overhead for flop, moved in ops)


def finished(hours, n):
    return max(sum(hours[i::n]) for i in range(n))


def judge(right, other, none, oracle, margin):
    if max(none) > margin:
        return "known"
    if any(r > o + margin for r, o in zip(right, oracle, strict=True)):
        return "leak"
    if all(r <= o + margin for r, o in zip(right, other, strict=True)):
        return "no memory"
    return "perhaps memory"


def split(conversations, seed):
    names = sorted(conversations)
    random.Random(seed).shuffle(names)
    cut = 7 * len(names) // 10
    return tuple(
        [(name, question) for name in part for question in conversations[name]]
        for part in (names[:cut], names[cut:])
    )


def by_set(conversations, seed):
    """A split in the order of a set, which another process does not repeat."""
    names = list(set(conversations))
    random.Random(seed).shuffle(names)
    return divided(conversations, names)


def by_numpy(conversations, seed):
    """A split of NumPy's strings, which are no keys of a dict with other hashes."""
    return divided(conversations, np.random.default_rng(seed).permutation(sorted(conversations)))


def divided(conversations, names):
    return tuple(
        [(str(name), question) for name in part for question in conversations[name]]
        for part in (names[:7], names[7:])
    )


def leaking(conversations, seed):
    """The script of exercise 15.5, as the chapter prints it."""
    pairs = [
        (name, question) for name, questions in conversations.items() for question in questions
    ]
    random.Random(seed).shuffle(pairs)
    cut = 7 * len(pairs) // 10
    return pairs[:cut], pairs[cut:]


def finished_by_taking(hours, n):
    """Each cell goes to the GPU whose turn it is."""
    done = [0.0] * n
    for gpu, one in zip(itertools.cycle(range(n)), hours, strict=False):
        done[gpu] += one
    return max(done)


def seconds_by_loop(ops, rate, bandwidth, overhead):
    total = len(ops) * overhead
    for flop, moved in ops:
        total += flop / rate if flop * bandwidth > moved * rate else moved / bandwidth
    return total


def judge_by_array(right, other, none, oracle, margin):
    right, other, none, oracle = map(np.array, (right, other, none, oracle))
    rules = {
        "known": none > margin,
        "leak": right - oracle > margin,
        "perhaps memory": right - other > margin,
    }
    return next((name for name, found in rules.items() if found.any()), "no memory")


def judge_by_largest(right, other, none, oracle, margin):
    def most(above, below):
        return max(a - b for a, b in zip(above, below, strict=True))

    if max(none) > margin:
        return "known"
    if most(right, oracle) > margin:
        return "leak"
    return "no memory" if most(right, other) <= margin else "perhaps memory"


def split_by_sampling(conversations, seed):
    names = sorted(conversations)
    test = random.Random(seed).sample(names, 3)
    return (
        [(name, q) for name in names if name not in test for q in conversations[name]],
        [(name, q) for name in test for q in conversations[name]],
    )


RIGHT = {
    "held": [
        held,
        lambda f, s, t: f * s / 2**30 + t / 2**26,
        lambda f, s, t: sum([f * s, t * 4, t * 4, 2 * t * 4]) / 1024**3,
    ],
    "seconds": [
        seconds,
        seconds_by_loop,
        lambda ops, r, b, o: float(sum(np.maximum(f / r, m / b) + o for f, m in ops)),
    ],
    "finished": [
        finished,
        finished_by_taking,
        lambda h, n: max(
            math.fsum(one for i, one in enumerate(h) if i % n == gpu) for gpu in range(n)
        ),
    ],
    "judge": [judge, judge_by_array, judge_by_largest],
    "split": [split, by_numpy, split_by_sampling],
}
WRONG = {
    "judge": [
        lambda r, o, n, t, m: "perhaps memory" if max(r) > max(o) + m else "no memory",
        lambda r, o, n, t, m: judge(r[:1], o[:1], n[:1], t[:1], m),
        lambda r, o, n, t, m: judge(r, o, n, t, 0.0),
        lambda r, o, n, t, m: "no memory" if max(r) <= max(o) + m else judge(r, o, n, t, m),  # the third rule first
        lambda r, o, n, t, m: "leak" if max(r) > max(t) + m and max(n) <= m else judge(r, o, n, [100.0] * len(t), m),
        lambda r, o, n, t, m: judge(r, [min(x, 2 * y - x) for x, y in zip(o, r, strict=True)], n, t, m),  # abs(right - other)
        lambda r, o, n, t, m: "known" if max(n) >= m else judge(r, o, n, t, m),
        lambda r, o, n, t, m: judge(r, o, [sum(n) / len(n)], t, m),
        lambda r, o, n, t, m: judge(r, o, n, [one - m for one in t], m),  # the text without the margin
    ],
    "split": [leaking, lambda c, s: split(c, 0), lambda c, s: split(c, s)[::-1], lambda c, s: (split(c, s)[0], []), lambda c, s: split(c, random.random())],
    "held": [
        lambda f, s, t: (f + t) * s / 2**30,
        lambda f, s, t: (f * s + 12 * t) / 2**30,
        lambda f, s, t: (f * s + 16 * t) / 1e9,
        lambda f, s, t: (f * s + 4 * s * t) / 2**30,  # the frozen weights' format for all
        lambda f, s, t: f * s / 2**30,
        lambda f, s, t: (f * s + 16 * t) / 2**20,
        lambda f, s, t: 16 * (f + t) / 2**30,  # the frozen weights are trained too
    ],
    "seconds": [
        lambda ops, r, b, o: max(sum(f for f, _ in ops) / r, sum(m for _, m in ops) / b) + o,
        lambda ops, r, b, o: sum(f / r + m / b + o for f, m in ops),
        lambda ops, r, b, o: seconds(ops, r, b, 0) + o,  # the overhead once
        lambda ops, r, b, o: seconds(ops, r, b, 0),
        lambda ops, r, b, o: sum(max(f / r, m / b, o) for f, m in ops),
        lambda ops, r, b, o: sum(min(f / r, m / b) + o for f, m in ops),
        lambda ops, r, b, o: seconds(ops, b, r, o),
        lambda ops, r, b, o: sum(f / r + o for f, _ in ops),
        lambda ops, r, b, o: sum(max(f / r, m / b) + o for f, m in ops if f or m),
    ],
    "finished": [
        lambda h, n: sum(h) / n,
        lambda h, n: max(h),
        lambda h, n: max(sum(h[i : i + math.ceil(len(h) / n)]) for i in range(0, len(h), math.ceil(len(h) / n))),
        lambda h, n: sum(h),
        lambda h, n: finished(sorted(h, reverse=True), n),
        lambda h, n: min(sum(h[i::n]) for i in range(n)),
        lambda h, n: sum(h[::n]),  # the first GPU's cells
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_three_right_forms_pass(name):
    assert len(RIGHT[name]) >= 3
    for place, answer in enumerate(RIGHT[name]):
        verdict = getattr(check, name)(answer)
        assert verdict.state == "right", (place, verdict.text)


def test_every_check_is_tried():
    assert not untried(check, RIGHT)


def test_a_split_in_a_set_s_order_is_told():
    assert "new process" in check.split(by_set).text


@pytest.mark.parametrize("name", RIGHT)
def test_five_near_misses_are_told(name):
    assert len(WRONG[name]) >= 5
    for wrong in WRONG[name]:
        verdict = getattr(check, name)(wrong)
        assert verdict.state == "wrong"
        assert len(verdict.text) > 40


@pytest.mark.parametrize("name", RIGHT)
def test_stubs_are_unfinished(name):
    def stub(*_):
        raise NotImplementedError

    assert getattr(check, name)(stub).state == "unfinished"


@pytest.fixture(scope="module")
def shipped():
    return results.load("bench/plans-flan-t5")


def test_the_shipped_plans_are_what_plan_gives(shipped):
    """The smallest anew; other versions of PyTorch may count a little differently."""
    fresh = plan.plan("flan-t5-small", MachineProfile.of("t4"))
    [kept] = [
        p for p in shipped["plans"] if (p["backbone"], p["profile"]) == ("flan-t5-small", "t4")
    ]
    for part in ("weights", "adapter", "optimiser", "banks", "latents"):
        assert kept["memory_mib"][part] == pytest.approx(fresh["memory_mib"][part])
    assert kept["memory_mib"]["total"] == pytest.approx(fresh["memory_mib"]["total"], rel=0.1)
    assert kept["seconds"]["total"] == pytest.approx(fresh["seconds"]["total"], rel=0.1)
    assert kept["notes"] == fresh["notes"]


def test_the_shipped_plans_are_complete(shipped):
    pairs = {(p["backbone"], p["profile"]) for p in shipped["plans"]}
    assert len(pairs) == len(shipped["plans"]) == 15
    fits = {pair: p["fits"] for p in shipped["plans"] for pair in [(p["backbone"], p["profile"])]}
    assert fits["flan-t5-large", "t4"]
    assert not fits["flan-t5-xl", "t4"]
    assert fits["flan-t5-xl", "a100"]
    assert fits["flan-t5-xxl", "h200"]


def test_a_grid_is_drawn_with_a_frame_for_each_size():
    found = plan.grid(("flan-t5-small",), ("t4",))
    figure = plans.memory_and_time(found, "a title", shown=0)
    assert [frame.name for frame in figure.frames] == ["flan-t5-small"]
    memory, line, time = figure.frames[0].data
    assert memory.y[-1] == pytest.approx(found["plans"][0]["memory_mib"]["total"] / 1024, rel=1e-3)
    assert set(line.y) == {14.5}
    assert time.y[-1] == pytest.approx(found["plans"][0]["seconds"]["total"], rel=1e-3)
    assert "flan-t5-small fits on t4" in figure.layout.meta["alt"]
    [row] = plans.plan_rows(found)
    assert row["fits"] == "yes"
    with pytest.raises(InputError, match=r"lmem\.experiments\.planning\.plan\.grid"):
        plans.memory_and_time({"what": "rows"}, "a title")
