"""What a user may pass as turns, and what is refused in one sentence before anything is written."""

from pathlib import Path

import datasets
import numpy as np
import pandas
import pytest
import torch
from helpers import outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmem.data.conversation import Conversation, Session, Turn
from lmem.data.export import as_row
from lmem.data.messages import conversation_texts
from lmem.errors import InputError, LmemError
from lmem.memory.model import MemoryModel, texts_by_bank

TEXTS = ["context: Ana: I live in Cedar-Bay.", "context: Ben: How nice!"]
PAIRS = [("Ana", "I live in Cedar-Bay."), ("Ben", "How nice!")]
CONVERSATION = Conversation(
    "c", ("Ana", "Ben"), (Session(1, "", tuple(Turn(f"D1:{n}", *p) for n, p in enumerate(PAIRS))),)
)


def messages(speaker, text):
    return [{speaker: name, text: said} for name, said in PAIRS]


FORMS = {
    "texts": ["Ana: I live in Cedar-Bay.", "Ben: How nice!"],
    "with the prefix": TEXTS,
    "a tuple of texts": ("Ana: I live in Cedar-Bay.", "Ben: How nice!"),
    "chat messages": messages("role", "content"),
    "shared chats": messages("from", "value"),
    "turns": messages("speaker", "text"),
    "pairs": PAIRS,
    "content in parts": [
        {"role": name, "content": [{"type": "text", "text": said}]} for name, said in PAIRS
    ],
    "a conversation": CONVERSATION,
    "an object with messages": {"messages": messages("role", "content"), "id": 3},
    "an object with conversations": {"conversations": messages("from", "value")},
    "a row of export": as_row(CONVERSATION),
    "a data set of messages": datasets.Dataset.from_list(messages("role", "content")),
    "a column of texts": datasets.Dataset.from_dict(
        {"text": ["Ana: I live in Cedar-Bay.", "Ben: How nice!"]}
    )["text"],
    "an array": np.array(["Ana: I live in Cedar-Bay.", "Ben: How nice!"]),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_turns_is_the_same_text(form):
    assert texts_by_bank(FORMS[form], 1) == [TEXTS]
    assert texts_by_bank([FORMS[form]] * 2, 2) == [TEXTS] * 2
    assert texts_by_bank([FORMS[form]], 1) == [TEXTS]
    assert conversation_texts(FORMS[form]) == TEXTS


def test_a_row_of_export_keeps_date_and_caption():
    turn = Turn("D1:1", "Ana", "Look!", "a kite")
    talk = Conversation("c", ("Ana",), (Session(1, "3 May", (turn,)),))
    row = datasets.Dataset.from_list([as_row(talk)])[0]
    assert conversation_texts(row) == talk.texts() == ["context: 3 May, Ana: Look! [image: a kite]"]


WRONG = {
    "None": (None, "a list of turns, got NoneType"),
    "bytes": (b"Ana: hi", "a list of turns, got bytes"),
    "a path": (Path("talk.txt"), "a list of turns, got PosixPath"),
    "a number": (3.5, "a list of turns, got float"),
    "a set": ({"Ana: hi"}, "a list of turns, got set"),
    "an array without dimensions": (np.array(3), "a list of turns, got ndarray"),
    "a table": (pandas.DataFrame({"role": ["user"], "content": ["hi"]}), r"to_dict\('records'\)"),
    "another object": ({"prompt": "hi"}, "turns under one of messages"),
    "splits": (datasets.DatasetDict(train=datasets.Dataset.from_list([{"a": 1}])), "'train'"),
    "None as a turn": (["Ana: hi", None], "turn 1 of 2 as text .* got NoneType"),
    "NaN as a turn": (["Ana: hi", float("nan")], "turn 1 of 2 as text .* got float"),
    "a tensor": (torch.zeros(1), "expected a list of turns, got Tensor"),
    "another message": ([{"a": 1}], "turn 0 of 1 as text .* got an object with 'a'"),
    "content that is no text": ([{"role": "user", "content": 3}], "text as turn 0 of 1, got int"),
    "a speaker that is no text": ([{"role": None, "content": "hi"}], "the speaker of turn 0 of 1"),
    "no content": ([{"role": "user", "content": []}], "words in turn 0 of 1"),
    "a lone surrogate": (["Ana: hi", "Ana: \ud83d"], "turn 1 of 2, it has half a character"),
    "a mark alone": (["Ana: hi", "\u200e"], "words in turn 1 of 2"),
    "the prefix alone": (["context: "], "words in turn 0 of 1"),
    "a speaker alone": (["Ana: hi", "Ana: "], "words in turn 1 of 2"),
    "a speaker and a mark": (["context: Ana: \u202e"], "words in turn 0 of 1"),
    "a pair with a number": ([("Ana", 3)], "turn 0 of 1 as text .* got tuple of 2"),
    "a tuple of three": ([("Ana", "hi", "10:42")], "turn 0 of 1 as text .* got tuple of 3"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_turn_is_refused_in_one_sentence(tiny, wrong):
    value, message = WRONG[wrong]
    model = MemoryModel(tiny, "recent")
    with pytest.raises(InputError, match=message) as error:
        model.write(model.new_bank(), value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("turns", [["Ana: hi", "Ben: hello"], PAIRS, messages("role", "content")])
def test_turns_are_not_spread_over_a_batch(tiny, turns):
    model = MemoryModel(tiny, "recent")
    with pytest.raises(InputError, match="a list of turns for each of 2 banks, number 0 is a sing"):
        model.write(model.new_bank(2), turns)
    with pytest.raises(InputError, match="expected turns for 1 banks, got 2 lists"):
        model.write(model.new_bank(1), [["Ana: hi"], ["Ben: hello"]])


def test_a_turn_may_end_in_a_colon(tiny):
    assert conversation_texts(["Shopping list:", "Ana: eggs:"]) == [
        "context: Shopping list:",
        "context: Ana: eggs:",
    ]


def test_latents_that_are_no_numbers_are_not_written(tiny, monkeypatch):
    model = MemoryModel(tiny, "recent")

    def overflow(texts, truncate=True, before=None):
        latents = [[torch.zeros(2, tiny.width) for _ in conversation] for conversation in texts]
        latents[-1][1][0, 0] = float("inf")
        return latents

    monkeypatch.setattr(model, "encode_turns", overflow)
    with pytest.raises(InputError, match="NaN or inf for turn 1 of bank 0"):
        model.write(model.new_bank(), ["Ana: hi", "Ana: hello"])


@pytest.mark.parametrize("blank", ["\n", "\t", "\u00a0", "  ", " \u2003\r\n", "\u200b "])
def test_whitespace_and_marks_change_no_token(tiny, blank):
    """nano has tokens for them, T5 has none."""
    plain, odd = "Ana: I live in Cedar-Bay.", f"Ana: I live in{blank}Cedar-Bay.{blank}"
    assert tiny.tokenize([odd]) == tiny.tokenize([plain])
    model = MemoryModel(tiny, "recent")
    banks = [model.write(model.new_bank(), [text]) for text in (plain, odd)]
    assert torch.equal(banks[0].state.rows, banks[1].state.rows)


def test_the_shipped_memory_reads_a_fact_across_a_line_end():
    model = MemoryModel.from_shipped("nano-keyed")
    for blank in ("\n", "\t", "\u00a0"):
        bank = model.write(model.new_bank(), [f"Ana: I live in{blank}Cedar-Bay."])
        assert model.answer(bank, f"Where does Ana{blank}live?\u200f") == "Cedar-Bay"


def test_composed_and_decomposed_letters_are_the_same(tiny):
    assert tiny.tokenize(["Ana: Cafe\u0301"]) == tiny.tokenize(["Ana: Caf\u00e9"])
    assert tiny.tokenize(["Ana: \u202acafe\u202c"]) == tiny.tokenize(["Ana: cafe"])


JUNK = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.binary(max_size=8),
        st.text(st.characters(), max_size=12), st.sampled_from(["\ud800", "Ana: hi", "\u200e"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(
            st.sampled_from(["role", "content", "from", "value", "messages", "sessions", "x"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)  # fmt: skip
QUICK = settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUICK
@given(turns=JUNK, banks=st.integers(1, 2))
def test_any_turns_are_written_or_refused(tiny, turns, banks):
    model = MemoryModel(tiny, "recent")
    bank = model.new_bank(banks)
    written = outcome(lambda: model.write(bank, turns))
    assert isinstance(written, LmemError) or written.state.rows.isfinite().all()
    assert bank.empty


@QUICK
@given(questions=JUNK)
def test_any_questions_are_answered_or_refused(tiny, questions):
    model = MemoryModel(tiny, "recent")
    answers = outcome(lambda: model.answer(model.new_bank(), questions, max_new_tokens=1))
    assert isinstance(answers, LmemError | (str if isinstance(questions, str) else list))
