"""What the site needs to work without a network: one local plotly.js for the figures, one local MathJax for the formulas.

- Plotly figures come out of the notebooks as JSON. They are drawn when they scroll into view; a figure without a text
  alternative (`layout.meta.alt`) is a warning, and warnings are errors.
- Both libraries are copied at build time out of installed packages: nothing large is in the repository, and the figures
  are drawn by the plotly.js that belongs to the installed plotly.
- Of plotly.js only the traces in TRACES are kept, of the theme's icons only those that the site names: 4.5 MB less for every page.
- Scripts of the theme that nothing here uses are dropped, and roles that ARIA has given up are renamed.
- Every page says what a link to it shows elsewhere (Open Graph): title, description, the picture of the first page.
"""

import importlib.util
import json
import re
import shutil
import textwrap
from html import escape
from importlib.metadata import distribution
from pathlib import Path

from docutils import nodes
from myst_nb.core import render
from sphinx.ext.autodoc.mock import _MockObject
from sphinx.util import logging

MIME = "application/vnd.plotly.v1+json"
TRACES = {"scatter", "bar", "box", "contour", "heatmap", "histogram", "violin"}
ICON = re.compile(r'"?([a-z0-9-]+)"?:\[\d+,\d+,\[([^\]]*)\],"[0-9a-f]+",(?:"[^"]*"|\[[^\]]*\])\],?')
PLOTLY = Path(distribution("plotly").locate_file("plotly/package_data"))
MATHJAX = Path(
    distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline/static/mathjax")
)
MATHJAX_PARTS = ("tex-chtml.js", "input/tex/extensions/*.js", "output/chtml/fonts/woff-v2/*.woff")
PICTURE = "first_page.png"
SUMMARY = re.compile(r"<summary>.*?</summary>", re.S)
FORMULA = re.compile(r"\$([^$]+)\$")
log = logging.getLogger(__name__)


class PlotlyRenderer:
    """A renderer of myst-nb for plotly's JSON."""

    mime_priority_overrides = [("*", MIME, 1)]

    @staticmethod
    def handle_mime(renderer, data, inline):
        if data.mime_type != MIME or inline:
            return None
        figure = data.content if isinstance(data.content, dict) else json.loads(data.content)
        layout = figure.get("layout") or {}
        where = {"location": (renderer.renderer.document["source"], data.line), "type": "lmem"}
        if unknown := {trace.get("type", "scatter") for trace in figure["data"]} - TRACES:
            says = "the site draws no trace of the kind %s: add it to TRACES of lmem_book"
            log.warning(says, ", ".join(sorted(unknown)), **where)
        alt = (layout.get("meta") or {}).get("alt", "")
        if not alt:
            log.warning("a plotly figure has no text alternative in layout.meta.alt", **where)
        renderer.add_js_file("plotly", "plotly.min.js", {"defer": "defer"})
        renderer.add_js_file("lmem-plotly", "lmem_plotly.js", {"defer": "defer"})
        return [nodes.raw(text=box(figure, layout, alt), format="html", classes=["output"])]


def box(figure, layout, alt):
    """The HTML of a figure: its JSON, its name for screen readers, its text where there is no JavaScript.

    With a slider or buttons it is a "figure", whose controls a screen reader can reach; without, one image.
    """
    role = "figure" if layout.get("sliders") or layout.get("updatemenus") else "img"
    stored = {key: figure.get(key) or [] for key in ("data", "frames")}
    inside = json.dumps({**stored, "layout": layout}, separators=(",", ":"))
    inside = inside.replace("<", "\\u003c")  # nothing in it can end the script element
    return (
        f'<div class="lmem-plotly" role="{role}" aria-label="{escape(alt)}" '
        f'style="min-height:{int(layout.get("height", 450))}px">'
        f'<script type="application/json">{inside}</script>'
        f"<noscript><p>{escape(alt)}</p></noscript></div>"
    )


def add_libraries(app):
    """Put plotly.js and the used parts of MathJax among the static files."""
    fresh = Path(app.doctreedir) / "_libraries"
    fresh.mkdir(parents=True, exist_ok=True)
    whole = (PLOTLY / "plotly.min.js").read_text(encoding="utf-8")
    (fresh / "plotly.min.js").write_text(with_traces(whole, TRACES), encoding="utf-8")
    for part in MATHJAX_PARTS:
        for source in MATHJAX.glob(part):
            copy(source, fresh / "mathjax" / source.relative_to(MATHJAX))
    app.config.html_static_path.append(str(fresh))


def with_traces(script, wanted):
    """plotly.js with these kinds of traces only.

    The script is a row of modules, `var NAME=WRAPPER(...);`, and the last one registers every kind of trace. Modules that none
    of the wanted ones calls are left out.
    """
    wrappers = re.findall(r"([\w$]+)=\([^()]*\)=>\(\)=>\{", script[:5000])
    starts = re.compile(rf"(?<=[;}}])var ([\w$]+)=(?:{'|'.join(map(re.escape, wrappers))})\(")
    places = [(match[1], match.start()) for match in starts.finditer(script)]
    ends = [start for _, start in places[1:]] + [len(script)]
    head = script[: places[0][1]]
    modules = {name: script[a:b] for (name, a), b in zip(places, ends, strict=True)}

    def kind(name):
        text = modules[name]
        if 'moduleType:"trace"' in text:
            return re.search(r'[{,]name:"(\w+)"', text)[1]
        onward = re.search(r"exports=([\w$]+)\(\)\}\);$", text)
        return kind(onward[1]) if onward else None

    last = places[-1][0]
    every = re.search(r"register\(\[([^\]]*)\]\)", modules[last])[1]
    kept = [call for call in every.split(",") if kind(call[:-2]) in wanted]
    modules[last] = modules[last].replace(every, ",".join(kept))
    waiting = [last, *(name for name, text in modules.items() if not text.endswith("});"))]
    needed = set()
    while waiting:
        if (name := waiting.pop()) not in needed:
            needed.add(name)
            calls = re.findall(r"(?<![\w$])([\w$]+)\(\)", modules[name])
            waiting += [call for call in calls if call in modules]
    return head + "".join(text for name, text in modules.items() if name in needed)


