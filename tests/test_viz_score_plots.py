"""Figures of scores: what is drawn is what the values say, by hand."""

import math

import pytest

from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.summary import summarise
from lmem.experiments import paper
from lmem.viz import forgetting_curve, score_plots
from lmem.viz.colours import GREY


def traces(figure):
    return {trace.name: trace for trace in figure.data}


def texts(figure):
    """All that a figure says in words."""
    layout = figure.layout
    axes = [layout[key].title.text for key in layout if key.startswith(("xaxis", "yaxis"))]
    return [layout.title.text, layout.meta["alt"], *filter(None, axes)]


def result_of(*questions):
    """A result of questions (conversation, lag, right, twin): 1 or 0 each; zero rows and the bare backbone give 0."""
    rows = []
    for i, (conversation, lag, right, twin) in enumerate(questions):
        row = {
            "id": f"q{i}",
            "conversation": conversation,
            "lag": lag,
            "category": 4,
            "answerable": True,
            "in_bank": True,
        }
        for name, hit in (("right", right), ("twin", twin), ("null_rows", 0), ("baseline", 0)):
            row[name] = {
                "answer": "x",
                "f1": float(hit),
                "em": hit,
                "bits": -1.0,
                "locomo": float(hit),
            }
        rows.append(row)
    controls = ["right", "twin", "null_rows", "baseline"]
    return {"questions": rows, "summary": summarise(rows, controls)}


@pytest.fixture
def short_and_long():
    # lags 0 and 31 in the first bucket, 40 in the second: right 1/2, then 1; a fit that may not rise is 2/3 for both
    return result_of(("a", 0, 1, 0), ("b", 31, 0, 0), ("a", 40, 1, 1))


def test_forgetting_shows_means_points_and_fit(short_and_long):
    found = traces(forgetting_curve.forgetting_curve(short_and_long, "a title"))
    mean = found["right bank, bucket mean"]
    assert (list(mean.x), list(mean.y)) == ([0, 1], [50.0, 100.0])
    fit = found["its isotonic fit"]
    assert list(fit.y) == [66.7, 66.7, None, 66.7, 66.7, None]
    # the first and the last eighth of bucket 0; bucket 1 ends at the greatest lag, 40, which lies in its last eighth
    points = found["right bank, neighbouring lags"]
    assert list(points.x) == [-0.394, 0.394, 1.394]
    assert list(points.y) == [100.0, 0.0, 100.0]
    # bucket 0 has questions of two conversations, which say hardly anything of others; bucket 1 has one conversation
    assert list(mean.error_y.array) == [49.8, None]


def test_forgetting_draws_the_wrong_banks_interval():
    rows = [(c, lag, 1, hit) for c, hit in (("a", 1), ("b", 0)) for lag in (1, 2)]
    figure = forgetting_curve.forgetting_curve(result_of(*rows), "a title")
    band = traces(figure)["twin's bank, 95%"]
    # two conversations, 1 and 0: see test_statistics for (0.0015, 0.9985)
    assert list(band.y) == [0.2, 0.2, 99.8, 99.8, 0.2, None]
    assert band.fill == "toself"
    assert "right bank [0,32): 100.0; twin's bank 50.0" in figure.layout.meta["alt"]
    assert figure.layout.xaxis.ticktext == ("[0,32)<br>n = 4",)


def test_the_papers_values_are_a_trace_of_their_own(short_and_long):
    figure = forgetting_curve.forgetting_curve(
        short_and_long, "a title", "f1", ("m2 at 1x", paper.RECALL[1]["m2"])
    )
    drawn = traces(figure)["paper, m2 at 1x: its recall rate"]
    assert list(drawn.y) == [17.85, 14.65, 9.02, 9.02, 9.02]
    assert drawn.marker.symbol == "diamond-open"
    assert len(figure.layout.xaxis.ticktext) == 5  # empty buckets of ours, with n = 0
    assert "n = 0" in figure.layout.xaxis.ticktext[4]


def test_forgetting_needs_its_curves():
    with pytest.raises(InputError, match="forgetting curves"):
        forgetting_curve.forgetting_curve({"summary": {"conditions": {}}}, "a title")


def test_knowledge_has_both_sets_of_questions():
    right = {"k": [0.5, 0.25], "n": [2, 8], "panel": [0.5, None], "panel_n": 2}
    figure = forgetting_curve.knowledge_curve(
        {"right": right, "none": {"k": [0.0, 0.125]}}, "a title", ("m2", (11.04, 7.34))
    )
    found = traces(figure)
    assert list(found["right bank, all questions so far"].y) == [50.0, 25.0]
    assert list(found["right bank, the 2 questions of session 1"].y) == [50.0, None]
    assert list(found["no bank, all questions so far"].y) == [0.0, 12.5]
    # 11.04 - 7.34 = 3.70 after the first session
    assert list(found["paper, m2: first and last of its sessions"].y) == [3.7, 11.04]
    assert figure.layout.xaxis.ticktext == ("1<br>n = 2", "2<br>n = 8")


