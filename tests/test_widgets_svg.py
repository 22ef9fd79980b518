"""What the live widgets show, made by pure functions: banks by hand, and what must stand in their pictures."""

import re
import xml.etree.ElementTree as ET

import pytest
import torch

from lmem.errors import InputError
from lmem.memory.bank import Bank, State
from lmem.viz import widgets_svg as svg


def bank(rows, written, turns):
    rows = torch.as_tensor(rows, dtype=torch.float32)
    return Bank(State(rows[None], torch.tensor([written]), torch.tensor([turns])), "me", "nano")


BEFORE = bank([[0.0, 0.0], [3.0, 0.0], [0.0, 0.0]], [-1, 0, -1], 1)
AFTER = bank([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]], [-1, 1, -1], 2)


def shapes(text, tag):
    return list(ET.fromstring(text).iter(tag))


def test_pooling_keeps_small_banks_and_means_larger_ones():
    assert svg.pooled(AFTER).tolist() == [[0, 0], [3, 4], [0, 0]]
    wide = torch.arange(128 * 32, dtype=torch.float32).reshape(128, 32)
    found = svg.pooled(bank(wide, [0] * 128, 1))
    assert found.shape == (64, 16)
    assert found[0, 0] == wide[:2, :2].mean()
    square = torch.tensor([[3.0, -4.0], [0.0, 5.0]])
    assert svg.pooled(bank(square, [0, 0], 1), square=True).tolist() == [[3, 4], [0, 5]]


def test_a_batch_of_banks_is_refused():
    two = Bank(State(torch.zeros(2, 3, 4), torch.zeros(2, 3), torch.zeros(2)), "me", "nano")
    with pytest.raises(InputError, match="one bank"):
        svg.pooled(two)


def test_only_rows_of_the_newest_turn_have_moved():
    assert svg.row_changes(AFTER, BEFORE).tolist() == [0, 4, 0]
    older = bank([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]], [-1, 0, -1], 2)
    assert svg.row_changes(older, BEFORE).tolist() == [0, 0, 0]


def test_the_map_says_what_it_shows():
    text = svg.bank_map(AFTER, BEFORE, ["Ana: I live here.", "Ben: <b>&</b>"])
    root = ET.fromstring(text)
    assert root.get("role") == "img"
    assert root.get("aria-label") == (
        "A bank with 3 rows after 2 turns. The newest changed 1 of the rows, by 4.00 at most. Effective rank 1.0."
    )
    titles = [title.text for title in root.iter("title")]
    assert titles == [
        "row 1: never written",
        "row 2, written last by turn 2: Ben: <b>&</b>",
        "row 3: never written",
    ]
    [moved] = [r for r in root.iter("rect") if r.get("fill") == svg.ORANGE]
    assert float(moved.get("width")) == svg.SIDE
    assert "<b>" not in text


def test_shades_are_in_proportion_to_the_largest_number():
    found = {
        (p.get("fill"), p.get("fill-opacity"), p.get("d").count("M"))
        for p in shapes(svg.bank_map(AFTER, BEFORE), "path")
    }
    assert found == {(svg.BLUE, "0.8", 1), (svg.BLUE, "1.0", 1)}
    minus = bank([[-2.0, 2.0], [-2.0, 0.0]], [0, 0], 1)
    found = {
        (p.get("fill"), p.get("d").count("M")) for p in shapes(svg.bank_map(minus, minus), "path")
    }
    assert found == {(svg.BLUE, 1), (svg.ORANGE, 2)}


def test_an_empty_bank_is_drawn_too():
    empty = bank([[0.0, 0.0]], [-1], 0)
    text = svg.bank_map(empty, empty)
    assert "before its first turn" in text
    assert shapes(text, "path") == []
    assert "up to 1.00" not in re.sub("blue up to 1.00", "", text)


def test_lines_go_through_their_points():
    text = svg.line_chart({"a": [(0, 0), (10, 50)]}, "lag", "share", "A line.", ends=(10, 100))
    [line] = shapes(text, "polyline")
    assert line.get("points") == "52.0,230.0 452.0,120.0"
    assert len(shapes(text, "circle")) == 2
    words = [t.text for t in shapes(text, "text")]
    assert {"lag", "share", "a", "0", "100"} <= set(words)
    assert ET.fromstring(text).get("aria-label") == "A line."


def test_curves_are_told_apart_without_colour():
    points = [(0, 1), (1, 2)]
    text = svg.line_chart(
        {"a": points, "b": points, "(c)": points}, "x", "y", "Three.", points={"b"}
    )
    found = shapes(text, "polyline")
    assert len({line.get("stroke-dasharray") for line in found}) == 2
    assert found[1].get("stroke") == "currentColor"
    with pytest.raises(InputError, match="one point"):
        svg.line_chart({"a": []}, "x", "y", "None.")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 100, [0, 50, 100]), (0, 1, [0, 0.5, 1]), (-9, 27, [0, 10, 20]), (0, 12, [0, 5, 10])],
)
def test_ticks_are_round(low, high, expected):
    assert svg.ticks(low, high) == pytest.approx(expected)


def test_words_are_escaped():
    assert "&lt;i&gt;" in svg.transcript([("<i>", "x", "")], "said")
