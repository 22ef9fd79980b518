"""The bench: its arithmetic by hand, both ways the same, result files complete, and a difference that cannot pass."""

import json
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch
from helpers import away

from lmem import cli
from lmem.bench import compare, measure, plain
from lmem.bench.evaluate import bench_eval
from lmem.bench.lab import AIMS, bench_lab
from lmem.bench.measure import Unit
from lmem.bench.shape import random_backbone
from lmem.bench.train import bench_train
from lmem.bench.units import sample_evenly, shortened
from lmem.bench.write import bench_write
from lmem.data import tinyworld
from lmem.errors import InputError, LmemError, MethodError
from lmem.evaluation import results
from lmem.memory.model import MemoryModel
from lmem.training.banks import make_banks
from lmem.training.train import TrainConfig, learning_rate_factor, train
from lmem.utils import timing

SMALL = {"turns": 3, "plain_turns": 2, "questions": 2, "repeats": 3}


def bench(capsys, *arguments):
    """The JSON that a verb of `lmem bench` prints."""
    sys.argv = ["lmem", "bench", *map(str, arguments), "--json"]
    with pytest.raises(SystemExit) as stop:
        cli.main()
    out, err = capsys.readouterr()
    assert not stop.value.code, err
    return json.loads(out)


# ---- the arithmetic ------------------------------------------------------------------------------


def test_unit_costs_times_counts_by_hand():
    """3 turns, 2 questions, 10 epochs: the engine encodes 3 turns and asks 20 questions, the plain way encodes 30."""
    costs = {
        "engine": {"encode": [1.0, 2.0, 1.0], "question": [0.5, 0.5, 1.0]},
        "plain": {"encode": [4.0, 4.0, 4.0], "question": [1.0, 2.0, 2.0]},
    }
    counts = {"engine": {"encode": 3, "question": 20}, "plain": {"encode": 30, "question": 20}}
    # engine  3 + 10 = 13,  6 + 10 = 16,  3 + 20 = 23;   plain  120 + 20 = 140,  120 + 40 = 160,  160
    found = measure.account(costs, counts)
    assert found["seconds"]["engine"]["total"] == {"min": 13, "median": 16, "max": 23}
    assert found["seconds"]["engine"]["encode"] == {"min": 3, "median": 3, "max": 6}
    assert found["seconds"]["plain"]["total"] == {"min": 140, "median": 160, "max": 160}
    assert found["unit_seconds"]["plain"]["question"] == {"min": 1, "median": 2, "max": 2}
    # repeat by repeat: 140 / 13 = 10.77, 160 / 16 = 10, 160 / 23 = 6.96
    ratio = found["ratio"]["plain"]
    assert ratio == {"min": pytest.approx(160 / 23), "median": 10, "max": pytest.approx(140 / 13)}


def test_units_are_timed_by_turns():
    """The clock gives 1, 2, 3, ...; a call of "b" processes 2 units, so one of them takes half."""
    order, ticks = [], iter(range(1, 100))

    def call(name, count=1):
        return Unit(lambda: order.append(name), count)

    def clock(work):
        work()
        return float(next(ticks))

    ways = {
        "plain": {"a": call("pa"), "b": call("pb", 2)},
        "engine": {"a": call("ea"), "c": call("ec"), "b": call("eb")},
    }
    timings = measure.time_units(ways, 3, clock=clock)
    assert order == ["pa", "ea", "ec", "pb", "eb"] * 3  # only the engine has "c"
    assert timings["plain"]["a"].seconds == [1, 6, 11]
    assert timings["plain"]["b"].seconds == [2, 4.5, 7]
    with pytest.raises(InputError, match="at least 3 repeats"):
        measure.time_units(ways, 2)


def test_operations_by_hand(tiny):
    """(3, 4) times (4, 5) is 2 * 3 * 4 * 5 = 120 operations; the head alone maps N states to the vocabulary."""
    a, b = torch.ones(3, 4), torch.ones(4, 5)
    assert measure.operations(tiny.model, lambda: a @ b) == (120, 0)
    state, head = torch.ones(1, 2, tiny.width), tiny.model.lm_head
    whole, _ = measure.operations(tiny.model, lambda: head(state))
    assert whole == 2 * 2 * tiny.width * head.out_features
    inputs, labels = tiny.inputs(["question: who?"]), tiny.labels(["Ana"])
    whole, decoder = measure.operations(tiny.model, lambda: tiny.model(**inputs, labels=labels))
    encoder, none = measure.operations(tiny.model, lambda: tiny.model.encoder(**inputs))
    assert (whole, none) == (encoder + decoder, 0)
    assert min(encoder, decoder) > 0


