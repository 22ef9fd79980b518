"""On the site a widget is shown as it was stored; one that cannot be shown is named."""

import importlib.util
from pathlib import Path

import ipywidgets
import pytest
from ipywidgets.embed import dependency_state

pytest.importorskip("myst_nb", reason="the [book] extra is not installed")


@pytest.fixture(scope="module")
def book():
    path = Path(__file__).parents[1] / "book/_ext/lmem_widgets.py"
    spec = importlib.util.spec_from_file_location("lmem_widgets", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stored(widget):
    return dependency_state([widget], drop_defaults=False), widget.model_id


def test_slider_and_html_in_a_box(book):
    slider = ipywidgets.IntSlider(value=3, max=7, description="turn <t>")
    html = book.still(*stored(ipywidgets.VBox([slider, ipywidgets.HTML("<b>row 3</b>")])))
    assert "<b>row 3</b>" in html
    assert 'max="7"' in html
    assert 'value="3"' in html
    assert "turn &lt;t&gt;" in html


def test_what_is_side_by_side_stays_so(book):
    box = ipywidgets.HBox([ipywidgets.Label("one"), ipywidgets.Label("two")])
    assert book.still(*stored(box)) == '<div class="lmem-row"><div>one</div><div>two</div></div>'


def test_choice_shows_what_is_chosen(book):
    choice = ipywidgets.Dropdown(options=["right", "twin"], value="twin", description="bank")
    assert "<strong>twin</strong>" in book.still(*stored(choice))


@pytest.mark.parametrize("kind", ["IntProgress", "Text", "Checkbox", "Label", "Button"])
def test_core_widgets_have_a_still_form(book, kind):
    assert book.still(*stored(getattr(ipywidgets, kind)()))


def test_a_live_memory_leads_to_the_page_that_has_one(book):
    html = book.still({"1": {"model_name": "AnyModel", "state": {}}}, "1")
    assert 'href="../book/intro.html"' in html


def test_a_widget_without_still_form_is_named(book):
    with pytest.raises(LookupError, match="OutputModel"):
        book.still(*stored(ipywidgets.Output()))


def test_a_widget_that_was_not_stored_is_refused(book):
    with pytest.raises(LookupError, match="not stored"):
        book.still({}, "0" * 32)
