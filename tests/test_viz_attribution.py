"""Bits by turn: the bars are the numbers, each question is a frame, and the text names the turn that matters."""

import pytest
import torch

from lmem.errors import InputError
from lmem.viz import attribution

BITS = torch.tensor([[10.57, -0.04, 0.0], [0.0, 0.26, 7.31]])
TEXTS = ["Ana: I adopted a cat called Miro.", "Ben: How sweet!", "Ben: I live in Cedar-Bay."]
ASKED = ["What is Ana's cat called?", "Where does Ben live?"]
SAID = ["Miro", "Cedar-Bay"]


def test_a_frame_for_each_question():
    figure = attribution.bits_by_turn(BITS, TEXTS, ASKED, SAID, "Where from")
    assert [list(frame.data[0].x) for frame in figure.frames] == [[10.6, 0.0, 0.0], [0.0, 0.3, 7.3]]
    assert list(figure.data[0].x) == [10.6, 0.0, 0.0]
    assert figure.data[0].y[2] == "3. Ben: I live in Cedar-Bay."
    assert figure.frames[1].layout.title.subtitle.text == "Where does Ben live? Cedar-Bay"
    low, high = figure.layout.xaxis.range
    assert low < 0 < 10.6 < high
    [slider] = figure.layout.sliders
    assert [step.args[0][0] for step in slider.steps] == [frame.name for frame in figure.frames]


def test_the_alternative_names_the_turns():
    alt = attribution.bits_by_turn(BITS, TEXTS, ASKED, SAID, "Where from").layout.meta["alt"]
    assert "What is Ana's cat called? Miro: turn 1, 10.6 bits" in alt
    assert "Where does Ben live? Cedar-Bay: turn 3, 7.3 bits" in alt


def test_sizes_must_fit():
    with pytest.raises(InputError, match="2 questions and 3 turns"):
        attribution.bits_by_turn(BITS[:1], TEXTS, ASKED, SAID, "Where from")
    with pytest.raises(InputError, match="2 questions and 2 turns"):
        attribution.bits_by_turn(BITS, TEXTS[:2], ASKED, SAID, "Where from")
