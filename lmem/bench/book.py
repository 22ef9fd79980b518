"""How long the book takes: each notebook run once in a kernel of its own, which says what it used (`lmem time-book`)."""

import json
import time
from pathlib import Path

from lmem.errors import InputError
from lmem.utils import provenance
from lmem.utils.progress import track

USED = """
try:
    import json, resource, sys
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)]))
except ImportError:
    print("null")
"""


def time_notebooks(paths, kernel="python3"):
    """Run each notebook from top to bottom; the files stay as they are.

    returns  dict: backbone; notebooks, one each (name, title, seconds of the clock with the kernel's start, cpu_seconds and peak_mib of
             its kernel, None where a system cannot say, code_cells); total_seconds; provenance
    raises   InputError without a notebook, for one that is not there or stops with an error, and without nbclient
    """
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
    except ImportError as error:
        raise InputError('expected nbclient to run notebooks: pip install "lmem[book]"') from error
    paths, found = [Path(path) for path in paths], []
    if not paths:
        raise InputError("expected notebooks to run, found none")
    for path in paths:
        if not path.is_file():
            raise InputError(f"expected a notebook at {path}, there is none")
    begun = time.perf_counter()
    for path in track(paths, "running notebooks"):
        notebook = nbformat.read(path, as_version=4)
        count = sum(cell.cell_type == "code" for cell in notebook.cells)
        first = notebook.cells[0].source.splitlines()[0] if notebook.cells else ""
        notebook.cells.append(nbformat.v4.new_code_cell(USED))
        client = NotebookClient(
            notebook, timeout=1200, kernel_name=kernel, resources={"metadata": {"path": str(path.parent)}},
        )  # fmt: skip
        started = time.perf_counter()
        try:
            client.execute()
        except CellExecutionError as error:
            said = f"{error.ename}: {error.evalue}"
            raise InputError(f"expected {path} to run from top to bottom: {said}") from error
        used = json.loads(notebook.cells[-1].outputs[0]["text"])
        found.append(
            {
                "name": path.stem, "title": first.lstrip("# "), "seconds": round(time.perf_counter() - started, 1),
                "cpu_seconds": used and round(used[0], 1), "peak_mib": used and round(used[1]), "code_cells": count,
            }
        )  # fmt: skip
    total = round(time.perf_counter() - begun, 1)
    return {
        "backbone": "nano",
        "notebooks": found,
        "total_seconds": total,
        "provenance": provenance.provenance(0, {"all": total}),
    }


def table(found):
    """Its notebooks as rows of {column: text}."""
    return [
        {
            "notebook": one["title"],
            "seconds": f"{one['seconds']:.0f}",
            "CPU seconds": "-" if one["cpu_seconds"] is None else f"{one['cpu_seconds']:.0f}",
            "peak MiB": "-" if one["peak_mib"] is None else f"{one['peak_mib']:,}",
            "code cells": str(one["code_cells"]),
        }
        for one in found["notebooks"]
    ]
