"""The map of the design space and the step-through: every pair, every link, every part that is lit."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from lmem.analysis.walkthrough import Step
from lmem.errors import InputError
from lmem.memory import methods
from lmem.memory.read import READS
from lmem.viz import diagram
from lmem.viz.map import design_space, step_through

ROOT = Path(__file__).parents[1]
SITES = {name: read.site for name, read in READS.items()}
PAGES, FILES = "book/reference/{kind}_{name}.md", "lmem/memory/{kind}/{name}.py"


def elements(html, tag):
    """Of the one drawing in it, which is well-formed."""
    drawing = ET.fromstring(re.search(r"<svg.*</svg>", html)[0])
    return list(drawing.iter(tag))


def test_every_pair_of_the_grid_has_a_cell():
    grid = methods.grid()
    html = design_space(grid, SITES, PAGES, FILES).data
    assert sorted(title.text for title in elements(html, "title")) == sorted(m.name for m in grid)
    named = {alias for m in grid for alias in m.aliases[:1]}
    assert named <= {text.text for text in elements(html, "text")}
    assert len(elements(html, "circle")) == len([m for m in grid if not m.aliases])
    assert "m2 is attention with branch" in html
    assert 'role="group"' in html  # an image would hide its links


def test_a_cell_stands_under_its_site():
    html = design_space(methods.grid(), SITES, PAGES, FILES).data
    x = {text.text: float(text.get("x")) for text in elements(html, "text")}
    assert x["before the encoder"] < x["between"] < x["inside the decoder"]
    assert x["m1"] == x["prefix"] == x["before the encoder"]
    assert x["m2"] == x["branch"] < x["m5"] == x["gated branch"]


def test_its_links_lead_to_files():
    html = design_space(methods.grid(), SITES, PAGES, FILES).data
    targets = [link.get("href") for link in elements(html, "a")]
    assert len(targets) == len(set(targets)) >= 2 * (6 + 5)
    for target in targets:
        assert (ROOT / target).is_file(), target


def test_a_read_without_a_site_is_refused():
    with pytest.raises(InputError, match="branch has none"):
        design_space([methods.find("m2")], {"branch": "elsewhere"}, PAGES, FILES)


@pytest.fixture
def html():
    steps = [
        Step(("turn", "encoder"), "Z_t", "N x D", (11, 128), 43.34, 'reads "<b>"'),
        Step(("bank",), "P_t", "R x D", (192, 128), 7.0, "the bank"),
    ]
    return step_through(steps, "one").data


def test_each_step_lights_its_parts(html):
    assert html.count('type="radio"') == 2
    assert html.count(" checked>") == 1
    assert ".lmem-one:has(#lmem-one-0:checked) .part-encoder{stroke:" in html
    assert ".lmem-one:has(#lmem-one-1:checked) .lmem-one-1{display:block}" in html
    lit = set(re.findall(r"checked\) \.part-(\w+)", html))
    assert lit == {"turn", "encoder", "bank"}
    drawn = {box.get("class") for box in elements(html, "rect")}
    assert {f"part-{part}" for part in lit} <= drawn == {f"part-{name}" for name in diagram.BOXES}


def test_each_step_says_shape_and_norm(html):
    assert "N x D = 11 x 128 numbers, Frobenius norm 43.3" in html
    assert "reads &quot;&lt;b&gt;&quot;" in html
    assert "<td>192 x 128</td><td>7.0</td><td>the bank</td>" in html
    assert "<script" not in html


def test_the_plain_drawing_has_no_classes():
    assert "part-" not in diagram.way()
    assert diagram.way_of_a_turn().data == diagram.way()
