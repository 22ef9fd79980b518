"""Slides out of the notebooks: each section and figure of a chapter has its place, and nothing of the exercises."""

import json
import re
import subprocess
import sys
from html import unescape
from types import SimpleNamespace

import pytest
from chapters import CHAPTERS, ROOT, code, environment, read, source

pytest.importorskip("nbconvert", reason="the [book] extra is not installed")

TOOL = ROOT / "book/tools/slides.py"
MIME = "application/vnd.plotly.v1+json"
DECKS = [path for path in CHAPTERS if path.stem[:2] in ("04", "06")]


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    """{notebook: HTML of its slides}, made by the command."""
    out = tmp_path_factory.mktemp("slides")
    command = [sys.executable, str(TOOL), str(out), *map(str, DECKS), "--reveal", "reveal"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    assert len(run.stdout.splitlines()) == len(DECKS) == 2
    assert (out / "plotly.min.js").stat().st_size > 1_000_000
    return {path: (out / f"{path.stem}.html").read_text(encoding="utf-8") for path in DECKS}


def lesson(path):
    """The code before the quiz."""
    cells = read(path)["cells"]
    [quiz] = [i for i, cell in enumerate(cells) if source(cell).startswith("## Quiz")]
    return code({"cells": cells[:quiz]})


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOL.parent))
    for name in ("notebooks", "slides"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import slides

    return slides


@pytest.mark.parametrize("path", DECKS, ids=lambda path: path.stem)
def test_every_figure_of_the_chapter_is_drawn(path, decks):
    """With the same numbers and its text alternative."""
    stored = [
        output["data"][MIME]
        for cell in lesson(path)
        for output in cell["outputs"]
        if MIME in output.get("data", {})
    ]
    drawn = re.findall(
        r'aria-label="([^"]*)"[^>]*></div>\s*<script>.*?var figure = (.*?);\n', decks[path], re.S
    )
    assert len(stored) == len(drawn) >= 2
    for figure, (alt, inside) in zip(stored, drawn, strict=True):
        assert json.loads(inside) == figure
        assert unescape(alt) == figure["layout"]["meta"]["alt"]


@pytest.mark.parametrize("path", DECKS, ids=lambda path: path.stem)
def test_every_section_has_a_slide_and_the_exercises_have_none(path, decks):
    cells = [c for c in read(path)["cells"] if c["cell_type"] == "markdown"]
    headings = re.findall(r"(?m)^## (.+)$", "\n".join(source(c) for c in cells))
    shown = re.findall(r"<h2[^>]*>(.*?)<a", decks[path], re.S)
    wanted = headings[: headings.index("Quiz")]
    assert len(wanted) > 8
    for heading in wanted:
        plain = re.sub(r"\$[^$]*\$|`", "", heading)[:20]
        assert any(plain in unescape(re.sub("<[^>]+>", "", one)) for one in shown), heading
    text = unescape(decks[path])
    assert "raise NotImplementedError" not in text
    assert "Solution of" not in text
    assert "lmem-quiz" not in text
    assert decks[path].count("<section>") + decks[path].count("<section ") > len(wanted)


@pytest.mark.parametrize("path", DECKS, ids=lambda path: path.stem)
def test_printed_lines_are_kept_and_the_copy_of_reveal_is_the_one_asked_for(path, decks):
    streams = [
        "".join(output["text"]).splitlines()[0]
        for cell in lesson(path)
        for output in cell["outputs"]
        if output["output_type"] == "stream"
    ]
    assert len(streams) > 3
    text = unescape(decks[path])
    assert [line for line in streams if line.strip() not in text] == []
    assert "reveal/dist/reveal.js" in decks[path]
    assert "</head>" in decks[path].split("plotly.min.js", 1)[1]


def test_the_first_paragraph_is_shown_and_the_others_are_notes(tool):
    text = "## Why\n\n*Because* it is.\n\n*More* of it.\n\n$$x = 1$$\n\n- a list\n\nThe end."
    shown, notes = tool.section(text)
    assert shown.source == "## Why\n\n*Because* it is.\n\n$$x = 1$$\n\n- a list"
    assert notes.source == "*More* of it.\n\nThe end."
    assert shown.metadata.slideshow.slide_type == "slide"
    assert notes.metadata.slideshow.slide_type == "notes"
    [alone] = tool.section("Only this.")
    assert alone.metadata.slideshow.slide_type == "subslide"


def test_code_that_is_long_shows_what_it_says_only(tool):
    import nbformat

    def cell(lines, *outputs):
        made = nbformat.v4.new_code_cell("\n".join(["x = 1"] * lines), id=f"c{lines}")
        made.outputs = list(outputs)
        return made

    said = nbformat.v4.new_output("stream", name="stdout", text="said so")
    notebook = SimpleNamespace(cells=[cell(3), cell(40, said), cell(50)])
    page, _ = tool.exporter().from_notebook_node(tool.slides(notebook))
    assert len(re.findall(r'class="highlight', page)) == 1
    assert page.count("said so") == 1
    assert "unpkg.com/reveal.js" in page


def test_the_makefile_makes_them():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "\nslides:" in makefile
    assert "book/tools/slides.py _build/slides" in makefile
    page = (ROOT / "book/instructors.md").read_text(encoding="utf-8")
    assert "make slides" in page
