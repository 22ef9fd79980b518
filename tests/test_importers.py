"""Exports of chat programs: what is read, what is dropped and counted, what is refused by name. All fixtures are made up."""

import csv
import io
import json
import stat
import time
import zipfile
from datetime import date

import pytest
from helpers import lmem, outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmem.data import locomo
from lmem.data.importers.base import LONGEST
from lmem.data.importers.dates import read_dates
from lmem.data.importers.formats import CHOICES, import_file, save_samples
from lmem.errors import DataError, InputError, LmemError


def turns(samples):
    """(speaker, text) of every turn, oldest first."""
    return [(t.speaker, t.text) for c in locomo.parse(samples) for t in c.turns]


def dates(samples):
    return [s.date for c in locomo.parse(samples) for s in c.sessions]


@pytest.fixture
def file(tmp_path):
    def write(content, name="export.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = json.dumps(content) if not isinstance(content, str | bytes) else content
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


# ---- WhatsApp


ANDROID = """\
08/05/2023, 21:15 - Messages and calls are end-to-end encrypted. No one outside of this chat can read them.
08/05/2023, 21:15 - Ana: I adopted a cat.
It is called Miro: a ginger one.

Look!
08/05/2023, 21:16 - Ben: <Media omitted>
08/05/2023, 21:17 - Ben: IMG-20230508-WA0001.jpg (file attached)
Here he sleeps
08/05/2023, 21:18 - Ben changed the subject from "Cats: all" to "Dogs: all"
08/05/2023, 21:19 - Ana: This message was deleted
08/05/2023, 21:20 - Ana: Missed voice call
13/05/2023, 00:01 - Ben: I live in Paris <This message was edited>
"""
WORDS = [
    ("Ana", "I adopted a cat. It is called Miro: a ginger one. Look!"),
    ("Ben", "Here he sleeps"),
    ("Ben", "I live in Paris"),
]


def test_android(file):
    samples, report = import_file(file(ANDROID, "WhatsApp Chat with Ben.txt"))
    assert turns(samples) == WORDS
    assert dates(samples) == ["8 May, 2023", "13 May, 2023"]
    [talk] = locomo.parse(samples)
    assert (talk.id, set(talk.speakers)) == ("Ben", {"Ana", "Ben"})
    assert report.form == "whatsapp"
    assert report.dropped == {
        "notices of WhatsApp": 2,
        "media and notices without words": 1,
        "deleted messages": 1,
        "calls": 1,
    }
    assert report.speakers == {"Ben": 2, "Ana": 1}
    assert report.days == (date(2023, 5, 8), date(2023, 5, 13))
    assert talk.texts()[2] == "context: 13 May, 2023, Ben: I live in Paris"


IPHONE = """\
\ufeff[08.05.23, 9:15:32\u202fPM] Trip: \u200eMessages and calls are end-to-end encrypted.
[08.05.23, 9:15:40\u202fPM] Ana: I adopted a cat.\r
It is called Miro: a ginger one.\r
\r
Look!\r
\u200e[08.05.23, 9:15:45\u202fPM] ~\u202fBen: \u200eimage omitted
\u200e[08.05.23, 9:16:00\u202fPM] ~\u202fBen: Here he sleeps \u200e<attached: 00000012-PHOTO.jpg>
[08.05.23, 9:17:00\u202fPM] Ana: \u200eAna added \u2068Cleo\u2069
[13.05.23, 12:01:00\u202fAM] ~\u202fBen: I live in Paris \u200e<This message was edited>
"""


def test_iphone(file):
    samples, report = import_file(file(IPHONE))
    assert turns(samples) == WORDS
    assert dates(samples) == ["8 May, 2023", "13 May, 2023"]
    assert report.dropped == {"media and notices without words": 3}


@pytest.mark.parametrize(
    "head",
    [
        "08/05/2023, 21:15 - ", "8/5/23 21:15 - ", "08/05/2023, 9:15 pm - ", "08/05/2023, 9:15\u202fPM - ",
        "08/05/2023, 9:15\xa0p.\xa0m. - ", "08.05.23, 21:15 - ", "2023-05-08, 21:15 - ", "2023. 05. 08. 21:15 - ",
        "08-05-2023 21:15 - ", "[08/05/2023, 21:15:01] ", "[2023/05/08, 21:15:01] ", "[08.05.23, 21:15:01] ",
        "\u200e[8/5/23, 9:15:01\u202fPM] ", "[08/05/23 21.15.01] ", "\u200f\u0668/\u0665/\u0662\u0660\u0662\u0663, \u0669:\u0661\u0665 \u0645 - ",
    ],
)  # fmt: skip
def test_forms_of_date_and_time(file, head):
    samples, _ = import_file(
        file(f"{head}Ana: I live in Paris.\n"), order=None if "2023" in head[:5] else "dmy"
    )
    assert turns(samples) == [("Ana", "I live in Paris.")]
    assert dates(samples) == ["8 May, 2023"]


def lines(*days):
    return "".join(f"{day}, 21:15 - Ana: Hello {i}.\n" for i, day in enumerate(days))


@pytest.mark.parametrize(
    ("days", "first"),
    [
        (["05/08/23", "13/08/23"], "5 August, 2023"),  # there is no month 13
        (["05/08/23", "05/13/23"], "8 May, 2023"),
        (["04/05/23", "03/06/23"], "4 May, 2023"),  # month first it would run backwards
        (["04/05/23", "06/03/23"], "5 April, 2023"),
        (["05/05/23"], "5 May, 2023"),  # the same in both
        (["04.05.23"], "4 May, 2023"),  # dots: day first
        (["23/05/08"], "8 May, 2023"),
    ],
)
def test_the_whole_file_decides_the_order_of_day_and_month(file, days, first):
    samples, _ = import_file(file(lines(*days)))
    assert dates(samples)[0] == first


def test_an_undecidable_order_is_refused_with_the_option(file, tmp_path, capsys):
    path = file(lines("05/06/23", "05/06/23", "06/07/23"))
    with pytest.raises(DataError, match=r"05/06/23.*--dates dmy or --dates mdy"):
        import_file(path)
    assert dates(import_file(path, order="mdy")[0]) == ["6 May, 2023", "7 June, 2023"]
    out = tmp_path / "chat.json"
    assert lmem(capsys, "data", "import", path, "--out", out)[0] == 2
    assert not out.exists()
    code, text, _ = lmem(capsys, "data", "import", path, "--out", out, "--dates", "dmy")
    assert code == 0
    assert "day, month, year" in text
    with pytest.raises(DataError, match="none"):
        import_file(file(lines("31/31/23")))
    with pytest.raises(InputError):
        import_file(path, order="ydm")


@given(
    st.lists(st.dates(date(2009, 1, 1), date(2025, 12, 31)), min_size=1, max_size=30),
    st.sampled_from(["%d/%m/%y", "%m/%d/%y", "%m/%d/%Y", "%Y-%m-%d", "%d.%m.%y"]),
)
@settings(max_examples=200, deadline=None)
def test_an_order_is_right_or_refused(days, form):
    """Dates in order, written in either way: they are read as they were meant, or not at all."""
    days = sorted(days)
    written = [day.strftime(form) for day in days]
    found = outcome(lambda: read_dates(written, None, "a file")[0])
    if isinstance(found, DataError):
        assert "--dates" in str(found)
        assert "/" in form
    else:
        assert found == days


def test_groups_keep_all_speakers(file):
    names = ["Ana", "Ben", "Cleo", "+49 170 1234567"]
    text = "".join(f"13/05/23, 21:15 - {name}: Hello from {i}.\n" for i, name in enumerate(names))
    samples, report = import_file(file(text))
    assert set(locomo.parse(samples)[0].speakers) == set(names)
    assert not locomo.parse(samples).report.problems
    assert set(report.speakers) == set(names)


def archive(path, members):
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in members.items():
            packed.writestr(name, text)
    return path


def test_archives(tmp_path):
    path = archive(
        tmp_path / "WhatsApp Chat - Ben.zip",
        {
            "_chat.txt": ANDROID,
            "notes.txt": "an attachment",
            "photo.jpg": b"\xff\xd8",
            "__MACOSX/_chat.txt": "x",
        },
    )
    samples, _ = import_file(path)
    assert turns(samples) == WORDS
    assert samples[0]["sample_id"] == "Ben"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError):
        import_file(path)
    with pytest.raises(DataError, match="no such file"):
        import_file(archive(tmp_path / "empty.zip", {"photo.jpg": "x"}))
    assert not (tmp_path / "_chat.txt").exists()


