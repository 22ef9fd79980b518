"""The figure of the rows' fates: what is drawn is what was given, coloured by what was predicted."""

import pytest

from lmem.errors import InputError
from lmem.viz.row_divergence import CONVERGE, DIVERGE, divergence_rows, row_divergence

GROUPS = {
    "64 rows": [
        {
            "gain": 1.2,
            "turns": [0, 5, 10],
            "measured": [2.0, 4.0, 6.0],
            "predicted": [2.0, 4.0, 8.0],
        },
        {
            "gain": 0.9,
            "turns": [0, 5, 10],
            "measured": [2.0, 1.0, 0.5],
            "predicted": [2.0, 1.0, 0.5],
        },
    ],
    "640 rows": [
        {
            "gain": 0.95,
            "turns": [0, 5, 10],
            "measured": [4.0, 2.0, 1.0],
            "predicted": [4.0, 2.0, 1.2],
        },
        {
            "gain": 0.95,
            "turns": [0, 5, 10],
            "measured": [4.0, 2.0, 2.0],
            "predicted": [4.0, 2.0, 2.0],
        },
    ],
}


def test_lines_stand_over_their_start_and_the_slider_changes_them():
    figure = row_divergence(GROUPS, "t", "rows: ")
    assert [list(trace.y) for trace in figure.data[:4]] == [
        [1, 2, 3],
        [1, 2, 4],
        [1, 0.5, 0.25],
        [1, 0.5, 0.25],
    ]
    assert list(figure.data[0].x) == [0, 5, 10]
    assert [trace.line.color for trace in figure.data[:4:2]] == [DIVERGE, CONVERGE]
    assert [trace.line.dash for trace in figure.data[:2]] == ["solid", "dot"]
    assert [list(trace.y) for trace in figure.frames[1].data[:2]] == [[1, 0.5, 0.25], [1, 0.5, 0.3]]
    assert [step.label for step in figure.layout.sliders[0].steps] == list(GROUPS)
    assert figure.layout.yaxis.type == "log"


def test_it_is_said_in_words_and_in_numbers():
    alt = row_divergence(GROUPS, "t", "rows: ").layout.meta["alt"]
    assert "64 rows: 1 of 2 predicted to grow; in the end 0.25 to 3 times" in alt
    assert divergence_rows(GROUPS)[2] == {
        "bank": "640 rows",
        "seed": 0,
        "lambda": "0.950",
        "distance in the end, times that at the start": "0.25",
        "predicted": "0.3",
    }


@pytest.mark.parametrize("groups", [{}, {"a": []}, {**GROUPS, "b": GROUPS["64 rows"][:1]}])
def test_groups_are_of_one_size(groups):
    with pytest.raises(InputError, match="equally many"):
        row_divergence(groups, "t", "rows: ")
