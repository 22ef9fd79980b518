"""The command line: one file per group of verbs.

A verb reads options, calls other folders and returns a report, which `printing` saves and prints.
No experiment or model logic lives here.
"""

import io
import sys

import typer
from rich.console import Console

from lmem.cli import bench, book, chat, data, evaluate, inspect, reproduce, train
from lmem.errors import LmemError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A latent memory for frozen encoder-decoder language models.",
)
for group in (inspect, train, evaluate, reproduce, chat, book):
    app.add_typer(group.verbs)
app.add_typer(data.verbs, name="data")
app.add_typer(bench.verbs, name="bench")


def main() -> None:
    """Run the command line; an LmemError becomes one sentence on the error stream and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # characters that the terminal does not have become escapes
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except LmemError as error:
        Console(stderr=True).print(
            f"lmem: {error}", style="red", soft_wrap=True, markup=False, highlight=False
        )
        sys.exit(2)
