"""WhatsApp's "Export chat": a text file, or the archive that holds it, from Android or an iPhone, of two people or a group.

    08/05/2023, 21:15 - Ana: I adopted a cat.            Android
    [08.05.23, 9:15:32 PM] Ana: I adopted a cat.         iPhone

A line that does not begin like this continues the message before it. Notices of WhatsApp have no name (Android), or begin
with an invisible U+200E (iPhone); pictures and voice notes are placeholders. Both are dropped and counted.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from lmem.data.importers.base import ImportReport, Message, Source, samples_of
from lmem.data.importers.dates import NUMERIC, read_dates
from lmem.errors import DataError
from lmem.utils.text import has_words, normalise_text

LONGEST_NAME = 80
_CLOCK = r"\D{0,12}?\d{1,2}[:.]\d{2}(?:[:.]\d{2})?[^\d\]\[]{0,12}?"  # 21:15, 9:15:32 PM, 9.15 p. m.
_IPHONE = re.compile(rf"\[({NUMERIC})\.?,?{_CLOCK}\] ?(.*)", re.DOTALL)
_ANDROID = re.compile(rf"({NUMERIC})\.?,?{_CLOCK} [-–] (.*)", re.DOTALL)
_MARKS = "\u200e\u200f\u202a\u202c\ufeff"
_PLACEHOLDER = re.compile(r"\u200e?<[^<>\n]{3,200}>")
_ATTACHED = re.compile(r"^\u200e?\S[^\n]{0,200}\.\w{2,5} \([^()\n]{3,40}\)$")
_CALL = re.compile(
    r"(?:missed )?(?:voice|video|group voice|group video) call\b.{0,60}", re.IGNORECASE
)
_DELETED = re.compile(r"(?:this message was deleted|you deleted this message)\.?", re.IGNORECASE)
_NOTICE = re.compile(  # a notice with ": " in it, whose beginning is no name
    r"[\"“«]|\b(?:changed the (?:subject|group|name)|created group|added|removed|joined using|left|security code|"
    r"changed this group|changed their phone number|pinned a message)\b",
    re.IGNORECASE,
)


class _Line(NamedTuple):
    """A dated line with the lines that continue it."""

    day: str
    rest: str


def looks_like(text: str) -> bool:
    """Say whether one of the first lines begins with a date and a time as WhatsApp writes them."""
    return any(_header(line) for line in text[:20_000].splitlines()[:20])


def read(source: Source, report: ImportReport) -> list[dict[str, Any]]:
    """Read the exports of one or several chats, one sample each.

    Raises:
        DataError: No line begins like a message, or the order of day and month is undecidable.
    """
    names = (_chat_name(file, source.name) for file in source.files)
    return samples_of(names, source.files.values(), partial(_messages, source, report), report)


def _messages(source: Source, report: ImportReport, name: str, text: str) -> list[Message]:
    lines = list(_dated_lines(text, report))
    if not lines:
        first = normalise_text(text[:200])[:60]
        raise DataError(
            f"expected lines such as '08/05/2023, 21:15 - Ana: hello' of WhatsApp in {name}, it begins with {first!r}"
        )
    days, order = read_dates([line.day for line in lines], source.order, source.name)
    report.note_order(order)
    messages = []
    for line, day in zip(lines, days, strict=True):
        speaker, spoken = _speaker(line.rest)
        if speaker is None:
            report.drop("notices of WhatsApp")
            continue
        words, reason = _words(spoken)
        report.drop(reason)
        if words:
            messages.append(Message(speaker, words, day))
    return messages


def _dated_lines(text: str, report: ImportReport) -> Iterator[_Line]:
    """Join each dated line with those that continue it."""
    day, parts = None, []
    for line in re.split(r"\r\n|\n|\r", text):
        header = _header(line)
        if header is None:
            if day is not None:
                parts.append(line)
            elif has_words(line):
                report.drop("lines before the first message")
            continue
        if day is not None:
            yield _Line(day, "\n".join(parts))
        day, parts = header.day, [header.rest]
    if day is not None:
        yield _Line(day, "\n".join(parts))


def _header(line: str) -> _Line | None:
    """Return the date and what comes after the time; None for a line that begins otherwise."""
    start = line[:120].lstrip(_MARKS)
    shift = min(len(line), 120) - len(start)
    match = _IPHONE.match(start) or _ANDROID.match(start)
    return _Line(match[1], line[shift + match.start(2) :]) if match else None


def _speaker(rest: str) -> tuple[str | None, str]:
    """Split "Ana: hello"; the name is None for a notice."""
    first = rest.split("\n", 1)[0]
    before, colon, _ = first.partition(":")
    name = normalise_text(before).removeprefix("~ ")  # somebody who is no contact
    if not colon or not name or len(name) > LONGEST_NAME:
        return None, rest
    if _NOTICE.search(name):
        return None, rest
    return name, rest[len(before) + 1 :]


def _words(spoken: str) -> tuple[str, str]:
    """Return the words of a message and, if something was left out, the reason."""
    text = spoken.strip()
    if text.startswith("\u200e") and not _PLACEHOLDER.match(text):
        return "", "media and notices without words"
    kept = _PLACEHOLDER.sub("", text) if _is_placeholder(text) else text
    lines = [line for line in kept.split("\n") if not _ATTACHED.match(line.strip())]
    left = "\n".join(lines).strip()
    if not has_words(left):
        return "", "media and notices without words"
    plain = normalise_text(left)
    if _DELETED.fullmatch(plain):
        return "", "deleted messages"
    if _CALL.fullmatch(plain):
        return "", "calls"
    return left, ""


def _is_placeholder(text: str) -> bool:
    """Whether <...> in a message comes from WhatsApp: it is the whole message, ends it, or has its invisible mark."""
    return _PLACEHOLDER.fullmatch(text) is not None or "\u200e<" in text or text.endswith("edited>")


def _chat_name(file: str, archive: str) -> str:
    """Return the name of a chat from that of its file, "WhatsApp Chat with Ben.txt"; an iPhone's is in the archive's."""
    name = re.split(r"[/\\]", file)[-1]
    stem = (archive if name == "_chat.txt" else name).rsplit(".", 1)[0]
    match = re.match(r"WhatsApp Chat (?:with|-) (.+)", stem)
    return match[1] if match else stem
