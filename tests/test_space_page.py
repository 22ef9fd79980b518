"""The page of the design space is what the code and the result files say."""

import importlib.util
import re
from pathlib import Path

import pytest

from lmem.memory import methods
from lmem.viz.live.site import known_adapters
from lmem.viz.live.words import METHODS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "book/tools/space_page.py"
    spec = importlib.util.spec_from_file_location("space_page", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(tool):
    return tool.page(ROOT / "results")


def test_the_page_is_what_the_files_say(page):
    written = (ROOT / "book/design_space.md").read_text(encoding="utf-8")
    assert written == page, "python book/tools/space_page.py write"


def test_every_pair_that_fits_is_there_and_no_other(page):
    pairs = set(re.findall(r'data-write="(\w+)" data-read="(\w+)"', page))
    assert pairs == {(method.write, method.read) for method in methods.grid()}


def test_a_pair_runs_if_its_adapter_is_shipped(page):
    runs = set(re.findall(r'data-adapter="([\w-]+)"', page))
    offered = {entry["adapter"] for entry in METHODS}
    assert runs == {about["name"] for about in known_adapters()} & offered


def test_without_result_files_nothing_has_a_score(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "SHIPPED", {})
    page = tool.page(tmp_path)
    assert "0 of them have a score" in page
    assert "over 60 turns" not in page
