"""Reading everyday conversations: a question with some turns as plain text, and the answer that they hold.

As `lmem.data.reading` does for tinyworld, with harder company for the evidence: turns that tell the same relation of
somebody else, another relation of the same subject, or an older value; and questions whose evidence is left out.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from lmem.data import everyday, locomo
from lmem.data.conversation import Question
from lmem.data.everyday.language import Language
from lmem.data.everyday.world import World
from lmem.data.reading import Listing
from lmem.data.reading import Reading as PlainReading
from lmem.errors import InputError


@dataclass(frozen=True)
class Reading(PlainReading):
    """One example.

    Attributes:
        source: What the encoder sees: the question, then turns in their order.
        target: The answer, or "unknown".
        kind: Of the question.
        relation: Of the question.
        subject: Of the question.
        held_out: Of the question.
        subject_errors: Answers that are right for the same relation of another subject in the input.
        relation_errors: Answers that are right for another relation of the same subject.
        old: Values of the same fact that no longer hold.
    """

    subject: str | None
    held_out: tuple[str, ...]
    subject_errors: frozenset[str]
    relation_errors: frozenset[str]
    old: frozenset[str]


class Source:
    """One generated conversation, its turns as text, and the facts of each turn.

    Args:
        sample: What `everyday.sample` returns.
        dates: Write the session's date in front of each turn.
    """

    def __init__(self, sample: dict, dates: bool) -> None:
        [self.conversation] = locomo.parse([sample])
        self.texts = self.conversation.texts(dates=dates)
        written = sample["conversation"]
        rows = [row for s in self.conversation.sessions for row in written[f"session_{s.number}"]]
        self.facts = [[tuple(fact) for fact in row.get("facts", ())] for row in rows]
        self.dates = dates
        roles = everyday.load().roles
        self.names = {(s, r): v for facts in self.facts for s, r, v in facts if r in roles}

    def ids(self, subject: str | None) -> set[str | None]:
        """List the ids under which facts about a subject are stated: its own, and those that a role leads to."""
        ids = {subject}
        for (owner, role), name in self.names.items():
            if subject in (name, f"{owner}'s {role}"):
                ids |= {name, f"{owner}'s {role}"}
        return ids

    def turns_of(self, subject: str | None, relation: str | None) -> set[int]:
        """Find the turns that state this fact, or take it back."""
        ids = self.ids(subject)
        return {
            t
            for t, facts in enumerate(self.facts)
            if any(f[0] in ids and f[1] == relation for f in facts)
        }

    def direct(self, question: Question) -> bool:
        """Check whether the asked fact is stated of the subject itself, not of whom a role leads to."""
        asked = (question.subject, question.relation)
        return any(fact[:2] == asked for facts in self.facts for fact in facts)

    def links_of(self, subject: str | None) -> set[int]:
        """Find the turns that say which name belongs to a role of this subject."""
        ids = self.ids(subject)
        return {
            t
            for t, facts in enumerate(self.facts)
            if any(f"{f[0]}'s {f[1]}" in ids and f[2] in ids for f in facts)
        }


def reading(
    source: Source,
    question: Question,
    turns: int,
    rng: random.Random,
    near: float = 0.5,
    missing: bool = False,
) -> Reading:
    """Make one question with `turns` turns: its evidence and others, in their order.

    Args:
        source: A conversation.
        question: One of its questions.
        turns: Turns in the input (more if the evidence alone is more).
        rng: Source of chance.
        near: Share of the other turns that are chosen for being similar.
        missing: Leave the evidence out, wholly or in part, so that the answer is "unknown".
    """
    ids = source.ids(question.subject)
    kept, banned = _evidence(source, question, rng, missing)
    alike, same = [], []
    for t, facts in enumerate(source.facts):
        if t in kept or t in banned:
            continue
        if any(f[1] == question.relation for f in facts):
            alike.append(t)
        elif any(f[0] in ids for f in facts):
            same.append(t)
    rng.shuffle(alike)
    rng.shuffle(same)
    free = [t for t in range(len(source.texts)) if t not in kept and t not in banned]
    wanted = min(len(free), max(0, turns - len(kept)))
    close = alike[: max(1, wanted - 1)] + same
    n = min(len(close), sum(rng.random() < near for _ in range(wanted)))
    drawn = set(close[:n])
    rest = [t for t in free if t not in drawn]
    drawn |= set(rng.sample(rest, min(len(rest), wanted - n)))
    picked = sorted(kept | drawn)
    answer = None if missing else question.answer
    shown = [fact for t in picked for fact in source.facts[t] if fact[2] is not None]
    right = {answer} if answer else set()
    subjects = {v for s, r, v in shown if r == question.relation and s not in ids}
    relations = {v for s, r, v in shown if s in ids and r != question.relation}
    old = {v for s, r, v in shown if s in ids and r == question.relation}
    return Reading(
        " ".join([question.prompt, *(source.texts[t] for t in picked)]),
        answer or everyday.UNKNOWN,
        "abstention" if missing else question.kind,
        question.relation,
        question.subject,
        question.held_out,
        frozenset(subjects - right),
        frozenset(relations - right),
        frozenset(old - right),
    )


def _evidence(
    source: Source, question: Question, rng: random.Random, missing: bool
) -> tuple[set[int], set[int]]:
    """Choose the turns that must be in the input and those that must not.

    Of a fact that follows through a role, half of the evidence is enough to take away: the fact, or whose name it is.
    """
    own = source.turns_of(question.subject, question.relation)
    kept = set(question.evidence)
    if not missing:
        if rng.random() < 0.85:
            kept |= {t for t in own if t <= max(question.evidence, default=0)}  # older values
        return kept, set()
    banned = kept | own
    if own and not source.direct(question) and rng.random() < 0.7:
        banned = rng.choice([source.links_of(question.subject), own])
    return kept - banned, banned


def readings(
    seed: int | str,
    turns: int | Callable[[], int],
    world: World | Callable[[random.Random], World] | None = None,
    near: float = 0.5,
    missing: float = 0.0,
    undated: float = 0.0,
    language: Language | None = None,
) -> Iterator[Reading]:
    """Draw readings without an end.

    Args:
        seed: Names the stream.
        turns: A number, or a function without arguments that gives one for each question.
        world: What the conversations are drawn from, or a function that draws one per conversation.
        near: As for `reading`.
        missing: Share of the questions whose evidence is left out.
        undated: Share of the conversations whose turns have no date; nobody asks "when" there.
        language: Of the conversations; None is the whole one.
    """
    for index in count():
        rng = random.Random(f"everyday reading {seed} {index}")
        where = world(rng) if callable(world) else world or everyday.World()
        sample = everyday.sample(seed, index, where, False, language)
        source = Source(sample, rng.random() >= undated)
        for question in source.conversation.questions:
            if not source.dates and everyday.load().tense(question.relation):
                continue
            n = turns() if callable(turns) else turns
            out = missing > 0 and question.answer is not None and rng.random() < missing
            yield reading(source, question, n, rng, near, out)


def listings(
    seed: int | str, turns: int, world: Callable[[random.Random], World]
) -> Iterator[Listing]:
    """Draw listings without an end: consecutive turns, and up to 8 questions about them in random order.

    A reading asks one question, and where turns differ in what they speak of, the relation alone often finds
    the answer. Here many facts of few relations are asked of the same turns, so the subject must be read.

    Args:
        seed: Names the stream.
        turns: Turns of an input, at most.
        world: Draws a World of few relations.

    Raises:
        InputError: A world has no questions.
    """
    for index in count():
        rng = random.Random(f"everyday listing {seed} {index}")
        where = world(rng)
        if where.questions == 0:
            raise InputError("expected a world with questions to list, got one with 0")
        sample = everyday.sample(f"{seed} listing", index, where, False)
        source = Source(sample, dates=False)
        asked = [
            question
            for question in source.conversation.questions
            if question.evidence and not everyday.load().tense(question.relation)
        ]
        for _ in range(3):
            shown = rng.randint(2, min(turns, len(source.texts)))
            first = rng.randrange(len(source.texts) - shown + 1)
            rows = [
                (question.prompt, question.answer or everyday.UNKNOWN)
                for question in asked
                if first <= question.evidence[0] and question.evidence[-1] < first + shown
            ]
            if rows:
                rng.shuffle(rows)
                yield Listing(" ".join(source.texts[first : first + shown]), tuple(rows[:8]))
