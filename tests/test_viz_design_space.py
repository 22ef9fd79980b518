"""The map of the design space: every pair has a cell, and every link leads to a file."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from lmem.errors import InputError
from lmem.memory import methods
from lmem.memory.read import READS
from lmem.viz.design_space import design_space

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


def test_few_columns_are_wide_enough_for_the_names_of_the_sites():
    few = [method for method in methods.grid() if method.write == "attention"]
    html = design_space(few, SITES, PAGES, FILES).data
    x = {text.text: float(text.get("x")) for text in elements(html, "text")}
    assert x["between"] - x["before the encoder"] > 150
    assert x["encoder E"] + 50 < x["between"], "the arrow passes the box"


def test_its_links_lead_to_files():
    html = design_space(methods.grid(), SITES, PAGES, FILES).data
    targets = [link.get("href") for link in elements(html, "a")]
    assert len(targets) == len(set(targets)) >= 2 * (6 + 5)
    for target in targets:
        assert (ROOT / target).is_file(), target


def test_a_read_without_a_site_is_refused():
    with pytest.raises(InputError, match="branch has none"):
        design_space([methods.find("m2")], {"branch": "elsewhere"}, PAGES, FILES)
