"""The story: who says what, when; everything but the values.

A story is a list of events, one per turn. Each event is a list of sentences; a sentence may state a fact about
(subject, relation) and then has a *slot*, which a value fills. Filling the same slots with other values gives the
counterfactual twin.
"""

import re
from dataclasses import dataclass, field

from lmem.data.everyday import dates, noise, talk
from lmem.data.everyday.cast import Cast, draw_cast, role_id
from lmem.data.everyday.language import Language, Relation
from lmem.data.everyday.marks import Form, marks_of


@dataclass(frozen=True)
class Slot:
    """What is told at one place: values of a kind, and a time if the relation is temporal.

    Attributes:
        key: (subject, relation).
        count: How many values are told together ("pottery and yoga").
        session: Number of the session, from 0; a time is counted from its date.
        before: The slot whose value this one replaces.
    """

    key: tuple[str, str]
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
        told: {(subject, relation): tellings, oldest first}.
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
    told: dict[tuple[str, str], list[Telling]] = field(default_factory=dict)
    moments: list = field(default_factory=list)
    session_turns: int = 20
    styles: dict[str, str] = field(default_factory=dict)
    typos: float = 0.0

    def relation(self, name):
        """The Relation of a name or a role."""
        return self.language.roles.get(name) or self.language.relations[name]


