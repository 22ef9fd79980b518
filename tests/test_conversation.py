"""Conversations as values: how a turn is rendered, how lag counts, what is refused."""

import math

import pytest

from lmem.data import locomo, tinyworld
from lmem.data.conversation import (
    CATEGORIES,
    Conversation,
    Question,
    Report,
    Session,
    Turn,
    lag_of,
)
from lmem.data.export import to_datasets
from lmem.errors import BankError, DataError, InputError, LmemError, MethodError, ShapeError


def talk(name="talk", questions=(), twin=None):
    """Two sessions of two turns and one turn."""
    first = (
        Turn("D1:1", "Ina", "I bought a red kite.", caption="a kite on grass"),
        Turn("D1:2", "Oto", "How nice!"),
    )
    second = (Turn("D2:1", "Ina", "It flew away.", session=2),)
    sessions = (Session(1, "3 May", first), Session(2, "", second))
    return Conversation(name, ("Ina", "Oto"), sessions, questions, twin)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "context: 3 May, Ina: I bought a red kite. [image: a kite on grass]"),
        ({"dates": False}, "context: Ina: I bought a red kite. [image: a kite on grass]"),
        ({"captions": False}, "context: 3 May, Ina: I bought a red kite."),
        ({"dates": False, "captions": False}, "context: Ina: I bought a red kite."),
    ],
)
def test_a_turn_is_rendered_exactly(options, expected):
    texts = talk().texts(**options)
    assert texts[0] == expected
    assert len(texts) == 3


def test_no_date_and_no_caption_leave_no_trace():
    texts = talk().texts()
    assert texts[1] == "context: 3 May, Oto: How nice!"
    assert texts[2] == "context: Ina: It flew away."


def test_turns_run_over_the_sessions_in_order():
    assert [turn.id for turn in talk().turns] == ["D1:1", "D1:2", "D2:1"]


def test_question_prompt():
    question = Question("q", "What flew away?", "the kite", 4)
    assert question.prompt == "question: What flew away?"


def test_official_category_names():
    names = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
    assert names == CATEGORIES


@pytest.mark.parametrize(
    ("evidence", "turns", "lag"),
    [((), 10, None), ((9,), 10, 0), ((0,), 10, 9), ((4, 7), 10, 5), ((0,), 1, 0)],
)
def test_lag_counts_the_turns_after_the_oldest_evidence(evidence, turns, lag):
    assert lag_of(evidence, turns) == lag


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_turn_is_refused(text):
    with pytest.raises(DataError, match="expected words in turn D1:7"):
        Turn("D1:7", "Ina", text)


def test_sessions_out_of_order_are_refused():
    turn = (Turn("D1:1", "Ina", "Hi."),)
    with pytest.raises(DataError, match=r"numeric order.*\[10, 2\]"):
        Conversation("c", ("Ina", "Oto"), (Session(10, "", turn), Session(2, "", turn)))


def test_a_conversation_without_turns_is_refused():
    with pytest.raises(DataError, match="at least one turn"):
        Conversation("c", ("Ina", "Oto"), (Session(1, "", ()),))


@pytest.mark.parametrize("evidence", [(3,), (-1,)])
def test_evidence_outside_the_turns_is_refused(evidence):
    with pytest.raises(DataError, match="within 3 turns"):
        talk(questions=(Question("q", "What?", "a", 4, evidence),))


def test_values_cannot_be_changed():
    with pytest.raises(AttributeError):
        talk().id = "other"


def test_every_error_is_an_lmem_error_and_a_value_error():
    for kind in (DataError, ShapeError, BankError, MethodError, InputError):
        assert issubclass(kind, LmemError)
        assert issubclass(kind, ValueError)
    assert not issubclass(LmemError, ValueError)


def test_report_counts_its_kinds():
    assert Report().kinds == {}
    assert Report().as_dict()["categories"] == dict.fromkeys((1, 2, 3, 4, 5), 0)


@pytest.mark.filterwarnings("default")  # warnings of the datasets library are not ours
def test_datasets_have_one_row_per_conversation():
    told = Question("q0", "What flew away?", "the kite", 4, (0, 2), 2, held_out=("name",))
    untold = Question("q1", "Who is Bo?", None, 5, adversarial_answer="a dog")
    both = to_datasets(
        [talk("a", (told, untold), twin=talk("a/twin"))], [talk("b")], twin=[talk("a/twin")]
    )
    assert {name: len(split) for name, split in both.items()} == {"train": 1, "test": 1, "twin": 1}
    assert both["test"].features == both["train"].features  # though the test asks nothing
    found = both["train"][0]
    assert found["speakers"] == ["Ina", "Oto"]
    assert found["sessions"][0]["turns"][0]["caption"] == "a kite on grass"
    assert found["sessions"][1] == {
        "number": 2,
        "date": "",
        "turns": [
            {"id": "D2:1", "speaker": "Ina", "text": "It flew away.", "caption": None, "session": 2}
        ],
    }
    first, second = found["questions"]
    assert (first["answer"], first["evidence"], first["lag"]) == ("the kite", [0, 2], 2)
    assert first["held_out"] == ["name"]
    assert (second["answer"], second["evidence"], second["lag"]) == (None, [], None)
    assert not any(isinstance(v, float) and math.isnan(v) for v in second.values())


def test_until_cuts_turns_questions_and_twin():
    [whole] = locomo.parse(tinyworld.samples(1, "until", tinyworld.World(turns=50, questions=40)))
    cut = whole.until(30)
    assert [t.text for t in cut.turns] == [t.text for t in whole.turns[:30]]
    assert [len(s.turns) for s in cut.sessions] == [20, 10]
    kept = {q.id: q for q in cut.questions}
    for q in whole.questions:
        assert (q.id in kept) == all(turn < 30 for turn in q.evidence)
        if q.id in kept and q.evidence:
            assert kept[q.id].lag == q.lag - 20
    assert 0 < len(kept) < len(whole.questions)
    assert len(cut.twin.turns) == 30
    assert whole.until(50) == whole
    for wrong in (0, 51):
        with pytest.raises(DataError, match="expected 1 to 50 turns"):
            whole.until(wrong)
