"""The figure of what a write keeps, and the table of what the repairs score, show the values of their files."""

import pytest

from lmem.data.tinyworld.language import UNKNOWN
from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.summary import headline
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
    for method, bank in (
        ("m1", "1x"), ("m2", "10x"), ("m3", "10x"), ("m4", "1x"), ("m5", "10x"), ("m6", "10x"),
    ):  # fmt: skip
        rows = repairs.score_rows(method)
        right = {(row["method"], row["bank"]): float(row["right bank, %"]) for row in rows}
        best = right.pop(("repaired", bank))
        assert best > 35
        assert all(score < best for score in right.values())
        assert ("printed", "1x") in right
        assert all(score < 2 for (kind, _), score in right.items() if kind == "printed")
        assert all(float(row["twin's bank, %"]) < 2 for row in rows)


def points(name):
    return headline(results.load(f"repairs/{name}")["summary"])[0]


def test_the_repaired_m1_differs_between_seeds_as_chapter_3_says():
    seeds = [points(f"m1_repaired-1x-s{seed}")["mean"] for seed in range(3)]
    assert (round(100 * min(seeds)), round(100 * max(seeds))) == (23, 51)
    together = repairs.mean_gain([results.load(f"repairs/m1_repaired-1x-s{s}") for s in range(3)])
    assert 0.3 < together["mean"] < 0.4
    assert 0 < together["low"] < 0.05


def test_the_repaired_m4_needs_its_rule_and_loses_with_time_as_chapter_7_says():
    whole = points("m4_repaired-1x-s0")
    assert points("m4_repaired-without-rule-1x-s0")["mean"] == 0
    assert points("m4_repaired-without-whiten-1x-s0")["mean"] >= whole["mean"]
    assert points("m4_repaired-10x-s0")["mean"] <= whole["mean"] + 0.02
    long, short = (
        repairs.mean_gain([results.load(f"repairs/m4_repaired-1x{part}-s{s}") for s in range(3)])
        for part in ("-long", "")
    )
    assert 0.75 < short["mean"] < 0.85
    assert round(100 * long["mean"]) == 31
    [row] = [
        row
        for row in repairs.score_rows("m4")
        if (row["method"], row["bank"]) == ("repaired", "1x")
    ]
    assert int(row["abstention, %"].split()[0]) < 50
