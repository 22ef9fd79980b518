"""Progress bars, on the error stream, and only where someone can see them."""

import os
import sys

from rich.console import Console
from rich.progress import track as rich_track


def track(items, text, show=True, total=None):
    """Iterate over items with a bar, if `show` and the error stream is a terminal (TQDM_DISABLE=1 silences it too).

    total  how many, if the items themselves do not say
    """
    if not show or not sys.stderr.isatty() or os.environ.get("TQDM_DISABLE"):
        return iter(items)
    return rich_track(items, text, total, console=Console(stderr=True), transient=True)
