"""LoCoMo's file form, read into plain values.

    id of a turn: D session : turn       evidence: strings that contain such ids       paper, section 4

The release is not tidy: ids that name no turn, several ids in one string, answers that are numbers, and no answers. Each of
these is handled by one fixed rule and written into a Report; nothing is dropped silently. Files of tinyworld have the same
form with a few more keys: `counterfactual`, and `id`, `kind`, `subject`, `relation`, `held_out` of a question (chapter 1).
"""

import hashlib
import json
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

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
from lmem.utils.files import user_path
from lmem.utils.text import has_surrogates, has_words, replace_surrogates

EVIDENCE = ("all", "first")

_PAIR = re.compile(r"D:?(\d{1,9}):(\d{1,9})")
_SESSION = re.compile(r"session_(\d+)")
_FOREIGN = (  # a key by which another form is recognised, and the form's name
    ("haystack_sessions", "LongMemEval"),
    ("mapping", "an export of ChatGPT"),
    ("chat_messages", "an export of Claude"),
    ("messages", "a list of messages"),
    ("conversations", "ShareGPT"),
    ("previous_dialogs", "MSC"),
    ("dialog", "MSC"),
    ("personas", "MSC"),
)
_WANTED = (
    'samples with "sample_id", "conversation" (speaker_a, speaker_b, session_1, ...) and "qa", as `lmem data tinyworld` '
    "writes them; `lmem data import` converts other forms, and `model.write(bank, messages)` takes messages alone"
)


class Conversations(list[Conversation]):
    """A list of Conversation, with the `report` of its reading."""

    def __init__(self, items: Iterable[Conversation], report: Report) -> None:
        super().__init__(items)
        self.report = report


def load(
    path: str | os.PathLike | None = None, evidence: str = "all", verify: bool = False
) -> Conversations:
    """Read a file in LoCoMo's form.

    Args:
        path: None for the file that LMEM_LOCOMO names, else the user's cache, else the release is downloaded.
        evidence: "all" reads every id in an evidence string and drops those that name no turn; a question that is left
            with none has no lag. "first" is the paper's rule: only the first id of each string, and lag T without one.
        verify: Check that it is the release. The cached release is always checked.

    Returns:
        A list of Conversation, with `.report`.

    Raises:
        DataError: The file is missing, incomplete, not the release, or of another form.
    """
    if path is None:
        path = locomo_release.find() or locomo_release.download()
        verify = verify or path == locomo_release.cache_path()
    path = user_path(path)
    try:
        if path.exists() and not path.is_file():  # a pipe would wait for ever
            raise OSError("it is no file")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"expected a LoCoMo file at {str(path)!a}: {reason}") from error
    if verify:
        locomo_release.check(content, path)
    try:
        samples = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"expected whole JSON in LoCoMo's form at {path}: {error}") from error
    conversations = parse(samples, evidence)
    report = conversations.report
    report.sha256 = hashlib.sha256(content).hexdigest()
    report.release = locomo_release.is_release(content)
    report.variant = "LoCoMo's release" if report.release else locomo_release.variant(samples)
    return conversations


def parse(samples: list[dict], evidence: str = "all") -> Conversations:
    """Read samples in LoCoMo's form that are already in memory; see `load`."""
    if evidence not in EVIDENCE:
        raise InputError(f"expected evidence to be one of {', '.join(EVIDENCE)}, not {evidence!r}")
    if isinstance(samples, dict):
        _refuse_foreign(samples, "the file")
    _expect(samples, list, "a list of samples", "the file")
    if not samples:
        raise DataError("expected a list of samples, it is empty")
    report = Report()
    try:
        conversations = [_read_sample(s, i, evidence, report) for i, s in enumerate(samples)]
    except RecursionError as error:
        raise DataError("expected samples in LoCoMo's form, these are nested too deeply") from error
    _refuse_twice((c.id for c in conversations), "sample ids")
    return Conversations(conversations, report)


