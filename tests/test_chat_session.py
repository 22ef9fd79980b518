"""The chat: what a line means, what each command does, and that nothing costs the bank."""

import io
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from lmem.chat import commands, terminal
from lmem.chat.dialect import EVERYDAY, dialect_of
from lmem.chat.kept import NONE, Fact, Topic, change_of
from lmem.chat.lines import (
    UNSURE,
    content_words,
    has_tag,
    is_question,
    names_in,
    parts_of,
    split_request,
)
from lmem.chat.recovery import KEPT, Recovery, state_folder
from lmem.chat.reply import LEAST
from lmem.chat.session import UNTOLD, ChatSession
from lmem.chat.topics import everyday_topics, plain_question
from lmem.chat.words import unreadable_words
from lmem.data.tinyworld.language import CHAT
from lmem.errors import BankError, InputError, LmemError
from lmem.memory.bank import Bank
from lmem.memory.ledger import Ledger
from lmem.memory.model import Answer, MemoryModel

QUESTIONS = [
    "Where does Ana live?", "Where does Ana live？", "أين تسكن آنا؟", "Who?!", 'Who?"', "Who?”", "Who?»",
    "(Who?)", "Who? 🙂", "Who?️", "Who⁈", "Who‽", "Who⁇", "Πού μένει η Άννα;", "Πού μένει\u037e", "የት፧",
    "Ո՞վ է", "Who?\u200f", "Who?！", "**Who?**", "¿Quién?",
    "where do I live", "Where does Ana live.", "what's my cat called", "what’s my cat called", "who is Ben's boss",
    "which dish does Ana love", "how many cats do I have", "do you know my name", "Is my brother Hugo",
    "tell me where I live", "and who is my boss", "did I tell you where I live", "remind me what I lost", "whose cat is it", "who employs my brother",
]  # fmt: skip
TURNS = [
    "I live in Cedar-Bay.", "I asked why? Nobody knew.", "No; really", "one; two;", "!", "🙂", "Hm...",
    "What a long day.", "How sweet!", "When I was young I lived in Rome.", "Who knows.", "Who cares about that.", "Tell me more!", "why not",
    "What I like is tea", "Is that so!", "I will ask where he lives", "Can Anna is a shop",
]  # fmt: skip


@pytest.mark.parametrize("line", QUESTIONS)
def test_questions_with_a_mark_of_any_script_or_without(line):
    assert is_question(line)
    assert parts_of(line) == ("", line)


@pytest.mark.parametrize("line", [*TURNS, *(text for text in CHAT if "?" not in text)])
def test_what_is_no_question_is_a_turn(line):
    assert not is_question(line)
    assert parts_of(line) == (line, "")


@pytest.mark.parametrize(
    ("line", "said", "asked"),
    [
        ("I moved to Rome. Where do I live?", "I moved to Rome.", "Where do I live?"),
        ("I moved to Rome! And where do I live", "I moved to Rome!", "And where do I live"),
        ("I moved to Rome. Can you believe it?", "I moved to Rome. Can you believe it?", ""),
        ("Where do I live? I forgot.", "I forgot.", "Where do I live?"),
        ("It rained. Funny, right?", "It rained. Funny, right?", ""),
        (
            "I have a dog. What is he called? He is called Rex.",
            "I have a dog. He is called Rex.",
            "What is he called?",
        ),
        ("I asked why? Nobody knew.", "I asked why? Nobody knew.", ""),
        ("I saw Dr. Brown. Is he my dentist?", "I saw Dr. Brown.", "Is he my dentist?"),
        ("It rained. I live in Paris. Right?", "It rained.", "I live in Paris. Right?"),
    ],
)
def test_a_line_may_tell_and_ask(line, said, asked):
    assert parts_of(line) == (said, asked)


TAGGED = [
    "I live in Paris, remember?", "I live in Paris remember?", "It's cold today, isn't it?", "It’s cold today isn’t it?",
    "My dog is called Rex, right?", "My dog is called Rex, right", "I live in Rome, don't I", "I live in Rome, don't you remember?",
    "We have two kids, Ella and Max, you know?", "It's not far from Rome, is it?", "You know my name, don't you?",
    "My dog is called Rex. Right?", "My dog is called Rex. Is that right?", "I live in Rome. Don't I?",
]  # fmt: skip


@pytest.mark.parametrize("line", TAGGED)
def test_a_statement_with_a_tag_is_asked(line):
    assert parts_of(line) == ("", line)
    assert has_tag(line)


@pytest.mark.parametrize(
    "line",
    ["Isn't it cold?", "What's my name again, remember?", "Is he right?",
     "Do you like tea, or not?", "What is it?", "My sister, is she called Lena?"],
)  # fmt: skip
def test_what_looks_like_a_tag_may_be_a_question(line):
    assert parts_of(line) == ("", line)
    assert not has_tag(line)


@pytest.mark.parametrize(
    "line", ["I don't know if he's right.", "It isn't me, it's you.", "Right."]
)
def test_what_looks_like_a_tag_may_be_a_statement(line):
    assert parts_of(line) == (line, "")


