"""Progress bars, on the error stream, and only where someone can see them."""

import os
import sys

from rich.console import Console
from rich.progress import track as rich_track


def track(items, text, show=True):
    """Iterate over items with a bar, if `show` and the error stream is a terminal (TQDM_DISABLE=1 silences it too)."""
    if not show or not sys.stderr.isatty() or os.environ.get("TQDM_DISABLE"):
        return iter(items)
    return rich_track(items, description=text, console=Console(stderr=True), transient=True)