def test_an_encrypted_archive_is_refused(tmp_path):
    path = archive(tmp_path / "a.zip", {"_chat.txt": ANDROID})
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="password"):
        import_file(path)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings(file, encoding):
    text = "13/05/23, 21:15 - Zoë: I live in Köln.\n13/05/23, 21:16 - Zoë: Ça va ?\n"
    samples, report = import_file(file(text.encode(encoding)))
    assert turns(samples) == [("Zoë", "I live in Köln."), ("Zoë", "Ça va ?")]
    assert any("Windows-1252" in note for note in report.notes) == (encoding == "cp1252")


def test_odd_bytes_are_counted(file):
    text = (
        "13/05/23, 21:15 - Zoë: I live in Köln.\n".encode()
        + b"13/05/23, 21:16 - Ben: caf\xe9 \xff\x00\n"
    )
    samples, report = import_file(file(text))
    assert turns(samples)[0] == ("Zoë", "I live in Köln.")
    assert any("2 odd characters" in note for note in report.notes)


def test_huge_lines_are_split_and_quick(file):
    sentence = "I live in Paris. "
    text = (
        f"13/05/23, 21:15 - Ana: {sentence * 100_000}\n13/05/23, 21:16 - Ben: {'x' * 1_000_000}\n"
    )
    begun = time.process_time()
    samples, report = import_file(file(text))
    assert time.process_time() - begun < 20
    said = turns(samples)
    assert max(len(text) for _, text in said) <= LONGEST
    assert " ".join(text for who, text in said if who == "Ana") == (sentence * 100_000).strip()
    assert "".join(text for who, text in said if who == "Ben") == "x" * 1_000_000
    assert any("split" in note for note in report.notes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "Hello there.\n",
        "\ufeff",
        '{"a": 1}',
        "[1, 2]",
        "[]",
        "null",
        "[[]]",
        '[{"b": ',
        "[" * 100_000,
    ],
)
def test_what_is_no_conversation_is_refused(file, text):
    with pytest.raises(DataError):
        import_file(file(text))
    for form in CHOICES[1:]:
        with pytest.raises(DataError):
            import_file(file(text), form)


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (
            {
                "name": "x",
                "type": "personal_chat",
                "id": 1,
                "messages": [{"from": "Ana", "text": "Hi"}],
            },
            "Telegram",
        ),
        ([{"uuid": "x", "chat_messages": []}], "Claude"),
        ({"guild": {}, "channel": {}, "messages": []}, "Discord"),
        ({"participants": [], "messages": [{"sender_name": "Ana", "content": "Hi"}]}, "Facebook"),
    ],
)
def test_other_exports_are_refused_by_name(file, record, name):
    with pytest.raises(DataError, match=name):
        import_file(file(record, "x.json"))