def _expect(value: Any, kind: type, what: str, where: str) -> Any:
    """Return the value if it is of this kind, else raise DataError."""
    if not isinstance(value, kind):
        raise DataError(f"expected {what} in {where}, got {type(value).__name__}")
    return value


def _refuse_foreign(value: dict, where: str) -> None:
    """Raise a DataError if a sample has the form of another data set, or nothing of LoCoMo's."""
    for key, form in _FOREIGN:
        if key in value and "conversation" not in value:
            raise DataError(f"expected in {where} {_WANTED}; this is the form of {form}")
    if "conversation" not in value and "qa" not in value:
        keys = ", ".join(map(repr, list(value)[:6])) or "no key"
        raise DataError(f"expected in {where} {_WANTED}; this is an object with {keys}")


def _refuse_twice(ids: Iterable[str], what: str) -> None:
    for id, count in Counter(ids).items():
        if count > 1:
            raise DataError(f"expected different {what}, {id!r} came twice")


def _text(value: Any) -> str | None:
    """Return a value that is text with words in it, else None."""
    return value if isinstance(value, str) and has_words(value) else None


def _whole(value: Any) -> tuple[Any, int]:
    """Return a value of JSON without lone surrogates, which nothing can encode, and how many texts had some."""
    if isinstance(value, str):
        return (replace_surrogates(value), 1) if has_surrogates(value) else (value, 0)
    if isinstance(value, list):
        parts = [_whole(part) for part in value]
        return [part for part, _ in parts], sum(count for _, count in parts)
    if isinstance(value, dict):
        pairs = {_whole(key)[0]: _whole(part) for key, part in value.items()}
        return {key: part for key, (part, _) in pairs.items()}, sum(n for _, n in pairs.values())
    return value, 0


def _read_sample(sample: Any, index: int, rule: str, report: Report) -> Conversation:
    """Read one conversation and, if it has one, its counterfactual twin."""
    _expect(sample, dict, "an object with sample_id, conversation and qa", f"sample {index}")
    _refuse_foreign(sample, f"sample {index}")
    sample, odd = _whole(sample)
    name = _text(sample.get("sample_id"))
    if name is None:
        name, came = f"sample-{index}", repr(sample.get("sample_id"))
        report.problems.append(Problem("no sample id", name, None, came, f"called {name}"))
    if odd:
        done = "replaced by U+FFFD"
        report.problems.append(Problem("half a character", name, None, f"{odd} texts", done))
    twin = None
    if sample.get("counterfactual") is not None:
        own = _expect(sample["counterfactual"], dict, "an object as counterfactual", name)
        # the twin's problems count, its turns do not
        twin = _Reader(name, f"{name}/twin", rule, Report(problems=report.problems)).read(own)
        report.twins += 1
    conversation = _Reader(name, name, rule, report).read(sample, twin)
    if twin and len(twin.turns) != len(conversation.turns):
        raise DataError(
            f"expected the counterfactual of {name} to have its {len(conversation.turns)} turns, "
            f"it has {len(twin.turns)}"
        )
    return conversation


