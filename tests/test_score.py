"""Scores, each against a calculation done by hand."""

import json
import math

import numpy as np
import pytest

from lmem.errors import InputError
from lmem.metrics import answer_scores, forgetting, statistics

# ---- one answer


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  Cat!", "cat"),
        ("A-team", "ateam"),  # "a" is a word of its own only while the hyphen stands
        ("t.h.e end", "end"),  # and "the" is one only when the points are gone
        ("an apple, a day", "apple day"),
        ("Theory", "theory"),
        ("the", ""),
        ("Tōkyō, 2022", "tōkyō 2022"),
    ],
)
def test_normalise(text, normal):
    assert answer_scores.normalise(text) == normal


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
        statistics.clustered_interval([0.5], ["a", "b", "c"])


def test_intervals_by_bucket():
    # [0,32): two conversations, means 0 and 1; [64,128): one conversation only; elsewhere none
    lags, values, talks = [3, 3, 70, 70, None], [0.0, 1.0, 0.2, 0.4, 0.9], list("abaab")
    curve = forgetting.forgetting_curve(lags, values, talks)
    low, high = statistics.clustered_interval([0.0, 1.0], "ab")
    assert curve["low"] == [low, None, None, None, None]
    assert curve["high"] == [high, None, None, None, None]
    assert curve["conversations"] == [2, 0, 1, 0, 0]
    of_shares = forgetting.forgetting_curve(lags, values, talks, share=True)
    assert low < 0 < of_shares["low"][0] < of_shares["high"][0] < 1 < high
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
