"""Every generator of conversations keeps the same contract: seeded, disjoint, with exact evidence and counterfactual twins."""

import json

import pytest

from lmem.data import splits, tinyworld
from lmem.errors import DataError, InputError

NAMES = list(splits.GENERATORS)


def texts(conversations):
    return [conversation.texts() for conversation in conversations]


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_decides_everything_and_no_conversation_comes_twice(name):
    train, held = splits.for_training(name, 3, 16, 5, validation=2)
    again, _ = splits.for_training(name, 3, 16, 5, validation=2)
    other, _ = splits.for_training(name, 3, 16, 6, validation=2)
    test = splits.for_testing(name, 3, 16, 5)
    assert [len(part) for part in (train, held, test)] == [3, 2, 3]
    assert texts(train) == texts(again) != texts(other)
    everything = ["\n".join(turns) for turns in texts([*train, *held, *test])]
    assert len(set(everything)) == len(everything)


@pytest.mark.parametrize("name", NAMES)
def test_twins_have_the_same_questions_and_other_answers(name):
    for conversation in splits.for_testing(name, 3, 40, 5):
        twin = conversation.twin
        assert len(twin.turns) == len(conversation.turns) == 40
        pairs = list(zip(conversation.questions, twin.questions, strict=True))
        assert pairs
        assert [a.text for a, _ in pairs] == [b.text for _, b in pairs]
        assert any(a.answer != b.answer for a, b in pairs)
        assert all(a.evidence or a.answer is None for a, _ in pairs)
        assert conversation.twin.twin is None


@pytest.mark.parametrize("name", NAMES)
def test_training_conversations_hold_nothing_back_for_the_test(name):
    train, _ = splits.for_training(name, 4, 40, 1, varied=True)
    assert not any(question.held_out for c in train for question in c.questions)
    test = splits.for_testing(name, 4, 60, 1)
    assert any(question.held_out for c in test for question in c.questions)


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_conversation_is_asked_what_was_said_by_then(name):
    for conversation in splits.for_testing(name, 4, 40, 3, cut=True):
        assert 10 <= len(conversation.turns) <= 40
        assert all(
            turn < len(conversation.turns) for q in conversation.questions for turn in q.evidence
        )


def test_too_many_validation_conversations_are_refused(tmp_path):
    file = tmp_path / "three.json"
    file.write_text(json.dumps(tinyworld.samples(3, 0, tinyworld.World(turns=10), twins=False)))
    with pytest.raises(InputError, match="expected fewer than 2 validation"):
        splits.for_training(file, 0, 0, 0, validation=2)


def test_an_unknown_name_is_answered_with_the_names_there_are():
    with pytest.raises(DataError, match=f"expected {', '.join(NAMES)}, .*there is no toyy"):
        splits.for_testing("toyy", 1, 10, 0)
