"""A backbone that hooks cannot serve is refused in one sentence before anything runs; what is admitted answers as the plain one."""

import copy
import pickle

import pytest
import torch
from accelerate import cpu_offload, disk_offload
from helpers import away, logits
from test_contexts import hooks

from lmem.backbone.backbone import load_backbone, weights_hash
from lmem.backbone.latent_cache import cached
from lmem.errors import InputError, MethodError
from lmem.memory.ledger import Ledger
from lmem.memory.model import MemoryModel

QUESTION = "Where does Ben live?"


@pytest.fixture
def fresh(tiny_folder):
    """A backbone of its own, which a test may spoil."""
    return load_backbone(tiny_folder)


def attached_memory(backbone, talk, method="m3"):
    model = away(MemoryModel(backbone, method))
    return model, model.write(model.new_bank(), talk)


def compile_forward(model):
    model.forward = torch.compile(model.forward, backend="eager")


def compile_a_block(model):
    model.decoder.block[1] = torch.compile(model.decoder.block[1], backend="eager")


COMPILED = {
    "in place": lambda model: model.compile(backend="eager"),
    "forward": compile_forward,
    "one block": compile_a_block,
    "encoder": lambda model: model.encoder.compile(backend="eager"),
}


def refused(model, bank, match, before):
    """Every way to read is refused with one sentence, and leaves no hook."""
    works = (
        lambda: model.answer(bank, QUESTION),
        lambda: model.log_likelihood(bank, QUESTION, "Cedar-Bay"),
        lambda: logits(model, bank, [QUESTION]),
    )
    for work in works:
        with pytest.raises(MethodError, match=match) as error:
            work()
        assert "\n" not in str(error.value)
    assert hooks(model.backbone.model) == before


@pytest.mark.parametrize("method", ["m1", "m2", "m3"])
@pytest.mark.parametrize("how", COMPILED)
def test_a_compiled_backbone_is_refused(fresh, talk, how, method):
    model, bank = attached_memory(fresh, talk, method)
    COMPILED[how](fresh.model)
    refused(model, bank, "not compiled", hooks(fresh.model))


def test_a_backbone_around_a_compiled_model_is_refused(fresh, talk):
    model, bank = attached_memory(fresh, talk)
    fresh.model = torch.compile(fresh.model, backend="eager")
    refused(model, bank, "not compiled", hooks(fresh.model))


@pytest.mark.parametrize("offload", [cpu_offload, disk_offload])
def test_an_offloaded_backbone_is_refused(fresh, talk, offload, tmp_path):
    model, bank = attached_memory(fresh, talk)
    folder = [tmp_path] if offload is disk_offload else []
    offload(fresh.model, *folder, execution_device=torch.device("cpu"))
    refused(model, bank, "offloaded", hooks(fresh.model))
    for work in (
        lambda: MemoryModel(fresh, "recent"),
        lambda: model.write(bank, talk),
        lambda: fresh.encode(talk),
    ):
        with pytest.raises(MethodError, match="offloaded"):
            work()


def test_float16_is_refused_however_it_comes(fresh, talk):
    model, bank = attached_memory(fresh, talk)
    inputs, before = fresh.inputs([QUESTION]), hooks(fresh.model)
    with torch.autocast("cpu", torch.float16):
        refused(model, bank, "overflows", before)
        with pytest.raises(MethodError, match="overflows"):
            fresh.encode(talk)
    with (
        pytest.raises(MethodError, match="overflows"),
        model.attached(bank),
        torch.autocast("cpu", torch.float16),
    ):
        fresh.model.generate(**inputs)
    fresh.model.half()
    refused(model, bank, "overflows", before)
    with pytest.raises(MethodError, match="overflows"):
        MemoryModel(fresh, "m3")


@pytest.mark.parametrize("method", ["m1", "m2", "m3", "keyed"])
def test_bfloat16_answers_as_float32_within_its_rounding(tiny_folder, talk, method):
    """Weights in bfloat16, and autocast to it around weights in float32."""
    plain = load_backbone(tiny_folder)
    half = load_backbone(tiny_folder, dtype=torch.bfloat16)
    model, bank = attached_memory(plain, talk, method)
    expected = logits(model, bank, [QUESTION])
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = logits(model, bank, [QUESTION])
    rounded = logits(*attached_memory(half, talk, method), [QUESTION])
    none = logits(model, bank, [QUESTION], ablate="masked")
    for actual in (under_autocast, rounded):
        assert (actual - expected).norm() < 0.25 * (none - expected).norm()


@pytest.mark.parametrize("reentrant", [True, False])
def test_gradient_checkpointing_is_refused_where_it_acts(fresh, talk, reentrant):
    """In evaluation mode, which is a backbone's own, it does nothing, and the answer is the same."""
    model, bank = attached_memory(fresh, talk)
    expected = logits(model, bank, [QUESTION])
    fresh.model.activation_checkpointing_enable({"use_reentrant": reentrant})
    assert torch.equal(logits(model, bank, [QUESTION]), expected)
    fresh.model.train()
    refused(model, bank, "checkpointing", hooks(fresh.model))
    fresh.model.eval()
    assert torch.equal(logits(model, bank, [QUESTION]), expected)


