"""Chapter 15: the training loop that it prints makes the library's weights, and its cells and minutes are those that it promises."""

import math
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from chapters import ROOT, code, read, source
from torch.nn.functional import cross_entropy

from lmem import notebook
from lmem.bench import lab
from lmem.experiments.repairs import repaired_cell
from lmem.experiments.reproduce import (
    PAPER_METHODS,
    ReproduceConfig,
    Reproduction,
    make_cells,
)
from lmem.memory.model import MemoryModel
from lmem.training.banks import make_banks
from lmem.training.dataset import Batches, QuestionDataset
from lmem.training.train import TrainConfig, train

NOTEBOOK = ROOT / "notebooks/15_flan_t5_and_locomo_on_one_gpu.ipynb"


@pytest.fixture(scope="module")
def printed():
    """The functions of the notebook's cell."""
    [cell] = [source(c) for c in code(read(NOTEBOOK)) if "def train_by_hand" in source(c)]
    names = {"torch": torch, "math": math, "cross_entropy": cross_entropy, "Batches": Batches}
    exec(cell, names)
    return names


def by_hand(printed, model, conversations, **changes):
    data = QuestionDataset(conversations, cuts=0, undated=0.0, seed=42)
    banks = make_banks(model, data.texts, data.cuts, progress=False)
    return printed["train_by_hand"](
        model, data.examples, banks, **{"steps": 6, "warmup": 3, **changes}
    )


def apart(model, other):
    """How far two adapters are apart, as a share of how far the second one has moved."""
    start = MemoryModel(other.backbone, other.method.name, seed=other.seed)
    pairs = zip(model.parameters(), other.parameters(), start.parameters(), strict=True)
    gaps = [(a - b).norm() / (b - c).norm() for a, b, c in pairs if not torch.equal(b, c)]
    assert gaps
    return max(gaps).item()


@pytest.mark.parametrize("method", PAPER_METHODS)
def test_the_printed_loop_is_the_librarys(printed, tiny, conversations, method):
    model, other = (MemoryModel(tiny, method, seed=1) for _ in range(2))
    losses = by_hand(printed, model, conversations)
    config = TrainConfig.paper(steps=6, epochs=None, warmup=3)
    report = train(other, conversations, config, progress=False)
    assert losses == pytest.approx(report["losses"], rel=1e-4)
    assert apart(model, other) < 0.02


@pytest.mark.parametrize("change", [{"lr": 2e-4}, {"batch": 8}, {"warmup": 6}])
def test_a_changed_loop_is_noticed(printed, tiny, conversations, change):
    model, other = (MemoryModel(tiny, "m3", seed=1) for _ in range(2))
    by_hand(printed, model, conversations, **change)
    by_hand(printed, other, conversations)
    assert apart(model, other) > 0.1


def test_the_loop_is_short(printed):
    [cell] = [source(c) for c in code(read(NOTEBOOK)) if "def train_by_hand" in source(c)]
    lines = [line for line in cell.splitlines() if line.strip() and '"""' not in line]
    assert len(lines) <= 25


def test_the_bench_times_what_the_notebook_runs():
    [cell] = [source(c) for c in code(read(NOTEBOOK)) if "SHORT = {" in source(c)]
    limits = ", ".join(f"{name}={value}" for name, value in lab.SHORT.items())
    assert f'"cpu": dict({limits})' in cell
    assert f'controls="{lab.CONTROLS}"' in cell


def planned(name, tmp_path):
    """The lab of the notebook's cell with this profile."""
    [cell] = [source(c) for c in code(read(NOTEBOOK)) if "SHORT = {" in source(c)]
    known = (ReproduceConfig, Reproduction, make_cells, repaired_cell, Path)
    names = {one.__name__: one for one in known} | {"PAPER_METHODS": PAPER_METHODS}
    names["profile"] = notebook.profile(name, lab=True)
    names["tempfile"] = SimpleNamespace(mkdtemp=lambda: tmp_path)
    exec(cell, names)
    return names["lab"]


@pytest.mark.parametrize("name", ["cpu", "t4", "a100", "h200"])
def test_each_profile_runs_the_version_that_the_chapter_names(name, tmp_path):
    whole = planned(name, tmp_path)
    [row] = re.findall(
        rf"^\| .*`{name}`.*\| (\w+): [^|]*\|$", source(read(NOTEBOOK)["cells"][0]), re.M
    )
    scales = {"short": (1,), "long": (1, 10)}[row]
    expected = [f"{method}-{scale}x" for scale in scales for method in PAPER_METHODS]
    assert [cell.name.rpartition("-")[0] for cell in whole.cells] == [
        *expected,
        "m3_repaired-10x",
    ]
    config, long = whole.config, row == "long"
    assert config.constant == config.knowledge == long
    assert config.controls == ("all" if long else lab.CONTROLS)
    assert (config.limits() == "") == long


@pytest.mark.full  # counts seven training steps of Flan-T5-base without weights
def test_the_minutes_of_a_t4_are_those_of_the_plan(tmp_path):
    [said] = re.findall(
        r"`t4`.*about (\d+) minutes by the plan", source(read(NOTEBOOK)["cells"][0])
    )
    whole = planned("t4", tmp_path)
    minutes = sum(each.seconds for each in whole.plan()) / 60
    assert minutes == pytest.approx(float(said), rel=0.1)
