"""Cells are told apart by their names, and two of them are compared question by question over the seeds they share."""

import pytest

from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.summary import summarise
from lmem.experiments import capacity

CONTROLS = ("right", "twin", "none")


def scored(em, bits, answer):
    return {"em": em, "f1": float(em), "bits": bits, "answer": answer, "locomo": float(em)}


def row(i, right, twin, said="Miro", says="Pixel"):
    return {
        "id": f"q{i}", "conversation": f"c{i % 2}", "lag": i, "category": 4, "answerable": True, "in_bank": False,
        "right": scored(right, -1.0 - i, said), "twin": scored(twin, -3.0 - right, says),
        "none": scored(0, -8.0 - 3 * right, "unknown"),
    }  # fmt: skip


def save(folder, name, rows):
    path = folder / f"{name}.json.gz"
    results.save({"questions": rows, "summary": summarise(rows, CONTROLS)}, path)
    return path


@pytest.fixture
def files(tmp_path):
    one = [row(0, 0, 0, said=" "), row(1, 0, 0), row(2, 1, 0), row(3, 0, 0, says="Miro")]
    two = [row(0, 1, 0), row(1, 1, 0), row(2, 1, 1), row(3, 0, 0)]
    return [
        save(tmp_path, "m3-1x-s0", one), save(tmp_path, "m3-1x-s1", one),
        save(tmp_path, "m3-10x-s0", two), save(tmp_path, "m3-1x-normalise=True-s0", two),
    ]  # fmt: skip


def test_cells_are_found_by_name_and_sorted_by_scale():
    names = ["tinyworld/m3-10x-s0", "tinyworld/recent", "tinyworld/m2_as_run-1x-s1", "tinyworld/m3-0.5x-s0", "null-rows", "a/m3-10x-gamma=0.99-s2.json.gz", "tinyworld/m3-10x-s1"]  # fmt: skip
    assert capacity.cells(names) == {
        ("m2_as_run", "", 1.0): {1: "tinyworld/m2_as_run-1x-s1"},
        ("m3", "", 0.5): {0: "tinyworld/m3-0.5x-s0"},
        ("m3", "", 10.0): {0: "tinyworld/m3-10x-s0", 1: "tinyworld/m3-10x-s1"},
        ("m3", "gamma=0.99", 10.0): {2: "a/m3-10x-gamma=0.99-s2.json.gz"},
    }
    assert list(capacity.cells(names))[1] == ("m3", "", 0.5)


def test_a_change_by_hand(files):
    found = capacity.cells(files)
    small, large = found["m3", "", 1.0], found["m3", "", 10.0]
    changed = capacity.change(small, large)
    assert changed["seeds"] == [0]
    assert changed["n"] == 4
    # right minus twin: 0 0 1 0, then 1 1 0 0
    assert changed["memory"]["mean"] == 0.25
    # bits: the twin's are 1 lower, and no bank's 3, where the right answer is given: 1 question of 4 before, 3 after
    assert changed["bits"]["mean"] == 0.5
    assert changed["gained"]["mean"] == 1.5
    assert changed["empty"] == (0.25, 0.0)
    back = capacity.change(large, small)
    assert back["memory"]["mean"] == -0.25
    assert back["empty"] == (0.0, 0.25)


def test_a_change_is_the_mean_over_seeds_of_what_has_an_answer(tmp_path):
    """Seed 0 gains one of two questions, seed 1 none: 0.25. The third question has no answer and counts nowhere."""
    unanswerable = {**row(2, 1, 0), "answerable": False}
    told = {
        "m3-1x-s0": [row(0, 0, 0), row(1, 0, 0), row(2, 0, 0) | {"answerable": False}],
        "m3-1x-s1": [row(0, 1, 0), row(1, 0, 0, said=" "), row(2, 0, 0) | {"answerable": False}],
        "m3-10x-s0": [row(0, 1, 0), row(1, 0, 0), unanswerable],
        "m3-10x-s1": [row(0, 1, 0), row(1, 0, 0), unanswerable],
    }
    found = capacity.cells([save(tmp_path, name, rows) for name, rows in told.items()])
    changed = capacity.change(found["m3", "", 1.0], found["m3", "", 10.0])
    assert (changed["seeds"], changed["n"]) == ([0, 1], 2)
    assert changed["memory"]["mean"] == 0.25
    assert changed["empty"] == (0.25, 0.0)
    first = {1: found["m3", "", 1.0][1]}
    assert capacity.change(first, found["m3", "", 10.0])["memory"]["mean"] == 0


def test_another_kind_of_wrong_bank_is_refused(files, tmp_path):
    def kind(name, *wrong):
        rows = [row(i, 0, 0) for i in range(4)]
        rows = [
            {k: v for k, v in r.items() if k != "twin"} | {w: r["twin"] for w in wrong}
            for r in rows
        ]
        path = tmp_path / f"{name}.json"
        results.save(
            {"questions": rows, "summary": summarise(rows, ("right", "none", *wrong))}, path
        )
        return {0: path}

    found = capacity.cells(files)["m3", "", 1.0]
    rows = [{k: v for k, v in row(i, 0, 0).items() if k != "none"} for i in range(4)]
    results.save(
        {"questions": rows, "summary": summarise(rows, ("right", "twin"))}, tmp_path / "t.json"
    )
    with pytest.raises(InputError, match="the condition none"):
        capacity.change(found, {0: tmp_path / "t.json"})
    for other in (kind("other", "other"), kind("bare")):
        with pytest.raises(InputError, match="one kind of wrong bank"):
            capacity.change(found, other)
    with pytest.raises(InputError, match="with a wrong bank"):
        capacity.agreement(kind("bare"))


def test_options_make_another_cell(files):
    found = capacity.cells(files)
    held = found["m3", "normalise=True", 1.0]
    assert list(held) == [0]
    assert capacity.change(found["m3", "", 1.0], held)["memory"]["mean"] == 0.25


def test_agreement_is_a_share_of_the_same_answers(files):
    assert capacity.agreement(capacity.cells(files)["m3", "", 1.0]) == 0.25


def test_what_cannot_be_compared_is_refused(files, tmp_path):
    found = capacity.cells(files)
    other = {0: save(tmp_path, "m1-1x-s0", [row(i, 1, 0) for i in range(5, 9)])}
    with pytest.raises(InputError, match="a seed in common"):
        capacity.change({1: files[1]}, found["m3", "", 10.0])
    with pytest.raises(InputError, match="the same questions"):
        capacity.change(other, found["m3", "", 10.0])


def test_the_shipped_sweeps_can_be_compared():
    found = capacity.cells(results.names())
    sizes = [(one, other) for one in found for other in found if one[:2] == other[:2] and one[2] < other[2]]  # fmt: skip
    assert sizes
    changed = capacity.change(found[sizes[0][0]], found[sizes[0][1]])
    assert changed["n"] > 100
    assert changed["memory"]["low"] <= changed["memory"]["mean"] <= changed["memory"]["high"]
