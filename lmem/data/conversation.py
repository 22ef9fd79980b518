"""A conversation as plain values: sessions of turns, and the questions asked at its end.

    lag = max(0, T - 1 - min(evidence)),   T the number of turns      paper, section 4; chapter 1

Evidence is given as positions in `Conversation.turns`, which runs over the sessions in numeric
order. Nothing here knows a file: `locomo` makes these values, everything else takes them.
"""

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from lmem.errors import DataError

if TYPE_CHECKING:
    from datasets import DatasetDict

CATEGORIES = {  # LoCoMo's official numbers
    1: "multi-hop",
    2: "temporal",
    3: "open-domain",
    4: "single-hop",
    5: "adversarial",
}


@dataclass(frozen=True)
class Turn:
    """What one speaker said at once; `caption` describes a picture sent with it.

    raises  DataError if there are no words in the text
    """

    id: str
    speaker: str
    text: str
    caption: str | None = None
    session: int = 1

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise DataError(f"expected words in turn {self.id}, its text is empty")

    def render(self, date: str | None = None, captions: bool = True) -> str:
        """The turn as the encoder sees it: `context: DATE, SPEAKER: TEXT [image: CAPTION]`."""
        when = f"{date}, " if date else ""
        image = f" [image: {self.caption}]" if captions and self.caption else ""
        return f"context: {when}{self.speaker}: {self.text}{image}"


@dataclass(frozen=True)
class Session:
    """The turns of one sitting. `date` is the string in the file, "" if there is none."""

    number: int
    date: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Question:
    """A question about the conversation, asked at its end.

    answer              None if there is none (most of LoCoMo's category 5; never told in tinyworld)
    category            LoCoMo's number, see CATEGORIES; 0 if the file names none of them
    evidence            positions of the turns that hold the answer, ascending, () if unknown
    lag                 turns said since the oldest evidence, None without evidence
    adversarial_answer  the tempting wrong answer of category 5
    kind                tinyworld's name for the sort of question
    subject, relation   tinyworld's names of whom is asked about, and what ("Ana", "pet"); of two hops the first and the last
    held_out            what no adapter met in training: any of "relation", "name", "phrasing"
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
        """The question as the encoder sees it."""
        return f"question: {self.text}"

    @property
    def category_name(self) -> str:
        return CATEGORIES.get(self.category, "unknown")


@dataclass(frozen=True)
class Conversation:
    """Sessions in numeric order, the questions, and the counterfactual twin if it was generated.

    raises  DataError if there is no turn, sessions are out of order, or evidence names no turn
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
        """Every turn as the encoder sees it, oldest first: T strings.

        dates     put the session's date before the speaker; most answers to "when" stand only there
        captions  add ` [image: ...]` where a picture was sent
        """
        return [
            turn.render(session.date if dates else None, captions)
            for session in self.sessions
            for turn in session.turns
        ]

    def until(self, turns: int) -> "Conversation":
        """Its first `turns` turns, with the questions whose evidence lies in them; lags are counted from there.

        raises  DataError if there is no such turn
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


def lag_of(evidence: tuple[int, ...], turns: int) -> int | None:
    """Turns said since the oldest evidence, out of `turns` in all; None without evidence."""
    return max(0, turns - 1 - min(evidence)) if evidence else None


@dataclass(frozen=True)
class Problem:
    """Something in the file that is not as it should be: what came, and what was done about it."""

    kind: str
    conversation: str
    question: str | None
    came: str
    done: str


@dataclass
class Report:
    """What a reader found: counts, and problems. `spare_dates` belong to sessions without turns."""

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
        """How many problems there are of each kind, the most frequent first."""
        return dict(Counter(problem.kind for problem in self.problems).most_common())

    def as_dict(self) -> dict:
        """Plain values for JSON: the counts, `kinds`, and `problems` as a list of dicts."""
        return {**asdict(self), "kinds": self.kinds}


def row(conversation: Conversation) -> dict:
    """A conversation as nested plain values: id, speakers, sessions (with turns), questions."""
    return {
        "id": conversation.id,
        "speakers": list(conversation.speakers),
        "sessions": [
            {
                "number": session.number,
                "date": session.date,
                "turns": [dict(vars(turn)) for turn in session.turns],
            }
            for session in conversation.sessions
        ],
        "questions": [
            {**vars(q), "evidence": list(q.evidence), "held_out": list(q.held_out)}
            for q in conversation.questions
        ],
    }


def to_datasets(
    train: list[Conversation], test: list[Conversation], **more: list[Conversation]
) -> "DatasetDict":
    """Conversations for the `datasets` library: one split per list, one row per conversation.

    A conversation is written once and then asked many questions, so its questions stay inside its
    row (see `row`); one row per question would repeat some 600 turns for each. `more` names further
    splits. A row leaves its twin out: `to_datasets(train, test, twin=[c.twin for c in test])`.

    returns  DatasetDict with the columns id, speakers, sessions, questions
    """
    from datasets import Dataset, DatasetDict, Features, List, Value  # takes seconds to import

    text, number = Value("string"), Value("int64")
    turn = {"id": text, "speaker": text, "text": text, "caption": text, "session": number}
    question = {
        "id": text,
        "text": text,
        "answer": text,
        "category": number,
        "evidence": List(number),
        "lag": number,
        "adversarial_answer": text,
        "kind": text,
        "held_out": List(text),
        "subject": text,
        "relation": text,
    }
    features = Features(
        {
            "id": text,
            "speakers": List(text),
            "sessions": List({"number": number, "date": text, "turns": List(turn)}),
            "questions": List(question),
        }
    )
    splits = {"train": train, "test": test, **more}
    return DatasetDict(
        {
            name: Dataset.from_list([row(c) for c in conversations], features=features)
            for name, conversations in splits.items()
        }
    )
