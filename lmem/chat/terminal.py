"""The chat in a terminal: it reads lines and prints replies. What a line means is decided in `session`."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from lmem.chat import commands
from lmem.chat.recovery import Recovery
from lmem.chat.reply import Reply, checked_name, turns_of
from lmem.chat.session import ChatSession
from lmem.errors import LmemError
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel

QUIT = ("/quit", "/exit", "/q")
NAME = "Ana"  # of somebody who gives none
SHIPPED = "mini-spans"  # the adapter that a chat uses by default


def chat(
    model: MemoryModel,
    bank: str | Path | None = None,
    name: str | None = NAME,
    read: Callable[[str], str] = input,
    console: Console | None = None,
    threshold: float | str | None = None,
    keep_ledger: bool = False,
    recovery: Recovery | None = None,
) -> Bank:
    """Chat in the terminal until /quit or the end of the input.

    Args:
        model: A model with a trained read.
        bank: Path of a saved bank to continue with; default: an empty one.
        name: The speaker of what is typed; None asks.
        read: Function that shows a prompt and returns the next line.
        console: Where the replies are printed.
        threshold: Answers of lower confidence are not given; default: as in `ChatSession`.
        keep_ledger: Save the ledger with every bank.
        recovery: Where a bank that is not saved is kept; None keeps none.

    Returns:
        The bank at the end.
    """
    console = console or Console(highlight=False, soft_wrap=True)
    if read is input and isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # odd bytes are then refused line by line
    session = ChatSession(model, NAME, None, threshold, keep_ledger, recovery)
    if bank is not None:
        print_reply(console, commands.load_at(session, Path(bank)))
    try:
        session.name = ask_name(read, console) if name is None else checked_name(name)
    except (EOFError, KeyboardInterrupt):
        return session.bank
    for line in session.introduction():
        console.print(line, style="dim", markup=False, soft_wrap=True)
    if recovery and recovery.others(session.name):
        ended = f"A chat of {session.name} ended without saving; /recover goes on with it."
        console.print(ended, style="dim", markup=False, soft_wrap=True)
    try:
        converse(session, read, console)
    except (EOFError, KeyboardInterrupt):
        if missing := not_saved(session):
            back = "; the next `lmem chat` brings it back with /recover"
            console.print(f"\n{missing}{back if session.recovery else ''}", style="dim")
        return session.bank
    if recovery:
        recovery.delete_all()
    return session.bank


def not_saved(session: ChatSession) -> str:
    """Say what leaving would lose; "" if nothing."""
    told, taken_back = session.unsaved - session.taken_back, session.taken_back
    lost = [turns_of(told)] if told else []
    lost += [f"{taken_back} taken back"] if taken_back else []
    lost += ["the chat that /recover goes back to"] if session.aside is not None else []
    return f"Not saved: {', '.join(lost)}" if lost else ""


def converse(session: ChatSession, read: Callable[[str], str], console: Console) -> None:
    """Read and answer lines until /quit, which asks once where something is not saved.

    Raises:
        EOFError: The input ended.
        KeyboardInterrupt: Ctrl-C was pressed while the prompt waited.
    """
    told = ""
    while True:
        try:
            line = read(f"{session.name}: ").strip()
        except UnicodeError as error:
            console.print(str(error), style="red", markup=False, soft_wrap=True)
            continue
        if line.lower() in QUIT:
            missing = not_saved(session)
            if missing in ("", told):
                return
            told = missing
            console.print(f"{told}. /save FILE, or {line} again.", style="dim", markup=False)
            continue
        if not line:
            continue
        try:
            print_reply(console, session.take(line))
        except KeyboardInterrupt:
            console.print("\nstopped; nothing was changed", style="dim", soft_wrap=True)
        except (LmemError, OSError, UnicodeError) as error:  # nothing may cost the bank
            console.print(str(error), style="red", markup=False, soft_wrap=True)


def print_reply(console: Console, reply: Reply) -> None:
    """Print a reply, and its note below it."""
    if reply.kind == "answer":
        console.print(f"lmem: {reply.text}", markup=False, soft_wrap=True)
    else:
        console.print(reply.text, style="dim", markup=False, soft_wrap=True)
    if reply.note:
        console.print(f"({reply.note})", style="dim", markup=False, soft_wrap=True)


def ask_name(read: Callable[[str], str], console: Console) -> str:
    """Ask for the speaker's name until one can be used; NAME if none is given."""
    while True:
        try:
            given = read(f"Your name [{NAME}]: ").strip()
            return checked_name(given or NAME)
        except (LmemError, UnicodeError) as error:
            console.print(str(error), style="red", markup=False, soft_wrap=True)
