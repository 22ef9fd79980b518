"""What can be wrong with a built page without a browser: links that lead nowhere, headings out of order, pictures without a name."""

from functools import cache
from itertools import pairwise
from urllib.parse import unquote, urlsplit

import pytest

HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]


def parse(site):
    """{path: parsed page} of the site's pages, not of the theme's templates among its static files."""
    bs4 = pytest.importorskip("bs4", reason="the [book] extra is not installed")
    return {
        path.resolve(): bs4.BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in site.rglob("*.html")
        if "_static" not in path.parts
    }


def tags(page, *names):
    """All tags of a page, or those of these names, in order; a filter of bs4's own takes several times as long."""
    return [tag for tag in page.find_all(True) if not names or tag.name in names]


def without_redirects(pages):
    """The pages that do not only lead on to another."""
    return {
        path: page
        for path, page in pages.items()
        if not any(tag.has_attr("http-equiv") for tag in page.find_all("meta"))
    }


def lost_links(pages):
    """(page, link) of every link inside the site that names a file or a place in a page that is not there."""
    places = {
        path: {tag["id"] for tag in tags(page) if "id" in tag.attrs} for path, page in pages.items()
    }

    @cache
    def file_of(folder, link):
        target = (folder / unquote(link)).resolve()
        target = target / "index.html" if target.is_dir() else target
        return target if target.is_file() else None

    for path, page in pages.items():
        for tag in tags(page, "a", "link", "img", "script", "source"):
            link = urlsplit(tag.get("href") or tag.get("src") or "")
            if link.scheme or link.netloc:
                continue
            target = file_of(path.parent, link.path) if link.path else path
            place = unquote(link.fragment)
            if not target or (place and place not in places.get(target, {place})):
                yield path.name, link.geturl()


def outline(page):
    """The levels of the headings in a page's text, in order."""
    return [int(heading.name[1]) for heading in tags(page.find("article"), *HEADINGS)]


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
    for figure in page.find_all("div"):
        drawn = "lmem-plotly" in figure.get("class", ())
        if drawn and len(figure.get("aria-label", "")) < 20:
            yield str(figure)[:100]
