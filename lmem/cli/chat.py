"""Verbs that try it out: a chat, and a short run of everything."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lmem.cli.options import Adapter, opt
from lmem.cli.printing import Report, brief, command, show

verbs = typer.Typer()


@verbs.command()
def chat(
    adapter: Adapter = None,
    bank: Annotated[Path | None, opt("A saved bank to go on with.")] = None,
    name: Annotated[str | None, opt("Who you are; default: you are asked.")] = None,
    threshold: Annotated[
        str | None,
        opt(
            "Answer only if at least this sure, such as 60%; default: 45% where values are copied, else 0%."
        ),
    ] = None,
    ledger: Annotated[
        bool,
        opt("Save next to each bank what was said; /why and /forget need it tomorrow.", "--ledger"),
    ] = False,
    autosave: Annotated[
        bool, opt("Keep a recovery file of what is not saved, in your state folder.")
    ] = True,
) -> None:
    """Talk to it: what you say is kept in the bank, and what you ask is answered from the bank alone. /help, /quit."""
    from lmem.chat import terminal
    from lmem.chat.recovery import Recovery
    from lmem.chat.reply import checked_name, checked_threshold
    from lmem.memory.model import MemoryModel

    if threshold is not None:
        checked_threshold(threshold)
    if name is None and not sys.stdin.isatty():
        name = terminal.NAME
    elif name is not None:
        checked_name(name)
    shipped = MemoryModel.from_shipped
    model = MemoryModel.from_pretrained(adapter) if adapter else shipped(terminal.SHIPPED)
    recovery = Recovery() if autosave else None
    terminal.chat(model, bank, name, threshold=threshold, keep_ledger=ledger, recovery=recovery)


@command(verbs)
def demo(
    out: Annotated[Path, opt("Folder for adapter and result.")] = Path("_build/demo"),
    steps: int = 120,
) -> Report:
    """A short run of everything: train `recent` on tinyworld, evaluate it, write adapter and result file."""
    from lmem.experiments import runner

    report = runner.run_demo(out, steps)

    def shown() -> None:
        brief(report["summary"], "lmem demo")
        show({name: value for name, value in report.items() if name != "summary"})

    return Report(report, shown=shown)
