"""Reading examples: a question with some turns of its conversation as plain text, and the answer that they contain.

The nano backbone is pre-trained on this language and measured on it, and a text memory gives its turns to a backbone in the
same form (chapter 1; chapter 16).
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from lmem.data import locomo, tinyworld
from lmem.data.conversation import Conversation, Question
from lmem.data.tinyworld.language import UNKNOWN


@dataclass(frozen=True)
class Listing:
    """Turns, and the facts that they state, to be listed one after the other.

    Attributes:
        source: The encoder's input.
        facts: (key, value) pairs; a key is "relation Subject".
    """

    source: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Reading:
    """One example: `source` is the encoder's input, `target` the answer that the decoder should give."""

    source: str
    target: str
    kind: str | None
    relation: str | None


def source_text(question: Question, texts: Sequence[str]) -> str:
    """Write the encoder's input: the question, then rendered turns, oldest first."""
    return " ".join([question.prompt, *texts])


def reading(
    conversation: Conversation,
    texts: Sequence[str],
    question: Question,
    turns: int,
    rng: random.Random,
    evidence: bool = True,
    alike: bool = False,
) -> Reading:
    """Put a question together with its evidence and random other turns, in their order.

    Args:
        conversation: Where the question comes from.
        texts: The conversation's turns, rendered.
        question: The question.
        turns: How many turns to show; more if the evidence alone is more.
        rng: The source of chance.
        evidence: False replaces the evidence by other turns.
        alike: Draw those turns first that answer the same relation for somebody else.
    """
    needed = set(question.evidence)
    others = [t for t in range(len(texts)) if t not in needed]
    shown = needed if evidence else set()
    wanted = min(len(others), max(0, turns - len(shown)))
    if alike:
        same = {
            t for q in conversation.questions if q.relation == question.relation for t in q.evidence
        }
        rng.shuffle(others)
        drawn = sorted(others, key=lambda t: t not in same)[:wanted]
    else:
        drawn = rng.sample(others, wanted)
    source = source_text(question, [texts[t] for t in sorted({*shown, *drawn})])
    return Reading(source, question.answer or UNKNOWN, question.kind, question.relation)


def readings(
    seed: int | str,
    turns: int | Callable[[], int],
    world: tinyworld.World | Callable[[random.Random], tinyworld.World] | None = None,
    evidence: bool = True,
    answered: bool = True,
    undated: float = 0.0,
    alike: float = 0.0,
) -> Iterator[Reading]:
    """Generate readings of tinyworld without end.

    Args:
        seed: Other seeds give other conversations.
        turns: Turns in each input, or a function that gives a number for each question.
        world: What conversations are drawn from, or a function that gives a World for each conversation.
        evidence: False leaves the evidence out of the input.
        answered: Leave out the questions whose fact was never stated.
        undated: Share of the conversations whose turns have no date.
        alike: Share of the readings whose other turns state the same relation of somebody else, where there are such.
    """
    for rng, conversation in conversations("reading", seed, world or tinyworld.World()):
        texts = conversation.texts(dates=rng.random() >= undated)
        for question in conversation.questions:
            if answered and question.answer is None:
                continue
            shown = turns() if callable(turns) else turns
            near = alike > 0 and rng.random() < alike
            yield reading(conversation, texts, question, shown, rng, evidence, near)


def listings(seed: int | str, turns: int, facts: int = 10) -> Iterator[Listing]:
    """Generate listings of tinyworld without end: consecutive turns, and facts that they state in random order.

    A reading asks one question, and where turns differ in what they are about, the relation alone often finds the answer.
    Here many facts of few relations are asked of the same turns, so the subject must be read too.

    Args:
        seed: Other seeds give other conversations.
        turns: Most turns of a listing; the fewest are 2.
        facts: Most facts of a listing.
    """
    for rng, conversation in conversations("listing", seed, _few_relations):
        texts = conversation.texts(dates=False)
        shown = rng.randint(2, min(turns, len(texts)))
        first = rng.randrange(len(texts) - shown + 1)
        stated = [
            (f"{q.relation} {q.subject}", q.answer)
            for q in conversation.questions
            if q.answer is not None and all(first <= t < first + shown for t in q.evidence)
        ]
        if stated:
            rng.shuffle(stated)
            yield Listing(" ".join(texts[first : first + shown]), tuple(stated[:facts]))


def _few_relations(rng: random.Random) -> tinyworld.World:
    """Draw a world of many facts of few relations, and no other questions than for them."""
    return tinyworld.World(
        turns=16,
        facts=0.9,
        overwritten=0.05,
        subjects=12,
        relations=rng.choice([1, 2, 3, 6]),
        questions=16,
        mix=(1, 0, 0, 0),
    )


def conversations(
    name: str, seed: int | str, world: tinyworld.World | Callable[[random.Random], tinyworld.World]
) -> Iterator[tuple[random.Random, Conversation]]:
    """Generate conversations without end, each with a random generator of its own."""
    for index in count():
        rng = random.Random(f"{name} {seed} {index}")
        drawn_from = world if isinstance(world, tinyworld.World) else world(rng)
        [conversation] = locomo.parse([tinyworld.sample(seed, index, drawn_from, twin=False)])
        yield rng, conversation
