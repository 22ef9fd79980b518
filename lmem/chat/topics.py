"""Which questions a sentence may answer, so that a list of what is kept can ask them: "Where do I live?" for "I live in Rome."

The questions are those of the relations of everyday, and of tinyworld for nano. A sentence chooses among them by its words, which are
compared with those of each way to state a relation, and of its values. A question fits if the sentence is very like such a statement,
or has the question's words. "My locker is number 12." states no relation; it is asked for by its own words. It gives no answer.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from lmem.chat.lines import content_words, straight_quotes
from lmem.data.everyday import language as everyday
from lmem.data.everyday.marks import END, KEEP, Form, fill
from lmem.data.tinyworld import language as tinyworld

MOST = 8  # questions for a sentence
RIVALS = 0.5  # of the likeness of the first question, which the others must have
PHRASINGS = 2  # of each question
LIKELY = 0.55  # likeness from which on a question fits whatever its words are
VALUE = 0.4  # what a word of a value counts, where a word of a statement counts 1
VALUED = 0.35  # likeness from which on it fits if the sentence names nothing but a value: "Biscuit is a beagle."
LEAST = 0.25  # likeness from which on it fits if the sentence has its words
PLAIN = 0.3  # likeness of a question that is made of the sentence alone
ONESELF = Form("I")
_ONESELF = re.compile(r"\b(?:i|me|my|mine|we|us|our|ours)\b", re.IGNORECASE)
_SPEAKER = re.compile(r"([^\W\d_]+(?: [^\W\d_]+)?): (.+)", re.DOTALL)  # in imported chats
_NAMED = re.compile(r"\b([^\W\d_]+)(?='s\b| (?:[a-z]+(?:s|ed)|can|had|will)\b)")  # "Tom works"
_ASKING = frozenset(
    ["what", "which", "who", "where", "when", "how", "many", "know", "remember", "again", "name"]
)
_NAMING = re.compile(r"\b(?:called|named?|names)\b", re.IGNORECASE)
_PLAIN = re.compile(
    r"(?:[Aa]ctually,? |[Nn]o,? )?(?:[Mm]y|[Oo]ur) ([a-z' -]+?) (is|are) (called )?(?!(?:in|on|at|from|by|not|no)\b)[^,]+"
)
_ROLE = re.compile(r"\b(?:my|our) (([\w-]+)(?: [\w-]+)?)", re.IGNORECASE)


class Topic(NamedTuple):
    """What can be asked: {template of a question: its words}, the words of each way to state it, and those of its values."""

    subject: str
    questions: dict[str, frozenset[str]]
    said: tuple[frozenset[str], ...]
    values: frozenset[str]

    def speaks_of(self, words: set[str]) -> bool:
        """Say whether it has any of some words."""
        return not (words.isdisjoint(self.values) and all(map(words.isdisjoint, self.said)))


class Topics:
    """What can be asked about somebody in one language.

    Attributes:
        topics: Those whose questions need no value: "When did I move to {V}?" does.
        weight: {word: how much it says}; one that is said of few things says more.
    """

    def __init__(self, relations: Iterable[Any], kinds: dict[str, everyday.Kind]):
        """Collect the words.

        Args:
            relations: Of everyday or tinyworld.
            kinds: {kind of value: values}; those of other kinds are not known.
        """
        self.topics: list[Topic] = []
        for row in relations:
            questions = {text: _words(text) for text in row.questions if "{V" not in text}
            said = tuple(map(_words, row.statements))
            items = kinds[row.value].items if row.value in kinds else ()
            values = frozenset().union(*map(content_words, items))
            self.topics += [Topic(row.subject, questions, said, values)] if questions else []
        found = Counter(word for row in self.topics for word in frozenset().union(*row.said))
        self.weight = {word: math.log(len(self.topics) / n) for word, n in found.items()}

    def of(self, sentence: str, speaker: Form = ONESELF) -> dict[str, float]:
        """Return the questions that fit a sentence, the most likely first.

        Args:
            sentence: What was said; "" for all questions about the speaker.
            speaker: How to ask about who said it.

        Returns:
            {question: how much of its words it shares with the sentence, from 0 to 1}.
        """
        subjects = _subjects(sentence, speaker) if sentence else [speaker]
        named = content_words(" ".join(form.name for form in subjects if form != speaker))
        alike: dict[str, float] = {}
        for form in subjects:
            words = content_words(sentence) - (set() if form == speaker else named)
            for topic in self.topics:
                if form.how == "I" and topic.subject != "person":
                    continue
                if not sentence or topic.speaks_of(words):
                    fit = max(self._share(words, said, topic.values) for said in topic.said)
                    fits = (
                        not sentence
                        or fit >= LIKELY
                        or (fit >= VALUED and form != speaker and words <= topic.values)
                    )
                    for question in self._phrasings(topic, content_words(sentence)):
                        text, own = _filled(question, form), topic.questions[question]
                        if fits or (fit >= LEAST and _has_words(sentence, question, own)):
                            alike[text] = max(fit, alike.get(text, 0.0))
        ordered = sorted(alike, key=alike.__getitem__, reverse=True)
        least = RIVALS * alike[ordered[0]] if ordered else 0.0
        rivals = [text for text in ordered if alike[text] >= least]
        return {text: alike[text] for text in rivals[: MOST if sentence else None]}

    def _phrasings(self, topic: Topic, words: set[str]) -> list[str]:
        """Return the questions that share most words with a sentence."""
        near = {text: self._share(words, has, has) for text, has in topic.questions.items()}
        return sorted(near, key=near.__getitem__, reverse=True)[:PHRASINGS]

    def _share(self, words: set[str], said: frozenset[str], values: frozenset[str]) -> float:
        def total(some: Iterable[str]) -> float:
            return sum(self.weight.get(word, math.log(len(self.topics))) for word in some)

        both = total(words & said) + VALUE * total((words - said) & values)
        return both / (total(words | said) or 1.0)


@cache
def everyday_topics() -> Topics:
    """Return what can be asked in plain English."""
    known = everyday.load()
    return Topics((*known.relations.values(), *known.roles.values()), known.kinds)


@cache
def tinyworld_topics() -> Topics:
    """Return what nano can be asked."""
    return Topics(tinyworld.RELATIONS.values(), {})


def plain_question(sentence: str) -> dict[str, float]:
    """Return "What is my locker?" for "My locker is number 12.", and its likeness; nothing for sentences of another form."""
    found = _PLAIN.fullmatch(straight_quotes(sentence).strip(" .!"))
    if not found:
        return {}
    noun, verb, called = found.groups()
    return {f"What {verb} my {noun}{' called' if called else ''}?": PLAIN}


def is_about(sentence: str, name: str) -> bool:
    """Say whether a sentence names somebody or something; "" for its speaker."""
    words = content_words(name)
    return words <= content_words(sentence) if words else _ONESELF.search(sentence) is not None


def _subjects(sentence: str, oneself: Form) -> list[Form]:
    """Return whom a sentence speaks of: names, "my sister", and the speaker."""
    text, roles = straight_quotes(sentence), everyday.load().roles
    speaker = _SPEAKER.fullmatch(text)
    if speaker and _is_name(speaker[1].split()[0]):
        oneself, text = Form("name", speaker[1]), speaker[2]
    names = [word for word in _NAMED.findall(text) if _is_name(word)]
    owned = [f"my {role}" for found in _ROLE.findall(text) for role in found if role in roles]
    forms = [Form("name", name) for name in dict.fromkeys([*names, *owned])]
    return [oneself, *forms] if _ONESELF.search(text) or not forms else forms


def _is_name(word: str) -> bool:
    common = everyday.load().common
    return word[0].isupper() and word.lower() not in common and bool(content_words(word))


def _has_words(sentence: str, question: str, words: frozenset[str]) -> bool:
    """Say whether a sentence has the words of a question; "called" and "favourite" count here."""
    said = content_words(sentence)
    if "avourite" in question and "avourite" not in sentence:
        return False
    named = not _NAMING.search(question) or _NAMING.search(sentence) is not None
    return named and words - _ASKING <= said


def _words(template: str) -> frozenset[str]:
    return frozenset(content_words(fill(template, ONESELF).replace("'s ", " ")))


def _filled(question: str, form: Form) -> str:
    text = fill(question, form).replace(KEEP, "").replace(END, "").replace(" am my ", " is my ")
    return text[:1].upper() + text[1:]
