"""The page about one's own chat keeps its word: its export is imported, its code is run, its chat is held again."""

import io
import re
from pathlib import Path

import pytest
from helpers import lmem
from rich.console import Console

from lmem.chat import terminal
from lmem.memory.model import MemoryModel

PAGE = (Path(__file__).parents[1] / "book/my_own_chat.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.M | re.S)
TEXTS = [text for kind, text in BLOCKS if kind == "text"]
EXPORT, REPORT, PRINTED, CHAT = TEXTS


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "WhatsApp Chat with Ben.txt").write_text(EXPORT)
    return tmp_path


def test_the_report_is_the_one_on_the_page(folder, capsys):
    code, out, _ = lmem(
        capsys, "data", "import", "WhatsApp Chat with Ben.txt", "--out", "chat.json"
    )
    assert code == 0
    assert out.strip() == REPORT.strip()


def test_the_code_prints_what_the_page_says(folder, capsys):
    lmem(capsys, "data", "import", "WhatsApp Chat with Ben.txt", "--out", "chat.json")
    [code] = [text for kind, text in BLOCKS if kind == "python"]
    exec(compile(code, "page", "exec"), {})
    said = capsys.readouterr().out.replace("-0.0000", " 0.0000")  # a rounded zero has either sign
    assert said.strip() == PRINTED.strip()


def test_the_chat_on_the_page_is_held_again(folder, nano):
    said = re.findall(r"^Ana: (.*)$", CHAT, re.M)
    lines = iter(said)
    console = Console(record=True, width=300, file=io.StringIO())

    def read(prompt):
        line = next(lines, "/quit")
        console.print(f"{prompt}{line}", markup=False)
        return line

    assert CHAT.lstrip().startswith("$ lmem chat --adapter nano-keyed --name Ana\n")
    terminal.chat(MemoryModel.from_shipped("nano-keyed", nano), None, "Ana", read, console)
    held = console.export_text().split("\n", 1)[1]
    assert held.strip() == CHAT.split("\n", 1)[1].strip()
