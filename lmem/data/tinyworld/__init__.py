"""Tinyworld: generated conversations in which every fact, its turn and its question are known exactly.

A story is a list of events (a fact told, a fact corrected, chit-chat); filling it with values gives a conversation in the
form of LoCoMo's release file, so one reader serves both. Filling the same story with other values gives its
*counterfactual twin*: the same turns and questions, other answers, the strict wrong memory (chapter 1; chapter 12).
"""

import random
import re
from dataclasses import dataclass, field

from lmem.data.tinyworld import language as words
from lmem.errors import InputError

KINDS = ("single", "updated", "two-hop", "never-told")
POOLS = ("train", "all")
_CATEGORY = {"single": 4, "updated": 4, "two-hop": 1, "never-told": 5}  # LoCoMo's official numbers


@dataclass(frozen=True)
class World:
    """What a conversation is drawn from. The defaults are the default mix of every figure in the book.

    turns           10 to 2,000 turns in all
    session_turns   turns in a session
    facts           share of turns that tell a fact; the others are chit-chat
    overwritten     share of the facts that correct an older one
    questions       questions asked at the end, at most (None: one for every 2 turns, 200 at most)
    mix             share of each kind of question, in the order of KINDS
    subjects        people, pets and places that are mentioned, roughly (None: grows with the turns, 6 to 40)
    relations       how many different relations of people are spoken of (None: all there are)
    pool            "train": no held-out name, relation or phrasing; "all": everything
    """

    turns: int = 60
    session_turns: int = 20
    facts: float = 0.35
    overwritten: float = 0.15
    questions: int | None = None
    mix: tuple[float, float, float, float] = (0.65, 0.12, 0.13, 0.10)
    subjects: int | None = None
    relations: int | None = None
    pool: str = "all"

    def __post_init__(self):
        if not 10 <= self.turns <= 2000:
            raise InputError(f"a tinyworld conversation has 10 to 2000 turns, not {self.turns}")
        if self.relations is not None and self.relations < 1:
            raise InputError(f"a conversation speaks of at least 1 relation, not {self.relations}")
        if self.questions is not None and self.questions < 0:
            raise InputError(f"a conversation is asked 0 questions or more, not {self.questions}")
        if not self.session_turns >= 1:
            raise InputError(f"a session needs at least 1 turn, not {self.session_turns}")
        if not (0 < self.facts <= 1 and 0 <= self.overwritten < 1):
            raise InputError(
                "facts must lie in (0, 1] and overwritten in [0, 1), "
                f"not {self.facts} and {self.overwritten}"
            )
        if self.pool not in POOLS:
            raise InputError(f"pool must be one of {', '.join(POOLS)}, not {self.pool!r}")
        if len(self.mix) != len(KINDS) or min(self.mix) < 0 or sum(self.mix) <= 0:
            raise InputError(f"mix needs {len(KINDS)} shares ({', '.join(KINDS)}), not {self.mix}")


@dataclass(frozen=True)
class Event:
    """One turn of the story: a fact about (subject, relation), or chit-chat (both None)."""

    speaker: str
    subject: str | None = None
    relation: str | None = None
    template: str = ""
    opener: str = ""
    closer: str = ""


@dataclass(frozen=True)
class Ask:
    """One question of the story; `path` is (relation,), or (kin relation, relation) for two hops."""

    kind: str
    subject: str
    path: tuple[str, ...]
    template: str


@dataclass
class Story:
    """Events and questions without values. `told[key]` lists the turns that state key, oldest first."""

    id: str
    speakers: tuple[str, str]
    names: dict[str, list[str]]
    events: list[Event]
    told: dict[tuple[str, str], list[int]]
    asks: list[Ask] = field(default_factory=list)


def samples(n, seed=0, world=None, twins=True):
    """n conversations in LoCoMo's JSON form, each with its counterfactual twin.

    n        how many; sample i depends on (seed, i, world) only
    returns  list of n dicts: sample_id, conversation, qa, and counterfactual (conversation, qa)
    raises   InputError if n is not positive
    """
    if n < 1:
        raise InputError(f"expected at least 1 conversation, not {n}")
    return [sample(seed, i, world or World(), twins) for i in range(n)]


def sample(seed, index, world, twin=True):
    """Conversation number `index` of `seed`, in LoCoMo's JSON form."""
    rng = random.Random(f"tinyworld {seed} {index}")
    story = _story(f"tiny-{seed}-{index}", rng, world)
    values = _draw_values(story, rng)
    story.asks = _draw_asks(story, values, rng, world)
    written = {"sample_id": story.id, **_fill(story, values, world)}
    if twin:
        written["counterfactual"] = _fill(story, _draw_values(story, rng, other_than=values), world)
    return written


# ---- the story: who speaks of what, when ---------------------------------------------------------


