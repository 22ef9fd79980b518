"""Other backbones: what each family is, training on it, and one clear sentence where it cannot carry a site.

The invariants (`test_invariants.py`) run on every family as well.
"""

import json

import pytest
import torch
from backbones import BIASED, FAMILIES, UNTIED, carries
from helpers import lmem

from lmem.backbone import sites
from lmem.errors import MethodError
from lmem.memory import methods
from lmem.memory.model import MemoryModel
from lmem.training.train import TrainConfig, train


@pytest.mark.parametrize("family", FAMILIES)
def test_each_is_what_its_family_is(backbone_of, family):
    backbone = backbone_of(family)
    config, tied = (
        backbone.model.config,
        backbone.head.weight is backbone.model.get_input_embeddings().weight,
    )
    assert tied == (family not in UNTIED)
    assert config.model_type == FAMILIES[family]
    biased = any(linear.bias is not None for linear in sites.maps(backbone.model))
    assert biased == (family in BIASED)
    assert backbone.layers == (1 if family == "byt5" else 2)


def test_every_row_of_the_sites_has_a_family():
    assert set(FAMILIES.values()) == set(sites.SITES)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_is_trained_saved_and_loaded(
    backbone_of, family_folders, family, conversations, tmp_path
):
    model = MemoryModel(backbone_of(family), "m3", scale=0.25)
    config = TrainConfig(steps=12, batch=8, warmup=1, lr=1e-2, undated=0)
    losses = train(model, conversations[:1], config, progress=False)["losses"]
    assert sum(losses[-4:]) < sum(losses[:4])
    bank = model.write(model.new_bank(), conversations[0])
    model.save_pretrained(tmp_path)
    again = MemoryModel.from_pretrained(tmp_path)
    assert again.backbone.fingerprint == backbone_of(family).fingerprint
    said = [m.log_likelihood(bank, "Where does Ben live?", "Cedar-Bay") for m in (model, again)]
    assert torch.equal(*said)


def test_a_prefix_where_positions_are_absolute_is_refused(
    backbone_of, family_folders, tmp_path, capsys
):
    with pytest.raises(MethodError, match="its positions are learned and absolute") as refused:
        MemoryModel(backbone_of("bart"), "m1")
    assert len(str(refused.value).splitlines()) == 1
    code, out, err = lmem(
        capsys,
        "train",
        "--backbone",
        family_folders["bart"],
        "--method",
        "m1",
        "--out",
        tmp_path / "a",
    )
    assert (code, out) == (2, "")
    assert "expected a site out of encoder_output, decoder_layer for bart" in err
    assert len(err.strip().splitlines()) == 1


def test_a_branch_borrows_only_from_attention_without_biases(backbone_of):
    with pytest.raises(MethodError, match="has biases in its attention"):
        MemoryModel(backbone_of("bart"), "recent")
    for family in ("t5-1.0", "t5-1.1", "mt5", "byt5"):
        assert MemoryModel(backbone_of(family), "recent").read.attend.heads == 4


@pytest.mark.parametrize("family", FAMILIES)
def test_every_method_is_carried_or_refused(backbone_of, family):
    refused = set()
    for method in methods.METHODS:
        try:
            MemoryModel(backbone_of(family), method.name, scale=0.5)
        except MethodError:
            refused.add(method.name)
    assert refused == {m.name for m in methods.METHODS if not carries(family, m)}


def test_the_table_says_why_a_method_is_refused(family_folders, capsys):
    arguments = ("methods", "--backbone", family_folders["bart"])
    code, out, _ = lmem(capsys, *arguments, "--json")
    rows = {row["method"]: row for row in json.loads(out)["methods"]}
    assert code == 0
    assert {n for n in rows if "refused" in rows[n]} == {"attention+prefix", "recent+branch"}
    assert rows["attention+prefix"]["trainable"] is None
    assert "absolute" in rows["attention+prefix"]["refused"]
    code, out, _ = lmem(capsys, *arguments)
    assert code == 0
    assert "attention+prefix is refused: expected a site out of" in out
