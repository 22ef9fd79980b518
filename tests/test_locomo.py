"""LoCoMo's form: invented samples for every oddity, and the release where it can be had."""

import copy
import hashlib
import json
import random
from collections import Counter

import pytest
from helpers import outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from lmem.data import locomo, locomo_release, splits
from lmem.data.conversation import conversations_sha256
from lmem.errors import DataError, InputError
from lmem.metrics import forgetting
from lmem.training.dataset import QuestionDataset


def sample(*qa, name="talk-1"):
    """Eleven sessions, of which 1, 2 and 11 have turns: positions 0-2, 3-4 and 5-6."""

    def turns(session, *texts):
        pairs = zip(("Ina", "Oto", "Ina"), texts, strict=False)
        return [
            {"speaker": who, "dia_id": f"D{session}:{n}", "text": text}
            for n, (who, text) in enumerate(pairs, 1)
        ]

    said = {
        "speaker_a": "Ina",
        "speaker_b": "Oto",
        "session_11_date_time": "9 pm on 1 June, 2021",
        "session_11": turns(11, "The kite came back!", "Unbelievable."),
        "session_1_date_time": "1 pm on 3 May, 2021",
        "session_1": turns(1, "I bought a kite.", "What colour?", "Red."),
        "session_2_date_time": "2 pm on 9 May, 2021",
        "session_2": turns(2, "It flew away.", "Oh no."),
        "session_3_date_time": "3 pm on 10 May, 2021",
    }
    said["session_1"][0]["blip_caption"] = "a kite on grass"
    return {"sample_id": name, "conversation": said, "qa": list(qa)}


def ask(evidence=("D1:3",), answer="red", category=4, **more):
    row = {"question": "What colour is the kite?", "evidence": list(evidence), "category": category}
    return row | ({} if answer is None else {"answer": answer}) | more


def one(qa, evidence="all"):
    """The question that this row of qa becomes, and the problems on the way."""
    found = locomo.parse([sample(qa)], evidence)
    return found[0].questions[0], [(p.kind, p.done) for p in found.report.problems]


# ---- turns and sessions


def test_sessions_are_read_in_numeric_order():
    (talk,) = locomo.parse([sample()])
    assert [session.number for session in talk.sessions] == [1, 2, 11]
    assert [turn.id for turn in talk.turns][-3:] == ["D2:2", "D11:1", "D11:2"]
    assert talk.turns[-1].session == 11
    assert talk.speakers == ("Ina", "Oto")


def test_turns_carry_date_and_caption():
    (talk,) = locomo.parse([sample()])
    assert talk.texts()[0] == (
        "context: 1 pm on 3 May, 2021, Ina: I bought a kite. [image: a kite on grass]"
    )
    assert talk.texts(dates=False, captions=False)[6] == "context: Oto: Unbelievable."


def test_report_counts():
    found = locomo.parse([sample(ask(), ask(category=2)), sample(ask(), name="talk-2")])
    report = found.report.as_dict()
    assert report["problems"] == []
    assert report["kinds"] == {}
    assert {key: report[key] for key in ("conversations", "sessions", "turns", "questions")} == {
        "conversations": 2,
        "sessions": 6,
        "turns": 14,
        "questions": 3,
    }
    assert report["categories"] == {1: 0, 2: 1, 3: 0, 4: 2, 5: 0}
    assert report["spare_dates"] == 2  # session 3 of both
    json.dumps(report)


# ---- questions


def test_question_ids():
    found = locomo.parse([sample(ask(), ask(id="mine"))])
    assert [q.id for q in found[0].questions] == ["talk-1/q0", "mine"]


