"""The story: who says what, when; everything but the values.

A story is a list of events, one per turn. Each event is a list of sentences; a sentence may state a fact about
(subject, relation) and then has a *slot*, which a value fills. Filling the same slots with other values gives the
counterfactual twin.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from lmem.data.everyday.cast import Cast
from lmem.data.everyday.language import Language, Relation
from lmem.data.everyday.marks import Form

Key: TypeAlias = tuple[str, str]  # (subject, relation)


@dataclass(frozen=True)
class Slot:
    """What is told at one place: values of a kind, and a time if the relation is temporal.

    Attributes:
        key: (subject, relation).
        count: How many values are told together ("pottery and yoga").
        session: Number of the session, from 0; a time is counted from its date.
        before: The slot whose value this one replaces.
    """

    key: Key
    count: int = 1
    session: int = 0
    before: int | None = None


@dataclass(frozen=True)
class Sentence:
    """One sentence: plain text, or a statement with marks about a subject.

    Attributes:
        template: Text, with marks if there is a form.
        form: How the subject is referred to.
        slot: The slot that fills {V} and {WHEN}.
        old: The slot that fills {OLD}.
        frame: What is put around it; {ST} is the sentence.
        link: The slot whose name goes after the role: "my sister" becomes "my sister Lena".
        opens: Whether it is an opener, which the next sentence goes on from.
        clipped: Whether "I", "I'm" or "I've" at the start is left out.
        joint: What joins it to the sentence before, " and ", instead of a full stop.
        tail: What is typed after it instead of a full stop.
        article: Whether {a V} writes an article.
        held_out: Whether training never uses this phrasing.
    """

    template: str
    form: Form | None = None
    slot: int | None = None
    old: int | None = None
    frame: str = ""
    link: int | None = None
    opens: bool = False
    clipped: bool = False
    joint: str = ""
    tail: str = ""
    article: bool = True
    held_out: bool = False


@dataclass(frozen=True)
class Event:
    """One turn."""

    speaker: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class Telling:
    """A fact told, or taken back: the turns that are needed to understand it."""

    slot: int | None
    turns: tuple[int, ...]
    withdrawn: bool = False
    held_out: bool = False
    speaker: str = ""


@dataclass
class Story:
    """Events, and where each fact was told.

    Attributes:
        tellings: {(subject, relation): tellings, oldest first}.
        moments: The sessions' dates.
        session_turns: Turns in a session.
        styles: {speaker: name of a style of `noise`}.
        typos: Share of the words that are mistyped.
    """

    id: str
    cast: Cast
    language: Language
    events: list[Event] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    tellings: dict[Key, list[Telling]] = field(default_factory=dict)
    moments: list[datetime] = field(default_factory=list)
    session_turns: int = 20
    styles: dict[str, str] = field(default_factory=dict)
    typos: float = 0.0

    def relation(self, name: str) -> Relation:
        """Give the Relation of a name or a role."""
        return self.language.roles.get(name) or self.language.relations[name]
