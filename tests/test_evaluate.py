"""Evaluation: the same questions under every condition, and what is counted from their answers."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from lmem import results
from lmem.errors import DataError, InputError
from lmem.evaluate import evaluate, in_bank, summarise
from lmem.model import MemoryModel


def row(conversation, right, twin, kept=True, lag=5, answerable=True):
    scored = {"right": right, "twin": twin, "other": 0, "none": 0, "null_rows": 0}
    return {
        "conversation": conversation, "lag": lag, "in_bank": kept, "answerable": answerable,
        **{name: {"answer": "x", "f1": em, "em": em} for name, em in scored.items()},
    }  # fmt: skip


CONTROLS = ["right", "twin", "other", "none", "null_rows"]


def test_summary_by_hand():
    rows = [
        row("a", 1, 0), row("a", 1, 1), row("b", 1, 0), row("b", 0, 0, kept=False, lag=40),
        row("b", None, None, answerable=False),
    ]  # fmt: skip
    found = summarise(rows, CONTROLS)
    assert found["n"] == 4  # the unanswerable one is left out
    assert found["conditions"]["right"]["em"]["mean"] == 0.75  # 3 of 4
    assert found["memory"]["right-twin, all"]["mean"] == 0.5  # (1 + 0 + 1 + 0) / 4
    assert found["memory"]["right-twin, in_bank"]["mean"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["in_bank"]["n"] == 3
    assert found["forgetting"]["em right"]["raw"][:2] == [1.0, 0.0]
    assert found["forgetting"]["recall_rate"]["raw"][:2] == [1.0, 0.0]


def test_one_conversation_has_no_interval_and_no_nan():
    found = summarise([row("a", 1, 0), row("a", 0, 0)], CONTROLS)
    assert found["conditions"]["right"]["em"] == {"mean": 0.5, "low": None, "high": None}
    json.loads(json.dumps(found, allow_nan=False))


def test_nothing_answerable():
    found = summarise([row("a", None, None, answerable=False)], CONTROLS)
    assert found["n"] == 0
    assert "forgetting" not in found


def question(*evidence):
    return SimpleNamespace(evidence=evidence)


def test_evidence_is_in_the_bank_only_as_a_whole(tiny, talk):
    model = MemoryModel(tiny, "recent", scale=0.5)  # 32 rows, about three turns
    bank = model.write(model.new_bank(), talk[:2])
    assert in_bank(bank, question(0))  # rows are still free, nothing was pushed out
    bank = model.write(model.new_bank(), talk * 2)
    written = bank.state.written[0].tolist()
    assert 0 not in written
    assert not in_bank(bank, question(min(written)))  # its first rows may be gone
    assert in_bank(bank, question(7))
    assert not in_bank(bank, question(0, 7))
    assert in_bank(bank, question()) is None


def test_every_condition_is_asked_and_paired(tiny, conversations):
    result = evaluate(MemoryModel(tiny, "m3"), conversations, progress=False)
    asked = sum(len(c.questions) for c in conversations)
    assert len(result["questions"]) == asked
    assert set(result["summary"]["conditions"]) == {*CONTROLS, "baseline"}
    for scored in result["questions"]:
        assert (
            scored["none"]["answer"] == scored["baseline"]["answer"]
        )  # no bank is the bare backbone
    text = json.dumps(result, allow_nan=False)
    assert json.loads(text)["method"] == "attention+extension"
    gold = {q.answer for c in conversations for q in c.questions if q.answer and "-" in q.answer}
    answers = {a["answer"] for r in result["questions"] for a in r.values() if isinstance(a, dict)}
    assert not (gold - answers) & {word for word in text.split('"')}  # gold answers are not stored


def test_conditions_that_cannot_be_had(tiny, conversations):
    with pytest.raises(InputError, match="twins"):
        evaluate(MemoryModel(tiny, "m3"), conversations, controls=["twins"])
    with pytest.raises(InputError, match="other"):
        evaluate(MemoryModel(tiny, "m3"), conversations[:1], controls=["other"])
    silent = [replace(c, questions=()) for c in conversations]
    for nothing in ([], silent):
        with pytest.raises(InputError, match="questions"):
            evaluate(MemoryModel(tiny, "m3"), nothing)


def test_each_condition_reads_its_own_bank(tiny, conversations, monkeypatch):
    """Questions in the first conversation only: its own bank, its twin's, the next one's, none, zeros."""
    asked = [conversations[0], *(replace(c, questions=()) for c in conversations[1:])]
    model, read = MemoryModel(tiny, "recent"), {}
    real = MemoryModel.attached

    def spy(self, bank, ablate=None, **options):
        read.setdefault(ablate, []).append(bank.state.rows[0])
        return real(self, bank, ablate, **options)

    monkeypatch.setattr(MemoryModel, "attached", spy)
    evaluate(model, asked, progress=False)
    right, twin, other = (
        model.write(model.new_bank(), c).state.rows[0]
        for c in (conversations[0], conversations[0].twin, conversations[1])
    )
    for found, expected in zip(read[None], (right, twin, other), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert (right - twin).abs().max() > 1e-2
    assert (right - other).abs().max() > 1e-2
    assert len(read["masked"]) == len(read["null_rows"]) == 1


def test_the_stateless_method_has_only_its_baseline(tiny, conversations):
    found = evaluate(MemoryModel(tiny, "m0"), conversations[:1], progress=False)
    assert list(found["summary"]["conditions"]) == ["baseline"]


def test_result_files(tmp_path):
    results.save({"a": [1, 2]}, tmp_path / "r.json")
    assert results.load(tmp_path / "r.json") == {"a": [1, 2]}
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(DataError, match="JSON"):
        results.load(tmp_path / "bad.json")
    with pytest.raises(DataError, match="nothing"):
        results.load("nothing/like/this")


def test_shipped_results_are_there_and_name_their_making():
    assert "tinyworld/recent" in results.names()
    for name in results.names():
        found = results.load(name)
        assert found["backbone"], name
        assert "versions" in found or "versions" in found["provenance"], name