@pytest.mark.parametrize(
    ("line", "rest", "topic"),
    [
        ("please forget what I said about my sister", "", "my sister"),
        ("Can you forget my address, please?", "", "my address"),
        ("Forget everything I told you about Claire’s job.", "", "Claire's job"),
        ("OK forget about my wallet, thanks", "", "my wallet"),
        ("Forget that.", "", ""),
        ("Could you please forget what I just told you?", "", ""),
        ("No, that was wrong. Forget it!", "No, that was wrong.", ""),
        ("I always forget my keys.", "I always forget my keys.", None),
        ("Don't forget that I live in Rome.", "Don't forget that I live in Rome.", None),
        ("Forget to lock the door once more.", "Forget to lock the door once more.", None),
        ("What did I forget?", "What did I forget?", None),
    ],
)
def test_a_request_to_forget_is_told_apart(line, rest, topic):
    assert split_request(line) == (rest, topic)


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("where do i live", "Where does Ana live?"),
        ("Where do I live？", "Where does Ana live?"),
        ("What’s my cat called?", "What is Ana's cat called?"),
        ("tell me where I live", "Where does Ana live?"),
        ("do you remember what I lost", "What does Ana lost?"),
        ("What am I allergic to?", "What is Ana allergic to?"),
        ("Who does my brother work for?", "Who does Ana's brother work for?"),
        ("Where does Hugo live?", "Where does Hugo live?"),
        ("what is my favorite song", "What is Ana's favourite song?"),
    ],
)
def test_nano_is_asked_in_its_own_words(line, asked):
    assert dialect_of("nano").question(line, "Ana") == asked


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("where do i live", "Ana: Where do I live?"),
        ("what's my sister's name?", "Ana: What's my sister's name?"),
        ("where does hannah live", "Where does Hannah live?"),
        ("WHO AM I", "Ana: Who am I?"),
        ("who is rex", "Who is Rex?"),
        ("may i sing in may??", "Ana: May I sing in may??"),
        ("what is ana's dog called", "What is Ana's dog called?"),
        ("do you know new york", "Do you know New York?"),
        ("¿quién es hannah?", "¿quién es Hannah?"),
    ],
)
def test_a_question_is_asked_as_it_is_written_in_books(line, asked):
    told = [
        "My sister is called Hannah.",
        "He may bark: it is Rex, not Max.",
        "I met May in New York.",
    ]
    assert EVERYDAY.question(line, "Ana", names_in(told)) == asked


def test_other_backbones_are_told_who_asks():
    assert EVERYDAY.question("What's my dog called?", "Maya") == "Maya: What's my dog called?"
    assert EVERYDAY.question("What is Ben's dog called?", "Maya") == "What is Ben's dog called?"


@pytest.mark.parametrize(
    ("text", "unreadable"),
    [
        ("Ana: I live in Cedar-Bay.", []),
        ("I adopted a tortoise called Thistlewick.", ["Thistlewick"]),
        ("Ana's brother, Köln!", ["Köln"]),
        ("10 🙂 ?", []),
    ],
)
def test_words_that_the_tokenizer_only_spells(nano, text, unreadable):
    assert unreadable_words(nano.tokenizer, text) == unreadable


# ---- what is said about a line


PLAIN = [
    "I live in Bristol.", "My dog is called Biscuit.", "My wife Clara is a translator.", "Clara was born in Porto.", "My dad is 54 years old.",
    "I'm allergic to strawberries.", "My favourite colour is green.", "Actually, my favourite colour is red.", "What a long day!",
]  # fmt: skip


@pytest.fixture(scope="module")
def keyed(nano):
    return MemoryModel.from_shipped("nano-keyed", nano)


@pytest.fixture
def chat(keyed):
    """A chat with five facts."""
    session = ChatSession(keyed, "Ana")
    lines = [
        "I adopted a cat called Miro.",
        "I live in Cedar-Bay.",
        "My brother is Hugo.",
        "Hugo works for Falcon-Studio.",
    ]
    for line in lines:
        session.take(line)
    return session


def test_a_turn_is_acknowledged(keyed):
    session = ChatSession(keyed, "Ana")
    assert session.take("I live in Cedar-Bay.") == ("kept, turn 1", "written", "")
    assert session.take("what a long day").text == "nothing to keep"
    assert session.take("I adopted a cat called Miro.").text == "kept, turn 3"
    replaced = session.take("Correction: I live in Amber-Hill.").text
    assert replaced == "kept, turn 4; it replaces turn 1, 'I live in Cedar-Bay.'"
    assert session.take("Where do I live").text == "Amber-Hill"
    assert session.bank.turns_written == [4]


@pytest.mark.parametrize(
    "line", ["I live in Amber-Hill, right?", "I live in Amber-Hill. Right?", "I live in Amber-Hill, don't I"]
)  # fmt: skip
def test_a_question_never_overwrites(chat, line):
    before = chat.bank
    reply = chat.take(line)
    assert reply.kind == "answer"
    assert "changes nothing" in reply.note
    assert chat.bank is before
    assert chat.take("Where do I live?").text == "Cedar-Bay"
    both = chat.take(f"I lost a red-scarf. {line}")
    assert "kept, turn 5" in both.note
    assert "changes nothing" in both.note
    assert chat.take("Where do I live?").text == "Cedar-Bay"


def test_a_full_bank_says_what_gave_way(keyed):
    small = keyed.variant(scale=1 / 64)  # one row of the width, two of the keyed write
    session = ChatSession(small, "Ana")
    said = [
        session.take(line).text
        for line in ("I live in Cedar-Bay.", "My brother is Hugo.", "I adopted a cat called Miro.")
    ]
    assert said[:2] == ["kept, turn 1", "kept, turn 2"]
    assert said[2] == "kept, turn 3; the bank is full, so turn 1 is lost"


def test_memories_of_other_kinds_say_kept(tiny):
    model = MemoryModel(tiny, "m3")
    empty = model.new_bank()
    assert change_of(model, empty, model.write(empty, ["Ana: Hello."])) == (True, None, None)


def test_answers_and_what_was_never_said(chat):
    assert chat.take("what's my cat called").text == "Miro"
    assert chat.take("Who does my brother work for?").text == "Falcon-Studio"
    assert chat.take("What is my favourite song?") == (UNTOLD, "answer", "")
    both = chat.take("I lost a red-scarf. What did I lose?")
    assert (both.text, both.note) == ("red-scarf", "kept, turn 5")
    assert chat.take("I bought a zither.").note == "nano cannot read zither"


def test_a_line_that_cannot_be_asked_writes_nothing(chat):
    with pytest.raises(InputError):
        chat.take("I lost a red-scarf. " + "What did I lose " * 200 + "?")
    assert chat.bank.turns_written == [4]


@pytest.mark.parametrize(
    "line", ["{}", "{}?", "I lost a red-scarf. {}?", "/forget {}", "{}. Forget that."]
)
def test_a_line_that_is_too_long_says_so_plainly(chat, line):
    before = chat.bank
    with pytest.raises(
        InputError, match="expected a shorter line: nano can read only .*split it up"
    ):
        chat.take(line.format("I live in Cedar-Bay " * 200))
    assert chat.bank is before


