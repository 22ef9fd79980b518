"""Chapters as HTML files to hand out, with their figures, made from the notebooks as they are stored; nothing is run.

python book/tools/handouts.py _build/handouts notebooks/04*.ipynb        `make handouts`

nbconvert alone leaves holes in place of the figures, because the notebooks store plotly's JSON and no HTML. Here the figures are those of
the slides, with their sliders, and each file has plotly.js inside it. MathJax and RequireJS come from the network. --students leaves out
the solutions, as the students' edition does.
"""

import argparse
import sys
from pathlib import Path

import editions
import nbformat
from nbconvert import HTMLExporter
from slides import PLOTLY, drawn

import notebooks


def handout(notebook, students=False):
    """A notebook whose figures are HTML, for students without its solutions; returns a new one."""
    made = editions.students(notebook) if students else editions.without(notebook, set())
    stored = {cell.id: cell.get("outputs", ()) for cell in notebook.cells}
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs = [drawn(o, f"{cell.id}-{i}") for i, o in enumerate(stored[cell.id])]
    made.metadata["title"] = made.cells[0].source.splitlines()[0].lstrip("# ")
    return made


def main(*arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder of the files")
    parser.add_argument("notebooks", type=Path, nargs="+")
    parser.add_argument("--students", action="store_true", help="leave out the solutions")
    chosen = parser.parse_args(arguments)
    chosen.out.mkdir(parents=True, exist_ok=True)
    script = f"<script>{PLOTLY.read_text(encoding='utf-8')}</script>\n</head>"
    for path in chosen.notebooks:
        notebook = nbformat.reads(notebooks.stored(path), as_version=4)
        page, _ = HTMLExporter().from_notebook_node(handout(notebook, chosen.students))
        file = chosen.out / f"{path.stem}.html"
        file.write_text(page.replace("</head>", script, 1), encoding="utf-8")
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
