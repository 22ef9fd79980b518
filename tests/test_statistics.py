"""Do the intervals cover, and do verdicts err as rarely as they say? By simulation, through the functions that the pages use."""

import numpy as np
import pytest

from lmem.evaluation.summary import difference, verdict, verdicts
from lmem.exercises import capstone, chapter_17
from lmem.exercises.exercise import Wrong
from lmem.metrics import statistics

GROUPS = (3, 5, 10, 40)
DRAWS = 1500  # the standard error of a coverage of .95 is .0056


def simulated(rng, groups, sizes, score):
    """One sample: (Q,) scores and (Q,) conversations; `score` draws a conversation's scores."""
    counts = rng.integers(*sizes, size=groups).tolist()
    member = [talk for talk, count in enumerate(counts) for _ in range(count)]
    return np.concatenate([score(count) for count in counts]), member


def covered(interval, truth):
    """Whether an interval holds the truth; None if there is no interval."""
    low, high = interval
    return None if np.isnan(low) else low <= truth <= high


def coverage(samples, truth, **options):
    """The share of the intervals that hold the truth, among those that there are, and the share that there are."""
    hits = [covered(statistics.clustered_interval(*sample, **options), truth) for sample in samples]
    known = [hit for hit in hits if hit is not None]
    return np.mean(known), len(known) / len(hits)


@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("sizes", [(12, 13), (4, 30)], ids=["equal", "unequal"])
def test_the_interval_covers_normal_scores(groups, sizes):
    rng = np.random.default_rng(groups)

    def score(count):
        return 0.05 * rng.normal() + 0.15 * rng.normal(size=count)

    samples = (simulated(rng, groups, sizes, score) for _ in range(DRAWS))
    found, known = coverage(samples, 0.0)
    assert known == 1
    assert 0.93 <= found <= 0.97


def shares(rng, mean, spread):
    """Exact match: a conversation's share of right answers is drawn from a beta distribution."""
    return lambda count: (rng.random(count) < rng.beta(mean * spread, (1 - mean) * spread)).astype(
        float
    )


@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("mean", [0.05, 0.95])
def test_the_interval_covers_shares_near_0_and_1(groups, mean):
    rng = np.random.default_rng(groups)
    samples = (simulated(rng, groups, (15, 200), shares(rng, mean, 100)) for _ in range(DRAWS))
    found, known = coverage(samples, mean, share=True)
    assert known > 0.98
    assert 0.93 <= found <= 0.97


