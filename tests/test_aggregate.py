"""Result files grouped by cell, averaged over seeds, and two cells compared question by question over the seeds they share."""

import pytest

from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.summary import summarise
from lmem.experiments.aggregate import (
    compare_cells,
    gather,
    group_by_seed,
    mean_gain,
)

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
    assert group_by_seed(names) == {
        ("m2_as_run", "", 1.0): {1: "tinyworld/m2_as_run-1x-s1"},
        ("m3", "", 0.5): {0: "tinyworld/m3-0.5x-s0"},
        ("m3", "", 10.0): {0: "tinyworld/m3-10x-s0", 1: "tinyworld/m3-10x-s1"},
        ("m3", "gamma=0.99", 10.0): {2: "a/m3-10x-gamma=0.99-s2.json.gz"},
    }
    assert list(group_by_seed(names))[1] == ("m3", "", 0.5)


def test_a_change_by_hand(files):
    found = group_by_seed(files)
    small, large = found["m3", "", 1.0], found["m3", "", 10.0]
    changed = compare_cells(small, large)
    assert changed["seeds"] == [0]
    assert changed["n"] == 4
    # right minus twin: 0 0 1 0, then 1 1 0 0
    assert changed["memory"]["mean"] == 0.25
    # bits: the twin's are 1 lower, and no bank's 3, where the right answer is given: 1 question of 4 before, 3 after
    assert changed["bits"]["mean"] == 0.5
    assert changed["gained"]["mean"] == 1.5
    assert changed["empty"] == (0.25, 0.0)
    back = compare_cells(large, small)
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
    found = group_by_seed([save(tmp_path, name, rows) for name, rows in told.items()])
    changed = compare_cells(found["m3", "", 1.0], found["m3", "", 10.0])
    assert (changed["seeds"], changed["n"]) == ([0, 1], 2)
    assert changed["memory"]["mean"] == 0.25
    assert changed["empty"] == (0.25, 0.0)
    first = {1: found["m3", "", 1.0][1]}
    assert compare_cells(first, found["m3", "", 10.0])["memory"]["mean"] == 0


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

    found = group_by_seed(files)["m3", "", 1.0]
    rows = [{k: v for k, v in row(i, 0, 0).items() if k != "none"} for i in range(4)]
    results.save(
        {"questions": rows, "summary": summarise(rows, ("right", "twin"))}, tmp_path / "t.json"
    )
    with pytest.raises(InputError, match="the condition none"):
        compare_cells(found, {0: tmp_path / "t.json"})
    for other in (kind("other", "other"), kind("bare")):
        with pytest.raises(InputError, match="one kind of wrong bank"):
            compare_cells(found, other)


def test_options_make_another_cell(files):
    found = group_by_seed(files)
    held = found["m3", "normalise=True", 1.0]
    assert list(held) == [0]
    assert compare_cells(found["m3", "", 1.0], held)["memory"]["mean"] == 0.25


def test_what_cannot_be_compared_is_refused(files, tmp_path):
    found = group_by_seed(files)
    other = {0: save(tmp_path, "m1-1x-s0", [row(i, 1, 0) for i in range(5, 9)])}
    with pytest.raises(InputError, match="a seed in common"):
        compare_cells({1: files[1]}, found["m3", "", 10.0])
    with pytest.raises(InputError, match="the same questions"):
        compare_cells(other, found["m3", "", 10.0])


def test_the_shipped_sweeps_can_be_compared():
    found = group_by_seed(results.names())
    sizes = [(one, other) for one in found for other in found if one[:2] == other[:2] and one[2] < other[2]]  # fmt: skip
    assert sizes
    changed = compare_cells(found[sizes[0][0]], found[sizes[0][1]])
    assert changed["n"] > 100
    assert changed["memory"]["low"] <= changed["memory"]["mean"] <= changed["memory"]["high"]


def sweep_result(seed, right, twin):
    """A result of two questions, of one conversation each."""
    rows = [
        {
            "id": f"q{i}", "conversation": f"c{i}", "answerable": True,
            "right": {"em": r, "f1": r, "bits": -1.0 * r, "answer": "Rex"[: 3 * r]},
            "twin": {"em": t, "f1": t, "bits": -2.0, "answer": "Rex"[: 3 * t]},
        }
        for i, (r, t) in enumerate(zip(right, twin, strict=True))
    ]  # fmt: skip
    gain = sum(r - t for r, t in zip(right, twin, strict=True)) / 2
    summary = {
        "conditions": {"right": {}, "twin": {}},
        "memory": {"right-twin, all": {"mean": gain}},
    }
    return {
        "name": f"m3-1x-s{seed}", "method": "attention+extension", "rows": 64, "scale": 1, "options": {},
        "questions": rows, "summary": summary, "provenance": {"seed": seed},
    }  # fmt: skip


def test_seeds_are_averaged_by_question(tmp_path):
    results.save(sweep_result(0, [1, 1], [0, 0]), tmp_path / "m3-1x-s0.json")  # gains 1, 1
    results.save(sweep_result(1, [1, 0], [0, 1]), tmp_path / "m3-1x-s1.json")  # gains 1, -1
    [line] = gather([tmp_path / "m3-1x-s0.json", tmp_path / "m3-1x-s1.json"])
    assert (line["cell"], line["seeds"], line["n"]) == ("m3-1x", [0, 1], 2)
    assert line["right"] == 0.75  # (1 + 1 + 1 + 0) / 4
    assert line["wrong"] == 0.25  # (0 + 0 + 0 + 1) / 4
    assert line["memory"]["mean"] == 0.5  # question means 1 and 0
    assert line["spread"] == [0, 1]  # seed 1: (1 - 1) / 2
    assert line["bits"]["mean"] == pytest.approx(1.25)  # right -(1 + 1 + 1 + 0) / 4, twin -2
    assert line["empty"] == 0.25  # one of four
    assert line["agreement"] == 0  # one bank says something exactly where the other does not
    assert line["bits_gained"] is None  # there was no condition none


def test_seeds_with_other_questions_are_refused(tmp_path):
    other = sweep_result(1, [1, 0], [0, 1])
    other["questions"][0]["id"] = "another"
    results.save(sweep_result(0, [1, 1], [0, 0]), tmp_path / "m3-1x-s0.json")
    results.save(other, tmp_path / "m3-1x-s1.json")
    with pytest.raises(InputError, match="same questions"):
        gather([tmp_path / "m3-1x-s0.json", tmp_path / "m3-1x-s1.json"])


def test_a_gain_averages_seeds_question_by_question():
    """The two files have the questions in different orders."""

    def scores(name, right, twin):
        return {"id": name, "conversation": name[0], "answerable": True} | {
            "right": {"em": right},
            "twin": {"em": twin},
        }

    first = {"questions": [scores("a1", 1, 0), scores("b1", 0, 0)]}
    second = {"questions": [scores("b1", 1, 0), scores("a1", 1, 1)]}
    gain = mean_gain([first, second])
    assert gain["mean"] == pytest.approx(0.5)  # a1: (1 + 0) / 2, b1: (0 + 1) / 2
    assert (gain["n"], gain["seeds"]) == (2, 2)
    assert mean_gain([first], lambda row: row["id"] == "a1", worse=None)["mean"] == 1
    assert mean_gain([first], lambda row: False) is None
