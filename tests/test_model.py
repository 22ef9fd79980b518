"""MemoryModel: what it refuses, what it saves, and that it leaves nothing behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import away, bare, by_hand, logits, make
from safetensors.torch import load_file, save_file

from lmem.backbone.backbone import NANO, load_backbone
from lmem.bench.measure import operations
from lmem.data.conversation import Conversation, Session, Turn
from lmem.errors import BankError, InputError, MethodError
from lmem.memory.bank import Bank
from lmem.memory.ledger import Ledger
from lmem.memory.methods import METHODS
from lmem.memory.model import MemoryModel

TABLE = [m.name for m in METHODS if m.write is not None] + ["gated+branch", "delta+query"]


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


def test_places_that_are_none_are_refused(tiny, talk, questions):
    model = away(MemoryModel(tiny, "m3"))
    banks = model.write(model.new_bank(2), [talk, talk[:2]])
    for of in ([0, 2, 1], [-1, 0, 1], []):
        with pytest.raises(InputError, match="expected indices of 2 banks, from 0"):
            logits(model, banks, questions, of=of)
    with pytest.raises(InputError, match="expected 4 texts, one for each index in of, not 3"):
        logits(model, banks, questions, of=[0, 1, 1, 0])
    said = model.answer(banks, questions, of=[1, 0, 1])
    assert said == model.answer(banks.pick([1, 0, 1]), questions)


@pytest.mark.parametrize("method", ["m2", "m3", "m5", "m6"])
def test_what_several_questions_read_is_projected_once(tiny, talk, questions, method):
    """A copy of a bank costs the keys and values of its R rows, and nothing else; the frozen ones too, L layers of them."""
    model = away(MemoryModel(tiny, method, scale=0.5))
    banks = model.write(model.new_bank(3), [talk, talk[:2], talk[:3]])
    config, wide, rows = tiny.model.config, tiny.width, model.rows
    alone, shared = (
        operations(tiny.model, lambda of=of: logits(model, banks, questions, of=of))[0]
        for of in ([0, 1, 2], [1, 0, 1])
    )
    if model.read.site == "encoder_output":
        maps = wide * wide + 2 * config.num_layers * wide * config.num_heads * config.d_kv
    else:
        maps = 2 * wide * wide
    assert alone - shared == 2 * rows * maps


@pytest.mark.parametrize("method", ["m2", "m2_as_run", "m3", "m5", "m6", "recent"])
def test_keys_are_kept_while_they_are_true(tiny, talk, questions, method, monkeypatch):
    """Made once for all tokens of an answer, and again for every other call, since the weights may have changed."""
    model = away(MemoryModel(tiny, method))
    bank = model.write(model.new_bank(), talk)
    inputs, start = by_hand(tiny, questions[0])
    made, real = [], type(model.read).keys

    def keys(self, rows, layer=0):
        made.append(layer)
        return real(self, rows, layer)

    def said():
        return tiny.model(encoder_outputs=encoded, decoder_input_ids=start).logits

    with torch.no_grad(), model.attached(bank):
        encoded = tiny.model.encoder(**inputs)
        before = said()
    monkeypatch.setattr(type(model.read), "keys", keys)
    with torch.no_grad(), model.attached(bank):
        assert torch.equal(said(), before)
        assert sorted(made) == list(range(model.read.sets))
        assert torch.equal(said(), before)
        assert len(made) == 2 * model.read.sets
        generated = {"attention_mask": inputs["attention_mask"], "max_new_tokens": 5}
        tiny.model.generate(encoder_outputs=encoded, min_new_tokens=5, **generated)
        assert len(made) == 3 * model.read.sets
        for weight in model.read.parameters():
            weight.mul_(1.5)
        other = said()
        assert len(made) == 4 * model.read.sets
        tiny.model.encoder(**inputs)
        assert torch.equal(said(), other)
        assert len(made) == 5 * model.read.sets
        with torch.enable_grad():
            for _ in range(2):
                said().sum().backward()
        assert len(made) == 7 * model.read.sets
    assert (other - before).abs().max() > 1e-4
    with torch.no_grad(), model.attached(bank):
        torch.testing.assert_close(said(), other)


def test_banks_kept_for_one_batch_do_not_serve_another(tiny, talk, questions):
    """Four banks, four questions; then two questions in two beams each: four decoder rows as well, but refused."""
    model = away(MemoryModel(tiny, "m2"))
    banks = model.write(model.new_bank(4), [talk, talk[:2], talk[1:], talk[:1]])
    start = torch.zeros(4, 1, dtype=torch.long)
    four, two = (tiny.inputs([f"question: {questions[0]}"] * n) for n in (4, 2))
    with torch.no_grad(), model.attached(banks):
        tiny.model(**four, decoder_input_ids=start)
        states = tiny.model.encoder(**two).last_hidden_state.repeat_interleave(2, 0)
        with pytest.raises(InputError, match="one for each bank"):
            tiny.model(encoder_outputs=(states,), decoder_input_ids=start)


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


@pytest.mark.parametrize("method", TABLE)
def test_plain_tuples_come_out_the_same(tiny, talk, questions, method):
    model = make(tiny, method)
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
    model.write(bank, ["Ben: I moved to Oslo."]).save(folder + ".on.safetensors")
"""


