"""What another processor rounds the other way is the same; what differs by more is not."""

import base64
import subprocess
import sys

import nbformat
import pytest
from chapters import nbval
from nbval_rounding import near, settled


def packed(*values, dtype="u1"):
    return {"bdata": base64.b64encode(bytes(values)).decode(), "dtype": dtype, "shape": "1, 3"}


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (0.72, 0.73), (223.6, 223.61), (1.0, 0.99), (8.24e-05, 8.25e-05), (0, 0.1), ("a 6.3 b", "a 6.2 b"), ("1.0e-05", "1.1e-05"), ("-0.0", "0.0"), (-0.0, 0.0),
        ([1, {"y": [0.5, 20.9]}], [1, {"y": [0.5, 20.8]}]), (packed(1, 7, 9), packed(2, 7, 8)), (packed(0, 7, 9, dtype="i1"), packed(255, 7, 9, dtype="i1")),
    ],
)  # fmt: skip
def test_one_unit_of_the_last_digit_is_rounding(new, old):
    assert settled(new, old) == old


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (0.71, 0.73), (223.59, 223.61), (8.23e-05, 8.25e-05), (3, 4), (True, False), (1.5, "1.5"), (float("nan"), 1.0),
        ("a 6.4 b", "a 6.2 b"), ("a 6.3 c", "a 6.2 b"), ("18 of 20", "19 of 20"), ("1.5", "1.5, 2.5"), ([1.5], [1.5, 2.5]),
        ({"x": 1.5}, {"y": 1.5}), (packed(1, 7, 9), packed(3, 7, 9)), (packed(1, 7, 9), packed(1, 7, 9, dtype="i1")), (packed(0, 7, 9), packed(255, 7, 9)),
        (packed(1, 7, 9, dtype="f4"), packed(1, 7, 8, dtype="f4")),
    ],
)  # fmt: skip
def test_more_is_not(new, old):
    assert settled(new, old) is new or settled(new, old) == new
    assert settled(new, old) != old


def test_a_unit_is_of_the_number_as_it_is_written():
    assert near("0.0076", "0.00759")
    assert not near("0.0076", "0.00758")
    assert near("20.85e1", "208.4")


@pytest.mark.slow
def test_nbval_compares_what_is_settled(tmp_path):
    """The first two cells pass, the third, whose output is further away, fails."""
    cells = []
    for count, stored in enumerate(("0.73", "0.74", "0.75"), 1):
        said = nbformat.v4.new_output("stream", name="stdout", text=f"share {stored}\n")
        cells.append(
            nbformat.v4.new_code_cell("print('share', 0.73)", outputs=[said], execution_count=count)
        )
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "python3", "language": "python"}})  # fmt: skip
    nbformat.write(notebook, tmp_path / "one.ipynb")
    run = subprocess.run(
        [sys.executable, *nbval(tmp_path / "one.ipynb")], cwd=tmp_path, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert run.stdout.startswith("..F"), run.stdout + run.stderr
    assert "1 failed, 2 passed" in run.stdout
