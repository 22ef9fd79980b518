"""What all importers share: messages, samples in LoCoMo's form, and the report of what was kept and dropped."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from lmem.data.tinyworld.language import MONTHS
from lmem.errors import DataError
from lmem.utils.text import has_words, normalise_text, replace_surrogates

T = TypeVar("T")
LONGEST = 1000  # characters of a turn; T5's tokenizers need about 300 tokens for as much English
USER, ASSISTANT = "User", "Assistant"
ROLES = {"user": USER, "human": USER}
ROLES |= dict.fromkeys(("assistant", "gpt", "chatgpt"), ASSISTANT)
_END = re.compile(r"[.!?。！？…]['\"”’)\]]*\s")


@dataclass(frozen=True)
class Message:
    """What somebody said at once.

    Attributes:
        speaker: A name.
        text: The words.
        day: The date, None if the file has none.
        marked: Whether the file says that an answer is here.
    """

    speaker: str
    text: str
    day: date | None = None
    marked: bool = False


@dataclass
class ImportReport:
    """What a file contained, and what became of it.

    Attributes:
        form: Name of the format.
        turns: Turns that were kept.
        speakers: Turns of each speaker.
        days: First and last date.
        dropped: How many messages or lines were left out, by reason.
        notes: Decisions a reader may want to check, such as the order of day and month.
    """

    form: str
    conversations: int = 0
    sessions: int = 0
    turns: int = 0
    questions: int = 0
    speakers: Counter[str] = field(default_factory=Counter)
    days: tuple[date, date] | None = None
    dropped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "format": self.form,
            "conversations": self.conversations,
            "sessions": self.sessions,
            "turns": self.turns,
            "questions": self.questions,
            "speakers": dict(self.speakers.most_common()),
            "dates": [written_date(day) for day in self.days or ()],
            "dropped": dict(self.dropped.most_common()),
            "notes": self.notes,
        }

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def drop(self, reason: str, count: int = 1) -> None:
        """Count what was left out; without a reason nothing was."""
        if reason and count:
            self.dropped[reason] += count

    def note_order(self, order: str) -> None:
        """Say in which order dates were read."""
        names = {"d": "day", "m": "month", "y": "year"}
        self.note(f"dates are read as {', '.join(names[part] for part in order)}")


@dataclass(frozen=True)
class Source:
    """A file as it came: its name, and what is in it.

    Attributes:
        name: Name of the file, for messages.
        files: Texts by name, of a folder or an archive; of a single file that text alone.
        order: Order of day, month and year that the user gave, None if it is to be found out.
    """

    name: str
    files: dict[str, str]
    order: str | None = None

    @property
    def text(self) -> str:
        """The text, if there is one file.

        Raises:
            DataError: There are several.
        """
        if len(self.files) != 1:
            names = ", ".join(list(self.files)[:5])
            raise DataError(f"expected one conversation file in {self.name}, found {names}")
        return next(iter(self.files.values()))


Reader = Callable[[Source, ImportReport], list[dict[str, Any]]]


def sample_of(
    name: str,
    messages: Iterable[Message | None],
    report: ImportReport,
    ask: Callable[[list[str]], list[dict[str, Any]]] = lambda marked: [],
    sessions: Sequence[tuple[str, Sequence[Message | None]]] | None = None,
) -> dict[str, Any] | None:
    """Make a sample in LoCoMo's form, with one session for each day, and count it.

    Args:
        name: Id of the conversation.
        messages: Oldest first; None is none. Those without words are dropped, long ones split.
        report: Where everything is counted.
        ask: Makes the rows of `qa` from the ids of the marked turns.
        sessions: (date, messages) of each session, where the file has its own; then `messages` is not used.

    Returns:
        The sample; None if no message has words.
    """
    content: dict[str, Any] = {}
    speakers: Counter[str] = Counter()
    marked, number = [], 0
    for dated, spoken in _by_day(messages) if sessions is None else sessions:
        turns = []
        for message in filter(None, spoken):
            for part in _parts(message, report):
                id = f"D{number + 1}:{len(turns) + 1}"
                turns.append({"speaker": part.speaker, "dia_id": id, "text": part.text})
                speakers[part.speaker] += 1
                if part.marked:
                    marked.append(id)
                if part.day is not None:
                    first, last = report.days or (part.day, part.day)
                    report.days = min(first, part.day), max(last, part.day)
        if turns:
            number += 1
            content[f"session_{number}"] = turns
            if dated:
                content[f"session_{number}_date_time"] = dated
    if not number:
        return None
    names = [speaker for speaker, _ in speakers.most_common()]
    if len(names) == 2:
        named: dict[str, Any] = {"speaker_a": names[0], "speaker_b": names[1]}
    else:
        named = {"speakers": names}
    questions = ask(marked)
    report.conversations += 1
    report.sessions += number
    report.turns += speakers.total()
    report.questions += len(questions)
    report.speakers += speakers
    return {"sample_id": name, "conversation": {**named, **content}, "qa": questions}


def samples_of(
    names: Iterable[str],
    chats: Iterable[T],
    read: Callable[[str, T], Iterable[Message | None]],
    report: ImportReport,
) -> list[dict[str, Any]]:
    """Make a sample of each conversation that has words; `read` returns the messages of one, given its distinct name."""
    named = zip(distinct_names(names), chats, strict=True)
    samples = (sample_of(name, read(name, chat), report) for name, chat in named)
    return [sample for sample in samples if sample is not None]


def written_date(day: date) -> str:
    """Write a date as LoCoMo does: 8 May, 2023."""
    return f"{day.day} {MONTHS[day.month - 1]}, {day.year}"


def day_of(seconds: Any) -> date | None:
    """Return the date, in UTC, of a time in seconds since 1970 as a number or as text; None if it is none."""
    try:
        return datetime.fromtimestamp(float(seconds), UTC).date()
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def distinct_names(names: Iterable[str]) -> list[str]:
    """Make names of conversations different: the second "Plans" becomes "Plans (2)"."""
    seen: Counter[str] = Counter()
    result: list[str] = []
    for name in names:
        clean = normalise_text(replace_surrogates(name))[:80] or "conversation"
        seen[clean] += 1
        candidate = clean if seen[clean] == 1 else f"{clean} ({seen[clean]})"
        while candidate in result:
            seen[clean] += 1
            candidate = f"{clean} ({seen[clean]})"
        result.append(candidate)
    return result


def texts_of(value: Any) -> str:
    """Return the text of a message's content: a text, or the texts of its parts; "" for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return texts_of(value.get("text"))
    if isinstance(value, list):
        return "\n".join(text for text in map(texts_of, value) if text)
    return ""


