"""The page of the ladder is what its files say."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("ladder_page", ROOT / "book/tools/ladder_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(name, right, twin, held_out=(), kind="single", lag=300):
    scores = {"right": {"em": right}, "twin": {"em": twin}, "oracle": {"em": 1}}
    return {
        "id": name, "conversation": name[0], "answerable": True, "held_out": list(held_out), "kind": kind, "lag": lag, **scores,
    }  # fmt: skip


def result(*rows):
    return {"questions": list(rows)}


def test_the_page_is_what_the_files_say(tool):
    written = (ROOT / "book/ladder.md").read_text(encoding="utf-8")
    assert written == tool.page(ROOT / "results"), "python book/tools/ladder_page.py write"


def cells(right):
    some = [
        row(f"{c}{i}", int(i < right), 0, ("phrasing",) if i % 2 else (), "updated")
        for c in "abcdef"
        for i in range(10)
    ]
    return {"keyed-1x": [result(*some)], "keyed-10x": [result(*some)]}


@pytest.mark.parametrize(("right", "reached"), [(10, ["yes"] * 4), (7, ["no", "no", "yes", "no"])])
def test_an_aim_is_reached_or_not(tool, right, reached):
    assert [line["reached"] for line in tool.goals(cells(right))] == reached


def test_what_did_not_work_is_said(tool):
    nothing = result(*[row(f"{c}{i}", 0, 0) for c in "abcdef" for i in range(10)])
    text = tool.failures({"m2-1x": [nothing], **cells(7)})
    assert "**No memory is shown:** `m2` at 1x." in text
    assert "is compared with:** none." in text
    [better], [less] = (cells(right)["keyed-1x"] for right in (7, 5))
    text = tool.failures({"m2-1x": [better], **cells(5)})
    assert "**No memory is shown:** none." in text
    assert "is compared with:** `keyed` at 1x." in text
    assert tool.change([better, less], [less])["mean"] == pytest.approx(-0.2)
