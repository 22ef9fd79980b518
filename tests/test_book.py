"""The book's parts fit together; the site builds without a warning and asks no network for anything."""

import ast
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import filelock
import pytest
import yaml
from pages import in_order, lost_links, nameless, outline, parse, tags, without_redirects

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
CHAPTERS = [chapter for part in TOC["parts"] for chapter in part["chapters"]]
PAGES = [TOC["root"], *(c["file"] for c in CHAPTERS)]
PAGES += [section["file"] for c in CHAPTERS for section in c.get("sections", ())]
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


def load(name, folder="_ext"):
    """A local extension of the site, or a tool, as a module."""
    pytest.importorskip("myst_nb", reason="the [book] extra is not installed")
    spec = importlib.util.spec_from_file_location(name, ROOT / f"book/{folder}/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES)
def test_every_page_exists(page):
    assert any((ROOT / f"{page}{ending}").is_file() for ending in (".md", ".ipynb"))


def test_every_module_is_on_one_reference_page():
    """The command line has its own help, and checks of single chapters belong to their exercises."""
    pages = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "book/reference").glob("*.md"))
    shown = re.findall(r"^\.\. automodule:: (\S+)$", pages, re.M)
    paths = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "lmem").rglob("*.py")]
    modules = {".".join(path.parts) for path in paths if path.stem not in ("__init__", "__main__")}
    assert len(shown) == len(set(shown))
    assert set(shown) == {
        module
        for module in modules
        if not module.startswith(("lmem.cli.", "lmem.exercises.chapter_"))
    }


def test_the_drawing_of_the_folders_is_what_the_code_says():
    assert (ROOT / "book/_static/architecture.svg").read_text("utf-8") == load(
        "architecture", "tools"
    ).drawing()


def test_every_page_has_its_place():
    written = [p for folder in ("book", "notebooks") for p in (ROOT / folder).rglob("*.[mi]*")]
    written = {p.relative_to(ROOT).with_suffix("").as_posix() for p in written}
    assert written <= set(PAGES)


def test_the_repository_has_one_address():
    """The setting in _config.yml; a text that names a repository of this name elsewhere is out of date."""
    address = CONFIG["repository"]["url"].removeprefix("https://github.com/")
    owner, own = address.split("/")
    assert CONFIG["html"]["baseurl"] == f"https://{owner}.github.io/{own}/"
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


def sentences():
    """Every text that the package puts together, as a pattern: what is filled in is `.+`. A constant of its own too."""
    for path in (ROOT / "lmem").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [getattr(part, "value", None) for part in node.values]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                parts = re.split(r"(\{\})", node.value)
                parts = [None if part == "{}" else part for part in parts]
            else:
                continue
            fixed = [part for part in parts if isinstance(part, str)]
            if max(map(len, fixed), default=0) >= 12:  # else it says nothing of its own
                yield "".join(re.escape(p) if isinstance(p, str) else ".+" for p in parts)


def test_the_errors_on_the_page_are_the_package_s_own():
    page = (ROOT / "book/faq.md").read_text(encoding="utf-8")
    known = [re.compile(pattern, re.S) for pattern in sentences()]
    quoted = re.findall(r"^:class: lmem-said\n\n(.+?)\n```$", page, re.M | re.S)
    assert len(quoted) > 20
    for sentence in quoted:
        assert any(pattern.fullmatch(sentence) for pattern in known), sentence
    assert not any(pattern.fullmatch("expected a cat, got a dog") for pattern in known)


# ---- the built site ------------------------------------------------------------------------------


# in front of a program: what book/requirements.txt does not bring is not installed
LIGHT = """\
from importlib.machinery import PathFinder
absent = "torch transformers tokenizers safetensors accelerate datasets huggingface_hub scipy nltk bm25s faiss rich typer"
found, absent = PathFinder.find_spec, {*absent.split(), "ipywidgets", "anywidget"}
PathFinder.find_spec = lambda name, *where: None if name.partition(".")[0] in absent else found(name, *where)
"""


