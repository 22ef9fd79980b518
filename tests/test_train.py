"""Training: the adapter learns, the backbone does not change, a seed gives one result."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from helpers import away, lmem
from safetensors.torch import load_file

from lmem.backbone.backbone import load_backbone, weights_hash
from lmem.backbone.pretrain import PretrainConfig
from lmem.data import locomo, tinyworld
from lmem.errors import InputError
from lmem.evaluation.evaluate import EvalConfig
from lmem.memory.methods import METHODS
from lmem.memory.model import MemoryModel
from lmem.training.banks import make_banks
from lmem.training.dataset import Batches, Example, QuestionDataset
from lmem.training.loss import group_by_length
from lmem.training.train import TrainConfig, learning_rate_factor, prepare_loss, train

TABLE = [m.name for m in METHODS if m.write is not None]
SHORT = TrainConfig(steps=12, batch=8, warmup=2, lr=5e-3)


def reached(model):
    """Weights that the answers' gradient reaches: all but hard choices, which other lessons teach."""
    choices = tuple(f"write_rule.{name}" for name in model.write_rule.choices)
    choices += tuple(f"read.{name}" for name in model.read.choices)
    weights = dict(model.named_parameters())
    return [
        (name, weights[name]) for name in weights if not choices or not name.startswith(choices)
    ]


@pytest.mark.parametrize("method", TABLE)
def test_the_read_learns_and_the_backbone_does_not(tiny, conversations, method):
    model = MemoryModel(tiny, method)
    before = weights_hash(tiny.model)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    report = train(model, conversations, SHORT, progress=False)
    assert weights_hash(tiny.model) == before
    assert all(p.grad is None for p in tiny.model.parameters())
    for name, weight in reached(model):
        assert not torch.equal(weight, start[name]), name
    assert report["parameters"] == sum(weight.numel() for _, weight in reached(model))
    assert len(report["losses"]) == 12


@pytest.mark.parametrize("method", TABLE)
def test_every_weight_has_a_gradient_away_from_its_start(tiny, conversations, method):
    model = MemoryModel(tiny, method, scale=0.5)
    torch.manual_seed(0)
    with torch.no_grad():
        for _, weight in reached(model):  # a gate that is shut by chance would write nothing
            weight.add_(torch.randn_like(weight) * 0.1)
    turns = model.encode_turns([conversations[0].texts()])
    bank = model.write_latents(model.new_bank(), turns)
    asked = [q for q in conversations[0].questions if q.answer]
    with model.attached(bank):
        inputs, labels = (
            tiny.inputs([q.prompt for q in asked]),
            tiny.labels([q.answer for q in asked]),
        )
        tiny.model(**inputs, labels=labels).loss.backward()
    for name, weight in reached(model):
        assert weight.grad is not None, name
        assert (
            weight.grad.flatten(1).abs().sum(1).all() if weight.ndim > 1 else weight.grad.all()
        ), name


@pytest.mark.parametrize("method", TABLE)
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
    rates = [learning_rate_factor(step, config) for step in range(101)]
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
    assert TrainConfig.from_dict(json.loads(config.to_json())) == config
    assert config.difference() == {"steps": 7}
    with pytest.raises(InputError, match="speed"):
        TrainConfig.from_dict({"speed": 1})


def test_flan_t5s_form_goes_all_the_way(flan, conversations, tmp_path):
    model = MemoryModel(flan, "m3", scale=0.25)
    bank = model.write(model.new_bank(), ["Ana: I adopted a cat called Miro."])
    report = train(
        model, conversations[:1], TrainConfig(steps=2, batch=2, warmup=1), progress=False
    )
    assert len(report["losses"]) == report["steps"] == 2
    answer = model.answer(bank, "What is Ana's cat called?", max_new_tokens=3)
    model.save_pretrained(tmp_path / "a")
    again = MemoryModel.from_pretrained(tmp_path / "a")
    assert again.answer(bank, "What is Ana's cat called?", max_new_tokens=3) == answer
    assert again.backbone.fingerprint == flan.fingerprint


# ---- learned writes, cut points, validation ----------------------------------------------------------


