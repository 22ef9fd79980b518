"""The making of nano: what its batches ask for, and what its attention starts as."""

import json
import math
from itertools import islice

import pytest
import torch

from lmem.backbone.backbone import load_backbone
from lmem.backbone.pretrain import Batches, PretrainConfig, build_model, build_tokenizer, pretrain
from lmem.backbone.reading import measure
from lmem.data.reading import listings


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    return build_model(PretrainConfig(layers=2, width=64, heads=4), tokenizer)


def test_a_listing_holds_its_facts():
    seen = list(islice(listings("a", 8), 60))
    for one in seen:
        assert 2 <= one.source.count("context:") <= 8
        for key, value in one.facts:
            relation, subject = key.split()
            assert value in one.source
            assert (
                subject in one.source
            )  # or the speaker of a turn: the name stands before the colon
            assert relation not in {subject, value}
    assert max(len(one.facts) for one in seen) > 4
    assert len({one.source for one in seen}) == len(seen)
    assert seen == list(islice(listings("a", 8), 60))


def test_listings_come_first_and_readings_later(tokenizer):
    config = PretrainConfig(steps=40, batch=8, listings=0.5)
    batches = Batches(config, tokenizer)
    listed = [len(batches.next(step)["input_ids"]) == 4 for step in range(40)]  # half a batch
    assert sum(listed[:20]) == 15  # 3 of 4
    assert sum(listed[20:]) == 2  # 1 of 8: steps 24 and 32


def test_only_values_are_learned_from_a_listing(tokenizer):
    batch = Batches(PretrainConfig(steps=40, batch=64), tokenizer).next(1)
    labels, said = batch["labels"], batch["decoder_input_ids"]
    assert (said[:, 0] == 0).all()
    later, before = said[:, 1:], labels[:, :-1]
    known = (before >= 0) & (later != 0)  # the last value of a row is not said again
    assert known.any()
    assert (later[known] == before[known]).all()  # shifted by one
    for source, row in zip(batch["input_ids"].tolist(), labels.tolist(), strict=True):
        values = [token for token in row if token >= 0]
        assert values
        assert set(values) <= set(source)  # every value that shall be said stands in the turns


def test_attention_starts_as_copying_by_likeness(model):
    latents = torch.randn(5, 64)
    far = model.encoder.block[1].layer[0].SelfAttention
    near, later = slice(0, 32), slice(32, None)  # 2 of 4 heads of 16
    torch.testing.assert_close(far.o(far.v(latents)), latents, atol=1e-4, rtol=1e-4)
    assert torch.equal(far.q.weight[later], far.k.weight[later])
    assert not torch.equal(far.q.weight[near], far.k.weight[near])
    cross = model.decoder.block[0].layer[1].EncDecAttention
    assert torch.equal(cross.q.weight, cross.k.weight)
    own = model.decoder.block[0].layer[0].SelfAttention  # left as T5 draws it
    assert not torch.equal(own.q.weight, own.k.weight)


def test_near_heads_look_near_and_far_heads_do_not(model):
    bias = model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
    assert (bias[:, 2:] == 0).all()
    assert bias[0, 0] == 0
    assert bias[5, 0] < bias[1, 0] < 0


def test_pretraining_writes_a_folder_that_loads(tmp_path, monkeypatch):
    measured = []

    def few(backbone, questions=1000, **how):
        measured.append((backbone.dtype, how))
        return measure(backbone, 20, **how)

    monkeypatch.setattr("lmem.backbone.pretrain.measure", few)
    config = PretrainConfig(steps=3, batch=4, layers=1, width=32, heads=2, log_every=3, warmup=1)
    facts = pretrain(tmp_path / "n", config, progress=False)
    assert facts["steps"] == 3
    uniform = math.log(len(build_tokenizer()))
    assert facts["loss"] == pytest.approx(uniform, rel=0.3)  # three steps change little
    saved = json.loads((tmp_path / "n" / "pretrain.json").read_text())
    assert saved["config"]["steps"] == 3
    assert load_backbone(tmp_path / "n").width == 32
    card = (tmp_path / "n" / "README.md").read_text()
    assert "{" not in card
    asked = [how for dtype, how in measured if dtype == torch.float32]
    assert {"evidence": True} in asked
    assert {"evidence": False} in asked
    assert {"alike": True} in asked
