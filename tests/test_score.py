"""Scores, each against a calculation done by hand."""

import json
import math

import numpy as np
import pytest
from scipy.stats import binomtest
from scipy.stats import permutation_test as scipy_permutation

from lmem.errors import InputError
from lmem.metrics import answer_scores, forgetting, statistics

# ---- one answer


@pytest.mark.parametrize(
    ("text", "squad", "as_run"),
    [
        ("The  Cat!", "cat", "cat"),
        ("A-team", "ateam", "team"),  # "a" is a word of its own only while the hyphen stands
        ("t.h.e end", "end", "the end"),  # and "the" is one only when the points are gone
        ("an apple, a day", "apple day", "apple day"),
        ("Theory", "theory", "theory"),
        ("the", "", ""),
        ("Tōkyō, 2022", "tōkyō 2022", "tōkyō 2022"),
    ],
)
def test_normalise(text, squad, as_run):
    assert answer_scores.normalise(text) == squad
    assert answer_scores.normalise(text, as_run=True) == as_run


def test_f1_by_hand():
    # "red kite" / "big red kite flew": 2 shared, precision 2/2, recall 2/4 -> 2 * 1 * .5 / 1.5
    assert answer_scores.f1("the red kite", "a big red kite flew") == pytest.approx(2 / 3)
    # bags: "b b c" / "b c c" share one b and one c: precision 2/3, recall 2/3
    assert answer_scores.f1("b b c", "b c c") == pytest.approx(2 / 3)
    assert answer_scores.f1("red", "blue") == 0.0
    assert answer_scores.f1("Red kite.", "kite red") == 1.0  # order does not count ...
    assert not answer_scores.exact_match("Red kite.", "kite red")  # ... but here it does


def test_f1_of_nothing():
    assert answer_scores.f1("", "kite") == 0.0
    assert answer_scores.f1("kite", "the") == 0.0
    assert answer_scores.f1("", "the") == 1.0


def test_as_run_changes_scores():
    assert answer_scores.f1("A-team", "team") == 0.0
    assert answer_scores.f1("A-team", "team", as_run=True) == 1.0
    assert answer_scores.exact_match("A-team", "team", as_run=True)
    assert not answer_scores.exact_match("A-team", "team")


def test_only_text_is_scored():
    with pytest.raises(InputError, match="expected an answer as text, got int"):
        answer_scores.f1("2022", 2022)


def test_declining_is_right_in_category_5():
    assert answer_scores.declines("No information available.")
    assert answer_scores.declines("It is NOT mentioned")
    assert not answer_scores.declines("a red kite")


def test_locomo_official_by_hand():
    # stems adopt, cat / adopt, cat, dog (no articles, no "and"): 2 * 2 / (2 + 3)
    assert answer_scores.locomo_official(
        "adopting the cats", "Adopted a cat and dog", 4
    ) == pytest.approx(0.8)
    # a comma is punctuation outside category 1
    assert answer_scores.locomo_official("May 7, 2023", "7 May 2023", 2) == 1.0
    # parts pottery, camp, paint; of the answer camp, swim: (0 + 1 + 0) / 3
    golds = "pottery, camping, painting"
    assert answer_scores.locomo_official("camping, swimming", golds, 1) == pytest.approx(1 / 3)
    # one answer may serve two parts: red kite / kite 2/3, red kite / red 2/3
    assert answer_scores.locomo_official("red kite", "kite, red", 1) == pytest.approx(2 / 3)
    # category 3 ends at the first ";": likely, no; in category 4 it is 2 * 2 / (2 + 5)
    because = "Likely no; she loves trees; much"
    assert answer_scores.locomo_official("likely no", because, 3) == 1.0
    assert answer_scores.locomo_official(
        "likely no", "Likely no; she loves trees", 4
    ) == pytest.approx(4 / 7)
    # category 5 asks only whether it declines
    assert answer_scores.locomo_official("Not mentioned.", "pottery", 5) == 1.0
    assert answer_scores.locomo_official("pottery", "pottery", 5) == 0.0
    assert answer_scores.locomo_official("no information available", None, 5) == 1.0


