"""Other backbones: what each family is, training on it, and one clear sentence where it cannot carry a site.

The invariants (`test_invariants.py`) run on every family as well.
"""

import importlib.util
import json

import pytest
import torch
from backbones import BIASED, FAMILIES, UNTIED, carries, save
from helpers import lmem
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSeq2SeqLM

from lmem.backbone import sites
from lmem.backbone.backbone import load_backbone
from lmem.errors import InputError, MethodError
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


def test_a_sentencepiece_model_alone_is_refused_with_what_to_install(tmp_path):
    """As the released mT5 has it."""
    if importlib.util.find_spec("sentencepiece"):
        pytest.skip("sentencepiece is installed here, so the file can be read")
    save("mt5", tmp_path)
    for path in tmp_path.glob("tokenizer*"):
        path.unlink()
    (tmp_path / "spiece.model").write_bytes(b"\n\x0e\n\x05<unk>")
    with pytest.raises(InputError, match="pip install sentencepiece protobuf") as error:
        load_backbone(tmp_path)
    assert "\n" not in str(error.value)


def rename_embeddings(folder):
    """Store the embeddings as `decoder.embed_tokens.weight` alone; returns them."""
    weights = load_file(folder / "model.safetensors")
    embeddings = weights.pop("shared.weight")
    weights["decoder.embed_tokens.weight"] = embeddings.clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return embeddings


def test_an_untied_t5_without_shared_weights_has_the_embeddings_of_its_file(tmp_path):
    embeddings = rename_embeddings(save("t5-1.1", tmp_path))
    model = load_backbone(tmp_path).model
    assert torch.equal(model.shared.weight, embeddings)
    assert torch.equal(model.encoder.embed_tokens.weight, embeddings)
    assert not torch.equal(model.lm_head.weight, embeddings)


def test_embeddings_that_transformers_loads_wrongly_are_refused(tmp_path, monkeypatch):
    """As transformers 5.1.0 does: the head takes the place of the embeddings."""
    rename_embeddings(save("t5-1.1", tmp_path))
    load = AutoModelForSeq2SeqLM.from_pretrained

    def wrong(*args, **options):
        model, info = load(*args, **options)
        model.shared.weight.data.copy_(model.lm_head.weight.data)
        return model, info

    monkeypatch.setattr(AutoModelForSeq2SeqLM, "from_pretrained", wrong)
    with pytest.raises(InputError, match="newer transformers"):
        load_backbone(tmp_path)
