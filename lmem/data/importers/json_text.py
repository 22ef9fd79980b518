"""JSON and JSON Lines, as a list of records."""

import json
from typing import Any

from lmem.errors import DataError


def records(text: str, name: str) -> list[Any]:
    """Read a JSON value or one value a line; a list is its elements, anything else one record.

    Raises:
        DataError: It is neither.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise DataError(f"expected JSON in {name}, it is nested too deeply") from error
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise DataError(f"expected whole JSON in {name}: {error}") from error
        return [_line(line, i, name) for i, line in enumerate(lines, 1)]
    return value if isinstance(value, list) else [value]


def _line(line: str, number: int, name: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"expected JSON in line {number} of {name}: {error}") from error
