"""Turns as text in the input: which ones, in what order, and never more than the budget."""

from dataclasses import replace

import pytest
from helpers import TARGET

from lmem.data.conversation import Question
from lmem.data.reading import source_text
from lmem.errors import InputError
from lmem.evaluation import text_baselines

SAID = [
    "context: Ana: I adopted a cat called Miro.",
    "context: Ben: How sweet!",
    f"context: Ben: I live in {TARGET}.",
    "context: Ana: The harbour there is lovely.",
    "context: Ben: My brother adopted a dog.",
]
CAT = Question("q0", "What is Ana's adopted cat called?", "Miro", 4, evidence=(0,))
HOME = Question("q1", "Where does Ben live?", TARGET, 4, evidence=(2,))
BOTH = Question("q2", "Who has what?", "Miro", 1, evidence=(0, 4))
NEVER = Question("q3", "What does Zed eat?", None, 5)
ASKED = [CAT, HOME, BOTH, NEVER]


def tokens(backbone, source):
    return len(backbone.tokenizer(source).input_ids)


@pytest.fixture(params=["tiny", "flan"])
def backbone(request):
    return request.getfixturevalue(request.param)


def turns(backbone, how, budget=384, asked=ASKED):
    return [taken for _, taken in text_baselines.sources(backbone, SAID, asked, how, budget)]


def test_the_oracle_shows_the_evidence_and_nothing_else(backbone):
    assert turns(backbone, "oracle") == [(0,), (2,), (0, 4), ()]
    source = text_baselines.sources(backbone, SAID, [BOTH], "oracle", 384)[0][0]
    assert source == source_text(BOTH, [SAID[0], SAID[4]])


def test_the_last_turns_stand_in_their_order(backbone):
    assert turns(backbone, "last_k") == [(0, 1, 2, 3, 4)] * 4
    room = tokens(backbone, source_text(CAT, SAID[3:]))
    [(source, taken)] = text_baselines.sources(backbone, SAID, [CAT], "last_k", room)
    assert taken == (3, 4)
    assert source == source_text(CAT, SAID[3:])
    assert turns(backbone, "last_k", room - 1, [CAT]) == [(4,)]


def test_bm25_prefers_turns_that_share_rare_words():
    def first(*questions):
        return [order[0] for order in text_baselines.CHOICES["bm25"](SAID, questions)]

    assert first(CAT, HOME) == [
        0,
        2,
    ]  # cat, and adopted like turn 4; live, and Ben like turns 1 and 4
    assert first(replace(CAT, text="adopting dogs")) == [4]  # by their stems
    equal = [
        replace(NEVER, text=words) for words in ("Zed", "?")
    ]  # nothing shared, not even a word
    assert (
        list(text_baselines.CHOICES["bm25"](SAID, equal)) == [[4, 3, 2, 1, 0]] * 2
    )  # the newest first


def test_bm25_turns_stand_in_their_order_too(backbone):
    pets = replace(CAT, text="dog or cat")
    assert next(text_baselines.CHOICES["bm25"](SAID, [pets]))[:2] == [
        4,
        0,
    ]  # the dog's turn is shorter
    room = tokens(backbone, source_text(pets, [SAID[0], SAID[4]]))
    assert turns(backbone, "bm25", room, [pets]) == [(0, 4)]


@pytest.mark.parametrize("how", text_baselines.CHOICES)
def test_no_input_is_longer_than_the_budget_and_none_wastes_it(backbone, how):
    """The tokens of the input as it is, not as it was reckoned; and the next turn would not have fitted."""
    for budget in range(30, 200, 9):
        for question, (source, taken) in zip(
            ASKED, text_baselines.sources(backbone, SAID, ASKED, how, budget), strict=True
        ):
            assert tokens(backbone, source) <= budget
            if how == "last_k" and len(taken) < len(SAID):
                more = source_text(question, SAID[len(SAID) - len(taken) - 1 :])
                assert tokens(backbone, more) > budget


def test_the_budget_counts_exactly(backbone):
    room = tokens(backbone, source_text(BOTH, [SAID[0], SAID[4]]))
    assert turns(backbone, "oracle", room, [BOTH]) == [(0, 4)]
    assert turns(backbone, "oracle", room - 1, [BOTH]) == [(0,)]  # what does not fit is left out


def test_a_question_longer_than_the_budget_is_refused(tiny):
    with pytest.raises(InputError, match="budget of .* for question q0, not 3"):
        text_baselines.sources(tiny, SAID, ASKED, "oracle", 3)