def usable(world, language, rng):
    """{kind of subject: relations} that a conversation of this world may speak of."""
    found = {"person": [], "pet": [], "place": [], "org": []}
    for row in language.relations.values():
        if not (world.pool == "train" and row.held_out):
            found[row.subject].append(row)
    if world.relations is not None:
        for kind, rows in found.items():
            n = world.relations if kind == "person" else -(-world.relations // 4)
            found[kind] = rng.sample(rows, min(len(rows), n))
    return found


_INNER = re.compile(r"[.!?]\s")


def rivals_there(story, subject, relation):
    """Whether something is told, or can be told, of the subject that the relation would contradict."""
    ids = {subject, *story.cast.aliases(subject)}
    return any(
        (one, other) in story.told or role_id(one, other) in story.cast.entities
        for other in story.language.rivals.get(relation, ())
        for one in ids
    )


class Teller:
    """Writes one story, turn by turn."""

    def __init__(self, name, rng, world, language):
        self.rng, self.world, self.language = rng, world, language
        self.train = world.pool == "train"
        self.relations = usable(world, language, rng)
        self.cast, self.namer = draw_cast(rng, world, language, self.relations)
        self.story = Story(name, self.cast, language, session_turns=world.session_turns)
        self.talk = talk.Talk(rng, world, language, self.cast, self.namer)
        self.subjects = self._weighted_subjects()

    def write(self):
        """Returns (Story, Namer)."""
        rng, world, story = self.rng, self.world, self.story
        sessions = -(-world.turns // world.session_turns)
        story.moments = dates.sessions(rng, sessions)
        story.styles = {name: rng.choice(noise.STYLES) for name in self.cast.speakers}
        story.typos = rng.choice([0.01, 0.03, 0.06]) if rng.random() < world.typos else 0.0
        n_facts = max(1, round(world.facts * world.turns))
        self.fact_turns = set(rng.sample(range(world.turns), min(n_facts, world.turns)))
        while len(story.events) < world.turns:
            self._turn(len(story.events))
        return story, self.namer

    def _turn(self, t):
        rng = self.rng
        speaker = self._speaker(t)
        if t not in self.fact_turns:
            room = t + 1 < self.world.turns and (t + 1) % self.world.session_turns
            dialogue = room and not self.cast.alone and t + 1 in self.fact_turns
            if dialogue and rng.random() < 0.3 and self._asked(t, speaker):
                return
            self._say(speaker, self._chat(t, speaker))
            return
        once = [key for key, rows in self.story.told.items() if self._changeable(key, rows)]
        drawn = rng.random()
        if once and drawn < self.world.withdrawn and self._withdraw(t, speaker, once):
            return
        if once and drawn < self.world.withdrawn + self.world.overwritten:
            self._update(t, speaker, once)
            return
        key = self._new_key(speaker)
        if key is None:
            self._say(speaker, self._chat(t, speaker))
            return
        self._tell(t, speaker, key)

    def _speaker(self, t):
        if self.cast.alone:
            return self.cast.speakers[0]
        if self.story.events and t % self.world.session_turns and self.rng.random() < 0.88:
            last = self.story.events[-1].speaker
            return self.cast.speakers[last == self.cast.speakers[0]]
        return self.rng.choice(self.cast.speakers)

    def _say(self, speaker, sentences):
        if sum(len(one.template.split()) for one in sentences) < 3:
            sentences = [*sentences, Sentence(self.talk.line("small_talk", speaker))]
        self.story.events.append(Event(speaker, tuple(sentences)))

    def _chat(self, t, speaker):
        """A turn without a fact: a distractor, a reaction, small talk."""
        rng, events = self.rng, self.story.events
        start = t - t % self.world.session_turns
        end = min(start + self.world.session_turns, self.world.turns)
        greet = t - start < 3 and all(one.speaker != speaker for one in events[start:t])
        react = t > start and t - 1 in self.fact_turns and events[-1].speaker != speaker
        if not greet and rng.random() < self.world.distractors:
            others = [s for s in self.subjects if s not in self.cast.speakers]
            others = [s for s in others if self.cast.entities[s].kind == "person"]
            if others and rng.random() < 0.35:
                form = self.cast.refer(rng.choice(others), speaker)
                return [Sentence(self.talk.mention().replace("{N}", "{S}"), form)]
            return [Sentence(self.talk.distractor())]
        return [Sentence(text) for text in self.talk.chat(speaker, greet, t >= end - 2, react)]

    # ---- facts -----------------------------------------------------------------------------------

    def _tell(self, t, speaker, key):
        """State a new fact, now and then a second one about the same subject in the same turn."""
        rng, (subject, name) = self.rng, key
        row = self.story.relation(name)
        own = subject in self.cast.speakers and subject != speaker
        form = self.cast.refer(subject, speaker)
        texts = row.train("statements") if self.train else row.statements
        if own:  # a frame goes around one sentence that begins with its subject
            fits = [text for text in texts if text.startswith("{S") and not _INNER.search(text)]
            texts = fits or texts
        template = rng.choice(texts)
        if form.how == "I" and row.first and rng.random() < 0.25:
            template = rng.choice(row.first)
        slot = self._slot(key, t, template)
        held = template in row.statements and template not in row.train("statements")
        sentences = []
        if not own and form.how == "name" and not row.role and rng.random() < 0.2:
            entity = self.cast.entities[subject]
            intro = self.talk.intro(entity.kind).replace("{N}", "{S}")
            sentences.append(Sentence(intro, form))
            form = Form("pronoun", form.name, entity.gender)
        elif not own and rng.random() < 0.25:
            sentences.append(Sentence(self.talk.opener(speaker), opens=True))
        plain = template.startswith("{S") and not _INNER.search(template)
        frame = self.talk.frame_you() if own and plain else ""
        link = self._named_link(t, speaker, subject) if form.how == "name" else None
        sentences.append(Sentence(
            template, form, slot, frame=frame, link=link, article=self._article(row), held_out=held
        ))  # fmt: skip
        self._register(key, Telling(slot, (t,), held_out=held, speaker=speaker))
        if not own and form.how != "you" and rng.random() < 0.15:
            self._second(t, speaker, subject, sentences)
        elif rng.random() < 0.22 and len(template.split()) < 20:
            sentences.append(Sentence(self.talk.closer(speaker)))
        self._say(speaker, sentences)

    def _named_link(self, t, speaker, subject):
        """The slot of the name behind a role, for "my sister Lena"; None if the name is not said."""
        one = self.cast.entities[subject]
        key = one.owner, one.role
        if key not in self.cast.links or self.rng.random() < 0.5:
            return None
        if key not in self.story.told:
            slot = self._slot(key, t, "", single=True)
            self._register(key, Telling(slot, (t,), speaker=speaker))
        return self.story.told[key][-1].slot

    def _second(self, t, speaker, subject, sentences):
        """Another fact about the same subject, said with a pronoun."""
        key = self._new_key(speaker, subject)
        if key is None:
            return
        row = self.story.relation(key[1])
        if row.role:
            return
        entity = self.cast.entities[subject]
        form = Form("I") if subject == speaker else Form("pronoun", subject, entity.gender)
        texts = row.train("statements") if self.train else row.statements
        template = self.rng.choice(
            [x for x in texts if marks_of(x) & {"S", "S's", "S'm", "S've"}] or texts
        )
        slot = self._slot(key, t, template)
        held = template not in row.train("statements")
        sentences.append(Sentence(template, form, slot, article=self._article(row), held_out=held))
        self._register(key, Telling(slot, (t,), held_out=held, speaker=speaker))

    def _asked(self, t, speaker):
        """The other one asks, and the next turn answers; False if there is nothing to ask."""
        other = self.cast.speakers[speaker == self.cast.speakers[0]]
        key = self._new_key(other, other)
        if key is None:
            return False
        row = self.story.relation(key[1])
        if not (row.asked and row.replies):
            return False
        template = self.rng.choice(row.replies)
        slot = self._slot(key, t + 1, template, single=True)
        self._say(speaker, [Sentence(self.rng.choice(row.asked), Form("you"))])
        reply = [Sentence(template, Form("I"), slot, article=self._article(row))]
        if self.rng.random() < 0.2:
            reply.append(Sentence(self.talk.closer(other)))
        self._say(other, reply)
        self._register(key, Telling(slot, (t, t + 1), speaker=other))
        return True

    def _update(self, t, speaker, keys):
        """Say that a value has changed: with an update phrase, or with a plain new statement."""
        rng = self.rng
        key, speaker = self._by(speaker, rng.choice(keys))
        row = self.story.relation(key[1])
        form = self.cast.refer(key[0], speaker)
        before = self.story.told[key][-1].slot
        sentences = []
        if row.updates and rng.random() < 0.7:
            template, held = rng.choice(row.updates), False
        else:
            template = rng.choice(row.train("statements") if self.train else row.statements)
            held = template not in row.train("statements")
            sentences.append(Sentence(self.talk.correction(), opens=True))
        slot = self._slot(key, t, template, before, single=True)
        sentences.append(
            Sentence(template, form, slot, before, article=self._article(row), held_out=held)
        )
        self._register(key, Telling(slot, (t,), held_out=held, speaker=speaker))
        self._say(speaker, sentences)

    def _withdraw(self, t, speaker, keys):
        """Take a fact back; False if no phrase does it."""
        keys = [key for key in keys if self.story.relation(key[1]).withdrawals]
        if not keys:
            return False
        key, speaker = self._by(speaker, self.rng.choice(keys))
        row = self.story.relation(key[1])
        form = self.cast.refer(key[0], speaker)
        before = self.story.told[key][-1].slot
        template = self.rng.choice(row.withdrawals)
        self._say(speaker, [Sentence(template, form, None, before, article=self._article(row))])
        self._register(key, Telling(None, (t,), withdrawn=True, speaker=speaker))
        return True

    def _by(self, speaker, key):
        """The key, and the speaker who may speak of it in these words: of oneself only oneself."""
        one = self.cast.entities[key[0]]
        for name in self.cast.speakers:
            if name in (key[0], one.owner):
                return key, name
        return key, speaker

    # ---- keys ------------------------------------------------------------------------------------

    def _weighted_subjects(self):
        """Subjects, the more frequent ones several times; the silent speaker is none."""
        cast = self.cast
        found = []
        for one in cast.entities.values():
            if one.id in cast.speakers:
                weight = 0 if cast.alone and one.id == cast.speakers[1] else 4
                weight = max(weight, len(cast.entities) // 4) if weight else 0
            else:
                weight = 1
            found += [one.id] * weight
        return found

    def _new_key(self, speaker, subject=None):
        """A (subject, relation) not told yet, half of the time near an older fact; None if there is none."""
        rng, told = self.rng, self.story.told
        for _ in range(40):
            who = subject or rng.choice(self.subjects)
            one = self.cast.entities[who]
            names = [row.name for row in self.relations[one.kind]]
            links = [role for owner, role in self.cast.links if owner == who]
            more = [
                name for subject_, name in told
                if subject_ == who and name in names and self.story.relation(name).many
            ]  # fmt: skip
            if one.role and one.owner in self.cast.speakers and one.owner != speaker:
                continue  # "my sister" is said by her owner
            if who in self.cast.speakers and who != speaker and rng.random() < 0.85:
                continue
            if links and rng.random() < 0.35:
                key = who, rng.choice(links)
            elif more and rng.random() < 0.3:
                key = who, rng.choice(more)  # a list grows
            elif names:
                key = who, rng.choice(names)
                if told and rng.random() < 0.5:
                    key = self._near(who, names)
            else:
                continue
            if self._free(key):
                return key
        return None

    def _near(self, who, names):
        """A relation that was told already of somebody else, if this subject can have it."""
        twins = {one for pair in self.cast.links.values() if who in pair for one in pair} - {who}
        near = [name for one, name in self.story.told if one in twins and name in names]
        if not near or self.rng.random() < 0.5:  # else near to whoever has the role in the twin
            near = [name for _, name in self.story.told if name in names]
        return who, self.rng.choice(near or names)

    def _free(self, key):
        """Whether a fact may be told: not yet told, also not under another name, and no rival relation."""
        subject, name = key
        row = self.story.relation(name)
        if key in self.story.told:
            rows = self.story.told[key]
            return row.many and len(rows) < 4 and not rows[-1].withdrawn
        if any((other, name) in self.story.told for other in self.cast.aliases(subject)):
            return False
        one = self.cast.entities[subject]
        if one.names and row.names and one.names != row.names:
            return False
        return not rivals_there(self.story, subject, name)

    def _changeable(self, key, rows):
        row = self.story.relation(key[1])
        fits = not (row.many or row.role or rows[-1].withdrawn) and len(rows) < 3
        return fits and (not row.tense or bool(row.updates))

    def _slot(self, key, t, template, before=None, single=False):
        """A new slot; of lists sometimes with two values at once."""
        row = self.story.relation(key[1])
        two = (
            row.many and not single and template.rstrip().endswith("{V}") and "{V}" in template[3:]
        )
        count = 2 if two and template.count("{V}") == 1 and self.rng.random() < 0.3 else 1
        self.story.slots.append(Slot(key, count, t // self.world.session_turns, before))
        return len(self.story.slots) - 1

    def _register(self, key, telling):
        self.story.told.setdefault(key, []).append(telling)

    def _article(self, row: Relation):
        kind = self.language.kinds.get(row.value)
        return bool(kind and kind.article)


def write_story(name, rng, world, language):
    """One story.

    Returns:
        (Story, Namer): the Namer goes on to draw names that the story does not have.
    """
    return Teller(name, rng, world, language).write()