def build(source, out, before=""):
    """`jupyter-book build`, warnings are errors; `before` runs before it."""
    try:
        importlib.metadata.version("jupyter-book")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the [book] extra is not installed")
    command = before + "from jupyter_book.cli.main import main; main()"
    options = ["build", ".", "-W", "-n", "--keep-going", "--path-output", str(out)]
    return subprocess.run(
        [sys.executable, "-c", command, *options],
        cwd=source, capture_output=True, text=True, check=False,
    )  # fmt: skip


def built_site(tmp_path_factory, worker):
    """The site, built once for all files and workers that look at it; `worker` is pytest-xdist's name of this one."""
    base = tmp_path_factory.getbasetemp()
    base = base if worker == "master" else base.parent
    out, ready = base / "the_site", base / "the_site_is_ready"
    with filelock.FileLock(base / "the_site.lock"):
        if not ready.exists():
            run = build(ROOT, out)
            assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
            assert "WARNING" not in run.stdout + run.stderr
            ready.touch()
    return out / "_build/html"


@pytest.fixture(scope="module")
def site(tmp_path_factory, worker_id):
    return built_site(tmp_path_factory, worker_id)


@pytest.fixture(scope="module")
def parsed(site):
    """{path: parsed page} of the site, parsed once for all tests."""
    return parse(site)


def test_the_extensions_need_no_pytorch(tmp_path):
    """They load, and write what the live pieces need, where the site's requirements alone are installed."""
    pytest.importorskip("myst_nb", reason="the [book] extra is not installed")
    extensions = CONFIG["sphinx"]["local_extensions"]
    assert set(extensions) == {path.stem for path in (ROOT / "book/_ext").glob("*.py")}
    program = f"""{LIGHT}
import importlib, importlib.util, pathlib, sys
assert importlib.util.find_spec("torch") is None
sys.path += {[str(ROOT), *(str(ROOT / folder) for folder in extensions.values())]}
for name in {list(extensions)}:
    importlib.import_module(name)
sys.modules["lmem_live"].site.write(pathlib.Path(sys.argv[1]))
assert "torch" not in sys.modules
"""
    run = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    assert all((tmp_path / f"weights/{name}.js").is_file() for name in ("mini", "mini-words"))


@pytest.mark.slow
@pytest.mark.full
def test_the_site_builds_without_pytorch(tmp_path):
    run = build(ROOT, tmp_path, LIGHT)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert "WARNING" not in run.stdout + run.stderr


@pytest.mark.slow
def test_site_has_every_page_and_is_small(site):
    for page in PAGES:
        assert (site / f"{page}.html").is_file()
    weights = site / "_static/live/weights"  # loaded only when a reader starts a live piece
    sizes = {path: path.stat().st_size for path in site.rglob("*") if path.is_file()}
    assert sum(size for path, size in sizes.items() if weights not in path.parents) < 30e6
    assert sizes[weights / "nano.js"] < 5e6
    first_page = ("mini", "mini-words", "mini-spans")
    assert sum(sizes[weights / f"{name}.js"] for name in first_page) < 12e6
    assert sum(size for path, size in sizes.items() if weights in path.parents) < 17e6


