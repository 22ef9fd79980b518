"""Chat: what you say is written into the bank, and what you ask is answered from the bank alone (chapters 1 and 10).

`respond` is the logic of one line, for the terminal and the widget. `chat` is the terminal.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from rich.console import Console

from lmem.errors import LmemError
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel

HELP = "say something to have it remembered, end with ? to ask; /save FILE  /load FILE  /new  /bank  /quit"
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
    current = model.new_bank() if bank is None else _load(model, bank)
    console.print(HELP, style="dim")
    while True:
        try:
            line = read(f"{name}: ").strip()
        except (EOFError, KeyboardInterrupt):
            return current
        if not line:
            continue
        if line in ("/quit", "/exit"):
            return current
        try:
            reply = respond(model, current, line, name)
        except (LmemError, OSError) as error:  # a full disk must not cost the bank
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
        OSError: The file cannot be read or written.
    """
    command, _, rest = line.partition(" ")
    path = rest.strip() or FILE
    if command == "/new":
        return Reply(model.new_bank(), "a new, empty bank", "notice")
    if command == "/save":
        bank.save(path)
        return Reply(bank, f"saved {path}, {bank.turns_written[0]} turns", "notice")
    if command == "/load":
        bank = _load(model, path)
        return Reply(bank, f"loaded, {bank.turns_written[0]} turns", "notice")
    if command == "/bank":
        turns = sorted(set(bank.state.written[0].tolist()) - {-1})
        text = f"{bank.turns_written[0]} turns written, rows from the turns {turns}"
        return Reply(bank, text, "notice")
    if command.startswith("/"):
        return Reply(bank, HELP, "notice")
    if line.endswith("?"):
        return Reply(bank, model.answer(bank, line), "answer")
    return Reply(model.write(bank, [f"{name}: {line}"]), "", "written")


def _load(model: MemoryModel, path: str | Path) -> Bank:
    bank = Bank.load(path)
    model.check(bank)
    return bank