def test_how_to_put_a_fact_is_said_once(spans, keyed):
    """With a sentence that is kept."""
    for model in (spans, keyed):
        session = ChatSession(model, "Ana")
        assert session.take("What a long day!") == ("nothing to keep", "written", "")
        first, again = (session.take("I'm tired.") for _ in range(2))
        assert (first.text, again.text) == ("nothing to keep", "nothing to keep")
        assert repr(session.dialect.kept) in first.note
        assert not again.note
        assert session.take(session.dialect.kept).text == "kept, turn 4"


def test_why_names_the_turn_and_how_sure(chat):
    with pytest.raises(InputError, match="ask something first"):
        chat.take("/why")
    chat.take("Where do I live?")
    why = chat.take("/why").text
    assert "from turn 2, 'I live in Cedar-Bay.'" in why
    assert "% sure" in why
    chat.take("Who does my brother work for?")
    assert "turn 4, 'Hugo works for Falcon-Studio.'" in chat.take("/why").text
    chat.take("What is my favourite song?")
    assert "'unknown' to \"What is Ana's favourite song?\"" in chat.take("/why").text


def test_the_threshold_can_be_moved(chat):
    chat.take("/threshold 1")
    assert chat.take("Where do I live?")[:2] == (UNSURE, "answer")
    why = chat.take("/why").text
    assert "'Cedar-Bay'" in why
    assert "I say nothing below 100%" in why
    assert f"Where does Ana live? {UNSURE}" in chat.take("/list").text
    chat.take("/threshold 0")
    assert chat.take("Where do I live?").text == "Cedar-Bay"
    for typed, share in {"5%": 0.05, "60": 0.6, "0.3": 0.3, "100": 1.0, "0": 0.0}.items():
        assert f"at least {share:.0%} sure" in chat.take(f"/threshold {typed}").text
        assert chat.threshold == share
    for wrong in ("150", "-1", "nan", "much"):
        with pytest.raises(InputError, match="from 0% to 100%"):
            chat.take(f"/threshold {wrong}")
    assert chat.threshold == 0


def test_the_threshold_is_the_only_limit(spans):
    """At 0% a question that no row fits gets the best guess, at 100% even a sure answer is withheld."""
    session, shipped = ChatSession(spans, "Ana"), spans.read.threshold
    session.take("I adopted a dog called Rex.")
    for threshold, answers in {"0": ("Rex", "Rex"), "100": (UNSURE, UNTOLD)}.items():
        session.take(f"/threshold {threshold}")
        for question, answer in zip(
            ("What is my dog called?", "Where was I born?"), answers, strict=True
        ):
            assert session.take(question).text == answer
    assert spans.read.threshold == shipped


def test_the_default_threshold_changes_no_answer(keyed, chat, conversations):
    for question in conversations[0].questions:
        plain = keyed.answer(chat.bank, question.text)
        reply = chat.take(question.text)
        silent = (UNTOLD, UNSURE)
        assert reply.text in (silent if plain in ("unknown", "") else (plain,))


def test_the_list_is_asked_of_the_bank(chat):
    assert chat.take("/list").text.splitlines() == [
        "turn 4, 'Hugo works for Falcon-Studio.': Who does Hugo work for? Falcon-Studio",
        "turn 3, 'My brother is Hugo.': Who is Ana's brother? Hugo",
        "turn 2, 'I live in Cedar-Bay.': Where does Ana live? Cedar-Bay",
        "turn 1, 'I adopted a cat called Miro.': What is Ana's cat called? Miro",
    ]
    turns = {"Hugo": "43", "the cat": "1", "me": "321", "Ana": "321"}
    for name, numbers in turns.items():
        assert re.findall(r"turn (\d)", chat.take(f"/list {name}").text) == list(numbers)
    assert chat.take("/list Rosa").text == "nothing is kept about Rosa"
    chat.take("/new")
    assert chat.take("/list").text == "nothing is kept"


@pytest.mark.parametrize("threshold", [0.0, 0.7, 1.0])
def test_the_list_says_what_the_chat_answers(spans, threshold):
    """Whatever that is: an answer, also a wrong one, or none."""
    session = ChatSession(spans, "Nora", threshold=threshold)
    for line in PLAIN:
        session.take(line)
    listed = session.take("/list").text
    assert len(listed.splitlines()) == len(session.kept())
    facts = re.findall(r"(?:: |; )([^;:?]+\?) ([^;\n(]+)", listed)
    assert facts
    for question, answer in facts:
        assert session.take(question).text == answer.strip()
        assert "  " not in question
    assert "54" not in session.take("/list Clara").text  # that is said of somebody else
    assert session.take("/list Zuzu").text == "nothing is kept about Zuzu"
    session.ledger.texts = [""] * len(PLAIN)
    assert session.said == {}
    for line in session.take("/list").text.splitlines():  # nothing is asked that is not answered
        assert UNSURE not in line
    for line in session.take("/list Clara").text.splitlines():
        assert "Clara" in line


def test_the_list_has_one_line_for_a_turn(chat, monkeypatch):
    where, who = (Topic(question, question, 0.5) for question in ("Where?", "Who?"))
    facts = [
        Fact(3, who, Answer("Hugo", 0.5)),
        Fact(3, where, Answer("unknown", 0.5, 0.6, "doubted")),
        Fact(1, where, Answer("Amber-Hill", 0.5), found=False, value="Cedar-Bay"),
        Fact(0, NONE, Answer("", 0.0), value="Miro"),
    ]
    monkeypatch.setattr(commands, "facts_of", lambda *args: facts)
    assert chat.take("/list").text.splitlines() == [
        f"turn 4, 'Hugo works for Falcon-Studio.': Who? Hugo; Where? {UNSURE}",
        "turn 2, 'I live in Cedar-Bay.': Where? Amber-Hill (from another turn; kept 'Cedar-Bay')",
        "turn 1, 'I adopted a cat called Miro.': kept 'Miro', but I know no question that fits",
    ]


