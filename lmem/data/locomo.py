"""LoCoMo's file form, read into plain values.

    id of a turn: D session : turn       evidence: strings that hold such ids       paper, section 4

The release is not tidy: ids that name no turn, several ids in one string, answers that are numbers,
no answers. Each such thing is dealt with by one fixed rule and written into a Report; nothing is
dropped in silence. Files of tinyworld have the same form with a few keys more: `counterfactual`,
and `id`, `kind`, `subject`, `relation`, `held_out` of a question (chapter 1).
"""

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from lmem.data import locomo_release
from lmem.data.conversation import (
    CATEGORIES,
    Conversation,
    Problem,
    Question,
    Report,
    Session,
    Turn,
    lag_of,
)
from lmem.errors import DataError, InputError

EVIDENCE = ("all", "first")
PAPER_TEST = ("conv-48", "conv-49", "conv-50")

_PAIR = re.compile(r"D:?(\d+):(\d+)")
_SESSION = re.compile(r"session_(\d+)")


class Conversations(list):
    """A list of Conversation, with the `report` of its reading."""

    def __init__(self, items: Iterable[Conversation], report: Report):
        super().__init__(items)
        self.report = report


def load(
    path: str | os.PathLike | None = None, evidence: str = "all", verify: bool = False
) -> Conversations:
    """Read a file in LoCoMo's form.

    path      None: the file LMEM_LOCOMO names, else the user's cache, else the release is fetched
    evidence  "all": every id in an evidence string; those that name no turn are dropped, and a
              question left with none has no lag
              "first", the paper's rule: only the first id of each string; with none, lag T
    verify    check that it is the release; the cached release is checked always
    returns   list of Conversation, with `.report`
    raises    DataError if the file is missing, broken off, not the release, or of another form
    """
    if path is None:
        path = locomo_release.find() or locomo_release.download()
        verify = verify or path == locomo_release.cache_path()
    path = Path(path).expanduser()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"expected a LoCoMo file at {path}: {error.strerror or error}") from error
    if verify:
        locomo_release.check(content, path)
    try:
        samples = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"expected whole JSON in LoCoMo's form at {path}: {error}") from error
    return parse(samples, evidence)


def parse(samples: list[dict], evidence: str = "all") -> Conversations:
    """Read samples of LoCoMo's form that are in memory already; see `load`."""
    if evidence not in EVIDENCE:
        raise InputError(f"expected evidence to be one of {', '.join(EVIDENCE)}, not {evidence!r}")
    _expect(samples, list, "a list of samples", "the file")
    if not samples:
        raise DataError("expected a list of samples, it is empty")
    report = Report()
    found, ids = [], set()
    for i, sample in enumerate(samples):
        conversation = _sample(sample, i, evidence, report)
        if conversation.id in ids:
            raise DataError(f"expected different sample ids, {conversation.id!r} came twice")
        ids.add(conversation.id)
        found.append(conversation)
    return Conversations(found, report)


def _expect(value, kind, what, where):
    if not isinstance(value, kind):
        raise DataError(f"expected {what} in {where}, got {type(value).__name__}")
    return value


def _sample(sample, index, rule, report):
    _expect(sample, dict, "an object with sample_id, conversation and qa", f"sample {index}")
    name = sample.get("sample_id")
    if not (isinstance(name, str) and name.strip()):
        was, name = name, f"sample-{index}"
        report.problems.append(Problem("no sample id", name, None, repr(was), f"called {name}"))
    twin = None
    if sample.get("counterfactual") is not None:
        other = _expect(sample["counterfactual"], dict, "an object as counterfactual", name)
        side = Report(problems=report.problems)  # the twin's problems count, its turns do not
        twin = _conversation(other, f"{name}/twin", rule, side)
        report.twins += 1
    found = _conversation(sample, name, rule, report, twin)
    if twin and len(twin.turns) != len(found.turns):
        raise DataError(
            f"expected the counterfactual of {name} to have its {len(found.turns)} turns, "
            f"it has {len(twin.turns)}"
        )
    return found


