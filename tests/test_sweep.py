"""Sweeps: every cell once, what exists is skipped, what fails is said."""

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import pytest

from lmem.errors import InputError, MethodError
from lmem.evaluation import results
from lmem.experiments.runner import Cell
from lmem.experiments.sweep import SweepConfig, make_cells, run_sweep, run_sweep_cell

TINY = {"conversations": 3, "turns": 10, "tests": 2, "test_turns": 10, "steps": 2, "batch": 4}


@pytest.fixture
def small(tiny):
    return SweepConfig(backbone=tiny.name, **TINY)


def test_cells_are_all_combinations_with_the_first_seed_first():
    found = make_cells(["m2", "m3"], (1, 10), (0, 1), writes=({}, {"gamma": 1.0}))
    assert len(found) == 2 * 2 * 2 * 2
    assert [run.seed for run in found] == [0] * 8 + [1] * 8
    assert len({run.name for run in found}) == 16
    assert make_cells(["m3", "m0"], (1, 10), (0,)) == [Cell("m0"), Cell("m3"), Cell("m3", 10)]
    assert Cell("m3", 10, 1, {"gamma": 0.99}, {"heads": 2}).name == "m3-10x-gamma=0.99-heads=2-s1"


def test_a_sweep_writes_each_cell_and_skips_what_exists(tmp_path, small):
    two = make_cells(["m0", "m3"])
    report = run_sweep(two, tmp_path, small)
    assert sorted(report["done"]) == ["m0-1x-s0", "m3-1x-s0"]
    assert not report["skipped"]
    assert not report["failed"]
    made = results.load(tmp_path / "m3-1x-s0.json.gz")
    assert made["method"] == "attention+extension"
    assert made["training"]["steps"] == 2
    assert made["sweep"]["conversations"] == 3
    before = (tmp_path / "m3-1x-s0.json.gz").read_bytes()
    again = run_sweep(two, tmp_path, small)
    assert again["skipped"] == ["m0-1x-s0", "m3-1x-s0"]
    assert (tmp_path / "m3-1x-s0.json.gz").read_bytes() == before
    assert not list((tmp_path / "unfinished").glob("*"))


def test_results_of_other_settings_are_not_taken_for_these(tmp_path, small):
    run_sweep_cell(Cell("m0"), tmp_path, small)
    with pytest.raises(InputError, match="m0-1x-s0.json.gz is of others"):
        run_sweep([Cell("m0"), Cell("m3")], tmp_path, replace(small, tests=3))
    assert not list(tmp_path.glob("m3*"))


def test_a_folder_that_cannot_be_written_is_refused_before_the_training(tmp_path, small):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", "~/sweep"):
        with pytest.raises(InputError, match="is a file|begins with ~"):
            run_sweep([Cell("m0")], out, small)


