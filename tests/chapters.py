"""The notebooks that tests go through: every one, or one or two by default and the others where `make test-full` asks for them."""

import json
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHAPTERS = [path for path in NOTEBOOKS if path.stem[:2].isdigit()]

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def some_notebooks(*places):
    """Parametrise over all notebooks; those that are not at these places among the chapters are marked `full`."""
    default = {CHAPTERS[place % len(CHAPTERS)] for place in places}
    return pytest.mark.parametrize(
        "path",
        [
            pytest.param(path, id=path.stem, marks=() if path in default else pytest.mark.full)
            for path in NOTEBOOKS
        ],
    )


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell):
    return "".join(cell["source"])


def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def tags(cell):
    return set(cell["metadata"].get("tags", ()))


def last_text(cell):
    """What the last output of a cell says as plain text."""
    data = cell["outputs"][-1].get("data", {}) if cell["outputs"] else {}
    return "".join(data.get("text/plain", ""))


def nbval(path):
    """Arguments of a Python that runs one notebook and compares what its cells say."""
    tests = str(ROOT / "tests")
    arguments = [
        *("-q", "-p", "no:cacheprovider", "-p", "nbval_rounding", "--nbval", "--nbval-current-env"),
        f"--nbval-sanitize-with={tests}/nbval_sanitize.cfg",
        "--nbval-cell-timeout=300",
        str(path),
    ]
    code = (
        f"import sys, pytest; sys.path.insert(0, {tests!r}); sys.exit(pytest.main({arguments!r}))"
    )
    return ["-c", code]


def environment(*without):
    """The environment without these variables and what the tests that run now have put there."""
    return {k: v for k, v in os.environ.items() if k not in without and not k.startswith("PYTEST")}