# ---- the forms in JSON


def node(id, parent, role, text, children=(), **more):
    content = {"content_type": "text", "parts": [text]}
    message = {"author": {"role": role}, "content": content, "create_time": 1683580000.5, **more}
    return {id: {"id": id, "parent": parent, "children": list(children), "message": message}}


@pytest.fixture
def branches():
    """A question that was edited once, so that two branches start at the first message."""
    mapping = {"root": {"id": "root", "parent": None, "children": ["s"], "message": None}}
    mapping |= node("s", "root", "system", "", ["a"])
    mapping |= node("a", "s", "user", "I live in Paris.", ["b"])
    mapping |= node("b", "a", "assistant", "Lovely.", ["old", "new"])
    mapping |= node("old", "b", "user", "Where do I life?", ["old2"])
    mapping |= node("old2", "old", "assistant", "Unclear.")
    mapping |= node("new", "b", "user", "Where do I live?", ["tool"], create_time=1683600000)
    mapping |= node("tool", "new", "tool", "searching", ["last"])
    mapping |= node("last", "tool", "assistant", "In Paris.", create_time=1683666000)
    parts = [{"content_type": "image_asset_pointer"}, "I live in Paris."]
    mapping["a"]["message"]["content"] = {"content_type": "multimodal_text", "parts": parts}
    return {"title": "Homes", "mapping": mapping, "current_node": "last"}


