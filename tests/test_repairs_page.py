"""The page of the repaired methods is what its files say."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

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
    stored = json.loads(re.search(r'<script type="application/json">(.*?)</script>', drawn)[1])
    assert [trace["y"] for trace in stored["data"]] == [[100, None, 50], [0, 25, 0]]
    assert "one: 100, -, 50; two: 0, 25, 0" in drawn
    assert tool.abstention([result(4)]) == "100.0 (n=1)"
