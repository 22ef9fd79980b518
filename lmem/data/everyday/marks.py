"""Marks: how one statement is said of oneself, of the listener, of Maya, of "my sister", or of "she".

A statement is written once, with marks: "{S} {has} a dog called {V}". A `Form` says how the subject
is referred to; `fill` puts the words in. What may not be misspelled later (names and values) is put
between the characters KEEP and END, which `noise` removes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lmem.utils.toml import read_toml

KEEP, END = "\x01", "\x02"  # around names, values and dates
VALUE = "\x03"  # after KEEP, on both sides of a tag: this is a value, not a name

_TABLES = read_toml(Path(__file__).parent / "words" / "marks.toml")
_PRONOUNS, _VERBS, _SHORT = (_TABLES[name] for name in ("pronouns", "verbs", "short"))
_CHOICE = re.compile(r"(\w*)\[([^\]/]*)(?:/([^\]]*))?\]")
_MARK = re.compile(r"\{([^}]*)\}")
SUBJECT = {"S", "S's", "S'm", "S've", "S'll", "S'd", "O"}
_THEY = {"they": 0, "their": 1, "them": 2, "themself": 3}
_AFTER = re.compile(r"\b(?:for|of|with|to|from|at|by|about|behind|around|without|near|against) $")
_TWO_ARTICLES = re.compile(  # "the The Pogues show"
    rf"\b[Tt]he (?={KEEP}{VALUE}[^{VALUE}]*{VALUE}[Tt]he )"
)
_SILENT_H = ("hour", "honest", "honor", "honour", "heir")
_SOUNDS_LIKE_YOU = ("uni", "use", "usu", "eu", "ukulele", "ute", "one", "once", "u-")

ALL = frozenset({*SUBJECT, *_VERBS, *_THEY, "V", "a V", "OLD", "a OLD", "V's", "WHEN"})


@dataclass(frozen=True)
class Form:
    """How a subject is referred to.

    Attributes:
        how: "I", "you", "name" (also of a role: "my sister"), or "pronoun".
        name: The words of the reference: "Maya", "my sister"; unused for I, you and pronouns.
        gender: "female", "male", "none" or "thing"; decides the pronouns.
    """

    how: str
    name: str = ""
    gender: str = "none"


def fill(
    template: str,
    form: Form,
    values: Sequence[str] = (),
    old: str = "",
    when: str = "",
    articles: bool = True,
    tag: str = "",
) -> str:
    """Put the words of a subject and its values into a statement or a question.

    Args:
        template: The text with marks.
        form: How to refer to the subject. After its first mention a name becomes a pronoun.
        values: The texts for {V}, joined by "and".
        old: The text for {OLD}.
        when: The text for {WHEN}.
        articles: Whether {a V} writes an article.
        tag: Put before the number of each value, so that `noise.type_out` can tell which is which.

    Returns:
        The text, names and values between KEEP and END.
    """
    plural = form.how == "you" or (form.how == "pronoun" and form.gender == "none")
    bare = form.how == "I" or plural
    text = _CHOICE.sub(lambda m: _verb(m, bare), template)
    if form.how == "I":
        text = text.replace("{S} {isn't}", "I'm not").replace("{S'm} {isn't}", "I'm not")
    parts = [(article(v) if articles else "", _keep(v, f"{tag}{i}")) for i, v in enumerate(values)]
    value = " and ".join(text for _, text in parts)
    spoken = {
        "V": value, "V's": value + "'s", "a V": " and ".join(a + text for a, text in parts),
        "OLD": _keep(old, "old"), "a OLD": (article(old) if articles else "") + _keep(old, "old"),
        "WHEN": _keep(when, f"{tag}when"),
    }  # fmt: skip
    mentioned = False

    def say(match: re.Match) -> str:
        nonlocal mentioned
        mark = match.group(1)
        if mark in spoken:
            return spoken[mark]
        if mark in _THEY:
            return _pronoun(form, _THEY[mark])
        if mark in _VERBS:
            first_person, plural_form = _VERBS[mark]
            return first_person if form.how == "I" else plural_form if plural else mark
        if mark == "S" and _AFTER.search(text, 0, match.start()):
            mark = "O"  # "the check-up for {S}"
        said = _subject(mark, form, mentioned)
        mentioned = True
        return said

    return _TWO_ARTICLES.sub("", _MARK.sub(say, text))


def _verb(match: re.Match, bare: bool) -> str:
    stem, first, second = match.groups()
    if second is None:
        return stem if bare else stem + first
    return stem + (first if bare else second)


def _subject(mark: str, form: Form, mentioned: bool) -> str:
    """Say a mark of the subject in words."""
    if form.how == "I":
        return {"S": "I", "S's": "my", "O": "me"}.get(mark) or _SHORT[mark][0]
    if form.how == "you":
        said = {"S": "you", "S's": "your", "O": "you"}.get(mark)
        return said or "you" + _SHORT[mark][1]
    if form.how == "pronoun" or (mentioned and form.gender != "none"):
        they, their, them, _ = _PRONOUNS[form.gender]
        said = {"S": they, "S's": their, "O": them}.get(mark)
        return said or they + _SHORT[mark][1 if they == "they" else 2]
    name = KEEP + form.name + END
    if mark in ("S'll", "S'd"):
        return name + {"S'll": " will", "S'd": " would"}[mark]
    return name + {"S": "", "O": "", "S's": "'s"}.get(mark, "'s")


def _pronoun(form: Form, case: int) -> str:
    if form.how == "I":
        return ("I", "my", "me", "myself")[case]
    if form.how == "you":
        return ("you", "your", "you", "yourself")[case]
    return _PRONOUNS[form.gender][case]


def _keep(text: str, tag: str) -> str:
    return KEEP + VALUE + tag + VALUE + text + END


def article(text: str) -> str:
    """Choose "a " or "an " by the sound of the first letters as far as spelling tells it."""
    low = text.lower()
    if low.startswith(_SILENT_H) or (low[:1] in "aeiou" and not low.startswith(_SOUNDS_LIKE_YOU)):
        return "an "
    if low[:1] == "8" or low.startswith(("11", "18 ")) or re.match(r"[AEFHILMNORSX][A-Z]", text):
        return "an "
    return "a "


def marks_of(template: str) -> set[str]:
    """List the marks in a template, without braces."""
    return set(_MARK.findall(template))
