"""Everyday conversations: facts are where they say, answers follow from their evidence, twins differ in values only."""

import random
import re
from datetime import datetime
from itertools import islice
from pathlib import Path

import pytest

from lmem.data import everyday, locomo, tinyworld
from lmem.data.everyday import dates, invent, marks, noise
from lmem.data.everyday.language import kept, load, opened, simple
from lmem.data.everyday.marks import Form, fill
from lmem.data.everyday.reading import Source, listings, reading, readings
from lmem.errors import InputError

LEFT_OVER = re.compile(r"[{}\[\]\x01-\x03]|  | ,")


def turns_of(side):
    """[(text, facts)] of one side of a sample, in order."""
    said = side["conversation"]
    numbers = sorted(int(k.split("_")[1]) for k in said if re.fullmatch(r"session_\d+", k))
    return [
        (row["dia_id"], row["speaker"], row["text"], row.get("facts", []))
        for number in numbers
        for row in said[f"session_{number}"]
    ]


@pytest.fixture(scope="module")
def drawn():
    """Forty conversations of each pool, of two sizes."""
    return [
        one
        for pool in everyday.POOLS
        for turns in (24, 120)
        for one in everyday.samples(20, f"test {turns}", everyday.World(turns=turns, pool=pool))
    ]


# ---- the language ------------------------------------------------------------------------------------


def test_at_least_a_hundred_relations_with_their_phrasings():
    language = load()
    assert len(language.relations) >= 100
    for row in language.relations.values():
        assert len(set(row.statements)) >= 12, row.name
        assert len(set(row.questions)) >= 8, row.name
    held = sum(row.held_out for row in language.relations.values())
    assert 0.1 < held / len(language.relations) < 0.2


def test_every_phrasing_fills_for_every_form_without_leftovers():
    forms = [
        Form("I"), Form("you"), Form("name", "Maya", "female"), Form("pronoun", "Maya", "female"),
        Form("name", "my sister", "female"),
    ]  # fmt: skip
    language = load()
    for row in [*language.relations.values(), *language.roles.values()]:
        parts = (row.statements, row.questions, row.updates, row.withdrawals)
        for text in [text for part in parts for text in part]:
            for form in forms:
                said = fill(text, form, ("Rex",), old="Fido", when="last Friday")
                said, _ = noise.type_out(said, "plain", None)
                assert not LEFT_OVER.search(said), (row.name, said)


def test_open_relations_are_others_and_fill_as_well():
    """A few patterns with many nouns; the language itself stays as it is."""
    whole, forms = load(), [Form("I"), Form("name", "Maya", "female")]
    language = opened(whole, random.Random(3), 400)
    rows = [row for name, row in language.relations.items() if name not in whole.relations]
    assert len(rows) == 400
    assert len(language.relations) == len(whole.relations) + 400
    assert load().relations == whole.relations
    assert len({row.questions[0] for row in rows}) == 400
    for row in rows:
        assert row.value in language.kinds
        assert min(len(row.statements), len(row.train("questions"))) >= 4, row.name
        for text in (*row.statements, *row.questions, *row.updates, *row.withdrawals):
            for form in forms:
                said = fill(text, form, ("Rex",), old="Fido")
                said, _ = noise.type_out(said, "plain", None)
                assert not LEFT_OVER.search(said), (row.name, said)
                assert not re.search(r"\b[Aa] [aeio]", said), said


def test_a_conversation_speaks_of_open_relations_and_asks_about_them():
    language, world = opened(load(), random.Random(0), 300), everyday.World(pool="train")
    one = everyday.sample("open", 1, world, language=language)
    told = {fact[1] for *_, facts in turns_of(one) for fact in facts}
    asked = {row["relation"] for row in one["qa"]}
    for names in (told, asked):
        names = {name for name in names if name.startswith("open_")}
        assert names
        assert not any(language.relations[name].held_out for name in names)


@pytest.mark.parametrize(
    ("template", "form", "said"),
    [
        ("{S} {has} a dog called {V}", Form("I"), "I have a dog called Rex."),
        ("{S} {isn't} here", Form("I"), "I'm not here."),
        ("{S} {isn't} here", Form("you"), "You aren't here."),
        ("{S'm} tired, {they} work[s] a lot", Form("name", "Maya", "female"),
         "Maya's tired, she works a lot."),
        ("{S's} dog, {S} call[s] it {V}", Form("name", "Maya", "female"), "Maya's dog, she calls it Rex."),
        ("the check-up for {S} is due", Form("pronoun", "Rex", "male"), "The check-up for him is due."),
        ("{S} stud[y/ies] hard", Form("name", "my sister", "female"), "My sister studies hard."),
        ("{S} {has} {a V}", Form("I"), "I have a Rex."),
    ],
)  # fmt: skip
def test_marks(template, form, said):
    assert noise.type_out(fill(template, form, ("Rex",)), "plain", None)[0] == said


