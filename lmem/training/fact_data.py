"""Conversations with every fact marked at its token: what a span memory is trained on (chapter 14).

Everyday conversations say which turn states which fact. Here each fact gets the token where its value begins, each question the
facts that it needs, and all turns and questions are encoded once.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from lmem.backbone.backbone import Backbone, last_place
from lmem.data import everyday
from lmem.data.conversation import Question
from lmem.data.everyday.language import opened
from lmem.data.everyday.reading import Source
from lmem.data.messages import questions_before
from lmem.errors import InputError
from lmem.utils.progress import track

OPEN = 300  # open relations that a conversation may speak of, besides those of the language
TURNS = 240  # of a training conversation: enough facts for hard company
Draw = Callable[[random.Random], everyday.World]


@dataclass(frozen=True)
class Fact:
    """A fact that a turn states.

    Attributes:
        turn: Of the conversation.
        token: Of the turn, where the value begins; the last one where something is taken back.
        pieces: Tokens of the value.
        about: (subject, relation).
        value: None where it is taken back.
        single: Only one value holds at a time, so a new one replaces the old.
    """

    turn: int
    token: int
    pieces: int
    about: tuple[str, str]
    value: str | None
    single: bool


@dataclass(frozen=True)
class FactQuestion:
    """A question and the facts that answer it.

    Attributes:
        prompt: As the encoder sees it.
        answer: Its answer, or "unknown".
        first: Facts that the first hop may find; empty if nothing was told.
        last: Facts with the answer, in whatever turn: what is said twice is right both times.
    """

    prompt: str
    answer: str
    first: tuple[int, ...]
    last: tuple[int, ...]

    @property
    def two_hops(self) -> bool:
        """Whether one row leads to another."""
        return self.first != self.last


@dataclass(frozen=True)
class FactConversation:
    """One conversation, encoded.

    Attributes:
        texts: Its turns; one that follows a question is encoded together with it.
        latents: Of the turns' own tokens, (N, D) each, in half precision.
        facts: In their order.
        live: For each fact whether it still holds at the end.
        questions: With their facts.
        asked: Latents of the questions, (N, D) each, in half precision.
    """

    texts: list[str]
    latents: list[Tensor]
    facts: list[Fact]
    live: list[bool]
    questions: list[FactQuestion]
    asked: list[Tensor]


def default_world(rng: random.Random) -> everyday.World:
    """A conversation for training: dense, with many questions that have no answer."""
    return everyday.World(
        turns=TURNS,
        facts=rng.choice([0.35, 0.5]),
        overwritten=0.15,
        withdrawn=0.1,
        questions=120,
        mix=(0.42, 0.14, 0.04, 0.15, 0.25),
        pool="train",
    )


def long_world(rng: random.Random) -> everyday.World:
    """A conversation for calibration: as long and as dense as one that is remembered in use."""
    return everyday.World(turns=600, facts=0.35, overwritten=0.15, questions=150, pool="train")


def fact_conversations(
    backbone: Backbone,
    n: int,
    seed: int | str,
    world: Draw = default_world,
    open_relations: bool = False,
    progress: bool = True,
) -> list[FactConversation]:
    """Draw and encode everyday conversations.

    Args:
        backbone: Its frozen encoder is used.
        n: How many.
        seed: Names the stream.
        world: Draws the world of a conversation.
        open_relations: Every second conversation speaks of open relations too.
        progress: Show a progress bar.

    Raises:
        InputError: No question's answer is found in any turn.
    """
    drawn = []
    for i in track(range(n), "encoding conversations", progress):
        rng = random.Random(f"facts {seed} {i}")
        own = random.Random(f"open {seed} {i}")
        language = opened(everyday.load(), own, OPEN) if open_relations and i % 2 else None
        sample = everyday.sample(f"facts {seed}", i, world(rng), False, language)
        drawn.append(_conversation(backbone, Source(sample, dates=rng.random() < 0.25)))
    if not any(question.last for each in drawn for question in each.questions):
        raise InputError(f"expected questions about facts in {n} conversations, found none")
    return drawn


def _conversation(backbone: Backbone, source: Source) -> FactConversation:
    texts = source.texts
    facts = _facts(backbone, source)
    live = [
        not fact.single
        or all(_as(later) == _as(fact) for later in facts[i + 1 :] if later.about == fact.about)
        for i, fact in enumerate(facts)
    ]
    questions = [
        asked
        for question in source.conversation.questions
        if (asked := _question(question, facts, live)) is not None
    ]
    asked = backbone.encode([q.prompt for q in questions], truncate=True) if questions else []
    latents = backbone.encode_after(questions_before(texts), texts, truncate=True)
    latents = [states.half().clone() for states in latents]
    return FactConversation(texts, latents, facts, live, questions, [z.half() for z in asked])


def _facts(backbone: Backbone, source: Source) -> list[Fact]:
    language = everyday.load()
    many = {name for name, relation in language.relations.items() if relation.many}
    found = []
    for turn, (stated, ids) in enumerate(
        zip(source.facts, backbone.tokenize(source.texts, truncate=True), strict=True)
    ):
        for subject, relation, value in stated:
            place = (len(ids) - 1, 1) if value is None else _last_place(backbone, ids, value)
            if place:
                single = relation not in many and relation not in language.roles
                found.append(Fact(turn, *place, (subject, relation), value, single))
    return found


def _last_place(backbone: Backbone, ids: list[int], value: str) -> tuple[int, int] | None:
    """Find the last place of a value in a turn: where it begins, and its tokens."""
    for text in (f" {value}", value):
        pieces = backbone.tokenizer.encode(text, add_special_tokens=False)
        start = last_place(ids, pieces)
        if start is not None:
            return start, len(pieces)
    return None


def _question(question: Question, facts: list[Fact], live: list[bool]) -> FactQuestion | None:
    """Find the facts that a question needs; None if a fact is not in the text as a span."""
    about = (question.subject, question.relation)
    if question.answer is None:
        taken_back = tuple(
            i for i, fact in enumerate(facts) if live[i] and fact.about == about and not fact.value
        )
        return FactQuestion(question.prompt, everyday.UNKNOWN, taken_back, taken_back)
    roles = everyday.load().roles
    evidence = [fact for fact in facts if fact.turn in question.evidence]
    answers = {_as(fact) for fact in evidence if fact.value == question.answer}
    told = [i for i, fact in enumerate(facts) if _as(fact) in answers]  # in whatever turn
    last = tuple([i for i in told if live[i]] or told[-1:])
    if not last:
        return None
    linking = {_as(fact) for fact in evidence if fact.about[1] in roles} - answers
    links = tuple(i for i, fact in enumerate(facts) if _as(fact) in linking)
    leads = question.kind == "multi-hop" and facts[last[-1]].about[0] != question.subject
    return FactQuestion(question.prompt, question.answer, links if leads and links else last, last)


def _as(fact: Fact) -> tuple[tuple[str, str], str | None]:
    """Return what a fact says; the same may be said in several turns."""
    return fact.about, fact.value