@pytest.mark.parametrize(
    ("evidence", "positions", "lag", "problems"),
    [
        (["D1:3"], (2,), 4, []),
        (["D2:1", "D1:2"], (1, 3), 5, []),
        (["D11:2"], (6,), 0, []),
        (["D:11:1"], (5,), 1, [("evidence not one id", "read as D11:1")]),
        (["D11:02"], (6,), 0, [("evidence not one id", "read as D11:2")]),
        (["D2:1; D1:2"], (1, 3), 5, [("evidence not one id", "read as D2:1, D1:2")]),
        (["D2:1 D9:9"], (3,), 3, [("evidence not one id", "read as D2:1, dropped D9:9")]),
        (["D1:3", "D9:9"], (2,), 4, [("evidence names no turn", "dropped")]),
        ("D1:3", (2,), 4, []),
    ],
)
def test_evidence_all(evidence, positions, lag, problems):
    row = ask() | {"evidence": evidence}
    question, found = one(row)
    assert (question.evidence, question.lag) == (positions, lag)
    assert found == problems


@pytest.mark.parametrize(
    ("evidence", "positions", "lag"),
    [
        (["D2:1; D1:2"], (3,), 3),  # only the first id of a string, so the question seems younger
        (["D2:1", "D1:2"], (1, 3), 5),  # two strings stay two
        (["D9:9 D1:2"], (), 7),  # the first names no turn: lag T
        ([], (), 7),
    ],
)
def test_evidence_first_is_the_papers_rule(evidence, positions, lag):
    question, _ = one(ask(evidence), "first")
    assert (question.evidence, question.lag) == (positions, lag)


@pytest.mark.parametrize("evidence", [[], ["D"], ["D9:9"], [None, 7], None, 7, {}])
def test_no_usable_evidence_is_no_lag(evidence):
    question, problems = one(ask() | {"evidence": evidence})
    assert (question.evidence, question.lag) == ((), None)
    assert problems[-1] == ("no evidence", "no lag, outside every bucket")


@pytest.mark.parametrize(
    ("answer", "expected", "kind"),
    [
        ("red", "red", None),
        (2022, "2022", "answer not text"),
        (1.5, "1.5", "answer not text"),
        (None, None, "no answer"),
        ("  ", None, "no answer"),
        (["red"], None, "answer not text"),
        (float("nan"), None, "answer not text"),
        (float("inf"), None, "answer not text"),
        ("\u200e", None, "no answer"),
    ],
)
def test_answers(answer, expected, kind):
    question, problems = one(ask() | {"answer": answer})
    assert question.answer == expected
    assert [k for k, _ in problems][:1] == ([kind] if kind else [])


def test_category_5_keeps_the_tempting_answer():
    found = locomo.parse([sample(ask(answer=None, category=5, adversarial_answer="blue"))])
    (question,) = found[0].questions
    assert (question.answer, question.adversarial_answer) == (None, "blue")
    assert found.report.unanswered == 1
    assert found.report.kinds == {"no answer": 1}
    (problem,) = found.report.problems
    assert (problem.conversation, problem.question) == ("talk-1", "talk-1/q0")


@pytest.mark.parametrize("category", [6, "4", None, True, [4], 4.0])
def test_an_unknown_category_is_kept_as_0(category):
    question, problems = one(ask(category=category))
    assert question.category == 0
    assert problems == [("unknown category", "kept as category 0")]


def test_a_row_that_asks_nothing_is_left_out_and_reported():
    found = locomo.parse([sample(ask(), ask() | {"question": None})])
    assert [q.id for q in found[0].questions] == ["talk-1/q0"]
    assert [(p.kind, p.question, p.done) for p in found.report.problems] == [
        ("no question", "talk-1/q1", "left out")
    ]


