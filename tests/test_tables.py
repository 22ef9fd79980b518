"""Result files side by side: what `lmem table` and `lmem compare` say of them, and which files they refuse."""

import json

import pytest
from helpers import lmem, make

from lmem.errors import InputError
from lmem.evaluation import results, tables
from lmem.evaluation.evaluate import EvalConfig, evaluate
from lmem.evaluation.summary import summarise
from lmem.memory.model import MemoryModel

CONTROLS = ["right", "twin", "none"]


def result(right, twin, data="tinyworld, 60 turns", talks="aabbccddee"):
    """A result file of questions, two of each conversation, by the exact match under two conditions."""
    rows = []
    for i, (hit, wrong) in enumerate(zip(right, twin, strict=True)):
        row = {"id": f"q{i}", "conversation": talks[i], "lag": 3, "category": 4, "answerable": True}
        row["in_bank"] = True
        for name, em in (("right", hit), ("twin", wrong), ("none", 0)):
            bits = -1.0 if em else -5.0
            row[name] = {
                "answer": "x",
                "f1": float(em),
                "em": em,
                "bits": bits,
                "locomo": float(em),
            }
        rows.append(row)
    about = {"method": "m3", "rows": 64, "scale": 1, "data": data}
    return {**about, "summary": summarise(rows, CONTROLS), "questions": rows}


@pytest.fixture
def files(tmp_path):
    """Two result files on the same questions."""
    results.save(result([1, 1] + [1, 0] * 4, [0, 1] + [0, 0] * 4), tmp_path / "one.json")
    results.save(result([1, 0] * 3 + [0, 0] * 2, [0] * 10), tmp_path / "two.json")
    return tmp_path / "one.json", tmp_path / "two.json"


def test_one_line_per_file_by_hand(files):
    one, two = tables.result_rows(files)
    assert (one["method"], one["rows"], one["scale"], one["n"]) == ("m3", 64, 1, 10)
    assert (one["right"], one["wrong"], one["wrong_bank"]) == (0.6, 0.1, "twin")
    # gains 1 0 in every conversation: no spread, and only the signs as they are reach the mean
    assert (one["memory"]["mean"], one["memory"]["mdd"], one["memory"]["p"]) == (0.5, None, 0.0312)
    assert one["memory"]["low"] is None
    assert one["bits"] == 2.4  # 4 bits more for six of ten
    # gains by conversation .5 .5 .5 0 0: mean .3, standard error sqrt(.075 / 5) = .12247, times 2.77645 and 3.71741
    assert two["memory"]["mean"] == 0.3
    assert two["memory"]["mdd"] == pytest.approx(0.4553, abs=1e-4)
    assert (two["memory"]["low"], two["memory"]["high"]) == (-0.04, 0.64)


def test_comparison_by_hand(files):
    found = tables.compare(*files)
    assert found["n"] == 10
    em = found["differences"]["em"]
    # by conversation .5 0 0 .5 .5: two-sided, 2 of the 8 ways to sign three of them lie as far out
    assert (em["mean"], em["low"], em["high"], em["p"]) == (0.3, -0.04, 0.64, 0.25)
    assert found["differences"]["bits"]["mean"] == 1.2  # 4 bits for three of ten
    # of the memory scores: 0 0 0 .5 .5
    assert found["differences"]["memory"]["mean"] == 0.2
    back = tables.compare(*reversed(files))["differences"]
    assert back["memory"]["mean"] == -0.2
    assert back["em"]["p"] == em["p"]
    same = tables.compare(files[0], files[0])["differences"]
    assert (same["em"]["mean"], same["em"]["p"]) == (0.0, 1.0)


def test_only_questions_that_both_answer_are_compared(files, tmp_path):
    short = results.load(files[1])
    short["questions"] = short["questions"][1:]
    short["questions"][0]["answerable"] = False
    results.save(short, tmp_path / "short.json")
    found = tables.compare(files[0], tmp_path / "short.json")
    assert found["n"] == 8  # from q2 on
    assert found["differences"]["em"]["mean"] == 0.25  # two of eight


def test_real_results_in_a_table(tiny, conversations, tmp_path):
    quick = EvalConfig(max_new_tokens=3)
    for name, model in (("m3", make(tiny, "m3")), ("m0", MemoryModel(tiny, "m0"))):
        found = evaluate(model, conversations, quick, progress=False)
        results.save(found, tmp_path / f"{name}.json")
    m3, m0 = tables.result_rows([tmp_path / "m3.json", tmp_path / "m0.json"])
    summary = results.load(tmp_path / "m3.json")["summary"]
    assert m3["right"] == summary["conditions"]["right"]["em"]["mean"]
    assert m3["memory"]["p"] == summary["memory"]["right-twin, all"]["p"]
    assert m3["bits"] == summary["conditions"]["right"]["bits_gained"]["mean"]
    assert m0["method"] == "none"
    assert (m0["right"], m0["wrong"], m0["memory"], m0["bits"]) == (None,) * 4
    assert len(tables.result_texts([m3, m0])) == 2
    with pytest.raises(InputError, match="condition right"):
        tables.compare(tmp_path / "m3.json", tmp_path / "m0.json")


