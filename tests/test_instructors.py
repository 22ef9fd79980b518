"""The instructors' page keeps its promises: what it names is there, and its grading code runs."""

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import lmem
from lmem.exercises import chapter_12
from lmem.memory.write import WRITES
from lmem.memory.write.recent import RecentWrite

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book/instructors.md").read_text(encoding="utf-8")


def test_every_chapter_has_its_goal():
    numbers = [int(n) for n in re.findall(r"^\| (\d+) ", PAGE, re.M)]
    assert numbers == list(range(1, 18))


def test_titles_are_the_notebooks_own():
    """Where a chapter is there already, the page calls it by its name, or by the name's beginning."""
    goals = dict(re.findall(r"^\| (\d+) ([^|]+?) \|", PAGE, re.M))
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        title = re.search(r'"# (\d+)\. (.+?)(\\n)?"', path.read_text(encoding="utf-8"))
        number, name = title[1], title[2]
        said = goals[number].lower()
        assert said in name.lower() or name.lower() in said, (goals[number], name)


def chapters_in(text):
    """The chapters that a text names: `2 to 5`, `4, 6 and 11`."""
    ranges = [(int(a), int(b or a)) for a, b in re.findall(r"(\d+)(?: to (\d+))?", text)]
    return {n for first, last in ranges for n in range(first, last + 1)}


def test_what_a_chapter_needs_is_what_it_says():
    """In its first cell: after "You need", or else under "Where we are"."""
    needed = dict(re.findall(r"^\| (\d+) [^|]+\| ([^|]+) \|", PAGE, re.M))
    for number, said in needed.items():
        [path] = (ROOT / "notebooks").glob(f"{int(number):02d}_*.ipynb")
        first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
        own = re.search(r"You need [^.]*\bchapter[^.]*", first)
        own = own or re.search(r"\*\*Where we are\.\*\*.*?\n\n", first, re.S)
        named = re.findall(r"[Cc]hapters?((?:,?\s(?:to |and )?\d+)+)", own[0] if own else "")
        assert chapters_in(said) == chapters_in(" ".join(named)), number


def test_what_is_to_be_projected_is_there():
    """Each figure is called by its title, or by the heading over it, in its own notebook."""
    named = re.findall(r"^\| (\d+) .*\| \*(.+?)\*[^|]*\|$", PAGE, re.M)
    assert [int(number) for number, _ in named] == list(range(1, 18))
    for number, name in named:
        [path] = (ROOT / "notebooks").glob(f"{int(number):02d}_*.ipynb")
        text = path.read_text(encoding="utf-8")
        assert f'"text": "{name}"' in text or f"## {name}\\n" in text, name


def test_files_and_commands_that_it_names_are_there():
    named = re.findall(r"(?:book/tools|lmem/checks|notebooks)/[\w.]+\.(?:py|ipynb)", PAGE)
    assert len(named) >= 4
    for name in [*named, ".github/workflows/test-and-deploy.yml", ".github/workflows/weekly-newest.yml"]:  # fmt: skip
        assert (ROOT / name).is_file(), name
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for verb in re.findall(r"^make (\w+)", PAGE, re.M):
        assert f"\n{verb}:" in makefile
    assert lmem.__version__ in PAGE
    assert "repository" in PAGE


def test_the_memory_of_a_student_is_the_measured_peak():
    """The page names the largest notebook of `bench/time-book`, and plans for two of them."""
    path = ROOT / "results/bench/time-book.json"
    measured = json.loads(path.read_text(encoding="utf-8"))["notebooks"]
    peak = max(notebook["peak_mib"] for notebook in measured)
    [said] = re.findall(r"A notebook takes up to (\d+) MiB", PAGE)
    [planned] = re.findall(r"Plan (\d+) GB of memory", PAGE)
    assert int(said) == peak
    assert 2 * peak <= 1024 * int(planned)


@pytest.mark.parametrize("page", ["instructors", "how_to_use"])
def test_the_smaller_pytorch_is_the_pinned_one(page):
    """Another version would be replaced, by one with CUDA, when the package is installed with the pins."""
    text = (ROOT / f"book/{page}.md").read_text(encoding="utf-8")
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    said = re.findall(r"pip install (torch\S*) --index-url", text)
    assert said
    assert set(said) <= set(pins)


@pytest.mark.parametrize("done", [True, False])
def test_the_grading_code_runs(done, monkeypatch, capsys):
    block = next(b for b in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "chapter_12" in b)
    handed_in = type(sys)("handed_in")
    if done:
        handed_in.of_questions = lambda means, counts: (
            sum(means) / len(means),
            sum(m * c for m, c in zip(means, counts, strict=True)) / sum(counts),
        )
    monkeypatch.setitem(sys.modules, "handed_in", handed_in)
    exec(block, {})
    said = capsys.readouterr().out
    assert said.startswith("1 of 4\n" if done else "0 of 4\n")
    assert said.count("is not finished") == (3 if done else 4)
    assert "Exercise 12.4: right." in said if done else True
    names = re.search(r"names = \((.*?)\)", block)[1].replace('"', "").split(", ")
    assert all(hasattr(chapter_12, name) for name in names)


def test_the_capstone_is_graded_as_the_page_says(monkeypatch, capsys, tmp_path):
    block = next(b for b in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "capstone" in b)
    monkeypatch.setitem(sys.modules, "handed_in", SimpleNamespace(MyWrite=RecentWrite))
    monkeypatch.chdir(tmp_path)
    try:
        exec(block.replace('"tinyworld", 12, 60', '"tinyworld", 2, 20'), {})
    finally:
        WRITES.pop("anas")
    said = capsys.readouterr().out
    assert said.startswith("anas: 11 of 11 hold\n")
    assert "Right bank minus twin's, in points: " in said
    assert "{'method': 'anas', " in said
    assert Path("board.json").is_file()


def test_a_write_that_fails_is_not_judged(monkeypatch, capsys, tmp_path):
    class Careless(RecentWrite):
        def update(self, state, latents, mask):
            return state.rows, state.written

    block = next(b for b in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "capstone" in b)
    monkeypatch.setitem(sys.modules, "handed_in", SimpleNamespace(MyWrite=Careless))
    monkeypatch.chdir(tmp_path)
    try:
        exec(block, {})
    finally:
        WRITES.pop("anas")
    said = capsys.readouterr().out
    assert "wrong" in said
    assert "Right bank" not in said
    assert not Path("board.json").exists()