def test_a_step_is_adamw_behind_a_clip(tiny, conversations):
    """One step by hand: g shrunk to norm `clip`, w (1 - lr wd) - lr g / (|g| + 1e-8); as small as here, 1e-8 counts."""
    config = TrainConfig(steps=1, batch=8, lr=0.1, warmup=1, weight_decay=0.3, clip=1e-6)
    model = away(MemoryModel(tiny, "m3", scale=0.25))
    loss_of = prepare_loss(model, conversations, config, False)
    loss_of(next(Batches(loss_of.dataset.examples, config.batch, config.seed))).backward()
    [weight] = model.read.parameters()
    g, before = weight.grad.clone(), weight.detach().clone()
    weight.grad = None
    g = g * (config.clip / g.norm())
    train(model, conversations, config, progress=False)
    expected = before * (1 - 0.1 * 0.3) - 0.1 * g / (g.abs() + 1e-8)
    torch.testing.assert_close(weight.detach(), expected, atol=2e-4, rtol=1e-3)
    assert (
        (weight - before).abs() < 0.09
    ).float().mean() > 0.2  # not clipped, each would move by 0.1
    decayed = (weight - before + 0.03 * before).norm()
    assert decayed < (weight - before).norm()


@pytest.mark.parametrize("method", ["m1", "m2", "m3", "gated+branch"])
def test_under_a_backbone_in_bfloat16_the_adapter_stays_in_float32(
    tiny_folder, conversations, method, tmp_path
):
    half = load_backbone(tiny_folder, dtype=torch.bfloat16)
    write = {"trainable": True} if method.startswith("gated") else {}
    model, config = (
        MemoryModel(half, method, scale=0.25, write=write),
        replace(SHORT, save_every=12),
    )
    report = train(model, conversations, config, progress=False, folder=tmp_path)
    assert sum(report["losses"][-4:]) < sum(report["losses"][:4])
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    moments = [t for state in saved["parts"]["optimizer"]["state"].values() for t in state.values()]
    assert moments
    assert {t.dtype for t in [*saved["weights"].values(), *moments]} == {torch.float32}
    assert weights_hash(half.model) == load_backbone(tiny_folder, dtype=torch.bfloat16).fingerprint


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_the_precision_that_accelerate_was_told(tiny, conversations, precision, monkeypatch):
    """A step is then made in it, the adapter's numbers stay; in float16 T5 overflows."""
    whole = train(MemoryModel(tiny, "m3", scale=0.25), conversations, SHORT, progress=False)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", precision)
    AcceleratorState._reset_state()
    try:
        model = MemoryModel(tiny, "m3", scale=0.25)
        if precision == "fp16":
            with pytest.raises((InputError, ValueError), match="(?i)precision"):
                train(model, conversations, SHORT, progress=False)
            return
        rough = train(model, conversations, SHORT, progress=False)
    finally:
        AcceleratorState._reset_state()
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert rough["losses"] != whole["losses"]
    assert rough["losses"] == pytest.approx(whole["losses"], abs=0.1)


def test_a_keyed_method_without_evidence_learns_through_the_decoder(tiny, conversations, tmp_path):
    """No gradient reaches its choices: they are no part of what is learned, counted or kept."""
    model = MemoryModel(tiny, "keyed", scale=0.5)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    report = train(model, conversations, replace(SHORT, save_every=6), False, folder=tmp_path)
    choices = [name for name in before if name.startswith(("write_rule.gate", "write_rule.theta"))]
    assert choices
    assert all(torch.equal(before[name], dict(model.named_parameters())[name]) for name in choices)
    learned = sum(p.numel() for name, p in before.items() if name not in choices)
    assert report["parameters"] == learned
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert saved["weights"].keys() == before.keys() - set(choices)


def test_where_evidence_is_unknown_a_question_waits_for_the_end(tiny, conversations):
    asked = [
        replace(c, questions=tuple(replace(q, evidence=()) for q in c.questions))
        for c in conversations
    ]
    dataset = QuestionDataset(asked, cuts=3, undated=0, seed=42)
    assert dataset.examples
    for example in dataset.examples:
        conversation, written = dataset.written(example.place)
        assert written == len(dataset.texts[conversation])


@pytest.mark.parametrize(
    "method",
    ["attention+branch", "gated+branch", "slots+extension", "hebbian+query", "delta+query"],
)
def test_a_learned_write_learns(tiny, conversations, method):
    model = MemoryModel(tiny, method, scale=0.25, write={"trainable": True})
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    assert any(name.startswith("write_rule") for name in start)
    train(model, conversations, SHORT, progress=False)
    for name, weight in model.named_parameters():
        assert not torch.equal(weight, start[name]), name


