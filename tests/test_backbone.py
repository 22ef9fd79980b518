"""The frozen backbone: what it encodes depends on the text alone; what it refuses it refuses clearly."""

import math
import shutil

import pytest
import torch
from helpers import make
from safetensors.torch import load_file, save_file

from lmem.backbone.backbone import last_place, load_backbone, pad, weights_hash
from lmem.bench.shape import random_backbone
from lmem.data import locomo, tinyworld
from lmem.errors import InputError
from lmem.utils.device import default_device

TEXTS = [
    "context: Ana: I live in Cedar-Bay.",
    "context: Ben: Hello!",
    "context: Ana: " + "what a long day. " * 9,
]


def test_batched_is_one_by_one_in_the_order_of_the_texts(tiny):
    together = tiny.encode(TEXTS)
    for text, latents in zip(TEXTS, together, strict=True):
        [alone] = tiny.encode([text])
        torch.testing.assert_close(latents, alone, atol=1e-5, rtol=0)
        assert len(latents) == len(tiny.tokenize([text])[0])
    assert (together[0][:3] - together[1][:3]).abs().max() > 1e-2


def test_small_batches_give_the_same(tiny):
    for a, b in zip(tiny.encode(TEXTS), tiny.encode(TEXTS, batch_tokens=1), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_pad_marks_what_is_there():
    states, mask = pad([torch.ones(2, 3), torch.ones(4, 3)])
    assert states.shape == (2, 4, 3)
    assert mask.tolist() == [[True, True, False, False], [True] * 4]


@pytest.mark.parametrize("text", ["", "  \n"])
def test_empty_text(tiny, text):
    with pytest.raises(InputError, match="empty"):
        tiny.encode(["context: Ana: hi.", text])


def test_too_long_is_refused_or_cut(tiny):
    long = "context: Ana: " + "hello " * 400
    with pytest.raises(InputError, match="at most 384"):
        tiny.encode([long])
    assert len(tiny.encode([long], truncate=True)[0]) == 384


def test_fingerprint_is_of_the_weights(tiny, tiny_folder):
    again = load_backbone(tiny_folder)
    assert again.fingerprint == tiny.fingerprint
    with torch.no_grad():
        again.model.decoder.block[0].layer[0].layer_norm.weight[0] += 1e-3
    assert weights_hash(again.model) != tiny.fingerprint
    assert again.fingerprint == weights_hash(again.model)
    assert load_backbone(tiny_folder, dtype=torch.bfloat16).fingerprint != tiny.fingerprint


def test_frozen(tiny):
    assert not any(p.requires_grad for p in tiny.model.parameters())
    assert not tiny.model.training


def test_generation_does_not_depend_on_padding_and_neighbours(tiny):
    options = {"max_new_tokens": 5, "min_new_tokens": 5, "do_sample": False}
    options |= {"output_logits": True, "return_dict_in_generate": True}
    together = torch.stack(tiny.model.generate(**tiny.inputs(TEXTS), **options).logits)
    for i, text in enumerate(TEXTS):
        alone = torch.stack(tiny.model.generate(**tiny.inputs([text]), **options).logits)
        torch.testing.assert_close(together[:, i : i + 1], alone, atol=1e-4, rtol=1e-4)
    assert (together[:, 0] - together[:, 1]).abs().max() > 1e-2
    answers = tiny.generate(tiny.inputs(TEXTS), max_new_tokens=5)
    assert answers == [tiny.generate(tiny.inputs([text]), max_new_tokens=5)[0] for text in TEXTS]


def test_inputs_keep_the_order_and_labels_hide_the_padding(tiny):
    inputs, labels = tiny.inputs(TEXTS), tiny.labels(TEXTS)
    for i, ids in enumerate(tiny.tokenize(TEXTS)):
        assert inputs["input_ids"][i, : len(ids)].tolist() == ids
        assert inputs["attention_mask"][i].sum() == len(ids)
        assert labels[i].tolist() == ids + [-100] * (labels.shape[1] - len(ids))
    with pytest.raises(InputError, match="at least one"):
        tiny.inputs([])


@pytest.mark.parametrize("name", ["tiny", "flan"])
def test_logits_at_the_labels_are_those_of_the_ordinary_call(request, name):
    """Those of every label that is no padding, in order; and their bits summed by row."""
    backbone = request.getfixturevalue(name)
    inputs, labels = backbone.inputs(TEXTS), backbone.labels([TEXTS[1], "a", TEXTS[0]])
    with torch.no_grad():
        ordinary = backbone.model(**inputs, labels=labels, use_cache=False).logits
        found = backbone.logits(inputs, labels)
        again = backbone.model(**inputs, labels=labels, use_cache=False).logits
    torch.testing.assert_close(found, ordinary[labels >= 0])
    torch.testing.assert_close(again, ordinary)  # nothing stays behind
    assert len(found) < labels.numel()
    nats = torch.nn.functional.cross_entropy(
        ordinary.transpose(1, 2), labels, ignore_index=-100, reduction="none"
    ).sum(1)
    torch.testing.assert_close(backbone.bits(inputs, labels), -nats / math.log(2))


def test_inputs_from_latents_that_are_known(tiny):
    """The same answers and bits, whoever ran the encoder."""
    known = dict(zip(TEXTS, tiny.encode(TEXTS), strict=True))
    plain, labels = tiny.inputs(TEXTS), tiny.labels(["a b", *TEXTS[1:]])
    for inputs in (tiny.encoded(plain), tiny.inputs(TEXTS, latents=known)):
        assert "input_ids" not in inputs
        assert tiny.encoded(inputs) is inputs
        torch.testing.assert_close(
            tiny.bits(inputs, labels), tiny.bits(plain, labels), atol=1e-3, rtol=1e-4
        )
        assert tiny.generate(inputs, max_new_tokens=6) == tiny.generate(plain, max_new_tokens=6)


def test_tokenizer_spells_any_text(tiny):
    for text in ("naïve 日本 café", "tabs\tand emoji 🙂", "Ana's cat: £5!"):
        ids = tiny.tokenizer(text).input_ids
        assert tiny.tokenizer.decode(ids, skip_special_tokens=True).replace(
            "\t", " "
        ) == text.replace("\t", " ")


def test_every_word_of_tinyworld_is_one_piece(tiny):
    [c] = locomo.parse(tinyworld.samples(1, 9, tinyworld.World(turns=600)))
    texts = (
        c.texts() + [q.prompt for q in c.questions] + [q.answer for q in c.questions if q.answer]
    )
    for text in texts:
        assert all(len(p) > 1 or p in ".,?!:" for p in tiny.tokenizer.tokenize(text)), text


def test_what_cannot_be_loaded(tmp_path, tiny_folder):
    with pytest.raises(InputError, match="nothing_here"):
        load_backbone(tmp_path / "nothing_here")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match="out of t5, mt5, bart"):
        load_backbone(tmp_path)
    with pytest.raises(InputError, match="float16"):
        load_backbone(tiny_folder, dtype=torch.float16)