def test_articles_follow_the_sound():
    for value, article in [("owl", "an "), ("hour", "an "), ("unicorn", "a "), ("dog", "a ")]:
        assert marks.article(value) == article


# ---- the contract ------------------------------------------------------------------------------------


def test_same_seed_same_conversations_and_other_seed_others():
    assert everyday.samples(2, 5) == everyday.samples(2, 5)
    assert everyday.samples(2, 5) != everyday.samples(2, 6)


def test_one_reader_reads_it_without_a_problem(drawn):
    assert locomo.parse(everyday.samples(20, 1)).report.problems == []


def test_two_thousand_turns_leave_no_mark_unfilled():
    [one] = everyday.samples(1, "long", everyday.World(turns=2000))
    for side in (one, one["counterfactual"]):
        rows = turns_of(side)
        assert len(rows) == 2000
        for _, _, text, _ in rows:
            assert not LEFT_OVER.search(text), text
        for qa in side["qa"]:
            assert not LEFT_OVER.search(qa["question"]), qa["question"]


def test_turns_have_three_to_forty_words_nearly_always(drawn):
    lengths = [len(text.split()) for one in drawn for _, _, text, _ in turns_of(one)]
    assert sum(3 <= n <= 40 for n in lengths) / len(lengths) > 0.97
    assert 8 < sum(lengths) / len(lengths) < 18


def test_all_five_abilities_are_asked(drawn):
    kinds = [qa["kind"] for one in drawn for qa in one["qa"]]
    assert set(kinds) == set(everyday.KINDS)
    assert min(kinds.count(kind) for kind in everyday.KINDS) > 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"turns": 3}, {"turns": 2001}, {"facts": 0}, {"pool": "test"}, {"mix": (1, 1)},
        {"questions": -1}, {"relations": 0}, {"session_turns": 0}, {"typos": 2},
        {"overwritten": 0.7, "withdrawn": 0.5}, {"subjects": -1},
    ],
)  # fmt: skip
def test_a_world_that_cannot_be_is_refused(wrong):
    with pytest.raises(InputError):
        everyday.World(**wrong)


# ---- evidence ----------------------------------------------------------------------------------------


def test_the_answer_stands_in_the_evidence(drawn):
    """Every part of an answer is in the evidence turns, word by word, or is a time counted from the session's date."""
    count = 0
    for one in drawn:
        for side in (one, one["counterfactual"]):
            texts = {name: text for name, _, text, _ in turns_of(side)}
            for qa in side["qa"]:
                if "answer" not in qa or load().tense(qa["relation"]):
                    continue
                said = " ".join(texts[name] for name in qa["evidence"])
                items = [qa["answer"]] if qa["answer"] in said else qa["answer"].split(", ")
                assert all(item in said for item in items), (qa, said)
                count += 1
    assert count > 1000


def test_facts_of_the_evidence_give_the_answer(drawn):
    """What the evidence turns tell, and nothing else, is the answer: the newest of it, or all of a list."""
    for one in drawn:
        for side in (one, one["counterfactual"]):
            facts = {name: rows for name, _, _, rows in turns_of(side)}
            order = {name: i for i, (name, _, _, _) in enumerate(turns_of(side))}
            links = [fact for rows in facts.values() for fact in rows]
            for qa in side["qa"]:
                ids = {qa["subject"]}
                ids |= {name for owner, role, name in links if f"{owner}'s {role}" in ids}
                ids |= {f"{owner}'s {role}" for owner, role, name in links if name in ids}
                told = [
                    value
                    for name in sorted(qa["evidence"], key=order.get)
                    for subject, relation, value in facts.get(name, [])
                    if relation == qa["relation"] and subject in ids
                ]
                if "answer" not in qa:
                    assert not told or None in told, qa
                elif "," in qa["answer"]:
                    assert set(", ".join(told).split(", ")) == set(qa["answer"].split(", "))
                else:
                    assert qa["answer"] in told, (qa, told)


def test_an_update_wins_over_what_was_said_before(drawn):
    count = 0
    for one in drawn:
        for qa in one["qa"]:
            if qa["kind"] != "update":
                continue
            rows = [
                (name, value)
                for name, _, _, facts in turns_of(one)
                for subject, relation, value in facts
                if (subject, relation) == (qa["subject"], qa["relation"])
            ]
            assert len(rows) > 1
            assert rows[-1][1] == qa["answer"]
            assert rows[-1][0] in qa["evidence"]
            count += 1
    assert count > 20


