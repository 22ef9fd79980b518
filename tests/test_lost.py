"""Where a keyed memory loses an answer, step by step."""

import json

import pytest
from helpers import lmem

from lmem.analysis.retrieval_errors import STAGES, error_stage, retrieval_ranks
from lmem.data import splits
from lmem.data.conversation import conversations_sha256
from lmem.data.splits import for_testing
from lmem.errors import MethodError
from lmem.evaluation import results
from lmem.evaluation.evaluate import evaluate
from lmem.memory.model import MemoryModel
from lmem.training.evidence_data import evidence_turns


@pytest.fixture(scope="module")
def keyed():
    return MemoryModel.from_shipped("nano-keyed")


@pytest.fixture(scope="module")
def told():
    return splits.for_testing("tinyworld", 2, 80, 7)


@pytest.fixture(scope="module")
def rows(keyed, told):
    return retrieval_ranks(keyed, told)


def test_answers_are_those_of_the_evaluation(keyed, told, rows):
    scored = evaluate(keyed, told, controls="right", progress=False)["questions"]
    em = {row["id"]: row["right"]["em"] for row in scored if row["answerable"]}
    assert {row["id"]: row["em"] for row in rows} == em
    assert sum(em.values()) > 0.7 * len(em)
    # what is told right was found: its last turn's row came first, and the hand was not empty
    right = [row for row in rows if row["em"]]
    found = [row for row in right if row["place"] == 0 and not row["empty"]]
    assert len(found) > 0.9 * len(right)


def test_what_is_told_first_is_lost_when_rows_run_out(keyed, told, rows):
    few = retrieval_ranks(keyed.variant(0.125), told)  # 16 rows
    gone, not_kept = (sum(row["place"] is None for row in found) for found in (few, rows))
    assert gone > 2 * not_kept
    places = {row["place"] for row in rows if row["place"] is not None}
    assert min(places) == 0  # 0 is the first; no row has more before it than there are
    assert max(places) < keyed.write_rule.rows


def test_only_a_read_by_keys_can_be_asked(told):
    with pytest.raises(MethodError, match="recalls by keys"):
        retrieval_ranks(MemoryModel.from_shipped("nano-recent"), told)


@pytest.mark.parametrize(
    ("em", "place", "empty", "which"),
    [(0, None, False, 0), (0, 2, True, 1), (0, 0, True, 2), (0, 0, False, 3), (1, 2, True, 4), (1, None, False, 4)],
)  # fmt: skip
def test_the_first_step_that_fails_names_the_stage(em, place, empty, which):
    assert error_stage({"em": em, "place": place, "empty": empty}) == STAGES[which]


def test_evidence_turns_are_those_that_each_hop_needs():
    texts = ["Ana: My brother is Hugo.", "Ana: Hugo lives in Rome.", "Ana: Hugo moved to Oslo."]
    assert evidence_turns("Oslo", (2,), texts) == (2, 2)
    assert evidence_turns("Oslo", (0, 2), texts) == (0, 2)
    assert evidence_turns("Hugo", (0, 2), texts) == (0, 2)  # the newest that holds it
    assert evidence_turns("Bern", (1,), texts) == (1, 1)  # told in other words


def test_the_command_writes_its_file_and_refuses_another_memory(capsys, tmp_path):
    small = ("--conversations", 1, "--turns", 30, "--scale", 1)
    code, out, _ = lmem(capsys, "lost", *small, "--out", tmp_path / "lost.json", "--json")
    told = json.loads(out)
    assert code == 0
    assert sum(told[name] for name in STAGES) == pytest.approx(1)
    file = results.load(tmp_path / "lost.json")
    assert (len(file["questions"]), file["backbone"]) == (told["questions"], "nano")
    assert file["conversations_sha256"] == conversations_sha256(for_testing("tinyworld", 1, 30, 7))
    MemoryModel.from_shipped("nano-recent").save_pretrained(tmp_path / "recent")
    refused = ("--adapter", tmp_path / "recent", "--out", tmp_path / "none.json")
    code, _, error = lmem(capsys, "lost", *small, *refused)
    assert (code, "recalls by keys" in " ".join(error.split())) == (2, True)
    assert not (tmp_path / "none.json").exists()