def test_locomo_official_departs_from_squad():
    assert answer_scores.locomo_official("the", "the", 4) == 0.0  # nothing is left to share
    assert answer_scores.f1("the", "the") == 1.0
    assert answer_scores.locomo_official("", "kite", 1) == 0.0
    assert (
        answer_scores.locomo_official("fly", "flying", 2) == 1.0
    )  # "fli" both, in NLTK's form of Porter's rules
    assert answer_scores.f1("fly", "flying") == 0.0
    assert answer_scores.locomo_official("salt and sea", "salt sea", 4) == 1.0
    assert answer_scores.f1("salt and sea", "salt sea") == pytest.approx(0.8)


@pytest.mark.parametrize("category", [0, 6, None])
def test_locomo_official_knows_its_categories(category):
    with pytest.raises(InputError, match="categories 1 to 5"):
        answer_scores.locomo_official("a kite", "a kite", category)


def test_a_stuck_decoder_repeats_a_word():
    assert answer_scores.repeats("the kite Kite KITE flew")
    assert not answer_scores.repeats("no no, no")  # "no," is another word
    assert not answer_scores.repeats("very very red very very")
    assert not answer_scores.repeats("")


# ---- what memory adds


def test_recall_rate_by_hand():
    # (.5 - .2) / (1 - .2) = .375; a loss counts as 0; with F_0 = 1 nothing is left to gain
    assert forgetting.recall_rate(0.5, 0.2) == pytest.approx(0.375)
    assert forgetting.recall_rate(0.1, 0.2) == 0.0
    assert forgetting.recall_rate(1.0, 1.0) == 0.0
    assert forgetting.recall_rate([0.5, 0.1], [0.2, 0.2]) == pytest.approx([0.375, 0.0])


def test_clipping_makes_noise_positive_and_the_signed_gain_does_not():
    f_mem, f_0 = [0.6, 0.2], [0.2, 0.6]  # the same two scores, exchanged
    assert np.mean(forgetting.signed_gain(f_mem, f_0)) == pytest.approx(0.0)
    assert np.mean(forgetting.recall_rate(f_mem, f_0)) == pytest.approx(0.25)  # (.4 / .8 + 0) / 2
    assert forgetting.clipped_gain(f_mem, f_0) == pytest.approx(
        [0.4, 0.0]
    )  # the draft's, undivided


# ---- by lag


@pytest.mark.parametrize(
    ("lag", "bucket"),
    [(0, 0), (31, 0), (32, 1), (63, 1), (64, 2), (127, 2), (128, 3), (255, 3), (256, 4), (9999, 4)],
)
def test_bucket_edges(lag, bucket):
    assert forgetting.bucket_of(lag) == bucket


def test_bucket_of_no_lag_and_of_a_negative_one():
    assert forgetting.bucket_of(None) is None
    with pytest.raises(InputError, match="0 turns or more, got -1"):
        forgetting.bucket_of(-1)


def test_forgetting_curve_by_hand():
    lags = [0, 31, 40, 70, 70, 70, 200, 300, None]
    values = [1.0, 0.6, 0.2, 0.5, 0.7, 0.6, 0.3, 0.1, 1.0]
    curve = forgetting.forgetting_curve(lags, values)
    assert curve["n"] == [2, 1, 3, 1, 1]
    assert curve["raw"] == pytest.approx([0.8, 0.2, 0.6, 0.3, 0.1])
    # .2 (1 question) < .6 (3 questions): pooled to (.2 + 3 * .6) / 4 = .5
    assert curve["fit"] == pytest.approx([0.8, 0.5, 0.5, 0.3, 0.1])
    assert curve["mean_of_buckets"] == pytest.approx((0.8 + 0.5 + 0.5 + 0.3 + 0.1) / 5)
    assert curve["raw_mean_of_buckets"] == pytest.approx((0.8 + 0.2 + 0.6 + 0.3 + 0.1) / 5)
    assert curve["mean_of_questions"] == pytest.approx((1.6 + 0.2 + 1.8 + 0.3 + 0.1) / 8)
    assert curve["without_lag"] == 1
    assert curve["buckets"] == ["[0,32)", "[32,64)", "[64,128)", "[128,256)", "[256,inf)"]