@pytest.mark.parametrize(("method", "scale"), [("m2", 1), ("m1", 1), ("m1", 4)])
def test_a_batch_costs_what_its_questions_cost_one_by_one(tiny, conversations, method, scale):
    """Short and long answers are decoded apart, questions of other lengths behind a long prefix; the loss is the mean over all
    tokens."""
    assert group_by_length([3, 9, 8, 20]) == [[0, 2], [1, 3]]
    assert group_by_length([9, 9]) == [[0, 1]]
    model = away(MemoryModel(tiny, method, scale))
    loss_of = prepare_loss(model, conversations, SHORT, False)
    long = "a wooden kettle, a glass umbrella, a red guitar and a tiny otter"
    batch = [
        Example(place, prompt, (answer, long)[k % 2])
        for k, (place, prompt, answer) in enumerate(loss_of.dataset.examples[:6])
    ]
    prompts = {len(ids) for ids in tiny.tokenize([prompt for _, prompt, _ in batch])}
    groups = loss_of.groups(batch, loss_of.answer_lengths(batch))
    assert len(groups) == (len(prompts) if scale == 4 else 2)
    assert sorted(place for group in groups for place in group) == list(range(6))
    assert len(prompts) > 2
    apart = [(loss_of([one]).item(), *loss_of.answer_lengths([one])) for one in batch]
    mean = sum(loss * n for loss, n in apart) / sum(n for _, n in apart)
    assert loss_of(batch).item() == pytest.approx(mean, rel=1e-5)


def test_the_window_is_what_carries_gradient(tiny, conversations):
    """The same bank whatever the window; its gradient by the write's maps grows with it, and is cut before it."""
    model = MemoryModel(tiny, "gated+extension", scale=0.25, write={"trainable": True})
    found = []
    for window in (1, 4, 99):
        loss_of = prepare_loss(model, conversations[:1], TrainConfig(window=window), False)
        model.zero_grad()
        rows = loss_of.banks.select([0])[0].state.rows
        rows.square().sum().backward()
        found.append((rows.detach(), model.write_rule.w_v.grad.norm()))
    torch.testing.assert_close(found[0][0], found[2][0])
    assert found[0][1] < found[1][1] < found[2][1]


@pytest.mark.parametrize("trainable", [False, True])
def test_questions_are_asked_at_cut_points_when_their_facts_were_told(
    tiny, conversations, trainable
):
    model = MemoryModel(tiny, "attention+extension", scale=0.25, write={"trainable": trainable})
    loss_of = prepare_loss(model, conversations, TrainConfig(cuts=3, undated=0), False)
    dataset = loss_of.dataset
    evidence = {q.prompt: q.evidence for c in conversations for q in c.questions}
    assert {example.place % 4 for example in dataset.examples} == {0, 1, 2, 3}
    for example in dataset.examples:
        i, s = divmod(example.place, 4)
        assert max(evidence[example.prompt]) < dataset.cuts[i][s]
    for place in (0, 2, 7):
        i, s = divmod(place, 4)
        alone = model.write(model.new_bank(), dataset.texts[i][: dataset.cuts[i][s]])
        banks, indices = loss_of.banks.select([place])
        bank = banks.pick(indices)
        torch.testing.assert_close(bank.state.rows, alone.state.rows, atol=1e-4, rtol=1e-4)
        assert bank.turns_written == alone.turns_written == [dataset.cuts[i][s]]


