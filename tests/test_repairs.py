"""Repairs: addresses, empty slots first, borrowed gates, what a write keeps, and the commands that measure all that."""

import pytest
import torch
from helpers import lmem

from lmem.analysis.kept_facts import (
    KeptConfig,
    classify,
    draw_stock,
    facts_kept,
    folded,
    superposition,
)
from lmem.backbone.latent_statistics import vocabulary_latents
from lmem.data.messages import conversation_texts
from lmem.errors import InputError, MethodError
from lmem.evaluation import results
from lmem.experiments.repairs import KNOWN, REPAIRS, RepairConfig, run_repairs
from lmem.memory import methods
from lmem.memory.model import MemoryModel
from lmem.memory.options import completed
from lmem.memory.read import READS
from lmem.memory.write import WRITES
from lmem.utils.digest import digest

TALK = ["Ben: I live in Kavalo now.", "Ada: The tea is cold.", "Ben: My cat is called Mulo."]
ADDRESSED = {"address": 30.0, "maps": "identity", "normalise": True, "gamma": 1.0}


@pytest.fixture(scope="module")
def addressed(nano):
    return MemoryModel(nano, "m3", 10, write=ADDRESSED)


def test_w_q_whitens_the_vocabulary_and_drops_its_mean(nano, addressed):
    latents = vocabulary_latents(nano.model)
    queries = latents @ addressed.write_rule.w_q
    assert queries.mean(0).norm() < 1e-3 * latents.mean(0).norm()
    sizes = torch.linalg.eigvalsh(torch.cov(queries.T)).flip(0)
    # dropping the mean leaves one direction that is not of size 1
    assert sizes[1:60].max() < 1.01
    assert sizes[:60].min() > 0.5
    before = torch.linalg.eigvalsh(torch.cov(latents.T)).flip(0)
    assert before[59] < 0.05 * before[0]


def test_addresses_keep_tokens_apart(nano, addressed):
    printed = MemoryModel(nano, "m3", 10, write={"gamma": 1.0})
    sizes = {}
    for name, model in (("printed", printed), ("addressed", addressed)):
        rows = model.write(model.new_bank(), TALK).state.rows[0]
        energy = (rows - model.write_rule.p0).square().sum(1)
        sizes[name] = (
            float(energy.sum() ** 2 / energy.square().sum()),
            float(energy.max() / energy.sum()),
        )
    assert sizes["printed"][0] > 600  # spread evenly over 640 rows
    assert sizes["addressed"][0] < 45
    assert sizes["addressed"][1] > 0.01


def test_a_row_with_an_address_is_at_most_as_long_as_a_latent(nano, addressed):
    rows = addressed.write(addressed.new_bank(), 40 * TALK).state.rows
    longest = rows.square().mean(-1).sqrt().max()
    expected = vocabulary_latents(nano.model).square().mean().sqrt()
    torch.testing.assert_close(longest, expected, atol=1e-3, rtol=0)
    assert rows.square().mean(-1).sqrt().min() < 0.05  # empty rows stay empty


def test_addresses_belong_to_the_adapter(nano, addressed, tmp_path):
    addressed.save_pretrained(tmp_path)
    again = MemoryModel.from_pretrained(tmp_path, nano)
    bank = addressed.write(addressed.new_bank(), TALK)
    assert torch.equal(again.write(again.new_bank(), TALK).state.rows, bank.state.rows)
    for wrong, message in (("address", "at least 0"), ("strength", "positive")):
        with pytest.raises(MethodError, match=message):
            MemoryModel(nano, "m3", write={wrong: -1.0})


def test_with_strength_a_row_holds_the_latest_token(nano):
    torch.manual_seed(0)
    first, second = torch.randn(2, 1, 1, nano.width)
    seen = torch.ones(1, 1, dtype=torch.bool)
    likeness = {}
    for strength in (1.0, 8.0):
        write = MemoryModel(nano, "m3", 1 / 64, write=ADDRESSED | {"strength": strength}).write_rule
        start = write.start()
        start.rows.zero_()
        row = write(write(start, first, seen), second, seen).rows[0, 0]
        likeness[strength] = [
            float(torch.cosine_similarity(row, token[0, 0], 0)) for token in (first, second)
        ]
    assert likeness[1.0][1] < 0.95
    assert likeness[8.0][1] > 0.98
    assert abs(likeness[8.0][0]) < abs(likeness[1.0][0])


