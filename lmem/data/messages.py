"""Turns as users have them: texts, messages of a chat, (speaker, text) pairs, rows of `datasets`.

    "Ana: I live in Cedar-Bay."                             a text, as the encoder sees it after "context: "
    {"role": "user", "content": "I live in Cedar-Bay."}     also {"from", "value"} and {"speaker", "text"}
    ("Ana", "I live in Cedar-Bay.")                         a tuple whose first text is a name, without ": "

A conversation is a list of turns, a Conversation, or a mapping that has its turns under "messages", "conversations",
"turns" or "sessions" (as `lmem.data.export.as_row` writes it). Everything else is refused, with the number of the turn.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lmem.data.conversation import Conversation
from lmem.errors import InputError
from lmem.utils.text import checked_text, has_words

NAMES = (("role", "content"), ("from", "value"), ("speaker", "text"))
LISTS = ("messages", "conversations", "turns", "sessions")
FORMS = (
    'text such as "Ana: hello", a message such as {"role": "user", "content": "hello"}, '
    'or a pair such as ("Ana", "hello")'
)
CONTEXT = "context: "

Turns = Conversation | str | Mapping[str, Any] | Iterable[Any]


def conversation_texts(turns: Turns, name: str = "") -> list[str]:
    """Return the turns of a conversation as the encoder sees them: `context: SPEAKER: TEXT`.

    Args:
        turns: A conversation in one of the forms above, or a single turn.
        name: Which conversation, for messages: " of bank 2".

    Raises:
        InputError: It is no conversation, or a turn has another form or no words.
    """
    if isinstance(turns, Conversation):
        return turns.texts()
    if isinstance(turns, str) or (isinstance(turns, Mapping) and is_turn(turns)):
        turns = [turns]
    listed = _listed(turns, name)
    return [
        text if text.startswith(CONTEXT) else CONTEXT + text
        for text in (
            turn_text(turn, f"turn {i} of {len(listed)}{name}") for i, turn in enumerate(listed)
        )
    ]


def turn_text(turn: Any, name: str) -> str:
    """Return a turn as "SPEAKER: TEXT".

    Args:
        turn: A text, a message or a pair.
        name: Which turn, for messages: "turn 3 of 5".

    Raises:
        InputError: It has another form, no words, or lone surrogates.
    """
    if isinstance(turn, str):
        text = checked_text(turn, name)
        _, colon, said = turn.removeprefix(CONTEXT).partition(": ")
        if not text.removeprefix(CONTEXT.strip()).strip() or (colon and not has_words(said)):
            raise InputError(f"expected words in {name}, its text is empty")
        return text
    if isinstance(turn, Mapping):
        for speaker_key, text_key in NAMES:
            if speaker_key in turn and text_key in turn:
                speaker, content = turn[speaker_key], _content(turn[text_key])
                break
        else:
            keys = ", ".join(map(repr, list(turn)[:6])) or "no key"
            raise InputError(f"expected {name} as {FORMS}, got an object with {keys}")
    elif _is_pair(turn):
        speaker, content = turn
    else:
        of = f" of {len(turn)}" if isinstance(turn, tuple) else ""
        raise InputError(f"expected {name} as {FORMS}, got {type(turn).__name__}{of}")
    return f"{checked_text(speaker, f'the speaker of {name}')}: {checked_text(content, name)}"


def is_turn(value: Any) -> bool:
    """Say whether a value has the form of one turn: a text, a message or a pair."""
    if isinstance(value, Mapping):
        return any(keys[0] in value and keys[1] in value for keys in NAMES)
    return isinstance(value, str) or _is_pair(value)


def is_conversation(value: Any) -> bool:
    """Say whether a value has the form of a conversation, and not that of one turn."""
    if is_turn(value) or _starts_with_name(value) or isinstance(value, bytes | bytearray):
        return False
    if isinstance(value, Mapping):
        return any(key in value for key in LISTS)
    return isinstance(value, Conversation | Iterable)


def _is_pair(value: Any) -> bool:
    """Say whether a value is (speaker, text); of two turns the first has ": " in it."""
    return _starts_with_name(value) and len(value) == 2 and isinstance(value[1], str)


def _starts_with_name(value: Any) -> bool:
    """Say whether a value is a tuple whose first text is a name, without ": ", and so no list of turns."""
    return (
        isinstance(value, tuple)
        and len(value) > 0
        and isinstance(value[0], str)
        and ": " not in value[0]
    )


def _content(content: Any) -> Any:
    """Return the text of a message whose content is a list of parts; anything else is returned unchanged."""
    if not isinstance(content, list):
        return content
    parts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
    return " ".join(part for part in parts if isinstance(part, str))


def _listed(turns: Any, name: str) -> list[Any]:
    """Return the turns of a conversation as a list."""
    if isinstance(turns, Mapping):
        key = next((key for key in LISTS if key in turns), None)
        if key is None:
            keys = ", ".join(map(repr, list(turns)[:6])) or "no key"
            raise InputError(
                f"expected a conversation{name} with turns under one of {', '.join(LISTS)}, "
                f"got an object with {keys}"
            )
        listed = _listed(turns[key], name)
        return [t for s in listed for t in _session_turns(s, name)] if key == "sessions" else listed
    return expect_list(turns, f"a list of turns{name}")


def expect_list(values: Any, what: str) -> list[Any]:
    """Return the elements of a list or another ordered collection.

    Raises:
        InputError: It is one text, bytes, a set, a table of pandas or no collection.
    """
    if hasattr(values, "iterrows"):  # it would give the names of its columns
        raise InputError(f"expected {what}, got a table; pass table.to_dict('records')")
    unordered = str | bytes | bytearray | memoryview | Mapping | set | frozenset
    if isinstance(values, unordered) or not isinstance(values, Iterable):
        raise InputError(f"expected {what}, got {type(values).__name__}")
    try:
        return list(values)
    except TypeError as error:  # an array without dimensions
        raise InputError(f"expected {what}, got {type(values).__name__}: {error}") from error


def _session_turns(session: Any, name: str) -> list[Any]:
    """Return the turns of a session of `as_row`, with its date before the speaker."""
    if not isinstance(session, Mapping):
        raise InputError(f"expected sessions as objects{name}, got {type(session).__name__}")
    date, dated = session.get("date"), []
    for turn in _listed(session, name):
        if isinstance(turn, Mapping) and "text" in turn and "speaker" in turn:
            caption = turn.get("caption")
            text = turn["text"]
            if isinstance(caption, str) and caption and isinstance(text, str):
                text = f"{text} [image: {caption}]".strip()
            speaker = turn["speaker"]
            if isinstance(date, str) and date and isinstance(speaker, str):
                speaker = f"{date}, {speaker}"
            turn = {"speaker": speaker, "text": text}
        dated.append(turn)
    return dated


def questions_before(texts: Sequence[str]) -> list[str]:
    """Return the question that each turn answers, the turn before it, or "": alone, "It's Hector." says nothing."""
    before = ["", *texts]
    return [last if last.rstrip().endswith("?") else "" for last in before[: len(texts)]]


def with_question_before(texts: Sequence[str]) -> list[str]:
    """Put the question in front of each turn that answers one."""
    questions = questions_before(texts)
    return [
        f"{asked} {text}" if asked else text for asked, text in zip(questions, texts, strict=True)
    ]
