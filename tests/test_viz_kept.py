"""The figure of what a write keeps, and the table of what the repairs score, show the values of their files."""

import pytest

from lmem.data.tinyworld.language import UNKNOWN
from lmem.errors import InputError
from lmem.evaluation import results
from lmem.experiments import repairs
from lmem.viz.kept import kept_by_lag


def probe(shares, theory=None):
    found = {"facts": {"0": shares}, "chance": 0.25}
    return found | ({"superposition": {"0": theory}} if theory else {})


def test_each_write_has_its_line_and_the_theory_where_there_is_one():
    figure = kept_by_lag(
        {
            "a": probe({"0": 1.0, "4": 0.5}, {"0": 1.0, "4": 0.75}),
            "b": probe({"0": 0.5, "4": 0.25}),
        },
        "T",
    )
    lines = {trace.name: list(trace.y) for trace in figure.data}
    assert lines == {"a": [100, 50], "a, theory": [100, 75], "b": [50, 25], "chance": [25, 25]}
    assert list(figure.data[0].x) == ["0", "4"]
    assert "b 50 at lag 0, 25 at lag 4; chance 25" in figure.layout.meta["alt"]
    with pytest.raises(InputError, match="at least one"):
        kept_by_lag({}, "T")


def question(conversation, number, answer, right, twin="x"):
    return {
        "id": f"{conversation}{number}", "conversation": conversation, "lag": 0, "answerable": answer,
        "right": {"answer": right, "em": int(right == "x") if answer else None},
        "twin": {"answer": twin, "em": 0 if answer else None},
    }  # fmt: skip


@pytest.fixture
def files(monkeypatch):
    """Result files of m3 as printed at 1x, and repaired at both sizes, also in long conversations."""
    said = {
        "m3-1x": "y",
        "m3_repaired-1x": "y",
        "m3_repaired-10x": "x",
        "m3_repaired-10x-long": "y",
    }
    stored = {
        f"repairs/{name}-s0": {
            "questions": [
                *(question(c, 0, True, right) for c in "abc"),
                question("a", 1, False, UNKNOWN), question("b", 1, False, "y"),
            ]
        }
        for name, right in said.items()
    }  # fmt: skip
    stored["repairs/kept-m3-1x-s0"] = stored["tinyworld/m3-1x-s0"] = {}
    monkeypatch.setattr(results, "names", lambda: list(stored))
    monkeypatch.setattr(results, "load", lambda name: stored[str(name)])
    return stored


def test_the_repaired_come_first_and_the_large_bank_before_the_small(files):
    rows = repairs.score_rows("m3")
    assert [(row["method"], row["bank"]) for row in rows] == [
        ("repaired", "10x"), ("repaired", "1x"), ("printed", "1x"),
    ]  # fmt: skip
    assert [row["right bank, %"] for row in rows] == ["100.0", "0.0", "0.0"]
    assert {row["twin's bank, %"] for row in rows} == {"0.0"}
    assert rows[0]["memory score, points"].startswith("100.0 ")
    assert {row["abstention, %"] for row in rows} == {"50 (n=2)"}
    assert repairs.score_rows("m1") == []


def test_the_shipped_files_show_what_the_chapters_say():
    """Each repaired method answers from its own bank and not from the twin's; the printed ones do not answer."""
    for method in ("m2", "m3", "m5", "m6"):
        rows = repairs.score_rows(method)
        right = {(row["method"], row["bank"]): float(row["right bank, %"]) for row in rows}
        best = right.pop(("repaired", "10x"))
        assert best > 35
        assert all(score < best for score in right.values())
        assert all(score < 2 for (kind, _), score in right.items() if kind == "printed")
        assert all(float(row["twin's bank, %"]) < 2 for row in rows)
