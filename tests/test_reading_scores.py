"""`lmem read`: what counts as right, by ability, and what is refused."""

import json
import re

import pytest
from helpers import lmem

from lmem.data import everyday
from lmem.errors import DataError, InputError
from lmem.evaluation import reading_scores
from lmem.evaluation.reading_scores import Example, examples, read
from lmem.memory.model import MemoryModel

PROBES = [
    {"id": 1, "turns": ["Ana: I live in Cedar-Bay."], "question": "Where does Ana live?",
     "answers": ["Cedar-Bay", "in Cedar-Bay"], "kind": "single", "difficulty": "easy"},
    {"id": 2, "turns": ["Ana: I live in Cedar-Bay."], "question": "Where does Ben live?",
     "answers": ["unknown"], "kind": "never-told", "difficulty": "easy", "date": "3 May 2024"},
]  # fmt: skip


@pytest.fixture
def probes(tmp_path):
    path = tmp_path / "probes.json"
    path.write_text(json.dumps(PROBES))
    return path


class Parrot:
    """Stands in for a backbone: answers from a table, "unknown" otherwise."""

    def __init__(self, answers):
        self.known = answers

    def inputs(self, sources, truncate):
        return {"sources": sources}

    def generate(self, inputs, max_new_tokens):
        return [self.known.get(source, "unknown") for source in inputs["sources"]]


def first(data, n, **options):
    options = {"turns": 6, "evidence": True, "seed": "s", **options}
    stream = examples(data, **options)
    return [next(stream) for _ in range(n)]


@pytest.mark.parametrize("data", ["tinyworld", "everyday"])
def test_a_perfect_reader_is_perfect_and_a_silent_one_abstains(data):
    rows = first(data, 60)
    perfect = read(Parrot({row.source: row.answers[0] for row in rows}), data, 60, seed="s")
    assert perfect["em"]["mean"] == perfect["f1"]["mean"] == perfect["abstention"]["mean"] == 1
    assert perfect["false_unknown"]["mean"] == 0
    silent = read(Parrot({}), data, 60, seed="s")
    assert silent["em"]["mean"] == 0
    assert silent["abstention"]["mean"] == silent["false_unknown"]["mean"] == 1
    assert sum(part["n"] for part in silent["by_ability"].values()) == 60


def test_rounded_weights_are_compared_question_by_question():
    rows = first("everyday", 60)
    knows = {row.source: row.answers[0] for row in rows}
    told = [row for row in rows if row.ability != "abstention"]
    fewer = knows | {row.source: "something else" for row in told[:6]}
    found = read(Parrot(knows), "everyday", 60, seed="s", rounded=Parrot(fewer))["rounded"]
    assert found["em"]["mean"] == pytest.approx(1 - 6 / len(told), abs=1e-4)
    assert found["difference"]["mean"] == pytest.approx(-6 / len(told), abs=1e-4)
    assert found["alike"] == 0.9
    assert found["abstention"]["mean"] == 1
    assert "rounded" not in read(Parrot(knows), "everyday", 60, seed="s")


@pytest.mark.parametrize("data", ["tinyworld", "everyday"])
def test_without_evidence_no_answer_is_in_the_text_more_often_than_by_chance(data):
    with_it = [any(a.lower() in row.source.lower() for a in row.answers) for row in first(data, 150)
               if row.ability == "extraction"]  # fmt: skip
    without = [any(a.lower() in row.source.lower() for a in row.answers)
               for row in first(data, 150, evidence=False) if row.ability == "extraction"]  # fmt: skip
    assert sum(with_it) / len(with_it) > 0.95
    assert sum(without) / len(without) < 0.3


def test_the_same_stream_each_time_and_no_stream_of_training():
    assert first("everyday", 20) == first("everyday", 20)
    assert first("everyday", 20) != first("everyday", 20, seed="t")


def test_any_answer_of_a_probe_is_right(probes):
    rows = list(examples(probes, 6, True, "s"))
    assert rows[0] == Example(
        "question: Where does Ana live? context: Ana: I live in Cedar-Bay.",
        ("Cedar-Bay", "in Cedar-Bay"), "extraction", "1", group="easy",
        turns=("context: Ana: I live in Cedar-Bay.",),
    )  # fmt: skip
    assert "context: 3 May 2024, Ana: I live" in rows[1].source
    scores = read(Parrot({rows[0].source: "In Cedar-Bay."}), probes)
    assert scores["by_group"]["easy"]["em"]["mean"] == 1
    assert scores["abstention"]["mean"] == 1
    assert scores["by_ability"] == {}


def test_probes_are_asked_of_a_memory(capsys, probes, nano):
    """The bank gets a probe's turns amid others, and the answers come from it alone."""
    memory = MemoryModel.from_shipped("nano-keyed", nano)
    told = []
    write, memory.write = (
        memory.write,
        lambda bank, texts, **kw: told.append(texts) or write(bank, texts, **kw),
    )
    scores = read(nano, probes, memory=memory, padding=6)
    assert [len(texts) for texts in told] == [7, 7]
    assert told[0][3] == "context: Ana: I live in Cedar-Bay."
    assert told[0][:3] != told[1][:3]
    assert scores["em"]["mean"] == 1
    assert (scores["method"], scores["padding"]) == ("keyed+recall", 6)
    other = [{**PROBES[0], "turns": ["Ana: I live in Amber-Hill."]}]
    probes.write_text(json.dumps(other))
    code, text, _ = lmem(capsys, "read", "--data", probes, "--adapter", "nano-keyed", "--json")
    assert code == 0
    assert json.loads(text)["em"]["mean"] == 0
    with pytest.raises(InputError, match="file of probes"):
        read(nano, "everyday", 3, memory=memory)


def test_nano_reads_tinyworld_and_not_everyday_english(capsys, tmp_path):
    out = tmp_path / "read.json"
    code, text, _ = lmem(capsys, "read", "--data", "tinyworld", "--questions", 40, "--out", out)
    assert code == 0
    assert "by_ability.multi-hop.em" in text
    tinyworld = json.loads(out.read_text())
    assert tinyworld["em"]["mean"] > 0.9
    code, text, _ = lmem(capsys, "read", "--questions", 40, "--json")
    other = json.loads(text)
    assert other["em"]["mean"] < 0.2
    assert re.fullmatch("[0-9a-f]{64}", tinyworld["questions_sha256"])
    assert tinyworld["questions_sha256"] != other["questions_sha256"]


def test_locomo_is_read_with_its_own_score(monkeypatch, tmp_path):
    path = tmp_path / "locomo.json"
    path.write_text(json.dumps(everyday.samples(3)))
    monkeypatch.setenv("LMEM_LOCOMO", str(path))
    rows = list(examples("locomo", 6, True, "s"))
    scores = read(Parrot({row.source: row.answers[0] for row in rows}), "locomo", len(rows))
    assert scores["abstention"]["mean"] == 1
    assert scores["f1"]["mean"] > 0.99
    assert {"extraction", "multi-hop", "temporal", "abstention"} <= set(scores["by_ability"])


@pytest.mark.parametrize("content", ["{}", "[1]", '[{"id": 1}]', '[{"id": 1, "turns": 3}]', "no"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(DataError, match="list of probes"):
        list(reading_scores.probes(path))


def test_what_cannot_be_asked_is_refused(probes, tmp_path):
    with pytest.raises(InputError, match="at least 1 question"):
        read(Parrot({}), questions=0)
    with pytest.raises(InputError, match="all its turns"):
        read(Parrot({}), probes, evidence=False)
    with pytest.raises(DataError, match="there is no"):
        read(Parrot({}), tmp_path / "none.json")