def test_a_long_list_ends_with_a_number(chat, monkeypatch):
    asked = []
    monkeypatch.setattr(ChatSession, "kept", lambda self: list(range(120))[::-1])
    monkeypatch.setattr(commands, "facts_of", lambda *args: asked.append(args[2]) or [Fact(0, NONE, Answer("", 0.0))])  # fmt: skip
    assert chat.take("/list").text.splitlines()[-1] == f"and {120 - commands.LISTED} older ones"
    assert list(asked[0]) == list(range(120))[: -commands.LISTED - 1 : -1]


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("I live in Bristol.", "Where do I live?"),
        ("Greta lives in Munich.", "Where does Greta live?"),
        ("My dad lives in Dublin.", "Where does my dad live?"),
        ("My sister is 34 years old.", "How many years old is my sister?"),
        ("Biscuit is a beagle.", "What breed is Biscuit?"),
        ("Priya has a parrot called Mango.", "What's Priya's parrot's name?"),
        ("Omar\u2019s wife is called Lina.", "What's Omar's wife's name?"),
        ("Ben Hall: I live in Bristol.", "Where does Ben Hall live?"),
        ("I'm allergic to strawberries.", "What am I allergic to?"),
        ("We have a cat named Pepper.", "What is my cat called?"),
    ],
)
def test_a_sentence_is_asked_for_what_it_says(sentence, question):
    [first, *more] = everyday_topics().of(sentence).items()
    assert first[0] == question
    assert all(0 < share <= first[1] for _, share in more)


@pytest.mark.parametrize(
    "sentence",
    [
        "I was born in Leeds.",
        "I moved to Bristol.",
        "My bike is red.",
        "My boss is called Mr. Hall.",
    ],
)
def test_a_question_with_words_of_its_own_is_not_asked(sentence):
    """Such as "What sign was I born under?" for a town."""
    words = content_words(sentence) | {"remember", "know", "what"}
    for question in EVERYDAY.topics(sentence, "Ana"):
        assert content_words(question) <= words


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("My locker is number 12.", "What is my locker?"),
        ("My boss is called Mr. Hall.", "What is my boss called?"),
        ("My meeting is on Friday.", ""),
        ("My wife Clara is a translator.", ""),
    ],
)
def test_a_sentence_is_asked_in_its_own_words(sentence, question):
    assert "".join(plain_question(sentence)) == question


def test_what_a_sentence_says_nothing_of_is_not_asked():
    topics = everyday_topics()
    assert topics.of("Bzzt.") == {}
    every = list(topics.of(""))
    assert len(every) > 200
    assert not [question for question in every if re.search(r"[{}\x01]|  |\bam my\b", question)]


def test_the_list_of_a_memory_without_keys(nano, talk):
    session = ChatSession(MemoryModel.from_shipped("nano-recent", nano), "Ana")
    for line in ("I adopted a cat called Miro.", "I live in Cedar-Bay."):
        session.take(line)
    listed = session.take("/list").text
    assert "Miro" in listed
    assert "Cedar-Bay" in listed


def test_forgetting_by_number_and_by_words(chat):
    assert chat.take("/forget 2").text.startswith(
        "forgot turn 2, 'I live in Cedar-Bay.'; the turns after it"
    )
    assert chat.take("Where do I live?").text == UNTOLD
    assert chat.take("what's my cat called").text == "Miro"
    assert "turn 2, 'My brother is Hugo.'" in chat.take("/forget my BROTHER is Hugo").text
    assert chat.bank.turns_written == [2]
    for wrong in ("3", "0", "99999999999", "I never said this", ""):
        with pytest.raises(InputError):
            chat.take(f"/forget {wrong}")
    assert chat.bank.turns_written == [2]
    assert chat.said == {0: "I adopted a cat called Miro.", 1: "Hugo works for Falcon-Studio."}
    assert chat.ledger.texts == list(chat.said.values())


def test_forgetting_a_correction_brings_the_old_fact_back(chat):
    chat.take("Correction: I live in Amber-Hill.")
    assert chat.take("/forget 5").note == "to 'Where does Ana live?' I say 'Cedar-Bay' now"
    assert chat.take("Where do I live?").text == "Cedar-Bay"
    assert chat.take("/forget 2").note == ""


def test_a_plain_request_to_forget_works_where_one_turn_is_meant(chat):
    forgot = chat.take("Please forget what I said about my brother.").text
    assert forgot.startswith("forgot turn 3, 'My brother is Hugo.'")
    assert chat.take("Who is my brother?").text == UNTOLD
    assert (
        "forgot turn 3, 'Hugo works" in chat.take("forget that Hugo works for Falcon-Studio").text
    )
    assert chat.bank.turns_written == [2]


def test_of_an_earlier_chat_no_words_are_known(chat, keyed, tmp_path):
    commands.save_at(chat, tmp_path / "bank.safetensors")
    later = ChatSession(keyed, chat.name)
    commands.load_at(later, tmp_path / "bank.safetensors")
    for session, said in ((chat, False), (later, True)):
        reply = session.take("forget what I said about my address").text
        assert reply.startswith("no turn of this chat has the words 'my address'")
        assert ("the words of an earlier one are not kept" in reply) == said
    assert later.bank.turns_written == [4]


def test_a_request_that_could_mean_several_turns_or_none_names_the_command(chat):
    both = chat.take("forget about Hugo")
    assert both.text == (
        "which one? /forget 4 for 'Hugo works for Falcon-Studio.', /forget 3 for 'My brother is Hugo.'"
    )
    for line in ("forget everything", "forget my address", "forget about me"):
        reply = chat.take(line)
        assert reply.kind == "notice"
        assert "/forget N" in reply.text
    assert chat.bank.turns_written == [4]


def test_forget_that_means_what_was_just_said(chat):
    chat.take("I lost a red-scarf.")
    assert chat.take("Sorry, forget that.").text == "forgot turn 5, 'I lost a red-scarf.'"
    assert "/forget N" in chat.take("forget that").text  # not one turn further back
    chat.take("I lost a red-scarf.")
    chat.take("What did I lose?")
    assert "/forget N" in chat.take("forget that").text  # it may mean the answer
    assert chat.bank.turns_written == [5]


