"""The teller: writes a story turn by turn, in small talk, statements, questions with their replies, updates and withdrawals."""

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from lmem.data.everyday import dates, noise
from lmem.data.everyday.cast import Namer, draw_cast
from lmem.data.everyday.keys import Keys, usable
from lmem.data.everyday.language import Language, Relation
from lmem.data.everyday.marks import Form, marks_of
from lmem.data.everyday.story import Event, Key, Sentence, Slot, Story, Telling
from lmem.data.everyday.talk import Talk
from lmem.data.everyday.world import World

_CLIPS = re.compile(  # "Allergic to nuts", "Got a dog"; a verb in the present would sound like an order
    r"\{S'(?:m|ve)\} |\{S\} (?:\{was\}|can't|just|finally|got|had|went|saw|took|lost|broke|made|ran|found|fell|left|met|fled|\w+ed)\b"
)
_PLAIN = re.compile(r"\{S[^,:.!?]*$")  # one clause that begins with its subject


class Teller:
    """Writes one story, turn by turn."""

    def __init__(self, name: str, rng: random.Random, world: World, language: Language) -> None:
        self.rng, self.world, self.language = rng, world, language
        self.train = world.pool == "train"
        self.relations = usable(world, language, rng)
        self.namer = Namer(rng, world, language)
        self.cast = draw_cast(self.namer, self.relations)
        self.story = Story(name, self.cast, language, session_turns=world.session_turns)
        self.talk = Talk(self.cast, self.namer)
        self.keys = Keys(rng, self.story, self.relations)
        self.used: set[str] = set()

    def write(self) -> tuple[Story, Namer]:
        """Write all turns.

        Returns:
            (story, the Namer that goes on to draw names which the story does not have).
        """
        rng, world, story = self.rng, self.world, self.story
        sessions = -(-world.turns // world.session_turns)
        story.moments = dates.sessions(rng, sessions)
        story.styles = {name: rng.choice(noise.STYLES) for name in self.cast.speakers}
        story.typos = rng.choice([0.01, 0.03, 0.06]) if rng.random() < world.typos else 0.0
        n_facts = max(1, round(world.facts * world.turns))
        self.fact_turns = set(rng.sample(range(world.turns), min(n_facts, world.turns)))
        while len(story.events) < world.turns:
            self.t = len(story.events)
            self._turn()
        return story, self.namer

    def _turn(self) -> None:
        rng = self.rng
        speaker = self._speaker()
        if self.t not in self.fact_turns:
            room = self.t + 1 < self.world.turns and (self.t + 1) % self.world.session_turns
            dialogue = room and not self.cast.alone and self.t + 1 in self.fact_turns
            if dialogue and rng.random() < 0.35:
                asked = self._asked if rng.random() < 0.7 else self._asked_about
                if asked(speaker):
                    return
            self._say(speaker, self._chat(speaker))
            return
        once = [key for key in self.story.tellings if self.keys.changeable(key)]
        drawn = rng.random()
        if once and drawn < self.world.withdrawn and self._withdraw(speaker, once):
            return
        if once and drawn < self.world.withdrawn + self.world.overwritten:
            self._update(speaker, once)
            return
        key = self.keys.new(speaker)
        if key is None:
            self._say(speaker, self._chat(speaker))
            return
        self._tell(speaker, key)

    def _speaker(self) -> str:
        if self.cast.alone:
            return self.cast.speakers[0]
        if self.story.events and self.t % self.world.session_turns and self.rng.random() < 0.88:
            last = self.story.events[-1].speaker
            return self.cast.speakers[last == self.cast.speakers[0]]
        return self.rng.choice(self.cast.speakers)

    def _say(self, speaker: str, sentences: list[Sentence]) -> None:
        short = sum(len(sentence.template.split()) for sentence in sentences) < 3
        if short and self.rng.random() < 0.5:
            sentences = [*sentences, Sentence(self.talk.line("small_talk", speaker))]
        self.story.events.append(Event(speaker, tuple(sentences)))

    def _chat(self, speaker: str) -> list[Sentence]:
        """Draw a turn without a fact: a distractor, a reaction, small talk."""
        rng, events = self.rng, self.story.events
        start = self.t - self.t % self.world.session_turns
        end = min(start + self.world.session_turns, self.world.turns)
        greet = self.t - start < 3 and all(
            event.speaker != speaker for event in events[start : self.t]
        )
        react = self.t > start and self.t - 1 in self.fact_turns and events[-1].speaker != speaker
        if not greet and rng.random() < self.world.distractors:
            people = [s for s in self.keys.subjects if s not in self.cast.speakers]
            people = [s for s in people if self.cast.entities[s].kind == "person"]
            if people and rng.random() < 0.35:
                form = self.cast.refer(rng.choice(people), speaker)
                return [Sentence(self.talk.mention().replace("{N}", "{S}"), form)]
            return [Sentence(self.talk.distractor())]
        return [Sentence(text) for text in self.talk.chat(speaker, greet, self.t >= end - 2, react)]

    # ---- facts -----------------------------------------------------------------------------------

    def _tell(self, speaker: str, key: Key) -> None:
        """State a new fact, now and then a second one about the same subject in the same turn."""
        rng, (subject, name) = self.rng, key
        row = self.story.relation(name)
        own = subject in self.cast.speakers and subject != speaker
        form = self.cast.refer(subject, speaker)
        texts = row.train("statements") if self.train else row.statements
        if own:  # a frame goes around one sentence that begins with its subject
            texts = [text for text in texts if _PLAIN.match(text)] or texts
        template = self._fresh(texts)
        if form.how == "I" and row.first and rng.random() < 0.25:
            template = self._fresh(row.first)
        elif row.brief and not own and rng.random() < 0.1:
            template = self._fresh(row.brief)
        slot = self._slot(key, template)
        held = template in row.statements and template not in row.train("statements")
        sentences = []
        if not own and form.how == "name" and not row.role and rng.random() < 0.2:
            entity = self.cast.entities[subject]
            intro = self.talk.intro(entity.kind).replace("{N}", "{S}")
            sentences.append(Sentence(intro, form))
            form = Form("pronoun", form.name, entity.gender)
        elif not own and rng.random() < 0.25:
            sentences.append(Sentence(self.talk.opener(speaker), opens=True))
        frame = self.talk.frame("you", "frames") if own and _PLAIN.match(template) else ""
        link = self._named_link(speaker, subject) if form.how == "name" else None
        clipped = form.how == "I" and not sentences and rng.random() < 0.25
        clipped = clipped and bool(_CLIPS.match(template))
        sentences.append(Sentence(
            template, form, slot, frame=frame, link=link, clipped=clipped, article=self._article(row), held_out=held
        ))  # fmt: skip
        self._register(key, Telling(slot, (self.t,), held_out=held, speaker=speaker))
        self._go_on(speaker, subject, sentences)
        self._say(speaker, sentences)

    def _go_on(self, speaker: str, subject: str, sentences: list[Sentence]) -> None:
        """Add to a statement, now and then: another fact, a closing remark, or a tail."""
        rng, last = self.rng, sentences[-1]
        own = subject in self.cast.speakers and subject != speaker
        drawn = rng.random()
        if not own and drawn < 0.15:
            self._second(speaker, subject, sentences)
        elif not own and drawn < 0.2:
            self._aside(speaker, subject, sentences)
        elif drawn < 0.38 and len(last.template.split()) < 20:
            sentences.append(Sentence(self.talk.closer(speaker)))
        elif not own and drawn < 0.48:
            sentences[-1] = replace(last, tail=self.talk.frame("tail"))

    def _fresh(self, texts: Sequence[str]) -> str:
        """Draw a phrasing, preferably one that the story has not used yet."""
        new = [text for text in texts if text not in self.used]
        text = self.rng.choice(new or texts)
        self.used.add(text)
        return text

    def _named_link(self, speaker: str, subject: str) -> int | None:
        """Find the slot of the name behind a role, for "my sister Lena"; None if the name is not said."""
        entity = self.cast.entities[subject]
        key = entity.owner or "", entity.role or ""
        if key not in self.cast.links or self.rng.random() < 0.5:
            return None
        if key not in self.story.tellings:
            slot = self._slot(key, "", single=True)
            self._register(key, Telling(slot, (self.t,), speaker=speaker))
        return self.story.tellings[key][-1].slot

    def _second(self, speaker: str, subject: str, sentences: list[Sentence]) -> None:
        """Add another fact about the same subject, said with a pronoun."""
        rng, key = self.rng, self.keys.new(speaker, subject)
        if key is None:
            return
        row = self.story.relation(key[1])
        if row.role:
            return
        entity = self.cast.entities[subject]
        form = Form("I") if subject == speaker else Form("pronoun", subject, entity.gender)
        texts = row.train("statements") if self.train else row.statements
        template = self._fresh(
            [x for x in texts if marks_of(x) & {"S", "S's", "S'm", "S've"}] or texts
        )
        short = _PLAIN.match(template) and _PLAIN.match(sentences[-1].template)
        joint = rng.choice([" and ", " and ", ", and "]) if short and rng.random() < 0.7 else ""
        self._add(speaker, key, Sentence(template, form, joint=joint), sentences)

    def _aside(self, speaker: str, subject: str, sentences: list[Sentence]) -> None:
        """Add a short fact about somebody else: "I live in Paris and my sister works in Rome"."""
        key = self.keys.new(speaker)
        if key is None or key[0] == subject:
            return
        of_listener = key[0] in self.cast.speakers and key[0] != speaker
        row = self.story.relation(key[1])
        texts = row.train("statements") if self.train else row.statements
        fits = [text for text in texts if _PLAIN.match(text)]
        if of_listener or not fits:
            return
        short = _PLAIN.match(sentences[-1].template)
        joint = self.rng.choice([" and ", ", and ", ", but ", ""]) if short else ""
        sentence = Sentence(self._fresh(fits), self.cast.refer(key[0], speaker), joint=joint)
        self._add(speaker, key, sentence, sentences)

    def _add(self, speaker: str, key: Key, sentence: Sentence, sentences: list[Sentence]) -> None:
        """Give a sentence its slot and add it to a turn."""
        row = self.story.relation(key[1])
        slot = self._slot(key, sentence.template)
        held = sentence.template not in row.train("statements")
        sentences.append(replace(sentence, slot=slot, article=self._article(row), held_out=held))
        self._register(key, Telling(slot, (self.t,), held_out=held, speaker=speaker))

    def _asked_about(self, speaker: str) -> bool:
        """Let the speaker ask about a third one, and the other one answers; False if there is nothing to ask."""
        rng = self.rng
        listener = self.cast.speakers[speaker == self.cast.speakers[0]]
        key = self.keys.new(listener)
        if key is None or key[0] in self.cast.speakers or self.cast.entities[key[0]].names:
            return False
        row, entity = self.story.relation(key[1]), self.cast.entities[key[0]]
        questions = [text for text in row.train("questions") if text.startswith(("W", "How"))]
        if row.role or (row.tense and row.value) or not questions:
            return False
        texts = row.train("statements") if self.train else row.statements
        texts = [text for text in texts if text.startswith("{S")]
        form, article = Form("pronoun", key[0], entity.gender), self._article(row)
        if rng.random() < 0.5 or not texts:
            template = "{WHEN}" if row.tense else "{a V}"
            tail = self.talk.frame("tail", "short") if rng.random() < 0.5 else ""
            reply, held = Sentence(template, form, tail=tail, article=article), False
        else:
            template = self._fresh(texts)
            held = template not in row.train("statements")
            reply = Sentence(template, form, article=article, held_out=held)
        slot = self._slot(key, template, single=True)
        self._say(speaker, [Sentence(rng.choice(questions), self.cast.refer(key[0], speaker))])
        self._say(listener, [replace(reply, slot=slot)])
        self._register(key, Telling(slot, (self.t, self.t + 1), held_out=held, speaker=listener))
        return True

    def _asked(self, speaker: str) -> bool:
        """Let the other speaker ask, and the next turn answers; False if there is nothing to ask."""
        listener = self.cast.speakers[speaker == self.cast.speakers[0]]
        key = self.keys.new(listener, listener)
        if key is None:
            return False
        row = self.story.relation(key[1])
        if not (row.asked and row.replies):
            return False
        template = self._fresh(row.replies)
        slot = self._slot(key, template, single=True)
        self._say(speaker, [Sentence(self._fresh(row.asked), Form("you"))])
        reply = [Sentence(template, Form("I"), slot, article=self._article(row))]
        if self.rng.random() < 0.2:
            reply.append(Sentence(self.talk.closer(listener)))
        self._say(listener, reply)
        self._register(key, Telling(slot, (self.t, self.t + 1), speaker=listener))
        return True

    def _update(self, speaker: str, keys: list[Key]) -> None:
        """Say that a value has changed: with an update phrase, or with a plain new statement."""
        rng = self.rng
        key, speaker = self._by(speaker, rng.choice(keys))
        row = self.story.relation(key[1])
        form = self.cast.refer(key[0], speaker)
        before = self.story.tellings[key][-1].slot
        sentences = []
        if row.updates and rng.random() < 0.7:
            template, held = rng.choice(row.updates), False
        else:
            template = rng.choice(row.train("statements") if self.train else row.statements)
            held = template not in row.train("statements")
            sentences.append(Sentence(self.talk.frame("correction", "openers"), opens=True))
        slot = self._slot(key, template, before, single=True)
        sentences.append(
            Sentence(template, form, slot, before, article=self._article(row), held_out=held)
        )
        self._register(key, Telling(slot, (self.t,), held_out=held, speaker=speaker))
        self._say(speaker, sentences)

    def _withdraw(self, speaker: str, keys: list[Key]) -> bool:
        """Take a fact back; False if no phrase does it."""
        keys = [key for key in keys if self.story.relation(key[1]).withdrawals]
        if not keys:
            return False
        key, speaker = self._by(speaker, self.rng.choice(keys))
        row = self.story.relation(key[1])
        form = self.cast.refer(key[0], speaker)
        before = self.story.tellings[key][-1].slot
        template = self.rng.choice(row.withdrawals)
        self._say(speaker, [Sentence(template, form, None, before, article=self._article(row))])
        self._register(key, Telling(None, (self.t,), withdrawn=True, speaker=speaker))
        return True

    def _by(self, speaker: str, key: Key) -> tuple[Key, str]:
        """Give the key, and the speaker who may speak of it in these words: of oneself only oneself."""
        entity = self.cast.entities[key[0]]
        for name in self.cast.speakers:
            if name in (key[0], entity.owner):
                return key, name
        return key, speaker

    def _slot(
        self, key: Key, template: str, before: int | None = None, single: bool = False
    ) -> int:
        """Make a new slot; of lists sometimes with two values at once."""
        row = self.story.relation(key[1])
        two = (
            row.many and not single and template.rstrip().endswith("{V}") and "{V}" in template[3:]
        )
        count = 2 if two and template.count("{V}") == 1 and self.rng.random() < 0.3 else 1
        self.story.slots.append(Slot(key, count, self.t // self.world.session_turns, before))
        return len(self.story.slots) - 1

    def _register(self, key: Key, telling: Telling) -> None:
        self.story.tellings.setdefault(key, []).append(telling)

    def _article(self, row: Relation) -> bool:
        kind = self.language.kinds.get(row.value or "")
        return bool(kind and kind.article)
