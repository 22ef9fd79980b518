"""The set-up files agree with each other: what is wanted, what is pinned, what the wheel carries."""

import re
import tomllib
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SETUP = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = SETUP["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = [Requirement(line) for line in [*PROJECT["dependencies"], *EXTRAS["book"], *EXTRAS["dev"]]]
LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PINS = [line for line in LINES if line and not line.startswith("#")]
PINNED = {canonicalize_name(r.name): r for r in map(Requirement, PINS)}


def test_pins_are_dated_exact_and_of_no_one_machine():
    assert "20" in LINES[0]
    assert LINES[0].startswith("#")
    for requirement in PINNED.values():
        [one] = requirement.specifier
        assert one.operator == "=="
        assert "+" not in one.version, f"{requirement}: a local build"
        assert requirement.url is None, requirement
    assert str(PINNED["torch"].specifier) == "==2.13.0"


@pytest.mark.parametrize("requirement", WANTED, ids=lambda r: r.name)
def test_pin_lies_in_the_range_that_the_package_asks_for(requirement):
    [pin] = PINNED[canonicalize_name(requirement.name)].specifier
    assert requirement.specifier.contains(pin.version)


def test_newer_versions_are_allowed_unless_known_to_break():
    bounded = {r.name for r in WANTED if any(s.operator in ("<", "<=", "==") for s in r.specifier)}
    tools = {
        "basedpyright",
        "jupyter-book",
        "plotly",
        "nbval",
        "pytest",
        "ruff",
        "sphinx-mathjax-offline",
    }
    assert bounded <= tools
    assert PROJECT["requires-python"] == ">=3.11"


def test_what_the_wheel_carries_is_there():
    """hatchling refuses to install, also for editing, where a folder to be included is missing."""
    for source in SETUP["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]:
        assert (ROOT / source).is_dir()
    assert (ROOT / "lmem/py.typed").is_file()


def test_command_is_installed_in_this_version():
    import lmem

    installed = entry_points(group="console_scripts", name="lmem")
    assert {point.value for point in installed} == {PROJECT["scripts"]["lmem"]}
    assert version("lmem") == lmem.__version__


def test_the_version_is_the_same_wherever_a_reader_finds_it():
    """In the file of citations, on the page for instructors, in the setup cells of the notebooks, and as the newest of the changelog."""
    from lmem import __version__

    said = {"CITATION.cff": f"\nversion: {__version__}\n"}
    said["book/instructors.md"] = f"version = {{{__version__}}},"
    for name, line in said.items():
        assert line in (ROOT / name).read_text(encoding="utf-8"), name
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(.+?)\]", changes, re.M)[0] == __version__
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"@v{__version__}" in path.read_text(encoding="utf-8"), path.name
