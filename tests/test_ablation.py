"""The ablation ladder: every step once, the same questions for all, what exists is skipped."""

from dataclasses import replace

import pytest
import torch

from lmem.errors import BankError, InputError, MethodError
from lmem.evaluation import results
from lmem.experiments.ablation import STEPS, AblationConfig, prepare_step, run_ablation
from lmem.memory.model import MemoryModel

SMALL = AblationConfig(
    n=2, test_turns=24, long_turns=30, conversations=3, turns=12, steps=2, keyed_conversations=3, keyed_turns=12,
    rehearse=2, tell=2,
)  # fmt: skip


@pytest.fixture
def small(tiny):
    return replace(SMALL, backbone=tiny.name)


def step(name):
    return next(step for step in STEPS if step.name == name)


def prepared(name, scale, folder, config):
    trained = prepare_step(step(name), scale, 0, folder, config)
    return trained.model, trained.training


def test_steps_are_asked_the_same_questions(tmp_path, small):
    report = run_ablation(tmp_path, (0.5,), (0,), ("m3", "kept", "keyed"), small)
    assert report["done"] == [
        "m3-0.5x-s0", "kept-0.5x-s0", "keyed-0.5x-s0", "keyed-0.5x-cut-s0", "keyed-0.5x-2000-s0",
    ]  # fmt: skip
    found = {name: results.load(tmp_path / f"{name}.json.gz") for name in report["done"]}
    ids = {name: [row["id"] for row in made["questions"]] for name, made in found.items()}
    assert ids["m3-0.5x-s0"] == ids["kept-0.5x-s0"] == ids["keyed-0.5x-s0"]
    assert set(ids["keyed-0.5x-cut-s0"]) < set(ids["keyed-0.5x-s0"])
    assert found["keyed-0.5x-s0"]["training"]["steps"] == 2 + 2
    assert "rough" in found["keyed-0.5x-s0"]["summary"]["conditions"]
    assert found["kept-0.5x-s0"]["training"] == {"parameters": 0, "seconds": 0.0}
    again = run_ablation(tmp_path, (0.5,), (0,), ("m3", "kept", "keyed"), small)
    assert again == {"done": [], "skipped": report["done"]}
    one = run_ablation(tmp_path, (0.5,), (0,), ("keyed",), replace(small, tests=("cut",)))
    assert one == {
        "done": [],
        "skipped": ["keyed-0.5x-cut-s0"],
    }  # which tests are asked is no setting
    with pytest.raises(InputError, match="m3-0.5x-s0.json.gz is of others"):
        run_ablation(tmp_path, (0.5,), (0,), ("m3",), replace(small, steps=3))
    with pytest.raises(InputError, match=r"training.json is of others"):
        prepared("m3", 0.5, tmp_path / "unfinished" / "adapters", replace(small, steps=3))


def test_one_rehearsal_serves_all_its_steps(tmp_path, small):
    all_, training = prepared("row", 1, tmp_path, small)
    begun = (tmp_path / "keyed-s0/adapter.safetensors").stat().st_mtime_ns
    last, again = prepared("keyed", 2, tmp_path, small)
    assert (tmp_path / "keyed-s0/adapter.safetensors").stat().st_mtime_ns == begun
    assert training == again
    wide, _ = prepared("wide", 1, tmp_path, small)  # of another shape: trained by itself
    assert wide.write_rule.p0.shape[1] == 2 * last.write_rule.p0.shape[1]
    assert wide.options["write"] == {"cells": 1}
    with pytest.raises(BankError, match="trained on"):  # the shipped adapter is nano's
        prepared("branch", 2, tmp_path, small)
    mine, other = all_.state_dict(), last.state_dict()
    assert all(torch.equal(mine[k], other[k]) for k in mine if k != "write_rule.p0")
    assert (all_.write_rule.select, all_.write_rule.replace, all_.write_rule.rows) == (
        False,
        False,
        128,
    )
    assert (last.write_rule.select, last.write_rule.replace, last.write_rule.rows) == (
        True,
        True,
        256,
    )


def test_keep_all_keeps_the_newest_turns(nano):
    model = MemoryModel(nano, "keyed", 0.5, 0, {"select": False, "replace": False})
    assert model.rows == 32
    bank = model.write(model.new_bank(), [f"Ana: I like number {i}." for i in range(70)])
    assert sorted(bank.state.written[0].tolist()) == list(range(6, 70))  # 64 rows of half a width


def test_an_unknown_step_is_refused(tmp_path, small):
    with pytest.raises(InputError, match="steps of the ladder out of m2"):
        run_ablation(tmp_path, names=("m7",), config=small)
    with pytest.raises(InputError, match="tests out of 600"):
        AblationConfig(tests=("601",))


def test_a_variant_has_the_same_weights(nano):
    model = MemoryModel(nano, "recent", scale=1, seed=2)
    large = model.variant(3)
    assert large.rows == 192
    mine, other = model.state_dict(), large.state_dict()
    assert all(torch.equal(mine[k], other[k]) for k in mine if k != "write_rule.p0")
    slow = MemoryModel(nano, "m3", scale=1, seed=2).variant(write={"gamma": 0.99})
    assert slow.write_rule.gamma == 0.99
    assert slow.owner != MemoryModel(nano, "m3", scale=1, seed=2).owner
    for method in ("m4", "gated+prefix"):  # maps and weights of the bank's own size
        sized = MemoryModel(nano, method, read={"length": 3} if "prefix" in method else None)
        with pytest.raises(MethodError, match="fit scale 2"):
            sized.variant(2)
