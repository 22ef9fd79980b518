"""LongMemEval's files: one question with the sessions that it is asked about; each becomes a conversation.

    question_id, question_type, question, answer, haystack_dates, haystack_sessions: [[{role, content, has_answer}]]

Turns that are marked with `has_answer` are the evidence. A question whose id ends in `_abs` has no answer in the sessions.
"""

import re
from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any

from lmem.data.importers.base import (
    ROLES,
    ImportReport,
    Message,
    Source,
    distinct_names,
    sample_of,
    texts_of,
)
from lmem.data.importers.json_text import records
from lmem.errors import DataError

# LoCoMo's numbers; all others are single-hop
CATEGORIES = {"multi-session": 1, "temporal-reasoning": 2}
SINGLE, ABSTAIN = 4, 5
_DAY = re.compile(r"(\d{4})/(\d\d)/(\d\d)")  # 2023/05/20 (Sat) 02:21


def looks_like(value: Any) -> bool:
    """Say whether a record has LongMemEval's sessions."""
    return isinstance(value, Mapping) and isinstance(value.get("haystack_sessions"), list)


def read(source: Source, report: ImportReport) -> list[dict[str, Any]]:
    """Read all questions, one sample each.

    Raises:
        DataError: A record has another form.
    """
    found = [record for text in source.files.values() for record in records(text, source.name)]
    for i, record in enumerate(found):
        if not looks_like(record):
            raise DataError(f"expected haystack_sessions in record {i} of {source.name}")
    names = distinct_names(str(record.get("question_id", i)) for i, record in enumerate(found))
    samples = []
    for name, record in zip(names, found, strict=True):
        sessions, ask = _sessions(record, name, report), partial(_questions, record)
        samples.append(sample_of(name, (), report, ask, sessions))
    return [sample for sample in samples if sample is not None]


def _sessions(
    record: Mapping[str, Any], name: str, report: ImportReport
) -> list[tuple[str, list[Message | None]]]:
    dates = record.get("haystack_dates")
    listed = record["haystack_sessions"]
    if not isinstance(dates, list) or len(dates) != len(listed):
        report.note(f"{name} has no date for each session")
        dates = [""] * len(listed)
    # the file's order is random in some versions; its dates sort as text
    order = sorted(range(len(listed)), key=lambda i: str(dates[i]))
    sessions = []
    for i in order:
        if not isinstance(listed[i], list):
            raise DataError(f"expected a list of messages as session {i} of {name}")
        day = _day(str(dates[i]))
        sessions.append((str(dates[i]), [_message(turn, day, name, report) for turn in listed[i]]))
    return sessions


def _day(text: str) -> date | None:
    match = _DAY.match(text)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def _message(turn: Any, day: date | None, name: str, report: ImportReport) -> Message | None:
    if not isinstance(turn, Mapping) or "role" not in turn or "content" not in turn:
        raise DataError(f"expected role and content of each message of {name}")
    role = str(turn["role"])
    if role == "system":
        report.drop("system messages")
        return None
    return Message(
        ROLES.get(role, role), texts_of(turn["content"]), day, bool(turn.get("has_answer"))
    )


def _questions(record: Mapping[str, Any], marked: list[str]) -> list[dict[str, Any]]:
    kind, answer = str(record.get("question_type", "")), record.get("answer")
    abstain = str(record.get("question_id", "")).endswith("_abs")
    row: dict[str, Any] = {
        "question": str(record.get("question", "")),
        "category": ABSTAIN if abstain else CATEGORIES.get(kind, SINGLE),
        "evidence": [] if abstain else marked,
        "kind": "abstention" if abstain else kind or "question",
    }
    if not abstain and answer is not None:
        row["answer"] = str(answer)
    return [row]