def test_tokens_go_to_empty_rows_first(nano):
    options = {"each": "token", "choose": "empty", "k": 1, "maps": "identity", "gamma": 0.01}
    model = MemoryModel(nano, "m6", 1, write=options)
    latents = torch.cat(nano.encode(conversation_texts(TALK)))
    state = model.write(model.new_bank(), TALK).state
    assert (state.written >= 0).sum() == len(latents)
    kept = state.rows[0][state.written[0] >= 0]
    assert torch.cdist(latents, kept).min(1).values.max() < 0.02 * latents.norm(dim=1).mean()


@pytest.mark.parametrize("name", ["nano", "flan"])  # flan's heads are narrower than its states
def test_a_borrowed_gate_reads_as_the_frozen_heads_do_together(request, name):
    backbone = request.getfixturevalue(name)
    model = MemoryModel(backbone, "m5", read={"start": "borrowed", "shared": False, "bias": 50.0})
    torch.manual_seed(0)
    rows, states = torch.randn(1, 5, backbone.width), torch.randn(1, 3, backbone.width)
    mask = torch.ones(1, 5, dtype=torch.bool)
    with torch.no_grad():
        for i, block in enumerate(backbone.model.decoder.block):
            found = model.read(rows, mask, states, layer=i)
            frozen = block.layer[1].EncDecAttention
            scores = frozen.q(states) @ frozen.k(rows).transpose(1, 2)  # of all heads, added up
            expected = frozen.o(scores.softmax(-1) @ frozen.v(rows))
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    for options in ({}, {"shared": False, "heads": 4}):
        with pytest.raises(MethodError, match="shared=False|one head"):
            MemoryModel(backbone, "m5", read={"start": "borrowed", **options})


def test_a_repaired_matrix_returns_a_token_to_one_that_asks_for_it(nano):
    [repair] = [each for each in REPAIRS if each.name == "m4_repaired"]
    model = MemoryModel(nano, repair.repaired_method, 1, write=repair.write, read=repair.read)
    assert torch.equal(model.write_rule.w_k, model.read.w_q)
    assert repair.without("the delta rule in place of sum, norm and decay").repaired_method == "m4"
    latents = torch.cat(nano.encode(conversation_texts(TALK)))[5::15]
    bank = model.write_latents(model.new_bank(), [[latents]])
    with torch.no_grad():
        rows, _ = model.read(bank.state.rows, torch.ones(1, model.rows).bool(), latents[None])
    likeness = torch.cosine_similarity(rows[0][:, None], latents[None], 2)  # (N, N)
    assert torch.equal(likeness.argmax(1), torch.arange(len(latents)))
    size = vocabulary_latents(nano.model).square().mean().sqrt()
    torch.testing.assert_close(rows.square().mean(-1).sqrt(), size.expand(1, len(latents)))


def test_repairs_name_at_most_four_changes():
    assert len({repair.name for repair in REPAIRS}) == len(REPAIRS)
    for repair in REPAIRS:
        assert len(repair.changes) <= 4
        assert bool(repair.changes) == repair.name.endswith("_repaired")
        parts = "+".join("+".join(parts) for parts in repair.changes.values())
        named = [*repair.write, *repair.read, *(["rule"] if repair.rule else [])]
        assert sorted(parts.split("+") if parts else []) == sorted(named)


def options_in_full(repair):
    method = methods.find(repair.method)  # both rules of a square bank have its options
    write = WRITES[method.write].complete(640, 64, repair.write)
    return write | completed(READS[method.read], repair.read) | {"rule": repair.rule}


def test_a_repair_without_a_change_differs_from_it_in_these_options_only():
    for repair in REPAIRS:
        for less in repair.each_left_out():
            whole, now = options_in_full(repair), options_in_full(less)
            changed = {option for option in whole if whole[option] != now[option]}
            assert less.name == f"{repair.name}-without-{less.name.split('-without-')[1]}"
            assert changed == set(less.name.split("-without-")[1].split("+"))
            assert (less.method, less.training) == (repair.method, repair.training)
            assert KNOWN[less.name] == less
    assert (
        len(KNOWN) == len(REPAIRS) + 47
    )  # 24 changes, and the 23 parts of those that have several


