"""The live pieces of the book: a model that runs in the reader's browser (`lmem.viz.live`).

A page asks for a piece with `<div class="lmem-live" data-piece="talk">`; what stands inside is shown where scripts are off. The
engine and the weights are written among the static files when the site is built, and only pages with a piece load scripts. The
parts of a piece are a list inside it, and a link can lead to each, as to a heading: `journey_of_a_fact.md#write`.
"""

import re
from pathlib import Path

from docutils import nodes

from lmem.viz.live import site

PIECE = re.compile(r'class="lmem-live"[^>]* data-piece="(\w+)"')
PART = re.compile(r'<li id="([\w-]+)"><b>([^<]+)</b>')


def write_files(app):
    """Put engine, pieces and weights among the static files."""
    fresh = Path(app.doctreedir) / "_live"
    site.write(fresh / "live")
    app.config.html_static_path.append(str(fresh))


def name_parts(app, doctree):
    """Tell myst the parts of a piece, so that a link to a part that is not there is a warning."""
    slugs = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for raw in doctree.findall(nodes.raw):
        slugs |= {part: (raw.line, part, name) for part, name in PART.findall(raw.astext())}


def add_scripts(app, pagename, templatename, context, doctree):
    """Load the pieces on the pages that have one."""
    if pieces := PIECE.findall(context.get("body", "")):
        for style in site.STYLES:
            app.add_css_file(f"live/{style.relative_to(site.HERE).as_posix()}")
        for piece in site.scripts_for(pieces):
            app.add_js_file(
                f"live/{piece.relative_to(site.HERE).as_posix()}", loading_method="defer"
            )


def setup(app):
    app.connect("builder-inited", write_files)
    app.connect("doctree-read", name_parts)
    app.connect("html-page-context", add_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
