"""Stories of tinyworld as conversations in the form of LoCoMo's release file (chapter 1)."""

import random
from operator import eq

from lmem.data.tinyworld.language import (
    HELD_OUT_NAMES,
    HELD_OUT_RELATIONS,
    MONTHS,
    RELATIONS,
    UNKNOWN,
)
from lmem.data.tinyworld.story import Ask, Story, Values, draw_asks, draw_story, draw_values, follow
from lmem.data.tinyworld.text import question_text, say
from lmem.data.tinyworld.world import World
from lmem.errors import InputError

CATEGORY = {"single": 4, "updated": 4, "two-hop": 1, "never-told": 5}  # LoCoMo's official numbers


def samples(
    n: int, seed: int | str = 0, world: World | None = None, twins: bool = True
) -> list[dict]:
    """Generate conversations in LoCoMo's JSON form.

    Args:
        n: How many. Conversation i depends on (seed, i, world) only.
        seed: Other seeds give other conversations.
        world: What they are drawn from.
        twins: Give each its counterfactual twin.

    Returns:
        n dicts: sample_id, conversation, qa, and counterfactual (conversation, qa).

    Raises:
        InputError: `n` is not positive.
    """
    if n < 1:
        raise InputError(f"expected at least 1 conversation, not {n}")
    return [sample(seed, i, world or World(), twins) for i in range(n)]


def sample(seed: int | str, index: int, world: World, twin: bool = True) -> dict:
    """Generate conversation number `index` of `seed`; see `samples`."""
    rng = random.Random(f"tinyworld {seed} {index}")
    story = draw_story(f"tiny-{seed}-{index}", rng, world)
    values = draw_values(story, rng)
    story.asks = draw_asks(story, values, rng, world)
    written = {"sample_id": story.id, **_fill(story, values, world)}
    if twin:
        others = draw_values(story, rng, other_than=values)
        written["counterfactual"] = _fill(story, others, world)
    return written


def _fill(story: Story, values: Values, world: World) -> dict:
    """Write the story with these values: {"conversation": ..., "qa": [...]}."""
    conversation: dict = dict(zip(("speaker_a", "speaker_b"), story.speakers, strict=True))
    ids = []
    for s, start in enumerate(range(0, world.turns, world.session_turns)):
        turns = []
        for t, event in enumerate(story.events[start : start + world.session_turns], start):
            ids.append(f"D{s + 1}:{len(turns) + 1}")
            text = say(event, values.get(t, ""))
            turns.append({"speaker": event.speaker, "dia_id": ids[-1], "text": text})
        # sessions are nine days apart, in months of 28 days
        date = f"{1 + s * 9 % 28} {MONTHS[s * 9 // 28 % 12]}"
        conversation[f"session_{s + 1}_date_time"] = date
        conversation[f"session_{s + 1}"] = turns
    qa = [_question(story, values, ids, i, ask) for i, ask in enumerate(story.asks)]
    return {"conversation": conversation, "qa": qa}


def _question(story: Story, values: Values, ids: list[str], index: int, ask: Ask) -> dict:
    answer, evidence = follow(story, values, ask.subject, ask.path)
    row = {
        "id": f"{story.id}/q{index}",
        "question": question_text(ask),
        "evidence": [ids[t] for t in sorted(evidence)],
        "category": CATEGORY[ask.kind],
        "kind": ask.kind,
        "subject": ask.subject,
        "relation": ask.path[-1],
        "held_out": _held_out(story, ask, evidence),
    }
    if answer is not None:
        return row | {"answer": answer}
    # never stated, or in the twin the first hop leads to somebody of whom it was not stated
    return row | {"adversarial_answer": _value_of_another(story, values, ask.path[-1])}


def _held_out(story: Story, ask: Ask, evidence: list[int]) -> list[str]:
    """List what no adapter has seen of this question in training: any of name, relation, phrasing."""
    events = [story.events[t] for t in evidence]
    parts = []
    if HELD_OUT_NAMES & {ask.subject, *(event.subject for event in events)}:
        parts.append("name")
    if HELD_OUT_RELATIONS & set(ask.path):
        parts.append("relation")
    held_out = [RELATIONS[relation].statements[-1] for relation in ask.path[: len(events)]]
    stated = [event.template for event in events]
    if ask.template == RELATIONS[ask.path[-1]].questions[-1] or any(map(eq, stated, held_out)):
        parts.append("phrasing")
    return parts


def _value_of_another(story: Story, values: Values, relation: str) -> str:
    """Find a value of the same relation that was stated for somebody else: the tempting wrong answer."""
    for (_, stated), turns in story.stated.items():
        if stated == relation:
            return values[turns[-1]]
    return UNKNOWN
