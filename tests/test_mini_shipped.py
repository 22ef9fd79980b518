"""The backbone mini that comes with the package: it loads, reads plain English, and its card says what it cannot."""

import json

import pytest
import torch

from lmem import load_backbone
from lmem.backbone.backbone import MINI


@pytest.fixture(scope="module")
def mini():
    return load_backbone("mini")


def say(mini, *texts):
    return mini.generate(mini.inputs(list(texts)), max_new_tokens=16)


def test_its_weights_are_frozen_and_few(mini):
    assert not any(weight.requires_grad for weight in mini.model.parameters())
    assert sum(weight.numel() for weight in mini.model.parameters()) <= 8_000_000
    assert sum(file.stat().st_size for file in MINI.iterdir()) <= 18_000_000
    assert next(mini.model.parameters()).dtype == torch.float32


def test_names_and_values_may_be_any_words(mini):
    sources = [
        "question: Where does Thistlewick live? context: Thistlewick: I live in Oslo.",
        "question: Where does Thistlewick live? context: Thistlewick: I live in Nairobi.",
    ]
    first, second = say(mini, *sources)
    assert first != second  # nothing but reading can tell them apart


def test_the_card_has_the_figures_of_the_training(mini):
    facts = json.loads((MINI / "pretrain.json").read_text())
    card = (MINI / "README.md").read_text()
    assert f"{facts['parameters']:,} weights" in card
    for leg in facts["legs"]:
        assert f"{leg['minutes']:.0f} minutes, {leg['steps']:,} steps" in card
    assert "with the evidence left out" in card
