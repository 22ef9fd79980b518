"""What the read looked at, drawn: shares put together by turn, whole percents, one frame for each token that looks."""

import numpy as np
import pytest
import torch

from lmem.analysis.attention import AttentionRecord
from lmem.errors import InputError
from lmem.viz import attention


def looked(**change):
    """Two layers, two tokens that look, two tokens of the question, three rows: two of turn 0, one of turn 2."""
    on_question = torch.tensor([[[0.75, 0.25], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]]])
    on_rows = torch.tensor(
        [[[0.25, 0.5, 0.25], [0.0, 0.0, 1.0]], [[0.5, 0.5, 0.0], [0.125, 0.375, 0.5]]]
    )
    one = AttentionRecord(
        "Miro",
        [" Mi", "ro"],
        ["question:", "Who"],
        on_question,
        on_rows,
        [0, 0, 2],
        torch.tensor([[0.5, 1.0], [2.0, 3.0]]),
    )
    return one._replace(**change)


def test_rows_of_a_turn_are_put_together():
    found = attention.by_turn(looked())
    assert list(found) == [0, 2]
    assert found[0].tolist() == [[0.75, 0.0], [1.0, 0.5]]
    assert found[2].tolist() == [[0.25, 1.0], [0.0, 0.5]]
    assert list(attention.by_turn(looked(turns=None))) == [-1]


def test_banks_stand_below_each_other():
    records = {"right bank": looked(), "null rows": looked(answer="x", turns=[-1] * 3)}
    figure = attention.attention_by_token(
        records, "a title", ["context: Ana: Hi.", "Ben: Oh.", "Ana: <b>."]
    )
    right, null = figure.data
    # question: 75, 25; no turn: none; turns 1 and 3 (of layer 1, then layer 2)
    assert np.array(right.z).tolist() == [[75, 25, 0, 75, 25], [100, 0, 0, 100, 0]]
    assert np.array(null.z).tolist() == [[75, 25, 100, 0, 0], [100, 0, 100, 0, 0]]
    ticks = ("question:", "Who", "no turn", "turn 1", "turn 3")
    assert figure.layout.xaxis2.ticktext == ticks
    assert right.hovertext[0][3] == "turn 1: Ana: Hi."
    assert [frame.name for frame in figure.frames] == ["1. Mi", "2. ro"]
    assert np.array(figure.frames[1].data[0].z).tolist() == [
        [50, 50, 0, 0, 100],
        [0, 100, 0, 50, 50],
    ]
    # turn 1 has (75 + 100) / 2 of the first token over both layers
    assert (
        "right bank says Miro; for its first token most of the bank's share, 88% over the layers, is on turn 1"
        in figure.layout.meta["alt"]
    )
    assert [note.text for note in figure.layout.annotations][:2] == [
        'right bank: says "Miro"',
        'null rows: says "x"',
    ]


def test_the_same_question_for_all():
    with pytest.raises(InputError, match="those of other differ"):
        attention.attention_by_token(
            {"right": looked(), "other": looked(readers=["x", "y"])}, "a title"
        )


def test_the_table_says_where_most_goes():
    first, second = attention.attention_rows({"right bank": looked()})
    assert first == {
        "bank": "right bank",
        "layer": 1,
        "most of the question": "question: 75%",
        "most of the bank": "turn 1 75%",
        "size added: branch / frozen": "0.50",
    }
    assert second["most of the bank"] == "turn 1 100%"
    [row, _] = attention.attention_rows({"null rows": looked(added=None, turns=[-1] * 3)}, 1)
    assert row["most of the bank"] == "no turn 100%"
    assert "size added: branch / frozen" not in row


def test_rows_can_be_drawn_one_by_one():
    names = ["a", "cat", "Miro"]
    figure = attention.attention_by_token({"bank": looked()}, "a title", rows=names)
    assert np.array(figure.data[0].z).tolist() == [[75, 25, 25, 50, 25], [100, 0, 50, 50, 0]]
    assert figure.layout.xaxis.ticktext == ("question:", "Who", *names)
    assert "50% over the layers, is on cat" in figure.layout.meta["alt"]
