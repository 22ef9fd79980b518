"""Handouts: a chapter as one HTML file has all that the stored notebook has, every figure included."""

import json
import re
import subprocess
import sys

import pytest
from bs4 import BeautifulSoup
from chapters import CHAPTERS, ROOT, code, environment, read, source, tags

pytest.importorskip("nbconvert", reason="the [book] extra is not installed")

TOOL = ROOT / "book/tools/handouts.py"
MIME = "application/vnd.plotly.v1+json"
[CHAPTER] = [path for path in CHAPTERS if path.stem.startswith("06")]


@pytest.fixture(scope="module", params=[(), ("--students",)], ids=["whole", "students"])
def handout(request, tmp_path_factory):
    """(the cells that it must show, its head, its parsed body), made by the command."""
    out = tmp_path_factory.mktemp("handouts")
    command = [sys.executable, str(TOOL), str(out), str(CHAPTER), *request.param]
    subprocess.run(command, check=True, env=environment())
    cells = read(CHAPTER)["cells"]
    shown = [cell for cell in cells if not (request.param and "solution" in tags(cell))]
    assert (len(shown) < len(cells)) == bool(request.param)
    page = (out / f"{CHAPTER.stem}.html").read_text(encoding="utf-8")
    head, _, body = page.partition("</head>")
    return shown, head, BeautifulSoup(body, "html.parser")


def outputs(cells):
    return [output for cell in code({"cells": cells}) for output in cell["outputs"]]


def test_every_figure_is_drawn(handout):
    """With the same numbers and its text alternative, in a place of its own, by the plotly.js in the file."""
    cells, head, body = handout
    stored = [output["data"][MIME] for output in outputs(cells) if MIME in output.get("data", {})]
    boxes = body.select("div.lmem-plotly")
    scripts = [box.find_next("script").string for box in boxes]
    assert len(stored) > 3
    drawn = [re.search(r"var figure = (.*);\n", script)[1] for script in scripts]
    assert [json.loads(figure) for figure in drawn] == stored
    assert [box["aria-label"] for box in boxes] == [one["layout"]["meta"]["alt"] for one in stored]
    assert len({box["id"] for box in boxes}) == len(boxes)
    for box, script in zip(boxes, scripts, strict=True):
        assert f'Plotly.newPlot("{box["id"]}", figure.data' in script
    assert "window.Plotly = Plotly" in head


def test_every_cell_and_printed_line_is_shown(handout):
    cells, _, body = handout
    assert len(body.select(".jp-CodeCell")) == len(code({"cells": cells}))
    text = body.get_text()
    streams = [o["text"] for o in outputs(cells) if o["output_type"] == "stream"]
    printed = [line.strip() for stream in streams for line in "".join(stream).splitlines()]
    assert len(printed) > 5
    assert [line for line in printed if line not in text] == []
    headings = re.findall(r"(?m)^## ([\w ]+)$", "\n".join(map(source, cells)))
    assert "Quiz" in headings
    assert [heading for heading in headings if heading not in text] == []


def test_students_get_no_solution(handout, request):
    _, _, body = handout
    assert ("Solution of 6.1" in body.get_text()) == ("whole" in request.node.name)


def test_the_command_is_where_instructors_look():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "book/tools/handouts.py _build/handouts $(CHAPTERS)" in makefile
    page = (ROOT / "book/instructors.md").read_text(encoding="utf-8")
    assert "make handouts" in page
    assert "book/tools/handouts.py _build/handouts notebooks/04*.ipynb --students" in page
