"""The figure of a reproduction: every cell's curves with the paper's values, and the table next to it, by hand."""

import pytest

from lmem.errors import InputError
from lmem.evaluation.summary import summarise
from lmem.experiments import paper
from lmem.viz import published_curves

NAMES = ("right", "other", "none", "null_rows", "oracle")


def result(right):
    """Four questions of two conversations, lags 0 and 40; zero rows get 0, the evidence as text gets 1."""
    f1 = dict(zip(NAMES, (right, 0.25, 0.0, 0.0, 1.0), strict=True))
    scores = {
        name: {"answer": "x", "f1": value, "em": 0, "bits": -value, "locomo": None}
        for name, value in f1.items()
    }
    rows = [
        {"conversation": f"c{i % 2}", "lag": 40 * (i // 2), "category": 0, "answerable": True}
        | {"in_bank": False, **scores}
        for i in range(4)
    ]
    return {"summary": summarise(rows, NAMES), "scale": 1.0}


def test_every_cell_is_a_frame_with_the_papers_values():
    cells = {"m2-1x": result(0.5), "m3-10x": result(0.75)}
    figure = published_curves.curves(cells, {"m2-1x": result(0.125)})
    assert [frame.name for frame in figure.frames] == ["m2-1x", "m3-10x"]
    first, second = ({trace.name: list(trace.y) for trace in f.data} for f in figure.frames)
    assert first["right bank"] == [50.0, 50.0, None, None, None]
    assert first["another's bank"] == [25.0, 25.0, None, None, None]
    assert first["evidence as text"] == [100.0, 100.0, None, None, None]
    assert first["this run: recall rate"][:2] == [50.0, 50.0]
    assert first["our LoCoMo result: recall rate"][:2] == [12.5, 12.5]
    assert second["our LoCoMo result: recall rate"] == [None] * 5
    printed = "paper, Flan-T5-XL on LoCoMo: recall rate"
    assert tuple(first[printed]) == paper.RECALL[1]["m2"]
    assert tuple(second[printed]) == paper.RECALL[10]["m3"]
    assert "m2-1x 50.0 and 25.0" in figure.layout.meta["alt"]
    assert [trace.name for trace in figure.data] == list(second)  # the newest cell is shown


def test_the_recall_rate_stands_next_to_the_memory_score():
    [row] = published_curves.score_rows({"m2-1x": result(0.5)})
    assert row["recall rate, %"] == "50.0"
    assert row["memory score, F1: right - other"].startswith("25.0 ")
    assert row["the same in bits"].startswith("-0.25 ")
    assert row["evidence as text, F1"] == "100.0"


def test_what_has_no_curve_is_refused():
    for cells in ({}, {"m0-1x": {"summary": {"conditions": {}}}}):
        with pytest.raises(InputError, match="forgetting curves"):
            published_curves.curves(cells)


def test_shipped_results_on_locomo_are_named_by_their_cells(monkeypatch):
    """Of the backbone that is asked for, the first seed of each."""
    stored = ["locomo/m3-nano", "locomo/mini-m3-10x-s42", "locomo/mini-m3-10x-s43"]
    monkeypatch.setattr(published_curves.results, "names", lambda: stored)
    monkeypatch.setattr(published_curves.results, "load", lambda name: {"name": name})
    assert published_curves.locomo_results() == {"m3-10x": {"name": "locomo/mini-m3-10x-s42"}}
    assert published_curves.locomo_results("flan-t5-xl") == {}