def test_a_rising_score_is_hidden_by_the_fit_and_shown_by_the_raw_means():
    curve = forgetting.forgetting_curve([0, 300, 300, 300], [0.0, 0.4, 0.4, 0.4])
    assert curve["raw"] == [0.0, None, None, None, pytest.approx(0.4)]
    assert curve["fit"] == [pytest.approx(0.3), None, None, None, pytest.approx(0.3)]
    assert curve["mean_of_buckets"] == pytest.approx(0.3)
    assert curve["raw_mean_of_buckets"] == pytest.approx(0.2)


@pytest.mark.parametrize("lags", [[], [None, None]])
def test_forgetting_curve_of_nothing(lags):
    curve = forgetting.forgetting_curve(lags, [0.5] * len(lags))
    assert curve["n"] == [0] * 5
    assert curve["fit"] == [None] * 5
    assert curve["mean_of_buckets"] is None
    assert curve["mean_of_questions"] is None


def test_forgetting_curve_is_plain_json():
    curve = forgetting.forgetting_curve([3, 70], np.array([1, 0]))
    assert json.loads(json.dumps(curve, allow_nan=False)) == curve


def test_lengths_must_agree():
    with pytest.raises(InputError, match="expected 2 values"):
        forgetting.forgetting_curve([1, 2], [0.5])
    with pytest.raises(InputError, match="expected 3 values"):
        statistics.clustered_bootstrap([0.5], ["a", "b", "c"])


def test_intervals_by_bucket():
    # [0,32): two equal conversations, means 0 and 1, so (0, 1); [64,128): one conversation only; elsewhere none
    lags, values, talks = [3, 3, 70, 70, None], [0.0, 1.0, 0.2, 0.4, 0.9], list("abaab")
    curve = forgetting.forgetting_curve(lags, values, talks)
    assert curve["low"] == [0.0, None, None, None, None]
    assert curve["high"] == [1.0, None, None, None, None]
    assert curve["raw"] == [0.5, None, pytest.approx(0.3), None, None]
    assert "low" not in forgetting.forgetting_curve(lags, values)
    assert json.loads(json.dumps(curve, allow_nan=False)) == curve


# ---- by session


def test_knowledge_curve_by_hand():
    # columns: evidence in session 1, 1, 2, 3, none
    scores = [
        [0.2, 0.4, 0.9, 0.9, 0.9],
        [0.2, 0.0, 0.7, 0.9, 0.9],
        [0.2, 0.2, 1.0, 0.6, 0.9],
    ]
    curve = forgetting.knowledge_curve(scores, [1, 1, 2, 3, None])
    assert curve["n"] == [2, 3, 4]
    assert curve["k"] == pytest.approx([0.3, 0.3, 0.5])  # .6 / 2, .9 / 3, 2.0 / 4
    assert curve["delta"] == pytest.approx(0.2)  # all of it from new questions:
    assert curve["panel"] == pytest.approx([0.3, 0.1, 0.2])
    assert curve["panel_n"] == 2
    assert curve["panel_delta"] == pytest.approx(-0.1)


def test_knowledge_curve_leaves_out_what_was_not_asked():
    nan = math.nan  # the second question's conversation has only one session
    curve = forgetting.knowledge_curve([[0.2, 0.6], [0.4, nan]], [1, 1])
    assert curve["n"] == [2, 1]
    assert curve["k"] == pytest.approx([0.4, 0.4])
    assert curve["panel_n"] == 1
    assert curve["panel"] == pytest.approx([0.2, 0.4])


