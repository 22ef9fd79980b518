"""A run's figures from its rows, each against a calculation done by hand."""

import json

import pytest

from lmem.evaluation.summary import difference, headline, interval, resummarise, summarise, verdict

CONTROLS = ["right", "twin", "other", "none", "null_rows", "baseline"]
NOTHING = dict.fromkeys(("f1", "em", "bits", "locomo"))


def scored(f1=0.0, em=None, bits=-6.0, answer="x", **more):
    em = int(f1 == 1) if em is None else em
    return {"answer": answer, "f1": f1, "em": em, "bits": bits, "locomo": f1, **more}


def row(conversation, right=0.0, twin=0.0, lag=5, kept=True, category=4, **conditions):
    """A question with an answer; a condition is an f1, or all its scores."""
    conditions |= {"right": right, "twin": twin}
    found = {name: scored() for name in CONTROLS}
    found |= {name: s if isinstance(s, dict) else scored(s) for name, s in conditions.items()}
    return {
        "conversation": conversation, "lag": lag, "in_bank": kept, "answerable": True, "category": category,
        **found,
    }  # fmt: skip


def never_told(conversation, **conditions):
    """A question of category 5: only LoCoMo's own rule scores it."""
    found = {name: {"answer": "y", **NOTHING, "locomo": 0.0} for name in CONTROLS}
    found |= {name: {"answer": "y", **NOTHING, "locomo": rule} for name, rule in conditions.items()}
    about = {"lag": 5, "in_bank": True, "answerable": False, "category": 5}
    return {"conversation": conversation, **about, **found}


