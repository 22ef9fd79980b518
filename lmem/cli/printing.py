"""How results are printed: as JSON, as names and values, as rows under a header."""

import json

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table


def show(result, as_json, title):
    """A result as JSON, or as a table of its plain values (nested names joined by dots)."""
    if as_json:
        return dump(result)
    table = Table(title=title, show_header=False)
    for name, value in flat(result):
        table.add_row(name, value)
    Console(markup=False).print(table)


def dump(result):
    """A result as JSON."""
    typer.echo(json.dumps(result, indent=1, ensure_ascii=False))


def listing(rows, title):
    """Rows of texts by column, {column: text}, as a table with a header."""
    table = Table(title=title, box=SIMPLE, collapse_padding=True, pad_edge=False)
    for i, column in enumerate(rows[0]):
        name = column in ("result", "method")  # long names may break, numbers do not
        table.add_column(
            column,
            overflow="fold",
            no_wrap=not name,
            min_width=8 if name else None,
            justify="left" if name or not i else "right",
        )
    for row in rows:
        table.add_row(*row.values())
    console = Console(markup=False)
    if not console.is_terminal:  # a file has no edge
        console.width = 140
    console.print(table)


def brief(summary, title):
    """A summary of `lmem.evaluation.evaluate`: a line for each condition, then the headline figures."""
    from lmem.evaluation import tables

    if summary["n"]:
        listing(tables.printed_conditions(summary), f"{title}: percent; bits over no bank")
    show(tables.printed_figures(summary), False, None)


def flat(value, name=""):
    """(dotted name, text) for every leaf; a mean with its interval is one leaf, a median with its ends too."""
    if isinstance(value, dict) and {"mean", "low", "high"} <= set(value):
        n = f", n = {value['n']}" if "n" in value else ""
        ends = [value["low"], value["high"]]
        interval = (
            "no interval, one conversation" if None in ends else f"{ends[0]:.3f}, {ends[1]:.3f}"
        )
        yield name, f"{value['mean']:.3f}  [{interval}]{n}"
    elif isinstance(value, dict) and set(value) == {"min", "median", "max"}:
        yield name, f"{value['median']:.4g}  [{value['min']:.4g}, {value['max']:.4g}]"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        yield name, ", ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in value)
    else:
        yield name, f"{value:.4g}" if isinstance(value, float) else str(value)