def test_knowledge_curve_without_a_question_at_the_start():
    curve = forgetting.knowledge_curve([[0.2], [0.6]], [2])
    assert curve["k"] == [None, pytest.approx(0.6)]
    assert curve["delta"] is None
    assert curve["panel_delta"] is None
    assert json.loads(json.dumps(curve, allow_nan=False)) == curve


def test_knowledge_curve_shapes():
    with pytest.raises(InputError, match=r"expected scores \(S, 3\)"):
        forgetting.knowledge_curve([[0.1, 0.2]], [1, 1, 2])


# ---- how sure


def test_bootstrap_of_two_conversations_by_hand():
    # two equal conversations, means 0 and 1: a resample's mean is 0, .5 or 1 with odds 1 : 2 : 1,
    # so the 2.5% and 97.5% points are the ends themselves, however many questions there are
    values, clusters = [0.0] * 50 + [1.0] * 50, ["a"] * 50 + ["b"] * 50
    assert statistics.clustered_bootstrap(values, clusters) == (0.0, 1.0)


def test_bootstrap_is_wider_by_conversation_than_by_question():
    rng = np.random.default_rng(1)
    means = rng.uniform(0.2, 0.8, size=10)
    values = (rng.random((10, 40)) < means[:, None]).astype(float).ravel()
    by_talk = statistics.clustered_bootstrap(values, np.repeat(np.arange(10), 40))
    by_question = statistics.clustered_bootstrap(values, np.arange(400))
    assert by_talk[0] < values.mean() < by_talk[1]
    assert by_talk[1] - by_talk[0] > 1.5 * (by_question[1] - by_question[0])


def test_bootstrap_weights_conversations_by_their_questions():
    # one conversation of 3 zeros, one of a single 1: means 0, 1/4 and 1, not 0, 1/2 and 1
    found = set()

    def mean(values):
        found.add(round(float(values.mean()), 6))
        return values.mean()

    values, clusters = [0.0, 0.0, 0.0, 1.0], ["a", "a", "a", "b"]
    slow = statistics.clustered_bootstrap(values, clusters, statistic=mean, level=0.2)
    assert found == {0.0, 0.25, 1.0}
    assert slow == (0.25, 0.25)  # half of all resamples: the middle ones
    assert slow == statistics.clustered_bootstrap(values, clusters, level=0.2)  # the fast way


def test_bootstrap_by_seed_statistic_and_level():
    values, clusters = np.arange(30.0) ** 2, np.repeat(np.arange(10), 3)
    one = statistics.clustered_bootstrap(values, clusters, seed=3)
    assert one == statistics.clustered_bootstrap(values, clusters, seed=3)
    assert one != statistics.clustered_bootstrap(values, clusters, seed=4)
    assert statistics.clustered_bootstrap(values, clusters, statistic=np.max, n=200)[1] == 29.0**2
    half = statistics.clustered_bootstrap(values, clusters, seed=3, level=0.5)
    assert one[0] < half[0] < half[1] < one[1]


def test_bootstrap_needs_two_conversations():
    assert all(math.isnan(end) for end in statistics.clustered_bootstrap([0.1, 0.9], ["a", "a"]))
    with pytest.raises(InputError, match="at least one value"):
        statistics.clustered_bootstrap([], [])


def test_standard_error_by_hand():
    # mean .5; the conversations' sums lie +1 and -1 from it: sqrt(2 / 1 * (1 + 1)) / 4 = .5
    assert statistics.clustered_standard_error([1, 1, 0, 0], "aabb") == pytest.approx(0.5)
    # one question each is the usual one: variance of 1, 2, 3, 4 is 5/3, over 4
    assert statistics.clustered_standard_error([1, 2, 3, 4], "abcd") == pytest.approx(
        (5 / 12) ** 0.5
    )
    assert math.isnan(statistics.clustered_standard_error([0.1, 0.9], "aa"))