@pytest.mark.parametrize("groups", GROUPS)
def test_where_right_answers_are_rare_a_share_covers_better_than_t(groups):
    """2% are right, most of them in few conversations. None of the intervals tried is exact here: t covers .83 to .92."""
    rng = np.random.default_rng(groups)
    samples = [simulated(rng, groups, (15, 200), shares(rng, 0.02, 20)) for _ in range(DRAWS // 3)]
    wilson, known = coverage(samples, 0.02, share=True)
    student, _ = coverage(samples, 0.02)
    assert known > 0.8
    assert 0.88 <= wilson <= 0.995
    assert student < wilson


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("spread", [0.0, 0.03, 0.1])
@pytest.mark.parametrize("groups", [5, 40])
def test_seeds_and_conversations_are_crossed(groups, spread, seeds):
    rng = np.random.default_rng(groups)

    def sample():
        counts = rng.integers(4, 30, size=groups)
        member = np.repeat(np.arange(groups), counts).tolist()
        of_seed, of_talk = spread * rng.normal(size=(seeds, 1)), 0.05 * rng.normal(size=groups)
        both = 0.02 * rng.normal(size=(seeds, groups))
        noise = 0.1 * rng.normal(size=(seeds, len(member)))
        return of_seed + (of_talk + both)[:, member] + noise, member

    samples = [sample() for _ in range(1000)]
    found, _ = coverage(samples, 0.0)
    assert (
        0.93 <= found <= 0.98
    )  # above .95 where seeds hardly differ: what they add is never negative
    means, _ = coverage([(scores.mean(0), member) for scores, member in samples], 0.0)
    assert means < found  # as if the seeds were all that there are


# ---- verdicts under the null -------------------------------------------------------------------------


def says_memory(figures):
    """Do the capstone's sentences and chapter 17's check call it memory? They must agree."""
    row = {"name": "mine", "memory": figures, "right": {"mean": 0.5}}
    row |= {name: {"mean": 0.0} for name in ("deleted", "other", "noise")}
    said = any("this is memory" in sentence for sentence in capstone.sentences(row))
    try:
        chapter_17.row.__wrapped__(row)
        passed = True
    except Wrong:
        passed = False
    assert said == passed
    return said


def chances(kind, rng):
    """Differences of two conditions that are equally good."""

    def normal(count):
        return 0.05 * rng.normal() + 0.15 * rng.normal(size=count)

    def matches(count):
        right = rng.beta(0.3, 2)
        return (rng.random(count) < right) - (rng.random(count) < right).astype(float)

    def bits(count):  # heavy tails
        return rng.laplace() + 3 * rng.standard_t(4, size=count)

    return {"normal": normal, "exact match": matches, "bits": bits}[kind]


@pytest.mark.parametrize("kind", ["normal", "exact match", "bits"])
@pytest.mark.parametrize("groups", GROUPS)
def test_a_verdict_errs_in_at_most_3_percent_on_each_side(groups, kind):
    rng = np.random.default_rng(groups)
    more = less = memory = 0
    for _ in range(DRAWS):
        values, member = simulated(rng, groups, (4, 30), chances(kind, rng))
        low, high = statistics.clustered_interval(values, member)
        if low <= 0 <= high:
            continue  # an interval that holds 0 never gives a verdict: see the next test
        rows = [{"conversation": talk} for talk in member]
        found = difference(rows, values, two_sided=True)
        more, less = more + (verdict(found) == "more"), less + (verdict(found) == "less")
        memory += says_memory(difference(rows, values))
    assert max(more, less, memory) <= 0.03 * DRAWS
    assert groups > 5 or more == less == 0
    assert groups > 3 or memory == 0


def figures(low, high, p=0.001, conversations=10, two_sided=True):
    mean = 0.3 if low is None else (low + high) / 2
    return {"mean": mean, "low": low, "high": high, "p": p, "conversations": conversations, "two_sided": two_sided}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (figures(0.1, 0.3), "more"),
        (figures(-0.3, -0.1), "less"),
        (figures(-0.1, 0.3), "not shown"),
        (figures(0.1, 0.3, p=0.06), "not shown"),
        (figures(0.1, 0.3, conversations=5), "too few"),  # 2 / 2^5 is above .05
        (figures(0.1, 0.3, conversations=5, two_sided=False), "more"),  # 1 / 2^5 is not
        (figures(0.1, 0.3, conversations=4, two_sided=False), "too few"),
        (figures(-0.3, -0.1, p=0.999, two_sided=False), "less"),
        (figures(None, None), "more"),  # all conversations agree on .3
        (figures(None, None, p=1.0), "not shown"),
    ],
)
def test_a_verdict_by_hand(given, said):
    assert verdict(given) == said


def test_many_verdicts_are_adjusted_for_their_number():
    family = {"a": figures(0.1, 0.3, p=0.01), "b": figures(0.1, 0.3, p=0.03)}
    assert verdicts(family) == {"a": "more", "b": "more"}  # 2 x .01 and 1 x .03
    family["c"] = figures(-0.1, 0.3, p=0.5)
    assert verdicts(family) == {"a": "more", "b": "not shown", "c": "not shown"}  # 2 x .03
    rng = np.random.default_rng(0)
    wrong = sum(min(statistics.holm(rng.random(20))) <= 0.05 for _ in range(DRAWS))
    assert wrong <= 0.06 * DRAWS
