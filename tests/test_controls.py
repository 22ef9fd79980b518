"""The control battery: each condition reads what its name says, and something else than the right bank does."""

from dataclasses import replace

import pytest
import torch
from conftest import QUESTIONS
from helpers import apart, away, bare, changed, logits, make

from lmem.backbone.backbone import load_backbone
from lmem.data import locomo, tinyworld
from lmem.errors import InputError
from lmem.evaluation import text_baselines
from lmem.evaluation.conditions import (
    CONTROLS,
    LIGHT,
    Battery,
    allowed_conditions,
    banks_without_turns,
    noise_like,
    roughened,
    write_banks,
)
from lmem.evaluation.evaluate import EvalConfig, evaluate
from lmem.memory.model import MemoryModel
from lmem.training.banks import constant_bank
from lmem.training.train import TrainConfig, train

METHODS = ["m3", "m4", "m6", "gated+branch", "delta+query", "recent"]
QUICK = EvalConfig(max_new_tokens=3)


@pytest.fixture(scope="module")
def long():
    """Two conversations with more turns than the last 20, and their twins."""
    return locomo.parse(tinyworld.samples(2, "controls", tinyworld.World(turns=26, questions=6)))


def encoded(model, conversation):
    return model.encode_turns([conversation.texts()])[0]


def from_nothing(model, texts):
    return model.write(model.new_bank(), texts)


