"""Show the code that a chapter teaches, as it is in the package; no pasted copies."""

import inspect

from IPython.core.display import Markdown

from lmem.errors import InputError


def show(thing: object) -> Markdown:
    """Show the source of a class, function or module as highlighted text in a notebook.

    Raises:
        InputError: It has no Python source.
    """
    try:
        source = inspect.getsource(thing)  # pyright: ignore[reportArgumentType]
    except (TypeError, OSError) as error:
        raise InputError(
            f"expected a class, function or module written in Python, not {thing!r}"
        ) from error
    return Markdown(f"```python\n{source.rstrip()}\n```")
