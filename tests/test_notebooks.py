"""The stored notebooks are complete, neutral and of one form; nbval compares their outputs, this looks at the rest."""

import base64
import copy
import importlib.util
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from chapters import CHAPTERS, NOTEBOOKS, ROOT, code, each_notebook, last_text, read, source, tags

import lmem


@pytest.fixture(scope="module")
def tool():
    pytest.importorskip("nbformat", reason="the [dev] extra is not installed")
    spec = importlib.util.spec_from_file_location("notebooks", ROOT / "book/tools/notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_notebooks():
    assert NOTEBOOKS


@each_notebook
def test_was_run_from_top_to_bottom(path):
    cells = code(read(path))
    assert [c["execution_count"] for c in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        stopped = [o["output_type"] for o in cell["outputs"] if o["output_type"] == "error"]
        assert len(stopped) == ("raises-exception" in tags(cell)), source(cell)


PROFILE = 'profile = notebook.profile("cpu")  # on a GPU: "t4" or "a100", the same code on Flan-T5'
LAB_PROFILE = PROFILE.replace('"cpu"', '"cpu", lab=True')
ELSEWHERE = re.compile(r"""load_backbone\((["']|\))|from_shipped\(|= *["'](nano|google/)""")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_one_cell_holds_the_profile(path):
    """The one line to change for Flan-T5; below it no cell names a backbone of its own."""
    cells = [source(cell) for cell in code(read(path))]
    line = LAB_PROFILE if path.stem.startswith("15") else PROFILE
    [place] = [i for i, text in enumerate(cells) if line in text.splitlines()]
    assert sum(text.count("notebook.profile(") for text in cells) == 1
    for i, text in enumerate(cells):
        assert not ELSEWHERE.search(text), text
        assert i >= place or "profile." not in text


@each_notebook
def test_is_in_normal_form_and_small(path, tool):
    assert tool.check(path), "run `make notebooks`"
    assert read(path)["metadata"]["kernelspec"]["name"] == "python3"
    assert path.stat().st_size < 1_000_000


@each_notebook
def test_begins_with_one_title_and_the_common_setup(path, tool):
    cells = read(path)["cells"]
    assert cells[0]["cell_type"] == "markdown"
    assert source(cells[0]).startswith("# ")
    assert cells[1]["cell_type"] == "code"
    assert source(cells[1]) == tool.setup_cell()


@each_notebook
def test_shows_in_every_front_end(path):
    """Directives are raw text in Colab and JupyterLab; a widget is live with a kernel, and its text without one."""
    notebook = read(path)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            assert "```{" not in source(cell)
            assert ":::" not in source(cell)
    assert "widgets" not in notebook["metadata"]
    assert not [o for c in code(notebook) for o in c["outputs"] if view(o)]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_opens_on_its_part_of_the_journey_and_says_where_help_is(path):
    """Numbers, names and addresses of parts are those of the page, in its order."""
    page = (ROOT / "book/journey_of_a_fact.md").read_text(encoding="utf-8")
    parts = {id: str(n) for n, id in enumerate(re.findall(r'<li id="(\w+)"><b>', page), 1)}
    assert len(parts) == 10
    first = source(read(path)["cells"][0]).split("\n\n")
    [at] = [i for i, text in enumerate(first) if "](../book/journey_of_a_fact.md)" in text]
    assert any(text.startswith("**") for text in first[at - 2 : at])
    linked = re.findall(r"journey_of_a_fact\.md#([\w-]+)\)", first[at])
    assert linked
    assert re.findall(r"\d+", first[at]) == [parts[part] for part in linked]
    for help_page in ("notation", "how_to_use", "faq"):
        assert f"](../book/{help_page}.md)" in first[-1]


@each_notebook
def test_no_line_of_code_scrolls_in_the_page(path):
    """As in the package, ruff's limit."""
    for cell in code(read(path)):
        assert not [line for line in source(cell).splitlines() if len(line) > 100], cell["id"]


@each_notebook
def test_a_cell_that_is_not_compared_asserts_what_must_hold(path):
    """Which tags there are, `book/tools/editions.py` knows; it refuses others."""
    for cell in read(path)["cells"]:
        if "nbval-ignore-output" in tags(cell):
            assert re.search(r"^ *assert ", source(cell), re.M), "assert a range"


@each_notebook
def test_numbers_are_rounded(path):
    """The seventh digit is another one on another processor: nothing is printed or drawn to it."""
    for cell in code(read(path)):
        for output in cell["outputs"]:
            said = "".join(output.get("text", "")) + "".join(
                "".join(output.get("data", {}).get(kind, ""))
                for kind in ("text/plain", "text/html")
            )
            assert not re.findall(r"\d\.\d{7,}", said), source(cell)
            figure = output.get("data", {}).get(FIGURE, {})
            drawn = [figure.get("data", []), [f.get("data") for f in figure.get("frames") or ()]]
            for number in numbers(drawn):
                assert rounded(number), f"{number}: {source(cell)}"


def numbers(drawn):
    """All fractions in a figure's traces; a colour scale is a constant."""
    if isinstance(drawn, dict) and "bdata" in drawn:
        yield from np.frombuffer(base64.b64decode(drawn["bdata"]), drawn["dtype"])
    elif isinstance(drawn, dict):
        for key, inside in drawn.items():
            yield from numbers(inside) if key != "colorscale" else ()
    elif isinstance(drawn, list):
        for inside in drawn:
            yield from numbers(inside)
    elif isinstance(drawn, float):
        yield np.float64(drawn)


def rounded(number):
    """To 6 significant digits, or to 4 behind the point, in its own type."""
    kept = (type(number)(f"{number:.6g}"), number.round(4))
    return not np.isfinite(number) or number in kept


def test_what_is_rounded_is_told_from_what_is_not():
    values = np.array([0.1234, 123.4567, 1.2345e-9, 12345.0, np.nan])
    other = np.array([1 / 3, 0.12345678, 2 / 3 * 1e-6])
    for kind in (np.float64, np.float32):
        packed = {"bdata": base64.b64encode(values.astype(kind)), "dtype": np.dtype(kind).str}
        assert all(map(rounded, numbers([{"y": packed, "colorscale": [[1 / 3, "red"]]}])))
        packed = {"bdata": base64.b64encode(other.astype(kind)), "dtype": np.dtype(kind).str}
        assert not any(map(rounded, numbers([packed])))
    assert list(numbers([{"y": [0.5, 2, "a", None]}])) == [0.5]


@each_notebook
def test_no_chatter_is_stored(path):
    """Warnings and progress bars are of one machine and one day."""
    for cell in code(read(path)):
        assert all(output.get("name") != "stderr" for output in cell["outputs"]), source(cell)


FIGURE = "application/vnd.plotly.v1+json"
VIEW = "application/vnd.jupyter.widget-view+json"


def view(output):
    return output.get("data", {}).get(VIEW)


@each_notebook
def test_exercises_have_stub_check_and_solution(path):
    """In this order, next to each other; a solution in words is folded, and is left out for students too."""
    cells = read(path)["cells"]
    marks = [tags(c) & {"exercise", "check", "solution"} for c in cells]
    for i, (cell, mark) in enumerate(zip(cells, marks, strict=True)):
        assert len(mark) <= 1
        if mark == {"exercise"}:
            assert (
                "raise NotImplementedError\n" in source(cell) + "\n"
                or "= ...\n" in source(cell) + "\n"
            )
            assert marks[i + 1 : i + 3] == [{"check"}, {"solution"}]
            [called] = re.findall(r"^check\..*", source(cells[i + 1]), re.M)
            assert source(cells[i + 2]).endswith(f"\n{called}"), "the solution is checked too"
        if mark == {"check"}:
            assert marks[i - 1] == {"exercise"}
        words = cell["cell_type"] == "markdown" and "<summary>Solution" in source(cell)
        assert words == (cell["cell_type"] == "markdown" and mark == {"solution"})
        if words:
            assert source(cell).startswith("<details>")
            assert source(cell).endswith("</details>")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_exercise_has_hints_in_layers(path):
    texts = [source(cell) for cell in read(path)["cells"] if cell["cell_type"] == "markdown"]
    exercises = [text for text in texts if text.startswith("**Exercise ")]
    assert len(exercises) > 5
    for text in exercises:
        folded = re.findall(r"<summary>([^<]*)</summary>\n\n(?=\S)", text)
        hints = [name for name in folded if name.startswith("Hint")]
        assert hints, text
        assert len(folded) == text.count("<details") >= 2, text
        if len(hints) > 1:
            assert [name[:6] for name in hints] == [f"Hint {n + 1}" for n in range(len(hints))]


IN_WORDS = ("derive", "explain", "judge")  # kinds of exercises that ask for no code


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_only_exercises_in_code_have_a_stub_and_a_check(path):
    """What is to be implemented has both, what is to be derived, explained or judged has neither."""
    kind, kinds, marks = None, {}, {}
    for cell in read(path)["cells"]:
        if cell["cell_type"] == "markdown" and source(cell).startswith("#"):
            kind = None
        if found := re.match(r"\*\*Exercise (\d+\.\d+)\*\* \(([a-z ]+);", source(cell)):
            number, kind = found.groups()
            kinds[number] = kind
        if kind and tags(cell) & {"exercise", "check"}:
            marks.setdefault(number, set()).update(tags(cell) & {"exercise", "check"})
    assert "implement" in kinds.values()
    for number, kind in kinds.items():
        if kind in IN_WORDS:
            assert number not in marks, f"{number} ({kind}) has code"
        if kind == "implement":
            assert marks.get(number) == {"exercise", "check"}, number


@each_notebook
def test_checks_say_unfinished_of_stubs_and_right_of_solutions(path):
    for cell in code(read(path)):
        if "check" in tags(cell):
            assert re.match(r"Exercise \d+\.\d+ is not finished\. Replace `", last_text(cell))
        if "solution" in tags(cell) and "check." in source(cell):
            assert re.fullmatch(r"Exercise \d+\.\d+: right\.", last_text(cell))


@each_notebook
def test_quiz_questions_have_one_right_answer_and_explain_each(path):
    """Plain HTML that every front end shows: a question, then its answers, each folded over what is to say of it."""
    whole = "\n\n".join(source(c) for c in read(path)["cells"] if c["cell_type"] == "markdown")
    questions = re.findall(r'<div class="lmem-quiz" (.*?)>\n\n(.*?)\n</div>', whole, re.S)
    assert len(questions) == whole.count("lmem-quiz")
    for i, (named, question) in enumerate(questions, 1):
        assert named == f'role="group" aria-label="Question {i}"'
        assert question.startswith(f"**{i}.** ")
        answers = re.findall(
            r"<details( class=\"right\")?><summary>([^\n]+)</summary>\n\n(Right|No)\. (.+?)\n</details>",
            question,
            re.S,
        )
        assert len(answers) == question.count("<details") >= 3
        assert [said for right, _, said, _ in answers if right] == ["Right"]
        assert [said for right, _, said, _ in answers if not right] == ["No"] * (len(answers) - 1)
        assert all(len(why) > 20 for *_, why in answers)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_is_as_long_as_it_says(path):
    """15 to 30 minutes, at 200 words a minute up to the quiz; the lab names the minutes of its parts."""
    texts = [source(cell) for cell in read(path)["cells"] if cell["cell_type"] == "markdown"]
    [quiz] = [i for i, text in enumerate(texts) if text.startswith("## Quiz")]
    words = len(re.sub(r"<[^>]+>", " ", " ".join(texts[:quiz])).split())
    said = [int(minutes) for minutes in re.findall(r"[Aa]bout (\d+) minutes", texts[0])]
    assert (len(said) == 1 and 15 <= said[0] <= 30) or path.stem.startswith("15_")
    assert words / 200 < sum(said)


@each_notebook
def test_figures_say_what_they_show(path):
    for cell in code(read(path)):
        for output in cell["outputs"]:
            figure = output.get("data", {}).get(FIGURE)
            if figure:
                assert len(figure["layout"]["meta"]["alt"]) > 20


# ---- the tool ------------------------------------------------------------------------------------


def notebook_of(outputs, widget="a" * 32, **metadata):
    """A notebook of one code cell with these outputs and a widget."""
    shown = {VIEW: {"model_id": widget}, "text/plain": "a widget"}
    display = {"output_type": "display_data", "data": shown, "metadata": {}}
    cell = {"cell_type": "code", "id": "x", "source": "1\n2", "execution_count": 1}
    cell |= {"metadata": metadata, "outputs": [*outputs, display]}
    return {
        "cells": [cell, {**copy.deepcopy(cell), "source": "3"}],
        "metadata": {
            "kernelspec": {"name": "mine", "display_name": "Mine"},
            "language_info": {"name": "python", "version": "3.11.1"},
            "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {widget: {}}}},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def stream(*texts):
    return [{"output_type": "stream", "name": "stdout", "text": text} for text in texts]


def test_two_runs_are_the_same_to_the_byte(tool):
    one = notebook_of(stream("0\n1\n"), "f" * 32, execution={"iopub": "now"})
    two = notebook_of(stream("0\n", "1\n"), "e" * 32, execution={"iopub": "then"})
    assert tool.as_text(one) == tool.as_text(two)
    assert tool.as_text(one) != tool.as_text(notebook_of(stream("0\n2\n")))


def test_normal_form_is_complete_and_stays(tool):
    found = tool.normalise(
        notebook_of(stream("0\n", "1\n"), execution={"iopub": "now"}, tags=["a"])
    )
    first, second = found["cells"]
    assert first["metadata"] == {"tags": ["a"]}
    assert first["id"] == "x" != second["id"]
    assert found["metadata"]["kernelspec"] == tool.KERNEL
    assert "version" not in found["metadata"]["language_info"]
    assert "widgets" not in found["metadata"]
    assert first["outputs"][-1]["data"] == {"text/plain": "a widget"}
    assert tool.normalise(found) == found


SMALL = """\
import lmem, plotly.graph_objects as go, torch
from lmem.viz.live.widget import live
print("drawn:", torch.randn(2))
live(lmem.MemoryModel.from_shipped("nano-recent"))
---
go.Figure(go.Scatter(y=[1, 2]), layout={"meta": {"alt": "A line that rises."}})"""


@pytest.mark.slow
def test_a_notebook_that_is_run_twice_is_the_same_to_the_byte(tool, tmp_path):
    """`make notebooks`, for one small notebook with all that differs between runs: kernels, widgets' ids, times."""
    nbformat = pytest.importorskip("nbformat")
    new = nbformat.v4
    cells = [new.new_markdown_cell("# Small"), new.new_code_cell("its first cell")]
    cells += [new.new_code_cell(text) for text in SMALL.split("\n---\n")]
    paths = [tmp_path / "one.ipynb", tmp_path / "two.ipynb"]
    for path in paths:
        nbformat.write(new.new_notebook(cells=cells), path)
    assert tool.main("refresh", *map(str, paths)) == 0
    assert tool.stored(paths[0]) == tool.stored(paths[1])
    assert tool.check(paths[0])
    found = read(paths[0])
    assert source(found["cells"][1]) == tool.setup_cell()
    assert "drawn: tensor([" in source({"source": found["cells"][2]["outputs"][0]["text"]})
    shown = found["cells"][2]["outputs"][1]["data"]
    assert list(shown) == ["text/plain"]
    assert "run this cell" in source({"source": shown["text/plain"]})


def test_a_notebook_that_fails_is_left_as_it_was(tool, tmp_path, monkeypatch):
    path = tmp_path / "n.ipynb"
    path.write_text(tool.as_text(notebook_of(stream("0\n"))), encoding="utf-8")
    before = tool.stored(path)

    def fail(*_):
        raise RuntimeError("a cell stopped")

    monkeypatch.setattr(tool, "run", fail)
    with pytest.raises(RuntimeError):
        tool.main("refresh", str(path))
    assert tool.stored(path) == before


def test_check_sees_what_a_front_end_adds(tool, tmp_path, capsys):
    path = tmp_path / "n.ipynb"
    text = tool.as_text(notebook_of(stream("0\n")))
    path.write_text(text, encoding="utf-8")
    assert tool.main("check", str(path)) == 0
    saved = json.loads(text)
    saved["cells"][0]["metadata"]["collapsed"] = False
    path.write_text(json.dumps(saved), encoding="utf-8")
    assert tool.main("check", str(path)) == 1
    assert "n.ipynb" in capsys.readouterr().out


def test_a_fork_changes_the_one_setting_and_the_setup_cells(tool, tmp_path):
    root = Path(shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks").parent)
    (root / "lmem").mkdir()
    shutil.copy(ROOT / "_config.yml", root)
    (root / "book").mkdir()
    for path in (ROOT / "README.md", ROOT / "CITATION.cff", *ROOT.glob("book/*.md")):
        shutil.copy(path, root / path.relative_to(ROOT))
    shutil.copy(ROOT / "lmem/__init__.py", root / "lmem")
    before, old = {p: tool.stored(p) for p in root.glob("notebooks/*.ipynb")}, tool.address(root)
    tool.fork("a-school/its.course", root)
    assert tool.address(root) == "https://github.com/a-school/its.course"
    config = (root / "_config.yml").read_text(encoding="utf-8")
    assert old not in config
    assert "\n  baseurl: https://a-school.github.io/its.course/\n" in config
    assert "git+https://github.com/a-school/its.course@v" in tool.setup_cell(root)
    readme, first, cited = (
        tool.stored(root / name) for name in ("README.md", "book/intro.md", "CITATION.cff")
    )
    assert "(https://a-school.github.io/its.course/)" in readme
    assert all(
        "colab.research.google.com/github/a-school/its.course/blob/main/" in page
        for page in (readme, first)
    )
    assert "https://github.com/a-school/its.course" in cited
    for path in (root / "README.md", root / "CITATION.cff", *root.glob("book/*.md")):
        assert old.removeprefix("https://github.com/") not in tool.stored(path), path
    for path in root.glob("notebooks/*.ipynb"):
        assert old not in tool.stored(path)
        assert tool.check(path)
        assert source(read(path)["cells"][1]) == tool.setup_cell(root)
        assert tool.stored(path) == before[path].replace(
            old, "https://github.com/a-school/its.course"
        )


def test_a_fork_is_told_which_tag_colab_installs(tool, monkeypatch, capsys):
    monkeypatch.setattr(tool, "fork", lambda repository: None)
    assert tool.main("fork", "a-school/its.course") == 0
    said = capsys.readouterr().out
    assert f"tag v{lmem.__version__}:" in said
    assert f"@v{lmem.__version__}" in tool.setup_cell()
    assert "CONTRIBUTING.md" in said


@pytest.mark.parametrize("name", ["owner", "https://github.com/a/b", "a/b/c", "a b/c"])
def test_a_fork_needs_an_owner_and_a_name(tool, name, capsys):
    assert tool.main("fork", name) == 2
    assert "fork owner/name" in capsys.readouterr().out