def _draw_cast(rng, world):
    """{name: kind}: two speakers first, then the people, pets and places that they mention."""
    train = world.pool == "train"
    pools = [
        [name for name in names if not (train and name in words.HELD_OUT_NAMES)]
        for names in (words.PEOPLE, words.PETS, words.PLACES)
    ]
    n = world.subjects if world.subjects is not None else min(40, max(6, world.turns // 12))
    people = rng.sample(pools[0], min(len(pools[0]), 2 + max(2, n // 2)))
    pets = rng.sample(pools[1], min(len(pools[1]), max(3, n // 4)))
    places = rng.sample(pools[2], min(len(pools[2]), max(1, n // 4)))
    kind_of = dict.fromkeys(people, "person")
    kind_of |= dict.fromkeys(pets, "pet") | dict.fromkeys(places, "place")
    return kind_of


def _draw_relations(rng, world, kind):
    """The relations of a kind of subject that this conversation speaks of; of pets and places fewer than of people."""
    names = [r for r, row in words.RELATIONS.items() if row[0] == kind]
    if world.pool == "train":
        names = [r for r in names if r not in words.HELD_OUT_RELATIONS]
    if world.relations is None:
        return names
    n = world.relations if kind == "person" else -(-world.relations // 4)
    return rng.sample(names, min(len(names), n))


def _story(name, rng, world):
    kind_of = _draw_cast(rng, world)
    subjects = list(kind_of)
    speakers = (subjects[0], subjects[1])
    train = world.pool == "train"
    relations = {kind: _draw_relations(rng, world, kind) for kind in ("person", "pet", "place")}
    n_facts = max(1, round(world.facts * world.turns))
    fact_turns = set(rng.sample(range(world.turns), n_facts))
    told: dict[tuple[str, str], list[int]] = {}
    events = []
    for t in range(world.turns):
        speaker = speakers[(t + (rng.random() < 0.15)) % 2]
        if t not in fact_turns:
            events.append(Event(speaker, template=_chat(rng, subjects)))
            continue
        once = [key for key, turns in told.items() if len(turns) == 1]
        correct = bool(once) and rng.random() < world.overwritten
        subject, relation = (
            rng.choice(once) if correct else _new_key(rng, subjects, kind_of, relations, told)
        )
        statements = words.RELATIONS[relation][2]
        template = rng.choice(statements[:-1] if train else statements)
        correct = (subject, relation) in told
        opener = rng.choice(words.CORRECTIONS if correct else words.OPENERS)
        events.append(
            Event(speaker, subject, relation, template, opener, rng.choice(words.CLOSERS))
        )
        told.setdefault((subject, relation), []).append(t)
    names = {kind: [n for n in subjects if kind_of[n] == kind] for kind in words.NAMED}
    return Story(name, speakers, names, events, told)


def _chat(rng, subjects):
    return rng.choice(words.CHAT).replace("{P}", rng.choice(subjects))


def _new_key(rng, subjects, kind_of, relations, told):
    """A (subject, relation) nobody spoke of yet; half of the time near an older fact, so facts look alike."""
    for _ in range(50):
        subject = rng.choice(subjects)
        relation = rng.choice(relations[kind_of[subject]])
        if told and rng.random() < 0.5:
            near_subject, near_relation = rng.choice(list(told))
            if rng.random() < 0.5:
                subject, relation = near_subject, rng.choice(relations[kind_of[near_subject]])
            elif words.RELATIONS[near_relation][0] == kind_of[subject]:
                relation = near_relation
        if (subject, relation) not in told:
            return subject, relation
    return subject, relation  # everything was told: this one is told again


# ---- values and questions ------------------------------------------------------------------------


def _draw_values(story, rng, other_than=None):
    """One value per fact turn: {turn: value}, differing from the value before it and from the twin's."""
    values = {}
    for (subject, relation), turns in story.told.items():
        kind, before = words.RELATIONS[relation][1], None
        for t in turns:
            banned = {before, subject, other_than[t] if other_than else None}
            while True:
                if kind in words.NAMED:
                    value = rng.choice(story.names[kind])
                else:
                    value = "-".join(rng.choice(pool) for pool in words.VALUES[kind])
                if value not in banned:
                    break
            values[t] = before = value
    return values


def _answer(story, values, subject, path):
    """Follow the path through the newest values: (answer or None, evidence turns)."""
    evidence = []
    for relation in path:
        turns = story.told.get((subject, relation))
        if not turns:
            return None, evidence
        evidence.append(turns[-1])
        subject = values[turns[-1]]
    return subject, evidence


def _draw_asks(story, values, rng, world):
    """Questions of every kind, without repetition, in the shares of the mix."""
    keys = list(story.told)
    kin = [k for k in keys if words.RELATIONS[k[1]][1] in words.NAMED]
    candidates = {
        "single": [(s, (r,)) for s, r in keys if len(story.told[s, r]) == 1],
        "updated": [(s, (r,)) for s, r in keys if len(story.told[s, r]) > 1],
        "two-hop": [
            (s, (r, r2))
            for s, r in kin
            for s2, r2 in keys
            if s2 == values[story.told[s, r][-1]] and words.RELATIONS[r2][1] not in words.NAMED
        ],
        "never-told": sorted(
            {
                (s, (r,))
                for s in {s for s, _ in keys}
                for r in {r for _, r in keys}
                if (s, r) not in story.told
                and words.RELATIONS[r][0] == words.RELATIONS[next(q for p, q in keys if p == s)][0]
            }
        ),
    }
    limit = world.questions if world.questions is not None else min(200, world.turns // 2)
    asks = []
    for kind, share in zip(KINDS, world.mix, strict=True):
        pool = candidates[kind]
        take = min(len(pool), round(limit * share / sum(world.mix)))
        for subject, path in rng.sample(pool, take):
            questions = words.RELATIONS[path[-1]][3]
            template = rng.choice(questions[:-1] if world.pool == "train" else questions)
            asks.append(Ask(kind, subject, path, template))
    rng.shuffle(asks)
    return asks


# ---- filling: from the story to LoCoMo's JSON form ------------------------------------------------


def _fill(story, values, world):
    """The story with these values, as {"conversation": ..., "qa": [...]} in LoCoMo's form."""
    conversation = {"speaker_a": story.speakers[0], "speaker_b": story.speakers[1]}
    ids = []
    for start in range(0, world.turns, world.session_turns):
        s = start // world.session_turns
        conversation[f"session_{s + 1}_date_time"] = (
            f"{1 + s * 9 % 28} {words.MONTHS[s * 9 // 28 % 12]}"
        )
        turns = []
        for t in range(start, min(start + world.session_turns, world.turns)):
            event = story.events[t]
            ids.append(f"D{s + 1}:{len(turns) + 1}")
            turns.append(
                {"speaker": event.speaker, "dia_id": ids[-1], "text": say(event, values.get(t))}
            )
        conversation[f"session_{s + 1}"] = turns
    qa = []
    for i, ask in enumerate(story.asks):
        answer, evidence = _answer(story, values, ask.subject, ask.path)
        row = {
            "id": f"{story.id}/q{i}",
            "question": question_text(ask),
            "evidence": [ids[t] for t in sorted(evidence)],
            "category": _CATEGORY[ask.kind],
            "kind": ask.kind,
            "subject": ask.subject,
            "relation": ask.path[-1],
            "held_out": _held_out(story, ask, evidence),
        }
        if answer is not None and len(evidence) == len(ask.path):
            row["answer"] = answer
        else:  # never told, or the twin's first hop leads to someone of whom it was not told
            row["adversarial_answer"] = _someone_elses(story, values, ask.path[-1])
        qa.append(row)
    return {"conversation": conversation, "qa": qa}


def say(event, value):
    """The turn's text: chit-chat as it is, a fact through its template."""
    if event.subject is None:
        return _capital(event.template)
    me = event.subject == event.speaker
    text = event.template.replace("{S's}", "my" if me else event.subject + "'s")
    text = text.replace("{S}", "I" if me else event.subject)
    text = text.replace("{O}", "me" if me else event.subject)
    text = text.replace("{is}", "am" if me else "is").replace("{has}", "have" if me else "has")
    text = re.sub(r"(\w+)\[(e?s)\]", r"\1" if me else _third_person, text).replace("{V}", value)
    return _capital(" ".join(part for part in (event.opener, text + ".", event.closer) if part))


def question_text(ask):
    """The question, with "Ana's brother" as its subject for two hops."""
    subject = ask.subject if len(ask.path) == 1 else f"{ask.subject}'s {ask.path[0]}"
    return _capital(ask.template.replace("{S's}", subject + "'s").replace("{S}", subject))


def _third_person(match):
    verb = match.group(1)
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + match.group(2)


def _capital(text):
    return text[:1].upper() + text[1:]


def _held_out(story, ask, evidence):
    """Which parts of the question no adapter has seen in training: any of name, relation, phrasing."""
    rows = [words.RELATIONS[relation] for relation in ask.path]
    events = [story.events[t] for t in evidence]
    parts = []
    if words.HELD_OUT_NAMES & {ask.subject, *(e.subject for e in events)}:
        parts.append("name")
    if words.HELD_OUT_RELATIONS & set(ask.path):
        parts.append("relation")
    if ask.template == rows[-1][3][-1] or any(
        e.template == words.RELATIONS[e.relation][2][-1] for e in events
    ):
        parts.append("phrasing")
    return parts


def _someone_elses(story, values, relation):
    """A value told for somebody else in the same relation: the tempting wrong answer."""
    for (_, other), turns in story.told.items():
        if other == relation:
            return values[turns[-1]]
    return words.UNKNOWN