def test_what_else_a_line_says_is_told(chat):
    reply = chat.take("I live in Amber-Hill. Forget what I said about my brother.")
    assert reply.text.startswith("forgot turn 3")
    assert "kept, turn 4" in reply.note
    assert chat.take("Where do I live?").text == "Amber-Hill"


def test_a_withdrawal_that_replaces_nothing_says_how_to_forget(chat):
    reply = chat.take("I don't have a cat any more.")
    if "replaces" not in reply.text:
        assert reply.note == "if that has ended: /forget 1 for 'I adopted a cat called Miro.'"
    assert "/forget" not in chat.take("I no longer play chess.").note


# ---- what was withheld


WITHHELD = {
    None: UNTOLD,  # an answer that is "unknown" of its own accord
    "far": UNTOLD,
    "doubted": UNSURE,
}


@pytest.mark.parametrize("withheld", WITHHELD)
@pytest.mark.parametrize("text", ["unknown", "", "Rex"])
def test_what_is_withheld_and_what_was_never_told(chat, monkeypatch, withheld, text):
    """Also where the decoder makes something up in spite of it."""
    answer = Answer(text, 0.9, 0.7, withheld)
    monkeypatch.setattr(chat.model, "answer", lambda *args, **options: answer)
    reply = chat.take("What is my dog called?")
    told = withheld is None and text == "Rex"
    assert reply.text == ("Rex" if told else WITHHELD[withheld])
    assert ("/why" in reply.note) == (withheld == "doubted")


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What is my brother's job?", UNSURE),  # "My brother is Hugo."
        ("What is my favourite song?", UNTOLD),
        ("Does anybody work here?", UNSURE),  # "Hugo works for Falcon-Studio."
    ],
)
def test_what_somebody_spoke_of_was_not_left_untold(chat, monkeypatch, question, words):
    """Even where nothing was kept of it: "You haven't told me." would be wrong."""
    answer = Answer("unknown", 0.9, 0.7, "far")
    monkeypatch.setattr(chat.model, "answer", lambda *args, **options: answer)
    assert chat.take(question).text == words


@pytest.fixture(scope="module")
def spans():
    return MemoryModel.from_shipped("mini-spans")


def test_why_names_the_row_that_was_withheld(spans):
    shy = ChatSession(spans, "Ana", threshold=1.0)
    bold = spans.variant(read={"threshold": 2.0})
    shy.take("I adopted a dog called Rex.")
    assert not shy.bank.empty
    assert shy.take("What is my dog called?").text == UNSURE
    why, nearest, *more = shy.take("/why").text.splitlines()
    said = bold.answer(shy.bank, "Ana: What is my dog called?")
    assert said != "unknown"
    assert nearest == f"nearest: turn 1, 'I adopted a dog called Rex.', would say {said!r}"
    assert not more
    assert "no answer to 'Ana: What is my dog called?'" in why
    assert "say nothing below 100%" in why or "nothing that is kept is like" in why
    for jargon in ("doubt", "limit", "bits", "row"):
        assert jargon not in why
    [line] = shy.take("/list").text.splitlines()
    assert line.startswith("turn 1, 'I adopted a dog called Rex.': ")
    assert line.endswith(f"{UNSURE} (kept 'Rex')")


@pytest.mark.parametrize(
    ("sure", "shown"), [(LEAST - 0.01, UNSURE), (LEAST + 0.01, "Wolver tummyton")]
)
def test_a_value_that_is_spelled_by_chance_is_withheld(spans, monkeypatch, sure, shown):
    chat = ChatSession(spans, "Ana")
    assert chat.threshold == LEAST
    assert ChatSession(spans, "Ana", threshold=0).threshold == 0
    chat.take("I live in Wolverhampton.")
    answer = Answer("Wolver tummyton", sure, 0.1, None)
    monkeypatch.setattr(chat.model, "answer", lambda *args, **options: answer)
    reply = chat.take("Where do I live?")
    assert reply.text == shown
    assert ("/why" in reply.note) == (shown == UNSURE)
    why = chat.take("/why").text
    turn, words = re.findall(r"(\d+)% (?:that its turn|for the copy)", why)
    assert (turn, words) == ("90", f"{sure / 0.9:.0%}"[:-1])
    assert ("say nothing below" in why) == (shown == UNSURE)


def test_why_of_an_empty_bank(spans):
    chat = ChatSession(spans, "Ana")
    assert chat.take("What is my dog called?").text == UNTOLD
    why = chat.take("/why").text
    assert why == "no answer to 'Ana: What is my dog called?': nothing is kept yet"


def test_without_a_ledger_why_and_forget_need_one(chat, tmp_path):
    chat.take(f"/save {tmp_path / 'bank'}")
    chat.take(f"/load {tmp_path / 'bank'}")
    assert chat.take("Where do I live?").text == "Cedar-Bay"
    why = chat.take("/why").text
    assert "% sure" in why
    assert "needs the ledger" in why
    for words in ("2", "I live in Cedar-Bay."):
        with pytest.raises(BankError, match="needs the ledger"):
            chat.take(f"/forget {words}")
    chat.take("I lost a red-scarf.")
    chat.take("What did I lose?")
    assert "from turn 5, 'I lost a red-scarf.'" in chat.take("/why").text
    chat.take("Where do I live?")
    assert "needs the ledger" in chat.take("/why").text
    assert "forgot turn 5" in chat.take("/forget 5").text