def test_the_ladder_at_two_sizes():
    steps = [
        ("as printed", {1: (0.0, -0.01, 0.01), 10: (0.02, 0.0, 0.05)}),
        ("normalised", {10: (0.3, None, None)}),
    ]
    figure = score_plots.ladder(steps, "a title")
    small, large = figure.data
    assert (small.name, list(small.x), list(small.y)) == ("bank of 1x", [0.0], [-0.12])
    assert (list(small.error_x.array), list(small.error_x.arrayminus)) == ([1.0], [1.0])
    assert (list(large.x), list(large.y)) == ([2.0, 30.0], [0.12, 1.12])
    assert list(large.error_x.array) == [3.0, None]  # an interval is missing
    assert figure.layout.yaxis.ticktext == ("as printed", "normalised")
    assert "normalised 30.0 at 10x" in figure.layout.meta["alt"]
    with pytest.raises(InputError, match="at least one step"):
        score_plots.ladder([], "a title")


def test_points_have_a_series_for_each_kind():
    one, none = {"mean": 1.5, "low": 1.0, "high": 2.25}, {"mean": -0.001, "low": None, "high": None}
    rows = {"a": {"x": [one, none]}, "b": {"y": [none]}}
    figure = score_plots.points(rows, "a title", "bits", 1)
    x, y = figure.data
    assert (x.name, list(x.x), list(x.y)) == ("x", [1.5, 0.0], [0, 0])
    assert (list(x.error_x.array), list(x.error_x.arrayminus)) == ([0.8, None], [0.5, None])
    assert (y.name, list(y.x), list(y.y)) == ("y", [0.0], [1])
    assert figure.layout.yaxis.ticktext == ("a", "b")
    assert "a: x 1.5, 0.0. b: y 0.0." in figure.layout.meta["alt"]
    assert list(score_plots.points(rows, "a title", "%", 100).data[0].x) == [150.0, -0.1]


def test_bars_have_the_names_that_are_given():
    scores = {"this": {"mean": 0.5, "low": 0.25, "high": 1.0}}
    figure = score_plots.bars(scores, "a title")
    [bar] = figure.data
    assert (list(bar.x), list(bar.y), list(bar.error_y.array)) == (["this"], [50.0], [50.0])
    assert "this 50" in figure.layout.meta["alt"]


def test_capacity_is_drawn_from_0_to_100_with_names_at_the_ends():
    def points(*means):
        return [
            {"scale": scale, "memory": {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}}
            for scale, mean in zip((1.0, 10.0), means, strict=True)
        ]

    curves = {"recent": points(0.1, 0.7), "m2": points(0, 0.01), "m2 normalise=True": points(0, 0), "m3": points(0, 0)}  # fmt: skip
    figure = score_plots.capacity(curves, "a title", {"m2": {1: 11.91, 10: 10.69}})
    assert list(traces(figure)["recent"].y) == [10.0, 70.0]
    printed = traces(figure)["the paper's recall rates, %"]
    assert list(printed.y) == [11.91, 10.69]
    assert printed.line.color == GREY
    assert [trace.name for trace in figure.data if trace.showlegend] == [printed.name]
    assert figure.layout.yaxis.range == (-10, 100)
    labels = {label.text: (label.x, label.y, label.yanchor) for label in figure.layout.annotations}
    # below the lines at 0, where nothing else is drawn
    assert labels == {"m2, m3": (1, 0.0, "top"), "recent": (1, 70.0, "bottom")}
    assert len({(t.line.color, t.line.dash) for t in figure.data}) == 5
    assert "recent 10.0 at 1x, 70.0 at 10x" in figure.layout.meta["alt"]
    assert len(score_plots.capacity(curves, "a title").data) == 4


def test_loss_is_averaged():
    figure = score_plots.losses([4.0, 2.0, 1.0], window=2)
    assert (list(figure.data[0].x), list(figure.data[0].y)) == ([2, 3], [3.0, 1.0])


def test_paper_agrees_with_itself():
    """Its tables among themselves: means of buckets, and a tax that depends on the rows alone."""
    for scale, rates in paper.RECALL.items():
        for method, mean in paper.MEAN_RECALL[scale].items():
            assert sum(rates[method]) / 5 == pytest.approx(mean, abs=0.011), (scale, method)
    assert sum(paper.QUESTIONS) == 639
    taxes = {tax for scale in paper.TAX_AND_BENEFIT.values() for tax, _ in scale.values()}
    assert taxes == set(paper.TAX_BY_ROWS.values())


@pytest.mark.slow
def test_shipped_results_can_be_drawn():
    """Every shipped result with curves, without a value that is not finite."""
    drawn = 0
    for name in results.names():
        result = results.load(name)
        if "forgetting" in result.get("summary", {}):
            figure = forgetting_curve.forgetting_curve(result, name)
            assert all(len(text) for text in texts(figure))
            for trace in figure.data:
                drawn_values = [*(trace.x or ()), *(trace.y or ())]
                for ends in (trace.error_y.array, trace.error_y.arrayminus):
                    drawn_values += [] if ends is None else [*ends]
                numbers = [v for v in drawn_values if v is not None and not isinstance(v, str)]
                assert all(math.isfinite(v) for v in numbers), (name, trace.name)
            drawn += 1
    assert drawn > 20