def test_minimum_detectable_difference_by_hand():
    # z_.975 + z_.80 = 1.95996 + .84162 = 2.80159, times the .5 from above
    found = statistics.minimum_detectable_difference([1, 1, 0, 0], "aabb")
    assert found == pytest.approx(1.400793, abs=1e-6)
    # a fourth of the values' size is a fourth of it; more power needs more
    assert statistics.minimum_detectable_difference([0.25, 0.25, 0, 0], "aabb") == pytest.approx(
        found / 4
    )
    assert statistics.minimum_detectable_difference([1, 1, 0, 0], "aabb", power=0.9) > found
    for alike in ([0, 0, 0, 0], [0.1, 0.1, 0.1, 0.1], [0.3, 0.1, 0.1, 0.3]):  # no spread was seen
        assert math.isnan(statistics.minimum_detectable_difference(alike, "aabb"))
    assert math.isnan(statistics.minimum_detectable_difference([0, 1], "aa"))


def test_permutation_by_hand():
    # sums by conversation 2, 1, -1; with all signs 2 4 0 2 -2 0 -4 -2: three of 8 reach the 2 that was seen
    values, talks = [1, 1, 0.5, 0.5, -1], "aabbc"
    assert statistics.permutation_test(values, talks) == 3 / 8
    assert statistics.permutation_test(values, talks, two_sided=True) == 6 / 8
    assert (
        statistics.permutation_test([-v for v in values], talks) == 7 / 8
    )  # seen is -2: all but the -4
    assert statistics.permutation_test([0.0, 0.0], "ab") == 1.0
    assert statistics.permutation_test([1.0, 1.0], "aa") == 0.5  # one conversation proves little


def test_permutation_agrees_with_scipy_and_with_itself_at_random():
    values = np.random.default_rng(2).normal(0.4, 1, size=9)
    for two_sided, name in ((False, "greater"), (True, "two-sided")):
        theirs = scipy_permutation((values,), np.mean, permutation_type="samples", alternative=name)
        exact = statistics.permutation_test(values, range(9), two_sided)
        # scipy's two-sided p is twice the smaller tail, ours both tails: the same here, up to rounding
        assert exact == pytest.approx(theirs.pvalue, abs=1e-9)
        drawn = statistics.permutation_test(values, range(9), two_sided, n=500)
        assert drawn == pytest.approx(exact, abs=0.06)
        assert drawn != exact
    assert (
        statistics.permutation_test(np.ones(40), range(40)) == 1 / 10_000
    )  # what was seen, and no other


def test_wilson_by_hand():
    # 8 of 10, z = 1.96: middle .8 + 3.8416 / 20 = .99208, half 1.96 sqrt(.016 + .009604) = .31362,
    # both over 1 + .38416: (.67846, 1.3057) / 1.38416
    assert statistics.wilson(8, 10) == pytest.approx((0.49016, 0.94332), abs=2e-5)


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (5, 5), (1, 3), (968, 1000)])
@pytest.mark.parametrize("level", [0.95, 0.9])
def test_wilson_agrees_with_scipy(successes, n, level):
    theirs = binomtest(successes, n).proportion_ci(level, method="wilson")
    assert statistics.wilson(successes, n, level) == pytest.approx(
        (theirs.low, theirs.high), abs=1e-9
    )


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_is_no_share(successes, n):
    with pytest.raises(InputError, match="expected 0 to n successes"):
        statistics.wilson(successes, n)


@pytest.mark.parametrize(
    ("pred", "gold"), [("x", None), ("x", 7), (None, "x"), (3, "x"), ("x", ["x"])]
)
def test_an_answer_that_is_no_text_is_refused(pred, gold):
    for category in (1, 2, 3, 4):
        with pytest.raises(InputError, match="as text"):
            answer_scores.locomo_official(pred, gold, category)
    if not isinstance(pred, str):
        with pytest.raises(InputError, match="as text"):
            answer_scores.locomo_official(pred, gold, 5)
        for score in (answer_scores.declines, answer_scores.repeats):
            with pytest.raises(InputError, match="as text"):
                score(pred)
