"""The published experiment on a small backbone: every cell one file, resumed, refused where it does not fit, tables by hand."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from helpers import lmem

from lmem.data import locomo_release, tinyworld
from lmem.errors import DataError, InputError, MethodError
from lmem.evaluation import results
from lmem.evaluation.summary import summarise
from lmem.experiments import paper, reproduce
from lmem.experiments.planning.machine import MachineProfile
from lmem.experiments.planning.meta_model import MetaMethod
from lmem.experiments.planning.plan import Batches, fitting_batches
from lmem.experiments.planning.workload import Workload
from lmem.experiments.repairs import REPAIRS
from lmem.experiments.reproduce import ReproduceConfig, make_cells
from lmem.training.train import TrainConfig

ROOT = Path(__file__).parents[1]

METHODS = ["m1", "m2", "m3", "m4", "m5", "m6", "m2_as_run", "m5_as_run"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Six conversations in LoCoMo's form, without twins; two are the test, so that another's bank can be had."""
    path = tmp_path_factory.mktemp("world") / "world.json"
    world = tinyworld.World(turns=16, questions=4)
    results.save([tinyworld.sample("reproduce", i, world, twin=False) for i in range(6)], path)
    return path


@pytest.fixture(scope="module")
def short(tiny_folder, world):
    return ReproduceConfig.short(
        backbone=str(tiny_folder), data=str(world), turns=10, questions=2, controls="right,other,none,null_rows,baseline",
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(short, tmp_path_factory):
    """All cells, in two parts as two tasks of an array job would do it."""
    out = tmp_path_factory.mktemp("out")
    reports = [reproduce.reproduce(short, out, part, False) for part in ("1/2", "2/2")]
    return out, reports


def test_every_cell_has_one_file(run, short):
    out, reports = run
    names = ["m0-1x", *(f"{m}-{scale}x" for scale in (1, 10) for m in METHODS)]
    files = sorted(path.name for path in out.glob("*.json.gz"))
    assert files == sorted(f"{name}-s42.json.gz" for name in names)
    assert len(reports[0]["done"]) + len(reports[1]["done"]) == 17
    assert sorted(path.name for path in (out / "adapters").iterdir()) == sorted(
        f"{n}-s42" for n in names[1:]
    )
    assert not list((out / "unfinished").glob("*"))
    found = results.load(out / "m4-10x-s42.json.gz")
    assert found["reproduce"] == short.difference()
    assert found["rows"] == 810
    assert found["training"]["steps"] == short.steps
    assert "knowledge" not in found["summary"]
    assert "knowledge" in results.load(out / "m4-1x-s42.json.gz")["summary"]


def test_nothing_is_done_twice_and_a_lost_file_is_made_again(run, short, monkeypatch):
    out, _ = run
    lost = out / "m6-1x-s42.json.gz"
    before = results.load(lost)["questions"]
    lost.unlink()
    made = []
    run_cell = reproduce.run_published_cell
    monkeypatch.setattr(
        reproduce,
        "run_published_cell",
        lambda cell, *a: made.append(cell.name) or run_cell(cell, *a),
    )
    report = reproduce.reproduce(short, out, None, False)
    assert made == report["done"] == ["m6-1x-s42"]
    assert len(report["skipped"]) == 16
    assert results.load(lost)["questions"] == before  # the same seed, the same answers and scores


def test_files_of_other_settings_are_refused(run, short):
    out, _ = run
    with pytest.raises(InputError, match="of others"):
        reproduce.reproduce(ReproduceConfig(**{**asdict(short), "steps": 3}), out, None, False)


def test_the_tables_stand_beside_the_papers(run):
    out, reports = run
    found = reports[1]["tables"]
    assert [row["method"] for row in found["2"]] == ["m0", *METHODS]
    assert found["2"][3] == {
        "method": "m3",
        "paper, millions": 4.2,
        "ours, millions": 64 * 64 / 1e6,
    }
    recall = {(row["method"], row["scale"]): row for row in found["3"]}
    assert len(recall) == 16
    assert recall["m2", 1]["paper"] == paper.RECALL[1]["m2"]
    assert recall["m2_as_run", 1]["paper"] is None
    one = results.load(out / "m2-1x-s42.json.gz")["summary"]
    rate = one["forgetting"]["recall_rate"]
    assert recall["m2", 1]["ours, mean"] == pytest.approx(100 * rate["mean_of_buckets"], abs=0.01)
    taxes = {(row["method"], row["scale"]): row for row in found["5"]}
    assert taxes["m6", 10]["paper, benefit"] == 5.22
    assert taxes["m6", 10]["ours, tax"]["mean"] == pytest.approx(
        100 * results.load(out / "m6-10x-s42.json.gz")["summary"]["adapter_tax"]["mean"], abs=0.01
    )
    knowledge = {row["method"]: row for row in found["4"]}
    assert knowledge["m2"]["paper, K_30"] == 11.04
    for row in (knowledge["m2"], taxes["m6", 10]):  # each table says the same with category 5 too
        values = [row[key] for key in row if key.startswith("with category 5")]
        assert values
        assert all((value is not None) == ("with_category_5" in one) for value in values)
    text = (out / "tables.md").read_text()
    assert text.count("## Table") == 4
    assert "its figures mean nothing" in text
    assert "17.85 14.65 9.02 9.02 9.02" in text


def told(f1, locomo=None):
    return {
        "answer": "x",
        "f1": f1,
        "em": None if f1 is None else 0,
        "bits": -1.0,
        "locomo": locomo,
    }


def test_tables_by_hand():
    """Two questions of two conversations, and one of category 5 that only the right bank makes decline."""
    names = ("right", "other", "none", "null_rows", "baseline")
    scores = [(0.5, 0.25, 0.0, 0.0, 0.1), (1.0, 0.5, 0.0, 0.2, 0.3)]
    rows = [
        {"id": f"q{i}", "conversation": f"c{i}", "lag": 0, "category": 4, "answerable": True, "in_bank": False}
        | {name: told(f1, f1) for name, f1 in zip(names, found, strict=True)}
        for i, found in enumerate(scores)
    ]  # fmt: skip
    five = {
        "id": "q2",
        "conversation": "c0",
        "lag": 0,
        "category": 5,
        "answerable": False,
        "in_bank": False,
    }
    rows.append(five | {name: told(None, float(name == "right")) for name in names})
    summary = summarise(rows, names)
    summary["knowledge"] = {"right": {"k": [0.2, 0.6]}, "none": {"k": [0.0, 0.0]}}
    summary["with_category_5"]["knowledge"] = {"right": {"k": [0.1, 0.4]}}
    found = paper.comparison_tables({"m3-1x": {"summary": summary, "parameters": 2_500_000}})
    [two], [three], [four], [five] = (found[number] for number in "2345")
    assert (two["paper, millions"], two["ours, millions"]) == (4.2, 2.5)
    # recall rate: (0.5 - 0) / 1 = 0.5 and (1 - 0.2) / 0.8 = 1; with the third, 1, 5/6
    assert three["ours"][0] == 75.0
    assert (three["ours, mean"], three["with category 5, mean"]) == (75.0, 83.33)
    assert three["memory score, F1: right - other"]["mean"] == 37.5  # 0.25 and 0.5
    assert (four["ours, last K"], four["ours, last K - first"], four["ours, sessions"]) == (
        60,
        40,
        2,
    )
    assert four["with category 5, last K"] == 40
    # tax 0.1 - 0 and 0.3 - 0.2; benefit 0.5 - 0.1 and 1 - 0.3; with the third 0, and 1
    assert (five["ours, tax"]["mean"], five["ours, benefit"]["mean"]) == (10, 55)
    assert five["with category 5, tax"]["mean"] == 6.67
    assert five["with category 5, benefit"]["mean"] == 70
    assert five["ours, F_base"] == 20
    score = three["memory score, F1: right - other"]
    assert (score["mdd"], score["conversations"]) == (None, 2)
    page = paper.comparison_page(found, "nano", 0, "")
    assert "(G=2), no MDD: too few conversations" in page


def test_conditions_that_cannot_be_had_are_refused_before_anything_is_trained(short, tmp_path):
    wrong = ReproduceConfig(**{**asdict(short), "controls": "right,twin"})
    with pytest.raises(InputError, match="expected conditions out of"):
        reproduce.reproduce(wrong, tmp_path, None, False)
    assert not list(tmp_path.glob("*.json.gz"))


def test_the_whole_experiment_carries_no_warning():
    whole = ReproduceConfig()
    assert whole.limits() == ""
    page = paper.comparison_page(
        paper.comparison_tables({}), whole.backbone, whole.seed, whole.warning()
    )
    assert "mean nothing" not in page
    assert page.count("No result yet.") == 4
    assert [cell.name for cell in reproduce.make_cells(whole)][:3] == [
        "m0-1x-s42",
        "m1-1x-s42",
        "m2-1x-s42",
    ]


def test_repaired_methods_are_cells_too(short, tmp_path):
    """A repair has the options of the repairs' table and its own learning rate, and names its files."""
    cells = make_cells(short, ["m0", "m3", "m3_repaired"], [1, 10])
    assert [cell.name for cell in cells] == [
        f"{name}-s42" for name in ("m0-1x", "m3-1x", "m3_repaired-1x", "m3-10x", "m3_repaired-10x")
    ]
    report = reproduce.reproduce(short, tmp_path, None, False, cells=cells[2:3])
    assert report["done"] == ["m3_repaired-1x-s42"]
    found = results.load(tmp_path / "m3_repaired-1x-s42.json.gz")
    [repair] = [each for each in REPAIRS if each.name == "m3_repaired"]
    assert found["options"] == {"write": repair.write, "read": repair.read, "train": {"lr": 1e-3}}
    assert [row["method"] for row in report["tables"]["2"]] == ["m3_repaired"]
    again = reproduce.reproduce(short, tmp_path, None, False, cells=cells[:1])
    assert [row["method"] for row in again["tables"]["2"]] == ["m0", "m3_repaired"]
    with pytest.raises(InputError, match="m9_repaired"):
        make_cells(short, ["m9_repaired"])


def test_results_are_published_without_the_texts_of_answers(run, tmp_path, capsys):
    out, _ = run
    code, _, _ = lmem(capsys, "publish", out / "m3-1x-s42.json.gz", "--out", tmp_path)
    assert code == 0
    [path] = tmp_path.iterdir()
    whole, copy = results.load(out / "m3-1x-s42.json.gz"), results.load(path)
    assert path.name == f"{Path(whole['backbone']).name}-m3-1x-s42.json.gz"
    assert copy["summary"] == whole["summary"]
    assert all("answer" not in row["right"] for row in copy["questions"])
    assert [row["right"]["f1"] for row in copy["questions"]] == [
        row["right"]["f1"] for row in whole["questions"]
    ]
    assert "conditions" in next(iter(copy["abilities"].values()))
    code, _, err = lmem(capsys, "summarise", path)
    assert code == 2
    assert "published without" in err


def test_parts_cover_everything_once():
    all_ = reproduce.make_cells(ReproduceConfig())
    parts = [reproduce.part_of(all_, f"{i}/5") for i in range(1, 6)]
    assert sorted(c.name for part in parts for c in part) == sorted(c.name for c in all_)
    for wrong in ("0/5", "6/5", "x", "3"):
        with pytest.raises(InputError, match="a part"):
            reproduce.part_of(all_, wrong)


def test_a_plan_comes_before_anything_is_loaded_or_trained(short, tmp_path, capsys, monkeypatch):
    def load(*_):
        raise AssertionError("a plan needs no weights")

    monkeypatch.setattr(reproduce, "load_backbone", load)
    few = reproduce.make_cells(short)[:4]
    m0, m1, m2, m3 = reproduce.Reproduction(short, tmp_path, few).plan()
    assert m0.cell.method == "m0"
    assert min(m1.seconds, m2.seconds, m3.seconds) > 0
    assert (m1.batches.train, m1.reason) == (16, "")
    assert m1.seconds > m3.seconds  # its gradient passes the encoder
    assert m3.row()["questions at once"] == f"16, {m3.batches.answer}"
    monkeypatch.setattr(reproduce, "make_cells", lambda *_: few)
    code, printed, _ = lmem(
        capsys, "reproduce", "--out", tmp_path, "--backbone", short.backbone, "--data", short.data,
        "--short", "--profile", "cpu", "--plan",
    )  # fmt: skip
    assert code == 0
    assert "what will run" in printed
    assert "hours by the plan" in printed
    assert not list(tmp_path.iterdir())


def test_a_cell_that_does_not_fit_is_said_beforehand(short, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(reproduce, "make_cells", lambda *_: [reproduce.Cell("m1", 10, short.seed)])
    monkeypatch.setattr(
        reproduce, "plan_cell", lambda cell, *_: reproduce.CellPlan(cell, None, reason="too large")
    )
    arguments = ("--backbone", short.backbone, "--data", short.data, "--profile", "cpu")
    code, printed, _ = lmem(capsys, "reproduce", "--out", tmp_path, "--short", *arguments)
    assert code == 0
    assert printed.index("m1-10x-s42 will not run: too large") < printed.index(
        "# The paper's tables"
    )
    code, printed, _ = lmem(capsys, "reproduce", "--out", tmp_path, "--report", "--json")
    assert code == 2  # nothing is finished


def test_a_report_of_what_is_finished(run, short, capsys):
    out, _ = run
    code, printed, _ = lmem(capsys, "reproduce", "--out", out, "--report", "--json")
    assert code == 0
    assert json.loads(printed)["file"] == str(out / "report.html")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "17 runs are finished, of 17 of" in page
    assert "17.85 14.65 9.02 9.02 9.02" in page
    assert page.count("<h2>Table ") == 4
    # the curves of all cells, and the knowledge of the nine at 1x
    assert page.count('class="plotly-graph-div"') == 10
    assert "<script src=" not in page  # it needs no network


def test_limits_and_generated_conversations_are_planned():
    whole = Workload()
    assert whole.limited() == whole
    few = whole.limited(12, 1)
    assert (few.train, few.test) == ((7, 84, 12), (3, 36, 12))
    assert (few.train_questions, few.test_questions) == (7, 3)
    assert few.knowledge == round(6936 * 3 / 639)
    for data in ("tinyworld", "everyday"):
        drawn = ReproduceConfig(data=data, conversations=6, turns=20, questions=4)
        training, tests = reproduce.load_conversations(drawn)
        assert (len(training), len(tests)) == (4, 2)
        assert {len(c.turns) for c in training + tests} == {20}
        assert all(0 < len(c.questions) <= 4 and c.twin is None for c in training + tests)
        assert reproduce.Reproduction(drawn, "nowhere").workload.train == (4, 80, 20)


def test_limits_keep_what_can_be_answered(conversations):
    one = conversations[0]
    short = reproduce.shortened(one, 9, 3)
    assert short.texts() == one.texts()[:9]
    assert 0 < len(short.questions) <= 3
    whole = {q.id: q for q in one.questions}
    for question in short.questions:
        assert max(question.evidence) < 9
        assert question.lag == 8 - min(question.evidence)
        assert question.answer == whole[question.id].answer
    assert reproduce.shortened(one).questions == one.questions
    two = reproduce.shortened(one, questions=2).questions  # spread over all of them
    assert two == (one.questions[0], one.questions[len(one.questions) // 2])


def test_without_network_one_sentence_says_what_to_put_where(tmp_path, capsys, monkeypatch):
    def gone():
        raise DataError("expected to download LoCoMo from afar, got nothing")

    monkeypatch.setattr(locomo_release, "find", lambda: None)
    monkeypatch.setattr(locomo_release, "download", gone)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    out = tmp_path / "out"
    code, printed, err = lmem(
        capsys, "reproduce", "--backbone", "no-such/model-here", "--out", out, "--profile", "cpu"
    )
    assert (code, printed) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert "locomo10.json at" in err
    assert "LMEM_LOCOMO" in err
    assert "hf download no-such/model-here" in err
    assert "--backbone" in err
    assert not list(out.rglob("*.json.gz"))


def test_the_verb(run, short, capsys):
    """The run above goes on from the command line: nothing is left to do, and the tables are printed."""
    out, _ = run
    given = {
        k: v
        for k, v in asdict(short).items()
        if k in ("backbone", "data", "controls", "turns", "questions")
    }
    arguments = [text for k, v in given.items() for text in (f"--{k}", v)]
    code, printed, _ = lmem(
        capsys, "reproduce", "--out", out, "--short", "--profile", "cpu", *arguments, "--json"
    )
    assert code == 0
    assert json.loads(printed)["done"] == []
    code, printed, _ = lmem(
        capsys, "reproduce", "--out", out, "--short", "--profile", "cpu", *arguments
    )
    assert "Table 5" in printed


def test_out_of_memory_splits_batches_then_goes_on_and_a_restart_tries_only_that_cell(
    run, short, monkeypatch, tmp_path
):
    """m3 fits with smaller batches; m6 does not fit at all; the backbone cannot have m2; a plan leaves m5 out."""
    tried, run_cell, plan = [], reproduce.run_published_cell, reproduce.plan_cell
    few = ["m2-1x-s42", "m3-1x-s42", "m6-1x-s42", "m5-1x-s42", "m0-1x-s42"]
    cells = [cell for cell in reproduce.make_cells(short) if cell.name in few]
    monkeypatch.setattr(reproduce, "make_cells", lambda *_: cells)

    def out_of_memory(cell, *others):
        batches = others[-1]
        tried.append((cell.name, batches.train))
        if cell.method == "m2":
            raise MethodError("expected another backbone")
        if cell.method == "m6" or (cell.method == "m3" and batches.train > 4):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        return run_cell(cell, *others)

    def too_large(cell, *others):
        if cell.method == "m5":
            return reproduce.CellPlan(cell, None, reason="needs 99 GiB")
        return plan(cell, *others)

    monkeypatch.setattr(reproduce, "run_published_cell", out_of_memory)
    monkeypatch.setattr(reproduce, "plan_cell", too_large)
    report = reproduce.reproduce(short, tmp_path, None, False)
    assert report["done"] == ["m0-1x-s42", "m3-1x-s42"]
    assert sorted(report["failed"]) == ["m2-1x-s42", "m5-1x-s42", "m6-1x-s42"]
    assert report["failed"]["m2-1x-s42"] == "expected another backbone"
    assert "out of memory" in report["failed"]["m6-1x-s42"]
    assert reproduce.Reproduction(short, tmp_path).failed() == report["failed"]
    assert [size for name, size in tried if name == "m3-1x-s42"] == [16, 8, 4]
    assert [size for name, size in tried if name == "m6-1x-s42"][-1] == 1
    split = results.load(tmp_path / "m3-1x-s42.json.gz")["questions"]
    whole = results.load(run[0] / "m3-1x-s42.json.gz")["questions"]
    assert [row["right"]["answer"] for row in split] == [row["right"]["answer"] for row in whole]
    for row, other in zip(split, whole, strict=True):
        assert row["right"]["bits"] == pytest.approx(other["right"]["bits"], abs=0.01)

    monkeypatch.setattr(reproduce, "run_published_cell", run_cell)
    tried.clear()
    again = reproduce.reproduce(short, tmp_path, None, False)
    assert again["done"] == ["m2-1x-s42", "m6-1x-s42"]
    assert sorted(again["skipped"]) == ["m0-1x-s42", "m3-1x-s42"]
    assert sorted(again["failed"]) == ["m5-1x-s42"]
    assert list(reproduce.Reproduction(short, tmp_path).failed()) == ["m5-1x-s42"]


def test_other_errors_still_end_the_run(short, monkeypatch, tmp_path):
    def broken(*_):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(reproduce, "run_published_cell", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        reproduce.reproduce(short, tmp_path, "1/17", False)


def test_batches_are_halved_until_a_run_fits(tiny_folder):
    work = Workload(deleted=0, knowledge=0)
    large = MachineProfile.of("cpu", memory=1000.0)
    whole = fitting_batches(str(tiny_folder), large, work, "m1", 10, 16)
    assert whole[:2] == (16, large.batch)
    small = MachineProfile.of("cpu", memory=0.6 * whole.total_mib / 1024)
    fitted = fitting_batches(str(tiny_folder), small, work, "m1", 10, 16)
    assert fitted.fits
    assert fitted.train < 16 or fitted.answer < large.batch
    assert fitted.total_mib <= small.memory * 1024
    none = fitting_batches(
        str(tiny_folder), MachineProfile.of("cpu", memory=1e-4), work, "m1", 10, 16
    )
    assert (none.train, none.answer, none.fits) == (1, 1, False)
    assert Batches(16, 33).halved()[:2] == (8, 17)
    assert Batches(1, 1).halved() is None


@pytest.mark.parametrize("what", ["train", "answer"])
def test_only_what_changed_is_counted_again(tiny_folder, monkeypatch, what):
    """Each unit is counted once for each size of its batch, however often something is halved."""
    counted = []
    for name in ("encode_cost", "write_cost", "step_cost", "answer_cost", "bits_cost"):
        plain = getattr(MetaMethod, name)

        def count(self, batch, *rest, name=name, plain=plain):
            counted.append((name, batch, rest))
            return plain(self, batch, *rest)

        monkeypatch.setattr(MetaMethod, name, count)
    large = MachineProfile.of("cpu", memory=1e-4, batch=1 if what == "train" else 16)
    work = Workload(deleted=0, knowledge=0)
    fitting_batches(str(tiny_folder), large, work, "m1", 10, 16 if what == "train" else 1)
    assert len(counted) == len(set(counted))
    assert len([name for name, *_ in counted if name == "step_cost"]) == (
        5 if what == "train" else 1
    )


def printed_commands():
    """{(backbone, profile): verbs} of all commands for a GPU that the book prints, and of a chapter's profile cell."""
    found = {
        (MachineProfile.of(name).backbone, name): {"notebook"} for name in ("t4", "a100", "h200")
    }
    for page in [*ROOT.glob("book/*.md"), *ROOT.glob("notebooks/*.ipynb")]:
        for line in page.read_text(encoding="utf-8").splitlines():
            verb = re.search(r"lmem (reproduce|plan) ", line)
            profile = re.search(r"--profile (t4|a100|h200)\b", line)
            if verb and profile:
                backbone = re.search(r"--backbone ([\w/.-]+)", line)
                used = backbone[1] if backbone else ReproduceConfig().backbone
                found.setdefault((used, profile[1]), set()).add(verb[1])
    return {pair: sorted(verbs) for pair, verbs in sorted(found.items())}


def test_the_book_prints_commands_for_every_card():
    found = printed_commands()
    assert {profile for _, profile in found} == {"t4", "a100", "h200"}
    assert "reproduce" in found["google/flan-t5-xl", "a100"]
    assert "reproduce" in found["google/flan-t5-xl", "h200"]


@pytest.mark.parametrize(("pair", "verbs"), printed_commands().items(), ids=str)
def test_printed_commands_fit_by_the_planner(pair, verbs):
    """Of the whole experiment M.1 at 10x needs most, because its gradient passes the encoder; below all cells are planned."""
    profile = MachineProfile.of(pair[1])
    method, scale = ("m1", 10) if "reproduce" in verbs else ("m3", 1)
    batch = TrainConfig.paper().batch
    fitted = fitting_batches(pair[0], profile, Workload(), method, scale, batch)
    assert fitted.fits
    assert fitted.total_mib <= profile.memory * 1024


@pytest.mark.full
@pytest.mark.parametrize("name", ["a100", "h200"])
def test_every_cell_of_the_whole_experiment_fits(name):
    profile, cells = MachineProfile.of(name), make_cells(ReproduceConfig())[1:]
    assert len(cells) == 16
    for cell in cells:
        fitted = fitting_batches(
            "google/flan-t5-xl",
            profile,
            Workload(),
            cell.method,
            cell.scale,
            TrainConfig.paper().batch,
        )
        assert fitted.fits, cell
