"""Two dials: the closed form is a softmax, and the figure draws what it is given."""

import pytest
import torch

from lmem.errors import InputError
from lmem.viz.attention_share import bank_share, draw_bank_share

BOTH = {1: [0.5, 0.25], 10: [0.4, 0.2]}
ROWS = {1: [0.5, 0.25], 10: [0.9, 0.75]}


def test_the_share_is_that_of_a_softmax():
    own = torch.tensor([0.3, -1.0, 2.0])
    for rows, length, score in ((1, 1.0, 0.0), (64, 0.1, 5.0), (640, 2.0, -3.0)):
        whole = torch.cat([own, torch.full((rows,), length * score)]).double().softmax(0)
        found = bank_share(rows, length, score, float(own.exp().sum()))
        assert found == pytest.approx(float(whole[3:].sum()), rel=1e-5)
    assert bank_share(1, 1.0, -2000.0, 1.0) < 1e-300
    assert bank_share(1, 1.0, 2000.0, 1.0) == 1.0


def test_by_hand_as_in_chapter_13():
    # 64 e^2 = 472.9, 640 e^0.2 = 781.7, against 100
    assert bank_share(64, 1.0, 2.0, 100.0) == pytest.approx(0.825, abs=1e-3)
    assert bank_share(640, 0.1, 2.0, 100.0) == pytest.approx(0.887, abs=1e-3)


def test_what_is_drawn_is_what_was_given():
    figure = draw_bank_share({"both": BOTH, "rows": ROWS}, "t")
    assert [list(line.y) for line in figure.data] == [[50, 40], [25, 20]]
    assert [list(line.y) for line in figure.frames[1].data] == [[50, 90], [25, 75]]
    assert [step.label for step in figure.layout.sliders[0].steps] == ["both", "rows"]
    assert "both: 38% at 1, 30% at 10" in figure.layout.meta["alt"]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"a": BOTH, "b": {1: [0.5, 0.25]}},
        {"a": {1: [0.1], 2: [0.1, 0.2]}},
        {"a": {1: [0.1] * 7}},
    ],
)
def test_settings_fit_together(settings):
    with pytest.raises(InputError):
        draw_bank_share(settings, "t")