def test_side_by_side_and_cut_off_the_results_are_the_same(tmp_path, small, monkeypatch):
    """Two processes write what one writes; and a cell that was cut off in its training goes on from its checkpoint."""
    cells_ = [Cell("m3"), Cell("m2")]
    for cell in cells_:
        run_sweep_cell(cell, tmp_path / "1", small)
    both = run_sweep(cells_, tmp_path / "2", small, 2)
    assert sorted(both["done"]) == sorted(cell.name for cell in cells_)
    found = {}
    for cell in cells_:
        found[cell.name], other = (
            results.load(tmp_path / n / f"{cell.name}.json.gz")["questions"] for n in "12"
        )
        assert found[cell.name] == other

    asked = []

    class Pool(ProcessPoolExecutor):
        def __init__(self, jobs, fresh, start, threads):
            asked.append((jobs, fresh.get_start_method(), *threads))
            super().__init__(jobs, fresh, start, threads)

    monkeypatch.setattr("lmem.experiments.sweep.ProcessPoolExecutor", Pool)
    monkeypatch.setattr("torch.get_num_threads", lambda: 7)
    run_sweep(cells_, tmp_path / "1", small, 3)  # all there: nothing is begun
    assert asked == [(3, "spawn", 2)]
    monkeypatch.undo()

    def cut(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("lmem.experiments.runner.evaluate", cut)
    with pytest.raises(KeyboardInterrupt):
        run_sweep_cell(Cell("m3"), tmp_path / "cut", small)
    monkeypatch.undo()
    kept = tmp_path / "cut" / "unfinished" / "m3-1x-s0" / "checkpoint.pt"
    assert kept.exists()
    monkeypatch.setattr(
        "lmem.training.loss.AnswerLoss.__call__", cut
    )  # all its steps were done: no further one
    run_sweep_cell(Cell("m3"), tmp_path / "cut", small)
    assert results.load(tmp_path / "cut" / "m3-1x-s0.json.gz")["questions"] == found["m3-1x-s0"]


def test_a_seed_changes_the_run_and_not_the_test(tmp_path, small):
    for seed in (0, 1):
        run_sweep_cell(Cell("m3", seed=seed), tmp_path, small)
    a, b = (results.load(tmp_path / f"m3-1x-s{seed}.json.gz") for seed in (0, 1))
    assert [row["id"] for row in a["questions"]] == [row["id"] for row in b["questions"]]
    assert a["training"]["loss"] != b["training"]["loss"]
    assert json.dumps(a["questions"]) != json.dumps(b["questions"]) or a["summary"] != b["summary"]


def test_a_cell_that_fails_is_said_and_the_others_go_on(tmp_path, small):
    report = run_sweep([Cell("m3", write={"colour": "red"}), Cell("m0")], tmp_path, small)
    assert report["done"] == ["m0-1x-s0"]
    [why] = report["failed"].values()
    assert "colour" in why
    assert not (tmp_path / "m3-1x-colour=red-s0.json.gz").exists()


def test_bad_sweeps_are_refused(tmp_path):
    with pytest.raises(MethodError, match="m99"):
        make_cells(["m99"])
    with pytest.raises(InputError, match="twice"):
        run_sweep([Cell("m3"), Cell("m3")], tmp_path)
    with pytest.raises(InputError, match="job"):
        run_sweep([Cell("m3")], tmp_path, jobs=0)
    with pytest.raises(InputError, match="expected conditions out of"):  # before it is trained
        run_sweep_cell(Cell("m3"), tmp_path, SweepConfig(conversations=1, controls="rihgt"))
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="conversations"):
        SweepConfig(conversations=0)


def test_options_of_one_name_give_cells_of_different_names(tmp_path, small):
    """`heads` is an option of the keyed write and of its read; elsewhere names stay as they were."""
    write, read = Cell("keyed", write={"heads": 4}), Cell("keyed", read={"heads": 4})
    assert (write.name, read.name) == ("keyed-1x-write.heads=4-s0", "keyed-1x-read.heads=4-s0")
    assert Cell("m2", read={"heads": 4}).name == "m2-1x-heads=4-s0"
    assert Cell("m2", 0.1234567891).name != Cell("m2", 0.1234567892).name
    report = run_sweep([write, read], tmp_path, small)
    assert sorted(report["done"]) == sorted([write.name, read.name])


def test_a_whole_number_in_another_form_is_that_number():
    assert SweepConfig(steps=1e3).steps == 1000
    assert isinstance(SweepConfig(steps=1e3).steps, int)
    with pytest.raises(InputError, match="steps"):
        SweepConfig(steps=1.5)


def test_a_setting_of_the_training_is_part_of_a_cell(tmp_path, small):
    """M.4 with another eps of Adam: a file of its own, which says so, next to the one with the shared settings."""
    [plain, other] = make_cells(["m4"], trainings=({}, {"eps": 1e-12}))
    assert (plain.name, other.name) == ("m4-1x-s0", "m4-1x-eps=1e-12-s0")
    report = run_sweep([plain, other], tmp_path, small)
    assert not report["failed"]
    first, second = (results.load(tmp_path / f"{cell.name}.json.gz") for cell in (plain, other))
    assert first["options"] == {"write": {}, "read": {}}
    assert second["options"] == {"write": {}, "read": {}, "train": {"eps": 1e-12}}
    assert first["sweep"] == second["sweep"]
    assert first["adapter"]["digest"] != second["adapter"]["digest"]
    assert run_sweep([other], tmp_path, small)["skipped"] == [other.name]
    wrong = run_sweep([Cell("m4", train={"epz": 1})], tmp_path, small)
    assert "no setting 'epz'" in wrong["failed"]["m4-1x-epz=1-s0"]