def test_after_a_withdrawal_nothing_is_known():
    count = 0
    world = everyday.World(withdrawn=0.3, mix=(0, 0, 0, 0, 1))
    for one in everyday.samples(20, "taken back", world):
        gone = {
            (subject, relation)
            for _, _, _, facts in turns_of(one)
            for subject, relation, value in facts
            if value is None
        }
        for qa in one["qa"]:
            assert "answer" not in qa
            assert qa["adversarial_answer"]
            if (qa["subject"], qa["relation"]) in gone:
                assert qa["evidence"]
                count += 1
    assert count > 20


def test_never_told_questions_have_something_similar(drawn):
    for one in drawn:
        relations = {relation for _, _, _, facts in turns_of(one) for _, relation, _ in facts}
        for qa in one["qa"]:
            if qa["kind"] == "abstention":
                assert qa["relation"] in relations


def test_two_hops_go_through_a_name(drawn):
    count = 0
    for one in drawn:
        for qa in one["qa"]:
            if qa["kind"] == "multi-hop" and len(qa["evidence"]) > 1 and "," not in qa["answer"]:
                count += 1
    assert count > 30


# ---- twins -------------------------------------------------------------------------------------------


def test_twins_have_the_same_turns_and_questions_and_other_answers(drawn):
    same = total = 0
    for one in drawn:
        twin = one["counterfactual"]
        assert [qa["question"] for qa in one["qa"]] == [qa["question"] for qa in twin["qa"]]
        for mine, other in zip(turns_of(one), turns_of(twin), strict=True):
            assert mine[:2] == other[:2]
            assert [fact[:2] for fact in mine[3]] == [fact[:2] for fact in other[3]]
            if not mine[3] and not any(fact for fact in mine[3]):
                told = mine[2] == other[2]
                same += told
                total += 1
        for qa, other in zip(one["qa"], twin["qa"], strict=True):
            if "answer" in qa and "answer" in other:
                assert qa["answer"] != other["answer"], qa
    assert same / total > 0.99


# ---- held out ----------------------------------------------------------------------------------------


def test_training_never_meets_what_is_held_out():
    world = everyday.World(turns=120, pool="train")
    for one in everyday.samples(20, "train", world):
        assert all(qa["held_out"] == [] for qa in one["qa"])
    language = load()
    relations = {
        relation
        for one in everyday.samples(20, "train", world)
        for _, _, _, facts in turns_of(one)
        for _, relation, _ in facts
    }
    rows = [language.roles.get(name) or language.relations[name] for name in relations]
    assert not any(row.held_out for row in rows)


def test_held_out_values_and_names_are_never_drawn_for_training():
    language = load()
    world = everyday.World(turns=200, invented=0.0, pool="train")
    out = {
        name
        for gender in ("female", "male")
        for name in language.names[gender].items[language.names[gender].train :]
    }
    cities = language.kinds["city"]
    held = set(cities.items[cities.train :]) - set(cities.items[: cities.train])
    for one in everyday.samples(10, "names", world):
        rows = turns_of(one)
        assert not {speaker for _, speaker, _, _ in rows} & out
        for _, _, _, facts in rows:
            for subject, relation, value in facts:
                assert subject not in out
                row = language.relations.get(relation)
                if row and row.value == "city" and not row.tense and value:
                    assert value not in held


def test_a_third_of_the_values_is_invented():
    language = load()
    total = new = 0
    for one in everyday.samples(30, "new", everyday.World(turns=60)):
        for _, _, _, facts in turns_of(one):
            for _, relation, value in facts:
                row = language.roles.get(relation) or language.relations[relation]
                if row.value in language.kinds and not row.tense and value:
                    items = {item.lower() for item in language.kinds[row.value].items}
                    names = {n for g in language.names.values() for n in g.items}
                    total += 1
                    new += value.lower() not in items and value not in names
    assert new / total > 0.3


# ---- parts -------------------------------------------------------------------------------------------


def test_times_count_from_the_session():
    moment = datetime(2023, 5, 8, 13, 56)
    assert dates.header(moment) == "1:56 pm on 8 May, 2023"
    rng = random.Random(0)
    found = dict(dates.when(rng, "past", moment) for _ in range(2000))
    assert found["yesterday"] == "7 May 2023"
    assert found["last Friday"] == "the Friday before 8 May 2023"
    assert found["last month"] == "April 2023"
    assert found["last year"] == "2022"
    found = dict(dates.when(rng, "future", moment) for _ in range(2000))
    assert found["tomorrow"] == "9 May 2023"
    assert found["next month"] == "June 2023"


