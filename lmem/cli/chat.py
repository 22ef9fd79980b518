"""Verbs that try it out: a chat, and a short run of everything."""

from pathlib import Path
from typing import Annotated

import typer

from lmem.cli.options import Adapter, Json
from lmem.cli.printing import brief, dump, show

verbs = typer.Typer()


@verbs.command()
def chat(
    adapter: Adapter = None,
    bank: Annotated[Path | None, typer.Option(help="A saved bank to go on with.")] = None,
    name: Annotated[str, typer.Option(help="Who you are.")] = "Ana",
):
    """Talk to it; what you say is written, what you ask (?) is answered from the bank. /save, /load, /new, /quit."""
    from lmem.chat import session
    from lmem.memory.model import MemoryModel

    model = (
        MemoryModel.from_pretrained(adapter) if adapter else MemoryModel.from_shipped("nano-keyed")
    )
    session.chat(model, bank, name)


@verbs.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for adapter and result.")] = Path("_build/demo"),
    steps: int = 120,
    as_json: Json = False,
):
    """A short run of everything: train `recent` on tinyworld, evaluate it, write adapter and result file."""
    from lmem.experiments import runner

    found = runner.run_demo(out, steps)
    if as_json:
        return dump(found)
    brief(found.pop("summary"), "lmem demo")
    show(found, as_json, None)
