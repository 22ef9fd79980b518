"""What holds for every method at every site; logits are compared, and each identity has its opposite."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import T5Config, T5ForConditionalGeneration

from lmem import methods
from lmem.backbone import load_backbone, weights_hash
from lmem.data.conversation import Conversation, Session, Turn
from lmem.errors import BankError, InputError, MethodError
from lmem.inject import attach
from lmem.model import MemoryModel

METHODS = ["m1", "m2", "m3", "recent", "recent+extension"]
SILENT = {
    "m2"
}  # exactly silent at the start (beta = 0); zero rows of m1 and m3 still take softmax mass


def away(model, seed=0):
    """Draw the read's weights away from their start."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in model.read.parameters():
            weight.copy_(
                torch.randn_like(weight) / weight.shape[-1] ** 0.5 if weight.ndim > 1 else 1.0
            )
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
        return backbone.model(
            **inputs, labels=backbone.labels(["Cedar-Bay"] * len(questions))
        ).logits


@pytest.fixture(
    params=[("tiny", m) for m in METHODS] + [("flan", m) for m in ("m1", "m2", "m3", "recent")],
    ids=str,
)
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
    assert (difference == 0) == bool(SILENT & set(model.method.aliases))


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
    options = {"num_beams": 3, "num_return_sequences": 3, "max_new_tokens": 3, "min_new_tokens": 3}
    options |= {"output_scores": True, "return_dict_in_generate": True, "do_sample": False}
    with model.attached(banks):
        beams = generated(model, questions, options)
    for i, question in enumerate(questions):
        with model.attached(banks.pick(i)):
            alone = generated(model, [question], options)
        both = beams.sequences_scores[3 * i : 3 * i + 3], alone.sequences_scores
        torch.testing.assert_close(*both, atol=1e-4, rtol=1e-4)


def generated(model, questions, options):
    inputs = model.backbone.inputs([f"question: {q}" for q in questions])
    return model.backbone.model.generate(**inputs, **options)


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
    known = {
        "attention_mask": inputs["attention_mask"],
        "decoder_input_ids": torch.zeros(2, 1, dtype=torch.long),
    }
    with model.attached(banks), pytest.raises(InputError, match="expand"):
        tiny.model(encoder_outputs=encoded, **known)
    with model.attached(banks, expand=1):
        given = tiny.model(encoder_outputs=encoded, **known).logits
    with model.attached(banks):
        torch.testing.assert_close(
            given, tiny.model(**inputs, decoder_input_ids=known["decoder_input_ids"]).logits
        )


def test_a_prefix_needs_the_encoder(tiny, talk, questions):
    """It enters before the encoder: latents from outside cannot hold it, those from inside do."""
    model = away(MemoryModel(tiny, "m1"))
    bank = model.write(model.new_bank(), talk)
    inputs, start = by_hand(tiny, questions[0])
    outside = tiny.model.encoder(**inputs)
    with model.attached(bank), pytest.raises(InputError, match="inside the block"):
        tiny.model(encoder_outputs=outside, decoder_input_ids=start)
    with torch.no_grad(), model.attached(bank):
        states = tiny.model.encoder(**inputs, output_hidden_states=True)
        given = tiny.model(encoder_outputs=states, decoder_input_ids=start).logits
        assert torch.equal(given, tiny.model(**inputs, decoder_input_ids=start).logits)
    assert {len(layer[0]) for layer in states.hidden_states} == {inputs["input_ids"].shape[1]}


def test_plain_tuples_come_out_the_same(model, talk, questions):
    away(model)
    bank = model.write(model.new_bank(), talk)
    inputs, start = by_hand(model.backbone, questions[0])
    with torch.no_grad(), model.attached(bank):
        named = model.backbone.model(**inputs, decoder_input_ids=start)
        plain = model.backbone.model(**inputs, decoder_input_ids=start, return_dict=False)
    assert isinstance(plain, tuple)
    assert torch.equal(plain[0], named.logits)


def test_unknown_ablation(tiny, talk, questions):
    model = MemoryModel(tiny, "m3")
    with pytest.raises(MethodError, match="ablate"):
        logits(model, model.write(model.new_bank(), talk), questions, ablate="zero")


def test_writes_carry_gradient_until_it_is_cut(tiny, talk):
    model = MemoryModel(tiny, "m3", scale=0.25)
    turns = [z.requires_grad_() for z in tiny.encode([f"context: {t}" for t in talk[:3]])]
    bank = model.write_latents(model.new_bank(), [turns[:1]]).detach()
    bank = model.write_latents(bank, [turns[1:]])
    bank.state.rows.square().sum().backward()
    assert turns[0].grad is None
    assert all(z.grad.abs().sum() > 0 for z in turns[1:])