@pytest.mark.parametrize("method", ["m1", "m2", "m3"])
def test_a_static_cache_is_refused_with_a_bank_and_works_without(tiny, talk, method):
    model, bank = attached_memory(tiny, talk, method)
    inputs, before = tiny.inputs([f"question: {QUESTION}"]), hooks(tiny.model)
    expected = tiny.generate(inputs, max_new_tokens=4)
    with pytest.raises(MethodError, match="grows"):
        model.answer(bank, QUESTION, cache_implementation="static")
    with pytest.raises(MethodError, match="grows"), model.attached(bank):
        tiny.model.generate(**inputs, cache_implementation="static", max_new_tokens=4)
    assert hooks(tiny.model) == before
    assert tiny.generate(inputs, max_new_tokens=4, cache_implementation="static") == expected
    dynamic = model.answer(bank, QUESTION, cache_implementation="dynamic", max_new_tokens=4)
    assert dynamic == model.answer(bank, QUESTION, max_new_tokens=4)


def test_several_answers_for_each_question(tiny, talk, questions):
    model, bank = attached_memory(tiny, talk)
    options = {"num_beams": 3, "max_new_tokens": 4, "min_new_tokens": 3}
    several = model.answer(bank, questions, num_return_sequences=3, **options)
    assert [len(texts) for texts in several] == [3, 3, 3]
    assert [texts[0] for texts in several] == model.answer(bank, questions, **options)
    assert model.answer(bank, questions[1], num_return_sequences=3, **options) == several[1]
    for wrong in (
        {"return_dict_in_generate": True},
        {"num_return_sequences": 3},
        {"no_such_option": 1},
        {"num_beams": 0},
        {"max_new_tokens": -1},
    ):
        with pytest.raises(InputError, match=r"expected options") as error:
            model.answer(bank, questions[0], **wrong)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("method", ["m0", "m1", "m2", "m4", "recent", "keyed", "m5_as_run"])
def test_copies_and_pickles_are_equal_and_independent(tiny_folder, talk, tmp_path, method):
    fresh = load_backbone(tiny_folder)  # transformers' hooks for attention maps cannot be pickled
    model = MemoryModel(
        cached(fresh, tmp_path),
        method,
        write={}
        if method == "m0"
        else {"heads": 4}
        if method == "keyed"
        else {"gamma": 0.9}
        if method != "recent"
        else {},
    )
    if method != "m0":
        away(model)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.owner == model.owner
        assert other.backbone.fingerprint == model.backbone.fingerprint
        if method == "m0":
            continue
        bank, ledger = model.new_bank(), Ledger()
        bank = model.write(bank, talk, ledger=ledger)
        assert other.write(other.new_bank(), talk) == bank
        assert torch.equal(logits(other, bank, [QUESTION]), logits(model, bank, [QUESTION]))
        assert copy.deepcopy(ledger) == ledger != Ledger()
        with torch.no_grad():
            other.backbone.model.shared.weight[5] += 1
        assert other.backbone.fingerprint != model.backbone.fingerprint


def test_banks_compare_by_content(tiny, talk):
    model = MemoryModel(tiny, "m3")
    bank = model.write(model.new_bank(), talk)
    shorter, longer = model.write(model.new_bank(), talk[:2]), model.new_bank(2)
    for same in (
        bank.clone(),
        copy.deepcopy(bank),
        pickle.loads(pickle.dumps(bank)),
        bank.to("cpu"),
    ):
        assert same == bank
        assert same.state == bank.state
        assert hash(same) == hash(bank)
    for other in (
        shorter,
        longer,
        bank.to(torch.float64),
        MemoryModel(tiny, "m3", seed=1).new_bank(),
        3,
    ):
        assert other != bank


def test_models_made_in_inference_mode_learn(tiny_folder, talk):
    with torch.inference_mode():
        model = away(MemoryModel(load_backbone(tiny_folder), "m2"))
        inside = model.write(model.new_bank(), talk)
    bank = model.write(model.new_bank(), talk)
    assert bank == inside
    backbone = model.backbone
    with model.attached(bank):
        backbone.logits(backbone.inputs([QUESTION]), backbone.labels(["a"])).sum().backward()
    assert all(p.grad is not None for p in model.read.parameters())


def test_the_fingerprint_follows_the_weights(fresh, talk, tmp_path):
    """A bank, and latents on disk, of the weights before an edit are not used after it."""
    backbone = cached(fresh, tmp_path)
    model = MemoryModel(backbone, "m3")
    bank, before = model.write(model.new_bank(), talk), backbone.fingerprint
    [old] = backbone.encode(talk[:1])
    with torch.no_grad():
        fresh.model.encoder.block[0].layer[0].layer_norm.weight += 0.5
    assert backbone.fingerprint == weights_hash(fresh.model) != before
    [new] = backbone.encode(talk[:1])
    assert torch.equal(new, fresh.encode(talk[:1])[0])
    assert not torch.equal(new, old)
    with pytest.raises(Exception, match="expected a bank of the backbone"):
        model.answer(bank, QUESTION)
    state = fresh.model.state_dict()
    fresh.model.load_state_dict({name: 2 * weight for name, weight in state.items()})
    assert backbone.fingerprint == weights_hash(fresh.model)
