"""The verb that measures the book: every notebook runs once, with its seconds and its memory."""

from pathlib import Path
from typing import Annotated

import typer

from lmem.cli.printing import Report, command, listing

verbs = typer.Typer()


@command(verbs, "time-book", saves=True)
def time_book(
    notebooks: Annotated[
        list[Path] | None, typer.Argument(help="Notebooks; default: all in notebooks/.")
    ] = None,
) -> Report:
    """Run every notebook once on this machine: seconds, CPU seconds, peak memory. Nothing is stored in them."""
    from lmem.bench.book import table, time_notebooks

    result = time_notebooks(notebooks or sorted(Path("notebooks").glob("*.ipynb")))
    machine = result["provenance"]["machine"]
    about = ", ".join(str(machine[name]) for name in ("system", "processor", "device"))
    title = f"{result['total_seconds']:.0f} s in all; {about}"
    return Report(result, shown=lambda: listing(table(result), title))