@pytest.mark.parametrize(
    "damage", ["truncated", "a weight missing", "another shape", "no tokenizer"]
)
def test_a_broken_checkpoint_is_refused(tmp_path, tiny_folder, damage):
    shutil.copytree(tiny_folder, tmp_path / "b")
    path = tmp_path / "b" / "model.safetensors"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-1000])
    elif damage == "no tokenizer":
        (tmp_path / "b" / "tokenizer.json").unlink()
        (tmp_path / "b" / "tokenizer_config.json").unlink()
    else:
        weights, name = load_file(path), "decoder.block.0.layer.1.EncDecAttention.q.weight"
        if damage == "a weight missing":  # transformers alone would draw it at random
            del weights[name]
        else:
            weights[name] = weights[name][:-1].contiguous()
        save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(InputError, match="expected"):
        load_backbone(tmp_path / "b")


@pytest.mark.parametrize("name", ["cuda:99", "mps", "no-such"])
def test_a_device_that_is_not_here_is_refused_in_one_sentence(tiny_folder, tiny, talk, name):
    """Wherever a device is taken; PyTorch's own error is of three kinds, and one of them is an AssertionError."""
    if name == "mps" and torch.backends.mps.is_available():
        pytest.skip("there is one here")
    model = make(tiny, "recent")
    bank = model.write(model.new_bank(), talk)
    works = {
        "load_backbone": lambda: load_backbone(tiny_folder, name),
        "Bank.to": lambda: bank.to(name),
        "Bank.to, by name": lambda: bank.to(device=name),
        "MemoryModel.to": lambda: model.to(name),
        "random_backbone": lambda: random_backbone("flan-t5-small", talk, device=name),
    }
    for place, work in works.items():
        with pytest.raises(
            InputError, match=f"expected a device that is here .*, not '{name}'"
        ) as e:
            work()
        assert "\n" not in str(e.value), place
    assert bank.to(device=torch.device("cpu")).state.rows.equal(bank.to("cpu").state.rows)


def test_each_of_several_processes_has_its_own_gpu(monkeypatch):
    assert default_device() == "cpu" or torch.cuda.is_available()
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert default_device() == "cuda:0"
    monkeypatch.setenv("LOCAL_RANK", "3")  # as accelerate and torchrun say it
    assert default_device() == "cuda:3"


def test_flan_t5s_head_is_its_own(flan):
    model = flan.model
    assert model.lm_head.weight.data_ptr() != model.shared.weight.data_ptr()
    assert not torch.equal(model.lm_head.weight, model.shared.weight)
    ids = torch.tensor([[5, 6]])
    out = model(input_ids=ids, decoder_input_ids=ids, output_hidden_states=True)
    expected = out.decoder_hidden_states[-1] @ model.lm_head.weight.T  # no scaling by 1 / sqrt(D)
    torch.testing.assert_close(out.logits, expected, atol=1e-4, rtol=1e-4)


def test_the_last_place_of_some_pieces():
    ids = [7, 1, 2, 1, 2, 1]
    assert last_place(ids, [1, 2]) == 3
    assert last_place(ids, [1, 2], first=4) is None
    assert last_place(ids, [7], first=0) == 0
    assert last_place(ids, [1, 2, 3]) is None
