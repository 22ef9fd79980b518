"""Training: the adapter learns, the backbone does not change, a seed gives one result."""

import pytest
import torch

from lmem.backbone import weights_hash
from lmem.config import EvalConfig, PretrainConfig, TrainConfig
from lmem.data import locomo, tinyworld
from lmem.errors import InputError
from lmem.model import MemoryModel
from lmem.train import learning_rate, make_banks, train

SHORT = TrainConfig(steps=12, batch=8, warmup=2, lr=5e-3)


@pytest.mark.parametrize("method", ["m1", "m2", "m3", "recent", "recent+extension"])
def test_the_read_learns_and_the_backbone_does_not(tiny, conversations, method):
    model = MemoryModel(tiny, method)
    before = weights_hash(tiny.model)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    report = train(model, conversations, SHORT, progress=False)
    assert weights_hash(tiny.model) == before
    assert all(p.grad is None for p in tiny.model.parameters())
    for name, weight in model.named_parameters():
        assert not torch.equal(weight, start[name]), name
    assert report["parameters"] == sum(p.numel() for p in model.parameters())
    assert len(report["losses"]) == 12


@pytest.mark.parametrize("method", ["m1", "m2", "m3", "recent", "recent+extension"])
def test_every_weight_has_a_gradient_away_from_its_start(tiny, conversations, method):
    model = MemoryModel(tiny, method, scale=0.5)
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    bank = model.write(model.new_bank(), conversations[0])
    asked = [q for q in conversations[0].questions if q.answer]
    with model.attached(bank):
        inputs, labels = (
            tiny.inputs([q.prompt for q in asked]),
            tiny.labels([q.answer for q in asked]),
        )
        tiny.model(**inputs, labels=labels).loss.backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert (
            weight.grad.flatten(1).abs().sum(1).all() if weight.ndim > 1 else weight.grad.all()
        ), name


@pytest.mark.parametrize("method", ["m1", "m2", "m3", "recent", "recent+extension"])
def test_loss_falls_on_a_fixed_batch(tiny, conversations, method):
    """As many questions in a batch as there are: every step sees the same ones."""
    n = sum(q.answer is not None for q in conversations[0].questions)
    config = TrainConfig(steps=15, batch=n, warmup=1, lr=1e-2, undated=0)
    report = train(MemoryModel(tiny, method), conversations[:1], config, progress=False)
    assert report["questions"] == n
    assert report["losses"][-1] < report["losses"][0] - 1e-3
    assert report["losses"][-1] < min(report["losses"][:3])


def test_loss_falls(tiny, conversations):
    report = train(
        MemoryModel(tiny, "recent"), conversations, TrainConfig(steps=60, batch=8, warmup=5), False
    )
    assert sum(report["losses"][-10:]) < 0.8 * sum(report["losses"][:10])


def test_a_seed_is_one_result(tiny, conversations):
    weights = []
    for seed in (1, 1, 2):
        model = MemoryModel(tiny, "m3", seed=seed)
        train(
            model, conversations, TrainConfig(steps=4, batch=4, warmup=1, seed=seed), progress=False
        )
        weights.append(model.read.w_mem.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_nothing_to_learn_or_to_learn_from(tiny, conversations):
    with pytest.raises(InputError, match="weights to learn"):
        train(MemoryModel(tiny, "m0"), conversations, SHORT)
    silent = locomo.parse(tinyworld.samples(2, 0, tinyworld.World(turns=10, questions=0)))
    with pytest.raises(InputError, match="questions with answers"):
        train(MemoryModel(tiny, "m3"), silent, SHORT)


def test_learning_rate_warms_up_and_falls_to_zero():
    config = TrainConfig(steps=100, warmup=10)
    rates = [learning_rate(step, config) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.5, abs=0.01)  # half way between 10 and 100
    assert rates[100] == pytest.approx(0.0)


def test_banks_of_all_conversations_side_by_side(tiny, conversations):
    model = MemoryModel(tiny, "m3")
    texts = [c.texts() for c in conversations]
    together = make_banks(model, texts, batch=3, progress=False)
    for i, one in enumerate(texts):
        alone = model.write(model.new_bank(), one)
        torch.testing.assert_close(
            together.pick(i).state.rows, alone.state.rows, atol=1e-4, rtol=1e-4
        )


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        (TrainConfig, {"steps": 0}),
        (TrainConfig, {"lr": 0}),
        (EvalConfig, {"batch": 0}),
        (PretrainConfig, {"heads": 3}),
    ],
)
def test_bad_settings(kind, bad):
    with pytest.raises(InputError):
        kind(**bad)


def test_settings_as_json():
    config = TrainConfig(steps=7)
    assert TrainConfig.from_json(config.to_json()) == config
    assert config.difference() == {"steps": 7}
    with pytest.raises(InputError, match="speed"):
        TrainConfig.from_dict({"speed": 1})


def test_flan_t5s_form_goes_all_the_way(flan, conversations, tmp_path):
    model = MemoryModel(flan, "m3", scale=0.25)
    bank = model.write(model.new_bank(), ["Ana: I adopted a cat called Miro."])
    report = train(
        model, conversations[:1], TrainConfig(steps=2, batch=2, warmup=1), progress=False
    )
    assert report["loss"] > 0
    answer = model.answer(bank, "What is Ana's cat called?", max_new_tokens=3)
    model.save_pretrained(tmp_path / "a")
    again = MemoryModel.from_pretrained(tmp_path / "a")
    assert again.answer(bank, "What is Ana's cat called?", max_new_tokens=3) == answer
    assert again.backbone.fingerprint == flan.fingerprint
