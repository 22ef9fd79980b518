"""A small table: its cells are what was given, numbers to the right, nothing of it is markup."""

import xml.etree.ElementTree as ET

import pytest

from lmem.errors import InputError
from lmem.viz.tables import table


def test_cells_heads_and_sides():
    rows = [
        {"bank": "a < b", "rank": "1.04 [0.9, 1.1]", "same": True},
        {"bank": "10x", "rank": -2, "same": False},
    ]
    root = ET.fromstring(table(rows, "after 60 turns").data)
    heads = [found for found in root.iter("th")]
    cells = [found for found in root.iter("td")]
    assert [found.text for found in heads] == ["bank", "rank", "same"]
    assert [found.text for found in cells] == [
        "a < b",
        "1.04 [0.9, 1.1]",
        "True",
        "10x",
        "-2",
        "False",
    ]
    sides = [found.attrib["style"].split(":")[1].split(";")[0] for found in heads]
    assert sides == ["left", "right", "left"]
    assert root.find(".//caption").text == "after 60 turns"


@pytest.mark.parametrize("rows", [[], [{"a": 1}, {"b": 2}]])
def test_rows_have_the_same_columns(rows):
    with pytest.raises(InputError, match="same columns"):
        table(rows)


def test_a_folded_table_opens_by_its_caption():
    html = table([{"a": 1, "b": "<"}], "In <numbers>", folded=True).data
    assert html.startswith("<details><summary>In &lt;numbers&gt;</summary>")
    assert html.count("<th scope") == 2
    assert "&lt;</td>" in html
    assert "The same in numbers" in table([{"a": 1}], folded=True).data