def _conversation(sample, name, rule, report, twin=None):
    said = _expect(sample.get("conversation"), dict, "an object called conversation", name)
    asked = _expect(sample.get("qa"), list, "a list called qa", name)
    sessions, index = _sessions(said, name, report)
    turns = sum(len(session.turns) for session in sessions)
    speakers = tuple(
        s for s in (said.get("speaker_a"), said.get("speaker_b")) if isinstance(s, str)
    )
    if len(speakers) != 2:
        speakers = tuple(dict.fromkeys(turn.speaker for s in sessions for turn in s.turns))
        done = f"taken from the turns: {', '.join(speakers)}"
        report.problems.append(Problem("no speakers", name, None, "no speaker_a, speaker_b", done))
    questions, ids = [], set()
    for i, qa in enumerate(asked):
        question = _question(
            qa, f"{name.removesuffix('/twin')}/q{i}", name, index, turns, rule, report
        )
        if question is not None:
            if question.id in ids:
                raise DataError(
                    f"expected different question ids in {name}, {question.id!r} came twice"
                )
            ids.add(question.id)
            questions.append(question)
    report.conversations += 1
    report.sessions += len(sessions)
    report.turns += turns
    return Conversation(name, speakers, sessions, tuple(questions), twin)


def _sessions(said, name, report):
    """The sessions that have turns, by number; and {(session, turn) of an id: position}."""
    numbered = {}
    for key, value in said.items():
        if (match := _SESSION.fullmatch(key)) and _expect(value, list, f"a list as {key}", name):
            if int(match[1]) in numbered:
                raise DataError(
                    f"expected one session {int(match[1])} in {name}, {key} came as well"
                )
            numbered[int(match[1])] = (key, value)
    if not numbered:
        raise DataError(f"expected turns under session_1, session_2, ... in {name}, found none")
    dated = {key for key in said if re.fullmatch(r"session_\d+_date_time", key)}
    report.spare_dates += len(dated - {f"{key}_date_time" for key, _ in numbered.values()})
    sessions, index, position = [], {}, 0
    for number, (key, rows) in sorted(numbered.items()):
        date = said.get(f"{key}_date_time")
        if not (isinstance(date, str) and date.strip()):
            done = "turns rendered without a date"
            report.problems.append(Problem("no date", name, None, f"{key}: {date!r}", done))
            date = ""
        turns = []
        for n, row in enumerate(rows, 1):
            turns.append(_turn(row, number, n, name, report))
            pair = tuple(map(int, _PAIR.fullmatch(turns[-1].id).groups()))
            if pair in index:
                done = "evidence that names it means the first"
                report.problems.append(Problem("turn id twice", name, None, turns[-1].id, done))
            index.setdefault(pair, position)
            position += 1
        sessions.append(Session(number, date, tuple(turns)))
    return tuple(sessions), index


def _turn(row, session, n, name, report):
    where = f"turn {n} of session {session} of {name}"
    _expect(row, dict, "an object with speaker, dia_id and text", where)
    speaker = _expect(row.get("speaker"), str, "text as speaker", where)
    text = _expect(row.get("text"), str, "text as text", where)
    if not text.strip():
        raise DataError(f"expected words in {where}, its text is empty")
    name_of, caption = row.get("dia_id"), row.get("blip_caption")
    if not (isinstance(name_of, str) and _PAIR.fullmatch(name_of)):
        was, name_of = name_of, f"D{session}:{n}"
        report.problems.append(Problem("turn id", name, None, repr(was), f"called {name_of}"))
    if caption is not None and not isinstance(caption, str):
        report.problems.append(Problem("caption not text", name, None, repr(caption), "left out"))
        caption = None
    return Turn(name_of, speaker, text, caption or None, session)


