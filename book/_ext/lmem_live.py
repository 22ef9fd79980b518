"""The live pieces of the book: a model that runs in the reader's browser (`lmem.viz.live`).

A page asks for a piece with `<div class="lmem-live" data-piece="talk">`; what stands inside is shown where scripts are off. The
engine and the weights are written among the static files when the site is built, and only pages with a piece load scripts.
"""

import re
from pathlib import Path

from lmem.viz.live import site

PIECE = re.compile(r'class="lmem-live"[^>]* data-piece="(\w+)"')


def write_files(app):
    """Put engine, pieces and weights among the static files."""
    fresh = Path(app.doctreedir) / "_live"
    site.write(fresh / "live")
    app.config.html_static_path.append(str(fresh))


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
    app.connect("html-page-context", add_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
