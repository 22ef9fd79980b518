"""The benches of many rows and of a GPU: complete, exact where they say so, refused where nothing can be measured."""

import json
from pathlib import Path

import pytest
import torch
from helpers import lmem, make

from lmem.bench import gpu, rows
from lmem.bench.shape import random_backbone
from lmem.data import locomo, tinyworld
from lmem.errors import InputError
from lmem.evaluation import results
from lmem.experiments.planning.machine import MachineProfile
from lmem.memory import large

WAYS = ["whole", "chunks", "top-k"]


@pytest.fixture(scope="module")
def told():
    world = tinyworld.World(turns=16, questions=4)
    return locomo.parse([tinyworld.sample("told", i, world, twin=False) for i in range(3)])


@pytest.fixture(scope="module")
def result(tiny, told, tmp_path_factory):
    pytest.importorskip("faiss", reason="the [large] extra is not installed")
    model = make(tiny, "recent")
    return rows.bench_rows(
        model, told, (64, 128, 400, 10**6), k=8, probes=64, chunk=50, questions=3, max_new_tokens=2,
        folder=tmp_path_factory.mktemp("rows"), whole=128,
    )  # fmt: skip


def test_every_way_at_every_size(result):
    """What was not told is left out; beyond `whole` rows keys of all of them are not made."""
    found = [(row["rows"], row["way"]) for row in result["by_rows"]]
    assert found == [(n, way) for n in (64, 128, 400) for way in WAYS if way != "whole" or n <= 128]
    assert all(row["ms"] > 0 and row["n"] == 3 for row in result["by_rows"])
    assert all(row["same"] == 1 for row in result["by_rows"] if row["way"] != "top-k")
    top = [row for row in result["by_rows"] if row["way"] == "top-k"]
    assert all(
        row["recall"] > 0.95 for row in top
    )  # it looked into all clusters; equal rows may tie
    assert {row["way"] for row in result["slots"]} == {"whole", "index"}
    assert result["grows"]["chunks"]["rows"] == 400 / 64


def test_sizes_that_are_there_are_not_measured_again(tiny, told, result, monkeypatch):
    model, sizes = make(tiny, "recent"), []
    at = rows.RowsBench.at
    monkeypatch.setattr(
        rows.RowsBench, "at", lambda self, r, *a: sizes.append(len(r)) or at(self, r, *a)
    )
    more = rows.bench_rows(
        model, told, (64, 200), k=8, probes=64, chunk=50, questions=3, max_new_tokens=2, before=result,
    )  # fmt: skip
    assert sizes == [200]
    assert [row["rows"] for row in more["by_rows"] if row["way"] == "chunks"] == [64, 128, 200, 400]
    with pytest.raises(InputError, match="earlier result of the same"):
        rows.bench_rows(model, told, (64,), k=9, questions=3, before=result)


def test_rows_are_the_newest_of_all_and_mapped(tiny, told, tmp_path):
    model = make(tiny, "recent")
    every = torch.cat([rows.rows_of(model, c) for c in told])
    found = rows.stored_rows(model, told, 100, tmp_path)
    torch.testing.assert_close(found, every[-100:])
    assert (tmp_path / "rows.f32").stat().st_size == 100 * tiny.width * 4
    bank = model.write(model.new_bank(), told[-1])
    torch.testing.assert_close(every[-32:], bank.state.rows[0][-32:], atol=1e-4, rtol=1e-4)


def test_a_keyed_bank_has_a_row_for_each_turn_that_it_keeps(tiny, told):
    pytest.importorskip("faiss", reason="the [large] extra is not installed")
    model = make(tiny, "keyed")
    with torch.no_grad():
        kept = rows.rows_of(model, told[0])
    assert 0 < len(kept) <= 16
    assert large.searched(model, kept).shape[1] == model.read.key
    found = rows.bench_rows(model, told, (8, 16), questions=2, max_new_tokens=2, k=4)
    assert all(row["same"] == 1 for row in found["by_rows"] if row["way"] != "top-k")


def test_rows_are_refused(tiny, told):
    with pytest.raises(InputError, match="recent or keyed"):
        rows.bench_rows(make(tiny, "m2"), told)
    with pytest.raises(InputError, match="3 repeats"):
        rows.bench_rows(make(tiny, "recent"), told, repeats=1)


def test_the_exact_best_are_found():
    pytest.importorskip("faiss", reason="the [large] extra is not installed")
    torch.manual_seed(0)
    held, asked = torch.randn(50, 8), torch.randn(5, 8)
    for k, wanted in ((6, 6), (60, 50)):
        expected = (asked @ held.T).topk(wanted).indices
        assert torch.equal(large.best_rows(asked, held, k), expected)