def test_plotly_and_icons_are_cut_to_what_the_site_uses(extension, tmp_path):
    """Modules that the wanted kinds of traces call are kept, others and their modules are not."""
    script = (
        'var W=(e,t)=>()=>{try{return t}catch(r){}},E=(e,t,r)=>()=>{if(r)throw r};"use strict";var a=W((e,t)=>{t.exports=1});var b=W(e=>{a()});'
        'var bar=W((e,t)=>{t.exports={moduleType:"trace",name:"bar",plot:b()}});var wrap=W((e,t)=>{"use strict";t.exports=bar()});'
        'var far=W((e,t)=>{t.exports=2});var geo=W((e,t)=>{t.exports={moduleType:"trace",name:"geo",plot:far()}});'
        "var all=W((e,t)=>{var p=a();p.register([wrap(),geo()]);t.exports=p});return all();"
    )
    kept = extension.with_traces(script, {"bar"})
    assert "register([wrap()])" in kept
    assert all(f"var {name}=" in kept for name in ("a", "b", "bar", "wrap", "all"))
    assert "geo" not in kept
    assert "far" not in kept
    whole = (extension.PLOTLY / "plotly.min.js").read_text(encoding="utf-8")
    light = extension.with_traces(whole, extension.TRACES)
    assert len(light) < 1.6e6 < len(whole)
    assert all(f'name:"{kind}"' in light for kind in extension.TRACES)
    theme = tmp_path / "_static/scripts"
    theme.mkdir(parents=True)
    icons = 'var i={sun:[512,512,["day"],"f1","M1"],"far-moon":[1,2,[],"f2",["M2","M3"]],unused:[1,2,[],"f3","M4"]};'
    (theme / "fontawesome.js").write_text(icons, encoding="utf-8")
    (tmp_path / "index.html").write_text('<i class="fa-day"></i><i class="fa-far-moon">', "utf-8")
    extension.drop_icons(SimpleNamespace(outdir=tmp_path), None)
    left = (theme / "fontawesome.js").read_text(encoding="utf-8")
    assert left == 'var i={sun:[512,512,["day"],"f1","M1"],"far-moon":[1,2,[],"f2",["M2","M3"]],};'


def test_a_trace_that_the_site_cannot_draw_is_a_warning(extension, monkeypatch):
    warnings = rendered(extension, {"meta": {"alt": "A globe"}}, monkeypatch, type="scattergeo")[2]
    assert warnings == ["the site draws no trace of the kind %s: add it to TRACES of lmem_book"]


@pytest.mark.slow
def test_links_headings_and_names_of_every_page(parsed):
    found = without_redirects(parsed)
    assert len(found) >= len(PAGES)
    assert list(lost_links(found)) == []
    for path, page in found.items():
        if page.find("article"):  # the search page has none
            assert in_order(outline(page)), (path.name, outline(page))
        assert list(nameless(page)) == [], path.name
        assert not [one for one in page.find_all("summary") if "$" in one.text], path.name


def test_what_is_wrong_with_a_page_is_seen(tmp_path):
    texts = {
        "one.html": """<article><h1>A</h1><h3>B</h3><a href="two.html#there">1</a><a href="two.html#gone">2</a>
            <a href="three.html">3</a><a href="#up">4</a><a href="https://example.org/x">5</a>
            <img src="a.png" alt=""><svg><g/></svg><div class="lmem-plotly" aria-label="short"></div></article>""",
        "two.html": """<article><h1>A</h1><h2 id="there">B</h2><h3>C</h3><h2>D</h2><img src="a.png" alt="A cat.">
            <svg aria-label="A bank"><svg></svg></svg><svg aria-hidden="true"></svg></article>""",
        "index.html": '<meta http-equiv="Refresh" content="0; url=one.html">',
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "a.png").touch()
    pages = without_redirects(parse(tmp_path))
    found = {path.name: page for path, page in pages.items()}
    assert set(found) == {"one.html", "two.html"}
    links = [("one.html", to) for to in ("two.html#gone", "three.html", "#up")]
    assert list(lost_links(pages)) == links
    assert (outline(found["one.html"]), outline(found["two.html"])) == ([1, 3], [1, 2, 3, 2])
    assert not in_order([1, 3])
    assert not in_order([2, 1])
    assert not in_order([1, 2, 1])
    assert in_order([1, 2, 3, 2])
    assert len(list(nameless(found["one.html"]))) == 3
    assert list(nameless(found["two.html"])) == []


@pytest.mark.slow
def test_site_asks_no_network_for_anything(parsed):
    total = 0
    for path, soup in parsed.items():
        asked = [tag.get("src", "") for tag in tags(soup, "script", "img", "iframe")]
        asked += [
            tag.get("href", "")
            for tag in soup.find_all("link")
            if {"stylesheet", "preload", "icon"} & set(tag.get("rel", ()))
        ]
        total += len(asked)
        assert not [url for url in asked if re.match("(https?:)?//", url)], path.name
        for script in [one for one in soup.find_all("script") if one.has_attr("src")]:
            name = script["src"].partition("?")[0]
            assert (path.parent / name).is_file(), f"{path.name}: {name}"
    assert total > 200


