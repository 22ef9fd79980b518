"""The verb that measures the book: every notebook runs once, with its seconds and its memory."""

from pathlib import Path
from typing import Annotated

import typer

from lmem.cli.options import Json, Out
from lmem.cli.printing import dump, listing

verbs = typer.Typer()


@verbs.command("time-book")
def time_book(
    notebooks: Annotated[
        list[Path] | None, typer.Argument(help="Notebooks; default: all in notebooks/.")
    ] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Run every notebook once on this machine: seconds, CPU seconds, peak memory. Nothing is stored in them."""
    from lmem.bench.book import table, time_notebooks
    from lmem.evaluation import results

    result = time_notebooks(notebooks or sorted(Path("notebooks").glob("*.ipynb")))
    if out:
        results.save(result, out)
    if as_json:
        return dump(result)
    machine = result["provenance"]["machine"]
    about = ", ".join(str(machine[name]) for name in ("system", "processor", "device"))
    listing(table(result), f"{result['total_seconds']:.0f} s in all; {about}")
