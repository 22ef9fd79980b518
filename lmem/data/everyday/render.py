"""From the story to LoCoMo's JSON form, so that one reader serves all conversations."""

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from lmem.data.everyday import dates
from lmem.data.everyday.asks import Ask, answer, question_text
from lmem.data.everyday.marks import fill
from lmem.data.everyday.noise import type_out
from lmem.data.everyday.story import Sentence, Story
from lmem.data.everyday.values import Value
from lmem.data.everyday.world import CATEGORY

_CLIP = re.compile(r"^I(?:'m|'ve)? ")
_WORD = re.compile(r"[A-Za-z]+")
Shown: TypeAlias = dict[int, tuple[str, ...]]  # {slot: its values as they are spelled in the turn}


def texts(story: Story, values: Sequence[Value], rng: random.Random) -> tuple[list[str], Shown]:
    """Write every turn in words.

    Args:
        story: What is said in which turn.
        values: One per slot.
        rng: Source of the typing mistakes; the same seed mistypes the same words.

    Returns:
        (turns, shown): T strings, and {slot: its values as they are spelled there}.
    """
    turns: list[str] = []
    shown: Shown = {}
    for event in story.events:
        text = _joined(story, values, event.sentences)
        said, tags = type_out(text, story.styles[event.speaker], rng, story.typos)
        turns.append(said)
        for i, one in enumerate(event.sentences):
            if one.slot is not None:
                spelled = [
                    tags.get(f"{i}.{j}", text) for j, text in enumerate(values[one.slot].texts)
                ]
                shown[one.slot] = tuple(spelled)
            if one.link is not None:
                shown.setdefault(one.link, values[one.link].texts)
    return turns, shown


def _joined(story: Story, values: Sequence[Value], sentences: Sequence[Sentence]) -> str:
    """Join the sentences of a turn; what follows an opener goes on in lower case if it is no name."""
    text, opened = "", False
    for i, one in enumerate(sentences):
        said = _sentence(values, i, one)
        first = _WORD.match(said)
        goes_on = opened or (one.joint and text.endswith("."))
        if goes_on and first and first[0].lower() in story.language.common and first[0] != "I":
            said = said[:1].lower() + said[1:]
        if one.joint and goes_on and not opened:
            text = text[:-1] + one.joint + said
        else:
            text += (" " if text else "") + said
        opened = one.opens
    return text


def _sentence(values: Sequence[Value], i: int, one: Sentence) -> str:
    """Write a sentence with KEEP and END around what may not be mistyped, ended by a full stop unless it is the last."""
    if one.form is None:
        return one.template if one.opens else _stop(one.template)
    old = values[one.old] if one.old is not None else None
    value = values[one.slot] if one.slot is not None else old
    form = one.form
    if one.link is not None:
        form = replace(form, name=f"{form.name} {values[one.link].texts[0]}")
    said = fill(
        one.template, form, value.texts if value else (),
        old=(old.texts[0] if old.texts else old.when) if old else "", when=value.when if value else "",
        articles=one.article, tag=f"{i}.",
    )  # fmt: skip
    if one.clipped:
        said = _CLIP.sub("", said)
    if one.tail and said[-1] not in ".!?…":
        return said + one.tail
    return _stop(one.frame.replace("{ST}", said) if one.frame else said)


def _stop(text: str) -> str:
    return text if text[-1:] and text[-1] in ".!?…" else text + "."


def written(story: Story, values: Sequence[Value], asks: Sequence[Ask], rng: random.Random) -> dict:
    """Write the story with these values: {"conversation": ..., "qa": [...]}.

    Each turn also has `facts`, [subject, relation, answer] of everything that it tells; answer None takes it back.
    """
    cast = story.cast
    turns, shown = texts(story, values, rng)
    said: dict = {"speaker_a": cast.speakers[0], "speaker_b": cast.speakers[1]}
    facts: dict[int, list] = {}
    for (subject, relation), tellings in story.told.items():
        for telling in tellings:
            slot = telling.slot
            told = None if slot is None else _said(values[slot], shown[slot])
            facts.setdefault(telling.turns[-1], []).append([subject, relation, told])
    ids = []
    for s, moment in enumerate(story.moments):
        said[f"session_{s + 1}_date_time"] = dates.header(moment)
        rows = []
        for t in range(s * story.session_turns, min((s + 1) * story.session_turns, len(turns))):
            ids.append(f"D{s + 1}:{len(rows) + 1}")
            rows.append({"speaker": story.events[t].speaker, "dia_id": ids[-1], "text": turns[t]})
            if t in facts:
                rows[-1]["facts"] = facts[t]
        said[f"session_{s + 1}"] = rows
    qa = []
    for i, ask in enumerate(asks):
        right, evidence = answer(story, values, shown, ask.subject, ask.relation)
        row = {
            "id": f"{story.id}/q{i}",
            "question": question_text(story, ask),
            "evidence": [ids[t] for t in evidence],
            "category": CATEGORY[ask.kind],
            "kind": ask.kind,
            "subject": ask.subject,
            "relation": ask.relation,
            "held_out": _held_out(story, values, ask, evidence),
        }
        if right is not None:
            row["answer"] = right
        else:
            row["adversarial_answer"] = _tempting(story, values, shown, ask)
        qa.append(row)
    return {"conversation": said, "qa": qa}


def _held_out(
    story: Story, values: Sequence[Value], ask: Ask, evidence: Sequence[int]
) -> list[str]:
    """List the parts of the question that no adapter has met in training: name, relation, phrasing, value."""
    row, one = story.relation(ask.relation), story.cast.entities[ask.subject]
    told = [
        telling
        for rows in story.told.values()
        for telling in rows
        if set(telling.turns) & set(evidence)
    ]
    owner = story.cast.entities.get(one.owner or "")
    parts = []
    if one.held_out or (owner and owner.held_out):
        parts.append("name")
    if row.held_out or (one.role and story.language.roles[one.role].held_out):
        parts.append("relation")
    if ask.held_out or any(telling.held_out for telling in told):
        parts.append("phrasing")
    if any(values[telling.slot].held_out for telling in told if telling.slot is not None):
        parts.append("value")
    return parts


def _tempting(story: Story, values: Sequence[Value], shown: Shown, ask: Ask) -> str:
    """Find a wrong answer that is near: what was taken back, or the same relation of somebody else."""
    own = story.told.get((ask.subject, ask.relation), ())
    others = [rows for (_, name), rows in story.told.items() if name == ask.relation]
    for telling in (*reversed(own), *(one for rows in others for one in reversed(rows))):
        if telling.slot is not None:
            return _said(values[telling.slot], shown[telling.slot])
    return "no information"


def _said(value: Value, shown: tuple[str, ...]) -> str:
    """Give a slot's value as an answer."""
    return value.answer or ", ".join(shown)
