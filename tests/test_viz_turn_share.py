"""Where did the fact go: the drawn shares are those of the bank, lines end where nothing is left, LoCoMo's counts are the release's."""

import json

import pytest
import torch

from lmem.analysis import turn_trace
from lmem.data import locomo, locomo_release, splits
from lmem.errors import InputError
from lmem.memory.write import WRITES
from lmem.metrics.forgetting import forgetting_curve
from lmem.viz import turn_share

TEXTS = [f"context: Ana: fact {i}" for i in range(6)]


def by_hand():
    """One bank that halves with every turn, and one that forgets after two."""
    halves = [torch.tensor([0.5**lag for lag in range(6 - turn)]) for turn in (0, 3)]
    gone = [torch.tensor([0.25, 0.25, *[0.0] * (4 - turn)]) for turn in (0, 3)]
    return {"halves": halves, "gone": gone}


def figure(**options):
    return turn_share.turn_shares(by_hand(), [0, 3], TEXTS, "Where", **options)


def test_lines_by_hand():
    """Percent by lag, the second fact's shorter by three turns; nothing is drawn where nothing is left."""
    first, second = figure(exact=("halves",)).frames
    assert list(first.data[0].x) == [0, 1, 2, 3, 4, 5]
    assert list(first.data[0].y) == [100.0, 50.0, 25.0, 12.5, 6.25, 3.12]
    assert (list(first.data[1].x), list(first.data[1].y)) == ([0, 1], [25.0, 25.0])
    assert list(second.data[0].x) == [0, 1, 2]
    said = [frame.layout.title.subtitle.text for frame in (first, second)]
    assert said == ["Ana: fact 0", "Ana: fact 3"]
    assert [first.name, second.name] == ["turn 1", "turn 4"]


def test_the_legend_says_how_it_was_measured():
    lines = figure(exact=("halves",)).data[:2]
    assert [line.name for line in lines] == ["halves", "gone, by leaving out"]
    assert len({(line.line.color, line.line.dash, line.marker.symbol) for line in lines}) == 2


def test_lags_and_counts_lie_over_each_other():
    drawn = figure()
    bars = drawn.data[-1]
    assert list(bars.y) == [28, 24, 60, 130, 395]
    edges = [(x - w / 2 - 1, x + w / 2 + 1) for x, w in zip(bars.x, bars.width, strict=True)]
    assert edges == [(0, 32), (32, 64), (64, 128), (128, 256), (256, 320)]
    assert drawn.layout.yaxis.type == "log"
    assert drawn.layout.xaxis.matches == "x2"
    assert list(drawn.layout.yaxis.ticktext) == [
        "0.0001",
        "0.001",
        "0.01",
        "0.1",
        "1",
        "10",
        "100",
    ]
    assert drawn.layout.meta["alt"].endswith("LoCoMo's 637 questions by lag: 28, 24, 60, 130, 395.")
    assert "halves 100% at lag 0" in drawn.layout.meta["alt"]
    assert drawn.to_json() == figure().to_json()


def test_a_long_way_is_drawn_with_few_points():
    share = [0.95 ** torch.arange(500)]
    drawn = turn_share.turn_shares({"decay": share}, [0], TEXTS[:1] * 500, "Where")
    line = drawn.frames[0].data[0]
    assert len(line.x) <= turn_share.POINTS + 9
    assert line.x[:9] == tuple(range(9))
    # 0.95^lag is a millionth after 269 turns
    assert 255 <= max(line.x) <= 269
    assert drawn.layout.xaxis.range[1] == 500
    assert len(drawn.to_json()) < 12_000


def test_the_table_says_the_same():
    rows = turn_share.turn_share_rows(by_hand(), [0, 3], TEXTS, lags=(0, 2, 5))
    assert rows[0] == {
        "turn": 1,
        "fact": "Ana: fact 0",
        "bank": "halves",
        "lag 0": "100%",
        "lag 2": "25%",
        "lag 5": "3.1%",
    }
    assert rows[1]["lag 2"] == "0%"
    assert rows[2]["lag 5"] == ""
    tiny = {"least": [torch.tensor([1e-7])]}
    assert turn_share.turn_share_rows(tiny, [5], TEXTS, lags=(0,))[0]["lag 0"] == "< 0.0001%"


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="2 turns, short has them for 1"):
        turn_share.turn_shares({"short": [torch.ones(3)]}, [0, 3], TEXTS, "Where")
    many = {f"bank {i}": [torch.ones(6)] for i in range(7)}
    with pytest.raises(InputError, match="at most 6 banks and 40 turns, not 7 and 1"):
        turn_share.turn_shares(many, [0], TEXTS, "Where")


@pytest.mark.parametrize("name", ["attention", "gated"])
def test_by_lag_is_exact_where_it_can_be(name):
    """Against the trace's own sizes, or the bank without the turn."""
    torch.manual_seed(0)
    rule = WRITES[name](5, 8).double()
    latents = [torch.randn(3, 8, dtype=torch.double) for _ in range(6)]
    first, last = turn_trace.by_lag(rule, latents, [1, 5])
    assert (len(first), len(last)) == (5, 1)
    if turn_trace.exact(rule):
        assert torch.equal(first, turn_trace.trace(rule, latents).size[2:, 2])
        assert first[-1] < first[0]
    else:
        assert torch.equal(first, turn_trace.leave_out(rule, latents, [1])[0, 2:])
    assert first.min() > 0
    with pytest.raises(InputError, match="turns 0 to 5, not 6"):
        turn_trace.by_lag(rule, latents, [6])


def test_the_counts_are_the_releases():
    path = locomo_release.find()
    if path is None:
        pytest.skip("LoCoMo is neither in LMEM_LOCOMO nor in the user's cache")
    _, test = splits.paper_split(locomo.load(path))
    lags = [q.lag for conversation in test for q in conversation.questions]
    assert tuple(forgetting_curve(lags, [0.0] * len(lags))["n"]) == turn_share.QUESTIONS
    assert json.dumps(list(turn_share.QUESTIONS))[1:-1] in figure().layout.meta["alt"]
