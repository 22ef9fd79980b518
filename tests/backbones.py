"""A tiny random backbone of each family, in the form that the released models of the family have."""

import json

import torch
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

from lmem.backbone import sites
from lmem.backbone.pretrain import build_tokenizer
from lmem.memory.read import READS

# the models of the families, and their rows in `sites.SITES`
FAMILIES = {"t5-1.0": "t5", "t5-1.1": "t5", "mt5": "mt5", "byt5": "t5", "bart": "bart"}
UNTIED = ("t5-1.1", "mt5", "byt5")
BIASED = ("bart",)  # their attention has biases, so a branch cannot borrow from it
SIZES = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}


def build(family):
    """Return (model, tokenizer) with random weights."""
    torch.manual_seed(0)
    tokenizer = ByT5Tokenizer() if family == "byt5" else build_tokenizer()
    pad, eos = tokenizer.pad_token_id, tokenizer.eos_token_id
    if family == "bart":
        config = BartConfig(
            vocab_size=len(tokenizer),
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            max_position_embeddings=512,
            pad_token_id=pad,
            eos_token_id=eos,
            bos_token_id=pad,
            decoder_start_token_id=eos,
            forced_eos_token_id=None,
            init_std=0.2,
        )
        return BartForConditionalGeneration(config), tokenizer
    options = {"vocab_size": len(tokenizer), "pad_token_id": pad, "eos_token_id": eos}
    options["decoder_start_token_id"] = pad
    if family == "t5-1.0":  # a tied head, whose input is scaled
        options["feed_forward_proj"] = "relu"
    else:
        options |= {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
    if family == "byt5":  # the released encoder is three times as deep as the decoder
        options["num_decoder_layers"] = 1
    if family == "mt5":
        return MT5ForConditionalGeneration(MT5Config(**SIZES, **options)), tokenizer
    return T5ForConditionalGeneration(T5Config(**SIZES, **options)), tokenizer


def carries(family, method):
    """Return whether a family can carry a method; the table of sites and BIASED decide."""
    if method.read is None:
        return True
    reason = isinstance(sites.SITES[FAMILIES[family]][READS[method.read].site], str)
    borrows = method.read_options.get("start") == "borrowed"
    return not reason and not (borrows and family in BIASED)


def save(family, folder):
    """Save a tiny model of the family in `folder`, with a head of its own where the released models have one."""
    model, tokenizer = build(family)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if family in UNTIED:
        untie(folder, 0.3 * torch.randn_like(model.lm_head.weight))
    return folder


def untie(folder, head):
    """Give a saved model a head of its own: transformers ties T5's head when it saves, whatever its configuration says."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = head
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