# ---- oddities of a sample


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda s: s.pop("sample_id"), "no sample id"),
        (lambda s: s["conversation"].pop("speaker_b"), "no speakers"),
        (lambda s: s["conversation"].pop("session_2_date_time"), "no date"),
        (lambda s: s["conversation"]["session_2"][1].pop("dia_id"), "turn id"),
        (lambda s: s["conversation"]["session_2"][1].update(dia_id="D2:1"), "turn id twice"),
        (lambda s: s["conversation"]["session_2"][1].update(blip_caption=7), "caption not text"),
    ],
)
def test_oddities_are_reported_and_lose_no_turn(change, kind):
    odd = sample(ask(["D2:1"]))
    change(odd)
    found = locomo.parse([odd])
    assert found.report.kinds == {kind: 1}
    assert len(found[0].turns) == 7
    assert found[0].speakers == ("Ina", "Oto")
    assert found[0].questions[0].evidence == (3,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("conversation"), "an object called conversation in talk-1, got NoneType"),
        (lambda s: s["conversation"].update(session_12345678901=[{}]), "with small numbers"),
        (lambda s: s["conversation"]["session_2"][0].update(text="\u200e"), "words in turn 1"),
        (lambda s: s.pop("qa"), "a list called qa in talk-1"),
        (lambda s: s.update(qa=["why?"]), "talk-1/q0, got str"),
        (lambda s: s.update(conversation={}), "session_1, session_2, ... in talk-1, found none"),
        (lambda s: s["conversation"].update(session_2="x"), "a list as session_2"),
        (lambda s: s["conversation"].update(session_02=[{}]), "one session 2"),
        (lambda s: s["conversation"]["session_2"].append(7), "turn 3 of session 2 of talk-1"),
        (lambda s: s["conversation"]["session_2"][0].update(text=None), "text as text in turn 1"),
        (lambda s: s["conversation"]["session_2"][0].update(text=" "), "words in turn 1"),
        (lambda s: s["conversation"]["session_2"][0].pop("speaker"), "text as speaker in turn 1"),
        (lambda s: s.update(qa=[ask(id="q"), ask(id="q")]), "different question ids"),
        (lambda s: s.update(counterfactual=[]), "an object as counterfactual"),
    ],
)
def test_another_shape_is_one_clear_sentence(change, message):
    bad = sample()
    change(bad)
    with pytest.raises(DataError, match="^expected ") as error:
        locomo.parse([bad])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("samples", [{}, [], "text", None, [7], sample()])
def test_no_list_of_samples(samples):
    with pytest.raises(DataError, match="^expected "):
        locomo.parse(samples)


def test_two_samples_of_one_name():
    with pytest.raises(DataError, match="'talk-1' came twice"):
        locomo.parse([sample(), sample()])


def test_unknown_evidence_rule():
    with pytest.raises(InputError, match="all, first, not 'last'"):
        locomo.parse([sample()], evidence="last")


def test_any_damage_to_a_question_is_survived():
    rng = random.Random(0)
    junk = [None, 3, -1.5, True, "", "D", "D1:1 D", "D::1", [], ["D2:1", None], {}, {"a": 1}]
    keys = [
        "id", "question", "answer", "adversarial_answer", "evidence", "category",
        "kind", "held_out", "subject", "relation",
    ]  # fmt: skip
    for _ in range(500):
        row = ask() | {rng.choice(keys): rng.choice(junk) for _ in range(4)}
        found = locomo.parse([sample(row)], rng.choice(locomo.EVIDENCE))
        asked = len(found[0].questions)
        assert asked + found.report.kinds.get("no question", 0) == 1
        json.dumps(found.report.as_dict())


# ---- keys of tinyworld


def generated():
    made = sample(
        ask(
            kind="single",
            subject="Ana",
            relation="kite_colour",
            held_out=["name", "phrasing"],
            id="k",
        )
    )
    other = copy.deepcopy({"conversation": made["conversation"], "qa": made["qa"]})
    other["conversation"]["session_1"][2]["text"] = "Blue."
    other["qa"][0]["answer"] = "blue"
    return made | {"counterfactual": other}


def test_generated_keys_and_the_twin():
    found = locomo.parse([generated()])
    (question,) = found[0].questions
    assert (question.kind, question.subject, question.relation) == ("single", "Ana", "kite_colour")
    assert question.held_out == ("name", "phrasing")
    twin = found[0].twin
    assert (twin.id, twin.twin) == ("talk-1/twin", None)
    assert (twin.questions[0].id, twin.questions[0].answer) == ("k", "blue")
    differ = [a.text != b.text for a, b in zip(found[0].turns, twin.turns, strict=True)]
    assert differ == [False, False, True, False, False, False, False]
    assert (found.report.twins, found.report.conversations, found.report.turns) == (1, 1, 7)


def test_defaults_without_generated_keys():
    question, _ = one(ask())
    assert (question.kind, question.subject, question.relation) == (None, None, None)
    assert question.held_out == ()
    assert locomo.parse([sample()])[0].twin is None


