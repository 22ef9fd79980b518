"""The drawn risk-coverage curve has the points of the computed one."""

import pytest

from lmem.errors import InputError
from lmem.viz.risk_coverage import risk_coverage


def test_the_ends_are_drawn():
    curve = [
        {"confidence": 1 - n / 1000, "coverage": (n + 1) / 1000, "risk": n / 2000, "right": 0.1}
        for n in range(900)
    ]
    figure = risk_coverage({"keyed": curve}, "a title", points=50)
    [drawn] = figure.data
    assert len(drawn.x) <= 52
    assert (drawn.x[-1], drawn.y[-1]) == (90.0, 45.0)
    [label] = figure.layout.annotations
    assert (label.text, label.x, label.y) == ("keyed", 90.0, 45.0)
    assert "90.0 % answered" in figure.layout.meta["alt"]


def test_nothing_to_draw():
    with pytest.raises(InputError, match="recent gave none"):
        risk_coverage({"recent": []}, "a title")