def test_typing_mistakes_spare_names_and_values():
    text = fill(
        "{S} really {has} a wonderful dog called {V} now",
        Form("name", "Alexandra", "female"),
        ("Bartholomew",),
    )
    for i in range(200):
        said, values = noise.type_out(text, "plain", random.Random(i), 0.5)
        assert "Alexandra" in said
        assert "Bartholomew" in said
        assert values == {"0": "Bartholomew"}


def test_invented_words_differ():
    rng = random.Random(1)
    assert len({invent.town(rng) for _ in range(500)}) > 450
    assert len({invent.company(rng) for _ in range(500)}) > 450


def test_kept_leaves_an_eighth_out():
    assert kept(100) == 88
    assert kept(2) == 1


# ---- readings ----------------------------------------------------------------------------------------


def test_readings_hold_their_answer_and_name_their_errors():
    world = everyday.World(turns=24, facts=0.7)
    rows = list(islice(readings("r", 6, world), 300))
    assert {row.kind for row in rows} == set(everyday.KINDS)
    for row in rows:
        if row.target != everyday.UNKNOWN and row.kind != "temporal":
            assert row.target.split(", ")[0] in row.source
        assert row.target not in row.subject_errors | row.relation_errors | row.old
    assert sum(bool(row.subject_errors) for row in rows) > 60


def test_readings_without_evidence_are_unknown():
    world = everyday.World(turns=24, facts=0.7)
    for row in islice(readings("m", 6, world, missing=1.0), 200):
        assert row.target == everyday.UNKNOWN


def test_what_is_missing_cannot_be_read_from_other_turns():
    """Without its evidence a fact is in no turn of the input, under no name: the fact, or the link to it, is gone."""
    roles, partly = load().roles, 0
    for i in range(12):
        sample = everyday.sample("gone", i, everyday.World(turns=40, facts=0.8), twin=False)
        source = Source(sample, dates=False)
        for question in source.conversation.questions:
            if question.answer is None or load().tense(question.relation):
                continue
            row = reading(source, question, 12, random.Random(i), missing=True)
            facts = [
                f for t, fs in enumerate(source.facts) if source.texts[t] in row.source for f in fs
            ]
            ids = {question.subject}
            ids |= {v for s, r, v in facts if r in roles and f"{s}'s {r}" in ids}
            ids |= {f"{s}'s {r}" for s, r, v in facts if r in roles and v in ids}
            assert not any(s in ids and r == question.relation for s, r, _ in facts), row
            partly += any(
                r == question.relation and s in source.ids(question.subject) for s, r, _ in facts
            )
    assert partly > 5


def test_listings_hold_their_values():
    world = everyday.World(turns=16, facts=0.9, relations=3, questions=30, mix=(1, 0, 0, 0, 0))
    for listing in islice(listings("l", 8, lambda rng: world), 50):
        for question, value in listing.facts:
            assert question.startswith("question: ")
            assert value == everyday.UNKNOWN or value.split(", ")[0] in listing.source
    with pytest.raises(InputError, match="with questions"):
        next(listings("l", 8, lambda rng: everyday.World(questions=0)))


def test_a_speaker_alone_says_everything():
    world = everyday.World(alone=1.0, turns=30)
    for one in everyday.samples(10, "alone", world):
        assert len({speaker for _, speaker, _, _ in turns_of(one)}) == 1


# ---- the book's page ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("module", "more"), [(everyday, {"subjects": 4}), (tinyworld, {})])
def test_the_page_shows_what_the_generators_draw(module, more):
    page = (Path(__file__).parents[1] / "book/everyday.md").read_text(encoding="utf-8")
    world = module.World(turns=12, facts=0.6, questions=6, **more)
    for sample in module.samples(2, "book", world):
        for name, speaker, text, _ in turns_of(sample):
            assert f"| {name} | {speaker} | {text} |" in page
        for qa in sample["qa"]:
            assert f"| {qa['kind']} | {qa['question']} | {qa.get('answer', '*unknown*')} |" in page


def test_a_simple_language_has_few_relations_and_phrasings_and_nothing_that_is_held_out():
    small = simple(load(), 8, 2)
    people = [row for row in small.relations.values() if row.subject == "person"]
    assert len(people) == 8
    assert not any(row.held_out for row in small.relations.values())
    for row in small.relations.values():
        whole = load().relations[row.name]
        assert row.train("statements") == whole.train("statements")[:2]
        assert row.train("questions") == whole.train("questions")[:2]
        assert row.statements[-3:] == whole.statements[-3:]
    world = everyday.World(turns=16, facts=0.9, pool="train")
    told = {
        question["relation"]
        for i in range(12)
        for question in everyday.sample("s", i, world, False, small)["qa"]
    }
    assert told - set(small.roles) <= set(small.relations)
