"""Both editions come out of the one source: students find stubs and no solution, instructors solutions that run.

The chapter that is run by default is the last, which has stubs of every kind; chapter 1 runs from the wheel.
"""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from chapters import (
    NOTEBOOKS,
    ROOT,
    code,
    each_notebook,
    environment,
    last_text,
    nbval,
    read,
    some_notebooks,
    tags,
)
from chapters import source as text

from lmem.exercises.exercise import UNFINISHED

TOOL = ROOT / "book/tools/editions.py"


@pytest.fixture(scope="module")
def editions(tmp_path_factory):
    """Both editions of all notebooks, made by the command: folders `students` and `solutions`."""
    pytest.importorskip("nbformat", reason="the [dev] extra is not installed")
    out = tmp_path_factory.mktemp("editions")
    command = [sys.executable, str(TOOL), str(out), *map(str, NOTEBOOKS)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.count(f"{len(NOTEBOOKS)} notebooks: ") == 2
    return SimpleNamespace(students=out / "students", solutions=out / "solutions")


def lines(cell):
    """The lines of a cell that say something of their own: not imports, comments, signatures, checks or brackets."""
    dull = r"(import |from |#|def |class |check\.|return$|<)"
    return {
        line.strip()
        for line in text(cell).splitlines()
        if len(line.strip()) > 12 and not re.match(dull, line.strip())
    }


@each_notebook
def test_no_solution_is_left_for_students(path, editions):
    cells, whole = read(editions.students / path.name)["cells"], read(path)["cells"]
    assert len(cells) == len([c for c in whole if "solution" not in tags(c)])
    left = "\n".join(text(c) for c in cells)
    asked = set().union(*(lines(c) for c in whole if "solution" not in tags(c)))
    for cell in whole:
        if "solution" in tags(cell):
            for line in lines(cell) - asked:
                assert line not in left, line
    assert "<summary>Solution" not in left
    assert "@title Solution" not in left
    assert not re.search(
        r"\bIn the solution\b|\bThe solutions?('s output)? (is|are|stands?|then)\b", left
    )


@each_notebook
def test_students_get_every_exercise_with_its_check_and_no_outputs(path, editions):
    found, whole = read(editions.students / path.name), read(path)
    for tag in ("exercise", "check"):
        wanted = [text(c) for c in whole["cells"] if tag in tags(c)]
        assert [text(c) for c in found["cells"] if tag in tags(c)] == wanted
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in code(found))
    assert "widgets" not in found["metadata"]


@each_notebook
def test_the_solutions_stand_open_in_the_stubs_places(path, editions):
    found, whole = read(editions.solutions / path.name), read(path)
    cells = found["cells"]
    assert len(cells) == len([c for c in whole["cells"] if not tags(c) & {"exercise", "check"}])
    assert not any(tags(c) & {"exercise", "check"} for c in cells)
    for cell, own in zip(
        (c for c in cells if "solution" in tags(c)),
        (c for c in whole["cells"] if "solution" in tags(c)),
        strict=True,
    ):
        assert cell["metadata"] == {"tags": ["solution"]}
        if cell["cell_type"] == "markdown":
            assert text(cell).startswith("<details open>")
        else:
            assert text(cell) == text(own)
            if "check." in text(cell):  # what measures the answer to a question in words has none
                assert re.fullmatch(r"Exercise \d+\.\d+: right\.", last_text(cell))
    assert [c["execution_count"] for c in code(found)] == list(range(1, len(code(found)) + 1))