def test_what_a_generator_left_untold_is_no_problem():
    question, problems = one(ask([], None, 5, kind="never-told", adversarial_answer="blue"))
    assert (question.answer, question.lag) == (None, None)
    assert problems == []


def test_a_twin_of_another_length_is_refused():
    made = generated()
    made["counterfactual"]["conversation"]["session_2"].pop()
    with pytest.raises(DataError, match="to have its 7 turns, it has 6"):
        locomo.parse([made])


# ---- files


@pytest.fixture
def no_file(tmp_path, monkeypatch):
    """A user without LMEM_LOCOMO and with an empty cache; the release is a small file on disk."""
    file = tmp_path / "release.json"
    file.write_text(json.dumps([sample(ask())]), encoding="utf-8")
    monkeypatch.delenv(locomo_release.VARIABLE, raising=False)
    monkeypatch.setattr(locomo_release, "cache_path", lambda: tmp_path / "cache" / "locomo10.json")
    monkeypatch.setattr(locomo_release, "RELEASE", file.as_uri())
    monkeypatch.setattr(locomo_release, "SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    return file


def test_the_release_is_downloaded_once_with_its_licence(no_file, capsys):
    assert locomo_release.find() is None
    assert locomo.load()[0].id == "talk-1"
    assert "CC BY-NC 4.0" in capsys.readouterr().err
    assert locomo_release.find() == locomo_release.cache_path()
    no_file.unlink()  # from here on the cache has to do
    assert locomo.load()[0].id == "talk-1"
    assert capsys.readouterr().err == ""


def test_a_wrong_download_leaves_nothing(no_file):
    no_file.write_text("[]", encoding="utf-8")
    with pytest.raises(DataError, match=r"expected LoCoMo's release .* got 2 bytes"):
        locomo.load()
    assert list(locomo_release.cache_path().parent.iterdir()) == []


def test_a_failed_download_leaves_nothing(no_file):
    no_file.unlink()
    with pytest.raises(DataError, match="give a path or set LMEM_LOCOMO"):
        locomo.load()
    assert list(locomo_release.cache_path().parent.iterdir()) == []


def test_a_damaged_cache_is_noticed(no_file):
    locomo.load()
    locomo_release.cache_path().write_text(json.dumps([sample()]), encoding="utf-8")
    with pytest.raises(DataError, match="expected LoCoMo's release"):
        locomo.load()


def test_the_variable_names_the_file(no_file, tmp_path, monkeypatch):
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps([sample(name="mine")]), encoding="utf-8")
    monkeypatch.setenv(locomo_release.VARIABLE, str(mine))
    assert locomo.load()[0].id == "mine"  # another file than the release is welcome ...
    with pytest.raises(DataError, match="expected LoCoMo's release"):
        locomo.load(verify=True)  # ... unless the release is asked for
    assert locomo.load(no_file, verify=True)[0].id == "talk-1"  # a path goes before the variable