def _question(qa, default, name, index, turns, rule, report):
    """One row of qa as a Question; None, with a problem in the report, if it asks nothing."""
    _expect(qa, dict, "an object with question, answer, evidence and category", default)
    own = qa.get("id")
    question = own if isinstance(own, str) and own else default

    def problem(kind, came, done):
        report.problems.append(Problem(kind, name, question, came, done))

    text = qa.get("question")
    if not (isinstance(text, str) and text.strip()):
        problem("no question", repr(text), "left out")
        return None
    category = qa.get("category")
    if type(category) is not int or category not in CATEGORIES:
        problem("unknown category", repr(category), "kept as category 0")
        category = 0
    kind = qa.get("kind")
    generated = isinstance(kind, str)  # then a missing answer or evidence is meant so
    answer = _answer(qa, "answer", problem)
    if answer is None and not generated:
        problem("no answer", repr(qa.get("answer")), "kept without an answer, not scored")
    found = _evidence(qa.get("evidence"), index, rule, problem)
    if not found and not generated:
        done = "lag T" if rule == "first" else "no lag, outside every bucket"
        problem("no evidence", repr(qa.get("evidence")), done)
    lag = lag_of(found, turns)
    if not found and rule == "first":
        lag = turns
    held_out = qa.get("held_out")
    report.questions += 1
    report.categories[category] = report.categories.get(category, 0) + 1
    report.unanswered += answer is None
    report.without_evidence += not found
    tempting = _answer(qa, "adversarial_answer", problem)
    subject, relation = qa.get("subject"), qa.get("relation")
    return Question(
        id=question,
        text=text,
        answer=answer,
        category=category,
        evidence=found,
        lag=lag,
        adversarial_answer=tempting,
        kind=kind if generated else None,
        held_out=tuple(map(str, held_out)) if isinstance(held_out, list) else (),
        subject=subject if isinstance(subject, str) else None,
        relation=relation if isinstance(relation, str) else None,
    )


def _answer(qa, key, problem):
    """The answer as text: numbers become their digits, anything else counts as no answer."""
    value = qa.get(key)
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, int | float):
        problem(f"{key} not text", f"{type(value).__name__} {value}", f"read as {str(value)!r}")
        return str(value)
    if value is not None:
        problem(f"{key} not text", f"{type(value).__name__} {value}", "taken as none")
    return None


def _evidence(came, index, rule, problem):
    """Positions of the turns that the evidence names, ascending.

    An id is D, perhaps a colon, session : turn, as integers: D:11:26 is D11:26, D30:05 is D30:5.
    """
    if came is None or isinstance(came, str):
        came = [came] if came else []
    if not isinstance(came, list):
        problem("evidence not a list", repr(came), "dropped")
        return ()
    found = set()
    for text in came:
        pairs = _PAIR.findall(text) if isinstance(text, str) else []
        pairs = [(int(session), int(turn)) for session, turn in pairs]
        used = [pair for pair in pairs[: 1 if rule == "first" else None] if pair in index]
        found |= {index[pair] for pair in used}
        if not used:
            problem("evidence names no turn", repr(text), "dropped")
        elif _names(used) != text:
            spare = _names([pair for pair in pairs if pair not in used])
            done = f"read as {_names(used)}" + (f", dropped {spare}" if spare else "")
            problem("evidence not one id", repr(text), done)
    return tuple(sorted(found))


def _names(pairs):
    return ", ".join(f"D{session}:{turn}" for session, turn in pairs)


# ---- splits --------------------------------------------------------------------------------------


def paper_split(
    conversations: Iterable[Conversation],
) -> tuple[list[Conversation], list[Conversation]]:
    """The paper's (train, test): the first 7, and conv-48, conv-49, conv-50.

    raises  DataError if one of the three is not there
    """
    conversations = list(conversations)
    missing = [name for name in PAPER_TEST if name not in {c.id for c in conversations}]
    if missing:
        came = ", ".join(c.id for c in conversations[:12]) or "nothing"
        raise DataError(f"expected LoCoMo with {', '.join(missing)}, got {came}")
    train = [c for c in conversations if c.id not in PAPER_TEST]
    return train, [c for c in conversations if c.id in PAPER_TEST]


def leave_one_out(
    conversations: Iterable[Conversation],
) -> Iterator[tuple[list[Conversation], list[Conversation]]]:
    """Every (train, test) with one conversation in test and all others in train, in order.

    raises  DataError with fewer than two conversations
    """
    conversations = list(conversations)
    if len(conversations) < 2:
        raise DataError(
            f"expected at least 2 conversations to leave one out, got {len(conversations)}"
        )
    for i in range(len(conversations)):
        yield conversations[:i] + conversations[i + 1 :], [conversations[i]]
