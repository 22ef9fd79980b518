"""`lmem` on the command line. Every verb that prints results also takes --json; errors are one sentence and exit code 2.

One file for each group of verbs. A verb imports what it needs when it runs, so that --help starts fast.
"""

import sys

import typer
from rich.console import Console

from lmem.cli import bench, bench_large, book, data, full, judge, look, make, talk
from lmem.errors import LmemError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="A latent memory for frozen encoder-decoder language models.",
)  # fmt: skip
for group in (look, make, judge, full, talk, book):
    app.add_typer(group.verbs)
app.add_typer(data.verbs, name="data")
bench.verbs.registered_commands += bench_large.verbs.registered_commands
app.add_typer(bench.verbs, name="bench")


def main():
    """Entry point: LmemError becomes one sentence on the error stream and exit code 2."""
    try:
        app()
    except LmemError as error:
        Console(stderr=True).print(
            f"lmem: {error}", style="red", soft_wrap=True, markup=False, highlight=False
        )
        sys.exit(2)
