"""The workflows: valid, with the README's own commands, with no more rights than they need, and clean for a linter where there is one."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yml"))}  # fmt: skip


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_there_are_two():
    assert set(WORKFLOWS) == {"test-and-deploy", "weekly-newest"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_rights_are_the_least(name):
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {}
    for job, told in workflow["jobs"].items():
        wanted = {"pages": "write", "id-token": "write"} if job == "deploy" else {"contents": "read"}  # fmt: skip
        assert told["permissions"] == wanted
        assert told["timeout-minutes"] <= 90
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]), "only GitHub's own"
        assert "${{ github.event" not in step.get("run", "")  # nothing of others' text in a shell


def test_it_runs_what_the_readme_says():
    runs = [step["run"] for step in steps(WORKFLOWS["test-and-deploy"]) if "run" in step]
    assert "make test" in runs
    readme, makefile = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "Makefile"))  # fmt: skip
    assert "make test " in readme
    [build] = [run for run in runs if run.startswith("jupyter-book")]
    assert build.removeprefix("jupyter-book ") in makefile, "the site as `make site` builds it"


def test_the_site_has_the_package_without_what_it_needs_to_run():
    """The extensions and autodoc import lmem; PyTorch would take minutes to install."""
    site = [s["run"] for s in WORKFLOWS["test-and-deploy"]["jobs"]["site"]["steps"] if "run" in s]
    [build] = [place for place, run in enumerate(site) if run.startswith("jupyter-book build")]
    assert site[:build] == [
        "python -m pip install -r book/requirements.txt",
        "python -m pip install --no-deps -e .",
    ]
    head = (ROOT / "book/requirements.txt").read_text(encoding="utf-8")
    for run in site[:build]:
        assert run.removeprefix("python -m ") in head


def test_only_main_is_shown_and_only_when_all_is_well():
    deploy = WORKFLOWS["test-and-deploy"]["jobs"]["deploy"]
    assert deploy["needs"] == ["test", "site"]
    assert "refs/heads/main" in deploy["if"]
    site = WORKFLOWS["test-and-deploy"]["jobs"]["site"]["steps"]
    [shown] = [s["with"]["path"] for s in site if "pages-artifact" in s.get("uses", "")]
    [build] = [s["run"] for s in site if "jupyter-book build" in s.get("run", "")]
    assert shown == build.split("--path-output ")[1] + "/_build/html"


def test_the_weekly_run_has_no_pins():
    workflow = WORKFLOWS["weekly-newest"]
    assert workflow[True]["schedule"][0]["cron"].split()[-1] == "1"  # YAML reads `on` as true
    runs = " ".join(step["run"] for step in steps(workflow) if "run" in step)
    assert "constraints" not in runs
    assert "--nbval tests notebooks" in runs


def test_the_linter_has_nothing_to_say():
    beside = Path(sys.executable).parent / "zizmor"
    linter = shutil.which("zizmor") or (str(beside) if beside.exists() else None)
    if linter is None:
        pytest.skip("zizmor is not installed: `pip install zizmor`, then run this again")
    found = subprocess.run(
        [linter, "--offline", "--no-progress", str(FOLDER)], capture_output=True, text=True, timeout=120
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
