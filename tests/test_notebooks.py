"""The stored notebooks are complete, neutral and of one form; nbval compares their outputs, this looks at the rest."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def load_tool():
    spec = importlib.util.spec_from_file_location("notebooks", ROOT / "book/tools/notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def code(notebook):
    return [
        c for c in notebook["cells"] if c["cell_type"] == "code" and "".join(c["source"]).strip()
    ]


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_was_run_from_top_to_bottom(path):
    cells = code(read(path))
    assert [c["execution_count"] for c in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        if "raises-exception" not in cell["metadata"].get("tags", []):
            assert all(output["output_type"] != "error" for output in cell["outputs"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_is_in_normal_form_and_small(path):
    assert load_tool().check(path), "run `make notebooks`"
    assert path.stat().st_size < 1_000_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_begins_with_a_title_and_the_common_setup(path):
    cells = read(path)["cells"]
    assert "".join(cells[0]["source"]).startswith("# ")
    assert "".join(cells[1]["source"]) == "".join(read(NOTEBOOKS[0])["cells"][1]["source"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_figures_say_what_they_show(path):
    for cell in code(read(path)):
        for output in cell["outputs"]:
            figure = output.get("data", {}).get("application/vnd.plotly.v1+json")
            if figure:
                assert len(figure["layout"]["meta"]["alt"]) > 20


def test_normal_form_forgets_what_differs_from_run_to_run():
    tool = load_tool()
    cell = {"cell_type": "code", "id": "x", "source": "1", "execution_count": 1}
    run = {
        "cells": [
            {
                **cell,
                "metadata": {"execution": {"iopub.execute_input": "now"}, "tags": ["a"]},
                "outputs": [],
            }
        ],
        "metadata": {"kernelspec": {"name": "mine", "display_name": "Mine"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    found = tool.normalise(run)
    assert found["cells"][0]["metadata"] == {"tags": ["a"]}
    assert found["metadata"]["kernelspec"]["name"] == "python3"
    assert tool.normalise(found) == found
