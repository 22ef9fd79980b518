"""Drawings of the model: a decoder layer of the right read, and one turn step by step."""

import re
import xml.etree.ElementTree as ET

import pytest

from lmem.analysis.walkthrough import Step
from lmem.errors import InputError
from lmem.viz.diagram import decoder_layer, keyed_memory, path_of_a_turn, step_through


@pytest.mark.parametrize(
    ("kind", "said", "not_said"), [("branch", "β", "gate"), ("gated_branch", "gate", "β")]
)
def test_the_drawing_says_what_scales_the_branch(kind, said, not_said):
    root = ET.fromstring(decoder_layer(kind).data)
    texts = " ".join(found.text for found in root.iter() if found.tag.endswith("text"))
    assert said in texts
    assert not_said not in texts
    assert root.attrib["role"] == "img"
    assert "branch over the bank" in root.attrib["aria-label"]


def test_what_is_frozen_is_dashed_and_what_is_learned_is_not():
    root = ET.fromstring(decoder_layer().data)
    boxes = [found for found in root.iter() if found.tag.endswith("rect")]
    assert ["stroke-dasharray" in box.attrib for box in boxes] == [True] * 3 + [False] * 2 + [True]


def test_another_read_has_no_such_layer():
    with pytest.raises(
        InputError, match="expected a read out of branch, gated_branch, not 'prefix'"
    ):
        decoder_layer("prefix")


@pytest.fixture
def html():
    steps = [
        Step(("turn", "encoder"), "Z_t", "N x D", (11, 128), 43.34, 'reads "<b>"'),
        Step(("bank",), "P_t", "R x D", (192, 128), 7.0, "the bank"),
    ]
    return step_through(steps, "one").data


def test_each_step_lights_its_parts(html):
    assert html.count('type="radio"') == 2
    assert html.count(" checked>") == 1
    assert ".lmem-one:has(#lmem-one-0:checked) .part-encoder{stroke:" in html
    assert ".lmem-one:has(#lmem-one-1:checked) .lmem-one-1{display:block}" in html
    lit = set(re.findall(r"checked\) \.part-(\w+)", html))
    assert lit == {"turn", "encoder", "bank"}
    drawing = ET.fromstring(re.search(r"<svg.*</svg>", html)[0])
    drawn = {box.get("class") for box in drawing.iter("rect")}
    assert {f"part-{part}" for part in lit} < drawn


def test_each_step_says_shape_and_norm(html):
    assert "N x D = 11 x 128 numbers, Frobenius norm 43.3" in html
    assert "reads &quot;&lt;b&gt;&quot;" in html
    assert "192 x 128</td>" in html
    assert "<script" not in html


def test_the_path_of_a_turn_names_its_boxes():
    root = ET.fromstring(path_of_a_turn().data)
    texts = {found.text for found in root.iter("text")}
    assert {"encoder E", "bank P", "decoder D", "answer y"} <= texts
    assert root.attrib["role"] == "img"


def test_the_keyed_memory_has_a_way_in_and_a_way_out():
    root = ET.fromstring(keyed_memory().data)
    texts = [found.text for found in root.iter() if found.tag.endswith("text")]
    for word in ("key", "value", "two gates", "value found", "Ana's cat"):
        assert word in texts
    assert "one row of the bank" in root.attrib["aria-label"]