def test_peak_memory_is_of_what_ran_since():
    if not timing.reset_peak():
        pytest.skip("this system does not reset a process's peak memory; Linux does")
    before = timing.peak_mib()
    held = torch.ones(64 * 2**20 // 4)  # 64 MiB
    assert timing.peak_mib() - before >= 50
    del held
    timing.reset_peak()
    assert timing.peak_mib() - before < 50


def test_rates_by_hand():
    """Of three measurements the shortest counts, half a second: 2 * 4^3 operations; 2 MiB read and 2 MiB written."""
    times = iter([1.0, 0.5, 2.0] * 2)

    def clock(work):
        work()
        return next(times)

    assert timing.matrix_rate(torch.float32, size=4, times=3, clock=clock) == 2 * 4**3 / 0.5
    assert timing.copy_rate(torch.float32, 2, times=3, clock=clock) == 4 * 2**20 / 0.5


def test_samples_are_spread_evenly():
    assert sample_evenly(list(range(10)), 3) == [0, 3, 6]
    assert sample_evenly([1, 2], 5) == [1, 2]


def test_shortened_conversations_keep_what_can_be_asked(conversations):
    [one, *_] = conversations
    short = shortened(one, 5, 3)
    assert short.texts() == one.texts()[:5]
    asked = [q.text for q in one.questions if q.answer is not None]
    assert [q.text for q in short.questions] == asked[:3]


# ---- plain equals engine -------------------------------------------------------------------------


@pytest.mark.parametrize("length", [384, None])
def test_plain_turns_and_banks_equal_ours(tiny, conversations, length):
    model = away(MemoryModel(tiny, "m3"))
    texts = [*conversations[0].texts(), "context: Ana: " + "so it goes, " * 300]
    states, mask = plain.encode(tiny, texts[0], length)
    assert states.shape[1] == (length or len(tiny.tokenize(texts[:1])[0]))
    [ours] = tiny.encode(texts[:1])
    torch.testing.assert_close(states[0][mask[0].bool()], ours, atol=1e-5, rtol=1e-4)
    bank, ours = plain.write(model, texts, length), make_banks(model, [texts], progress=False)
    torch.testing.assert_close(bank.state, ours.state, atol=1e-4, rtol=1e-4)
    assert bank.turns_written == [len(texts)]


def train_plainly(model, conversations, config):
    """Train for `config.epochs`, each bank written again in every epoch; the loss of each step."""
    answered = [[q for q in c.questions if q.answer is not None] for c in conversations]
    steps = config.total_steps(sum(map(len, answered)))
    optimizer, losses = plain.optimizer_of(model, config), []

    def pairs():
        for _ in range(config.epochs):
            for conversation, questions in zip(conversations, answered, strict=True):
                bank = plain.write(model, conversation.texts())
                yield from ((bank, question) for question in questions)

    stream = pairs()
    while batch := list(islice(stream, config.batch)):
        rate = config.lr * learning_rate_factor(len(losses), config, steps)
        optimizer.param_groups[0]["lr"] = rate
        losses.append(plain.learn(model, optimizer, batch, config.clip))
    return losses


@pytest.mark.parametrize("method", ["m2", "m4"])
def test_plain_training_equals_ours(tiny, conversations, method):
    """One batch of all questions, three times: the order of the questions does not matter, so losses and weights are the same."""
    few = [shortened(c, 6, 3) for c in conversations[:2]]
    config = TrainConfig.paper(epochs=3, batch=6, lr=1e-2, warmup=1)
    ours, theirs = (away(MemoryModel(tiny, method, scale=0.5)) for _ in range(2))
    before = {name: weight.clone() for name, weight in ours.read.state_dict().items()}
    expected = train(ours, few, config, progress=False)["losses"]
    assert train_plainly(theirs, few, config) == pytest.approx(expected, rel=1e-4)
    assert len(set(expected)) == 3
    for name, weight in theirs.read.state_dict().items():
        moved = (
            weight - before[name]
        ).norm()  # AdamW's first steps have one size, so rounding may turn a tiny one
        assert moved > 1e-3, name
        assert (weight - ours.read.state_dict()[name]).norm() < 0.02 * moved, name


def test_plain_answers_equal_ours(nano, conversations):
    model = away(MemoryModel(nano, "m3"))
    few = [shortened(c, 6, 3) for c in conversations[:2]]
    banks = make_banks(model, [c.texts() for c in few], progress=False)
    ours = [
        model.answer(banks.pick(i), [q.text for q in c.questions], max_new_tokens=6)
        for i, c in enumerate(few)
    ]
    theirs = []
    for c in few:
        bank = plain.write(model, c.texts())
        theirs.append([plain.answer(model, bank, q.prompt, max_new_tokens=6) for q in c.questions])
    assert theirs == ours
    assert any(map(any, ours))


# ---- the benches ---------------------------------------------------------------------------------


def complete(found, question, epochs=1):
    """What both benches report, and that its parts fit together."""
    for way in ("engine", "plain", "unpadded"):
        total = found["seconds"][way].get("latents", {"max": 0})["max"]
        for unit in ("encode", "write", question):
            spread, cost = found["seconds"][way][unit], found["unit_seconds"][way][unit]
            assert 0 < spread["min"] <= spread["median"] <= spread["max"]
            assert spread["median"] == pytest.approx(
                cost["median"] * found["counts"][way][unit], rel=2e-3
            )
            assert found["gflop"][way][unit] > 0
            total += spread["max"]
        assert found["seconds"][way]["total"]["max"] <= total * 1.001  # the sum of the greatest
        assert set(found["peak_memory_mib"]) == {"engine", "plain", "unpadded"}
    for unit in ("encode", "write", question):
        assert found["gflop"]["plain"][unit] > found["gflop"]["unpadded"][unit]
    again = found["counts"]["plain"]["encode"] / found["counts"]["engine"]["encode"]
    assert again == epochs
    work = {
        way: sum(found["gflop"][way][unit] * n for unit, n in units.items())
        for way, units in found["counts"].items()
    }
    predicted = found["ratio_by_operations"]["plain"]
    assert predicted == pytest.approx(work["plain"] / work["engine"], rel=5e-3)
    floor = found["floor"]
    n = found["counts"]["engine"][question]
    expected = floor["gflop_a_question"] * n / floor["gflop_a_second"]
    assert floor["seconds"] == pytest.approx(expected, rel=5e-3)
    assert floor["gflop_a_question"] < found["gflop"]["unpadded"][question]
    assert set(found["ratio"]) == {"plain", "unpadded"}
    assert {"seed", "seconds", "versions", "commit", "machine"} <= set(found["provenance"])
    assert all(0 <= difference < 1e-3 for difference in found["agreement"].values())


TINY = ("--turns", 3, "--plain-turns", 2, "--questions", 2, "--repeats", 3, "--length", 12)


def test_bench_train(capsys, tiny_folder, tmp_path):
    out = tmp_path / "train.json"
    given = ("--backbone", tiny_folder, "--conversations", 2, "--steps", 1, "--epochs", 4)
    found = bench(capsys, "train", *given, "--out", out, *TINY)
    assert json.loads(out.read_text()) == found
    assert (found["turns"], found["data"]) == (24, "tinyworld, 12 turns")
    assert len(found["conversations_sha256"]) == 64
    assert found["counts"]["plain"]["question"] == 4 * found["questions"]
    once = found["counts"]["engine"].pop(
        "latents"
    )  # each question is encoded once, and charged for it
    assert 0 < once <= found["questions"]
    seconds, unit = found["seconds"]["engine"], found["unit_seconds"]["engine"]["latents"]
    assert seconds["latents"]["median"] == pytest.approx(once * unit["median"], rel=2e-3)
    assert seconds["total"]["min"] > seconds["latents"]["min"] + seconds["question"]["min"]
    assert found["gflop"]["engine"]["latents"] > 0
    assert found["counts"]["engine"] == {
        "encode": 24, "write": 24, "question": 4 * found["questions"],
    }  # fmt: skip
    found["counts"]["engine"] |= {"latents": once}
    complete(found, "question", epochs=4)
    gflop = found["gflop"]  # a bank is projected once for all its questions
    assert gflop["engine"]["question"] < gflop["unpadded"]["question"]
    assert gflop["engine"]["encode"] == gflop["unpadded"]["encode"]


def test_bench_eval(capsys, tiny_folder, tmp_path):
    out = tmp_path / "eval.json"
    given = ("--backbone", tiny_folder, "--conversations", 2, "--asked", 3, "--max-new-tokens", 3)
    found = bench(capsys, "eval", *given, *TINY, "--out", out)
    assert json.loads(out.read_text()) == found
    assert found["counts"]["plain"] == found["counts"]["engine"]
    assert (
        found["counts"]["engine"]["answer"] == 2 * found["questions"]
    )  # with the bank, and zeroed
    complete(found, "answer")


def test_bench_write(capsys, tiny_folder, tmp_path):
    out = tmp_path / "write.json"
    given = ("--backbone", tiny_folder, "--writes", "slots,delta", "--turns", 12, "--rows", 256)
    found = bench(capsys, "write", *given, "--repeats", 3, "--out", out)
    assert json.loads(out.read_text()) == found
    assert [(row["write"], row["turns"]) for row in found["by_turns"]] == [
        ("slots", 10), ("slots", 12), ("delta", 10), ("delta", 12),
    ]  # fmt: skip
    first, last = found["by_turns"][:2]
    assert found["flat"]["slots"]["write_ms"] == pytest.approx(
        last["write_ms"] / first["write_ms"], rel=5e-3
    )
    sizes = {(row["kind"], row["name"]): [] for row in found["by_rows"]}
    for row in found["by_rows"]:
        assert row["ms"] > 0
        sizes[row["kind"], row["name"]].append((row["rows"], row["numbers"]))
    assert sizes["write", "slots"] == [(64, 64 * 64), (256, 256 * 64)]  # D = 64
    assert sizes["write", "delta"] == [(64, 64 * 64), (256, 128 * 128)]  # A = sqrt(256 * 64) = 128
    reads = {name for kind, name in sizes if kind == "read"}
    assert reads == {
        "prefix", "extension", "branch", "gated_branch", "query", "recall", "copying",
    }  # fmt: skip


def test_bench_encode_writes_a_file_too(capsys, tiny_folder, tmp_path):
    out = tmp_path / "encode.json"
    given = ("--backbone", tiny_folder, "--data", "tinyworld", "--turns", 20, "--plain-turns", 2)
    found = bench(capsys, "encode", *given, "--out", out)
    assert json.loads(out.read_text()) == found
    assert found["turns_per_second"]["plain"]["median"] > 0
    assert "provenance" in found


def test_tables_are_printed_too(capsys, tiny_folder):
    given = ["--backbone", str(tiny_folder), "--writes", "recent", "--turns", "11", "--rows", "64"]
    sys.argv = ["lmem", "bench", "write", *given, "--repeats", "3"]
    with pytest.raises(SystemExit) as stop:
        cli.main()
    out = capsys.readouterr().out
    assert not stop.value.code
    assert "by_turns" in out
    assert "gated_branch" in out


# ---- what cannot pass ----------------------------------------------------------------------------


def test_another_bank_is_no_result(tiny, conversations, monkeypatch):
    right = plain.write
    monkeypatch.setattr(
        plain, "write", lambda model, texts, length=384: right(model, texts[::-1], length)
    )
    with pytest.raises(LmemError, match="same banks both ways"):
        bench_train(tiny, conversations[:2], epochs=1, steps=1, **SMALL)


def test_another_loss_is_no_result(tiny, conversations, monkeypatch):
    right = plain.loss
    monkeypatch.setattr(plain, "loss", lambda *args, **kwargs: 1.01 * right(*args, **kwargs))
    with pytest.raises(LmemError, match="same losses both ways"):
        bench_train(tiny, conversations[:2], epochs=1, steps=1, **SMALL)


def test_another_answer_is_no_result(tiny, conversations, monkeypatch):
    right = plain.logits
    monkeypatch.setattr(plain, "logits", lambda *args, **kwargs: -right(*args, **kwargs))
    with pytest.raises(LmemError, match="same answers both ways"):
        bench_eval(tiny, conversations[:2], asked=2, max_new_tokens=2, **SMALL)


def test_what_is_compared_sees_the_bank(tiny, conversations):
    """Drawn away from their start: with another bank the loss is another."""
    found = compare.Comparison(tiny, conversations[:2], turns=3, plain_turns=2)
    question = next(q for q in conversations[0].questions if q.answer is not None)
    losses = [
        plain.loss(found.model, plain.write(found.model, part), question).item()
        for part in found.parts
    ]
    assert abs(losses[0] - losses[1]) > 1e-3 * losses[0]


def test_refusals(tiny, conversations):
    with pytest.raises(InputError, match="method with a bank"):
        bench_train(tiny, conversations, method="m0", **SMALL)
    with pytest.raises(InputError, match="at least 1 of asked"):
        bench_eval(tiny, conversations, asked=0, **SMALL)
    with pytest.raises(InputError, match="at least 1 of conversations"):
        bench_eval(tiny, [], **SMALL)
    with pytest.raises(InputError, match="expected writes out of"):
        bench_write(tiny, ["context: Ana: hello"], writes=["nobody"])
    with pytest.raises(InputError, match="at least 8 rows"):
        bench_write(tiny, ["context: Ana: hello"], rows=(4, 64))
    with pytest.raises(MethodError, match="flan-t5-small"):
        random_backbone("flan-t5-tiny", ["hello"])


def test_a_published_size_with_random_weights(conversations):
    texts = [text for c in conversations for text in c.texts()]
    backbone = random_backbone("flan-t5-small", texts)
    config = backbone.model.config
    assert (config.d_model, config.d_ff, config.num_layers, config.num_heads) == (512, 1024, 8, 6)
    frozen = sum(p.numel() for p in backbone.model.parameters())
    assert frozen == 76_961_152  # google/flan-t5-small has as many
    [ids] = backbone.tokenize(texts[:1])
    assert backbone.tokenizer.decode(ids, skip_special_tokens=True) == texts[0]
    assert backbone.tokenizer.unk_token_id not in ids


def test_the_page_on_full_size_says_what_one_adapter_takes():
    """m3 at Flan-T5-small's size, ten epochs of LoCoMo on two cores: the page's minutes are the file's, below 12."""
    page = " ".join(
        (Path(__file__).parents[1] / "book/full_size.md").read_text(encoding="utf-8").split()
    )
    file = results.load("bench/train-flan-t5-small")
    assert (file["data"], file["epochs"], file["rows"]) == ("locomo", 10, 64)
    assert file["provenance"]["machine"]["threads"] == 2
    ours, plain = (
        {k: f"{v / 60:.1f}" for k, v in file["seconds"][way]["total"].items()}
        for way in ("engine", "plain")
    )
    assert (
        f"{ours['median']} minutes [{ours['min']}, {ours['max']}], where the plain way takes {plain['median']} ("
        in page
    )
    assert file["seconds"]["engine"]["total"]["max"] < 12 * 60


# ---- the lab -------------------------------------------------------------------------------------


def test_the_lab_is_measured_against_its_aims(tiny_folder, tmp_path):
    """Training and evaluation on a file, all cells of a lab on generated conversations."""
    file, few = tmp_path / "world.json", tinyworld.World(turns=16, questions=4)
    results.save([tinyworld.sample("lab", i, few, twin=False) for i in range(4)], file)
    short = {"conversations": 6, "turns": 12, "questions": 2, "steps": 1, "max_new_tokens": 2}
    found = bench_lab(
        str(tiny_folder), str(file), "tinyworld", short | {"budget": 64}, ("m3", "m4"), **SMALL
    )
    rows = {row["part"]: row for row in found["by_part"]}
    assert list(rows) == list(AIMS)
    assert rows["training"]["seconds"] == pytest.approx(
        found["training"]["seconds"]["engine"]["total"]["median"], abs=0.1
    )
    assert found["evaluation"]["conditions"] == 5
    assert list(found["lab_seconds"]) == ["m3-1x-s42", "m4-1x-s42"]
    for row in rows.values():
        assert row["plain_seconds"] >= 0
        assert row["met"] == (row["seconds"] < row["aim"])
