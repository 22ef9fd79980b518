"""A conversation as plain values: sessions of turns, and the questions asked at its end.

    lag = max(0, T - 1 - min(evidence)),   T the number of turns      paper, section 4; chapter 1

Evidence is given as positions in `Conversation.turns`, which runs over the sessions in numeric order. Nothing here knows a
file: `locomo` makes these values, and everything else takes them.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from lmem.errors import DataError
from lmem.utils.text import has_words

CATEGORIES = {  # LoCoMo's official numbers
    1: "multi-hop",
    2: "temporal",
    3: "open-domain",
    4: "single-hop",
    5: "adversarial",
}


@dataclass(frozen=True)
class Turn:
    """What one speaker says at once; `caption` describes a picture sent with it, which may be all there is.

    Raises:
        DataError: There are no words, neither in the text nor in the caption.
    """

    id: str
    speaker: str
    text: str
    caption: str | None = None
    session: int = 1

    def __post_init__(self) -> None:
        if not has_words(self.text) and not has_words(self.caption or ""):
            raise DataError(f"expected words in turn {self.id}, its text is empty")

    def render(self, date: str | None = None, captions: bool = True) -> str:
        """Write the turn as the encoder sees it: `context: DATE, SPEAKER: TEXT [image: CAPTION]`."""
        when = f"{date}, " if date else ""
        image = f"[image: {self.caption}]" if captions and self.caption else ""
        if has_words(self.text):
            words = f"{self.text} {image}" if image else self.text
        else:
            words = image or "[image]"
        return f"context: {when}{self.speaker}: {words}"


@dataclass(frozen=True)
class Session:
    """Turns of one day. `date` is the string in the file, "" if there is none."""

    number: int
    date: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Question:
    """A question about the conversation, asked at its end.

    Attributes:
        answer: None if there is none (most of LoCoMo's category 5, tinyworld's never-told).
        category: LoCoMo's number, see CATEGORIES; 0 if the file names none of them.
        evidence: Positions of the turns that contain the answer, ascending; () if unknown.
        lag: Turns since the oldest evidence, None without evidence.
        adversarial_answer: The tempting wrong answer of category 5.
        kind: Tinyworld's name for the sort of question.
        held_out: What no adapter saw in training: any of "relation", "name", "phrasing".
        subject: Tinyworld's name of whom is asked about ("Ana"); of two hops the first.
        relation: Tinyworld's name of what is asked ("pet"); of two hops the last.
    """

    id: str
    text: str
    answer: str | None
    category: int
    evidence: tuple[int, ...] = ()
    lag: int | None = None
    adversarial_answer: str | None = None
    kind: str | None = None
    held_out: tuple[str, ...] = ()
    subject: str | None = None
    relation: str | None = None

    @property
    def prompt(self) -> str:
        """What the encoder sees."""
        return f"question: {self.text}"

    @property
    def answerable(self) -> bool:
        """Whether there is a right answer to learn and to compare with; in category 5 the right answer is to decline."""
        return self.answer is not None and self.category != 5


@dataclass(frozen=True)
class Conversation:
    """Sessions in numeric order, the questions, and the counterfactual twin if it was generated.

    Raises:
        DataError: There is no turn, sessions are out of order, or evidence names no turn.
    """

    id: str
    speakers: tuple[str, ...]
    sessions: tuple[Session, ...]
    questions: tuple[Question, ...] = ()
    twin: "Conversation | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        numbers = [session.number for session in self.sessions]
        if numbers != sorted(set(numbers)):
            raise DataError(
                f"expected sessions of {self.id} in numeric order, they came as {numbers}"
            )
        if not self.turns:
            raise DataError(f"expected at least one turn in conversation {self.id}, found none")
        for question in self.questions:
            for turn in question.evidence:
                if not 0 <= turn < len(self.turns):
                    raise DataError(
                        f"expected evidence of {question.id} within {len(self.turns)} turns, "
                        f"not {turn}"
                    )

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """All turns, oldest first: (T,)."""
        return tuple(turn for session in self.sessions for turn in session.turns)

    def texts(self, dates: bool = True, captions: bool = True) -> list[str]:
        """Write every turn as the encoder sees it.

        Args:
            dates: Put the session's date before the speaker. Most answers to "when" are only there.
            captions: Add ` [image: ...]` where a picture was sent.

        Returns:
            T strings, oldest first.
        """
        return [
            turn.render(session.date if dates else None, captions)
            for session in self.sessions
            for turn in session.turns
        ]

    def until(self, turns: int) -> "Conversation":
        """Cut the conversation after a turn.

        Args:
            turns: How many turns to keep.

        Returns:
            The first turns, with the questions whose evidence is among them; lags are counted from the new end. Its twin is
            cut at the same turn.

        Raises:
            DataError: There are fewer turns.
        """
        if not 1 <= turns <= len(self.turns):
            raise DataError(f"expected 1 to {len(self.turns)} turns of {self.id}, not {turns}")
        sessions, left = [], turns
        for session in self.sessions:
            if left > 0:
                sessions.append(replace(session, turns=session.turns[:left]))
            left -= len(session.turns)
        return replace(
            self,
            sessions=tuple(sessions),
            questions=tuple(
                replace(q, lag=lag_of(q.evidence, turns))
                for q in self.questions
                if all(turn < turns for turn in q.evidence)
            ),
            twin=self.twin and self.twin.until(turns),
        )


def conversations_sha256(conversations: Iterable[Conversation]) -> str:
    """Return the SHA-256 of all turns, questions and answers: 64 hexadecimal characters."""
    return json_sha256([asdict(conversation) for conversation in conversations])


def json_sha256(value: Any) -> str:
    """Return the SHA-256 of a value as JSON with sorted keys: 64 hexadecimal characters."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def lag_of(evidence: tuple[int, ...], turns: int) -> int | None:
    """Count the turns since the oldest evidence, out of `turns` in all; None without evidence."""
    return max(0, turns - 1 - min(evidence)) if evidence else None


@dataclass(frozen=True)
class Problem:
    """Something in the file that is not as it should be: what was found, and what was done about it."""

    kind: str
    conversation: str
    question: str | None
    came: str
    done: str


@dataclass
class Report:
    """What a file contains.

    Attributes:
        sha256: Of the file; None for samples that are already in memory.
        release: Whether it is LoCoMo's release.
        variant: What the file is: the release, the release with changed answers, or another file.
        spare_dates: Dates of sessions without turns.
        problems: What was not as it should be.
    """

    sha256: str | None = None
    release: bool = False
    variant: str = ""

    conversations: int = 0
    sessions: int = 0
    turns: int = 0
    questions: int = 0
    unanswered: int = 0
    without_evidence: int = 0
    spare_dates: int = 0
    twins: int = 0
    categories: dict[int, int] = field(default_factory=lambda: dict.fromkeys(CATEGORIES, 0))
    problems: list[Problem] = field(default_factory=list)

    @property
    def kinds(self) -> dict[str, int]:
        """Number of problems of each kind, the most frequent first."""
        return dict(Counter(problem.kind for problem in self.problems).most_common())

    def as_dict(self) -> dict:
        """Return plain values for JSON: the counts, `kinds`, and `problems` as a list of dicts."""
        release = "yes" if self.release else "no"
        return {**asdict(self), "release": release, "kinds": self.kinds}
