"""The generator: its facts are where it says, its values cannot be guessed, its twins differ in nothing else."""

import hashlib
import json
import re
from itertools import pairwise

import pytest

from lmem.data import locomo, tinyworld
from lmem.data.reading import readings
from lmem.data.tinyworld import language as words
from lmem.errors import InputError


def drawn(n=6, seed=3, **world):
    return locomo.parse(tinyworld.samples(n, seed, tinyworld.World(**world)))


def test_same_seed_same_conversations_and_other_seed_others():
    assert tinyworld.samples(2, 5) == tinyworld.samples(2, 5)
    assert tinyworld.samples(2, 5) != tinyworld.samples(2, 6)


def test_a_seed_gives_what_stored_results_were_measured_on():
    worlds = (
        tinyworld.World(),
        tinyworld.World(turns=200, pool="train"),
        tinyworld.World(turns=40, facts=0.9, relations=2, subjects=8),
    )
    content = json.dumps([tinyworld.samples(12, "test 7", world) for world in worlds])
    assert (
        hashlib.sha256(content.encode()).hexdigest()
        == "2b094c46693a1adbfda78fd2d1c99f8adba01702150d70ad7aba4af4ba775b92"
    )


def test_one_reader_reads_it_without_a_problem():
    conversations = drawn(20)
    assert conversations.report.problems == []
    assert conversations.report.twins == 20


def test_many_relations_phrasings_and_values():
    assert len(words.RELATIONS) >= 30
    for subject, value, statements, questions in words.RELATIONS.values():
        assert len(set(statements)) >= 3
        assert len(set(questions)) >= 3
        assert subject in ("person", "pet", "place")
        assert all("{V}" in s for s in statements)
        if value not in words.NAMED:
            first, second = words.VALUES[value]
            assert len(first) * len(second) >= 200


# ---- a listener who knows the phrasings and hears the words, nothing else -----------------------------

NAME = "[A-Z][a-z]+"


def _third(match):
    verb = match.group(1)
    return f"(?:{verb}e?s|{verb[:-1]}ies)"


def _pattern(statement, value, me):
    text = re.sub(r"(\w+)\[e?s\]", r"\1" if me else _third, statement)
    marks = {"{S's}": "my", "{S}": "I", "{O}": "me", "{is}": "am", "{has}": "have"}
    name = f"(?P<s>{NAME})"
    others = {"{S's}": name + "'s", "{S}": name, "{O}": name, "{is}": "is", "{has}": "has"}
    for mark, said in (marks if me else others).items():
        text = text.replace(mark, said)
    opener = "|".join(map(re.escape, [w for w in words.OPENERS + words.CORRECTIONS if w]))
    closer = "|".join(re.escape(w) for w in words.CLOSERS if w)
    text = text.replace("{V}", f"(?P<v>{NAME if value in words.NAMED else '[A-Za-z]+-[A-Za-z]+'})")
    return re.compile(f"(?:(?P<o>{opener}) )?{text}\\.(?: (?:{closer}))?")


PATTERNS = [
    (relation, i, me, _pattern(statement, value, me))
    for relation, (kind, value, statements, _) in words.RELATIONS.items()
    for i, statement in enumerate(statements)
    for me in ((True, False) if kind == "person" else (False,))
]


def heard(conversation):
    """[(turn, subject, relation, phrasing, value, opener)], at most one fact a turn."""
    found = []
    for t, turn in enumerate(conversation.turns):
        forms = {turn.text, turn.text[0].lower() + turn.text[1:]}
        facts = {
            (
                t,
                turn.speaker if me else match["s"],
                relation,
                i,
                match["v"],
                (match["o"] or "").lower(),
            )
            for relation, i, me, pattern in PATTERNS
            for form in forms
            if (match := pattern.fullmatch(form))
        }
        assert len(facts) <= 1, f"{turn.text} can be understood in {len(facts)} ways: {facts}"
        found += facts
    return found


def told(conversation):
    """{(subject, relation): [(turn, value), ...]}, oldest first."""
    known = {}
    for t, subject, relation, _, value, _ in heard(conversation):
        known.setdefault((subject, relation), []).append((t, value))
    return known


def asks_about(question):
    """The question's subject as it was said: "Ana", or "Ana's brother"."""
    text = question.text[0].lower() + question.text[1:]
    subject = f"(?P<s>{NAME}(?:'s [a-z]+)?)"
    forms = {text, question.text}
    for template in words.RELATIONS[question.relation][3]:
        pattern = re.escape(template).replace(r"\{S\'s\}", "{S's}").replace(r"\{S's\}", "{S's}")
        pattern = pattern.replace("{S's}", subject + "'s").replace(r"\{S\}", subject)
        for form in forms:
            if match := re.fullmatch(pattern, form):
                return match["s"]
    raise AssertionError(f"{question.text} does not ask for {question.relation}")


@pytest.fixture(scope="module")
def world():
    """Conversations with everything in them, and what the listener heard."""
    conversations = drawn(30, overwritten=0.3)
    return [(c, told(c)) for c in conversations]