def test_the_ledger_is_saved_on_request_and_works_tomorrow(chat, keyed, tmp_path):
    file, ledger = tmp_path / "bank", tmp_path / "bank.ledger"
    assert "/save FILE --ledger keeps their words" in chat.take(f"/save {file}").note
    assert not ledger.exists()
    assert not chat.take(f"/save {file} --ledger").note
    assert stat.S_IMODE(ledger.stat().st_mode) == 0o600
    later = ChatSession(keyed, "Ana")
    assert "4 turns and their ledger" in later.take(f"/load {file}").text
    later.take("Where do I live?")
    assert "from turn 2, 'I live in Cedar-Bay.'" in later.take("/why").text
    assert later.said == chat.said
    assert "turn 3, 'My brother is Hugo.'" in later.take("/list").text
    assert "forgot turn 2, 'I live" in later.take("/forget what I said about Cedar-Bay").text
    assert later.take("Where do I live?").text == UNTOLD
    later.take("/save")
    assert len(Ledger.load(ledger)) == 3  # both files follow


def test_a_ledger_without_words_still_works(chat, keyed, tmp_path):
    """As version 0.2 saved it."""
    chat.take(f"/save {tmp_path / 'bank'} --ledger")
    chat.ledger.texts = [""] * 4
    chat.ledger.save(tmp_path / "bank.ledger")
    later = ChatSession(keyed, "Ana")
    later.take(f"/load {tmp_path / 'bank'}")
    later.take("Where do I live?")
    assert later.take("/why").text.endswith("from turn 2")
    assert re.search(r"^turn 2: .*\? Cedar-Bay$", later.take("/list").text, re.M)
    assert "forgot turn 2" in later.take("/forget I live in Cedar-Bay").text
    later.take("I lost a red-scarf.")
    assert later.said == {3: "I lost a red-scarf."}


def test_a_ledger_of_another_bank_is_not_used(chat, keyed, tmp_path):
    chat.take(f"/save {tmp_path / 'bank'} --ledger")
    chat.take("I lost a red-scarf.")
    chat.bank.save(tmp_path / "bank")
    later = ChatSession(keyed, "Ana")
    reply = later.take(f"/load {tmp_path / 'bank'}")
    assert reply.text == "loaded, 5 turns"
    assert "ledger next to it is not used" in reply.note


@pytest.mark.parametrize("name", ["Mehmet", "Maria Garcia", "José", "李", "a.b*"])
def test_any_name_will_do(keyed, name):
    session = ChatSession(keyed, name)
    for line in ("I adopted a cat called Miro.", "My brother is Hugo."):
        session.take(line)
    assert session.take("what's my cat called").text == "Miro"
    assert session.take(f"Who is {name}'s brother?").text == "Hugo"
    assert f"cannot read the name {name}" in " ".join(session.introduction())
    assert name in session.take("/why").text
    session.ledger.texts = [""] * 2  # then a fact is named by its question
    assert name in session.take("/list").text


def test_names_that_cannot_be_used(keyed):
    for name in ("", " ", "a: b", "x" * 41, "\ud800"):
        with pytest.raises(InputError):
            ChatSession(keyed, name)


def test_a_chat_is_imported(keyed, tmp_path):
    file = tmp_path / "chat.txt"
    file.write_text(
        "13/05/23, 21:15 - Ben: I live in Cedar-Bay.\n13/05/23, 21:16 - Ana: <Media omitted>\n"
    )
    session = ChatSession(keyed, "Ana")
    reply = session.take(f'/import "{file}"')
    assert reply.text == "wrote 1 turn of Ben after turn 0"
    assert "1 media" in reply.note
    assert session.take("Where does Ben live?").text == "Cedar-Bay"
    assert "Ben: I live in Cedar-Bay." in session.take("/why").text


# ---- files


@pytest.fixture
def model(tiny):
    return MemoryModel(tiny, "recent")


@pytest.fixture
def console():
    return Console(record=True, width=200, file=io.StringIO())


def talk_to(model, console, *lines, end="/quit", name="Ana", **options):
    """The bank at the end of these lines, and what was printed."""
    rest = iter(lines)

    def read(prompt):
        line = next(rest, end)
        if isinstance(line, BaseException):
            raise line
        return line

    return terminal.chat(model, None, name, read, console, **options), console.export_text()


@pytest.mark.parametrize(
    "name", ["~/x.bank", '"~/x.bank"', "'~/x.bank'", '"my bank"', "~nobody-here/x"]
)
def test_a_files_name_is_read_as_a_shell_does(model, console, tmp_path, monkeypatch, name):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    _, text = talk_to(
        model, console, "I live in Cedar-Bay.", f"/save {name}", "/new", f"/load {name}"
    )
    if "nobody" in name:
        assert text.count("expected the name of a file") == 2
    else:
        assert "loaded, 1 turn" in text
        assert [p.name for p in tmp_path.iterdir()] == ["my bank" if "my" in name else "x.bank"]


@pytest.mark.parametrize("answer", ["yes", "y", "Yes.", "no", "n", "Hello there."])
def test_an_existing_file_is_asked_about(model, console, tmp_path, answer):
    file = tmp_path / "diary"
    file.write_text("mine")
    end, text = talk_to(model, console, "I live in Cedar-Bay.", f"/save {file}", answer)
    assert f"{file} exists. Replace it?" in text
    if answer.lower().startswith("y"):
        assert Bank.load(file).turns_written == [1]
    else:
        assert file.read_text() == "mine"
    assert end.turns_written == [2 if "Hello" in answer else 1]


def test_this_chats_own_file_is_not_asked_about(model, console, tmp_path):
    file = tmp_path / "x"
    _, text = talk_to(
        model,
        console,
        "One.",
        f"/save {file}",
        "Two.",
        f"/save {file}",
        "Three.",
        "/save",
        "/save! " + str(file),
    )
    assert "Replace" not in text
    assert Bank.load(file).turns_written == [3]


