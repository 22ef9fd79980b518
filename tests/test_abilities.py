"""Scores by ability against counts done by hand, and the risk-coverage curve."""

import pytest

from lmem.errors import InputError
from lmem.evaluation.abilities import ability, by_ability, by_novelty, risk_coverage
from lmem.evaluation.tables import ability_texts, novelty_texts

CONTROLS = ["right", "twin"]


def asked(conversation, kind, right, twin="x", gold="Rex", confidence=None):
    """A question, what was answered with the right bank and with the twin's."""
    told = kind != "never-told"

    def scores(answer):
        found = {"answer": answer, "em": int(answer == gold) if told else None}
        return found if confidence is None else {**found, "confidence": confidence}

    return {
        "conversation": conversation, "kind": kind, "category": 4 if told else 5, "answerable": told,
        "right": scores(right), "twin": scores(twin),
    }  # fmt: skip


def test_each_ability_has_its_own_score_and_control():
    rows = [
        asked("a", "single", "Rex"),
        asked("a", "single", "unknown", twin="Rex"),
        asked("b", "single", "Rex"),
        asked("a", "updated", "Bo"),
        asked("b", "never-told", "unknown", twin="No information available."),
        asked("b", "never-told", "Rex", twin="Rex"),
    ]
    found = by_ability(rows, CONTROLS)
    assert list(found) == ["extraction", "update", "abstention"]
    extraction = found["extraction"]
    assert extraction["n"] == 3
    assert extraction["conditions"]["right"]["right"]["mean"] == pytest.approx(2 / 3, abs=1e-4)
    assert extraction["conditions"]["right"]["unknown"]["mean"] == pytest.approx(1 / 3, abs=1e-4)
    assert extraction["memory"]["twin"]["mean"] == pytest.approx(
        1 / 3, abs=1e-4
    )  # 2 of 3 less 1 of 3
    assert found["abstention"]["conditions"]["right"]["right"]["mean"] == 0.5
    assert found["abstention"]["conditions"]["twin"]["right"]["mean"] == 0.5
    assert "memory" not in found["abstention"]
    texts = ability_texts(found, "twin")
    assert [row["ability"] for row in texts] == list(found)
    assert texts[1]["right bank"].startswith("0.0")


def test_what_is_new_has_a_score_of_its_own():
    """A relation that training never had counts more than its words; other abilities are left out."""
    rows = [
        asked("a", "single", "Rex") | {"held_out": ["name"]},
        asked("b", "single", "unknown") | {"held_out": ["phrasing"]},
        asked("a", "single", "Rex") | {"held_out": ["phrasing"]},
        asked("b", "single", "Bo") | {"held_out": ["phrasing", "relation"]},
        asked("a", "updated", "Rex") | {"held_out": ["relation"]},
        asked("b", "never-told", "unknown") | {"held_out": ["relation"]},
    ]
    found = by_novelty(rows)
    assert {name: one["n"] for name, one in found.items()} == {
        "seen": 1,
        "phrasing": 2,
        "relation": 1,
    }
    assert [one["right"]["mean"] for one in found.values()] == [1.0, 0.5, 0.0]
    assert [one["unknown"]["mean"] for one in found.values()] == [0.0, 0.5, 0.0]
    assert [row["questions"] for row in novelty_texts(found)] == ["1", "2", "1"]


def test_abilities_of_all_data():
    assert ability("single") == ability(None, 4) == "extraction"
    assert ability("two-hop") == ability("list") == ability(None, 1) == "multi-hop"
    assert ability("update") == ability("updated") == "update"
    assert ability("never-told") == ability(None, 5) == "abstention"
    assert ability(None, 3) is None


def test_the_surest_answers_come_first():
    rows = [
        asked("a", "single", "Rex", confidence=0.9),
        asked("a", "single", "Bo", confidence=0.4),
        asked("a", "single", "unknown", confidence=0.95),  # covers nothing
        asked("a", "never-told", "Rex", confidence=0.6),
    ]
    points = risk_coverage(rows)
    assert [point["confidence"] for point in points] == [0.9, 0.6, 0.4]
    assert [point["coverage"] for point in points] == [0.25, 0.5, 0.75]
    assert [point["risk"] for point in points] == [0, 0.5, pytest.approx(2 / 3)]
    assert {point["right"] for point in points} == {0.25}


def test_without_confidence_there_is_no_curve():
    with pytest.raises(InputError, match="confidence=True"):
        risk_coverage([asked("a", "single", "Rex")])