class _Reader:
    """Reads one conversation of a file, and reports what it had to change.

    Attributes:
        sample: Id of the sample, from which ids of its questions are made.
        name: The conversation's id, as the report gives it.
        rule: One of EVIDENCE.
        report: Where counts and problems go.
        positions: {(session, turn) of an id: position of the turn}.
        turns: How many turns were read.
    """

    def __init__(self, sample: str, name: str, rule: str, report: Report) -> None:
        self.sample, self.name, self.rule, self.report = sample, name, rule, report
        self.positions: dict[tuple[int, int], int] = {}
        self.turns = 0

    def problem(self, kind: str, came: str, done: str, question: str | None = None) -> None:
        self.report.problems.append(Problem(kind, self.name, question, came, done))

    def read(self, sample: dict, twin: Conversation | None = None) -> Conversation:
        content = _expect(
            sample.get("conversation"), dict, "an object called conversation", self.name
        )
        rows = _expect(sample.get("qa"), list, "a list called qa", self.name)
        sessions = self.sessions(content)
        speakers = self.speakers(content, sessions)
        read = (self.question(row, f"{self.sample}/q{i}") for i, row in enumerate(rows))
        questions = tuple(question for question in read if question is not None)
        _refuse_twice((question.id for question in questions), f"question ids in {self.name}")
        self.report.conversations += 1
        self.report.sessions += len(sessions)
        self.report.turns += self.turns
        return Conversation(self.name, speakers, sessions, questions, twin)

    def speakers(self, content: dict, sessions: tuple[Session, ...]) -> tuple[str, ...]:
        group = content.get("speakers")  # of one person or a group, in files of `lmem data import`
        if isinstance(group, list) and group and all(isinstance(name, str) for name in group):
            return tuple(group)
        named = [content.get("speaker_a"), content.get("speaker_b")]
        speakers = tuple(name for name in named if isinstance(name, str))
        if len(speakers) != 2:
            speakers = tuple(dict.fromkeys(t.speaker for s in sessions for t in s.turns))
            done = f"taken from the turns: {', '.join(speakers)}"
            self.problem("no speakers", "no speaker_a, speaker_b", done)
        return speakers

    def sessions(self, content: dict) -> tuple[Session, ...]:
        """Read the sessions that have turns, by number."""
        numbered = {}
        for key, rows in content.items():
            match = _SESSION.fullmatch(key)
            if match is None or not _expect(rows, list, f"a list as {key}", self.name):
                continue
            if len(match[1]) > 9:
                raise DataError(
                    f"expected sessions with small numbers in {self.name}, {key[:40]} came"
                )
            number = int(match[1])
            if number in numbered:
                raise DataError(f"expected one session {number} in {self.name}, {key} came as well")
            numbered[number] = key
        if not numbered:
            raise DataError(
                f"expected turns under session_1, session_2, ... in {self.name}, found none"
            )
        dated = {key for key in content if re.fullmatch(r"session_\d+_date_time", key)}
        used = {f"{key}_date_time" for key in numbered.values()}
        self.report.spare_dates += len(dated - used)
        return tuple(self.session(content, n, key) for n, key in sorted(numbered.items()))

    def session(self, content: dict, number: int, key: str) -> Session:
        given = content.get(f"{key}_date_time")
        date = _text(given)
        if date is None:
            self.problem("no date", f"{key}: {given!r}", "turns rendered without a date")
        turns = tuple(self.turn(row, number, n) for n, row in enumerate(content[key], 1))
        return Session(number, date or "", turns)

    def turn(self, row: Any, session: int, n: int) -> Turn:
        """Read a turn; of a picture without words the caption is enough."""
        where = f"turn {n} of session {session} of {self.name}"
        _expect(row, dict, "an object with speaker, dia_id and text", where)
        speaker = _expect(row.get("speaker"), str, "text as speaker", where)
        text = _expect(row.get("text"), str, "text as text", where)
        id, caption = row.get("dia_id"), row.get("blip_caption")
        match = _PAIR.fullmatch(id) if isinstance(id, str) else None
        pair = (int(match[1]), int(match[2])) if match else (session, n)
        if not match:
            came, id = repr(id), f"D{session}:{n}"
            self.problem("turn id", came, f"called {id}")
        if caption is not None and not isinstance(caption, str):
            self.problem("caption not text", repr(caption), "left out")
            caption = None
        if not has_words(text):
            if not has_words(caption or ""):
                raise DataError(f"expected words in {where}, its text is empty")
            self.problem("no text", f"{id}: {text!r}", "the caption of its image is kept")
            text = ""
        if pair in self.positions:
            self.problem("turn id twice", id, "evidence that names it means the first")
        self.positions.setdefault(pair, self.turns)
        self.turns += 1
        return Turn(id, speaker, text, caption or None, session)

    def question(self, row: Any, default: str) -> Question | None:
        """Read one row of qa; None, with a problem in the report, if it asks nothing."""
        _expect(row, dict, "an object with question, answer, evidence and category", default)
        given = row.get("id")
        id = given if isinstance(given, str) and given else default
        problem = partial(self.problem, question=id)
        text = _text(row.get("question"))
        if text is None:
            problem("no question", repr(row.get("question")), "left out")
            return None
        category = row.get("category")
        if type(category) is not int or category not in CATEGORIES:
            problem("unknown category", repr(category), "kept as category 0")
            category = 0
        kind = row.get("kind")
        generated = isinstance(kind, str)  # then a missing answer or evidence is intended
        answer = _answer(row, "answer", problem)
        if answer is None and not generated:
            problem("no answer", repr(row.get("answer")), "kept without an answer, not scored")
        if answer is not None and category == 5:
            done = "kept out of training, scored by whether the model declines"
            problem("category 5 with an answer", repr(row.get("answer")), done)
        evidence = self.evidence(row.get("evidence"), problem)
        lag = lag_of(evidence, self.turns)
        if not evidence and not generated:
            done = "lag T" if self.rule == "first" else "no lag, outside every bucket"
            problem("no evidence", repr(row.get("evidence")), done)
        if not evidence and self.rule == "first":
            lag = self.turns
        self.report.questions += 1
        self.report.categories[category] = self.report.categories.get(category, 0) + 1
        self.report.unanswered += answer is None
        self.report.without_evidence += not evidence
        held_out, subject, relation = (row.get(k) for k in ("held_out", "subject", "relation"))
        return Question(
            id=id,
            text=text,
            answer=answer,
            category=category,
            evidence=evidence,
            lag=lag,
            adversarial_answer=_answer(row, "adversarial_answer", problem),
            kind=kind if generated else None,
            held_out=tuple(map(str, held_out)) if isinstance(held_out, list) else (),
            subject=subject if isinstance(subject, str) else None,
            relation=relation if isinstance(relation, str) else None,
        )

    def evidence(self, came: Any, problem: Callable) -> tuple[int, ...]:
        """Read the positions of the turns that the evidence names, ascending.

        An id is D, perhaps a colon, session : turn, as integers: D:11:26 is D11:26, D30:05 is D30:5.
        """
        if came is None or isinstance(came, str):
            came = [came] if came else []
        if not isinstance(came, list):
            problem("evidence not a list", repr(came), "dropped")
            return ()
        positions = set()
        for text in came:
            ids = _PAIR.findall(text) if isinstance(text, str) else []
            pairs = [(int(session), int(turn)) for session, turn in ids]
            read = pairs[:1] if self.rule == "first" else pairs
            used = [pair for pair in read if pair in self.positions]
            positions |= {self.positions[pair] for pair in used}
            if not used:
                problem("evidence names no turn", repr(text), "dropped")
            elif _names(used) != text:
                spare = _names([pair for pair in pairs if pair not in used])
                done = f"read as {_names(used)}" + (f", dropped {spare}" if spare else "")
                problem("evidence not one id", repr(text), done)
        return tuple(sorted(positions))


def _answer(row: dict, key: str, problem: Callable) -> str | None:
    """Read an answer as text: finite numbers become their digits, anything else counts as no answer."""
    value = row.get(key)
    if value is None or isinstance(value, str):
        return _text(value)
    number = isinstance(value, int | float) and math.isfinite(value)  # JSON has NaN and Infinity
    done = f"read as {str(value)!r}" if number else "taken as none"
    problem(f"{key} not text", f"{type(value).__name__} {value}", done)
    return str(value) if number else None


def _names(pairs: list[tuple[int, int]]) -> str:
    return ", ".join(f"D{session}:{turn}" for session, turn in pairs)
