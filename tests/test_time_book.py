"""`lmem time-book` on a tiny notebook: what is counted, that the file stays as it is, and how it refuses."""

import json
import sys

import nbformat
import pytest
from chapters import NOTEBOOKS, ROOT
from helpers import lmem

from lmem.bench.book import table, time_notebooks
from lmem.errors import InputError
from lmem.evaluation import results


def notebook(path, *sources):
    cells = [nbformat.v4.new_markdown_cell("# 0. A tiny one")]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_a_notebook_is_run_once_and_stays_as_it_is(tmp_path, capsys):
    path = notebook(tmp_path / "tiny.ipynb", "open('ran', 'a').write('x')", "big = bytearray(2**20)")  # fmt: skip
    before, out = path.read_bytes(), tmp_path / "time-book.json"
    code, printed, _ = lmem(capsys, "time-book", path, "--out", out)
    assert code == 0
    assert "0. A tiny one" in printed
    assert (tmp_path / "ran").read_text() == "x"
    assert path.read_bytes() == before
    found = json.loads(out.read_text())
    [one] = found["notebooks"]
    assert (one["name"], one["title"], one["code_cells"]) == ("tiny", "0. A tiny one", 2)
    assert 0 < one["seconds"] <= found["total_seconds"]
    if sys.platform != "win32":
        assert one["cpu_seconds"] > 0
        assert one["peak_mib"] > 10
    assert found["provenance"]["versions"]["python"]


def test_what_cannot_be_run(tmp_path):
    with pytest.raises(InputError, match="found none"):
        time_notebooks([])
    with pytest.raises(InputError, match="there is none"):
        time_notebooks([tmp_path / "never.ipynb"])
    with pytest.raises(InputError, match="top to bottom: ZeroDivisionError"):
        time_notebooks([notebook(tmp_path / "wrong.ipynb", "1 / 0")])


def test_the_page_shows_the_shipped_file():
    """The table of book/instructors.md is the file's; the file is of every notebook, and none takes too long."""
    found = results.load("bench/time-book")
    page = (ROOT / "book/instructors.md").read_text(encoding="utf-8")
    for line in table(found):
        assert f"| {' | '.join(line.values())} |" in page
    assert [one["name"] for one in found["notebooks"]] == [path.stem for path in NOTEBOOKS]
    assert f"{found['total_seconds'] / 60:.0f} minutes in all" in page
    for one in found["notebooks"]:
        lab = one["name"].startswith("15_")  # trains six methods
        assert one["seconds"] < (180 if lab else 90)
        assert one["cpu_seconds"] < (180 if lab else 45)
