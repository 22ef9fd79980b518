"""What can be wrong with a built page without a browser: links that lead nowhere, headings out of order, pictures without a name."""

from itertools import pairwise
from urllib.parse import unquote, urlsplit

import pytest

HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]


def built(site):
    """{path: parsed page} of the site's own pages, not of the theme's templates and not of what only leads on to a page."""
    bs4 = pytest.importorskip("bs4", reason="the [book] extra is not installed")
    paths = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    parsed = {
        path.resolve(): bs4.BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in paths
    }
    return {
        path: page for path, page in parsed.items() if not page.find("meta", {"http-equiv": True})
    }


def lost_links(pages):
    """(page, link) of every link inside the site that names a file or a place in a page that is not there."""
    for path, page in pages.items():
        for tag in page.find_all(["a", "link", "img", "script", "source"]):
            link = urlsplit(tag.get("href") or tag.get("src") or "")
            if link.scheme or link.netloc:
                continue
            target = (path.parent / unquote(link.path)).resolve() if link.path else path
            if target.is_dir():
                target = target / "index.html"
            place = unquote(link.fragment)
            there = target.is_file() and (
                not place or target not in pages or pages[target].find(id=place)
            )
            if not there:
                yield path.name, link.geturl()


def outline(page):
    """The levels of the headings in a page's text, in order."""
    return [int(heading.name[1]) for heading in page.find("article").find_all(HEADINGS)]


def in_order(levels):
    """One title, first; no level is skipped on the way down."""
    down = all(after <= before + 1 for before, after in pairwise(levels))
    return levels[:1] == [1] and levels.count(1) == 1 and down


def nameless(page):
    """Pictures and figures that a screen reader cannot name."""
    for picture in page.find_all("img"):
        if not picture.get("alt", "").strip():
            yield str(picture)[:100]
    for drawing in page.find_all("svg"):
        named = drawing.get("aria-label") or drawing.get("aria-labelledby") or drawing.find("title")
        hidden = drawing.get("aria-hidden") == "true" or drawing.find_parent("svg")
        if not (named or hidden):
            yield str(drawing)[:100]
    for figure in page.select(".lmem-plotly"):
        if len(figure.get("aria-label", "")) < 20:
            yield str(figure)[:100]
