"""How long the book takes: each notebook runs once in its own kernel, which reports what it used (`lmem time-book`)."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lmem.errors import InputError
from lmem.utils import provenance
from lmem.utils.progress import track

try:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
except ImportError as error:
    raise InputError('expected nbclient to run notebooks: pip install "lmem[book]"') from error

USED = """
try:
    import json, resource, sys
    used = resource.getrusage(resource.RUSAGE_SELF)
    mib = 1024 if sys.platform != "darwin" else 1024**2
    print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / mib]))
except ImportError:
    print("null")
"""


def time_notebooks(paths: Sequence[Path]) -> dict[str, Any]:
    """Run each notebook from top to bottom; the files are not changed.

    Args:
        paths: Notebooks.

    Returns:
        dict: backbone; notebooks, one each (name, title, seconds with the start of the kernel, cpu_seconds and peak_mib of its
        kernel, None where a system cannot say, code_cells); total_seconds; provenance.

    Raises:
        InputError: There is no notebook, one is missing, or one stops with an error.
    """
    if not paths:
        raise InputError("expected notebooks to run, found none")
    for path in paths:
        if not path.is_file():
            raise InputError(f"expected a notebook at {path}, there is none")
    begun = time.perf_counter()
    notebooks = [_time_notebook(path) for path in track(paths, "running notebooks")]
    total = round(time.perf_counter() - begun, 1)
    return {
        "backbone": "nano",
        "notebooks": notebooks,
        "total_seconds": total,
        "provenance": provenance.provenance(0, {"all": total}),
    }


def _time_notebook(path: Path) -> dict[str, Any]:
    notebook = nbformat.read(path, as_version=4)
    code_cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    first = notebook.cells[0].source.splitlines()[0] if notebook.cells else ""
    notebook.cells.append(nbformat.v4.new_code_cell(USED))
    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=1200, kernel_name="python3", resources=resources)
    begun = time.perf_counter()
    try:
        client.execute()
    except CellExecutionError as error:
        reason = f"{error.ename}: {error.evalue}"
        raise InputError(f"expected {path} to run from top to bottom: {reason}") from error
    used = json.loads(notebook.cells[-1].outputs[0]["text"])
    return {
        "name": path.stem,
        "title": first.lstrip("# "),
        "seconds": round(time.perf_counter() - begun, 1),
        "cpu_seconds": used and round(used[0], 1),
        "peak_mib": used and round(used[1]),
        "code_cells": code_cells,
    }


def table(result: dict[str, Any]) -> list[dict[str, str]]:
    """Return the notebooks of a result as rows of {column: text}."""
    return [
        {
            "notebook": row["title"],
            "seconds": f"{row['seconds']:.0f}",
            "CPU seconds": "-" if row["cpu_seconds"] is None else f"{row['cpu_seconds']:.0f}",
            "peak MiB": "-" if row["peak_mib"] is None else f"{row['peak_mib']:,}",
            "code cells": str(row["code_cells"]),
        }
        for row in result["notebooks"]
    ]