def test_saved_loaded_in_a_new_process_gives_the_same(tiny, talk, tmp_path):
    inputs = tiny.inputs(["question: Where does Ben live?"])
    expected, on = {}, {}
    for method in TABLE:
        model = away(MemoryModel(tiny, method, seed=5))
        bank = model.write(model.new_bank(), talk)
        folder = tmp_path / method
        model.save_pretrained(folder)
        bank.save(f"{folder}.safetensors")
        assert sorted(p.name for p in folder.iterdir()) == ["adapter.json", "adapter.safetensors"]
        size = sum(p.stat().st_size for p in folder.iterdir())
        assert (
            size < 4 * sum(t.numel() for t in model.state_dict().values()) + 10000
        )  # nothing else in it
        on[str(folder)] = model.write(bank, ["Ben: I moved to Oslo."])
        with torch.no_grad(), model.attached(bank):
            start = torch.zeros(1, 1, dtype=torch.long)
            expected[str(folder)] = tiny.model(**inputs, decoder_input_ids=start).logits
    subprocess.run([sys.executable, "-c", NEW_PROCESS, *expected], check=True)
    for folder, logits_here in expected.items():
        assert torch.equal(torch.load(f"{folder}.pt", weights_only=True), logits_here), folder
        written = Bank.load(f"{folder}.on.safetensors")  # the next session, there and here
        torch.testing.assert_close(written.state.rows, on[folder].state.rows)
        assert written.turns_written == [5]


def test_a_session_needs_no_gradient(tiny, talk):
    """Type 2 writes with a write that was trained: nothing of it is kept for a backward pass."""
    model = MemoryModel(tiny, "gated+branch", write={"trainable": True})
    bank = model.write(model.new_bank(), talk)
    assert not bank.state.rows.requires_grad
    latents = model.encode_turns([[f"context: {turn}" for turn in talk]])
    assert model.write_latents(model.new_bank(), latents).state.rows.requires_grad


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


def test_an_adapter_comes_back_on_the_numbers_it_was_trained_on(tiny_folder, tmp_path):
    """The fingerprint of a backbone in bfloat16 is another: an adapter names its type, the shipped ones are float32's."""
    half = load_backbone(tiny_folder, dtype=torch.bfloat16)
    MemoryModel(half, "m3").save_pretrained(tmp_path)
    assert MemoryModel.from_pretrained(tmp_path).backbone.dtype == torch.bfloat16
    settings = tmp_path / "adapter.json"
    told = json.loads(settings.read_text())
    settings.write_text(json.dumps({k: v for k, v in told.items() if k != "dtype"}))
    with pytest.raises(BankError, match=r"float32"):
        MemoryModel.from_pretrained(tmp_path)
    settings.write_text(json.dumps(told | {"dtype": "float16"}))
    with pytest.raises(InputError, match="expected float32, bfloat16"):
        MemoryModel.from_pretrained(tmp_path)