def test_memory_is_right_minus_wrong():
    rows = [row("a", 1, 0), row("a", 1, 1), row("b", 1, 0), row("b", 0, 0, kept=False, lag=40)]
    found = summarise(rows, CONTROLS)
    assert (found["n"], found["conversations"]) == (4, 2)
    assert found["conditions"]["right"]["em"]["mean"] == 0.75  # 3 of 4
    memory = found["memory"]["right-twin, all"]
    assert memory["mean"] == 0.5  # (1 + 0 + 1 + 0) / 4
    # by conversation 1 and 1: all signs give 2, 0, 0, -2, and one of four reaches 2
    assert memory["p"] == 0.25
    assert memory["mdd"] is None  # both conversations have the mean .5: no spread was seen
    assert found["memory"]["right-twin, in_bank"]["mean"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["memory"]["right-other, all"]["mean"] == 0.75
    assert found["in_bank"]["n"] == 3
    assert headline(found) == (memory, "twin")
    assert found["forgetting"]["em right"]["raw"][:2] == [1.0, 0.0]
    assert found["forgetting"]["f1 twin"]["raw"][:2] == [pytest.approx(1 / 3), 0.0]


def test_memory_in_f1_and_bits_beside_exact_match():
    rows = [
        row("a", right=scored(0.5, bits=-2.0), twin=scored(0.25, bits=-3.0)),
        row("b", right=scored(1.0, bits=-1.0), twin=scored(0.25, bits=-7.0)),
    ]  # fmt: skip
    found = summarise(rows, CONTROLS)
    memory = found["memory"]["right-twin, all"]
    assert memory["mean"] == 0.5  # (0 + 1) / 2
    assert memory["f1"]["mean"] == 0.5  # (.25 + .75) / 2
    assert memory["bits"]["mean"] == 3.5  # (1 + 6) / 2
    # from 3.5 they lie 2.5 apart: sqrt(2 * (6.25 + 6.25)) / 2 = 2.5, times t_.975 = 12.7062
    assert memory["bits"]["high"] == pytest.approx(3.5 + 31.7655, abs=1e-3)
    assert memory["bits"]["mdd"] is None  # no p of two conversations is below 1/4
    right = found["conditions"]["right"]
    assert right["bits"]["mean"] == -1.5
    assert right["bits_gained"]["mean"] == 4.5  # over -6 without a bank: (4 + 5) / 2
    assert found["conditions"]["none"]["bits_gained"]["mean"] == 0.0


def test_the_papers_protocol_by_hand():
    def asked(talk, lag, f_mem, f_0, f_base):
        conditions = {"right": f_mem, "null_rows": f_0, "baseline": f_base}
        return row(talk, lag=lag, **conditions)

    found = summarise(
        [
            asked("a", 5, 0.5, 0.2, 0.3), asked("a", 10, 0.1, 0.2, 0.1),
            asked("b", 40, 1.0, 0.5, 0.0), asked("b", 300, 0.4, 0.0, 0.2),
        ],
        CONTROLS,
    )  # fmt: skip
    curves = found["forgetting"]
    # rho: .3 / .8 = .375, clipped 0, .5 / .5 = 1, .4 / 1 = .4
    rho = curves["recall_rate"]
    assert rho["n"] == [2, 1, 0, 0, 1]
    assert rho["raw"] == pytest.approx([0.1875, 1.0, None, None, 0.4])
    pooled = (0.375 + 1) / 3  # the second bucket may not lie above the first: two questions and one
    assert rho["fit"] == pytest.approx([pooled, pooled, None, None, 0.4])
    assert rho["mean_of_buckets"] == pytest.approx((2 * pooled + 0.4) / 3)
    assert rho["raw_mean_of_buckets"] == pytest.approx((0.1875 + 1 + 0.4) / 3)
    assert rho["mean_of_questions"] == pytest.approx((0.375 + 0 + 1 + 0.4) / 4)
    assert rho["low"] == [None] * 5  # one conversation in each bucket
    # the draft's: .3, 0, .5, .4; signed: .3, -.1, .5, .4
    assert curves["clipped_gain"]["raw"] == pytest.approx([0.15, 0.5, None, None, 0.4])
    assert curves["signed_gain"]["raw"] == pytest.approx([0.1, 0.5, None, None, 0.4])
    assert curves["signed_gain"]["mean_of_questions"] == pytest.approx(1.1 / 4)
    assert curves["f1 right"]["raw"] == pytest.approx([0.3, 1.0, None, None, 0.4])
    # tax: (.1 - .1 - .5 + .2) / 4; by conversation 0 and -.15, a standard error of .075, times 12.7062
    tax = found["adapter_tax"]
    assert (tax["mean"], tax["low"], tax["high"]) == (-0.075, -1.028, 0.878)
    assert found["net_benefit"]["mean"] == 0.35  # (.2 + 0 + 1 + .2) / 4


def test_broken_decoding_is_counted():
    answers = ["", "no no no", "kite", "kite"]
    rows = [row("a", right=scored(answer=answer)) for answer in answers]
    right = summarise(rows, CONTROLS)["conditions"]["right"]
    assert (right["empty"], right["repeated"], right["identical"]) == (0.25, 0.25, 0.5)


def test_following_the_wrong_bank():
    follows = [1, 0, 1, None]  # the last has no answer in the twin either
    rows = [row("a", **{"twin": scored(follows=hit)}) for hit in follows]
    found = summarise(rows, CONTROLS)["conditions"]
    assert found["twin"]["follows"]["mean"] == pytest.approx(2 / 3, abs=1e-4)
    assert "follows" not in found["right"]


def test_category_5_stands_beside_and_not_within():
    rows = [
        row("a", 1),
        row("b", 0),
        never_told("b", right=1.0, twin=0.0),
        never_told("b", twin=1.0),
    ]
    found = summarise(rows, CONTROLS)
    assert found["n"] == 2
    assert found["conditions"]["right"]["em"]["mean"] == 0.5
    assert found["memory"]["right-twin, all"]["mean"] == 0.5
    more = found["with_category_5"]
    assert more["n"] == 4
    assert more["conditions"]["right"]["f1"]["mean"] == 0.5  # (1 + 0 + 1 + 0) / 4
    assert more["conditions"]["twin"]["em"]["mean"] == 0.25
    assert more["memory"]["right-twin, all"]["mean"] == 0.25  # (1 + 0 + 1 - 1) / 4
    assert (
        more["memory"]["right-twin, all"]["bits"]["mean"] == 0.0
    )  # of the two that have an answer
    assert more["forgetting"]["recall_rate"]["n"][0] == 4
    assert "with_category_5" not in summarise(rows[:2], CONTROLS)
    assert rows[2]["right"]["f1"] is None  # the rows stay as they were


def test_official_scores_by_category():
    rows = [
        row("a", 1, category=1),
        row("a", 0.5, category=4),
        row("b", 0, category=4),
        never_told("b", right=1.0),
    ]
    unknown = {name: {**scored(), "locomo": None} for name in CONTROLS}
    rows.append(row("b", category=0, **unknown))
    found = summarise(rows, CONTROLS)["locomo"]["right"]
    assert {name: (f["n"], f["mean"]) for name, f in found.items()} == {
        "1": (1, 1.0), "4": (2, 0.25), "5": (1, 1.0), "without_5": (3, 0.5), "all": (4, 0.625),
    }  # fmt: skip


def test_one_conversation_has_no_interval_and_no_nan():
    found = summarise([row("a", 1, 0), row("a", 0, 0)], CONTROLS)
    nothing = {"mean": 0.5, "low": None, "high": None, "conversations": 1}
    assert found["conditions"]["right"]["em"] == nothing
    assert found["memory"]["right-twin, all"]["mdd"] is None
    json.loads(json.dumps(found, allow_nan=False))


def test_nothing_answerable():
    found = summarise([never_told("a"), never_told("b")], CONTROLS)
    assert found["n"] == 0
    assert "forgetting" not in found
    assert found["with_category_5"]["n"] == 2
    assert headline(found) == (None, None)
    json.loads(json.dumps(found, allow_nan=False))


def test_a_difference_is_its_interval_and_how_sure():
    rows = [{"conversation": talk} for talk in "abcde"]
    values = [1, 2, 3, 4, 5]
    found = difference(rows, values)
    names = ("mean", "low", "high", "conversations")
    assert {name: found[name] for name in names} == interval(rows, values)
    # sqrt(1/2) times 2.77645 with 4 degrees of freedom; the mdd is in test_statistics
    assert (found["mean"], found["low"], found["high"]) == (3.0, 1.0368, 4.9632)
    assert found["p"] == pytest.approx(1 / 32, abs=1e-4)  # all signs as they are
    assert found["mdd"] == pytest.approx(2.6286, abs=1e-4)
    two_sided = difference(rows, values, two_sided=True)
    assert (two_sided["p"], two_sided["mdd"]) == (pytest.approx(1 / 16), None)
    assert (verdict(found), verdict(two_sided)) == ("more", "too few")


def test_a_summary_is_computed_again_from_the_questions():
    rows = [row("a", 1, 0), row("b", 0, 1), never_told("b", right=1.0)]
    summary = summarise(rows, CONTROLS)
    old = {**summary, "n": 0, "knowledge": {"right": [0.5]}}
    old["with_category_5"] = {"knowledge": "as it is"}
    again = resummarise({"questions": rows, "summary": old})
    assert again.pop("knowledge") == {"right": [0.5]}
    assert again["with_category_5"].pop("knowledge") == "as it is"
    assert again == summary