@pytest.mark.slow
@some_notebooks(1)
def test_every_stub_says_that_it_is_unfinished(path, editions, tmp_path):
    """The students' edition, run from top to bottom: its checks say so, and nothing else stops."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(editions.students / path.name, as_version=4)
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=place).execute()
    wanted = [text(c) for c in notebook.cells if "check" in tags(c)]
    assert wanted or path.stem.startswith("gallery")
    for cell in notebook.cells:
        if "check" in tags(cell):
            number = re.match(r"Exercise (\d+\.\d+) is not finished", last_text(cell))
            assert number, last_text(cell)
            stubs = ("raise NotImplementedError", "...")
            assert last_text(cell) in [UNFINISHED.format(number[1], stub) for stub in stubs]


@pytest.mark.slow
@some_notebooks(1)
def test_everything_runs_in_the_solutions_edition(path, editions, tmp_path):
    """Every cell says without the stubs what it said behind them."""
    pytest.importorskip("nbval", reason="the [dev] extra is not installed")
    run = subprocess.run(
        [sys.executable, *nbval(editions.solutions / path.name)],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
    count = len(code(read(editions.solutions / path.name)))
    assert f"{count} passed" in run.stdout


# ---- the command, on an exercise of each kind -----------------------------------------------------------


def cell(kind, words, *marks, outputs=()):
    found = {"cell_type": kind, "source": words, "metadata": {"tags": list(marks)}, "id": words[:3]}
    if kind == "code":
        found |= {"outputs": list(outputs), "execution_count": 7}
    return found


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOL.parent))
    for name in ("notebooks", "editions"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import editions

    return editions


@pytest.fixture
def exercise():
    words = "<details><summary>Solution of 9.2</summary>\n\nBecause.\n</details>"
    result = {"output_type": "execute_result", "execution_count": 7, "data": {}, "metadata": {}}
    return {
        "cells": [
            cell(
                "markdown", "Run the check. The solution is folded. In the solution of 9.2 is more."
            ),
            cell("code", "x = ...", "exercise"),
            cell("code", "check.x(x)", "check"),
            cell("code", "x = 2\ncheck.x(x)", "solution", "hide-input", outputs=[result]),
            cell("markdown", words, "solution"),
            cell("code", "print(x)"),
        ],
        "metadata": {"widgets": {"state": {}}},
    }


def test_students_keep_the_question(tool, exercise):
    found = tool.students(exercise)
    assert [c["source"] for c in found["cells"]] == [
        "Run the check.", "x = ...", "check.x(x)", "print(x)",
    ]  # fmt: skip
    assert found["metadata"] == {}
    assert len(exercise["cells"]) == 6, "the source stays as it was"


def test_instructors_get_answers_numbered_anew(tool, exercise):
    found = tool.solutions(exercise)
    answers = [c["source"] for c in found["cells"]]
    assert answers[1] == "x = 2\ncheck.x(x)"
    assert answers[2].startswith("<details open><summary>")
    assert [c["execution_count"] for c in code(found)] == [1, 2]
    assert found["cells"][1]["outputs"][0]["execution_count"] == 1
    assert exercise["cells"][3]["outputs"][0]["execution_count"] == 7


def test_the_command_says_how_it_is_used(tool, capsys):
    assert tool.main() == tool.main("out") == 2
    assert "notebooks/*.ipynb" in capsys.readouterr().out


# ---- a notebook whose tags would let a solution through ---------------------------------------------------


def place(cells, tag):
    return next(i for i, found in enumerate(cells) if tag in tags(found))


def retag(cells, tag, *new):
    cells[place(cells, tag)]["metadata"]["tags"] = list(new)


def drop_solution(cells, kind="code"):
    found = (c for c in cells if "solution" in tags(c) and c["cell_type"] == kind)
    cells.remove(next(found))


def swap(cells):
    i = place(cells, "check")
    cells[i], cells[i + 1] = cells[i + 1], cells[i]


BREAKS = {
    "unknown tag": (lambda cells: retag(cells, "solution", "Solution"), "the tag 'Solution' is unknown"),
    "no solution after a stub": (drop_solution, "it is a stub (tag exercise)"),
    "no check after a stub": (lambda cells: cells.pop(place(cells, "check")), "it is a stub (tag exercise)"),
    "another order": (swap, "it is a stub (tag exercise)"),
    "a stub without its tag": (lambda cells: retag(cells, "exercise"), "it is a check; expected a cell tagged exercise"),
    "a check without its tag": (lambda cells: retag(cells, "check"), "it contains 'check.turns_kept('"),
    "two tags": (lambda cells: retag(cells, "exercise", "exercise", "solution"), "exercise and solution; expected one"),
    "a folded solution": (lambda cells: retag(cells, "solution", "hide-input"), "it contains '@title Solution'"),
    "a solution of another form": (
        lambda cells: cells.append(cell("code", "# Solution of 1.1\nx = 1", "hide-input")),
        "it contains 'Solution of'",
    ),
    "a solution in words without its tag": (
        lambda cells: next(c for c in cells if text(c).startswith("<details><summary>Solution"))["metadata"].clear(),
        "it contains '<summary>Solution'",
    ),
    "no solution in words": (
        lambda cells: drop_solution(cells, "markdown"),
        "exercise 1.4 has no solution",
    ),
    "an exercise alone": (
        lambda cells: cells.append(cell("markdown", "**Exercise 1.40** (derive). Why?")),
        "exercise 1.40 has no solution",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
def test_a_notebook_that_would_leak_is_refused(name, tool, tmp_path, capsys):
    """Chapter 1, broken in one place: the file and the cell are named, and no edition is written."""
    breaks, said = BREAKS[name]
    notebook = read(NOTEBOOKS[0])
    breaks(notebook["cells"])
    path = tmp_path / "broken.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert tool.main(str(tmp_path / "out"), str(NOTEBOOKS[1]), str(path)) == 1
    told = capsys.readouterr().err
    where = re.escape(str(path)) + r", cell \d+ \(id .+?\): "
    assert re.search(rf"^{where}.*{re.escape(said)}", told, re.M), told
    assert not (tmp_path / "out").exists()


def test_the_cell_that_is_named_is_the_broken_one(tool):
    notebook = read(NOTEBOOKS[0])
    at = place(notebook["cells"], "solution")
    notebook["cells"][at]["metadata"]["tags"] = ["Solution"]
    found = [f"cell {at + 1} (id {notebook['cells'][at]['id']}): the tag 'Solution' is unknown"]
    assert [one.partition(";")[0] for one in tool.problems(notebook) if "unknown" in one] == found