def test_what_cannot_be_compared_is_refused(files, tmp_path):
    results.save(result([1, 0, 0, 0], [0, 0, 0, 0], data="locomo"), tmp_path / "other.json")
    with pytest.raises(InputError, match="same data"):
        tables.compare(files[0], tmp_path / "other.json")
    strange = results.load(files[0])
    for row in strange["questions"]:
        row["id"] += "x"
    results.save(strange, tmp_path / "strange.json")
    with pytest.raises(InputError, match="both answer"):
        tables.compare(files[0], tmp_path / "strange.json")


@pytest.mark.parametrize(
    "content",
    [
        {"em": 0.9},
        [1, 2],
        {"summary": {"memory": {"right-twin, all": {"mean": 0.5}}}, "questions": [], "scale": 1},
        {"summary": {"memory": {}}, "questions": []},
        {"summary": 3},
    ],
)
def test_other_files_are_refused_in_one_sentence(content, tmp_path, capsys):
    results.save(content, tmp_path / "other.json")
    code, out, err = lmem(capsys, "table", tmp_path / "other.json")
    assert (code, out) == (2, "")
    assert "expected a result of this version" in err
    assert len(err.strip().splitlines()) == 1


def test_on_the_command_line(files, capsys):
    code, out, _ = lmem(capsys, "table", *files, "--json")
    assert code == 0
    assert json.loads(out)["results"] == tables.result_rows(files)
    code, out, _ = lmem(capsys, "table", *files)
    assert code == 0
    assert "60.0" in out
    assert "50.0 [no interval: all 5 conversations agree]" in out
    assert "30.0 [-4.0, 64.0] (G=5)" in out
    assert "45.5" in out  # the smallest detectable difference
    code, out, _ = lmem(capsys, "compare", *files, "--json")
    assert json.loads(out) == tables.compare(*files)
    code, out, _ = lmem(capsys, "compare", *files)
    assert code == 0
    assert "memory" in out
    assert "too few conversations" in out  # 2 / 2^5 is above .05
    code, _, err = lmem(capsys, "compare", files[0], "nowhere")
    assert code == 2
    assert "nowhere" in err


def test_summaries_are_computed_again_on_the_command_line(files, capsys, tmp_path):
    found = results.load(files[0])
    old = {**found, "summary": {**found["summary"], "memory": {}}}
    results.save(old, files[0])
    code, out, _ = lmem(capsys, "summarise", *files)
    assert (code, out.count("summarised")) == (0, 2)
    assert results.load(files[0]) == found
    results.save({"em": 0.9}, tmp_path / "other.json")
    code, _, err = lmem(capsys, "summarise", tmp_path / "other.json")
    assert code == 2
    assert "scores per question" in err


def test_a_constant_is_trained_and_asked_on_the_command_line(tmp_path, tiny_folder, capsys):
    world = tmp_path / "tiny.json"
    lmem(capsys, "data", "tinyworld", "--out", world, "--conversations", 3, "--turns", 14)
    common = ("--backbone", tiny_folder, "--data", world)
    train = ("train", "--method", "m3", "--steps", 2, *common, "--json", "--out")
    code, out, _ = lmem(capsys, *train, tmp_path / "adapter")
    assert "constant" not in json.loads(out)["settings"]
    code, out, _ = lmem(capsys, *train, tmp_path / "constant", "--constant")
    assert (code, json.loads(out)["settings"]["constant"]) == (0, True)

    evaluate = ("evaluate", "--adapter", tmp_path / "adapter", *common)
    asked = ("--controls", "right,constant,bm25", "--knowledge", "--budget", 100)
    constant = ("--constant", tmp_path / "constant")
    code, out, _ = lmem(capsys, *evaluate, *asked, *constant, "--json")
    found = json.loads(out)
    assert list(found["summary"]["conditions"]) == ["right", "constant", "bm25"]
    assert found["settings"] == {"budget": 100, "knowledge": True, "seed": 7}
    assert "right" in found["summary"]["knowledge"]

    code, out, _ = lmem(capsys, *evaluate, *constant, "--out", tmp_path / "result.json")
    assert code == 0
    assert len(out.splitlines()) < 40  # a summary, not all of it
    assert "memory score, EM: right - other" in out or "memory score, EM: right - twin" in out
    assert len(tables.result_rows([tmp_path / "result.json"])) == 1
    for wrong in ("adapter", "nowhere"):
        code, _, err = lmem(capsys, *evaluate, "--constant", tmp_path / wrong)
        assert code == 2
        assert "lmem train --constant" in err
    code, _, err = lmem(capsys, *evaluate, "--controls", "right,constant")
    assert code == 2
    assert "not 'constant'" in err
