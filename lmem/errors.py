"""Errors: every error that a user can cause is an LmemError, and its message is one clear sentence.

The sentence says what was expected and what was found. The command line prints it and exits with code 2.
"""


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
