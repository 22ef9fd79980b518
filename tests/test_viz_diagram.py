"""Drawings of the model: a decoder layer of the right read, the path of a turn, the keyed memory."""

import xml.etree.ElementTree as ET

import pytest

from lmem.errors import InputError
from lmem.viz.diagram import decoder_layer, keyed_memory, path_of_a_turn


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
