"""Looking into a bank: what a frame shows is what is in the bank after that turn, worked by hand for banks of a few numbers."""

import base64
import json

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from helpers import make

from lmem.analysis import bank_metrics
from lmem.errors import InputError
from lmem.memory.bank import Bank, State
from lmem.memory.model import MemoryModel
from lmem.viz import explorer

TEXTS = ["context: Ana: I adopted a cat.", "context: Ben: How sweet!"]


def bank(rows, written, turns):
    state = State(torch.tensor([rows]).float(), torch.tensor([written]), torch.tensor([turns]))
    return Bank(state, "by hand", "none")


def values(trace):
    """z of a heat map: (numbers, their type in the file)."""
    z = json.loads(go.Figure(trace).to_json())["data"][0]["z"]
    kind = {"i1": np.int8, "u1": np.uint8}[z["dtype"]]
    shape = [int(size) for size in z["shape"].split(",")]
    return np.frombuffer(base64.b64decode(z["bdata"]), kind).reshape(shape), z["dtype"]


def steps(model, talk):
    banks = [model.new_bank()]
    for turn in talk:
        banks.append(model.write(banks[-1], [turn]))
    return banks


@pytest.fixture
def by_hand():
    """Two rows of four numbers; the first turn goes into row 1, the second into row 0."""
    return [
        bank([[0, 0, 0, 0], [0, 0, 0, 0]], [-1, -1], 0),
        bank([[0, 0, 0, 0], [1, 3, -4, -4]], [-1, 0], 1),
        bank([[8, 8, 0, 2], [1, 3, -4, -4]], [1, 0], 2),
    ]


def test_rows_are_pooled_and_scaled_by_hand(by_hand):
    """Two columns of means: (2, -4) and (8, 1); the largest, 8, is 127 in all frames."""
    figure = explorer.rows(by_hand, TEXTS, "rows", columns=2)
    expected = [
        [[0, 0], [0, 0]],
        [[0, 0], [32, -64]],  # 127 x 2/8 = 31.75, 127 x -4/8 = -63.5
        [[127, 16], [32, -64]],
    ]
    for frame, hand in zip(figure.frames, expected, strict=True):
        found, kind = values(frame.data[0])
        assert kind == "i1"
        assert found.tolist() == hand
    scale = figure.data[0].colorbar
    assert (list(scale.tickvals), list(scale.ticktext)) == ([-127, 0, 127], ["-8.0", "0", "8.0"])
    assert (figure.data[0].zmin, figure.data[0].zmax) == (-127, 127)


def test_plain_rows_are_numbered():
    """At most eight numbers, evenly spaced: of 20 rows every third."""
    banks = [bank(np.zeros((20, 2)).tolist(), [-1] * 20, 0)] * 3
    axis = explorer.plain_rows(banks, TEXTS).layout.yaxis
    assert list(axis.tickvals) == [0, 3, 6, 9, 12, 15, 18]
    assert list(axis.ticktext) == ["0", "3", "6", "9", "12", "15", "18"]


def test_a_row_says_its_age_and_its_turn(by_hand):
    figure = explorer.rows(by_hand, TEXTS, "rows", columns=2)
    assert list(figure.frames[0].data[0].y) == ["row 0: never written", "row 1: never written"]
    assert list(figure.frames[2].data[0].y) == [
        "row 0, age 0, most of it turn 2: Ben: How sweet!",
        "row 1, age 1, most of it turn 1: Ana: I adopted a cat.",
    ]
    most = torch.tensor([[-1, -1], [-1, -1], [0, -1]])
    figure = explorer.rows(by_hand, TEXTS, "rows", most=most, columns=2)
    assert list(figure.frames[2].data[0].y) == [
        "row 0, age 0, most of it turn 1: Ana: I adopted a cat.",
        "row 1, age 1, most of it the start",
    ]
    assert "hold most of turn 1." in figure.layout.meta["alt"]


def test_the_turn_stands_beside_the_bank(by_hand):
    figure = explorer.rows(by_hand, TEXTS, "rows")
    said = [frame.layout.title.subtitle.text for frame in figure.frames]
    assert said == [
        "before the first turn",
        "turn 1: Ana: I adopted a cat.",
        "turn 2: Ben: How sweet!",
    ]
    assert (
        figure.layout.title.subtitle.text == said[1]
    )  # it opens in the middle, with something in the bank
    assert figure.layout.sliders[0].active == 1
    assert values(figure.data[0])[0].tolist() == values(figure.frames[1].data[0])[0].tolist()
    assert [step.args[0][0] for step in figure.layout.sliders[0].steps] == ["0", "1", "2"]


def test_slots_count_their_writes():
    """Row 1 is written by both turns, row 0 by the second."""
    banks = [
        bank([[0, 0], [0, 0]], [-1, -1], 0),
        bank([[0, 0], [1, 1]], [-1, 0], 1),
        bank([[2, 2], [2, 2]], [1, 1], 2),
    ]
    figure = explorer.slots(banks, TEXTS, "slots", columns=1)
    heat, bars = figure.frames[2].data
    assert values(heat)[0].tolist() == [[127], [127]]
    assert list(bars.x) == [1.0, 2.0]
    assert list(figure.frames[1].data[1].x) == [0.0, 1.0]
    assert list(bars.y) == [
        0,
        1,
    ]  # from the top, as the map's rows; names that change would stop the slider
    assert (figure.layout.yaxis2.range, figure.layout.yaxis.autorange) == ((1.5, -0.5), "reversed")
    alt = figure.layout.meta["alt"]
    assert "2 of the slots were written, the busiest 2 times" in alt
    assert figure.layout.xaxis2.range == (0, 3)