def test_nano_is_float32_on_every_device(monkeypatch):
    """Else the shipped adapters and every saved bank would be of another backbone there."""
    monkeypatch.setattr("lmem.backbone.backbone.device_of", lambda name: torch.device("cuda"))
    monkeypatch.setattr("lmem.backbone.backbone.Backbone", lambda model, *rest: model)
    monkeypatch.setattr("torch.nn.Module.to", lambda self, *args, **kwargs: self)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda emulated: True)
    assert load_backbone("nano").dtype == torch.float32
    assert load_backbone(str(NANO)).dtype == torch.bfloat16


def test_turns_may_come_one_by_one(tiny, talk):
    model = MemoryModel(tiny, "m3")
    whole = model.write(model.new_bank(), talk)
    assert torch.equal(
        model.write(model.new_bank(), (turn for turn in talk)).state.rows, whole.state.rows
    )
    both = model.write(model.new_bank(2), ([*turns] for turns in (talk, talk[:1])))
    assert both.turns_written == [4, 1]


@pytest.mark.parametrize("batch", [0, -1, 1.5, True, "2", None])
def test_a_batch_is_a_number_of_banks(tiny, batch):
    with pytest.raises(InputError, match="at least 1 bank, as a whole number, not"):
        MemoryModel(tiny, "recent").new_bank(batch)


@pytest.mark.parametrize("wrong", [["Ana: hi"], None, "bank", 3, MemoryModel])
def test_what_is_no_bank_is_refused(tiny, wrong):
    model = MemoryModel(tiny, "recent")
    bank = model.new_bank()
    for call in (
        lambda: model.write(wrong, ["Ana: hi"]),
        lambda: model.answer(wrong, "Who?"),
        lambda: model.unwrite(wrong, 0),
        lambda: bank.diff(wrong),
        lambda: bank.merge(wrong, model.write_rule),
    ):
        with pytest.raises((InputError, BankError), match="expected a(nother)? bank"):
            call()


def test_a_name_is_no_backbone(tiny):
    with pytest.raises(InputError, match=r"load_backbone\('nano'\)"):
        MemoryModel("nano", "m3")
    for scale in ("1", None, [1]):
        with pytest.raises(MethodError, match="scale must give at least 1 row"):
            MemoryModel(tiny, "m3", scale)


@pytest.mark.parametrize("places", [2, -3, "a", 0.5, [], [0, 2], None])
def test_places_of_a_batch_that_are_none_are_refused(tiny, places):
    bank = MemoryModel(tiny, "recent").new_bank(2)
    with pytest.raises(InputError, match="expected places of 2 banks, 0 to 1, not"):
        bank.pick(places)
    assert len(bank.pick([1, 0, 1])) == 3


@pytest.mark.parametrize("of", ["a", [0.5], [True], [], [[]], {}])
def test_indices_that_are_none_are_refused(tiny, talk, of):
    model = MemoryModel(tiny, "recent")
    bank = model.write(model.new_bank(2), [talk, talk[:2]])
    with pytest.raises(InputError, match="expected indices of 2 banks, from 0, not"):
        model.answer(bank, ["Who?"], of=of)


def test_turns_to_unwrite_are_numbers(tiny, talk):
    model, ledger = MemoryModel(tiny, "recent"), Ledger()
    bank = model.write(model.new_bank(), talk, ledger=ledger)
    for turns in ("x", None, 0.0, True, [0, "1"]):
        with pytest.raises(InputError, match="expected numbers of turns, from 0, got"):
            model.unwrite(bank, turns, ledger)
    with pytest.raises(BankError, match="expected the ledger that was kept"):
        model.unwrite(bank, 0, "ledger.safetensors")


def test_a_question_needs_words(tiny, talk):
    model = MemoryModel(tiny, "m3")
    for empty in ("", "  ", "question: "):
        with pytest.raises(InputError, match="words in question 1"):
            model.answer(model.new_bank(), ["Who?", empty])


def test_a_bank_in_other_numbers_is_read_and_written_on(tiny, talk, questions):
    """bfloat16 halves a bank; a read and a write take it back to their own type."""
    model = make(tiny, "m3")
    bank = model.write(model.new_bank(), talk)
    small = bank.to(torch.bfloat16)
    near = logits(model, small, questions)
    torch.testing.assert_close(near, logits(model, bank, questions), atol=0.05, rtol=0.05)
    on = model.write(small, ["Ben: Bye."])
    assert on.state.rows.dtype == torch.float32
    assert on.turns_written == [5]


