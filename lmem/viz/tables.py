"""Rows of values as a small table in a notebook, open to be read (beside `plots.numbers`, which folds it under a figure)."""

import re
from html import escape

from lmem.errors import InputError

NUMBERS = re.compile(r"[-+]?\d[-+\d.,/ \[\]]*|-")


def table(rows, caption=""):
    """A table that scrolls by itself where the page is narrow: HTML.

    rows     list of {column: value}, all of the same columns; numbers stand to the right, texts to the left
    caption  a line above it
    raises   InputError without a row, or if rows have different columns
    """
    from IPython.display import HTML

    columns = {tuple(row) for row in rows}
    if len(columns) != 1:
        raise InputError(
            f"expected rows of the same columns, at least one, not {len(columns)} kinds"
        )
    [names] = columns
    right = [all(_number(row[name]) for row in rows) for name in names]
    head = "".join(
        f'<th scope="col"{_to(side)}>{escape(str(name))}</th>'
        for name, side in zip(names, right, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_to(side)}>{escape(str(row[name]))}</td>"
            for name, side in zip(names, right, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return HTML(
        f'<div style="overflow-x:auto" tabindex="0"><table class="table">{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _number(value):
    """Whether a value is a number, or a text of nothing but numbers, such as one with its interval."""
    return not isinstance(value, bool) and bool(NUMBERS.fullmatch(str(value)))


def _to(right):
    side = "right" if right else "left"
    return f' style="text-align:{side};min-width:4em"'