FEW = {"conversations": 2, "turns": 10, "steps": 2, "tests": 2, "long_tests": 2, "long_turns": 12}


def test_a_repair_is_trained_once_and_asked_twice(tmp_path):
    config = RepairConfig(**FEW)
    report = run_repairs(tmp_path, ["m3_repaired"], [1], config=config, adapters=tmp_path / "kept")
    assert report == {"done": ["m3_repaired-1x-s0", "m3_repaired-1x-long-s0"], "skipped": []}
    short, long = (results.load(tmp_path / f"{name}.json.gz") for name in report["done"])
    assert short["adapter"] == long["adapter"]
    assert short["training"]["steps"] == 2
    assert len(short["changes"]) == 4
    assert short["data"] != long["data"]
    assert {"right", "twin", "none"} <= set(short["questions"][0])
    kept = MemoryModel.from_pretrained(tmp_path / "kept" / "m3_repaired-1x-s0")
    assert digest(kept.state_dict()) == short["adapter"]["digest"]
    again = run_repairs(tmp_path, ["m3_repaired"], [1], config=config)
    assert again == {"done": [], "skipped": report["done"]}
    less = run_repairs(tmp_path, ["m3_repaired-without-[gn]*"], [1], config=config)["done"]
    assert less == ["m3_repaired-without-normalise-1x-s0", "m3_repaired-without-gamma-1x-s0"]
    stored = results.load(tmp_path / "m3_repaired-without-gamma-1x-s0.json.gz")
    assert "gamma" not in stored["options"]["write"]
    assert stored["changes"] == short["changes"][:3]
    with pytest.raises(InputError, match="m9_repaired"):
        run_repairs(tmp_path, ["m9_repaired"], [1])


def test_a_classifier_finds_what_is_there_and_nothing_else():
    torch.manual_seed(0)
    labels, answers = torch.randint(4, (200,)), torch.randint(4, (100,))
    means = 3 * torch.randn(4, 20)
    noise = torch.randn(300, 20)
    fitted, asked = means[labels] + noise[:200], means[answers] + noise[200:]
    assert classify(fitted, labels, asked, answers, 4) > 0.9
    assert classify(noise[:200], labels, noise[200:], answers, 4) < 0.5


def test_folding_keeps_inner_products():
    torch.manual_seed(0)
    features = torch.randn(6, 20000)
    short = folded(features)
    assert short.shape == (6, 8192)
    error = (short @ short.T - features @ features.T).abs().max()
    assert error < 0.1 * features.square().sum(1).mean()


def test_what_a_write_keeps_and_its_theory(nano):
    config = KeptConfig(
        conversations=60, tests=30, values=3, others=60, positions=(0,), lags=(0, 3)
    )
    stock = draw_stock(nano, config)
    model = MemoryModel(nano, "m3", 1, write={"gamma": 0.5})
    found = facts_kept(model, stock, config)[0]
    assert found[0] > 0.8
    theory = {gamma: superposition(stock, gamma, config)[0] for gamma in (0.1, 1.0)}
    assert theory[1.0][0] > 0.9
    assert theory[0.1][3] < theory[0.1][0]
    assert theory[0.1][3] < theory[1.0][3]


def test_the_command_keeps_files(tmp_path, capsys):
    args = ["--methods", "m4", "--scales", "0.25", "--json"]
    few = ["conversations=20", "tests=5", "values=2", "others=40", "positions=[0]", "lags=[0,1]"]
    for setting in few:
        args += ["--set", setting]
    code, output, _ = lmem(capsys, "kept", "--out", tmp_path, *args)
    assert code == 0
    assert "kept-m4-0.25x-s0" in output
    result = results.load(tmp_path / "kept-m4-0.25x-s0.json.gz")
    assert set(result["facts"]["0"]) == {"0", "1"}
    assert result["chance"] == 0.5
