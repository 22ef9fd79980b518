"""The chat: what counts as a question, where a bank is saved, and that nothing costs the bank."""

import io
import sys

import pytest
from rich.console import Console

from lmem.chat import session
from lmem.errors import InputError
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel

QUESTIONS = [
    "Where does Ana live?", "Where does Ana live？", "أين تسكن آنا؟", "Who?!", 'Who?"', "Who?”", "Who?»",
    "(Who?)", "Who? 🙂", "Who?️", "Who⁈", "Who‽", "Who⁇", "Πού μένει η Άννα;", "Πού μένει\u037e", "የት፧",
    "Ո՞վ է", "Who?\u200f", "Who?！", "**Who?**", "¿Quién?",
]  # fmt: skip
TURNS = [
    "I live in Cedar-Bay.",
    "I asked why? Nobody knew.",
    "No; really",
    "one; two;",
    "!",
    "🙂",
    "Hm...",
]


@pytest.mark.parametrize("line", QUESTIONS)
def test_question_marks_of_any_script_ask(line):
    assert session.is_question(line)


@pytest.mark.parametrize("line", TURNS)
def test_what_is_no_question_is_a_turn(line):
    assert not session.is_question(line)


@pytest.fixture
def model(tiny):
    return MemoryModel(tiny, "recent")


@pytest.fixture
def console():
    return Console(record=True, width=200, file=io.StringIO())


def talk(model, console, *lines):
    """The bank at the end of these lines, and what was printed."""
    rest = iter(lines)
    return session.chat(model, None, "Ana", lambda prompt: next(rest, "/quit"), console), (
        console.export_text()
    )


@pytest.mark.parametrize(
    "name", ["~/x.bank", '"~/x.bank"', "'~/x.bank'", '"my bank"', "~nobody-here/x"]
)
def test_a_files_name_is_read_as_a_shell_does(model, console, tmp_path, monkeypatch, name):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    _, text = talk(model, console, "I live in Cedar-Bay.", f"/save {name}", "/new", f"/load {name}")
    if "nobody" in name:
        assert text.count("expected the name of a file") == 2
    else:
        assert "loaded, 1 turns" in text
        assert [p.name for p in tmp_path.iterdir()] == ["my bank" if "my" in name else "x.bank"]


def test_an_existing_file_is_only_replaced_on_request(model, console, tmp_path):
    file = tmp_path / "diary"
    file.write_text("mine")
    _, text = talk(model, console, "I live in Cedar-Bay.", f"/save {file}")
    assert f"/save! {file} replaces it" in text
    assert file.read_text() == "mine"
    talk(model, console, "I live in Cedar-Bay.", f"/save! {file}")
    assert Bank.load(file).turns_written == [1]


def test_a_full_disk_costs_no_bank(model, console, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lmem.memory.bank.save_file", full)
    end, text = talk(model, console, "I live in Cedar-Bay.", f"/save {tmp_path / 'x'}", "Hello.")
    assert end.turns_written == [2]
    assert "No space left on device" in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "odd", ["\udcff", "hello \ud83d", "\udcff?", "/save \udcff", "/load \0", "\u200e"]
)
def test_odd_characters_cost_no_bank(model, console, tmp_path, monkeypatch, odd):
    monkeypatch.chdir(tmp_path)
    end, text = talk(model, console, "I live in Cedar-Bay.", odd, "Hello.")
    assert end.turns_written == [2]
    assert "expected" in text or "saved" in text


def test_bytes_that_are_not_utf8_cost_no_bank(model, console, monkeypatch):
    lines = b"I live in Cedar-Bay.\nI was at the caf\xe9.\nHello.\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines), "utf-8"))
    end = session.chat(model, name="Ana", console=console)
    assert end.turns_written == [2]
    assert "half a character" in console.export_text()


def test_a_decoder_that_fails_costs_no_bank(model, console):
    lines = iter(["Hello.", None])

    def read(prompt):
        line = next(lines, "/quit")
        return line if line else b"\xff".decode()

    assert session.chat(model, read=read, console=console).turns_written == [1]


def test_respond_refuses_without_a_change(model):
    bank = model.new_bank()
    with pytest.raises(InputError):
        session.respond(model, bank, "\ud800")
    assert bank.empty
