"""Every notebook runs on another backbone and with other results: no cell stops with an error; what it says is not judged.

The backbone has the form of Flan-T5-small, eight layers, a head and a tokenizer of its own and random weights; where a notebook trains on
conversations, they come from a file in LoCoMo's form. The other results have the form that LoCoMo gives: no counterfactual twins, three
conversations, five categories, the last without answers, and lags of hundreds of turns.
"""

import pytest
from chapters import ROOT, some_notebooks

from lmem.data import tinyworld
from lmem.evaluation import results

nbformat = pytest.importorskip("nbformat", reason="the [book] extra is not installed")
nbclient = pytest.importorskip("nbclient", reason="the [book] extra is not installed")
pytestmark = pytest.mark.slow

PROFILE, LAB_PROFILE = 'notebook.profile("cpu")', 'notebook.profile("cpu", lab=True)'
LAB = "conversations=15, turns=120, questions=12, steps=40"  # chapter 15's short version
PATCH = """\
import sys
sys.path.insert(0, {folder!r})
import locomo_shaped
locomo_shaped.patch()"""


def run(path, folder, changes=(), first=""):
    """Run a copy of a notebook with parts of its code replaced, and with a cell before its own."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for old, new in changes:
            cell.source = cell.source.replace(old, new)
    if first:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
    where = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(
        notebook, timeout=1800, kernel_name="python3", resources=where
    ).execute()


@some_notebooks(3)
def test_on_a_backbone_of_flan_t5s_form(path, flan_folder, tmp_path):
    world, file = tinyworld.World(turns=24, questions=6), tmp_path / "world.json"
    results.save([tinyworld.sample("lab", i, world, twin=False) for i in range(9)], file)
    profile = f'notebook.profile("cpu", backbone={str(flan_folder)!r}, data={str(file)!r})'
    short = "turns=20, questions=2, steps=2"
    run(path, tmp_path, [(PROFILE, profile), (LAB_PROFILE, profile), (LAB, short)])


@some_notebooks(10)
def test_with_results_of_locomos_form(path, tmp_path):
    run(path, tmp_path, first=PATCH.format(folder=str(ROOT / "tests")))


def test_the_labs_short_version_is_what_is_shortened_here():
    [path] = (ROOT / "notebooks").glob("15_*.ipynb")
    assert LAB in path.read_text(encoding="utf-8")
    assert LAB_PROFILE in path.read_text(encoding="utf-8").replace("\\", "")