def same(bank, other):
    torch.testing.assert_close(bank.state.rows, other.state.rows, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_deleted_is_as_if_the_evidence_had_never_been_said(tiny, long, method):
    model, texts = make(tiny, method), long[0].texts()[:9]
    evidence = [(), (1,), (0, 5), (8,), (1,)]
    found = banks_without_turns(model, encoded(model, long[0])[:9], evidence)
    whole = from_nothing(model, texts)
    for k, turns in enumerate(evidence):
        never = from_nothing(
            model, [text_baselines for t, text_baselines in enumerate(texts) if t not in turns]
        )
        same(found.pick(k), never)
        assert found.pick(k).turns_written == never.turns_written
    changed(found.pick(3), whole)
    same(found.pick(0), whole)  # nothing to delete
    assert torch.equal(found.state.rows[1], found.state.rows[4])


def test_deleting_what_was_pushed_out_changes_nothing(tiny, long):
    model = MemoryModel(tiny, "recent", scale=0.5)  # 32 rows, about three turns
    latents = encoded(model, long[0])
    whole = write_banks(model, [latents], progress=False)
    found = banks_without_turns(model, latents, [(0,), (len(latents) - 1,)])
    assert torch.equal(found.state.rows[0], whole.state.rows[0])
    changed(found.pick(1), whole)


def test_banks_are_written_side_by_side(tiny, long):
    model = make(tiny, "m3")
    latents = [
        encoded(model, c)[:n] for c, n in zip([*long, long[0].twin], (26, 11, 3), strict=True)
    ]
    found = write_banks(model, latents, progress=False, batch=2)
    assert found.turns_written == [26, 11, 3]
    same(found.pick(1), from_nothing(model, long[1].texts()[:11]))


@pytest.mark.parametrize("method", METHODS)
def test_noise_has_the_banks_own_norm_and_nothing_of_it(tiny, long, method):
    model = make(tiny, method)
    bank = write_banks(
        model, [encoded(model, c)[:n] for c, n in zip(long, (2, 9), strict=True)], False
    )
    found = noise_like(model, bank, seed=1)
    norms = [b.state.rows.flatten(1).norm(dim=1) for b in (bank, found)]
    torch.testing.assert_close(*norms)
    if method != "m4":  # whose clamped banks all have norm 1
        assert (norms[0][0] - norms[0][1]).abs() > 1e-4
    changed(found, bank)
    likeness = torch.cosine_similarity(found.state.rows.flatten(1), bank.state.rows.flatten(1))
    assert likeness.abs().max() < 0.1
    seen = model.write_rule.readable(bank.state)
    assert torch.equal(model.write_rule.readable(found.state), seen)
    assert not found.state.rows[~seen].any()
    assert torch.equal(found.state.rows, noise_like(model, bank, seed=1).state.rows)
    assert not torch.equal(found.state.rows, noise_like(model, bank, seed=2).state.rows)


def test_shuffled_holds_the_same_turns_in_another_order(tiny, long):
    """A bank that holds everything holds the same rows, elsewhere; written by when they were said, they differ."""
    model = MemoryModel(tiny, "recent", scale=20)
    battery = Battery(model, long, ["shuffled"], QUICK, progress=False)
    right, shuffled = battery.banks["right"].state, battery.banks["shuffled"].state
    assert (right.written == -1).any()  # nothing was pushed out
    for one, other in zip(right.rows, shuffled.rows, strict=True):
        assert not torch.equal(one, other)
        torch.testing.assert_close(one.sort(0).values, other.sort(0).values)
    again = Battery(model, long, ["shuffled"], QUICK, progress=False).banks["shuffled"].state
    assert torch.equal(again.rows, shuffled.rows)
    other_seed = Battery(model, long, ["shuffled"], replace(QUICK, seed=1), progress=False)
    assert not torch.equal(other_seed.banks["shuffled"].state.rows, shuffled.rows)


def test_each_condition_reads_its_own_bank(tiny, long, monkeypatch):
    """Questions in the first conversation only, so the first bank of each batch is the first question's."""
    asked = [long[0], replace(long[1], questions=())]
    model, constant = make(tiny, "m3"), away(MemoryModel(tiny, "m3", scale=0.5, seed=9), seed=9)
    read, real = [], MemoryModel.attached

    def spy(self, bank, ablate=None, of=None, **options):
        read.append((self, ablate, bank.state.rows if of is None else bank.pick(of).state.rows))
        return real(self, bank, ablate, of=of, **options)

    monkeypatch.setattr(MemoryModel, "attached", spy)
    controls = allowed_conditions(model, asked, "all", constant)
    assert controls == list(CONTROLS)
    evaluate(model, asked, QUICK, controls, constant, progress=False)
    bank_of = dict(
        zip(
            [c for c in controls if c != "baseline" and c not in text_baselines.CHOICES],
            read,
            strict=True,
        )
    )
    texts = long[0].texts()
    evidence = [q.evidence for q in asked[0].questions]
    expected = {
        "right": texts,
        "twin": long[0].twin.texts(),
        "other": long[1].texts(),
        "last_20": texts[-20:],
        "none": texts,
        "null_rows": texts,
    }
    rows = {name: from_nothing(model, said).state.rows[0] for name, said in expected.items()}
    for name, said in rows.items():
        owner, ablate, found = bank_of[name]
        assert owner is model
        torch.testing.assert_close(found[0], said, atol=1e-4, rtol=1e-4)
        assert ablate == {"none": "masked", "null_rows": "null_rows"}.get(name)
    for name in ("twin", "other", "last_20"):
        assert (rows[name] - rows["right"]).norm() > 1e-3 * rows["right"].norm()
    for k, turns in enumerate(evidence):
        kept = [text_baselines for t, text_baselines in enumerate(texts) if t not in turns]
        torch.testing.assert_close(
            bank_of["deleted"][2][k], from_nothing(model, kept).state.rows[0], atol=1e-4, rtol=1e-4
        )
    right = bank_of["right"][2][0]
    for name in ("shuffled", "noise"):
        found = bank_of[name][2][0]
        assert (found - right).norm() > 1e-3 * right.norm()
    torch.testing.assert_close(bank_of["noise"][2][0].norm(), right.norm())
    owner, _, found = bank_of["constant"]
    assert owner is constant
    assert torch.equal(found[0], constant.write_rule.p0)


def test_what_can_be_had(tiny, conversations):
    model, stateless = MemoryModel(tiny, "m3"), MemoryModel(tiny, "m0")
    alone = [replace(conversations[0], twin=None)]
    silent = [replace(alone[0], questions=(replace(alone[0].questions[0], evidence=()),))]
    assert (
        allowed_conditions(model, conversations)
        == allowed_conditions(model, conversations, "light")
        == list(LIGHT)
    )
    assert allowed_conditions(model, conversations, "bm25,right") == ["right", "bm25"]
    assert set(CONTROLS) - set(allowed_conditions(model, conversations, "all")) == {"constant"}
    assert set(CONTROLS) - set(allowed_conditions(model, alone, "all")) == {
        "constant",
        "twin",
        "other",
    }
    more = {"constant", "twin", "other", "deleted", "oracle"}
    assert set(CONTROLS) - set(allowed_conditions(model, silent, "all")) == more
    assert allowed_conditions(stateless, conversations) == ["baseline"]
    assert allowed_conditions(stateless, conversations, "all") == [
        "baseline",
        "oracle",
        "last_k",
        "bm25",
    ]
    constant = MemoryModel(tiny, "m3", seed=1)
    assert allowed_conditions(model, conversations, constant=constant) == [
        *LIGHT[:3], "constant", *LIGHT[3:]
    ]  # fmt: skip
    for controls in (["twins"], "right,,none", ["constant"]):
        with pytest.raises(InputError, match="expected conditions out of right, twin, other"):
            allowed_conditions(model, conversations, controls)


@pytest.mark.parametrize(
    "other", [("m6", 1, None), ("m3", 2, None), ("m3", 1, "nano"), ("m2", 1, None)], ids=str
)
def test_a_constant_of_something_else_is_refused(tiny, conversations, other, request):
    method, scale, backbone = other
    backbone = request.getfixturevalue(backbone) if backbone else tiny
    with pytest.raises(
        InputError, match="expected a constant of attention\\+extension with 64 rows"
    ):
        allowed_conditions(
            MemoryModel(tiny, "m3"), conversations, "all", MemoryModel(backbone, method, scale)
        )


def test_a_constant_on_a_backbone_loaded_anew_is_refused(tiny, tiny_folder, conversations):
    """Its hooks would lie on a model that nobody asks."""
    model, anew = MemoryModel(tiny, "m3"), load_backbone(tiny_folder)
    with pytest.raises(InputError, match="very backbone"):
        allowed_conditions(model, conversations, "all", MemoryModel(anew, "m3"))
    assert "constant" in allowed_conditions(model, conversations, "all", MemoryModel(tiny, "m3"))


def test_conditions_must_be_named(tiny, conversations):
    with pytest.raises(InputError, match="none were named"):
        allowed_conditions(MemoryModel(tiny, "m3"), conversations, [])


def test_noise_for_a_bank_without_turns_is_nothing(tiny):
    model = make(tiny, "m3")
    assert not noise_like(model, model.new_bank(), 0).state.rows.any()


@pytest.mark.parametrize("method", METHODS)
def test_the_constant_bank_is_read_and_knows_nothing(tiny, method):
    model = make(tiny, method)
    bank = constant_bank(model)
    assert model.write_rule.readable(bank.state).all()
    assert bank.state.rows.any()  # also where P_0 is zero
    if model.write_rule.p0.any():
        assert torch.equal(bank.state.rows[0], model.write_rule.p0)
    assert torch.equal(bank.state.rows, constant_bank(make(tiny, method)).state.rows)
    apart(logits(model, bank, QUESTIONS), bare(model, QUESTIONS))


def test_training_a_constant_writes_nothing_and_learns(tiny, long, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a turn was encoded")

    model = MemoryModel(tiny, "m3", scale=0.5, seed=1, write={"trainable": True})
    before = {name: p.clone() for name, p in model.named_parameters()}
    monkeypatch.setattr(MemoryModel, "encode_turns", never)
    config = TrainConfig(steps=10, warmup=1, batch=12, lr=0.02, constant=True, cuts=1)
    losses = train(model, long, config, progress=False)["losses"]
    assert losses[-1] < losses[0] - 0.05
    for name, p in model.named_parameters():
        assert torch.equal(p, before[name]) == name.startswith(
            "write_rule."
        )  # only the read learns


def test_a_constant_answers_a_twin_as_it_answers_its_own(long):
    """The same questions about other values: what knows nothing says the same; the right bank does not."""
    model = MemoryModel.from_shipped("nano-recent")
    constant = MemoryModel(model.backbone, "recent", scale=3, seed=4)
    answers = []
    for said in (long, [c.twin for c in long]):
        found = evaluate(model, said, QUICK, ["right", "constant"], constant, progress=False)
        answers.append(
            {c: [row[c]["answer"] for row in found["questions"]] for c in ("right", "constant")}
        )
    own, twin = answers
    assert own["constant"] == twin["constant"]
    assert own["right"] != twin["right"]


def test_sources_of_a_bank_condition_are_the_questions_alone(tiny, long):
    battery = Battery(MemoryModel(tiny, "m3"), long, ["right", "oracle"], QUICK, progress=False)
    asked = [q for c in long for q in c.questions]
    assert battery.sources("right") == [(q.prompt, None) for q in asked]
    shown = battery.sources("oracle")
    assert [turns for _, turns in shown] == [q.evidence for q in asked]
    told = [
        (source, q)
        for (source, _), q in zip(shown, asked, strict=True)
        if q.answer and q.kind == "single"
    ]
    assert told
    assert all(q.answer in source for source, q in told)


def test_banks_are_made_only_where_they_are_read(tiny, long):
    model = MemoryModel(tiny, "m3")
    assert Battery(model, long, ["baseline", "bm25"], QUICK, progress=False).banks == {}
    assert set(Battery(model, long, ["none"], QUICK, progress=False).banks) == {"right"}
    stateless = MemoryModel(tiny, "m0")
    assert Battery(stateless, long, ["baseline"], QUICK, progress=False).latents == []


def test_rough_is_a_little_off_everywhere(tiny, long):
    model = make(tiny, "m3")
    bank = write_banks(model, [encoded(model, c)[:9] for c in long], False)
    found = roughened(bank, seed=1)
    off = found.state.rows - bank.state.rows
    share = off.norm(dim=-1) / bank.state.rows.norm(dim=-1)
    assert 0.008 < share.mean() < 0.012  # bfloat16 alone would be about 0.002
    rounded = roughened(bank, seed=1, share=0).state.rows
    assert torch.equal(rounded, bank.state.rows.bfloat16().float())
    assert not torch.equal(rounded, bank.state.rows)
    assert not torch.equal(found.state.rows[0], found.state.rows[1])
    assert torch.equal(found.state.written, bank.state.written)