def test_a_backbone_in_bfloat16_has_an_adapter_in_float32(tiny_folder, talk, questions):
    backbone = load_backbone(tiny_folder, dtype=torch.bfloat16)
    for method in METHODS:
        model = away(MemoryModel(backbone, method, scale=0.5))
        bank = model.write(model.new_bank(), talk)
        assert bank.state.rows.dtype == torch.float32
        found = logits(model, bank, questions)
        assert found.dtype == torch.bfloat16
        assert (found - bare(model, questions)).abs().max() > 1e-2
        with model.attached(bank):
            inputs = backbone.inputs([f"question: {q}" for q in questions])
            backbone.model(**inputs, labels=backbone.labels(questions)).loss.backward()
        assert all(
            p.grad.dtype == torch.float32 and p.grad.abs().sum() > 0 for p in model.parameters()
        )


@pytest.mark.parametrize(
    ("method", "count"),
    [
        ("m1", 2048**2),
        ("m2", 4 * 2048**2 + 24),
        ("m3", 2048**2),
    ],  # 4.2M, 16.8M, 4.2M: paper, table 2
)
def test_trainable_counts_are_the_papers(method, count):
    config = T5Config(d_model=2048, d_kv=64, d_ff=5120, num_layers=24, num_heads=32)  # Flan-T5-XL's
    with torch.device("meta"):
        xl = T5ForConditionalGeneration(config)
        write, read = methods.build(methods.find(method), xl, rows=64, seed=0)
    assert sum(p.numel() for p in read.parameters()) == count
    assert not list(write.parameters())


def test_only_our_hooks_go_and_always(tiny, talk, questions):
    model = away(MemoryModel(tiny, "m3"))
    bank = model.write(model.new_bank(), talk)
    calls, untouched = [], hooks(tiny.model)
    foreign = tiny.model.decoder.register_forward_pre_hook(lambda *a: calls.append(1))
    before = bare(model, questions)
    assert (logits(model, bank, questions) - before).abs().max() > 1e-2
    with pytest.raises(RuntimeError, match="stop"), model.attached(bank):
        raise RuntimeError("stop")
    assert torch.equal(bare(model, questions), before)
    assert len(calls) == 3  # before, attached, after
    foreign.remove()
    assert hooks(tiny.model) == untouched


def hooks(model):
    """Every hook on every module; transformers keeps some of its own."""
    kinds = ("_forward_hooks", "_forward_pre_hooks")
    return [(name, list(getattr(m, k))) for name, m in model.named_modules() for k in kinds]


def test_two_memories_on_one_backbone(tiny, talk, questions):
    first, second = away(MemoryModel(tiny, "m3", seed=1)), away(MemoryModel(tiny, "recent", seed=2))
    a, b = (m.write(m.new_bank(), talk) for m in (first, second))
    alone = logits(first, a, questions)
    logits(second, b, questions)
    assert torch.equal(logits(first, a, questions), alone)
    with first.attached(a):
        nested = logits(second, b, questions)
        assert torch.equal(bare(first, questions), alone)  # the outer one is still there, alone
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
    for single in (
        talk[0],
        Conversation("c", ("Ana",), (Session(1, "", (Turn("D1:1", "Ana", "hi"),)),)),
    ):
        with pytest.raises(InputError, match="2 banks"):
            model.write(model.new_bank(2), single)
        assert model.write(bank, single).turns_written == [1]
    assert bank.empty


def test_unknown_methods_and_scales(tiny):
    with pytest.raises(MethodError, match="m9"):
        MemoryModel(tiny, "m9")
    for scale in (0, -1, 0.005, float("nan"), float("inf")):
        with pytest.raises(MethodError, match="scale"):
            MemoryModel(tiny, "m3", scale=scale)


def test_the_stateless_method_is_the_bare_backbone(tiny, questions):
    model = MemoryModel(tiny, "m0")
    assert model.answer(None, questions, max_new_tokens=3) == tiny.generate(
        tiny.inputs([f"question: {q}" for q in questions]), max_new_tokens=3
    )
    with pytest.raises(BankError, match="no bank"):
        model.new_bank()


NEW_PROCESS = """
import sys, torch
from lmem import Bank, MemoryModel, load_backbone
torch.manual_seed(99)
torch.set_num_threads(1)
for folder in sys.argv[1:]:
    model = MemoryModel.from_pretrained(folder)
    bank = Bank.load(folder + ".safetensors")
    inputs = model.backbone.inputs(["question: Where does Ben live?"])
    with torch.no_grad(), model.attached(bank):
        out = model.backbone.model(**inputs, decoder_input_ids=torch.zeros(1, 1, dtype=torch.long))
    torch.save(out.logits, folder + ".pt")
"""


