"""Slides of chapters, made from the notebooks: what they say and draw, as it is stored; nothing is run.

python book/tools/slides.py _build/slides notebooks/04*.ipynb notebooks/06*.ipynb        `make slides`

A section of a chapter is a slide with its first paragraph, formulas, lists and tables. The other paragraphs become notes of the speaker
(key S). Below it, each cell of code has a slide of its own, without its code where that is long or draws a figure. What comes from the
quiz on is left out. Figures keep their sliders: they are drawn by the plotly.js of the installed plotly, which is copied into the folder.

The slides are nbconvert's, shown by reveal.js. It, MathJax and RequireJS come from the network; --reveal URL names another copy of reveal.js.
"""

import argparse
import json
import re
import shutil
import sys
from html import escape
from importlib.metadata import distribution
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from traitlets.config import Config

import notebooks

PLOTLY = Path(distribution("plotly").locate_file("plotly/package_data/plotly.min.js"))
MIME = "application/vnd.plotly.v1+json"
LONGEST = 16  # lines of code that fit on a slide
SETUP, END = (
    "import importlib.util",
    "## Quiz",
)  # where the first cell of code begins, and what comes last
# what a slide shows of a section besides its first paragraph
BLOCK = re.compile(r"#+ |[-*] |[>|]|\d+\. |\$\$|!\[|\*\*[^*]+\*\*\s*$")
FIGURE = """\
<div id="{name}" class="lmem-plotly" role="img" aria-label="{alt}"></div>
<script>window.addEventListener("load", function () {{
  var figure = {figure};
  Plotly.newPlot("{name}", figure.data, figure.layout).then(function () {{ Plotly.addFrames("{name}", figure.frames || []); }});
}});</script>"""


def slides(notebook):
    """A notebook whose cells are slides; returns a new one."""
    cells = []
    for cell in notebook.cells:
        text, tags = cell.source, set(cell.metadata.get("tags", ()))
        if text.startswith(END):
            break
        if text.startswith(SETUP):
            continue
        if cell.cell_type == "markdown":
            cells += [made for part in sections(text) for made in section(part)]
        elif cell.outputs or len(text.splitlines()) <= LONGEST:
            figure = any(MIME in output.get("data", {}) for output in cell.outputs)
            long = figure or len(text.splitlines()) > LONGEST or "hide-input" in tags
            made = nbformat.v4.new_code_cell(text, metadata=kind("subslide"))
            made.metadata["tags"] = ["long"] if long else []
            made.outputs = [drawn(o, f"{cell.id}-{i}") for i, o in enumerate(cell.outputs)]
            cells.append(made)
    return nbformat.v4.new_notebook(cells=cells)


def sections(text):
    """A text, cut before each heading of the second level."""
    return [part.strip() for part in re.split(r"(?m)^(?=## )", text) if part.strip()]


def section(text):
    """The cells of one section: what is shown, and notes for the speaker."""
    shown, notes, paragraphs = [], [], 0
    for block in re.split(r"\n{2,}", text):
        if BLOCK.match(block) or paragraphs == 0:
            shown.append(block)
            paragraphs += not BLOCK.match(block)
        else:
            notes.append(block)
    begins = "slide" if text.startswith("#") else "subslide"
    cells = [nbformat.v4.new_markdown_cell("\n\n".join(shown), metadata=kind(begins))]
    if notes:
        cells.append(nbformat.v4.new_markdown_cell("\n\n".join(notes), metadata=kind("notes")))
    return cells


def kind(name):
    return {"slideshow": {"slide_type": name}}


def drawn(output, name):
    """An output as nbconvert shows it: a figure of plotly becomes HTML, and its text alternative a label."""
    figure = output.get("data", {}).get(MIME)
    if figure is None:
        return output
    inside = json.dumps(figure, separators=(",", ":")).replace("<", "\\u003c")
    shown = FIGURE.format(name=name, alt=escape(figure["layout"]["meta"]["alt"]), figure=inside)
    return nbformat.v4.new_output("display_data", {"text/html": shown})


def exporter(reveal=""):
    """nbconvert's exporter with slides that scroll, and without the code of cells that are long."""
    config = Config()
    config.SlidesExporter.reveal_scroll = True
    if reveal:
        config.SlidesExporter.reveal_url_prefix = reveal
    config.TagRemovePreprocessor.enabled = True
    config.TagRemovePreprocessor.remove_input_tags = {"long"}
    config.HTMLExporter.exclude_input_prompt = config.HTMLExporter.exclude_output_prompt = True
    return SlidesExporter(config=config)


def main(*arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder of the slides")
    parser.add_argument("notebooks", type=Path, nargs="+")
    parser.add_argument("--reveal", default="", help="address of a copy of reveal.js")
    chosen = parser.parse_args(arguments)
    chosen.out.mkdir(parents=True, exist_ok=True)
    shutil.copy(PLOTLY, chosen.out)
    made = exporter(chosen.reveal)
    for path in chosen.notebooks:
        deck = slides(nbformat.reads(notebooks.stored(path), as_version=4))
        deck.metadata["title"] = deck.cells[0].source.splitlines()[0].lstrip("# ")
        page, _ = made.from_notebook_node(deck)
        script = f'<script src="{PLOTLY.name}"></script>\n</head>'
        file = chosen.out / f"{path.stem}.html"
        file.write_text(page.replace("</head>", script, 1), encoding="utf-8")
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
