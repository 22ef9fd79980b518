"""Chapter 1, and with `make test-full` every chapter, runs from the wheel alone: a clean virtual environment, an empty folder and one notebook file, as in Colab.

The large packages are lent by the environment that runs the tests; `lmem` comes out of the wheel and from nowhere else. The
chapter's outputs are compared with the stored ones there.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from chapters import ROOT, code, environment, nbval, read, some_notebooks

OUTSIDE = (
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "LMEM_LOCOMO",
)  # what a new machine does not have
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built as a release is: by hatchling if it is installed, else pip fetches it."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--quiet", "-w", str(out)]
    if find_spec("hatchling"):
        command.append("--no-build-isolation")
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    [made] = out.glob("lmem-*.whl")
    return made


@pytest.fixture(scope="module")
def clean(wheel, tmp_path_factory):
    """A function: run Python with these arguments in a virtual environment that has only the wheel's lmem."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    env = environment(*OUTSIDE) | {
        "PYTHONNOUSERSITE": "1",
        "HF_HUB_OFFLINE": "1",
        "IPYTHONDIR": str(folder / "ipython"),
    }

    def run(*arguments, cwd):
        return subprocess.run(
            [str(python), *map(str, arguments)],
            cwd=cwd, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip

    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(run("-c", where, cwd=folder).stdout.strip())
    # a folder that a path file names is not searched for path files: an editable lmem in there stays unseen
    lent = [path for path in sys.path if path.endswith("-packages") and Path(path).is_dir()]
    (own / "lent.pth").write_text("\n".join(lent) + "\n", encoding="utf-8")
    found = run("-c", "import lmem; print(lmem.__file__)", cwd=folder)
    assert Path(found.stdout.strip()).parent == own / "lmem", found.stderr
    return run


def test_the_wheel_carries_the_package_and_its_results_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    inside = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    inside = {
        name for name in inside if "unfinished" not in name.split("/")
    }  # of a sweep that goes on
    wanted = {
        f"{target}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, target in (("lmem", "lmem"), ("results", "lmem/_results"))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "unfinished" not in path.parts
    }
    assert inside == wanted
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not [name for name in names if name.endswith((".pt", ".pkl", ".pickle", ".bin", ".npy"))]
    assert wheel.stat().st_size < 40e6


@some_notebooks(0)
def test_a_chapter_runs_from_the_wheel_alone(path, clean, tmp_path):
    pytest.importorskip("nbval", reason="the [dev] extra is not installed")
    shutil.copy(path, tmp_path)
    run = clean(*nbval(path.name), cwd=tmp_path)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
    assert re.search(rf"^{len(code(read(path)))} passed", run.stdout, re.M), run.stdout[-300:]
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name], "it leaves nothing behind"
