"""Verbs that try it out: a chat, and a short run of everything."""

from pathlib import Path
from typing import Annotated

import typer

from lmem.cli.options import Adapter, Json, opt
from lmem.cli.printing import brief, dump, show

verbs = typer.Typer()


@verbs.command()
def chat(
    adapter: Adapter = None,
    bank: Annotated[Path | None, opt("A saved bank to go on with.")] = None,
    name: Annotated[str, opt("Who you are.")] = "Ana",
) -> None:
    """Talk to it; what you say is written, what you ask (?) is answered from the bank. /save, /load, /new, /quit."""
    from lmem.chat import session
    from lmem.memory.model import MemoryModel

    shipped = MemoryModel.from_shipped
    model = MemoryModel.from_pretrained(adapter) if adapter else shipped("nano-keyed")
    session.chat(model, bank, name)


@verbs.command()
def demo(
    out: Annotated[Path, opt("Folder for adapter and result.")] = Path("_build/demo"),
    steps: int = 120,
    as_json: Json = False,
) -> None:
    """A short run of everything: train `recent` on tinyworld, evaluate it, write adapter and result file."""
    from lmem.experiments import runner

    report = runner.run_demo(out, steps)
    if as_json:
        return dump(report)
    brief(report.pop("summary"), "lmem demo")
    show(report, as_json, None)
