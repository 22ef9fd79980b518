"""What a score can hide: each small world by hand, and a slider that shows what its rows say."""

import pytest

from lmem.viz import score_artifacts

DRAWN = ("clipping", "isotonic", "averages", "null_rows")


def rows_of(name, **where):
    rows = getattr(score_artifacts, name)()
    return [row for row in rows if all(row[key] == value for key, value in where.items())]


def test_clipping_cannot_see_harm():
    # of 100 questions 20 go from 0 to 1: rate 20; with 20 that go from 1 to 0 it stays, the signed gain is (20 - 20) / 100
    [noise] = rows_of("clipping", helped=20, hurt=20)
    assert (noise["recall rate"], noise["signed gain"]) == (20.0, 0.0)
    [harm] = rows_of("clipping", helped=5, hurt=50)
    assert (harm["recall rate"], harm["signed gain"]) == (5.0, -45.0)


def test_a_rising_curve_is_levelled():
    # 2, 6, 10, 14, 18 with 28, 24, 62, 130, 395 questions: (56 + 144 + 620 + 1820 + 7110) / 639 = 15.26
    rows = rows_of("isotonic", rise=16)
    assert [row["raw"] for row in rows] == [2.0, 6.0, 10.0, 14.0, 18.0]
    assert [row["fit"] for row in rows] == [15.26] * 5
    falling = rows_of("isotonic", rise=-16)
    assert [row["fit"] for row in falling] == [row["raw"] for row in falling]


def test_two_ways_to_average():
    # (60 + 4 x 2) / 5 = 13.6; (28 x 60 + 611 x 2) / 639 = 4.54
    [row] = rows_of("averages", short=60)
    assert (row["of_buckets"], row["of_questions"]) == (13.6, 4.54)


def test_zero_rows_take_mass():
    # all scores 0: 1, 11 and 64 of 76
    [row] = rows_of("null_rows", rows=64, score=0)
    assert (row["sought"], row["others"], row["null"]) == (1.32, 14.47, 84.21)
    [row] = rows_of("null_rows", rows=0, score=0)
    assert (row["sought"], row["null"]) == (8.33, 0.0)
    for row in rows_of("null_rows"):
        assert row["sought"] + row["others"] + row["null"] == pytest.approx(100, abs=0.02)


@pytest.mark.parametrize("name", DRAWN)
def test_a_slider_shows_a_frame_for_each_step(name):
    figure = getattr(score_artifacts, f"draw_{name}")(getattr(score_artifacts, name)())
    [slider] = figure.layout.sliders
    assert [step.args[0][0] for step in slider.steps] == [frame.name for frame in figure.frames]
    first = figure.frames[slider.active]
    assert [trace.to_plotly_json() for trace in first.data] == [
        trace.to_plotly_json() for trace in figure.data
    ]
    assert len({len(frame.data) for frame in figure.frames}) == 1
    assert "slider" in figure.layout.meta["alt"]
    assert len(figure.to_json()) < 20_000


def test_the_frames_hold_the_rows():
    figure = score_artifacts.draw_clipping(score_artifacts.clipping())
    at_20 = next(frame for frame in figure.frames if frame.name == "20%")
    clipped, signed, noise = at_20.data
    assert set(clipped.y) == {20.0}
    assert (signed.x[0], signed.y[0], signed.y[-1]) == (0, 20.0, -30.0)
    assert (list(noise.x), list(noise.y)) == ([20, 20], [20.0, 0.0])
    figure = score_artifacts.draw_null_rows(score_artifacts.null_rows())
    sought, _, null = figure.frames[-1].data
    assert (sought.y[0], null.y[0]) == (0.15, 98.16)  # 1 and 640 of 652
    figure = score_artifacts.draw_averages(score_artifacts.averages())
    bars, buckets, questions = figure.frames[-1].data
    assert (bars.y[0], buckets.y[0], questions.y[0]) == (60.0, 13.6, 4.54)