SHOWN = [
    ("User", "I live in Paris."),
    ("Assistant", "Lovely."),
    ("User", "Where do I live?"),
    ("Assistant", "In Paris."),
]


def test_chatgpt_follows_the_branch_that_was_shown(file, branches):
    samples, report = import_file(file([branches, branches], "conversations.json"))
    assert turns(samples) == SHOWN * 2
    assert [sample["sample_id"] for sample in samples] == ["Homes", "Homes (2)"]
    assert report.form == "openai"
    assert report.dropped == {
        "messages in other branches": 4,
        "messages of tools": 2,
        "system messages": 2,
    }
    assert dates(samples) == ["8 May, 2023", "9 May, 2023"] * 2
    branches["current_node"] = "old2"
    assert turns(import_file(file([branches]))[0])[-1] == ("Assistant", "Unclear.")


def test_chatgpt_without_a_current_node_reads_the_newest_branch(file, branches):
    del branches["current_node"]
    samples, report = import_file(file([branches]))
    assert turns(samples) == SHOWN
    assert any("Homes" in note and "newest" in note for note in report.notes)


def test_chatgpt_with_a_circle_is_refused(file, branches):
    branches["mapping"]["root"]["parent"] = "last"
    with pytest.raises(DataError, match="before itself"):
        import_file(file([branches]))


def test_the_user_gets_a_name(file, branches, tmp_path):
    path = archive(tmp_path / "export.zip", {
        "user.json": "{}", "shared_conversations.json": "[]", "message_feedback.json": "[]",
        "conversations.json": json.dumps([branches]),
    })  # fmt: skip
    samples, report = import_file(path, name="Ana")
    assert turns(samples)[0] == ("Ana", "I live in Paris.")
    assert set(locomo.parse(samples)[0].speakers) == {"Ana", "Assistant"} == set(report.speakers)


@pytest.mark.parametrize("as_lines", [False, True])
@pytest.mark.parametrize(
    ("list_name", "who", "what"),
    [("conversations", "from", "value"), ("messages", "role", "content")],
)
def test_lists_of_messages(file, as_lines, list_name, who, what):
    said = [("system", "Be kind."), ("human", "I live in Paris."), ("gpt", "Lovely."), ("gpt", " ")]
    record = {"id": "a", list_name: [{who: speaker, what: text} for speaker, text in said]}
    content = "\n".join([json.dumps(record)] * 2) if as_lines else [record, record]
    samples, report = import_file(file(content))
    assert turns(samples) == [("User", "I live in Paris."), ("Assistant", "Lovely.")] * 2
    assert report.form == "sharegpt"
    assert report.dropped == {"system messages": 2, "no words": 2}


def test_bare_messages_are_one_conversation(file):
    samples, _ = import_file(
        file([{"role": "user", "content": [{"type": "text", "text": "Hello"}]}])
    )
    assert turns(samples) == [("User", "Hello")]


