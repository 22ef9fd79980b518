"""Progress bars, on the error stream, and only where someone can see them."""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

T = TypeVar("T")


def track(
    items: Iterable[T], text: str, show: bool = True, total: float | None = None
) -> Iterator[T]:
    """Iterate over items with a progress bar, if the error stream is a terminal.

    Args:
        items: What to iterate over.
        text: The bar's label.
        show: Without it there is no bar; TQDM_DISABLE=1 has the same effect.
        total: Number of items, if they have no length.
    """
    if not show or not sys.stderr.isatty() or os.environ.get("TQDM_DISABLE"):
        return iter(items)
    console = Console(stderr=True)
    return iter(rich_track(items, text, total, console=console, transient=True))
