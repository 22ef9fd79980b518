"""Rows of values as an HTML table in a notebook, open or folded."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from IPython.core.display import HTML

from lmem.errors import InputError

NUMBERS = re.compile(r"[-+]?\d[-+\d.,/ \[\]]*|-")


def table(rows: Sequence[Mapping[str, Any]], caption: str = "", folded: bool = False) -> HTML:
    """Show rows as a table that scrolls by itself where the page is narrow.

    Args:
        rows: {column: value} each, all with the same columns. Numbers are aligned to the right, texts to the left.
        caption: A line above the table.
        folded: Whether the reader opens the table by a click, as for the numbers behind a slider. The caption is
            then the line to click on.

    Raises:
        InputError: There is no row, or the rows have different columns.
    """
    if not folded:
        return HTML(html_table(rows, caption))
    summary = escape(caption or "The same in numbers")
    return HTML(f"<details><summary>{summary}</summary>{html_table(rows)}</details>")


def html_table(rows: Sequence[Mapping[str, Any]], caption: str = "") -> str:
    """Write rows as HTML; the arguments and errors are those of `table`."""
    columns = {tuple(row) for row in rows}
    if len(columns) != 1:
        raise InputError(
            f"expected rows of the same columns, at least one, not {len(columns)} kinds"
        )
    [names] = columns
    sides = ["right" if all(_is_number(row[name]) for row in rows) else "left" for name in names]
    looks = [f' style="text-align:{side};min-width:4em"' for side in sides]
    head = "".join(
        f'<th scope="col"{look}>{escape(str(name))}</th>'
        for name, look in zip(names, looks, strict=True)
    )
    lines = []
    for row in rows:
        values = zip(row.values(), looks, strict=True)
        lines.append("".join(f"<td{look}>{escape(str(value))}</td>" for value, look in values))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        '<div style="overflow-x:auto" tabindex="0"><table class="table">'
        f"{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _is_number(value: Any) -> bool:
    """Whether a value is a number, or a text of nothing but numbers, such as one with its interval."""
    return not isinstance(value, bool) and bool(NUMBERS.fullmatch(str(value)))
