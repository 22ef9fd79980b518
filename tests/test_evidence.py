"""Supervision by evidence: its pieces by hand where possible, and that a keyed write learns from it."""

import math

import pytest
import torch

from lmem.backbone.backbone import weights_hash
from lmem.data import splits
from lmem.errors import InputError
from lmem.memory.model import MemoryModel
from lmem.training.evidence import (
    RehearsalConfig,
    freeze_retrieval,
    log_survival,
    margin_nll,
    train_with_evidence,
)
from lmem.training.evidence_data import EvidenceDataset

SHORT = RehearsalConfig(steps=6, batch=2, questions=6)


@pytest.fixture
def model(tiny):
    return MemoryModel(tiny, "keyed", scale=0.5, seed=1)


@pytest.fixture(scope="module")
def drawn():
    return splits.for_training("tinyworld", 6, 24, 0, varied=True)[0]


def test_weights_of_turns_by_hand(model):
    """Turn 2 corrects turn 0 (equal keys), turn 1 has another key: 0 is lost as far as 2 is kept and is a correction."""
    rule = model.write_rule
    key = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]])
    keep, fix = torch.tensor([[9.0, 0.0, 2.0]]), torch.tensor([[-9.0, -9.0, 1.0]])
    left = log_survival(rule, key, keep, fix).exp()[0].tolist()

    def sigmoid(x):
        return 1 / (1 + math.exp(-x))

    theta = rule.theta.item()
    lost = sigmoid(25 * (1 - theta)) * sigmoid(2.0) * sigmoid(1.0)
    missed = sigmoid(25 * (0 - theta)) * sigmoid(2.0) * sigmoid(1.0)
    early = sigmoid(25 * (0 - theta)) * sigmoid(0.0) * sigmoid(-9.0)
    expected = [
        sigmoid(9.0) * (1 - lost) * (1 - early), sigmoid(0.0) * (1 - missed), sigmoid(2.0),
    ]  # fmt: skip
    assert left == pytest.approx(expected, rel=1e-4)


def test_margin_nll_lowers_the_target_alone():
    """Scores 0, 0: p = 1/2; lowered by a margin of log 3, the target keeps 1 part of 1 + 3."""
    logp = torch.tensor([[0.5, 0.5]]).log()
    assert margin_nll(logp, torch.tensor([0]), 0.0).item() == pytest.approx(math.log(2), rel=1e-4)
    lowered = margin_nll(logp, torch.tensor([0]), math.log(3)).item()
    assert lowered == pytest.approx(math.log(4), rel=1e-4)


def test_questions_know_their_hops(model, drawn):
    dataset = EvidenceDataset(model.backbone, drawn, SHORT.undated, SHORT.seed, progress=False)
    kinds = {q.prompt: (i, q) for i, c in enumerate(drawn) for q in c.questions}
    seen, hops = set(), set()
    for own in dataset.questions:
        for supervised in own:
            i, question = kinds[supervised.prompt]
            texts = drawn[i].texts()
            if question.answer is None:
                assert (supervised.first_turn, supervised.answer_turn) == (-1, -1)
            else:
                assert question.answer in texts[supervised.answer_turn]
                assert supervised.hops == 1 or question.kind == "two-hop"
            seen.add(question.kind)
            hops.add(supervised.hops)
    assert {"single", "two-hop", "never-told"} <= seen
    assert hops == {1, 2}


def test_every_weight_learns_and_the_backbone_does_not(model, drawn):
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    frozen = model.backbone.fingerprint
    report = train_with_evidence(model, drawn, SHORT, progress=False)
    same = [name for name, p in model.named_parameters() if torch.equal(p, before[name])]
    assert not same
    assert report["steps"] == 6
    assert report["parameters"] == sum(p.numel() for p in before.values())
    assert weights_hash(model.backbone.model) == frozen


def test_the_same_seed_gives_the_same_weights(tiny, drawn):
    found = []
    for _ in range(2):
        model = MemoryModel(tiny, "keyed", scale=0.5, seed=1)
        train_with_evidence(model, drawn, SHORT, progress=False)
        found.append(model.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_it_can_be_learned(model, drawn):
    config = RehearsalConfig(steps=60, batch=4, questions=12, noise=0.05, undated=0)
    losses = train_with_evidence(model, drawn, config, progress=False)["losses"]
    start = train_with_evidence(model, drawn, RehearsalConfig(steps=1), progress=False)["losses"]
    first = MemoryModel(model.backbone, "keyed", scale=0.5, seed=1)
    begun = train_with_evidence(first, drawn, RehearsalConfig(steps=1), progress=False)["losses"]
    assert start[0] < 0.75 * begun[0]
    assert losses[0] < begun[0]


def test_after_freezing_only_what_speaks_to_the_decoder_learns(model):
    freeze_retrieval(model)
    left = [name for name, p in model.named_parameters() if p.requires_grad]
    assert left
    assert all(name.startswith("read.tell.") for name in left)


def test_what_cannot_learn_from_evidence(tiny, model, drawn):
    with pytest.raises(InputError, match="keyed write to rehearse, not attention"):
        train_with_evidence(MemoryModel(tiny, "m3", scale=0.5), drawn, SHORT, progress=False)
    silent = [type(c)(c.id, c.speakers, c.sessions) for c in drawn]
    with pytest.raises(InputError, match="found none"):
        train_with_evidence(model, silent, SHORT, progress=False)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"lr": 0.0}, {"cuts": 1.5}, {"noise": -1.0}])
def test_settings_out_of_range(wrong):
    with pytest.raises(InputError):
        RehearsalConfig(**wrong)