@pytest.mark.slow
def test_a_link_to_a_page_has_a_title_a_text_and_a_picture(site, parsed):
    """Where it is shown elsewhere; the site's own address shows what its first page does."""
    found = {}
    for page in ("index", *PAGES):
        metas = parsed[(site / f"{page}.html").resolve()].find_all("meta")
        said = [(m.get("property") or m.get("name"), m.get("content")) for m in metas]
        wanted = [(name, text) for name, text in said if str(name).startswith(("og:", "descr"))]
        found[page] = dict(wanted)
        assert len(found[page]) == len(wanted) == 6, (page, wanted)
        assert len(found[page]["og:title"]) > 2, page
        assert 20 <= len(found[page]["description"]) <= 200, (page, found[page])
        assert len(found[page]["og:description"]) >= 20, page
        base, _, picture = found[page]["og:image"].partition("_static")
        assert base == CONFIG["html"]["baseurl"]
        assert (site / f"_static{picture}").is_file()
        assert page == "index" or found[page]["og:url"] == f"{base}{page}.html"
    assert found["index"] == found[TOC["root"]]
    assert len({one["description"] for one in found.values()}) == len(PAGES)


@pytest.mark.slow
def test_pages_load_what_they_need_and_no_more(site):
    for page in [path for path in site.rglob("*.html") if "_static" not in path.parts]:
        html = page.read_text(encoding="utf-8")
        assert ('class="lmem-plotly"' in html) == ("plotly.min.js" in html), page.name
        assert 'class="math ' not in html or "tex-chtml.js" in html, page.name
        assert ('class="lmem-live"' in html) == ("live/pieces/client.js" in html), page.name
        assert "live/weights" not in html, page.name
        assert "thebe.js" not in html, page.name
        assert "THEBE_JS_URL" not in html, page.name


# ---- figures -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def extension():
    return load("lmem_book")


def rendered(extension, layout, monkeypatch, **trace):
    """What becomes of a stored figure: (HTML, scripts, warnings)."""
    figure = {"data": [{"y": [1, 2], "name": "</script>", **trace}], "layout": layout}
    scripts, warnings = [], []
    monkeypatch.setattr(extension.log, "warning", lambda text, *_, **__: warnings.append(text))
    renderer = SimpleNamespace(  # as myst-nb's: the document is that of the renderer that it serves
        renderer=SimpleNamespace(document={"source": "two.ipynb"}),
        add_js_file=lambda key, uri, options: scripts.append(uri),
    )
    data = SimpleNamespace(mime_type=extension.MIME, content=figure, line=1)
    [node] = extension.PlotlyRenderer.handle_mime(renderer, data, False)
    return node.astext(), scripts, warnings


def test_a_figure_has_a_name_and_its_data(extension, monkeypatch):
    html, scripts, warnings = rendered(extension, {"meta": {"alt": 'A "b"'}}, monkeypatch)
    assert 'role="img" aria-label="A &quot;b&quot;"' in html
    assert "<noscript><p>A &quot;b&quot;</p></noscript>" in html
    inside = re.search(r'<script type="application/json">(.*?)</script>', html)[1]
    assert json.loads(inside)["data"][0]["name"] == "</script>"
    assert scripts == ["plotly.min.js", "lmem_plotly.js"]
    assert not warnings


def test_a_slider_can_be_reached(extension, monkeypatch):
    layout = {"meta": {"alt": "A slider"}, "sliders": [{}]}
    assert 'role="figure"' in rendered(extension, layout, monkeypatch)[0]


def test_a_figure_without_a_text_alternative_is_a_warning(extension, monkeypatch):
    [warning] = rendered(extension, {"title": {"text": "A"}}, monkeypatch)[2]
    assert "no text alternative" in warning


def test_other_outputs_are_left_to_others(extension):
    data = SimpleNamespace(mime_type="text/plain", content="1", line=1)
    assert extension.PlotlyRenderer.handle_mime(None, data, False) is None
