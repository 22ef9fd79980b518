"""Widgets on a page without a kernel: their stored state as plain HTML, and a line that says where they are live.

A widget manager for the site would weigh two megabytes and show no more than this: without a kernel nothing is computed. A
kind of widget that has no still form here is a warning, and warnings are errors.
"""

from html import escape

from docutils import nodes
from myst_nb.core import render
from sphinx.util import logging

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
BOXES = {"BoxModel", "HBoxModel", "VBoxModel", "GridBoxModel"}
RANGES = {"IntSliderModel", "FloatSliderModel", "IntProgressModel", "FloatProgressModel"}
CHOICES = {"DropdownModel", "RadioButtonsModel", "SelectModel", "SelectionSliderModel"}
VALUES = {"TextModel", "TextareaModel", "IntTextModel", "FloatTextModel", "CheckboxModel"}
VALUES |= {"BoundedIntTextModel", "BoundedFloatTextModel", "ToggleButtonModel"}
NOTE = (
    '<p class="lmem-note"><em>Live in Colab, JupyterLab and VS Code; here it stands still.</em></p>'
)
# it scrolls sideways where it is wider than the page, so the keyboard must reach it
BOX = '<div class="lmem-widget" role="group" aria-label="a widget, as it was stored" tabindex="0">'
log = logging.getLogger(__name__)


def still(models, model_id):
    """A widget and what it contains as HTML.

    models    the stored state of a notebook's widgets, by id
    model_id  the widget to show
    raises    LookupError, with the widget's kind, if its state is not stored or it has no still form
    """
    if model_id not in models:
        raise LookupError("a widget whose state is not stored")
    kind, state = models[model_id]["model_name"], models[model_id]["state"]
    if kind in BOXES:
        inside = [still(models, child.removeprefix("IPY_MODEL_")) for child in state["children"]]
        row = ' class="lmem-row"' if kind == "HBoxModel" else ""
        return f"<div{row}>{''.join(inside)}</div>"
    if kind in ("HTMLModel", "HTMLMathModel"):
        return f"<div>{state['value']}</div>"
    if kind == "LabelModel":
        return f"<div>{escape(state['value'])}</div>"
    name = escape(state.get("description") or "")
    if kind == "ButtonModel":
        return f'<button type="button" disabled>{name}</button>'
    if kind in RANGES:
        low, high, value = (escape(str(state[key])) for key in ("min", "max", "value"))
        slider = (
            f'<input type="range" disabled min="{low}" max="{high}" step="any" value="{value}">'
        )
        return f"<div><label>{name} {slider}</label> {value}</div>"
    if kind in CHOICES:
        index = state["index"]
        chosen = "" if index is None else str(state["_options_labels"][index])
        return f"<div>{name} <strong>{escape(chosen)}</strong></div>"
    if kind in VALUES:
        return f"<div>{name} <strong>{escape(str(state['value']))}</strong></div>"
    if kind == "AnyModel":  # lmem.viz.live.widget
        return '<p>Here a memory runs in the notebook. <a href="../book/intro.html">The first page</a> has one that runs without a kernel.</p>'
    raise LookupError(kind)


class WidgetRenderer:
    """A renderer of myst-nb for views of widgets."""

    mime_priority_overrides = ()

    @staticmethod
    def handle_mime(renderer, data, inline):
        if data.mime_type != VIEW or inline:
            return None
        notebook = renderer.renderer.nb_client.nb_metadata
        models = notebook.get("widgets", {}).get(STATE, {}).get("state", {})
        try:
            html = still(models, data.content["model_id"])
        except LookupError as error:
            log.warning(
                "a widget has no still form for the site: %s",
                error,
                location=(renderer.renderer.document["source"], data.line),
                type="lmem",
            )
            return []
        return [nodes.raw(text=f"{BOX}{html}</div>{NOTE}", format="html")]


def and_widgets(load):
    """myst-nb looks for renderers among installed packages; ours is local."""

    def wrapped():
        return [*load(), WidgetRenderer]

    return wrapped


def setup(app):
    render.load_mime_renders = and_widgets(render.load_mime_renders)
    app.add_js_file(
        "lmem_scroll.js", loading_method="defer"
    )  # of a widget that is wider than the page
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