def test_a_full_disk_costs_no_bank(model, console, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lmem.memory.bank.save_file", full)
    monkeypatch.setattr("lmem.memory.bank.save", full)
    end, text = talk_to(
        model,
        console,
        "I live in Cedar-Bay.",
        f"/save {tmp_path / 'x'}",
        "Hello.",
        recovery=Recovery(tmp_path / "state"),
    )
    assert end.turns_written == [2]
    assert text.count("No space left on device") == 2  # the save, and once the recovery file
    assert [p.name for p in tmp_path.rglob("*")] == ["state"]


@pytest.mark.parametrize(
    "odd",
    [
        "\udcff",
        "hello \ud83d",
        "\udcff?",
        "/save \udcff",
        "/load \0",
        "\u200e",
        "/forget \udcff",
        "/list \udcff",
        "/import \0",
    ],
)
def test_odd_characters_cost_no_bank(model, console, tmp_path, monkeypatch, odd):
    monkeypatch.chdir(tmp_path)
    end, text = talk_to(model, console, "I live in Cedar-Bay.", odd, "Hello.")
    assert end.turns_written == [2]
    assert "expected" in text or "saved" in text


def test_bytes_that_are_not_utf8_cost_no_bank(model, console, monkeypatch):
    lines = b"I live in Cedar-Bay.\nI was at the caf\xe9.\nHello.\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines), "utf-8"))
    end = terminal.chat(model, name="Ana", console=console)
    assert end.turns_written == [2]
    assert "half a character" in console.export_text()


def test_a_decoder_that_fails_costs_no_bank(model, console):
    lines = iter(["Hello.", None])

    def read(prompt):
        line = next(lines, "/quit")
        return line if line else b"\xff".decode()

    assert terminal.chat(model, read=read, console=console).turns_written == [1]


def test_a_refused_line_changes_nothing(model):
    session = ChatSession(model)
    with pytest.raises(InputError):
        session.take("\ud800")
    assert session.bank.empty
    assert not session.said


LINE = st.text(max_size=30) | st.builds(
    "{} {}".format,
    st.sampled_from(["/why", "/forget", "/new", "/bank", "/threshold", "/help", "/load", "/recover", "/import", "/x", "yes"]),
    st.text(max_size=12) | st.integers(-3, 9).map(str),
)  # fmt: skip


@given(st.lists(LINE, max_size=8))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_lines_lead_to_a_reply_or_a_sentence(model, tmp_path_factory, lines):
    """And bank, ledger and texts always belong together."""
    session = ChatSession(model)
    for line in lines:
        before = session.bank
        try:
            reply = session.take(line)
        except LmemError:
            assert session.bank is before
        else:
            assert reply.text
        session.ledger.check(session.bank)
        assert all(0 <= turn < session.bank.turns_written[0] for turn in session.said)


# ---- what is not saved is not lost


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


def test_a_recovery_file_follows_every_turn(model, console, state):
    def ends(error):
        return talk_to(model, console, "One.", "Two.", "Three.", error, recovery=Recovery(state))

    for error in (EOFError(), KeyboardInterrupt()):
        _, text = ends(error)
        assert "/recover" in text
    files = list(state.iterdir())
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * len(files)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert Bank.load(files[0]).turns_written == [3]


def test_it_is_deleted_by_save_and_by_quit(model, console, state, tmp_path):
    talk_to(model, console, "One.", recovery=Recovery(state))
    assert list(state.iterdir()) == []
    talk_to(model, console, "One.", f"/save {tmp_path / 'x'}", EOFError(), recovery=Recovery(state))
    assert list(state.iterdir()) == []
    talk_to(
        model,
        console,
        "One.",
        f"/save {tmp_path / 'y'}",
        "Two.",
        EOFError(),
        recovery=Recovery(state),
    )
    assert len(list(state.iterdir())) == 1


def test_quit_asks_once_where_something_is_not_saved(model, console, tmp_path):
    file = tmp_path / "x"
    prompts = iter(["/quit", "One.", "Two.", "/quit", "/why not", "/q", "Three.", "/quit", f"/save {file}", "/quit"])  # fmt: skip
    terminal.converse(ChatSession(model), lambda prompt: next(prompts), console)
    assert console.export_text() == ""
    terminal.converse(ChatSession(model), lambda prompt: next(prompts), console)
    assert "Not saved: 2 turns. /save FILE, or /quit again." in console.export_text()
    session = ChatSession(model)
    terminal.converse(session, lambda prompt: next(prompts), console)
    text = console.export_text()
    assert "Not saved: 1 turn. /save FILE, or /quit again." in text
    assert text.count("Not saved") == 1
    assert next(prompts, None) is None
    lines = iter(["One.", "/new", "/quit", "/quit"])
    terminal.converse(ChatSession(model), lambda prompt: next(lines), console)
    assert "Not saved: the chat that /recover goes back to" in console.export_text()
    lines = iter(["One.", "Two.", f"/save! {file}", "Three.", "/forget 1", "/quit", "/quit"])
    terminal.converse(ChatSession(model), lambda prompt: next(lines), console)
    assert "Not saved: 1 turn, 1 taken back." in console.export_text()


def test_without_a_recovery_file_the_end_of_the_input_says_what_is_lost(model, console):
    _, text = talk_to(model, console, "One.", "Two.", EOFError())
    assert "Not saved: 2 turns" in text
    assert "/recover" not in text


def test_recover_goes_on_with_it(model, console, state):
    talk_to(model, console, "One.", "Two.", EOFError(), recovery=Recovery(state))
    later = Recovery(state)
    later.stamp = "9-9-9"
    end, text = talk_to(model, console, "/recover", "Three.", EOFError(), recovery=later)
    assert "ended without saving" in text
    assert end.turns_written == [3]
    assert [file.name for file in state.iterdir()] == ["chat-ana-9-9-9.safetensors"]


def test_nobody_gets_the_files_of_another(model, console, state, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    talk_to(model, console, "One.", EOFError(), recovery=Recovery(state), name="Ana")
    _, text = talk_to(model, console, "/recover", recovery=Recovery(state), name="Ana Maria")
    assert "ended without saving" not in text
    assert "expected a chat of Ana Maria that was not saved" in text
    talk_to(model, console, "One.", "/save", name="Ana")
    assert (tmp_path / "ana.safetensors").is_file()
    end, text = talk_to(model, console, "/load", name="Ana Maria")
    assert "ana-maria.safetensors" in text
    assert end.empty
    end, _ = talk_to(model, console, "/load", name="Ana")
    assert end.turns_written == [1]


def test_recover_goes_back_after_new_and_load(chat, tmp_path):
    chat.take(f"/save {tmp_path / 'bank'}")
    chat.take("I lost a red-scarf.")
    assert "/recover" in chat.take("/new").text
    assert chat.bank.empty
    assert "back at 5 turns" in chat.take("/recover").text
    assert chat.take("What did I lose?").text == "red-scarf"
    assert "from turn 5, 'I lost a red-scarf.'" in chat.take("/why").text
    chat.take(f"/load {tmp_path / 'bank'}")
    chat.take("/recover")
    assert chat.take("What did I lose?").text == "red-scarf"
    with pytest.raises(InputError, match="there is none"):
        chat.take("/recover")


@pytest.mark.parametrize("after", [["/load other"], ["/new"], ["/new", "Three.", "/save mine"]])
def test_what_was_put_aside_is_there_in_the_next_chat(
    model, console, state, tmp_path, monkeypatch, after
):
    monkeypatch.chdir(tmp_path)
    talk_to(model, console, "Hello.", "/save other")
    lines = ["One.", "Two.", *after, "/save! other", EOFError()]
    talk_to(model, console, *lines, recovery=Recovery(state))
    end, text = talk_to(model, console, "/recover", recovery=Recovery(state))
    assert "ended without saving" in text
    assert end.turns_written == [2]
    assert list(state.iterdir()) == []  # after a clean /quit


def test_recover_loses_nothing_either(chat):
    chat.take("I lost a red-scarf.")
    chat.take("/new")
    chat.take("I live in Cedar-Bay.")
    assert "back at 5 turns" in chat.take("/recover").text
    assert "back at 1 turn," in chat.take("/recover").text
    assert chat.bank.turns_written == [1]


def test_a_bank_with_nothing_in_it_answers_nothing(model):
    session = ChatSession(model)
    assert session.take("Who is Anna dating?").text == UNTOLD


def test_old_recovery_files_do_not_pile_up(model, state):
    for i in range(KEPT + 4):
        recovery = Recovery(state)
        recovery.stamp = f"{i}-0-0"
        recovery.save(model.new_bank(), "Ana")
        os.utime(recovery.path, (i, i))
    assert len(list(state.iterdir())) == KEPT + 1


def test_a_state_folder_that_cannot_be_written_stops_no_chat(model, console, tmp_path):
    (tmp_path / "file").write_text("")
    end, text = talk_to(
        model, console, "One.", "Two.", recovery=Recovery(tmp_path / "file" / "state")
    )
    assert end.turns_written == [2]
    assert text.count("no recovery file from here on") == 1


def test_ctrl_c_while_it_thinks_changes_nothing(model, console, monkeypatch):
    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    session = ChatSession(model)
    session.take("One.")
    bank, ledger = session.bank, session.ledger
    monkeypatch.setattr(MemoryModel, "write_latents", stopped)
    lines = iter(["Two.", "/quit", "/quit"])
    terminal.converse(session, lambda prompt: next(lines), console)
    assert "nothing was changed" in console.export_text()
    assert session.bank is bank
    assert session.ledger is ledger
    assert len(ledger) == 1


# ---- in a terminal


class Terminal:
    """A pseudo-terminal with `lmem chat` in it."""

    def __init__(self, tmp_path, *arguments):
        self.master, slave = pty.openpty()
        home = {
            "HOME": str(tmp_path),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "TERM": "dumb",
            "COLUMNS": "200",
        }
        command = [sys.executable, "-m", "lmem", "chat", *arguments]
        self.run = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=tmp_path,
            env={**os.environ, **home},
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # nohup ignores it
        )
        os.close(slave)
        self.seen = ""

    def expect(self, text):
        """Read until a text comes; what came since the last one."""
        end = time.monotonic() + 300
        while text not in self.seen and time.monotonic() < end:
            try:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
            except OSError:  # the other end is closed
                break
        assert text in self.seen, self.seen
        before, _, self.seen = self.seen.partition(text)
        return before

    def say(self, line):
        os.write(self.master, line.encode() + b"\n")

    def close(self):
        self.run.kill()
        self.run.wait()


@pytest.mark.slow
def test_in_a_real_terminal(tmp_path):
    """Asked for a name once; the terminal is closed; the next chat brings the bank back."""
    screen = Terminal(tmp_path, "--adapter", "nano-keyed")
    try:
        screen.expect("Your name [Ana]: ")
        screen.say("Mehmet")
        assert "in the bank you are Piet" in screen.expect("Mehmet: ")
        screen.say("I live in Cedar-Bay.")
        assert "kept, turn 1" in screen.expect("Mehmet: ")
        os.kill(screen.run.pid, signal.SIGHUP)
        assert screen.run.wait(60) == -signal.SIGHUP
    finally:
        screen.close()
    [left] = (tmp_path / "state" / "lmem").iterdir()
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    screen = Terminal(tmp_path, "--adapter", "nano-keyed", "--name", "Mehmet")
    try:
        assert "/recover" in screen.expect("Mehmet: ")
        screen.say("/recover")
        screen.expect("Mehmet: ")
        screen.say("where do I live")
        assert "lmem: Cedar-Bay" in screen.expect("Mehmet: ")
        os.write(screen.master, b"caf\xe9\n")
        assert "half a character" in screen.expect("Mehmet: ")
        screen.say("/quit")
        assert "Not saved: 1 turn." in screen.expect("Mehmet: ")
        screen.say("/quit")
        assert screen.run.wait(60) == 0
    finally:
        screen.close()
    assert list((tmp_path / "state" / "lmem").iterdir()) == []


def test_the_state_folder_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert state_folder() == tmp_path / "lmem"
    assert Recovery().folder == state_folder()


def test_the_command_refuses_before_it_loads(capsys):
    from helpers import lmem

    for options in (
        ("--threshold", "200"),
        ("--threshold", "nan"),
        ("--name", "a: b"),
        ("--name", " "),
    ):
        code, out, err = lmem(capsys, "chat", *options)
        assert (code, out) == (2, "")
        assert err.startswith("lmem: expected")