def test_longmemeval(file):
    record = {
        "question_id": "q1",
        "question_type": "knowledge-update",
        "question": "Where do I live?",
        "answer": "Rome",
        "haystack_dates": ["2023/05/21 (Sun) 10:00", "2023/05/20 (Sat) 02:21"],
        "haystack_sessions": [
            [
                {"role": "user", "content": "I moved to Rome.", "has_answer": True},
                {"role": "assistant", "content": "Nice."},
            ],
            [{"role": "user", "content": "I live in Paris."}],
        ],
    }
    absent = {**record, "question_id": "q2_abs", "answer": "You did not say."}
    samples, report = import_file(file([record, absent]))
    first, second = locomo.parse(samples)
    assert [t.text for t in first.turns] == ["I live in Paris.", "I moved to Rome.", "Nice."]
    assert first.sessions[0].date == "2023/05/20 (Sat) 02:21"
    [asked] = first.questions
    assert (asked.answer, asked.evidence, asked.kind, asked.category) == (
        "Rome",
        (1,),
        "knowledge-update",
        4,
    )
    [unasked] = second.questions
    assert (unasked.answer, unasked.evidence, unasked.category) == (None, (), 5)
    assert (report.form, report.questions, report.days) == (
        "longmemeval",
        2,
        (date(2023, 5, 20), date(2023, 5, 21)),
    )


SLACK = {
    "users.json": [{"id": "U1", "name": "ana", "profile": {"display_name": "", "real_name": "Ana B."}}, {"id": "U2", "name": "ben"}],
    "channels.json": [{"name": "cats"}],
    "cats/2023-05-09.json": [{"type": "message", "user": "U2", "ts": "1683666000.1", "text": "Later &amp; last"}],
    "cats/2023-05-08.json": [
        {"type": "message", "user": "U2", "ts": "1683580010.2", "text": "See <https://x.org/a|this> and <#C1|dogs>"},
        {"type": "message", "user": "U1", "ts": "1683580000.1", "text": "Hi <@U2>, <!here>"},
        {"type": "message", "subtype": "channel_join", "user": "U1", "ts": "1683570000.1", "text": "<@U1> has joined"},
        {"type": "message", "user": "U1", "ts": "1683580001.1", "text": "", "files": [{}]},
    ],
    "plans/2023-05-08.json": [{"type": "message", "username": "bot", "subtype": "bot_message", "ts": "1683580000", "text": "Go"}],
}  # fmt: skip


