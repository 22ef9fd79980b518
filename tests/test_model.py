"""What holds for every method at every site; logits are compared, and each identity has its opposite."""

import subprocess
import sys

import pytest
import torch

from lmem.backbone import weights_hash
from lmem.errors import BankError, InputError, MethodError
from lmem.inject import attach
from lmem.model import MemoryModel

METHODS = ["m1", "m2", "m3", "recent", "recent+extension"]
SILENT = {"m2"}  # exactly silent at its start (beta = 0); zero rows of m1 and m3 still take softmax mass


def away(model, seed=0):
    """Draw the read's weights away from their start."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in model.read.parameters():
            weight.copy_(torch.randn_like(weight) / weight.shape[-1] ** 0.5 if weight.ndim > 1 else 1.0)
    return model


def logits(model, bank, questions, ablate=None, **options):
    backbone = model.backbone
    inputs = backbone.inputs([f"question: {q}" for q in questions])
    labels = backbone.labels(["Cedar-Bay"] * len(questions))
    with torch.no_grad(), model.attached(bank, ablate):
        return backbone.model(**inputs, labels=labels, **options).logits


def bare(model, questions):
    backbone = model.backbone
    inputs = backbone.inputs([f"question: {q}" for q in questions])
    with torch.no_grad():
        return backbone.model(**inputs, labels=backbone.labels(["Cedar-Bay"] * len(questions))).logits


@pytest.fixture(params=[("tiny", m) for m in METHODS] + [("flan", m) for m in ("m1", "m2", "m3")], ids=str)
def model(request):
    backbone, method = request.param
    return MemoryModel(request.getfixturevalue(backbone), method, scale=0.5, seed=3)


def test_detached_is_bare_and_attached_is_not(model, talk, questions):
    away(model)
    before = bare(model, questions)
    bank = model.write(model.new_bank(), talk)
    assert (logits(model, bank, questions) - before).abs().max() > 1e-2
    assert torch.equal(bare(model, questions), before)


def test_an_empty_bank_is_no_memory(model, talk, questions):
    away(model)
    before = bare(model, questions)
    assert torch.equal(logits(model, model.new_bank(), questions), before)
    some = model.write(model.new_bank(3), [[], talk, []])
    mixed = logits(model, some, questions)
    torch.testing.assert_close(mixed[[0, 2]], before[[0, 2]], atol=2e-4, rtol=1e-4)
    assert (mixed[1] - before[1]).abs().max() > 1e-2
    assert torch.equal(logits(model, some.pick(1), questions, ablate="masked"), before)


def test_start_values(model, talk, questions):
    bank = model.write(model.new_bank(), talk)
    difference = (logits(model, bank, questions) - bare(model, questions)).abs().max()
    if model.method.aliases[:1] == ("m2",):
        assert difference == 0
    else:
        assert difference > 0


def test_null_rows_are_attention_sinks_but_not_beside_a_branch(tiny, talk, questions):
    for method in ("m2", "m3"):
        model = away(MemoryModel(tiny, method))
        bank = model.write(model.new_bank(), talk)
        null = logits(model, bank, questions, ablate="null_rows")
        tax = (null - bare(model, questions)).abs().max()
        assert (tax == 0) if method == "m2" else (tax > 1e-3)


def test_one_bank_per_row_and_beams(model, talk, questions):
    away(model)
    banks = model.write(model.new_bank(3), [talk[:1], talk[:3], talk[1:]])
    together = logits(model, banks, questions)
    for i, question in enumerate(questions):
        alone = logits(model, banks.pick(i), [question])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-4, rtol=1e-4)
    inputs = model.backbone.inputs([f"question: {q}" for q in questions])
    with model.attached(banks):
        beams = model.backbone.model.generate(**inputs, num_beams=3, num_return_sequences=3, max_new_tokens=3)
    assert len(beams) == 9


def test_cached_generation_is_uncached(model, talk, questions):
    away(model)
    bank = model.write(model.new_bank(), talk)
    inputs = model.backbone.inputs([f"question: {q}" for q in questions])
    found = []
    for cache in (True, False):
        with model.attached(bank):
            out = model.backbone.model.generate(
                **inputs, max_new_tokens=4, min_new_tokens=4, do_sample=False, use_cache=cache,
                output_logits=True, return_dict_in_generate=True,
            )  # fmt: skip
        found.append(torch.stack(out.logits))
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)


def test_batches_that_do_not_fit_are_refused(tiny, talk, questions):
    model = away(MemoryModel(tiny, "m3"))
    banks = model.write(model.new_bank(2), [talk, talk[:2]])
    with pytest.raises(InputError, match="one for each bank"):
        logits(model, banks, questions)
    inputs = tiny.inputs([f"question: {q}" for q in questions[:2]])
    encoded = tiny.model.encoder(**inputs)
    known = {"attention_mask": inputs["attention_mask"], "decoder_input_ids": torch.zeros(2, 1, dtype=torch.long)}
    with model.attached(banks), pytest.raises(InputError, match="expand"):
        tiny.model(encoder_outputs=encoded, **known)
    with model.attached(banks, expand=1):
        given = tiny.model(encoder_outputs=encoded, **known).logits
    with model.attached(banks):
        torch.testing.assert_close(given, tiny.model(**inputs, decoder_input_ids=known["decoder_input_ids"]).logits)


def test_only_our_hooks_go_and_always(tiny, talk, questions):
    model = away(MemoryModel(tiny, "m3"))
    bank = model.write(model.new_bank(), talk)
    calls = []
    foreign = tiny.model.decoder.register_forward_pre_hook(lambda *a: calls.append(1))
    before = bare(model, questions)
    with pytest.raises(RuntimeError, match="stop"), model.attached(bank):
        raise RuntimeError("stop")
    assert torch.equal(bare(model, questions), before)
    assert len(calls) == 2
    foreign.remove()
    hooks = [m._forward_hooks or m._forward_pre_hooks for m in tiny.model.modules()]
    assert not any(hooks)


def test_two_memories_on_one_backbone(tiny, talk, questions):
    first, second = away(MemoryModel(tiny, "m3", seed=1)), away(MemoryModel(tiny, "recent", seed=2))
    a, b = (m.write(m.new_bank(), talk) for m in (first, second))
    alone = logits(first, a, questions)
    logits(second, b, questions)
    assert torch.equal(logits(first, a, questions), alone)
    with first.attached(a):
        nested = logits(second, b, questions)
    assert (nested - logits(second, b, questions)).abs().max() > 1e-3


def test_written_in_halves_or_at_once_alone_or_beside_others(model, talk):
    halves = model.write(model.write(model.new_bank(), talk[:2]), talk[2:])
    once = model.write(model.new_bank(), talk)
    torch.testing.assert_close(halves.state.rows, once.state.rows, atol=1e-5, rtol=1e-5)
    both = model.write(model.new_bank(2), [talk, talk[:1]])
    torch.testing.assert_close(both.state.rows[0], once.state.rows[0], atol=1e-4, rtol=1e-4)
    assert both.turns_written == [4, 1]


def test_bad_turns_write_nothing(tiny, talk):
    model = MemoryModel(tiny, "recent")
    bank = model.new_bank()
    for bad in ([*talk, "  "], [*talk, "Ana: " + "hello " * 500]):
        with pytest.raises(InputError):
            model.write(bank, bad)
    with pytest.raises(InputError, match="2 banks"):
        model.write(model.new_bank(2), [talk])
    assert bank.empty


def test_unknown_methods_and_scales(tiny):
    with pytest.raises(MethodError, match="m9"):
        MemoryModel(tiny, "m9")
    with pytest.raises(MethodError, match="scale"):
        MemoryModel(tiny, "m3", scale=0)


def test_the_stateless_method_is_the_bare_backbone(tiny, questions):
    model = MemoryModel(tiny, "m0")
    assert model.answer(None, questions, max_new_tokens=3) == tiny.generate(
        tiny.inputs([f"question: {q}" for q in questions]), max_new_tokens=3
    )
    with pytest.raises(BankError, match="no bank"):
        model.new_bank()


NEW_PROCESS = """
import sys, torch
from lmem import Bank, MemoryModel
torch.manual_seed(99)
torch.set_num_threads(1)
model = MemoryModel.from_pretrained(sys.argv[1])
bank = Bank.load(sys.argv[2])
inputs = model.backbone.inputs(["question: Where does Ben live?"])
with torch.no_grad(), model.attached(bank):
    out = model.backbone.model(**inputs, decoder_input_ids=torch.zeros(1, 1, dtype=torch.long))
