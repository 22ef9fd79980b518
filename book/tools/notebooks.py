"""Run the notebooks and store what they say, in a form that two runs make the same to the byte.

python book/tools/notebooks.py refresh notebooks/*.ipynb
python book/tools/notebooks.py check notebooks/*.ipynb
"""

import json
import re
import sys
from pathlib import Path

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def normalise(notebook):
    """A notebook (plain JSON) without what differs from run to run; returns a new one.

    Timings and versions go, the kernel is any Python 3, widgets are numbered in the order of their use.
    """
    notebook = json.loads(_renumber(json.dumps(notebook)))
    widgets = notebook["metadata"].get("widgets")
    notebook["metadata"] = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    if widgets:
        notebook["metadata"]["widgets"] = widgets
    for number, cell in enumerate(notebook["cells"], 1):
        cell["id"] = f"c{number:02d}"
        cell["metadata"] = {k: v for k, v in cell["metadata"].items() if k in ("tags", "jupyter")}
        for output in cell.get("outputs", []):
            if "metadata" in output:
                output["metadata"] = {}
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    return notebook


def _renumber(text):
    """Widget ids, 32 hexadecimal digits, as numbers in the order in which they appear."""
    seen = {}
    return re.sub(r'"([0-9a-f]{32})"', lambda m: f'"{seen.setdefault(m[1], len(seen)):032x}"', text)


def write(notebook, path):
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    Path(path).write_text(text, encoding="utf-8")


def refresh(path):
    """Execute in place, from top to bottom, then normalise."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", store_widget_state=True)
    client.execute(cwd=str(Path(path).parent))
    write(normalise(notebook), path)


def check(path):
    """True if the stored notebook is in normal form."""
    text = Path(path).read_text(encoding="utf-8")
    notebook = json.loads(text)
    return (
        text == json.dumps(normalise(notebook), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    )


def main(verb, *paths):
    if verb == "refresh":
        for path in paths:
            refresh(path)
            print(f"run and stored: {path}")
        return 0
    if verb == "check":
        wrong = [path for path in paths if not check(path)]
        print("\n".join(f"not in normal form: {path}" for path in wrong) or "all in normal form")
        return int(bool(wrong))
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 1 else main(""))