def drop_icons(app, exception):
    """Leave the icons out of the theme's script that no page and no script names."""
    script = app.outdir / "_static/scripts/fontawesome.js"
    if exception or not script.is_file():
        return
    texts = [*app.outdir.rglob("*.html"), *(app.outdir / "_static").rglob("*theme*.js")]
    named = {
        name for path in texts for name in re.findall(r"fa-([a-z0-9-]+)", path.read_text("utf-8"))
    }
    whole = script.read_text(encoding="utf-8")
    names = lambda icon: {icon[1], *re.findall(r'"([^"]+)"', icon[2])}  # noqa: E731
    script.write_text(
        ICON.sub(lambda icon: icon[0] if names(icon) & named else "", whole), encoding="utf-8"
    )


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def known_renderers(load):
    """myst-nb looks for renderers among installed packages; ours is local."""

    def wrapped():
        return [*load(), PlotlyRenderer]

    return wrapped


def drop_scripts(app, pagename, templatename, context, doctree):
    """Leave out thebe, which the theme adds twice and nothing here uses."""
    context["script_files"] = [s for s in context["script_files"] if "thebe" not in str(s).lower()]


def name_roles(app, pagename, templatename, context, doctree):
    """A citation is an item of its list; docutils still gives it a role that ARIA has given up."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def add_preview(app, pagename, templatename, context, doctree):
    """Say what a link to a page shows elsewhere; a page without a description has its first paragraph instead.

    The site's own address, which leads on to the first page, shows the same as that page.
    """
    if doctree is None:
        return
    own = {meta.get("property", meta.get("name")): meta["content"] for meta in doctree.findall(nodes.meta)}  # fmt: skip
    first = next(doctree.findall(nodes.paragraph)).astext().removeprefix("The question. ")
    made = {"description": own.get("description", textwrap.shorten(first, 200, placeholder=" …"))}
    made["og:title"] = app.env.titles[pagename].astext()
    made["og:description"] = own.get("og:description", made["description"])
    made["og:url"] = f"{app.config.html_baseurl}{pagename}.html"
    made["og:image"] = f"{app.config.html_baseurl}_static/{PICTURE}"
    made["og:type"] = "website"
    added = "".join(
        f'<meta {"property" if name.startswith("og:") else "name"}="{name}" content="{escape(said)}" />\n'
        for name, said in made.items()
        if name not in own
    )
    context["metatags"] += added
    if pagename == app.config.root_doc:
        leads = f'<meta charset="utf-8" /><meta http-equiv="Refresh" content="0; url={pagename}.html" />\n'
        (app.outdir / "index.html").write_text(leads + context["metatags"], encoding="utf-8")


def set_formulas(app, doctree):
    """A formula in a `<summary>`, which is raw HTML and not read as Markdown, is a formula on the site too."""
    for raw in doctree.findall(nodes.raw):
        if "<summary>" in (text := raw.astext()):
            raw[:] = [nodes.Text(SUMMARY.sub(_formulas, text))]


def _formulas(summary):
    return FORMULA.sub(
        r'<span class="math notranslate nohighlight">\\(\1\\)</span>', summary.group()
    )


def mock_missing(app, config):
    """Let autodoc import the package where PyTorch and its company are not installed."""
    heavy = (
        "torch transformers tokenizers safetensors accelerate datasets huggingface_hub scipy nltk"
    )
    heavy += " numpy bm25s faiss rich typer ipywidgets anywidget traitlets platformdirs nbformat nbclient"
    config.autodoc_mock_imports = [
        name for name in heavy.split() if importlib.util.find_spec(name) is None
    ]
    _MockObject.__or__ = _MockObject.__ror__ = lambda self, other: self  # `Tensor | None`


def set_equations(app, what, name, obj, options, lines):
    """Show the indented paragraphs of a docstring as they are typed: they are equations or code."""
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()
    for at in range(len(lines) - 1, 0, -1):
        starts = lines[at].startswith("    ") and not lines[at - 1].strip()
        above = next((line for line in reversed(lines[:at]) if line.strip()), "")
        if starts and not above.startswith((" ", ":", "..", "- ")):
            lines[at:at] = ["::", ""]


def drop_maps(app, exception):
    """Leave the theme's source maps out of the site: 3 MB that only its authors use."""
    for path in app.outdir.rglob("*.map"):
        path.unlink()


def setup(app):
    app.connect("config-inited", mock_missing)
    app.connect("autodoc-process-docstring", set_equations, priority=900)
    render.load_mime_renders = known_renderers(render.load_mime_renders)
    app.connect("builder-inited", add_libraries)
    app.connect("doctree-read", set_formulas)
    app.connect("html-page-context", drop_scripts, priority=900)
    app.connect("html-page-context", name_roles)
    app.connect("html-page-context", add_preview)
    app.connect("build-finished", drop_maps)
    app.connect("build-finished", drop_icons)
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