def test_files_that_cannot_be_read(tmp_path):
    whole = json.dumps([sample(ask())])
    (tmp_path / "half.json").write_text(whole[: len(whole) // 2], encoding="utf-8")
    (tmp_path / "bytes.json").write_bytes(b"[\xff\xfe\x00]")
    (tmp_path / "deep.json").write_text("[" * 200_000, encoding="utf-8")
    (tmp_path / "other.json").write_text('{"data": []}', encoding="utf-8")
    for name, message in [
        ("none.json", "expected a LoCoMo file at"),
        ("", "expected a LoCoMo file at"),
        ("half.json", "expected whole JSON"),
        ("bytes.json", "expected whole JSON"),
        ("deep.json", "expected whole JSON"),
        ("other.json", "expected in the file samples"),
    ]:
        with pytest.raises(DataError, match=message) as error:
            locomo.load(tmp_path / name)
        assert "\n" not in str(error.value)


# ---- odd texts and foreign forms


def test_a_picture_without_words_is_a_turn():
    odd = sample(ask())
    odd["conversation"]["session_2"][0].update(text="\u200e ", blip_caption="a kite in a tree")
    found = locomo.parse([odd])
    assert found[0].texts(dates=False)[3] == "context: Ina: [image: a kite in a tree]"
    assert found[0].texts(dates=False, captions=False)[3] == "context: Ina: [image]"
    assert found.report.kinds == {"no text": 1}


def test_half_a_character_is_replaced_and_counted():
    odd = sample(ask(answer="\ud83d"), ask() | {"question": "What \udcff?"})
    odd["conversation"]["session_2"][0]["text"] = "It flew \ud83d away."
    found = locomo.parse(json.loads(json.dumps([odd])))
    assert "It flew \ufffd away." in found[0].texts()[3]
    assert found[0].questions[1].text == "What \ufffd?"
    [problem] = found.report.problems
    assert (problem.kind, problem.came) == ("half a character", "3 texts")
    json.dumps(found.report.as_dict(), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("foreign", "name"),
    [
        ([{"question_id": "q", "haystack_sessions": [[{"role": "user", "content": "hi"}]]}], "LongMem"),
        ([{"personas": [["I ski."]], "dialog": [{"id": "A", "text": "hi"}]}], "MSC"),
        ([{"title": "t", "mapping": {"a": {"message": None}}}], "ChatGPT"),
        ([{"uuid": "u", "chat_messages": []}], "Claude"),
        ([{"conversations": [{"from": "human", "value": "hi"}]}], "ShareGPT"),
        ({"messages": [{"role": "user", "content": "hi"}]}, "a list of messages"),
        ([{"role": "user", "content": "hi"}], "'role', 'content'"),
        ({"a": 1}, "'a'"),
        ([{}], "no key"),
    ],
)  # fmt: skip
def test_a_foreign_form_is_named_with_the_one_that_is_wanted(foreign, name):
    with pytest.raises(DataError, match=f"sample_id.*model.write.*this is .*{name}"):
        locomo.parse(foreign)


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_any_damage_to_a_file_is_survived_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    content = bytearray(json.dumps([generated()]).encode())
    if data.draw(st.booleans()):  # the form is whole, and the values are odd
        whole, places = json.loads(content), []
        inside(whole, places)
        for _ in range(data.draw(st.integers(1, 3))):
            where, key = data.draw(st.sampled_from(places))
            if key in where or isinstance(where, list):
                where[key] = data.draw(VALUES)
        content = json.dumps(whole).encode()
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.integers(0, len(content)))
            content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path.write_bytes(content)
    found = outcome(lambda: locomo.load(path, data.draw(st.sampled_from(locomo.EVIDENCE))))
    assert isinstance(found, DataError) or len(found.report.sha256) == 64
    if not isinstance(found, DataError):
        json.dumps(found.report.as_dict(), ensure_ascii=False).encode()
        conversations_sha256(found)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


def inside(value, places):
    """Collect every (object or list, key or place) of nested values."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        places.append((value, key))
        inside(value[key], places)


# ---- what a file is


def test_category_5_with_an_answer_is_named_and_not_trained_on():
    filled = ask(answer="blue", category=5, adversarial_answer="blue")
    found = locomo.parse([sample(filled, ask(), ask(category=2))])
    assert found.report.kinds == {"category 5 with an answer": 1}
    assert [q.answerable for q in found[0].questions] == [False, True, True]
    assert [e.answer for e in QuestionDataset(found, 0, 0.0, 0).examples] == ["red", "red"]
    with pytest.raises(InputError, match="found none"):
        QuestionDataset(locomo.parse([sample(filled)]), 0, 0.0, 0)


def test_the_report_has_the_digest_of_the_file(no_file, tmp_path, monkeypatch):
    report = locomo.load(no_file).report
    content = no_file.read_bytes()
    assert report.sha256 == hashlib.sha256(content).hexdigest()
    assert (report.release, report.variant) == (True, "LoCoMo's release")
    assert report.as_dict()["release"] == "yes"
    other = tmp_path / "other.json"
    other.write_text(json.dumps([sample(ask(answer="blue"))]))
    report = locomo.load(other).report
    assert (report.as_dict()["release"], report.variant) == ("no", "another file in LoCoMo's form")


def test_a_result_names_another_file_for_what_it_is(no_file, tmp_path, monkeypatch):
    """The variable may name any file; only the release is called locomo."""
    sha256 = locomo_release.SHA256
    assert splits.source("locomo", 0) == {"data": "locomo", "file_sha256": sha256, "release": "yes"}
    assert splits.source(no_file, 0)["data"] == "locomo"
    for name, label in (("other.json", "other"), ("locomo.json", "locomo, not the release")):
        (tmp_path / name).write_text(json.dumps([sample(name="mine")]))
        monkeypatch.setenv(locomo_release.VARIABLE, str(tmp_path / name))
        found = splits.source("locomo", 0)
        assert (found["data"], found["release"]) == (label, "no")
        assert found["file_sha256"] == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert splits.label("locomo", 0) == label
    assert splits.source("tinyworld", 60) == {"data": "tinyworld, 60 turns"}
    drawn = splits.for_testing("tinyworld", 1, 60, 7)
    digest = {"conversations_sha256": conversations_sha256(drawn)}
    assert splits.source("tinyworld", 60, drawn) == {"data": "tinyworld, 60 turns", **digest}
    assert splits.source("locomo", 0, iter(drawn)) == splits.source("locomo", 0) | digest


def test_files_in_circulation_are_named(monkeypatch):
    released = sample(ask(), ask(answer=None, category=5), name="conv-1")
    digests = [
        locomo_release.answer_digest("conv-1", i, q.get("answer"))
        for i, q in enumerate(released["qa"])
    ]
    monkeypatch.setattr(locomo_release, "answer_digests", lambda: {"conv-1": digests})
    assert locomo_release.variant([released]) == "LoCoMo, with the release's answers"
    released["qa"][1]["answer"] = "blue"
    assert "with 1 answers filled in and 0 changed" in locomo_release.variant([released])
    released["qa"][0]["answer"] = "dark red"
    assert "with 1 answers filled in and 1 changed" in locomo_release.variant([released])
    for strange in ([sample(ask(), name="conv-1")], [sample()], [7], [], {}, None):
        assert locomo_release.variant(strange) == locomo_release.OTHER


def test_another_conversation_has_another_digest():
    first, second = (locomo.parse([sample(ask(answer=a))]) for a in ("red", "blue"))
    assert conversations_sha256(first) == conversations_sha256(list(first))
    assert conversations_sha256(first) != conversations_sha256(second)


# ---- splits


def test_a_single_conversation_is_no_training_data(tmp_path):
    """It would be trained on and tested on."""
    path = tmp_path / "one.json"
    path.write_text(json.dumps([sample(ask())]))
    with pytest.raises(InputError, match="at least 2 conversations"):
        splits.for_training(path, 0, 0, 0)
    assert [c.id for c in splits.for_testing(path, 0, 0, 0)] == ["talk-1"]
    path.write_text(json.dumps([sample(ask(), name=name) for name in "ab"]))
    assert [c.id for c in splits.for_training(path, 0, 0, 0)[0]] == ["a"]
    assert [c.id for c in splits.for_testing(path, 0, 0, 0)] == ["b"]


def test_paper_split():
    names = ["conv-48", "conv-26", "conv-49", "conv-30", "conv-50"]
    found = locomo.parse([sample(name=name) for name in names])
    train, test = splits.paper_split(found)
    assert [c.id for c in train] == ["conv-26", "conv-30"]
    assert [c.id for c in test] == ["conv-48", "conv-49", "conv-50"]
    with pytest.raises(DataError, match="expected LoCoMo with conv-49, conv-50, got conv-48"):
        splits.paper_split(found[:2])


# ---- the release itself


@pytest.fixture(scope="module")
def whole():
    path = locomo_release.find()
    if path is None or not path.is_file():
        pytest.skip("needs LoCoMo: set LMEM_LOCOMO to locomo10.json, or call lmem.data.locomo.load")
    return {rule: locomo.load(path, rule, verify=True) for rule in locomo.EVIDENCE}


def test_release_counts(whole):
    report = whole["all"].report
    assert (report.conversations, report.sessions, report.turns) == (10, 272, 5882)
    assert report.questions == 1986
    assert report.categories == {1: 282, 2: 321, 3: 96, 4: 841, 5: 446}
    assert report.spare_dates == 16  # conv-26: dates for 35 sessions, turns for 19
    sizes = [len(c.turns) for c in whole["all"]]
    assert (min(sizes), max(sizes)) == (369, 689)


def test_a_filled_in_release_trains_on_no_more_questions(whole, tmp_path):
    """Files in circulation have category 5's tempting answer as its right one."""
    samples = json.loads(locomo_release.find().read_bytes())
    train = [c for c in whole["all"] if c.id not in splits.PAPER_TEST]
    questions = len(QuestionDataset(train, 0, 0.0, 0).examples)
    for question in (q for s in samples for q in s["qa"] if q["category"] == 5):
        question["answer"] = question["adversarial_answer"]
    (tmp_path / "filled.json").write_text(json.dumps(samples))
    found = locomo.load(tmp_path / "filled.json")
    assert found.report.variant.startswith("LoCoMo with 444 answers filled in")
    assert found.report.kinds["category 5 with an answer"] == 446
    train = [c for c in found if c.id not in splits.PAPER_TEST]
    assert len(QuestionDataset(train, 0, 0.0, 0).examples) == questions == 1035


def test_release_problems(whole):
    report = whole["all"].report
    assert report.kinds == {
        "no answer": 444,
        "category 5 with an answer": 2,
        "answer not text": 6,
        "evidence not one id": 6,
        "no evidence": 4,
        "evidence names no turn": 3,
    }
    by_kind = {kind: {p.came for p in report.problems if p.kind == kind} for kind in report.kinds}
    assert by_kind["evidence names no turn"] == {"'D10:19'", "'D4:36'", "'D'"}
    ints = {p.conversation for p in report.problems if p.kind == "answer not text"}
    assert ints == {"conv-26"}
    unanswered = [q for c in whole["all"] for q in c.questions if q.answer is None]
    assert {q.category for q in unanswered} == {5}
    assert all(q.adversarial_answer for q in unanswered)


@pytest.mark.parametrize(
    ("rule", "buckets"),
    [
        ("all", {0: 28, 1: 24, 2: 60, 3: 130, 4: 395, None: 2}),
        ("first", {0: 28, 1: 24, 2: 62, 3: 130, 4: 395}),
    ],
)
def test_release_buckets_of_the_test_split(whole, rule, buckets):
    train, test = splits.paper_split(whole[rule])
    assert [c.id for c in train] == [f"conv-{n}" for n in (26, 30, 41, 42, 43, 44, 47)]
    asked = [q for c in test for q in c.questions]
    assert Counter(forgetting.bucket_of(q.lag) for q in asked) == buckets
    assert len(asked) == 639
    assert [sum(q.answer is None for q in c.questions) for c in test] == [48, 40, 46]


def test_release_lags_that_depend_on_the_reading(whole):
    lags = {
        rule: {q.id: q.lag for c in found for q in c.questions} for rule, found in whole.items()
    }
    came = {p.came: p.question for p in whole["all"].report.problems}
    joined = {
        "'D22:1 D22:2 D9:10 D9:11'": (329, 97),
        "'D21:18 D21:22 D11:15 D11:19'": (291, 102),
        "'D9:1 D4:4 D4:6'": (448, 338),
        "'D30:05'": (19, 19),
    }
    for text, expected in joined.items():
        assert (lags["all"][came[text]], lags["first"][came[text]]) == expected
    moved = {q for q in lags["all"] if lags["all"][q] != lags["first"][q]}
    without = {p.question for p in whole["all"].report.problems if p.kind == "no evidence"}
    assert moved == {came[text] for text in list(joined)[:3]} | without


def test_release_texts_hold_dates_and_captions(whole):
    talk = whole["all"][0]
    plain, full = talk.texts(dates=False, captions=False), talk.texts()
    assert len(full) == len(plain) == 419
    assert all(text.startswith("context: ") for text in full)
    dates = {session.date for session in talk.sessions}
    assert all(any(f"context: {date}, " in text for date in dates) for text in full)
    assert sum(" [image: " in text for text in full) == sum(bool(t.caption) for t in talk.turns) > 0
