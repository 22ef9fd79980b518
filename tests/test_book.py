"""The book's parts fit together; the site builds without a warning and asks no network for anything."""

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


@pytest.mark.parametrize("page", PAGES)
def test_every_page_exists(page):
    assert any((ROOT / f"{page}{ending}").is_file() for ending in (".md", ".ipynb"))


def test_setup_cells_name_the_one_repository():
    address = CONFIG["repository"]["url"]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for found in re.findall(r"git\+(https://[^@\"\\]+)", path.read_text(encoding="utf-8")):
            assert found == address


def tracked():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_no_path_of_a_machine_is_tracked():
    homes = re.compile(r"/(?:home|Users)/\w+/")
    for path in tracked():
        if path.suffix in (".py", ".md", ".yml", ".toml", ".ipynb", ".json", ".cfg", ".txt", ""):
            assert not homes.search(path.read_text(encoding="utf-8")), path


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("jupyter_book", reason="the [book] extra is not installed")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "jupyter_book.cli.main", "build", ".", "-W", "-n"]
    run = subprocess.run(
        [*command, "--keep-going", "--path-output", str(out)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return out / "_build/html"


@pytest.mark.slow
def test_site_has_every_page_and_is_small(site):
    for page in PAGES:
        assert (site / f"{page}.html").is_file()
    assert sum(p.stat().st_size for p in site.rglob("*") if p.is_file()) < 30e6


@pytest.mark.slow
def test_site_asks_no_network_for_anything(site):
    for page in PAGES:
        html = (site / f"{page}.html").read_text(encoding="utf-8")
        asked = re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="(https?:[^"]+)"', html)
        asked += re.findall(
            r'<link[^>]*rel="(?:stylesheet|preload)"[^>]*href="(https?:[^"]+)"', html
        )
        assert asked == []
