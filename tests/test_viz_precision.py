"""Steps in bfloat16: the edge lies where half the spacing of the numbers is, and the slider shows the rows."""

from lmem.viz import precision


def test_a_step_below_half_the_spacing_never_moves():
    rows = precision.weight_steps()
    for row in rows:
        # between 2^e and 2^(e+1) numbers are 2^(e-7) apart
        half = 2.0 ** (row["exponent"] - 8)
        assert (row["bf16"] == 0) == (row["rate"] < half), row
    assert {row["fp32"] for row in rows if 100 * row["rate"] < row["weight"]} <= {99, 100, 101}


def test_at_the_papers_rate_the_edge_is_two_to_the_minus_five():
    still = [row["exponent"] for row in precision.weight_steps(rates=(1e-4,)) if row["bf16"] == 0]
    assert min(still) == -5


def test_the_slider_shows_the_rows():
    rows = precision.weight_steps()
    figure = precision.draw_weight_steps(rows)
    [slider] = figure.layout.sliders
    assert [frame.name for frame in figure.frames] == [f"{rate:g}" for rate in precision.RATES]
    shown = figure.frames[slider.active]
    assert shown.name == "0.0001"
    assert list(shown.data[1].y) == [row["bf16"] for row in rows if row["rate"] == 1e-4]
    assert list(figure.data[1].y) == list(shown.data[1].y)
    assert "slider" in figure.layout.meta["alt"]
    assert len(figure.to_json()) < 20_000
