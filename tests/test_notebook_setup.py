"""What a notebook does first: the profile cell, and the setup that makes two runs the same."""

import importlib.util
import subprocess
import sys

import pytest
import torch
from chapters import each_notebook, read, source

import lmem
from lmem import notebook
from lmem.backbone.backbone import load_backbone
from lmem.data.splits import for_testing
from lmem.errors import InputError


def test_the_profile_of_a_laptop_loads_here():
    profile = notebook.profile()
    assert profile == notebook.profile("cpu")
    assert repr(profile) == "profile cpu: nano on tinyworld"
    assert load_backbone(profile.backbone).name == "nano"
    assert len(for_testing(profile.data, 2, 12, 0)) == 2


@pytest.mark.parametrize("name", ["t4", "a100", "h200"])
def test_a_gpu_s_profile_is_another_world_for_the_same_code(name, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    profile = notebook.profile(name)
    assert (profile.name, profile.data) == (name, "locomo")
    assert profile.backbone.startswith("google/flan-t5-")
    assert capsys.readouterr().out == ""


def test_a_missing_gpu_is_said(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert notebook.profile("t4").backbone == "google/flan-t5-base"
    said = capsys.readouterr().out
    assert "google/flan-t5-base" in said
    notebook.profile("cpu")
    assert capsys.readouterr().out == ""


def test_an_adapter_beside_nano_is_the_shipped_one(nano):
    model = notebook.profile("cpu").adapter("nano-recent", nano)
    assert model.backbone is nano
    assert torch.equal(model.read.w_o, lmem.MemoryModel.from_shipped("nano-recent").read.w_o)


def test_an_adapter_beside_another_backbone_is_untrained_and_says_so(flan_folder, capsys):
    profile = notebook.profile("cpu", backbone=flan_folder)
    for name, rehearsed in (("nano-recent", False), ("nano-keyed", True)):
        model, like = profile.adapter(name), lmem.MemoryModel.from_shipped(name)
        assert model.backbone.name == str(flan_folder)
        assert (model.method, model.rows, model.options) == (like.method, like.rows, like.options)
        said = capsys.readouterr().out
        assert f"lmem train --method {like.method.name} " in said
        assert ("--rehearse" in said) == rehearsed


def test_the_lab_reads_plain_english_without_a_gpu(tmp_path):
    lab = notebook.profile("cpu", lab=True)
    assert (lab.backbone, lab.data) == ("mini", "everyday")
    assert lab.adapter("mini-spans").backbone.name == "mini"
    assert notebook.profile("cpu", data="locomo", lab=True).backbone == "mini"
    assert notebook.profile("cpu", backbone=tmp_path, lab=True).data == "everyday"
    assert notebook.profile("t4", lab=True) == notebook.profile("t4")


def test_an_adapter_of_ones_own_takes_the_place_of_the_shipped_one(
    tiny, tiny_folder, tmp_path, capsys
):
    lmem.MemoryModel(tiny, "m3", seed=5).save_pretrained(tmp_path)
    profile = notebook.profile("cpu", backbone=tiny_folder, adapter=tmp_path)
    model = profile.adapter("nano-recent", tiny)
    assert (model.method.name, model.seed) == (lmem.memory.methods.find("m3").name, 5)
    assert capsys.readouterr().out == ""


def test_an_unknown_profile_is_refused():
    with pytest.raises(InputError, match="one of cpu, t4, a100, h200, not 'tpu'"):
        notebook.profile("tpu")
    with pytest.raises(
        InputError, match="one of mini-spans, nano-keyed, .*, nano-recent, not 'nano-m0'"
    ):
        notebook.profile("cpu").adapter("nano-m0")


def test_setup_makes_draws_and_digits_the_same():
    """In a process of its own: it changes the process."""
    code = "from lmem import notebook; import torch; notebook.setup(); print(torch.rand(2) * 1e-3)"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "tensor([0.0005, 0.0008])\n"


@each_notebook
@pytest.mark.parametrize("found", [True, False])
def test_the_first_cell_installs_the_package_only_where_it_is_missing(path, found, monkeypatch):
    """Anywhere: Colab, Kaggle, Binder and a JupyterHub are not told apart."""
    manager = pytest.importorskip("IPython.core.inputtransformer2").TransformerManager()
    ran, find = [], importlib.util.find_spec

    class Shell:
        def run_line_magic(self, magic, line):
            ran.append((magic, line))

    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "lmem" and not found else find(name, *rest),
    )
    monkeypatch.setattr(notebook, "setup", lambda: ran.append("setup"))
    exec(manager.transform_cell(source(read(path)["cells"][1])), {"get_ipython": Shell})
    *installed, last = ran
    assert last == "setup"
    assert len(installed) == (not found)
    for magic, line in installed:
        assert magic == "pip"
        assert line.startswith('install -q "lmem @ git+https://')
