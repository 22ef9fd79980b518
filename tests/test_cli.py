"""The command line: what it prints, and how it refuses."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from helpers import lmem
from rich.console import Console

from lmem import cli
from lmem.backbone.backbone import EMBEDDED
from lmem.chat import terminal
from lmem.data import locomo_release, tinyworld
from lmem.data.splits import for_training
from lmem.evaluation import results
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel


@pytest.fixture
def world(tmp_path, capsys):
    path = tmp_path / "tiny.json"
    code, *_ = lmem(capsys, "data", "tinyworld", "--out", path, "--conversations", 3, "--turns", 14)
    assert code == 0
    return path


def test_tinyworld_files_are_read_by_the_same_reader(world, capsys):
    code, out, _ = lmem(capsys, "data", "locomo", "--path", world, "--json")
    found = json.loads(out)
    assert (code, found["conversations"], found["turns"], found["problems"]) == (0, 3, 42, [])


def test_the_release_in_figures(capsys):
    if locomo_release.find() is None:
        pytest.skip("LoCoMo is neither in LMEM_LOCOMO nor in the user's cache")
    code, out, _ = lmem(capsys, "data", "locomo", "--json")
    found = json.loads(out)
    counts = [found[name] for name in ("conversations", "sessions", "turns", "questions")]
    assert (code, counts) == (0, [10, 272, 5882, 1986])
    assert found["categories"] == {"1": 282, "2": 321, "3": 96, "4": 841, "5": 446}
    assert found["test_split"] == {
        "questions": 639,
        "lag_buckets": [28, 24, 60, 130, 395],
        "without_lag": 2,
    }
    _, out, _ = lmem(capsys, "data", "locomo", "--evidence", "first", "--json")
    assert json.loads(out)["test_split"]["lag_buckets"] == [28, 24, 62, 130, 395]


def test_train_and_evaluate_a_file(world, tmp_path, tiny_folder, capsys):
    adapter, result = tmp_path / "adapter", tmp_path / "result.json"
    common = ("--backbone", tiny_folder, "--data", world, "--json")
    code, out, _ = lmem(capsys, "train", "--out", adapter, "--method", "m3", "--steps", 2, *common)
    assert code == 0
    assert json.loads(out)["parameters"] == 64 * 64
    assert json.loads(out)["validation"] == []  # a fifth of three conversations is none
    code, out, _ = lmem(capsys, "evaluate", "--adapter", adapter, "--out", result, *common)
    assert code == 0
    assert json.loads(out)["summary"]["n"] > 0
    found = results.load(result)
    assert len(found["questions"]) > 0
    assert found["training"]["settings"] == {"steps": 2}
    saved = json.loads((adapter / "adapter.json").read_text())
    assert found["adapter"] == {"seed": 42, "digest": saved["digest"]}


def test_validation_is_the_rule_but_for_the_papers_preset(tmp_path, tiny_folder, capsys):
    common = (
        "--backbone",
        tiny_folder,
        "--conversations",
        10,
        "--method",
        "m3",
        "--steps",
        2,
        "--json",
    )
    checks = {}
    for preset in ("lmem", "paper"):
        code, out, _ = lmem(
            capsys, "train", "--out", tmp_path / preset, "--preset", preset, *common
        )
        assert code == 0
        checks[preset] = json.loads(out)["validation"]
    assert [step for step, _ in checks["lmem"]] == [2]
    assert checks["paper"] == []
    train_on, held = for_training("tinyworld", 1600, 10, 0, None)
    assert (len(train_on), len(held)) == (1600, 40)
    assert not {c.id for c in train_on} & {c.id for c in held}


def test_tables_are_printed_too(capsys):
    code, out, _ = lmem(capsys, "methods")
    assert code == 0
    assert "attention+extension" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ("data", "locomo", "--path", "nowhere.json"),
        ("data", "locomo", "--path", "BROKEN"),
        ("data", "locomo", "--path", "SHAPE"),
        ("data", "locomo", "--path", "NO_QUESTIONS", "--evidence", "some"),
        ("data", "tinyworld", "--out", "x.json", "--turns", "5"),
        ("train", "--out", "OUT", "--method", "m9"),
        ("train", "--out", "OUT", "--backbone", "no/such/folder/here"),
        ("train", "--out", "OUT", "--steps", "0"),
        ("evaluate", "--adapter", "no/adapter/here"),
        ("train", "--out", "BROKEN"),
        ("train", "--out", "OUT", "--data", "SHAPE"),
        ("train", "--out", "OUT", "--data", "EMPTY_TURN"),
        ("train", "--out", "OUT", "--scale", "nan"),
        ("pretrain", "--out", "OUT", "--steps", "0"),
        ("pretrain", "--out", "OUT", "--minutes", "1"),
        ("pretrain", "micro", "--out", "OUT"),
        ("pretrain", "mini", "--out", "OUT", "--steps", "1"),
        ("pretrain", "mini", "--out", "OUT", "--minutes", "0"),
        ("pretrain", "mini", "--out", "OUT", "--start", "FOLDER"),
        ("pretrain", "mini", "--out", "OUT", "--device", "tpu"),
        ("data", "everyday", "--out", "x.json", "--turns", "3"),
        ("data", "everyday", "--out", "FOLDER"),
        ("evaluate", "--data", "nowhere.json"),
        ("evaluate", "--data", "NO_QUESTIONS"),
        ("data", "locomo", "--path", "EMPTY_TURN"),
        ("data", "tinyworld", "--out", "FOLDER"),
        ("data", "tinyworld", "--out", "x.json", "--conversations", "0"),
        ("doctor", "--questions", "0"),
        ("sweep", "--out", "OUT", "--set", "steps=many"),
        ("sweep", "--out", "OUT", "--set", "stepz=10"),
        ("ladder", "--out", "OUT", "--set", "steps=1.5"),
        ("bench", "encode", "--data", "tinyworld", "--turns", "0"),
        ("chat", "--bank", "BROKEN"),
        ("chat", "--bank", "CUT"),
        ("chat", "--bank", "OTHER_METHOD"),
        ("chat", "--bank", "OTHER_SIZE"),
        ("chat", "--bank", "OTHER_BACKBONE"),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_sentence_and_code_2(
    arguments, tmp_path, tiny, capsys, monkeypatch, nano_is_tiny
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FOLDER").mkdir()
    (tmp_path / "BROKEN").write_text('[{"sample_id": ')
    (tmp_path / "SHAPE").write_text('{"a": 1}')
    [sample] = tinyworld.samples(1, 0, tinyworld.World(turns=10, questions=0))
    (tmp_path / "NO_QUESTIONS").write_text(json.dumps([sample]))
    sample["conversation"]["session_1"][3]["text"] = "  "
    (tmp_path / "EMPTY_TURN").write_text(json.dumps([sample]))
    MemoryModel(tiny, "m3").new_bank().save("OTHER_METHOD")
    MemoryModel(tiny, "recent", scale=0.5).new_bank().save("OTHER_SIZE")
    own = MemoryModel(tiny, "recent").new_bank()
    replace(own, backbone="0" * 64).save("OTHER_BACKBONE")
    own.save("CUT")
    (tmp_path / "CUT").write_bytes((tmp_path / "CUT").read_bytes()[:-9])
    before = {p.name for p in tmp_path.iterdir()}
    code, out, err = lmem(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("lmem: ")
    assert len(err.strip().splitlines()) == 1, err
    assert any(word in err for word in ("expected", "must", "has", "should")), err
    assert {p.name for p in tmp_path.iterdir()} == before


def test_a_setting_of_a_sweep_is_a_whole_number(tmp_path, capsys, monkeypatch):
    """1e3 is the whole number 1000, before anything runs; 1.5 is refused (see the refusals above)."""
    configs = []
    report = {"done": [], "skipped": [], "failed": []}
    monkeypatch.setattr(
        "lmem.experiments.sweep.run_sweep",
        lambda cells, out, config, jobs: configs.append(config) or report,
    )
    code, *_ = lmem(capsys, "sweep", "--out", tmp_path, "--set", "steps=1e3")
    assert code == 0
    assert (configs[0].steps, type(configs[0].steps)) == (1000, int)


@pytest.fixture
def nano_is_tiny(monkeypatch, tiny, tiny_folder):
    """The shipped adapter replaced by a small one, so that refusals are tested without waiting."""
    monkeypatch.setattr(
        MemoryModel, "from_shipped", classmethod(lambda cls, name="": cls(tiny, "recent"))
    )
    monkeypatch.setitem(EMBEDDED, "nano", tiny_folder)


@pytest.mark.parametrize(
    "verb",
    [("evaluate",), ("doctor",), ("null-rows",), ("collapse",), ("bench", "train"), ("plan",)],
    ids=" ".join,
)
def test_a_folder_in_the_place_of_a_file_is_refused_before_the_work(
    tmp_path, capsys, monkeypatch, verb
):
    def never(*args, **kwargs):
        raise AssertionError("something was loaded")

    monkeypatch.setattr("lmem.backbone.backbone.load_backbone", never)
    code, out, err = lmem(capsys, *verb, "--out", tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith(f"lmem: expected a file to write, {tmp_path} is a folder")


def test_a_wrong_checksum_is_code_2_and_nothing_is_cached(tmp_path, capsys, monkeypatch):
    class Answer(io.BytesIO):
        headers = {}

    monkeypatch.setattr(locomo_release, "find", lambda: None)
    monkeypatch.setattr(locomo_release, "cache_path", lambda: tmp_path / "cache" / "locomo10.json")
    monkeypatch.setattr("lmem.data.locomo_release.urlopen", lambda *args, **kwargs: Answer(b"[]"))
    code, out, err = lmem(capsys, "data", "locomo")
    assert (code, out) == (2, "")
    assert "SHA-256" in err
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_doctor_measures_here_and_now(capsys, nano_is_tiny):
    code, out, _ = lmem(capsys, "doctor", "--questions", 8, "--json")
    found = json.loads(out)["nano"]
    assert code == 0
    assert found["questions"] == 8
    assert 0 <= found["with_evidence"] <= 1
    assert 0 <= found["without_evidence"] <= 1


def test_doctor_does_not_take_mini_for_nano(capsys, monkeypatch):
    monkeypatch.setattr(locomo_release, "find", lambda: None)
    code, out, _ = lmem(capsys, "doctor", "--backbone", "mini", "--json")
    assert code == 0
    found = json.loads(out)
    assert "nano" not in found
    assert found["backbone"]["name"] == "mini"


def test_doctor_checks_any_other_backbone(
    capsys, flan, flan_folder, family_folders, tmp_path, monkeypatch
):
    def found(folder):
        code, out, _ = lmem(capsys, "doctor", "--backbone", folder, "--json")
        assert code == 0
        return json.loads(out)["backbone"]

    monkeypatch.setattr(locomo_release, "find", lambda: None)
    own, tied = found(flan_folder), found(family_folders["t5-1.0"])
    assert (own["head"], tied["head"]) == ("its own", "the embeddings")
    assert own["weights"] == sum(weight.numel() for weight in flan.model.parameters())
    assert "`lmem data locomo`" in own["locomo"]
    sample = tinyworld.sample("doctor", 0, tinyworld.World(turns=40), twin=False)
    for question in sample["qa"]:
        question["category"] = 4
    path = tmp_path / "locomo.json"
    path.write_text(json.dumps([sample]), encoding="utf-8")
    monkeypatch.setattr(locomo_release, "find", lambda: path)
    read = found(family_folders["t5-1.0"])["locomo, evidence in the input"]
    assert 0 < read["n"] <= 20
    assert 0 <= read["f1"]["mean"] <= 1


def test_the_checks_for_a_gpu_use_verbs_and_options_that_exist(tmp_path):
    script = Path(__file__).parents[1] / "book/tools/gpu_checks.sh"
    group = typer.main.get_command(cli.app)
    for dry in ("", "1"):
        env = {**os.environ, "LMEM": "echo", "DRY": dry}
        command = ["sh", str(script), str(tmp_path / "out")]
        run = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        calls = [line.split() for line in run.stdout.splitlines() if not line.startswith("==")]
        assert calls.pop() == ["0", "of", "4", "checks", "failed"]
        assert len(calls) == 4
        for call in calls:
            verb = group.commands[call[0]]
            verb = getattr(verb, "commands", {}).get(call[1], verb)
            known = {name for option in verb.params for name in option.opts}
            assert {word for word in call if word.startswith("--")} <= known


def test_bench_encode_gives_both_ways_and_their_ratio(capsys, nano_is_tiny):
    options = ("--data", "tinyworld", "--turns", 60, "--plain-turns", 4)
    code, out, _ = lmem(capsys, "bench", "encode", *options, "--json")
    found = json.loads(out)
    assert (code, found["turns"]) == (0, 60)
    assert found["ratio"]["median"] > 1  # a turn of 15 tokens against 384
    assert found["difference"] < 1e-4


def test_chat_writes_asks_saves_and_loads(tiny, tmp_path):
    model = MemoryModel(tiny, "recent")
    path = tmp_path / "b.safetensors"
    lines = iter(
        [
            "I adopted a cat called Miro.",
            "What is Ana's cat called?",
            "/bank",
            f"/save {path}",
            "/new",
            "/what",
        ]
    )
    console = Console(record=True, quiet=False, width=100, file=open("/dev/null", "w"))  # noqa: SIM115

    def read(prompt):
        return next(lines, "/quit")

    end = terminal.chat(model, None, "Ana", read, console)
    said = console.export_text()
    assert end.empty
    assert Bank.load(path).turns_written == [1]
    assert "lmem: " in said
    assert "1 turn told; something is kept of turns 1" in said
    again = terminal.chat(model, path, "Ana", lambda prompt: "/quit", console)
    assert again.turns_written == [1]


def test_chat_survives_a_wrong_file(tiny, tmp_path):
    console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: SIM115
    lines = iter([f"/load {tmp_path / 'none'}", "/quit"])
    terminal.chat(MemoryModel(tiny, "recent"), None, "Ana", lambda prompt: next(lines), console)
    assert "expected a bank" in console.export_text()


def test_chat_goes_on_after_every_refusal(tiny, tmp_path):
    """Too long a turn, a folder in the file's place: said in a sentence, and the bank is still there."""
    console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: SIM115
    lines = iter(
        ["I live in Cedar-Bay.", "hello " * 500, f"/save {tmp_path}", "", "/quit", "/quit"]
    )
    end = terminal.chat(
        MemoryModel(tiny, "recent"), None, "Ana", lambda prompt: next(lines), console
    )
    assert end.turns_written == [1]
    said = console.export_text()
    assert "expected a shorter line" in said
    assert "is a folder" in said
    assert said.count("Not saved: 1 turn. /save FILE, or /quit again.") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_any_output_encoding_can_print_an_emoji(tmp_path, monkeypatch, name, options):
    """An answer that is no text, with an emoji, is listed as a problem."""
    question = {
        "question": "What?",
        "answer": ["\U0001f600 \ud83d"],
        "evidence": ["D1:1"],
        "category": 4,
    }
    turns = [{"speaker": "Ina", "dia_id": "D1:1", "text": "Hello \U0001f600"}]
    talk = {"session_1": turns, "session_1_date_time": "1 May"}
    samples = [{"sample_id": "\U0001f600", "conversation": talk, "qa": [question]}]
    path = tmp_path / "data.json"
    path.write_text(json.dumps(samples))
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=name) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(sys, "argv", ["lmem", "data", "locomo", "--path", str(path), *options])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    out.flush()
    assert (stop.value.code, err.buffer.getvalue()) == (0, b"")
    printed = out.buffer.getvalue()
    assert b"half a character" in printed
    if options:
        problems = json.loads(printed.decode(name))["problems"]
        assert "\U0001f600" in problems[0]["conversation"]


def test_importing_lmem_is_light():
    code = (
        "import time, sys; t = time.process_time(); import lmem, lmem.cli; s = time.process_time() - t;"
        "print('torch' in sys.modules, 'transformers' in sys.modules, s)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    torch, transformers, seconds = run.stdout.split()
    assert (torch, transformers) == ("False", "False")
    assert float(seconds) < 1.5
