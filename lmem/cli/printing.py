"""How results are printed: as JSON, as names and values, as rows under a header."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer


def dump(result: Any) -> None:
    """Print a result as JSON; escaped where the output's encoding does not have all characters."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    escaped = not encoding.lower().replace("-", "").startswith("utf")
    typer.echo(json.dumps(result, indent=1, ensure_ascii=escaped))


def listing(rows: Sequence[Mapping[str, Any]], title: str) -> None:
    """Print rows, {column: value}, as a table with a header."""
    from lmem.evaluation import tables

    typer.echo(f"{title}\n\n{tables.render(rows)}\n")


def show(result: Mapping[str, Any], as_json: bool, title: str | None) -> None:
    """Print a result as JSON, or its plain values as names and values (nested names joined by dots)."""
    if as_json:
        return dump(result)
    values = dict(flat(result))
    width = max(map(len, values), default=0)
    lines = [f"{name:{width}}  {value}".rstrip() for name, value in values.items()]
    typer.echo("\n".join([title, "", *lines, ""] if title else [*lines, ""]))


def brief(summary: Mapping[str, Any], title: str) -> None:
    """Print a summary of an evaluation: a row for each condition, then the other figures."""
    from lmem.evaluation import tables

    if summary["n"]:
        listing(tables.condition_texts(summary), f"{title}: percent; bits over no bank")
    show(tables.figure_texts(summary), False, None)


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield (dotted name, text) for every leaf; a mean with its interval is one leaf, a median with its range too."""
    if isinstance(value, dict) and {"mean", "low", "high"} <= set(value):
        from lmem.evaluation import tables

        n = f", n = {value['n']}" if "n" in value else ""
        yield name, tables.with_interval(value, lambda x: f"{x:.3f}") + n
    elif isinstance(value, dict) and set(value) == {"min", "median", "max"}:
        yield name, f"{value['median']:.4g}  [{value['min']:.4g}, {value['max']:.4g}]"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        yield name, ", ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in value)
    else:
        yield name, f"{value:.4g}" if isinstance(value, float) else str(value)