def test_a_square_bank_by_hand():
    """diag(3, 4) has sizes 4 and 3; its cells are 191 and 255 of 255."""
    banks = [
        bank([[0, 0], [0, 0]], [-1, -1], 0),
        bank([[3, 0], [0, 0]], [0, 0], 1),
        bank([[3, 0], [0, 4]], [1, 1], 2),
    ]
    alike = torch.tensor([[1, 0.25], [0.25, 1]])
    figure = explorer.square(banks, TEXTS, "square", alike)
    matrix, keys, sizes = figure.frames[2].data
    assert values(matrix) == (pytest.approx(np.array([[191, 0], [0, 255]])), "u1")
    found, kind = values(keys)
    assert (found.tolist(), kind) == ([[100, 25], [25, 100]], "i1")
    assert (list(sizes.x), list(sizes.y)) == ([1, 2], [4.0, 3.0])
    # after one turn the other's key is not known yet
    assert values(figure.frames[1].data[1])[0].tolist() == [[100, 0], [0, 0]]
    assert list(figure.frames[1].data[2].y) == [3.0]
    assert list(figure.frames[0].data[2].y) == []
    assert "mean cosine between two turns' keys is 0.25" in figure.layout.meta["alt"]
    assert figure.layout.yaxis3.type == "log"


def test_the_table_says_what_each_turn_did(by_hand):
    first, second = explorer.turn_rows(by_hand, TEXTS)
    # one row of norm sqrt(42) = 6.48 beside one of zeros
    assert first == {
        "turn": 1,
        "text": "Ana: I adopted a cat.",
        "rows changed": 1,
        "effective rank": "1.0",
        "distinct rows": 2,
        "median norm": "0.00",
    }
    assert (second["rows changed"], second["distinct rows"]) == (1, 2)
    assert (
        second["effective rank"] == f"{bank_metrics.effective_rank(by_hand[2].state.rows[0]):.1f}"
    )
    assert second["text"] == "Ben: How sweet!"
    matrix = {"effective rank": "1.0", "norm of the matrix": "6.48"}
    assert explorer.turn_rows(by_hand, TEXTS, square=True)[0] == {
        "turn": 1,
        "text": "Ana: I adopted a cat.",
        **matrix,
    }


KINDS = {"rows": "m3", "slots": "m6", "square": "m4"}


def drawn(kind, model, banks, talk):
    if kind == "square":
        [latents] = model.encode_turns([talk])
        return explorer.square(
            banks, talk, kind, bank_metrics.key_similarity(model.write_rule, latents)
        )
    return getattr(explorer, kind)(banks, talk, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_talk_at_full_size_stays_small(tiny, kind):
    """90 turns into the paper's 1x: 40 frames at most, bytes for values, the last turn among them; two calls alike."""
    model = make(tiny, KINDS[kind]) if kind == "square" else MemoryModel(tiny, KINDS[kind])
    talk = [f"Ana: I adopted a cat called Miro-{i}." for i in range(90)]
    banks = steps(model, talk)
    figure = drawn(kind, model, banks, talk)
    names = [int(frame.name) for frame in figure.frames]
    assert (names[0], names[-1]) == (0, 90)
    assert len(names) <= 40
    for frame in figure.frames:
        assert [trace.type for trace in frame.data] == [trace.type for trace in figure.data]
        for trace in frame.data:
            if trace.type == "heatmap":
                assert values(trace)[1] in ("i1", "u1")
    assert len(figure.to_json()) < 700_000
    assert drawn(kind, model, banks, talk).to_json() == figure.to_json()
    alt = figure.layout.meta["alt"]
    assert "slider over 90 turns" in alt
    assert "effective rank" in alt
    assert [row["turn"] for row in explorer.turn_rows(banks, talk)] == list(range(1, 91))


def test_many_rows_are_put_together(tiny):
    """640 rows are drawn as 64, ten neighbours each, and named so."""
    model = MemoryModel(tiny, "m3", scale=10)
    banks = steps(model, ["Ana: I adopted a cat."])
    figure = explorer.rows(banks, ["Ana: I adopted a cat."], "rows", columns=4)
    heat = figure.frames[1].data[0]
    full = banks[1].state.rows[0].double().reshape(64, 10, 4, -1).mean((1, 3))
    top = max(
        full.abs().max(), banks[0].state.rows[0].reshape(64, 10, 4, -1).mean((1, 3)).abs().max()
    )
    assert np.abs(values(heat)[0] - (127 * full / top).numpy()).max() <= 0.51
    assert heat.y[63].startswith("rows 630 to 639, age 0, most of it turn 1")


@pytest.mark.parametrize("kind", ["rows", "slots"])
def test_what_does_not_fit_is_refused(by_hand, kind):
    draw = getattr(explorer, kind)
    with pytest.raises(InputError, match="one after each, got 3"):
        draw(by_hand, TEXTS[:1], "rows")
    state = by_hand[0].state
    twice = Bank(State(*(torch.cat([part, part]) for part in state)), "by hand", "none")
    with pytest.raises(InputError, match="one bank at a time"):
        draw([twice, by_hand[1]], TEXTS[:1], "rows")
