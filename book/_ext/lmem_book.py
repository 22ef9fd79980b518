"""What the site needs to work without a network: figures by one local plotly.js, formulas as MathML.

- Plotly figures come out of the notebooks as JSON. They are drawn by one plotly.min.js, copied from the installed plotly at
  build time, when they scroll into view; a figure without a text alternative (`layout.meta.alt`) is a warning, and
  warnings are errors.
- Formulas become MathML, which browsers draw by themselves.
- Scripts of the theme that nothing here uses are dropped.
"""

import json
import shutil
from html import escape
from pathlib import Path

import plotly
from docutils import nodes
from latex2mathml.converter import convert
from latex2mathml.exceptions import NoAvailableTokensError
from myst_nb.core import render
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

MIME = "application/vnd.plotly.v1+json"
log = logging.getLogger(__name__)


class PlotlyRenderer:
    """A renderer of myst-nb for plotly's JSON."""

    mime_priority_overrides = [("*", MIME, 1)]

    @staticmethod
    def handle_mime(renderer, data, inline):
        if data.mime_type != MIME or inline:
            return None
        figure = data.content if isinstance(data.content, dict) else json.loads(data.content)
        layout = figure.get("layout", {})
        alt = (layout.get("meta") or {}).get("alt", "")
        if not alt:
            log.warning(
                "a plotly figure has no text alternative in layout.meta.alt",
                location=renderer.document["source"],
                type="lmem",
            )
        role = "figure" if layout.get("sliders") or layout.get("updatemenus") else "img"
        renderer.add_js_file("plotly", "plotly.min.js", {"defer": "defer"})
        renderer.add_js_file("lmem-plotly", "lmem_plotly.js", {"defer": "defer"})
        inside = json.dumps({k: figure.get(k, []) for k in ("data", "layout", "frames")})
        inside = inside.replace("</", "<\\/")  # nothing in it ends the script element
        html = (
            f'<div class="lmem-plotly" role="{role}" aria-label="{escape(alt)}" '
            f'style="min-height:{int(layout.get("height", 380))}px">'
            f'<script type="application/json">{inside}</script>'
            f"<noscript><p>{escape(alt)}</p></noscript></div>"
        )
        return [nodes.raw(text=html, format="html", classes=["output"])]


def add_plotly(app):
    """Put plotly.min.js of the installed wheel among the static files; nothing large is in the repository."""
    fresh = Path(app.outdir) / "_lmem_static"
    fresh.mkdir(parents=True, exist_ok=True)
    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    shutil.copyfile(source, fresh / "plotly.min.js")
    app.config.html_static_path.append(str(fresh))


def known_renderers(load):
    """myst-nb looks for renderers among installed packages; ours is local."""

    def wrapped():
        return [*load(), PlotlyRenderer]

    return wrapped


def mathml(latex, display):
    """A formula as MathML; its LaTeX stays with it for those who copy it."""
    try:
        return convert(latex, display="block" if display else "inline")
    except (NoAvailableTokensError, ValueError, KeyError, IndexError) as error:
        log.warning("a formula cannot be written as MathML: %s (%s)", latex, error, type="lmem")
        return f"<code>{escape(latex)}</code>"


def visit_inline(self, node):
    self.body.append(f'<span class="math">{mathml(node.astext(), False)}</span>')
    raise nodes.SkipNode


def visit_block(self, node):
    self.body.append(f'<div class="math"{_anchor(node)}>{mathml(node.astext(), True)}')
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})</span>')
    self.body.append("</div>")
    raise nodes.SkipNode


def _anchor(node):
    return f' id="{escape(node["ids"][0])}"' if node.get("ids") else ""


def drop_scripts(app, pagename, templatename, context, doctree):
    """Leave out thebe, which the theme adds twice and nothing here uses."""
    context["script_files"] = [s for s in context["script_files"] if "thebe" not in str(s).lower()]


def setup(app):
    render.load_mime_renders = known_renderers(render.load_mime_renders)
    app.connect("builder-inited", add_plotly)
    app.connect("html-page-context", drop_scripts, priority=900)
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
