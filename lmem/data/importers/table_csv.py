"""A table with a header: comma, semicolon or tab between the columns, one message a row.

    date,speaker,text
    2023-05-08,Ana,I adopted a cat.

Columns are found by their names (COLUMNS), in any order and case; others are not read.
"""

import csv
import io
import re
from datetime import date
from typing import Any

from lmem.data.importers.base import ImportReport, Message, Source, day_of, samples_of
from lmem.data.importers.dates import NUMERIC, read_dates
from lmem.errors import DataError

COLUMNS = {
    "speaker": ("speaker", "sender", "from", "author", "name", "user", "username", "role", "who"),
    "text": ("text", "message", "content", "body", "value", "said", "utterance"),
    "date": ("date", "datetime", "timestamp", "time", "when", "created_at", "sent_at", "day", "ts"),
    "conversation": ("conversation", "conversation_id", "chat", "chat_id", "thread", "thread_id", "channel"),
}  # fmt: skip
DELIMITERS = ",;\t|"
LARGEST = 2**31 - 1  # of a field
_DATE = re.compile(rf"\D{{0,3}}({NUMERIC})(?=\D|$)")
_SECONDS = re.compile(r"\d{9,10}(\.\d+)?|\d{12,13}")


def looks_like(text: str) -> bool:
    """Say whether the first line names a speaker and a text."""
    columns = _columns(_first_row(text))
    return "speaker" in columns and "text" in columns


def read(source: Source, report: ImportReport) -> list[dict[str, Any]]:
    """Read the table; one sample for each value of the column "conversation", if there is one.

    Raises:
        DataError: A column is missing, or the order of dates is undecidable.
    """
    header = _first_row(source.text)
    columns = _columns(header)
    for needed in ("speaker", "text"):
        if needed not in columns:
            raise DataError(
                f"expected a column called {', '.join(COLUMNS[needed][:-1])} or {COLUMNS[needed][-1]} in the first "
                f"line of {source.name}, found {', '.join(header[:8])[:200] or 'nothing'}"
            )
    rows = []
    for row in _rows(source, report):
        if len(row) <= max(columns["speaker"], columns["text"]):
            report.drop("rows with too few columns")
        elif not row[columns["speaker"]].strip():
            report.drop("rows without a speaker")
        else:
            rows.append(row)
    days = _days([row[columns["date"]] if "date" in columns and len(row) > columns["date"] else "" for row in rows],
                 source, report)  # fmt: skip
    chats: dict[str, list[Message]] = {}
    for row, day in zip(rows, days, strict=True):
        place = columns.get("conversation")
        name = row[place] if place is not None and len(row) > place else source.name
        chats.setdefault(name, []).append(
            Message(row[columns["speaker"]], row[columns["text"]], day)
        )
    return samples_of(chats, chats.values(), lambda name, messages: messages, report)


def _first_row(text: str) -> list[str]:
    first = text.lstrip("\ufeff \r\n").split("\n", 1)[0][:10_000].strip()
    return [name.strip().strip('"').strip().lower() for name in first.split(_delimiter(first))]


def _delimiter(first: str) -> str:
    return max(DELIMITERS, key=first.count)


def _columns(header: list[str]) -> dict[str, int]:
    """Return {meaning: place}, each by the first of its names that the header has."""
    places = {}
    for meaning, names in COLUMNS.items():
        place = next((header.index(name) for name in names if name in header), None)
        if place is not None:
            places[meaning] = place
    return places


def _rows(source: Source, report: ImportReport) -> list[list[str]]:
    text = source.text.lstrip("\ufeff \r\n")
    delimiter = _delimiter(text.split("\n", 1)[0])
    limit = csv.field_size_limit(LARGEST)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))[1:]
    except csv.Error as error:
        raise DataError(f"expected a table in {source.name}: {error}") from error
    finally:
        csv.field_size_limit(limit)
    full = [row for row in rows if any(cell.strip() for cell in row)]
    report.drop("empty rows", len(rows) - len(full))
    return full


def _days(texts: list[str], source: Source, report: ImportReport) -> list[date | None]:
    """Read the dates: numeric ones in one order for the whole file, or seconds since 1970."""
    days: list[date | None] = [None] * len(texts)
    numeric: dict[int, str] = {}
    for i, text in enumerate(texts):
        if match := _DATE.match(text.strip()):
            numeric[i] = match[1]
        elif _SECONDS.fullmatch(text.strip()):
            seconds = float(text)
            days[i] = day_of(seconds / 1000 if seconds > 1e11 else seconds)
        elif text.strip():
            report.drop("dates that cannot be read (the message is kept)")
    if numeric:
        read, order = read_dates(list(numeric.values()), source.order, source.name)
        report.note_order(order)
        for i, day in zip(numeric, read, strict=True):
            days[i] = day
    return days