def test_the_page_shows_the_shipped_file():
    """The table of book/full_size.md is the file's, and the file is what the page says: exact in chunks, two bytes a row at most."""
    found = results.load("bench/rows-nano")
    page = (Path(__file__).parents[1] / "book" / "full_size.md").read_text(encoding="utf-8")
    for row in found["by_rows"]:
        recall = f"{100 * row['recall']:.0f}" if "recall" in row else "-"
        line = f"| {row['rows']:,} | {row['way']} | {row['ms']:.1f} | {row['mib']:.1f} | {100 * row['em']['mean']:.0f} "
        assert f"{line}| {100 * row['same']:.0f} | {recall} |" in page
    for row in found["slots"]:
        line = f"| {row['rows']:,} | {row['way']} | {row['ms']:.2f} | {100 * row['same']:.0f} |"
        assert line in page
    by = {(row["rows"], row["way"]): row for row in found["by_rows"]}
    whole = [row for row in found["by_rows"] if row["way"] == "whole"]
    assert whole
    assert all(row["same"] == 1 for row in whole)  # as the answers in chunks
    most, least = max(n for n, _ in by), min(n for n, _ in by)
    assert by[most, "chunks"]["mib"] < 10 * by[least, "chunks"]["mib"] + 2 * most / 2**20
    assert whole[-1]["mib"] > 50 * whole[0]["mib"]


# ---- one GPU -----------------------------------------------------------------------------------------


def test_the_dry_run_goes_all_the_way_on_a_cpu(tiny, told):
    found = gpu.bench_gpu(
        told, ("tiny",), MachineProfile.of("cpu", batch=4), batch=4, plain_texts=2, max_new_tokens=2,
        make=lambda size, texts: tiny,
    )  # fmt: skip
    assert [row["unit"] for row in found["by_size"]] == ["encode", "write", "step", "answer"]
    for row in found["by_size"]:
        assert row["ms"] > 0
        assert row["tokens_a_second"] > 0
        assert row["gflop"] > 0
        assert 0 < row["share_of_matrix_rate"] < 1.5
        assert row["ratio"]["min"] <= row["ratio"]["median"] <= row["ratio"]["max"]
    encode = found["by_size"][0]
    assert encode["ratio"]["median"] > 1  # a turn of 15 tokens against 384
    assert found["matrix_gflop_a_second"] > 0


def test_the_plan_beside_a_published_size(told):
    """What the command prints beside the measured peak, at the smallest published size."""
    texts = [text for c in told for text in c.texts()]
    backbone = random_backbone("flan-t5-small", texts)
    cpu = MachineProfile.of("cpu")
    planned = gpu.planned_mib("flan-t5-small", backbone, told, cpu, "m3", 1, 4)
    weights = 4 * 76_961_152 / 2**20
    assert weights < planned < 4 * weights


def test_the_dry_run_says_that_it_is_one(tiny, capsys, monkeypatch, tmp_path):
    """The command itself, at its own sizes but for the backbone."""
    asked = []
    monkeypatch.setattr(gpu, "random_backbone", lambda *given: asked.append(given) or tiny)
    monkeypatch.setattr(gpu, "planned_mib", lambda *given: 7.0)
    path = tmp_path / "gpu.json"
    code, _, _ = lmem(capsys, "bench", "gpu", "--dry-run", "--out", path)
    assert code == 0
    [(size, _, _, device, _)] = asked
    assert (size, device) == ("flan-t5-small", "cpu")
    found = results.load(path)
    assert found["dry_run"]
    assert found["data"] == "tinyworld, 16 turns"
    assert {row["planned_mib"] for row in found["by_size"]} == {7.0}
    assert found["profile"] == "cpu"


def test_without_a_gpu_it_says_so(told, capsys):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(InputError, match="--dry-run"):
        gpu.bench_gpu(told, ("tiny",), MachineProfile.of("t4"))
    code, out, err = lmem(capsys, "bench", "gpu")
    assert (code, out) == (2, "")
    assert "--dry-run" in err


@pytest.mark.gpu
def test_the_bench_on_a_gpu(capsys):
    code, out, _ = lmem(capsys, "bench", "gpu", "--sizes", "flan-t5-base", "--length", 60, "--json")
    assert code == 0
    assert {row["peak_mib"] is not None for row in json.loads(out)["by_size"]} == {True}
