"""Figures of banks: what they show is what is in the banks, they are small, and two calls make the same figure."""

import base64
import json

import numpy as np
import plotly.graph_objects as go
import pytest
from helpers import make

from lmem.analysis import bank_metrics
from lmem.errors import InputError
from lmem.viz import collapse


def steps(model, talk):
    banks = [model.new_bank()]
    for turn in talk:
        banks.append(model.write(banks[-1], [turn]))
    return banks


@pytest.fixture(scope="module")
def talk():
    return [f"Ana: I adopted a cat called Miro-{i}." for i in range(6)]


@pytest.fixture(scope="module")
def banks(tiny, talk):
    return {
        name: steps(make(tiny, method), talk) for name, method in (("m3", "m3"), ("slots", "m6"))
    }


def values(trace):
    """z of a heat map, as numbers."""
    z = json.loads(go.Figure(trace).to_json())["data"][0]["z"]
    if isinstance(z, list):
        return np.array(z)
    kind = {"i1": np.int8, "u1": np.uint8}[z["dtype"]]
    shape = [int(size) for size in z["shape"].split(",")]
    return np.frombuffer(base64.b64decode(z["bdata"]), kind).reshape(shape)


def test_the_board_draws_what_was_measured(banks):
    looks = {
        name: [bank_metrics.measure_bank(bank) for bank in seen] for name, seen in banks.items()
    }
    figure = collapse.metrics_by_turn(looks, "board")
    named = [name for name, *_ in collapse.LINES]
    assert [line.name for line in figure.data] == 2 * named
    assert [line.showlegend for line in figure.data] == 3 * [True] + 3 * [False]
    assert len({(line.line.color, line.line.dash, line.marker.symbol) for line in figure.data}) == 3
    assert [note.text for note in figure.layout.annotations] == list(looks)
    distinct, cosine, rank = (line.y for line in figure.data[3:])
    for place, one in enumerate(looks["slots"]):
        assert distinct[place] == pytest.approx(one["distinct"] / one["rows"], abs=6e-4)
        assert cosine[place] == pytest.approx(one["cosine"], abs=6e-4)
        assert rank[place] == pytest.approx(one["rank"] / one["rows"], abs=6e-4)
    assert list(figure.data[0].customdata) == [one["turns"] for one in looks["m3"]]
    assert list(figure.layout.yaxis.range) == list(figure.layout.yaxis2.range) == [-0.03, 1.03]
    assert "effective rank" in figure.layout.meta["alt"]
    assert figure.layout.xaxis2.title.text == "turns written"
    assert figure.layout.xaxis.ticktext[-1] == str(looks["m3"][-1]["turns"])
    assert collapse.metrics_by_turn(looks, "board").to_json() == figure.to_json()


def test_the_board_has_its_table(banks):
    looks = {
        name: [bank_metrics.measure_bank(bank) for bank in seen] for name, seen in banks.items()
    }
    rows = collapse.metric_rows(looks, (0, 6))
    assert [(row["bank"], row["turns written"]) for row in rows] == [
        ("m3", 0),
        ("m3", 6),
        ("slots", 0),
        ("slots", 6),
    ]
    assert rows[0]["rows written so far, %"] == "0.0"
    assert rows[1]["effective rank"] == f"{looks['m3'][6]['rank']:.2f}"


def test_too_many_banks_are_refused(banks):
    looks = {f"bank {i}": [] for i in range(collapse.MOST + 1)}
    with pytest.raises(InputError, match="at most 8 banks, not 9"):
        collapse.metrics_by_turn(looks, "board")


def test_rows_meet(banks):
    figure = collapse.row_cosines(banks, "meet", count=5)
    assert [frame.name for frame in figure.frames] == ["0", "1", "2", "3", "5", "6"]
    assert figure.layout.sliders[0].active == 2
    shown = [*[(frame.data, int(frame.name)) for frame in figure.frames], (figure.data, 2)]
    for maps, turns in shown:
        for place, seen in enumerate(banks.values()):
            expected = 100 * bank_metrics.cosines(seen[turns].state.rows[0], 5)
            assert np.abs(values(maps[place]) - expected.numpy()).max() <= 0.5
    assert figure.layout.yaxis2.scaleanchor == "x2"  # squares
    scale = figure.data[0].colorbar
    assert (scale.title.text, scale.ticktext) == ("cosine", ("-1", "-0.5", "0", "0.5", "1"))
    assert [float(text) * 100 for text in scale.ticktext] == list(scale.tickvals)
    assert "after 6" in figure.layout.meta["alt"]
    with pytest.raises(InputError, match=r"equally many.*\[5, 7\]"):
        collapse.row_cosines({"a": banks["m3"], "b": banks["slots"][:5]}, "meet")


def test_a_long_talk_has_few_frames(banks):
    long = [banks["m3"][0]] * 200
    figure = collapse.row_cosines({"a": long}, "meet", count=3)
    names = [int(frame.name) for frame in figure.frames]
    assert names[0] == 0
    assert names[-1] == 199
    assert len(names) == 11
