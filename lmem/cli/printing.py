"""How results are saved and printed: as JSON, as names and values, as rows under a header."""

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import typer

from lmem.cli.options import Json, Out
from lmem.evaluation import results


class Report(NamedTuple):
    """What a verb returns.

    Attributes:
        result: What --json prints.
        title: The line above the values.
        shown: What is printed without --json: values by name, or a function that prints; default: the result.
        saved: What --out writes; default: the result.
        code: The exit code.
    """

    result: Mapping[str, Any]
    title: str | None = None
    shown: Mapping[str, Any] | Callable[[], object] | None = None
    saved: Any = None
    code: int = 0


def command(
    app: typer.Typer, name: str | None = None, saves: bool = False
) -> Callable[[Callable[..., Report | None]], object]:
    """Make a verb of a function that returns a report: it gets the option --json, and --out if it `saves`.

    A function that has `as_json` or `out` among its own parameters is given it too.

    Args:
        app: Where the verb belongs.
        name: Of the verb; default: that of the function.
        saves: Whether --out writes the result.
    """
    added: dict[str, Any] = {"out": (Out, None)} if saves else {}
    added["as_json"] = (Json, False)

    def decorate(make: Callable[..., Report | None]) -> object:
        own = inspect.signature(make)

        @wraps(make)
        def verb(*, as_json: bool, out: Path | None = None, **options: Any) -> None:
            given = {"as_json": as_json, "out": out}
            options |= {name: given[name] for name in given if name in own.parameters}
            if report := make(**options):
                write(report, out if saves else None, as_json)

        new = [
            inspect.Parameter(
                option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
            )
            for option, (kind, default) in added.items()
            if option not in own.parameters
        ]
        signature = own.replace(parameters=[*own.parameters.values(), *new])
        verb.__signature__ = signature  # pyright: ignore[reportAttributeAccessIssue]
        verb.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
        return app.command(name)(verb)

    return decorate


def write(report: Report, out: Path | None, as_json: bool) -> None:
    """Save a report if there is a file for it, and print it."""
    if out:
        results.save(report.result if report.saved is None else report.saved, out)
    shown = report.result if report.shown is None else report.shown
    if as_json:
        dump(report.result)
    elif callable(shown):
        shown()
    else:
        show(shown, report.title)
    if report.code:
        raise typer.Exit(report.code)


def dump(result: Any) -> None:
    """Print a result as JSON; escaped where the output's encoding does not have all characters."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    escaped = not encoding.lower().replace("-", "").startswith("utf")
    typer.echo(json.dumps(result, indent=1, ensure_ascii=escaped))


def listing(rows: Sequence[Mapping[str, Any]], title: str) -> None:
    """Print rows, {column: value}, as a table with a header."""
    from lmem.evaluation import tables

    typer.echo(f"{title}\n\n{tables.render(rows)}\n")


def show(result: Mapping[str, Any], title: str | None = None) -> None:
    """Print a result's plain values as names and values (nested names joined by dots)."""
    values = dict(flat(result))
    width = max(map(len, values), default=0)
    lines = [f"{name:{width}}  {value}".rstrip() for name, value in values.items()]
    typer.echo("\n".join([title, "", *lines, ""] if title else [*lines, ""]))


def brief(summary: Mapping[str, Any], title: str) -> None:
    """Print a summary of an evaluation: a row for each condition, then the other figures."""
    from lmem.evaluation import tables

    if summary["n"]:
        listing(tables.condition_texts(summary), f"{title}: percent; bits over no bank")
    show(tables.figure_texts(summary))


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
