"""Other backbones: the invariants on a tiny random one of each family, and what a family cannot carry, refused in one sentence."""

import inspect
import json

import pytest
import test_invariants
import torch
from helpers import lmem, make
from safetensors.torch import load_file, save_file
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    ByT5Tokenizer,
    MT5Config,
    MT5ForConditionalGeneration,
    T5Config,
    T5ForConditionalGeneration,
)

from lmem.backbone.backbone import load_backbone
from lmem.backbone.pretrain import build_tokenizer
from lmem.errors import MethodError
from lmem.memory import methods
from lmem.memory.model import MemoryModel
from lmem.training.train import TrainConfig, train

SMALL = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
FAMILIES = ("t5-1.0", "t5-1.1", "mt5", "byt5", "bart")
METHODS = ("m2", "m3", "m4", "m6")
CASES = [(family, method) for family in FAMILIES for method in METHODS]
CASES += [(family, "m1") for family in FAMILIES if family != "bart"] + [
    ("mt5", "m5"),
    ("bart", "m5"),
]


def t5(kind, model, tokenizer, **options):
    config = kind(
        **SMALL, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id, decoder_start_token_id=tokenizer.pad_token_id, **options,
    )  # fmt: skip
    return model(config)


def built(family):
    """(model, tokenizer) with random weights, in the form that the released ones of the family have."""
    torch.manual_seed(0)
    if family == "byt5":  # bytes; an encoder three times as deep as the decoder
        tokenizer = ByT5Tokenizer()
        options = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
        return t5(
            T5Config, T5ForConditionalGeneration, tokenizer, num_decoder_layers=1, **options
        ), tokenizer
    tokenizer = build_tokenizer()
    if family == "t5-1.0":  # a tied head, whose input is scaled, and relu
        return t5(
            T5Config, T5ForConditionalGeneration, tokenizer, feed_forward_proj="relu"
        ), tokenizer
    options = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
    if family == "t5-1.1":
        return t5(T5Config, T5ForConditionalGeneration, tokenizer, **options), tokenizer
    if family == "mt5":
        return t5(MT5Config, MT5ForConditionalGeneration, tokenizer, **options), tokenizer
    config = BartConfig(
        vocab_size=len(tokenizer), d_model=32, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=64,
        decoder_ffn_dim=64, encoder_attention_heads=4, decoder_attention_heads=4, max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, bos_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=tokenizer.eos_token_id, forced_eos_token_id=None, init_std=0.2,
    )  # fmt: skip
    return BartForConditionalGeneration(config), tokenizer


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    found = {}
    for family in FAMILIES:
        found[family] = folder = tmp_path_factory.mktemp(family)
        model, tokenizer = built(family)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        if family in ("t5-1.1", "mt5", "byt5"):  # the released ones hold a head of their own
            written = json.loads((folder / "config.json").read_text())
            (folder / "config.json").write_text(
                json.dumps(written | {"tie_word_embeddings": False})
            )
            weights = load_file(folder / "model.safetensors")
            weights["lm_head.weight"] = 0.3 * torch.randn_like(model.lm_head.weight)
            save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return found


@pytest.fixture(scope="module")
def backbones(folders):
    return {family: load_backbone(folder) for family, folder in folders.items()}


@pytest.fixture(params=CASES, ids="-".join)
def model(request, backbones):
    family, method = request.param
    return make(backbones[family], method)


# The suite, but for the refusals of others' banks: they rest on the bank alone, and need a prefix, which BART does not carry.
APART = "test_banks_of_others_are_refused"
SUITE = {n: f for n, f in vars(test_invariants).items() if n.startswith("test_") and n != APART}
globals().update(SUITE)
assert all("model" in inspect.signature(check).parameters for check in SUITE.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_each_is_what_its_family_is(backbones, family):
    backbone = backbones[family]
    config, tied = (
        backbone.model.config,
        backbone.head.weight is backbone.model.get_input_embeddings().weight,
    )
    assert tied == (family in ("t5-1.0", "bart"))
    assert config.model_type == {"mt5": "mt5", "bart": "bart"}.get(family, "t5")
    assert backbone.layers == (1 if family == "byt5" else 2)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_is_trained_saved_and_loaded(
    backbones, folders, family, conversations, tmp_path
):
    model = MemoryModel(backbones[family], "m3", scale=0.25)
    config = TrainConfig(steps=12, batch=8, warmup=1, lr=1e-2, undated=0)
    losses = train(model, conversations[:1], config, progress=False)["losses"]
    assert sum(losses[-4:]) < sum(losses[:4])
    bank = model.write(model.new_bank(), conversations[0])
    model.save_pretrained(tmp_path)
    again = MemoryModel.from_pretrained(tmp_path)
    assert again.backbone.fingerprint == backbones[family].fingerprint
    said = [m.log_likelihood(bank, "Where does Ben live?", "Cedar-Bay") for m in (model, again)]
    assert torch.equal(*said)


def test_a_prefix_where_positions_are_absolute_is_refused(backbones, folders, tmp_path, capsys):
    with pytest.raises(MethodError, match="its positions are learned and absolute") as refused:
        MemoryModel(backbones["bart"], "m1")
    assert len(str(refused.value).splitlines()) == 1
    code, out, err = lmem(
        capsys, "train", "--backbone", folders["bart"], "--method", "m1", "--out", tmp_path / "a"
    )
    assert (code, out) == (2, "")
    assert "expected a site out of encoder_output, decoder_layer for bart" in err
    assert len(err.strip().splitlines()) == 1


def test_a_branch_borrows_only_from_attention_without_biases(backbones):
    with pytest.raises(MethodError, match="has biases in its attention"):
        MemoryModel(backbones["bart"], "recent")
    for family in ("t5-1.0", "t5-1.1", "mt5", "byt5"):
        assert MemoryModel(backbones[family], "recent").read.attend.heads == 4


@pytest.mark.parametrize("family", FAMILIES)
def test_every_method_is_carried_or_refused(backbones, family):
    refused = set()
    for method in methods.METHODS:
        try:
            MemoryModel(backbones[family], method.name, scale=0.5)
        except MethodError:
            refused.add(method.name)
    expected = {"attention+prefix", "recent+branch"} if family == "bart" else set()
    assert refused == expected