def test_the_best_weights_by_validation_are_kept(tiny, conversations):
    """Trained far too fast, it gets worse: it stops early and has the weights of its best check."""
    config = TrainConfig(steps=60, batch=8, warmup=1, lr=0.3, check=2, patience=3, undated=0)
    model = MemoryModel(tiny, "m3", scale=0.25)
    report = train(model, conversations[:2], config, False, validation=conversations[2:])
    checks = [loss for _, loss in report["validation"]]
    assert report["steps"] < 60
    assert checks[-1] > min(checks)
    validation_loss = prepare_loss(model, conversations[2:], config, False)
    assert validation_loss.mean(8) == pytest.approx(min(checks), rel=1e-4)
    paper = train(
        MemoryModel(tiny, "m3", scale=0.25), conversations[:2], TrainConfig.paper(epochs=1), False
    )
    assert paper["steps"] == -(-paper["questions"] // 16)
    assert paper["validation"] == []


def test_the_papers_preset_is_its_table():
    config = TrainConfig.paper()
    assert (config.lr, config.weight_decay, config.warmup, config.clip) == (1e-4, 1e-2, 200, 1.0)
    assert (config.epochs, config.batch, config.window, config.seed) == (10, 16, 8, 42)
    assert (config.patience, TrainConfig().patience) == (0, 3)
    assert config.total_steps(160) == 100


# ---- killed, and started again; several processes ------------------------------------------------------


RUN = """
import sys, torch
from lmem import MemoryModel, load_backbone
from lmem.data.splits import for_training
from lmem.training.train import TrainConfig, train

torch.set_num_threads(1)
folder, out = sys.argv[1:]
model = MemoryModel(load_backbone(folder), "gated+branch", 0.125, write={"trainable": True})
drawn, held = for_training("tinyworld", 6, 10, 0, validation=2)
config = TrainConfig(steps=40, batch=8, check=10, patience=0, save_every=3)
step, taken = torch.optim.AdamW.step, []
torch.optim.AdamW.step = lambda self, *args: taken.append(1) or step(self, *args)
train(model, drawn, config, False, held, out + "/run")
print(len(taken), "steps taken")
model.save_pretrained(out)
"""


def weights(out):
    return load_file(out / "adapter.safetensors")


def test_killed_and_started_again_it_ends_in_the_same_weights(tiny_folder, tmp_path, monkeypatch):
    """The undisturbed run is this process."""
    monkeypatch.setattr(sys, "argv", ["-c", str(tiny_folder), str(tmp_path / "undisturbed")])
    monkeypatch.setattr(torch.optim.AdamW, "step", torch.optim.AdamW.step)  # put back afterwards
    exec(RUN, {})
    command = [sys.executable, "-c", RUN, str(tiny_folder), str(tmp_path / "killed")]
    checkpoint = tmp_path / "killed" / "run" / "checkpoint.pt"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(30_000):  # on a busy machine
        if checkpoint.exists() or process.poll() is not None:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert checkpoint.exists()
    step = torch.load(checkpoint, weights_only=True)["step"]
    assert 0 < step < 40
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert f"{40 - step} steps taken" in said
    first, second = weights(tmp_path / "undisturbed"), weights(tmp_path / "killed")
    assert all(torch.equal(first[name], second[name]) for name in first)
    log = [json.loads(x) for x in (checkpoint.parent / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == list(range(1, 41))


def test_a_weight_that_gets_no_gradient_is_saved_and_resumed(tiny, conversations, tmp_path):
    """AdamW keeps no moments for such a weight; the checkpoint must neither expect nor invent them."""
    config = TrainConfig(steps=6, batch=4, warmup=1, save_every=2)

    def fresh():
        model = MemoryModel(tiny, "m3", scale=0.25)
        model.read.register_parameter("unused", torch.nn.Parameter(torch.ones(3)))
        return model

    whole, again = fresh(), fresh()
    train(whole, conversations, config, False)
    loss_calls = []

    def stop(*args):
        loss_calls.append(1)
        if len(loss_calls) == 6:
            raise KeyboardInterrupt

    victim = fresh()
    victim.read.register_forward_pre_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        train(victim, conversations, config, False, folder=tmp_path)
    report = train(again, conversations, config, False, folder=tmp_path)
    assert report["steps"] == 6
    assert torch.equal(again.read.unused, torch.ones(3))
    expected = whole.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in again.state_dict().items())


def test_a_checkpoint_of_another_run_is_refused(tiny, conversations, tmp_path, monkeypatch):
    config = TrainConfig(steps=4, batch=4, warmup=1, save_every=2)
    train(MemoryModel(tiny, "m3"), conversations, config, False, folder=tmp_path)
    m3 = {"backbone": tiny, "method": "m3"}
    others = [  # (model, conversations, config): settings, method, and what leaves every shape as it is
        (m3, conversations, TrainConfig(steps=5, batch=4, warmup=1)),
        (m3 | {"method": "m2"}, conversations, config),
        (m3 | {"method": "m6"}, conversations, config),
        (m3 | {"write": {"gamma": 0.99}}, conversations, config),
        (m3 | {"read": {"start": "identity"}}, conversations, config),
        (m3 | {"seed": 1}, conversations, config),
        (m3, conversations[1:], config),
    ]
    for model, asked, settings in others:
        with pytest.raises(InputError, match="checkpoint of this run"):
            train(MemoryModel(**model), asked, settings, False, folder=tmp_path)
    with pytest.raises(InputError, match="checkpoint of this run"):
        train(MemoryModel(**m3), conversations, config, False, conversations[:1], tmp_path)
    again = MemoryModel(tiny, "m3")

    def never(*args):
        raise AssertionError("a step was taken")

    with monkeypatch.context() as patched:  # it was whole: nothing is left to do
        patched.setattr("torch.optim.AdamW.step", never)
        report = train(again, conversations, config, False, folder=tmp_path)
    assert len(report["losses"]) == 4
    whole = (tmp_path / "checkpoint.pt").read_bytes()
    for damaged in (b"nothing", b"", whole[: len(whole) // 2]):
        (tmp_path / "checkpoint.pt").write_bytes(damaged)
        with pytest.raises(InputError, match="expected a checkpoint"):
            train(again, conversations, config, False, folder=tmp_path)


class Harmful:
    def __reduce__(self):
        return (Path.touch, (Path(self.path),))


def test_a_checkpoint_executes_nothing(tiny, conversations, tmp_path):
    harmful = Harmful()
    harmful.path = str(tmp_path / "executed")
    torch.save({"run": harmful}, tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match="expected a checkpoint"):
        train(MemoryModel(tiny, "m3"), conversations, SHORT, False, folder=tmp_path)
    assert not (tmp_path / "executed").exists()


def test_batches_continue_from_their_state():
    examples = [Example(i, f"question: {i}", "yes") for i in range(7)]
    batches = Batches(examples, 3, seed=1)
    first = [next(batches) for _ in range(2)]
    state = batches.state_dict()
    rest = [next(batches) for _ in range(5)]
    again = Batches(examples, 3, seed=2)
    again.load_state_dict(state)
    assert [next(again) for _ in range(5)] == rest
    epochs = [example for batch in [*first, *rest] for example in batch]
    assert sorted(epochs[:7]) == sorted(epochs[7:14]) == examples


@pytest.mark.parametrize(
    "method",
    [
        ("gated+branch", "--write", "trainable=true"),
        pytest.param(("m3",), marks=pytest.mark.full),
        pytest.param(("m1",), marks=pytest.mark.full),
    ],
    ids=lambda m: m[0],
)
def test_two_processes_are_one(tiny_folder, tmp_path, method, capsys):
    """accelerate launch with two CPU processes: the same losses and weights as one, up to rounding."""
    launch = [
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",  # with --cpu accelerate starts one process, whatever number it is told
        "--num_processes",
        "2",
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "--module",
    ]
    options = (
        "--scale 0.125 --conversations 5 --turns 10 --steps 12 --batch 8 --validation 2 --lr 0.05"
    )
    verb = ["train", "--backbone", str(tiny_folder), "--method", *method, *options.split()]
    assert lmem(capsys, *verb, "--out", tmp_path / "one")[0] == 0
    two = [sys.executable, *launch, "lmem", *verb, "--out", str(tmp_path / "two")]
    subprocess.run(two, check=True, capture_output=True)
    made = [json.loads((tmp_path / name / "training.json").read_text()) for name in ("one", "two")]
    assert [one["processes"] for one in made] == [1, 2]
    assert made[0]["losses"] == pytest.approx(made[1]["losses"], abs=2e-3)
    first, second = weights(tmp_path / "one"), weights(tmp_path / "two")
    options = {"write": {"trainable": True}} if method[0].startswith("gated") else {}
    start = MemoryModel(load_backbone(tiny_folder), method[0], 0.125, 42, **options).state_dict()
    moved = {name: (weight - start[name]).norm() for name, weight in first.items()}
    assert max(moved.values()) > 0.1
    for name in first:
        assert (first[name] - second[name]).norm() <= 0.05 * moved[name], name


def test_micro_batches_change_memory_and_not_the_result(tiny, conversations):
    """The same weights after the same steps, up to rounding, whatever passes through the model at once."""
    trained = {}
    for micro in (0, 1, 3):
        model = MemoryModel(tiny, "m2", scale=0.5)
        config = TrainConfig(steps=4, batch=8, warmup=1, micro=micro)
        report = train(model, conversations, config, progress=False)
        trained[micro] = report["losses"], model.read.attend.w_v.detach().clone()
    for micro in (1, 3):
        assert trained[micro][0] == pytest.approx(trained[0][0], rel=1e-4)
        torch.testing.assert_close(trained[micro][1], trained[0][1], atol=1e-5, rtol=1e-3)


def test_adam_without_its_throttle(tiny, conversations):
    """By hand: the first step of a weight with gradient g is lr |g| / (|g| + eps); eps 1e-12 leaves tiny gradients whole steps."""
    moved = {}
    for eps in (1e-8, 1e-12):
        model = MemoryModel(tiny, "m4", scale=0.5)
        before = model.read.w_mem.detach().clone()
        config = TrainConfig(steps=1, batch=8, warmup=1, lr=1e-3, weight_decay=0.0, eps=eps)
        train(model, conversations, config, progress=False)
        moved[eps] = (model.read.w_mem.detach() - before).abs() / config.lr
    # the same gradient g explains both steps: s / (1 - s) = |g| / eps
    throttled, whole = moved[1e-8].double(), moved[1e-12].double()
    some = (throttled > 0.01) & (throttled < 0.9)
    assert some.any()
    gradient = 1e-8 * throttled[some] / (1 - throttled[some])
    torch.testing.assert_close(whole[some], gradient / (gradient + 1e-12), atol=1e-3, rtol=1e-3)
    assert TrainConfig().eps == 1e-8