@pytest.mark.parametrize("packed", [True, False])
def test_slack(tmp_path, packed):
    members = {name: json.dumps(value) for name, value in SLACK.items()}
    if packed:
        path = archive(tmp_path / "slack.zip", members)
    else:
        path = tmp_path / "slack"
        for name, text in members.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(text)
    samples, report = import_file(path)
    assert turns(samples) == [
        ("Ana B.", "Hi @ben, @here"),
        ("ben", "See this and #dogs"),
        ("ben", "Later & last"),
        ("bot", "Go"),
    ]
    assert [sample["sample_id"] for sample in samples] == ["cats", "plans"]
    assert report.dropped == {"notices of Slack": 1, "media without words": 1}
    assert dates(samples[:1]) == ["8 May, 2023", "9 May, 2023"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables(file, delimiter):
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerows([
        ["Date", "Sender", "Message", "Chat"],
        ["08.05.2023 21:15", "Ana", "I adopted a cat,\nit is called; Miro", "a"],
        ["13.05.2023 21:15", "Ben", "Hello", "b"],
        [],
        ["soon", "Ana", "Bye", "a"],
        ["14.05.2023", "", "Nobody", "a"],
        ["14.05.2023"],
    ])  # fmt: skip
    samples, report = import_file(file("\ufeff" + buffer.getvalue(), "x.csv"))
    assert turns(samples) == [
        ("Ana", "I adopted a cat, it is called; Miro"),
        ("Ana", "Bye"),
        ("Ben", "Hello"),
    ]
    assert [sample["sample_id"] for sample in samples] == ["a", "b"]
    assert report.form == "csv"
    assert report.dropped == {
        "empty rows": 1,
        "rows without a speaker": 1,
        "rows with too few columns": 1,
        "dates that cannot be read (the message is kept)": 1,
    }


@pytest.mark.parametrize(
    "day", ["2023-05-08T21:15:00Z", "1683580000", "1683580000000", "2023/05/08"]
)
def test_dates_of_tables(file, day):
    samples, report = import_file(file(f"date,name,text\n{day},Ana,Hello\n"))
    assert report.days == (date(2023, 5, 8),) * 2
    assert dates(samples) == ["8 May, 2023"]


def test_a_table_without_the_columns_is_refused(file):
    with pytest.raises(DataError, match=r"speaker, sender.*found a, b"):
        import_file(file("a,b\n1,2\n"), "csv")


def test_locomos_own_form_passes_unchanged(file, conversations, tmp_path):
    from lmem.data import tinyworld

    samples = tinyworld.samples(2, 0, tinyworld.World(turns=12))
    found, report = import_file(file(samples))
    assert found == samples
    assert (report.form, report.turns) == ("locomo", 24)


# ---- the command


def test_the_command_reports_and_writes_a_private_file(file, tmp_path, capsys):
    out = tmp_path / "chat.json"
    out.write_text("old")
    out.chmod(0o644)
    code, text, _ = lmem(capsys, "data", "import", file(ANDROID), "--out", out)
    assert code == 0
    for words in (
        "whatsapp",
        "turns",
        "Ana",
        "8 May, 2023 to 13 May, 2023",
        "deleted messages",
        "day, month, year",
    ):
        assert words in text
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    code, text, _ = lmem(capsys, "data", "import", out, "--out", tmp_path / "again.json", "--json")
    report = json.loads(text)
    assert (report["format"], report["turns"], report["speakers"]) == (
        "locomo",
        3,
        {"Ben": 2, "Ana": 1},
    )
    code, text, _ = lmem(capsys, "data", "locomo", "--path", out, "--json")
    assert json.loads(text)["problems"] == []


def test_an_imported_conversation_can_be_written(file, tiny):
    from lmem.memory.model import MemoryModel

    model = MemoryModel(tiny, "recent")
    [talk] = locomo.parse(import_file(file(ANDROID))[0])
    assert model.write(model.new_bank(), talk).turns_written == [3]


@pytest.mark.parametrize("form", ["nothing", "json", ""])
def test_an_unknown_format_is_refused(file, form):
    with pytest.raises(InputError, match="whatsapp"):
        import_file(file(ANDROID), form)


def test_a_missing_file_and_a_pipe_are_refused(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    for name in ("none", "pipe", "a\0b", "~nobody-here/x"):
        with pytest.raises(LmemError, match="expected (a file to import|the name of a file)"):
            import_file(tmp_path / name if "~" not in name else name)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["mapping", "messages", "conversations", "from", "value", "role", "content", "ts", "type", "text",
                         "haystack_sessions", "current_node", "message", "author", "parts", "conversation", "qa", "id"])
        | st.text(max_size=4),
        inner,
        max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@given(
    JSON.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=200)
    | st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")),
    st.sampled_from(CHOICES),
)
@settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_anything_is_read_or_refused(tmp_path, content, form):
    path = tmp_path / "x"
    path.write_bytes(content)
    found = outcome(lambda: import_file(path, form))
    if not isinstance(found, LmemError):
        save_samples(found[0], tmp_path / "out.json")
        assert locomo.load(tmp_path / "out.json").report.turns == found[1].turns > 0


def test_a_folder_is_not_searched_through(tmp_path):
    """Slack's export has two levels; /import / must not read a whole disk."""
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "2023-05-08.json").write_text(json.dumps(SLACK["plans/2023-05-08.json"]))
    with pytest.raises(DataError, match="no such file"):
        import_file(tmp_path)
    assert turns(import_file(deep.parent)[0]) == [("bot", "Go")]


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("lmem.data.importers.files.LARGEST", 1000)
    path = archive(tmp_path / "a.zip", {"a.txt": ANDROID[:700], "b.txt": ANDROID[:700]})
    with pytest.raises(DataError, match="at most"):
        import_file(path)