torch.save(out.logits, sys.argv[3])
"""


@pytest.mark.parametrize("method", ["m1", "m2", "m3", "recent"])
def test_saved_loaded_in_a_new_process_gives_the_same(tiny, talk, tmp_path, method):
    model = away(MemoryModel(tiny, method, seed=5))
    bank = model.write(model.new_bank(), talk)
    model.save_pretrained(tmp_path / "adapter")
    bank.save(tmp_path / "bank.safetensors")
    names = sorted(p.name for p in (tmp_path / "adapter").iterdir())
    assert names == ["adapter.json", "adapter.safetensors"]
    size = sum(p.stat().st_size for p in (tmp_path / "adapter").iterdir())
    assert size < 4 * sum(t.numel() for t in model.state_dict().values()) + 8000  # no backbone, no bank
    places = [str(tmp_path / name) for name in ("adapter", "bank.safetensors", "out.pt")]
    subprocess.run([sys.executable, "-c", NEW_PROCESS, *places], check=True)
    inputs = tiny.inputs(["question: Where does Ben live?"])
    with torch.no_grad(), model.attached(bank):
        here = tiny.model(**inputs, decoder_input_ids=torch.zeros(1, 1, dtype=torch.long)).logits
    assert torch.equal(torch.load(tmp_path / "out.pt", weights_only=True), here)


def test_damaged_adapters_are_refused(tiny, flan, tmp_path):
    MemoryModel(tiny, "m3").save_pretrained(tmp_path / "a")
    with pytest.raises(BankError, match="backbone"):
        MemoryModel.from_pretrained(tmp_path / "a", flan)
    weights = tmp_path / "a" / "adapter.safetensors"
    weights.write_bytes(weights.read_bytes()[:-50])
    with pytest.raises(InputError, match="adapter"):
        MemoryModel.from_pretrained(tmp_path / "a", tiny)
    with pytest.raises(InputError, match="hub"):
        MemoryModel.from_pretrained(str(tmp_path / "nothing"), tiny)


def test_backbone_is_untouched(model, talk, questions):
    before = weights_hash(model.backbone.model)
    logits(away(model), model.write(model.new_bank(), talk), questions)
    assert weights_hash(model.backbone.model) == before
    assert all(not name.startswith("backbone") for name in model.state_dict())


# ---- each site against a forward pass written out by hand ------------------------------------------


def by_hand(tiny, question):
    inputs = tiny.inputs([f"question: {question}"])
    start = torch.tensor([[0, 40, 41]])
    return inputs, start


def test_extension_by_hand(tiny, talk, questions):
    model = away(MemoryModel(tiny, "m3"))
    bank = model.write(model.new_bank(), talk)
    inputs, start = by_hand(tiny, questions[0])
    with torch.no_grad():
        z = tiny.model.encoder(**inputs).last_hidden_state
        h = bank.state.rows @ model.read.w_mem
        both = torch.cat([z, h], 1)
        states = tiny.model.decoder(
            input_ids=start, encoder_hidden_states=both, encoder_attention_mask=torch.ones(both.shape[:2])
        ).last_hidden_state
        expected = tiny.model.lm_head(states * tiny.model.model_dim**-0.5)
        with model.attached(bank):
            found = tiny.model(**inputs, decoder_input_ids=start).logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_prefix_by_hand(tiny, talk, questions):
    model = away(MemoryModel(tiny, "m1"))
    bank = model.write(model.new_bank(), talk)
    inputs, start = by_hand(tiny, questions[0])
    with torch.no_grad():
        soft = bank.state.rows @ model.read.w_p
        embeds = torch.cat([soft, tiny.model.shared(inputs["input_ids"])], 1)
        z = tiny.model.encoder(inputs_embeds=embeds).last_hidden_state[:, soft.shape[1] :]
        expected = tiny.model(encoder_outputs=(z,), decoder_input_ids=start).logits
        with model.attached(bank):
            found = tiny.model(**inputs, decoder_input_ids=start).logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("method", ["m2", "recent"])
def test_branch_by_hand(tiny, talk, questions, method):
    model = away(MemoryModel(tiny, method))
    bank = model.write(model.new_bank(), talk)
    inputs, start = by_hand(tiny, questions[0])
    read, rows = model.read, bank.state.rows[0][model.write_rule.readable(bank.state)[0]]
    heads, size = read.heads, read.w_q.shape[2] // read.heads
    decoder = tiny.model.decoder
    length = start.shape[1]
    causal = torch.full((length, length), float("-inf")).triu(1)[None, None]
    with torch.no_grad():
        z = tiny.model.encoder(**inputs).last_hidden_state
        x = tiny.model.shared(start)
        bias = decoder.block[0].layer[0].SelfAttention.compute_bias(length, length) + causal
        for i, block in enumerate(decoder.block):
            own, cross, feed = block.layer
            x = x + attention(own.SelfAttention, own.layer_norm(x), None, bias)
            s = cross.layer_norm(x)
            j = 0 if read.shared else i
            parts = []
            for h in range(heads):
                cut = slice(h * size, (h + 1) * size)
                q, k = s[0] @ read.w_q[j][:, cut], rows @ read.w_k[j][:, cut]
                parts.append((q @ k.T / size**0.5).softmax(-1) @ (rows @ read.w_v[j][:, cut]))
            gain = read.beta[i] * torch.cat(parts, -1) @ read.w_o[j]
            x = x + attention(cross.EncDecAttention, s, z, 0.0) + gain
            x = x + feed.DenseReluDense(feed.layer_norm(x))
        expected = tiny.model.lm_head(decoder.final_layer_norm(x) * tiny.model.model_dim**-0.5)
        with model.attached(bank):
            found = tiny.model(**inputs, decoder_input_ids=start).logits
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def attention(module, x, other, bias):
    """T5's attention, written out: no scaling by the root of the head's width."""
    other = x if other is None else other
    q, k, v = (
        (m(y)).unflatten(-1, (module.n_heads, -1)).transpose(1, 2)
        for m, y in ((module.q, x), (module.k, other), (module.v, other))
    )
    scores = q @ k.transpose(2, 3) + bias
    return module.o((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


def test_attach_needs_no_memory_model(tiny, questions):
    """The context manager alone: any rows, any read."""
    from lmem.read import ExtensionRead

    read = ExtensionRead(tiny.width, tiny.layers, start="identity")
    inputs, start = by_hand(tiny, questions[0])
    rows, mask = torch.randn(1, 3, tiny.width), torch.tensor([[True, False, True]])
    with torch.no_grad(), attach(tiny.model, read, rows, mask):
        masked = tiny.model(**inputs, decoder_input_ids=start).logits
    with torch.no_grad(), attach(tiny.model, read, rows[:, [0, 2]], mask[:, [0, 2]]):
        two = tiny.model(**inputs, decoder_input_ids=start).logits
    torch.testing.assert_close(masked, two, atol=1e-5, rtol=1e-5)
