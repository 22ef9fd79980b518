"""The shipped weights: nano reads what is in front of it and knows nothing otherwise; the shipped adapter remembers."""

import pytest

from lmem.backbone.backbone import NANO
from lmem.backbone.reading import measure
from lmem.data import splits
from lmem.evaluation.evaluate import evaluate
from lmem.memory.model import ADAPTERS, MemoryModel


@pytest.fixture(scope="module")
def reads(nano):
    return measure(nano, 500, evidence=True)


@pytest.mark.slow
def test_nano_reads(reads):
    assert reads["n"] == 500
    assert reads["low"] >= 0.95, reads


@pytest.mark.slow
def test_nano_reads_whom_a_turn_speaks_of(nano):
    found = measure(nano, 400, alike=True)
    assert found["low"] >= 0.9, found


@pytest.mark.slow
def test_nano_knows_nothing(nano):
    found = measure(nano, 500, evidence=False)
    assert found["em"] <= found["best_guess"] + 0.02, found


def test_an_answer_depends_on_what_is_shown_and_not_on_the_batch(nano):
    prompts = [
        f"question: Where does Ana live? context: Ana: I live in {town}."
        for town in ("Maple-Hill", "Cedar-Bay")
    ]
    together = nano.generate(nano.inputs(prompts), max_new_tokens=6)
    assert together == [nano.generate(nano.inputs([p]), max_new_tokens=6)[0] for p in prompts]
    assert together == ["Maple-Hill", "Cedar-Bay"]


def test_nano_is_small_and_whole():
    names = {p.name for p in NANO.iterdir()}
    assert {
        "model.safetensors",
        "config.json",
        "tokenizer.json",
        "README.md",
        "pretrain.json",
    } <= names
    assert sum(p.stat().st_size for p in NANO.rglob("*") if p.is_file()) <= 12e6


def test_shipped_adapters_are_small():
    for folder in ADAPTERS.iterdir():
        assert sum(p.stat().st_size for p in folder.iterdir()) <= 6e6


@pytest.mark.slow
def test_the_shipped_adapter_remembers_what_is_in_its_bank():
    result = evaluate(
        MemoryModel.from_shipped("nano-recent"), splits.for_testing("tinyworld", 20, 60, 7),
        controls=["right", "twin", "other"], progress=False,
    )  # fmt: skip
    memory = result["summary"]["memory"]
    assert memory["right-twin, in_bank"]["n"] >= 75
    assert memory["right-twin, in_bank"]["mean"] >= 0.70, memory
    assert memory["right-other, in_bank"]["mean"] >= 0.70, memory


def test_the_first_answer():
    model = MemoryModel.from_shipped("nano-recent")
    bank = model.write(model.new_bank(), ["Ana: I adopted a cat called Miro.", "Ben: How sweet!"])
    assert model.answer(bank, "What is Ana's cat called?") == "Miro"
    assert model.answer(model.new_bank(), "What is Ana's cat called?") != "Miro"
