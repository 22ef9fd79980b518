"""Chat: what you say is written into the bank, and what you ask is answered from the bank alone (chapters 1 and 10).

`respond` is the logic of one line, for the terminal and the widget. `chat` is the terminal.
"""

import io
import os
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from rich.console import Console

from lmem.errors import InputError, LmemError
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel

HELP = (
    "say something to have it remembered, end with ? to ask; /save FILE  /save! FILE (replaces it)  "
    "/load FILE  /new  /bank  /quit"
)
FILE = "bank.safetensors"


class Reply(NamedTuple):
    """What one line of a chat led to.

    Attributes:
        bank: The bank after the line.
        text: What the user is shown; empty after a turn that was written.
        kind: "answer" of the model, "notice" about a command, or "written" for a turn that was remembered.
    """

    bank: Bank
    text: str
    kind: Literal["answer", "notice", "written"]


def chat(
    model: MemoryModel,
    bank: str | Path | None = None,
    name: str = "Ana",
    read: Callable[[str], str] = input,
    console: Console | None = None,
) -> Bank:
    """Chat in the terminal until /quit or the end of the input.

    Args:
        model: A model with a trained read.
        bank: Path of a saved bank to continue with; default: an empty one.
        name: The speaker of what is typed.
        read: Function that shows a prompt and returns the next line.
        console: Where the replies are printed.

    Returns:
        The bank at the end.
    """
    console = console or Console(highlight=False, soft_wrap=True)
    if read is input and isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # odd bytes are then refused line by line
    current = model.new_bank() if bank is None else _load(model, bank)
    console.print(HELP, style="dim")
    while True:
        try:
            line = read(f"{name}: ").strip()
            if not line:
                continue
            if line in ("/quit", "/exit"):
                return current
            reply = respond(model, current, line, name)
        except (EOFError, KeyboardInterrupt):
            return current
        except (LmemError, OSError, UnicodeError) as error:  # nothing may cost the bank
            console.print(str(error), style="red", markup=False, soft_wrap=True)
            continue
        current = reply.bank
        if reply.kind == "answer":
            console.print(f"lmem: {reply.text}", markup=False)
        elif reply.kind == "notice":
            console.print(reply.text, style="dim", markup=False)


def respond(model: MemoryModel, bank: Bank, line: str, name: str = "Ana") -> Reply:
    """Process one line of the chat: a command, a question, or a turn to remember. `bank` is not changed.

    Raises:
        LmemError: The line or the file cannot be used; nothing has been written then.
    """
    command, _, rest = line.partition(" ")
    if command == "/new":
        return Reply(model.new_bank(), "a new, empty bank", "notice")
    if command in ("/save", "/save!"):
        path = _file(rest)
        if command == "/save" and os.path.isfile(path):
            raise InputError(f"expected a new file, {path} exists; /save! {path} replaces it")
        bank.save(path)
        return Reply(bank, f"saved {path}, {bank.turns_written[0]} turns", "notice")
    if command == "/load":
        bank = _load(model, _file(rest))
        return Reply(bank, f"loaded, {bank.turns_written[0]} turns", "notice")
    if command == "/bank":
        turns = sorted(set(bank.state.written[0].tolist()) - {-1})
        text = f"{bank.turns_written[0]} turns written, rows from the turns {turns}"
        return Reply(bank, text, "notice")
    if command.startswith("/"):
        return Reply(bank, HELP, "notice")
    if is_question(line):
        return Reply(bank, model.answer(bank, line), "answer")
    return Reply(model.write(bank, [{"speaker": name, "text": line}]), "", "written")


def is_question(line: str) -> bool:
    """Say whether a line ends with a question mark of any script.

    After the mark there may be quotes, brackets, exclamation marks and emoji: `?!`, `?"`, `？`, `؟`. Greek asks with a
    semicolon, and Armenian marks a vowel inside the word that is asked for.
    """
    if "\N{ARMENIAN QUESTION MARK}" in line:
        return True
    end = len(line)
    while end and _may_follow(line[end - 1]):
        end -= 1
    last = line[end - 1 : end]
    if last == ";":
        return re.search("[\u0370-\u03ff\u1f00-\u1fff]", line) is not None
    return _is_question_mark(last)


def _is_question_mark(character: str) -> bool:
    """Say whether Unicode's name of a character is that of a question mark."""
    name = unicodedata.name(character, "") if character else ""
    return "QUESTION" in name or "INTERROBANG" in name


def _may_follow(character: str) -> bool:
    """Say whether a character may come after the question mark that ends a line."""
    if _is_question_mark(character):
        return False
    kind = unicodedata.category(character)
    return character in "\"'!！*_~" or kind in ("Pe", "Pf", "Pi", "Zs", "Cf", "Mn", "So", "Sk")


def _file(text: str) -> Path:
    """Return the file that a command names, without quotes and with ~ expanded; FILE if it names none."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    try:
        return Path(text or FILE).expanduser()
    except RuntimeError as error:  # ~somebody, whom this machine does not know
        raise InputError(f"expected the name of a file, not {text!r}: {error}") from error


def _load(model: MemoryModel, path: str | Path) -> Bank:
    bank = Bank.load(path)
    model.check(bank)
    return bank
