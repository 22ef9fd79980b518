"""The figure of chapter 2: what a decay leaves."""

import math

import numpy as np
import pytest

from lmem.errors import InputError
from lmem.viz.decay import BF16, decay_rows, draw_decay


def test_rows_are_powers():
    rows = decay_rows((0.5, 1.0), (0, 1, 10))
    assert [row["left"] for row in rows] == [1.0, 0.5, 0.000977, 1.0, 1.0, 1.0]  # 2^-10 = 1/1024
    for gamma in (0.0, 1.1, math.nan):
        with pytest.raises(InputError, match=r"expected decays in \(0, 1\]"):
            decay_rows((gamma,))


def test_the_rounding_unit_is_bfloat16_s():
    import torch

    one = torch.ones((), dtype=torch.bfloat16)
    assert one + BF16 == 1  # a tie goes to the even number
    assert one + BF16 * 1.01 > 1


def test_the_slider_has_a_frame_for_each_decay():
    rows = decay_rows((0.9, 0.95, 1.0))
    figure = draw_decay(rows)
    assert [frame.name for frame in figure.frames] == ["0.9", "0.95", "1"]
    assert figure.layout.sliders[0].active == 1
    for frame in figure.frames:
        drawn = dict(zip(frame.data[0].x, frame.data[0].y, strict=True))
        assert drawn[32] == pytest.approx(float(frame.name) ** 32, rel=5e-3)
    assert figure.data[0].y == figure.frames[1].data[0].y
    texts = [note.text for note in figure.layout.annotations]
    assert texts == ["n=28", "n=24", "n=62", "n=130", "n=395"]
    alt = figure.layout.meta["alt"]
    assert "At 0.95: 1 after 0, 0.194 after 32, 0.0375 after 64, 0.00141 after 128, 1.98e-06" in alt
    assert draw_decay(rows, shown=1.0).layout.sliders[0].active == 2


def test_values_are_short_enough_to_be_compared():
    values = np.array([row["left"] for row in decay_rows()])
    assert all(float(f"{v:.3g}") == v for v in values)
