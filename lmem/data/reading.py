"""Reading: a question with some turns of its conversation as plain text, and the answer that they hold.

This is the language that the nano backbone is pre-trained on, the measure of how well it reads, and the form in which a
text memory gives its turns to a backbone (chapter 1; chapter 16).
"""

import random
from dataclasses import dataclass

from lmem.data import locomo, tinyworld
from lmem.data.tinyworld.language import UNKNOWN


@dataclass(frozen=True)
class Listing:
    """Turns, and what they say: `facts` are (key, value) with key "relation Subject", to be told one after the other."""

    source: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Reading:
    """One example: `source` is what the encoder sees, `target` what the decoder shall say."""

    source: str
    target: str
    kind: str
    relation: str


def source_text(question, texts):
    """The encoder's input: the question, then the turns as they were rendered, oldest first."""
    return " ".join([question.prompt, *texts])


def reading(conversation, texts, question, turns, rng, evidence=True, alike=False):
    """The question beside `turns` turns: its evidence and others drawn at random, in their order.

    texts     the conversation's turns, rendered
    turns     how many turns stand in the input (more if the evidence alone is more)
    evidence  False leaves the evidence out and puts other turns in its place
    alike     True draws turns first that answer the same relation for somebody else
    """
    kept = set(question.evidence)
    others = [t for t in range(len(texts)) if t not in kept]
    picked = kept if evidence else set()
    wanted = min(len(others), max(0, turns - len(picked)))
    if alike:
        same = {
            t for q in conversation.questions if q.relation == question.relation for t in q.evidence
        }
        rng.shuffle(others)
        drawn = sorted(others, key=lambda t: t not in same)[:wanted]
    else:
        drawn = rng.sample(others, wanted)
    picked = picked | set(drawn)
    source = source_text(question, [texts[t] for t in sorted(picked)])
    return Reading(source, question.answer or UNKNOWN, question.kind, question.relation)


def readings(seed, turns, world=None, evidence=True, told=True, undated=0.0, alike=0.0):
    """Endless stream of readings from held-out or training conversations of tinyworld, by seed.

    turns    a number, or a function without arguments that gives one for each question
    world    a tinyworld.World, or a function of a random.Random that gives one for each conversation
    told     True leaves out the questions whose fact was never told
    undated  share of the conversations whose turns stand without their date
    alike    share of the readings whose other turns tell the same relation of somebody else, where there are such
    """
    index = 0
    while True:
        rng = random.Random(f"reading {seed} {index}")
        where = world(rng) if callable(world) else world or tinyworld.World()
        [conversation] = locomo.parse([tinyworld.sample(seed, index, where, twin=False)])
        texts = conversation.texts(dates=rng.random() >= undated)
        for question in conversation.questions:
            if told and question.answer is None:
                continue
            n = turns() if callable(turns) else turns
            near = alike > 0 and rng.random() < alike
            yield reading(conversation, texts, question, n, rng, evidence, near)
        index += 1


def listings(seed, turns, facts=10):
    """Endless stream of listings: 2 to `turns` turns running, and up to `facts` facts that they tell, in random order.

    A reading asks one question, and where turns differ in what they speak of, the relation alone often finds the answer.
    Here many facts of few relations are asked of the same turns, so the subject must be read.
    """
    index = 0
    while True:
        rng = random.Random(f"listing {seed} {index}")
        world = tinyworld.World(
            turns=16, facts=0.9, overwritten=0.05, subjects=12, relations=rng.choice([1, 2, 3, 6]),
            questions=16, mix=(1, 0, 0, 0),
        )  # fmt: skip
        [conversation] = locomo.parse([tinyworld.sample(seed, index, world, twin=False)])
        texts = conversation.texts(dates=False)
        shown = rng.randint(2, min(turns, len(texts)))
        first = rng.randrange(len(texts) - shown + 1)
        told = [
            (f"{q.relation} {q.subject}", q.answer)
            for q in conversation.questions
            if all(first <= t < first + shown for t in q.evidence)
        ]
        if told:
            rng.shuffle(told)
            yield Listing(" ".join(texts[first : first + shown]), tuple(told[:facts]))
        index += 1
