"""Show the code that a chapter teaches, as it stands in the package; no pasted copies."""

import inspect

from lmem.errors import InputError


def show(thing):
    """The source of a class, function or module, as highlighted text in a notebook.

    raises  InputError if it has no Python source
    """
    from IPython.display import Markdown

    try:
        source = inspect.getsource(thing)
    except (TypeError, OSError) as error:
        raise InputError(
            f"expected a class, function or module written in Python, not {thing!r}"
        ) from error
    return Markdown(f"```python\n{source.rstrip()}\n```")
