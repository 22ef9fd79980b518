"""Errors: every error that a user can cause is an LmemError, and its message is one clear sentence.

The sentence says what was expected and what was found. The command line prints it and exits with code 2.
"""

from collections.abc import Iterable
from typing import Any


class LmemError(Exception):
    """The base class: `except LmemError` catches every error that this package raises on purpose."""


class DataError(LmemError, ValueError):
    """A file or a value of a conversation is missing, cut off, or has another form."""


class ShapeError(LmemError, ValueError):
    """Two arrays do not fit together."""


class BankError(LmemError, ValueError):
    """A bank of another method, size or backbone, or a file that holds no bank."""


class MethodError(LmemError, ValueError):
    """A method, read, write or site that does not exist or cannot be built this way."""


class InputError(LmemError, ValueError):
    """An argument, a setting or a text that cannot be used."""


def expect_out_of(
    what: str, known: Iterable[Any], *values: Any, error: type[LmemError] = InputError
) -> None:
    """Raise an error unless all values are among those that are known."""
    choices = list(known)
    for value in values:
        if value not in choices:
            raise error(f"expected {what} out of {', '.join(choices)}, not {value!r}")