def test_saved_loaded_in_a_new_process_gives_the_same(tiny, talk, tmp_path):
    inputs = tiny.inputs(["question: Where does Ben live?"])
    expected = {}
    for method in METHODS:
        model = away(MemoryModel(tiny, method, seed=5))
        bank = model.write(model.new_bank(), talk)
        folder = tmp_path / method
        model.save_pretrained(folder)
        bank.save(f"{folder}.safetensors")
        assert sorted(p.name for p in folder.iterdir()) == ["adapter.json", "adapter.safetensors"]
        size = sum(p.stat().st_size for p in folder.iterdir())
        assert (
            size < 4 * sum(t.numel() for t in model.state_dict().values()) + 8000
        )  # nothing else in it
        with torch.no_grad(), model.attached(bank):
            start = torch.zeros(1, 1, dtype=torch.long)
            expected[str(folder)] = tiny.model(**inputs, decoder_input_ids=start).logits
    subprocess.run([sys.executable, "-c", NEW_PROCESS, *expected], check=True)
    for folder, logits_here in expected.items():
        assert torch.equal(torch.load(f"{folder}.pt", weights_only=True), logits_here), folder


def test_pushed_is_what_is_saved(tiny, tmp_path, monkeypatch):
    """Both ways to the hub, without a hub."""
    pushed = []

    class Hub:
        def __init__(self, *args, **kwargs):
            pass

        def create_repo(self, repo_id, **kwargs):
            return type("Url", (), {"repo_id": repo_id})

        def upload_folder(self, repo_id, folder_path, **kwargs):
            pushed.append((repo_id, sorted(p.name for p in Path(folder_path).iterdir())))

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", Hub)
    model = MemoryModel(tiny, "m3")
    model.push_to_hub("me/adapter")
    model.save_pretrained(tmp_path / "mine", push_to_hub=True)
    files = ["adapter.json", "adapter.safetensors"]
    assert pushed == [("me/adapter", files), ("mine", files)]


DAMAGES = [
    "truncated",
    "one value",
    "no settings",
    "settings in pieces",
    "settings as a list",
    "no method",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_adapters_are_refused(tiny, tmp_path, damage):
    MemoryModel(tiny, "m3").save_pretrained(tmp_path)
    weights, settings = tmp_path / "adapter.safetensors", tmp_path / "adapter.json"
    if damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:-50])
    elif damage == "one value":
        tensors = load_file(weights)
        tensors["write_rule.p0"][0, 0] += 1e-3
        save_file(tensors, weights)
    elif damage == "no settings":
        settings.unlink()
    elif damage == "no method":
        settings.write_text(settings.read_text().replace('"method"', '"methods"'))
    else:
        settings.write_text("[]" if damage.endswith("list") else settings.read_text()[:50])
    with pytest.raises(InputError, match="expected"):
        MemoryModel.from_pretrained(tmp_path, tiny)


def test_adapters_of_another_backbone_or_place_are_refused(tiny, flan, tmp_path):
    MemoryModel(tiny, "m3").save_pretrained(tmp_path / "a")
    with pytest.raises(BankError, match="backbone"):
        MemoryModel.from_pretrained(tmp_path / "a", flan)
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


@pytest.mark.parametrize("name", ["tiny", "flan"])
def test_extension_by_hand(request, talk, questions, name):
    backbone = request.getfixturevalue(name)
    t5, scale = (
        backbone.model,
        1.0 if name == "flan" else backbone.width**-0.5,
    )  # a tied head is scaled
    model = away(MemoryModel(backbone, "m3"))
    bank = model.write(model.new_bank(), talk)
    inputs, start = by_hand(backbone, questions[0])
    with torch.no_grad():
        z = t5.encoder(**inputs).last_hidden_state
        both = torch.cat([z, bank.state.rows @ model.read.w_mem], 1)
        states = t5.decoder(
            input_ids=start,
            encoder_hidden_states=both,
            encoder_attention_mask=torch.ones(both.shape[:2]),
        ).last_hidden_state
        expected = t5.lm_head(states * scale)
        with model.attached(bank):
            found = t5(**inputs, decoder_input_ids=start).logits
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


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


@pytest.mark.parametrize("name", ["tiny", "flan"])
def test_a_borrowed_branch_starts_as_the_frozen_attention(request, talk, name):
    backbone = request.getfixturevalue(name)
    model = MemoryModel(backbone, "recent")
    bank = model.write(model.new_bank(), talk)
    mask = model.write_rule.readable(bank.state)
    states = torch.randn(1, 3, backbone.width)
    for i, block in enumerate(backbone.model.decoder.block):
        with torch.no_grad():
            found = model.read(states, bank.state.rows, mask, i)
            expected = attention(
                block.layer[1].EncDecAttention, states, bank.state.rows[:, mask[0]], 0.0
            )
        torch.testing.assert_close(found, model.read.beta[i] * expected, atol=1e-4, rtol=1e-4)


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
