"""The page of the design space is what the code and the result files say."""

import importlib.util
import re
import shlex
from html import unescape
from pathlib import Path

import pytest
import typer

from lmem.cli import app
from lmem.evaluation import results
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


def test_every_printed_command_is_one_of_the_command_line(page):
    """Typer's own parser takes the options; the method is one that it can train."""
    lines = [
        line.format(scale=scale)
        for text in re.findall(r'data-command="([^"]+)"', page)
        for line in unescape(text).splitlines()
        for scale in (1, 10)
    ]
    used = set()
    for line in lines:
        lmem, verb, *options = shlex.split(line)
        assert lmem == "lmem"
        given = typer.main.get_command(app).commands[verb].make_context(verb, options).params
        used.add(verb)
        if verb == "train":
            assert methods.find(given["method"]).name == given["method"]
    assert used == {"train", "evaluate", "repairs"}


def test_a_row_without_a_score_has_a_command_and_no_other(page):
    rows = re.findall(r"<tr data-.*?</tr>", page)
    assert all(("no score yet" in row) == ("data-command" in row) for row in rows)


def test_what_is_measured_on_mini_says_so(page):
    [row] = re.findall(r'<tr data-write="spans".*?</tr>', page)
    memory = results.load("mini/spans-10x")["summary"]["memory"]["right-twin, all"]
    assert f"{100 * memory['mean']:.1f} [" in row
    assert "trained, on mini</td>" in row


def test_without_result_files_nothing_has_a_score(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "SHIPPED", {})
    page = tool.page(tmp_path)
    assert "0 of them have a score" in page
    assert "over 60 turns" not in page
