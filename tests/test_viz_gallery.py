"""The galleries: every figure of the package stands in one, every slider has its numbers, and pages stay light."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GALLERIES = sorted((ROOT / "notebooks").glob("gallery_*.ipynb"))
OURS = [
    ROOT / f"notebooks/gallery_{name}.ipynb" for name in ("banks", "chapters", "reads", "scores")
]
PLOTLY = "application/vnd.plotly.v1+json"
NO_FIGURES = {
    "attention.by_turn",
    "published_curves.locomo_results",
    "published_curves.score_rows",
    "published_curves.write_report",
    "score_artifacts.percent",
    "score_plots.bars",  # of the results page alone
    "score_plots.points",
    "source.show",
}
SHARED = ("__init__", "colours", "plots", "svg", "tables")


def code(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            yield "".join(cell["source"]), cell["outputs"]


def figures():
    """Public functions of lmem/viz, by module."""
    for path in sorted((ROOT / "lmem/viz").glob("*.py")):
        if path.stem in SHARED:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield f"{path.stem}.{node.name}"


def called(source):
    """Names that are called: module.name, or a name alone."""
    source = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith("%"))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if isinstance(node.func.value, ast.Name):
                yield f"{node.func.value.id}.{node.func.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def test_every_figure_is_in_a_gallery():
    seen = {
        name
        for path in GALLERIES
        for source, _ in code(path)
        if "%pip" not in source
        for name in called(source)
    }
    found = set(figures())
    assert len(found) > 30
    assert found >= NO_FIGURES
    missing = {
        name for name in found - NO_FIGURES if name not in seen and name.split(".")[1] not in seen
    }
    assert missing == set()


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_every_slider_has_its_numbers(path):
    """In the same cell, below the figure."""
    sliders = 0
    for _, outputs in code(path):
        kinds = []
        for output in outputs:
            data = output.get("data", {})
            if data.get(PLOTLY, {}).get("layout", {}).get("sliders"):
                kinds.append("slider")
            elif "<table" in "".join(data.get("text/html", "")):
                kinds.append("table")
        sliders += kinds.count("slider")
        assert kinds.count("table") >= kinds.count("slider")
        assert not kinds or kinds[-1] == "table"
    assert sliders >= 3


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_page_is_light(path):
    """What a page holds beside plotly.js: its figures and tables."""
    weight = 0
    for _, outputs in code(path):
        for output in outputs:
            data = output.get("data", {})
            for kind in (PLOTLY, "text/html"):
                if kind in data:
                    weight += len(json.dumps(data[kind], separators=(",", ":")))
                    break
    assert 20_000 < weight < 560_000
