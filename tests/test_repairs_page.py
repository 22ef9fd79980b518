"""The page of the repaired methods is what its files say."""

import importlib.util
from pathlib import Path

import pytest

from lmem.experiments.read_use import STARTS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "book/tools/repairs_page.py"
    spec = importlib.util.spec_from_file_location("repairs_page", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def result(right, lags=range(12), method="slots+extension"):
    rows = []
    for conversation in "abcd":
        for lag in lags:
            em = {"em": int(lag < right), "answer": "x"}
            about = {"id": f"{conversation}{lag}", "conversation": conversation, "lag": lag}
            rows.append(about | {"answerable": True, "right": em, "twin": {"em": 0, "answer": "y"}})
    none = {"em": None, "answer": "unknown"}
    about = {"id": "u", "conversation": "a", "lag": None, "answerable": False}
    rows.append(about | {"right": none, "twin": none})
    return {"questions": rows, "method": method}


def test_the_page_is_what_the_files_say(tool):
    written = (ROOT / "book/repairs.md").read_text(encoding="utf-8")
    assert written == tool.page(ROOT / "results"), "python book/tools/repairs_page.py write"


def test_sentences_fall_with_their_numbers(tool):
    files = {f"{repair.name}-10x-s0": result(4) for repair in tool.repaired()}
    assert "4 of 4 repairs have at least 50 points" in tool.verdict(files)
    files["m6_repaired-10x-long-s0"] = result(0)
    assert "100.0" in tool.full_slots(files)
    files["m6_repaired-10x-long-s0"] = result(4)
    with pytest.raises(tool.NumberError, match="full slots"):
        tool.full_slots(files)
    files["m6_repaired-10x-s0"] = result(0)
    with pytest.raises(tool.NumberError, match="scores"):
        tool.verdict(files)


def test_a_chart_has_a_point_for_each_value_and_says_them(tool):
    drawn = tool.chart("Score", ["0", "1", "2"], {"one": [1.0, None, 0.5], "two": [0.0, 0.25, 0.0]})
    assert drawn.count("<circle") == 5
    assert "one: 100, -, 50; two: 0, 25, 0" in drawn
    assert tool.abstention([result(4)]) == "100.0 (n=1)"


def ideal(read, start, exact=1.0, pooled=0.0):
    """A result of `lmem reads`."""
    kinds = {"exact": exact, "superposed-1": 0.0, "superposed-3": 0.0, "pooled": pooled}
    kinds |= {"embeddings": 0.0} if read == "prefix" else {}
    banks = {
        kind: {"curve": {"0": 0.0, "10": 0.4, "20": right}, "wrong": 0.0, "loss": 1.0}
        for kind, right in kinds.items()
    }
    about = {"read": read, "start": start, "questions": 7, "text": 0.95, "reads": {"steps": 20}}
    return about | {"banks": banks}


def ideal_files(**changed):
    files = {}
    for read, starts in STARTS.items():
        for start in starts:
            best = 0.0 if start == "printed" or read in ("prefix", "query") else 1.0
            files[f"reads-{read}-{start}-s0"] = ideal(read, start, **{"exact": best, **changed})
    return files


def test_the_section_on_reads_is_what_its_files_say(tool):
    drawn = tool.reads(ideal_files())
    assert "| extension (M.3, M.6)" in drawn
    assert "20 steps" in drawn
    assert drawn.count("<polyline") == 8
    rows = tool.read_table(tool.read_scores(ideal_files()))
    assert [row["steps to 50%"] for row in rows[:2]] == ["20", "never"]
    assert rows[0]["hidden states"] == "100.0"
    for changed in ({"exact": 0.0}, {"pooled": 0.5}):
        with pytest.raises(tool.NumberError, match="read"):
            tool.reads(ideal_files(**changed))


def test_the_reasons_fall_with_their_numbers(tool):
    assert "95.0 percent are" in tool.resist(ideal_files())
    with pytest.raises(tool.NumberError, match="learns"):
        tool.resist(ideal_files(exact=1.0))
    assert tool.resist({}) == ""
