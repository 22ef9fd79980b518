"""The generator: its facts are where it says, its values cannot be guessed, its twins differ in nothing else."""

import pytest

from lmem.data import locomo, tinyworld
from lmem.data import tinyworld_language as words
from lmem.data.reading import readings
from lmem.errors import InputError


def drawn(n=6, seed=3, **world):
    return locomo.parse(tinyworld.samples(n, seed, tinyworld.World(**world)))


def asked(conversations, kind):
    return [(c, q) for c in conversations for q in c.questions if q.kind == kind]


def test_same_seed_same_conversations_and_other_seed_others():
    assert tinyworld.samples(2, 5) == tinyworld.samples(2, 5)
    assert tinyworld.samples(2, 5) != tinyworld.samples(2, 6)


def test_one_reader_reads_it_without_a_problem():
    conversations = drawn(20)
    assert conversations.report.problems == []
    assert conversations.report.twins == 20


def test_many_relations_phrasings_and_values():
    assert len(words.RELATIONS) >= 30
    for subject, value, statements, questions in words.RELATIONS.values():
        assert len(set(statements)) >= 3
        assert len(set(questions)) >= 3
        assert subject in ("person", "pet", "place")
        assert all("{V}" in s for s in statements)
        if value not in words.NAMED:
            first, second = words.VALUES[value]
            assert len(first) * len(second) >= 200


@pytest.mark.parametrize("kind", ["single", "updated"])
def test_the_evidence_turn_states_the_answer(kind):
    found = asked(drawn(20), kind)
    assert len(found) > 20
    for c, q in found:
        [turn] = q.evidence
        assert q.answer in c.turns[turn].text


def test_updated_questions_have_an_older_value_and_the_newest_is_right():
    for c, q in asked(drawn(30, overwritten=0.4), "updated"):
        [newest] = q.evidence
        text = c.turns[newest].text
        assert any(text.lower().startswith(word) for word in words.CORRECTIONS), text


def test_two_hops_go_through_the_first_answer():
    found = asked(drawn(40), "two-hop")
    assert len(found) > 10
    for c, q in found:
        assert 1 <= len(q.evidence) <= 2
        texts = [c.turns[t].text for t in q.evidence]
        assert any(q.answer in text for text in texts)
        assert q.category == 1


def test_what_was_never_told_has_no_answer_and_no_evidence():
    found = asked(drawn(20), "never-told")
    assert found
    for _, q in found:
        assert (q.answer, q.evidence, q.category) == (None, (), 5)
        assert q.adversarial_answer


def test_the_twin_has_the_same_questions_and_other_values():
    for c in drawn(10):
        assert [q.text for q in c.questions] == [q.text for q in c.twin.questions]
        assert len(c.turns) == len(c.twin.turns)
        for q, other in zip(c.questions, c.twin.questions, strict=True):
            if q.kind in ("single", "updated"):
                assert q.answer != other.answer
                assert q.evidence == other.evidence
        spoken = [(a.speaker, a.session) for a in c.turns]
        assert spoken == [(a.speaker, a.session) for a in c.twin.turns]


def test_training_pool_holds_nothing_that_is_held_out():
    for sample in tinyworld.samples(30, 1, tinyworld.World(pool="train")):
        for qa in sample["qa"]:
            assert qa["held_out"] == []
            assert qa["relation"] not in words.HELD_OUT_RELATIONS
        turns = [t for k, v in sample["conversation"].items() if isinstance(v, list) for t in v]
        said = {w.strip(".,?!:'s") for t in turns for w in t["text"].split()}
        assert not said & words.HELD_OUT_NAMES
    whole = [q for s in tinyworld.samples(10, 1) for q in s["qa"] if q["held_out"]]
    assert whole


def test_600_turns_hold_150_live_facts():
    import random

    for seed in range(3):
        story = tinyworld._story("x", random.Random(seed), tinyworld.World(turns=600))
        assert len(story.told) >= 150


@pytest.mark.parametrize("turns", [10, 2000])
def test_shortest_and_longest(turns):
    [c] = drawn(1, turns=turns)
    assert len(c.turns) == turns
    assert len(c.sessions) == -(-turns // 20)


@pytest.mark.parametrize(
    "bad",
    [
        {"turns": 9}, {"turns": 2001}, {"facts": 0}, {"overwritten": 1}, {"pool": "test"},
        {"mix": (1, 1)}, {"session_turns": 0}, {"relations": 0},
    ],
)  # fmt: skip
def test_bad_worlds_are_refused(bad):
    with pytest.raises(InputError, match="not"):
        tinyworld.World(**bad)


def test_readings_hold_their_evidence_or_leave_it_out():
    stream, without = readings("a", 6), readings("a", 6, evidence=False)
    for _ in range(50):
        shown, hidden = next(stream), next(without)
        assert shown.source.count("context:") == 6 == hidden.source.count("context:")
        assert shown.target in shown.source
        assert shown.target == hidden.target
