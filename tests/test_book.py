"""The book's parts fit together; the site builds without a warning and asks no network for anything."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"], *(c["file"] for part in TOC["parts"] for c in part["chapters"])]
TEXTS = (
    ".py",
    ".md",
    ".yml",
    ".toml",
    ".ipynb",
    ".json",
    ".cfg",
    ".txt",
    ".js",
    ".css",
    ".bib",
    "",
)


def tracked():
    """The repository's text files, without the answers of git: (name, text)."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: no list of tracked files")
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and path.suffix in TEXTS:
            yield name, path.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_page_exists(page):
    assert any((ROOT / f"{page}{ending}").is_file() for ending in (".md", ".ipynb"))


def test_every_page_has_its_place():
    written = [p for folder in ("book", "notebooks") for p in (ROOT / folder).glob("*.[mi]*")]
    written = {p.relative_to(ROOT).with_suffix("").as_posix() for p in written}
    assert written <= set(PAGES)


def test_the_repository_has_one_address():
    """The setting in _config.yml; a text that names a repository of this name elsewhere is out of date."""
    address = CONFIG["repository"]["url"].removeprefix("https://github.com/")
    own = address.split("/")[1]
    for name, text in tracked():
        found = re.findall(rf"github(?:\.com|/|usercontent\.com/)/?([\w-]+/{own})\b", text)
        assert set(found) <= {address}, name


def test_no_path_of_a_machine_is_tracked():
    paths = re.compile(r"(?<![\w.])/(?:home|Users|tmp|root|work|mnt)/\w")
    for name, text in tracked():
        assert not paths.search(text), name


def test_the_site_alone_is_pinned_as_the_course_is():
    pins = ROOT / "constraints.txt"
    known = set(pins.read_text(encoding="utf-8").lower().split()) if pins.is_file() else set()
    lines = (ROOT / "book/requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert all("==" in line for line in wanted)
    assert not any(line.startswith("torch") for line in wanted)
    if known:
        assert {line.lower() for line in wanted} <= known


# ---- the built site ------------------------------------------------------------------------------


def build(source, out):
    """`jupyter-book build`, warnings are errors."""
    try:
        importlib.metadata.version("jupyter-book")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the [book] extra is not installed")
    command = "from jupyter_book.cli.main import main; main()"
    options = ["build", ".", "-W", "-n", "--keep-going", "--path-output", str(out)]
    return subprocess.run(
        [sys.executable, "-c", command, *options],
        cwd=source, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    run = build(ROOT, out)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert "WARNING" not in run.stdout + run.stderr
    return out / "_build/html"


@pytest.mark.slow
def test_site_has_every_page_and_is_small(site):
    for page in PAGES:
        assert (site / f"{page}.html").is_file()
    assert sum(p.stat().st_size for p in site.rglob("*") if p.is_file()) < 30e6


@pytest.mark.slow
def test_site_asks_no_network_for_anything(site):
    for path in site.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        asked = re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="((?:https?:)?//[^"]+)"', html)
        asked += re.findall(
            r'<link[^>]*rel="(?:stylesheet|preload)"[^>]*href="((?:https?:)?//[^"]+)"', html
        )
        assert asked == [], path.name
        for script in re.findall(r'<script[^>]*\ssrc="([^"?]+)', html):
            assert (path.parent / script).is_file(), f"{path.name}: {script}"


PAGE = """# One

$$\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}$$
"""


@pytest.fixture
def small_book(tmp_path):
    """A book of one page with this project's extension, and the notebook that a test adds."""
    source = tmp_path / "book"
    source.mkdir()
    config = json.loads(json.dumps(CONFIG))
    del config["html"]["favicon"], config["bibtex_bibfiles"]
    config["sphinx"]["local_extensions"] = {"lmem_book": str(ROOT / "book/_ext")}
    config["sphinx"]["config"]["html_static_path"] = [str(ROOT / "book/_static")]
    (source / "_config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    toc = {"format": "jb-book", "root": "one", "chapters": [{"file": "two"}]}
    (source / "_toc.yml").write_text(yaml.safe_dump(toc), encoding="utf-8")
    (source / "one.md").write_text(PAGE, encoding="utf-8")

    def made(layout):
        figure = {"data": [{"y": [1, 2], "name": "</script>"}], "layout": layout}
        output = {"output_type": "display_data", "metadata": {}}
        output["data"] = {"application/vnd.plotly.v1+json": figure}
        cells = [
            {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Two"},
            {"cell_type": "code", "id": "b", "metadata": {}, "source": "1", "execution_count": 1},
        ]
        cells[1]["outputs"] = [output]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        (source / "two.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        return build(source, tmp_path / "out"), tmp_path / "out/_build/html"

    return made


@pytest.mark.slow
def test_a_figure_is_named_and_drawn_by_the_local_plotly(small_book):
    run, site = small_book({"meta": {"alt": 'Two "points"'}, "sliders": [{}]})
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    html = (site / "two.html").read_text(encoding="utf-8")
    assert 'role="figure" aria-label="Two &quot;points&quot;"' in html
    assert "<noscript><p>Two &quot;points&quot;</p></noscript>" in html
    inside = re.search(r'<script type="application/json">(.*?)</script>', html)[1]
    assert json.loads(inside)["data"][0]["name"] == "</script>"
    other = (site / "one.html").read_text(encoding="utf-8")
    for script, page in (("plotly.min.js", html), ("tex-chtml.js", other)):
        assert page.count(script) == 1
        assert (html + other).count(script) == 1, "only pages that need it load it"
    assert "thebe" not in html.lower()


@pytest.mark.slow
def test_a_figure_without_a_text_alternative_fails_the_build(small_book):
    run, _ = small_book({"title": {"text": "two points"}})
    assert run.returncode != 0
    assert "no text alternative" in run.stdout + run.stderr
