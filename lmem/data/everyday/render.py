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
from lmem.data.everyday.values import Value, Values
from lmem.data.everyday.world import CATEGORY

_CLIP = re.compile(r"^I(?:'m|'ve)? ")
_WORD = re.compile(r"[A-Za-z]+")
Shown: TypeAlias = dict[int, tuple[str, ...]]  # {slot: its values as they are spelled in the turn}


def texts(story: Story, values: Values, rng: random.Random) -> tuple[list[str], Shown]:
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
        for i, sentence in enumerate(event.sentences):
            if sentence.slot is not None:
                spelled = [
                    tags.get(f"{i}.{j}", text) for j, text in enumerate(values[sentence.slot].texts)
                ]
                shown[sentence.slot] = tuple(spelled)
            if sentence.link is not None:
                shown.setdefault(sentence.link, values[sentence.link].texts)
    return turns, shown


def _joined(story: Story, values: Values, sentences: Sequence[Sentence]) -> str:
    """Join the sentences of a turn; what follows an opener goes on in lower case if it is no name."""
    text, opened = "", False
    for i, sentence in enumerate(sentences):
        said = _sentence(values, i, sentence)
        first = _WORD.match(said)
        goes_on = opened or (sentence.joint and text.endswith("."))
        if goes_on and first and first[0].lower() in story.language.common and first[0] != "I":
            said = said[:1].lower() + said[1:]
        if sentence.joint and goes_on and not opened:
            text = text[:-1] + sentence.joint + said
        else:
            text += ("" if not text else " " if opened else _gap(text)) + said
        opened = sentence.opens
    return text


def _gap(text: str) -> str:
    """Give what goes between two sentences: a full stop if the first one has a tail of letters."""
    return ". " if text[-1].isalnum() else " "


def _sentence(values: Values, i: int, sentence: Sentence) -> str:
    """Write a sentence with KEEP and END around what may not be mistyped, ended by a full stop unless it is the last."""
    if sentence.form is None:
        return sentence.template if sentence.opens else _stop(sentence.template)
    old = values[sentence.old] if sentence.old is not None else None
    value = values[sentence.slot] if sentence.slot is not None else old
    form = sentence.form
    if sentence.link is not None:
        form = replace(form, name=f"{form.name} {values[sentence.link].texts[0]}")
    said = fill(
        sentence.template, form, value.texts if value else (),
        old=(old.texts[0] if old.texts else old.when) if old else "", when=value.when if value else "",
        articles=sentence.article, tag=f"{i}.",
    )  # fmt: skip
    if sentence.clipped:
        said = _CLIP.sub("", said)
    if sentence.tail and said[-1] not in ".!?…":
        return said + sentence.tail
    return _stop(sentence.frame.replace("{ST}", said) if sentence.frame else said)


def _stop(text: str) -> str:
    return text if text[-1:] and text[-1] in ".!?…" else text + "."


def written(story: Story, values: Values, asks: Sequence[Ask], rng: random.Random) -> dict:
    """Write the story with these values: {"conversation": ..., "qa": [...]}.

    Each turn also has `facts`, [subject, relation, answer] of everything that it tells; answer None takes it back.
    """
    cast = story.cast
    turns, shown = texts(story, values, rng)
    said: dict = {"speaker_a": cast.speakers[0], "speaker_b": cast.speakers[1]}
    facts: dict[int, list] = {}
    for t, event in enumerate(story.events):  # "my sister Lena" says her name again
        for sentence in event.sentences:
            if sentence.link is not None:
                owner, role = story.slots[sentence.link].key
                facts.setdefault(t, []).append([owner, role, values[sentence.link].texts[0]])
    for (subject, relation), tellings in story.tellings.items():
        for telling in tellings:
            slot = telling.slot
            text = None if slot is None else _said(values[slot], shown[slot])
            fact = [subject, relation, text]
            if fact not in facts.setdefault(telling.turns[-1], []):
                facts[telling.turns[-1]].append(fact)
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
        right, evidence = answer(story, values, shown, (ask.subject, ask.relation))
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


def _held_out(story: Story, values: Values, ask: Ask, evidence: Sequence[int]) -> list[str]:
    """List the parts of the question that no adapter has met in training: name, relation, phrasing, value."""
    row, subject = story.relation(ask.relation), story.cast.entities[ask.subject]
    evident = [
        telling
        for rows in story.tellings.values()
        for telling in rows
        if set(telling.turns) & set(evidence)
    ]
    owner = story.cast.entities.get(subject.owner or "")
    parts = []
    if subject.held_out or (owner and owner.held_out):
        parts.append("name")
    if row.held_out or (subject.role and story.language.roles[subject.role].held_out):
        parts.append("relation")
    if ask.held_out or any(telling.held_out for telling in evident):
        parts.append("phrasing")
    if any(values[telling.slot].held_out for telling in evident if telling.slot is not None):
        parts.append("value")
    return parts


def _tempting(story: Story, values: Values, shown: Shown, ask: Ask) -> str:
    """Find a wrong answer that is near: what was taken back, or the same relation of somebody else."""
    own = story.tellings.get((ask.subject, ask.relation), ())
    same = [rows for (_, name), rows in story.tellings.items() if name == ask.relation]
    for telling in (*reversed(own), *(telling for rows in same for telling in reversed(rows))):
        if telling.slot is not None:
            return _said(values[telling.slot], shown[telling.slot])
    return "no information"


def _said(value: Value, shown: tuple[str, ...]) -> str:
    """Give a slot's value as an answer."""
    return value.answer or ", ".join(shown)