def test_the_listener_hears_what_was_told(world):
    facts = sum(len(turns) for _, known in world for turns in known.values())
    assert facts == 30 * round(0.35 * 60)


def test_single_and_updated_answers_are_the_newest_statement(world):
    count = {"single": 0, "updated": 0}
    for c, known in world:
        for q in c.questions:
            if q.kind in count:
                tellings = known[asks_about(q), q.relation]
                assert (len(tellings) == 1) == (q.kind == "single")
                assert (q.evidence, q.answer) == ((tellings[-1][0],), tellings[-1][1])
                values = [value for _, value in tellings]
                assert all(a != b for a, b in pairwise(values))
                count[q.kind] += 1
    assert min(count.values()) > 50, count


def test_two_hops_follow_the_chain(world):
    count = 0
    for c, known in world:
        for q in [q for q in c.questions if q.kind == "two-hop"]:
            first, kin = asks_about(q).split("'s ")
            t1, middle = known[first, kin][-1]
            t2, value = known[middle, q.relation][-1]
            assert (q.answer, q.evidence, q.category) == (value, tuple(sorted({t1, t2})), 1)
            assert t1 != t2
            count += 1
    assert count > 30


def test_what_was_never_told_is_told_nowhere(world):
    count = 0
    for c, known in world:
        for q in [q for q in c.questions if q.kind == "never-told"]:
            assert (asks_about(q), q.relation) not in known
            assert (q.answer, q.evidence, q.category) == (None, (), 5)
            assert q.adversarial_answer
            count += 1
    assert count > 30


def test_corrections_say_so(world):
    for c, known in world:
        newer = {t for tellings in known.values() for t, _ in tellings[1:]}
        for t, *_, opener in heard(c):
            assert (opener in words.CORRECTIONS) == (t in newer)


def test_the_twin_tells_the_same_with_other_values():
    for c in drawn(10):
        assert [q.text for q in c.questions] == [q.text for q in c.twin.questions]
        for mine, other in zip(heard(c), heard(c.twin), strict=True):
            assert mine[:4] == other[:4]  # turn, subject, relation, phrasing
            assert mine[4] != other[4]
        facts = {t for t, *_ in heard(c)}
        for t, (a, b) in enumerate(zip(c.turns, c.twin.turns, strict=True)):
            assert (a.speaker, a.session) == (b.speaker, b.session)
            assert (a.text == b.text) == (t not in facts)
        for q, other in zip(c.questions, c.twin.questions, strict=True):
            if q.kind in ("single", "updated"):
                assert q.answer != other.answer
                assert q.evidence == other.evidence


def test_training_pool_holds_nothing_that_is_held_out():
    for c in drawn(30, pool="train"):
        for _, _, relation, phrasing, _, _ in heard(c):
            assert relation not in words.HELD_OUT_RELATIONS
            assert phrasing < len(words.RELATIONS[relation][2]) - 1
        for q in c.questions:
            assert q.held_out == ()
            assert q.relation not in words.HELD_OUT_RELATIONS
        said = " ".join(
            [t.text for t in c.turns] + [t.speaker for t in c.turns] + [q.text for q in c.questions]
        )
        assert not set(re.findall(NAME, said)) & words.HELD_OUT_NAMES
    parts = {part for c in drawn(10) for q in c.questions for part in q.held_out}
    assert parts == {"name", "relation", "phrasing"}


def test_values_are_too_many_to_guess():
    values = [
        row[4]
        for c in drawn(20)
        for row in heard(c)
        if words.RELATIONS[row[2]][1] not in words.NAMED
    ]
    assert len(set(values)) > 0.75 * len(values)


def test_600_turns_hold_150_live_facts():
    for c in drawn(3, turns=600):
        assert len(told(c)) >= 150


@pytest.mark.parametrize("turns", [10, 2000])
def test_shortest_and_longest(turns):
    [c] = drawn(1, turns=turns)
    assert len(c.turns) == turns
    assert len(c.sessions) == -(-turns // 20)


@pytest.mark.parametrize(
    "bad",
    [
        {"turns": 9}, {"turns": 2001}, {"facts": 0}, {"overwritten": 1}, {"pool": "test"},
        {"mix": (1, 1)}, {"session_turns": 0}, {"relations": 0}, {"questions": -1},
    ],
)  # fmt: skip
def test_bad_worlds_are_refused(bad):
    with pytest.raises(InputError, match="not"):
        tinyworld.World(**bad)


def test_readings_hold_their_evidence_or_leave_it_out():
    stream, without, guessed = readings("a", 6), readings("a", 6, evidence=False), 0
    for _ in range(50):
        shown, hidden = next(stream), next(without)
        assert shown.source.count("context:") == 6 == hidden.source.count("context:")
        assert shown.target in shown.source
        assert shown.target == hidden.target
        guessed += hidden.target in hidden.source
    assert guessed < 10  # somebody else's value may be the same


def test_no_conversations():
    with pytest.raises(InputError, match="at least 1"):
        tinyworld.samples(0)