def _by_day(messages: Iterable[Message | None]) -> list[tuple[str, list[Message]]]:
    """Cut messages into sessions where the date changes."""
    sessions: list[tuple[str, list[Message]]] = []
    for message in filter(None, messages):
        dated = written_date(message.day) if message.day else ""
        if not sessions or dated != sessions[-1][0]:
            sessions.append((dated, []))
        sessions[-1][1].append(message)
    return sessions


def _parts(message: Message, report: ImportReport) -> list[Message]:
    """Clean a message, and split one that is too long for an encoder."""
    text = normalise_text(replace_surrogates(message.text))
    if not has_words(text):
        report.drop("no words")
        return []
    speaker = normalise_text(replace_surrogates(message.speaker)) or "Somebody"
    texts = list(_split(text))
    if len(texts) > 1:
        report.note(f"messages of more than {LONGEST:,} characters are split into several turns")
    return [Message(speaker, part, message.day, message.marked) for part in texts]


def _split(text: str) -> Iterable[str]:
    """Yield pieces of at most LONGEST characters, cut after a sentence, else at a blank, else anywhere."""
    start = 0
    while len(text) - start > LONGEST:
        window = text[start : start + LONGEST]
        ends = [match.end() for match in _END.finditer(window)]
        cut = ends[-1] if ends and ends[-1] > LONGEST // 4 else window.rfind(" ") + 1 or LONGEST
        if part := window[:cut].strip():
            yield part
        start += cut
    if rest := text[start:].strip():
        yield rest
