"""Evaluation: the same questions under every condition, their scores, and what a result file holds."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from helpers import away, make

from lmem.data import locomo, locomo_release, splits, tinyworld
from lmem.errors import DataError, InputError
from lmem.evaluation import results
from lmem.evaluation.conditions import CONTROLS, LIGHT
from lmem.evaluation.evaluate import Answered, EvalConfig, evaluate, in_bank
from lmem.memory.model import MemoryModel
from lmem.metrics import answer_scores

QUICK = EvalConfig(max_new_tokens=4, knowledge=True)


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


@pytest.fixture(scope="module")
def everything(tiny):
    """Every condition on small conversations, with an untrained constant."""
    conversations = locomo.parse(
        tinyworld.samples(3, "evaluate", tinyworld.World(turns=24, session_turns=8))
    )
    constant = away(MemoryModel(tiny, "m3", scale=0.5, seed=4))
    result = evaluate(make(tiny, "m3"), conversations, QUICK, "all", constant, progress=False)
    return conversations, result


def test_every_condition_is_asked_and_paired(everything):
    conversations, result = everything
    asked = [q for c in conversations for q in c.questions]
    assert [row["id"] for row in result["questions"]] == [q.id for q in asked]
    assert list(result["summary"]["conditions"]) == list(CONTROLS)
    for row, question in zip(result["questions"], asked, strict=True):
        assert row["none"] == row["baseline"]  # no bank is the bare backbone
        assert row["oracle"]["in_text"] == (True if question.evidence else None)
        assert row["oracle"]["turns"] == len(question.evidence)
        for name in CONTROLS:
            scored = row[name]
            if question.answer is None:
                assert (scored["f1"], scored["em"], scored["bits"]) == (None, None, None)
                assert scored["locomo"] == float(answer_scores.declines(scored["answer"]))
            else:
                assert scored["em"] == answer_scores.exact_match(scored["answer"], question.answer)
                assert scored["bits"] < 0
    right = [row["right"]["bits"] for row in result["questions"]]
    for name in set(CONTROLS) - {"right"}:  # each reads something else
        assert [row[name]["bits"] for row in result["questions"]] != right, name


def test_a_result_says_how_it_was_made_and_holds_no_text_of_the_data(everything, tmp_path):
    conversations, result = everything
    results.save(result, tmp_path / "result.json")
    text, found = (tmp_path / "result.json").read_text(), results.load(tmp_path / "result.json")
    assert found == result
    assert "NaN" not in text
    assert (found["method"], found["rows"], found["scale"]) == ("attention+extension", 32, 0.5)
    assert found["settings"] == {"max_new_tokens": 4, "knowledge": True}
    assert set(found["adapter"]) == {"seed", "digest"}
    assert {"write", "knowledge", *CONTROLS} == set(found["provenance"]["seconds"])
    assert found["provenance"]["peak_memory_mib"] > 0
    said = {row[name]["answer"] for row in found["questions"] for name in CONTROLS}
    for c in conversations:
        assert not [t.text for t in c.turns if t.text in text]
        for q in c.questions:
            assert q.text not in text
            assert not q.answer or q.answer in said or f'"{q.answer}"' not in text


def test_bits_are_the_likelihood_of_the_right_answer(tiny, conversations):
    """In a batch with others, as `log_likelihood` has it one by one."""
    model = make(tiny, "m3")
    result = evaluate(model, conversations, QUICK, ["right", "none"], progress=False)
    rows = {row["id"]: row for row in result["questions"]}
    for c in conversations[:2]:
        bank, empty = model.write(model.new_bank(), c), model.new_bank()
        for q in c.questions[:3]:
            if q.answer is not None:
                for name, read in (("right", bank), ("none", empty)):
                    [bits] = model.log_likelihood(read, q.prompt, q.answer).tolist()
                    assert rows[q.id][name]["bits"] == pytest.approx(bits, abs=5e-3)


def test_following_the_twin_is_noted(tiny, conversations, monkeypatch):
    """A decoder that says of each question what its twin would: never right, and always followed."""
    asked, model = conversations[:1], make(tiny, "m3")
    said = {q.prompt: q.answer or "-" for q in asked[0].twin.questions}

    def ask(backbone, sources, *rest, **options):
        return [Answered(said[prompt], 0.0, None) for prompt in sources]

    monkeypatch.setattr("lmem.evaluation.evaluate.answer_questions", ask)
    result = evaluate(model, asked, EvalConfig(), ["right", "twin"], progress=False)
    followed = []
    for row, question in zip(result["questions"], asked[0].twin.questions, strict=True):
        known = question.answer is not None  # two hops may lead nowhere in the twin
        assert row["twin"]["follows"] == (1 if known else None)
        assert "follows" not in row["right"]
        followed += [row["twin"]["em"]] if known else []
    assert followed
    assert not any(followed)
    assert result["summary"]["conditions"]["twin"]["follows"]["mean"] == 1.0


def test_knowledge_after_each_session():
    """Against the same done one by one: write the sessions so far, ask what they hold."""
    model = MemoryModel.from_shipped("nano-recent")
    world = tinyworld.World(turns=18, session_turns=6, facts=0.5, questions=8)
    conversations = locomo.parse(tinyworld.samples(2, "knowledge", world))
    # the second conversation ends after two sessions
    second = conversations[1]
    sessions = second.sessions[:2]
    said = sum(len(s.turns) for s in sessions)
    asked = tuple(q for q in second.questions if all(t < said for t in q.evidence))
    conversations = [
        conversations[0],
        replace(second, sessions=sessions, questions=asked, twin=None),
    ]
    result = evaluate(
        model,
        conversations,
        EvalConfig(knowledge=True, max_new_tokens=8),
        ["right"],
        progress=False,
    )
    curve = result["summary"]["knowledge"]["right"]
    for s in range(1, 4):
        scores = []
        for c in conversations:
            turns = sum(len(session.turns) for session in c.sessions[:s])
            bank = model.write(model.new_bank(), c.texts()[:turns])
            for q in c.questions if s <= len(c.sessions) else ():
                if q.answer and q.evidence and max(q.evidence) < turns:
                    answer = model.answer(bank, q.text, max_new_tokens=8)
                    scores.append(answer_scores.f1(answer, q.answer))
        assert curve["n"][s - 1] == len(scores)
        assert curve["k"][s - 1] == pytest.approx(sum(scores) / len(scores))
    assert curve["k"][0] > 0
    assert curve["delta"] == pytest.approx(curve["k"][-1] - curve["k"][0])
    assert result["summary"]["knowledge"]["none"]["k"] == [0.0, 0.0, 0.0]


def test_the_stateless_method_has_its_baseline_turns_as_text_and_a_knowledge_curve(
    tiny, conversations
):
    found = evaluate(MemoryModel(tiny, "m0"), conversations[:1], QUICK, progress=False)
    assert list(found["summary"]["conditions"]) == ["baseline"]
    assert found["questions"][0]["in_bank"] is None
    found = evaluate(MemoryModel(tiny, "m0"), conversations, QUICK, "all", progress=False)
    assert list(found["summary"]["conditions"]) == ["baseline", "oracle", "last_k", "bm25"]
    assert list(found["summary"]["knowledge"]) == ["none"]


def test_the_light_conditions_are_the_default(tiny, conversations):
    quick = EvalConfig(max_new_tokens=2)
    found = evaluate(MemoryModel(tiny, "m3"), conversations, quick, progress=False)
    assert set(found["summary"]["conditions"]) == set(LIGHT)
    assert "knowledge" not in found["summary"]


def test_conditions_that_cannot_be_had(tiny, conversations):
    with pytest.raises(InputError, match="twins"):
        evaluate(MemoryModel(tiny, "m3"), conversations, controls=["twins"])
    with pytest.raises(InputError, match="other"):
        evaluate(MemoryModel(tiny, "m3"), conversations[:1], controls=["other"])
    silent = [replace(c, questions=()) for c in conversations]
    for nothing in ([], silent):
        with pytest.raises(InputError, match="questions"):
            evaluate(MemoryModel(tiny, "m3"), nothing)
    for budget in (0, 385):
        with pytest.raises(InputError, match="budget must be"):
            EvalConfig(budget=budget)


def test_the_whole_battery_on_a_slice_of_locomo(tiny):
    if locomo_release.find() is None:
        pytest.skip("LoCoMo is neither in LMEM_LOCOMO nor in the user's cache")
    slices = []
    for c in splits.paper_split(locomo.load())[1]:
        sessions = c.sessions[:2]
        turns = sum(len(s.turns) for s in sessions)
        near = [q for q in c.questions if q.evidence and q.evidence[-1] < turns]
        chosen = [q for q in near if q.category != 5][:5] + [q for q in near if q.category == 5][:2]
        slices.append(replace(c, sessions=sessions, questions=tuple(chosen)))
    constant = away(MemoryModel(tiny, "m3", scale=0.5, seed=4))
    found = evaluate(make(tiny, "m3"), slices, QUICK, "all", constant, progress=False)
    summary = found["summary"]
    assert set(summary["conditions"]) == set(CONTROLS) - {"twin"}
    assert set(summary["memory"]) >= {"right-other, all"}
    asked = [q for c in slices for q in c.questions]
    fives = sum(q.category == 5 for q in asked)
    assert 0 < fives < len(asked)
    assert (summary["n"], summary["with_category_5"]["n"]) == (len(asked) - fives, len(asked))
    assert summary["locomo"]["right"]["5"]["n"] == fives
    assert summary["memory"]["right-other, all"]["p"] >= 1 / 8  # three conversations prove no more
    plain, wider = summary["knowledge"]["right"], summary["with_category_5"]["knowledge"]["right"]
    assert (plain["n"][-1], wider["n"][-1]) == (summary["n"], len(asked))
    declined = sum(row["right"]["locomo"] for row in found["questions"] if row["category"] == 5)
    whole = plain["k"][-1] * plain["n"][-1] + declined  # asked at the end, as the battery asks
    assert wider["k"][-1] * wider["n"][-1] == pytest.approx(whole, abs=0.01)
    text = json.dumps(found, allow_nan=False)
    for c in slices:
        assert not [q.text for q in c.questions if q.text in text]
        assert not [t.text for t in c.turns if len(t.text) > 20 and t.text in text]
        assert not [q.answer for q in c.questions if len(q.answer or "") > 12 and q.answer in text]


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