def test_a_bank_goes_with_the_maps_that_wrote_it(tiny, talk):
    """A learned write that went on learning is another one; the digest that says so is made anew only then."""
    model = MemoryModel(tiny, "gated+branch", write={"trainable": True})
    bank = model.write(model.new_bank(), talk)
    assert model.owner == bank.owner
    with torch.no_grad():
        model.write_rule.w_v.add_(0.1)
    with pytest.raises(BankError, match="expected a bank of gated"):
        model.answer(bank, "Where does Ben live?")
    with torch.no_grad():
        model.write_rule.w_v.copy_(
            MemoryModel(tiny, "gated+branch", write={"trainable": True}).write_rule.w_v
        )
    model.check(bank)


@pytest.mark.parametrize("method", ["m2", "m3", "keyed"])
def test_an_edit_through_data_is_seen_inside_a_block(tiny, talk, questions, method):
    """Such an edit leaves no trace in a tensor's version."""
    model = make(tiny, method)
    bank = model.write(model.new_bank(), talk)
    inputs = tiny.encoded(tiny.inputs([f"question: {q}" for q in questions]))
    labels = tiny.labels(["Cedar-Bay"] * len(questions))
    with torch.no_grad():
        with model.attached(bank):
            tiny.model(**inputs, labels=labels)
            for weight in model.read.parameters():
                weight.data.mul_(1.5)
            inside = tiny.model(**inputs, labels=labels).logits
        with model.attached(bank):
            expected = tiny.model(**inputs, labels=labels).logits
    assert torch.equal(inside, expected)


@pytest.mark.parametrize("method", ["m3", "m6"])
def test_equal_options_make_equal_owners(tiny, method):
    """The default gamma given explicitly, and 1 instead of 1.0, change nothing."""

    def owner(**options):
        return MemoryModel(tiny, method, write=options).owner

    assert owner() == owner(gamma=0.95) == owner(normalise=False)
    assert owner(gamma=1) == owner(gamma=1.0) != owner()
    first, second = MemoryModel(tiny, method), MemoryModel(tiny, method, write={"gamma": 0.95})
    second.check(first.new_bank())
    first.check(second.write(second.new_bank(), ["Ana: hi."]))


def test_confidence_is_the_probability_of_the_greedy_answer(nano, talk, questions):
    """By hand, with one pass over the answer's own tokens; the answers are those without confidence."""
    model = MemoryModel.from_shipped("nano-keyed", nano)
    bank = model.write(model.new_bank(), talk)
    asked = [*questions, "What is Ana's favourite song?"]
    found = model.answer(bank, asked, return_confidence=True)
    assert [answer.text for answer in found] == model.answer(bank, asked)
    for question, answer in zip(asked, found, strict=True):
        labels = nano.labels([answer.text])
        with torch.no_grad(), model.attached(bank):
            inputs = nano.inputs([f"question: {question}"])
            logits = nano.model(**inputs, labels=labels).logits[0]
        by_token = logits.softmax(-1)[torch.arange(labels.shape[1]), labels[0]]
        assert answer.confidence == pytest.approx(by_token.prod().item(), rel=1e-3)
        alone = model.answer(bank, question, return_confidence=True)
        assert alone.text == answer.text
        assert alone.confidence == pytest.approx(answer.confidence, rel=1e-3)
    assert len({round(answer.confidence, 4) for answer in found}) == 4
    assert len(nano.tokenize([found[0].text])[0]) >= 2  # the end counts too


def test_confidence_of_an_answer_that_is_cut_off(tiny, talk, questions):
    model = MemoryModel(tiny, "recent")
    bank = model.write(model.new_bank(), talk)
    options = {"max_new_tokens": 3, "min_new_tokens": 3}
    whole = model.answer(bank, questions, return_confidence=True, **options)
    short = model.answer(
        bank, questions, return_confidence=True, max_new_tokens=2, min_new_tokens=2
    )
    for long, cut in zip(whole, short, strict=True):
        assert 0 < long.confidence < cut.confidence < 1
    for option in (
        {"num_beams": 2},
        {"do_sample": True},
        {"num_return_sequences": 2, "num_beams": 2},
    ):
        with pytest.raises(InputError, match="greedy"):
            model.answer(bank, questions, return_confidence=True, **option)
