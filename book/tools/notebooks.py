"""Run the notebooks and store what they say, in a form that two runs make the same to the byte.

python book/tools/notebooks.py refresh notebooks/*.ipynb    run from top to bottom, store the outputs in normal form
python book/tools/notebooks.py check notebooks/*.ipynb      say which notebooks are not in normal form
python book/tools/notebooks.py fork owner/name              make another repository the book's own, in all it names

The repository's address is the setting repository.url in _config.yml; the first code cell of every notebook and the README's buttons are made from it.
"""

import copy
import re
import sys
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).parents[2]
SETUP = """\
import importlib.util
if importlib.util.find_spec("lmem") is None:
    %pip install -q "lmem @ git+{}@{}"
from lmem import notebook
notebook.setup()"""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
WIDGET = "application/vnd.jupyter.widget-view+json"
FOLDED = {  # a solution in JupyterLab, in Colab, on the site
    "jupyter": {"source_hidden": True},
    "cellView": "form",
    "mystnb": {"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"},
}
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def normalise(notebook):
    """A notebook (plain JSON) without what differs from run to run; returns a new one.

    Timings and versions go, the kernel is any Python 3, pieces of one stream are joined, widgets live with a kernel only. A
    cell keeps its id. Code that is tagged `solution` is folded, in every front end.
    """
    notebook = copy.deepcopy(notebook)
    notebook["metadata"] = {"kernelspec": dict(KERNEL), "language_info": {"name": "python"}}
    taken = set()
    for cell in notebook["cells"]:
        cell["id"] = cell_id(cell.get("id"), taken)
        tags = cell["metadata"].get("tags", [])
        cell["metadata"] = {k: v for k, v in cell["metadata"].items() if k in ("tags", "jupyter")}
        if cell["cell_type"] == "code":
            cell["outputs"] = joined(cell["outputs"])
            if "solution" in tags:
                folded = {"tags": sorted({*tags, "hide-input"}), **copy.deepcopy(FOLDED)}
                cell["metadata"] |= folded
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    return notebook


def cell_id(found, taken):
    """The cell's own id; a new one, by number, where it has none or another cell has the same."""
    number = len(taken) + 1
    while not found or not CELL_ID.fullmatch(found) or found in taken:
        found = f"c{number:02d}"
        number += 1
    taken.add(found)
    return found


def joined(outputs):
    """Outputs with neighbouring pieces of one stream in one: where a kernel cuts them is a matter of time. A widget is its text."""
    result = []
    for output in outputs:
        output.get("data", {}).pop(WIDGET, None)
        if "metadata" in output:
            output["metadata"] = {}
        before = result[-1] if result else {}
        streams = output["output_type"] == before.get("output_type") == "stream"
        if streams and output["name"] == before["name"]:
            before["text"] = "".join(before["text"]) + "".join(output["text"])
        else:
            result.append(output)
    return result


def as_text(notebook):
    """The file's text, as Jupyter itself writes it: sorted keys, one list item for each line."""
    return nbformat.writes(nbformat.from_dict(normalise(notebook)), version=4) + "\n"


def stored(path):
    return Path(path).read_text(encoding="utf-8")


def address(root=ROOT):
    """The repository's address: the one place where it is kept."""
    return yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]


def tag(root=ROOT):
    """The tag that a notebook installs: the package's version."""
    head = (root / "lmem/__init__.py").read_text(encoding="utf-8")
    return "v" + re.search(r'__version__ = "(.*)"', head)[1]


def setup_cell(root=ROOT):
    """The first code cell of every notebook: it installs the package at its tag, wherever it is missing, and sets up."""
    return SETUP.format(address(root), tag(root))


def fork(repository, root=ROOT):
    """Put owner/name into _config.yml, the README, CITATION.cff, the book's pages, and every notebook: its first code cell, links in stored outputs."""
    old, new = address(root), f"https://github.com/{repository}"
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        path.write_text(stored(path).replace(old, new), encoding="utf-8")
    forms = (
        "https://{}.github.io/{}/",
        "/github/{}/{}/",
        "https://github.com/{}/{}",
    )  # site, Colab, code
    texts = (root / name for name in ("_config.yml", "README.md", "CITATION.cff"))
    for path in (*texts, *sorted((root / "book").glob("*.md"))):
        text = stored(path)
        for form in forms:
            ours, theirs = (form.format(*one.split("/")[-2:]) for one in (old, new))
            text = text.replace(ours, theirs)
        path.write_text(text, encoding="utf-8")


def run(notebook, folder, kernel="python3"):
    """Execute from top to bottom in this folder; outputs are stored in the notebook."""
    from nbclient import NotebookClient

    NotebookClient(
        notebook, timeout=600, kernel_name=kernel, store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    ).execute()  # fmt: skip


def refresh(path):
    """Execute in place, then normalise; the file is written only if all went well."""
    notebook = nbformat.read(path, as_version=4)
    next(c for c in notebook.cells if c.cell_type == "code").source = setup_cell()
    run(notebook, Path(path).parent)
    Path(path).write_text(as_text(notebook), encoding="utf-8")


def check(path):
    """True if the stored notebook is in normal form."""
    return stored(path) == as_text(nbformat.reads(stored(path), as_version=4))


def main(verb="", *paths):
    if verb == "refresh" and paths:
        for path in paths:
            refresh(path)
            print(f"run and stored: {path}")
        return 0
    if verb == "check" and paths:
        wrong = [path for path in paths if not check(path)]
        print("\n".join(f"not in normal form: {path}" for path in wrong) or "all in normal form")
        return int(bool(wrong))
    if verb == "fork" and len(paths) == 1 and re.fullmatch(r"[\w.-]+/[\w.-]+", paths[0]):
        fork(*paths)
        print(f"the book's repository is now {address()}")
        print(
            f"where lmem is missing the notebooks install its tag {tag()}: before students use them, raise the version and push its tag "
            '(CONTRIBUTING.md, "A release")'
        )
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
