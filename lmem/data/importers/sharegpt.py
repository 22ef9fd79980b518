"""Lists of messages: ShareGPT's from/value, and role/content as in files for fine-tuning; JSON or JSON Lines.

{"id": "a", "conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hi"}]}
{"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]}
"""

from collections.abc import Mapping
from typing import Any

from lmem.data.importers.base import (
    ROLES,
    ImportReport,
    Message,
    Source,
    samples_of,
    texts_of,
)
from lmem.data.importers.json_text import records
from lmem.errors import DataError

LISTS = ("conversations", "conversation", "messages", "items")
KEYS = (("from", "value"), ("role", "content"), ("speaker", "text"))
UNSPOKEN = {
    "system": "system messages",
    "developer": "system messages",
    "tool": "messages of tools",
    "function": "messages of tools",
    "function_call": "messages of tools",
    "observation": "messages of tools",
}


def looks_like(value: Any) -> bool:
    """Say whether a record is a conversation of messages, or a single message."""
    return _is_message(value) or _listed(value) is not None


def read(source: Source, report: ImportReport) -> list[dict[str, Any]]:
    """Read all conversations, one sample each. A file of bare messages is one conversation.

    Raises:
        DataError: A record has another form.
    """
    found = [record for text in source.files.values() for record in records(text, source.name)]
    if found and all(map(_is_message, found)):
        found = [{"messages": found}]
    elif found and all(isinstance(record, list) for record in found):
        found = [{"messages": record} for record in found]
    names = []
    for i, record in enumerate(found):
        if _listed(record) is None:
            raise DataError(
                f"expected a list of messages with {' or '.join('/'.join(keys) for keys in KEYS)} in record {i} "
                f"of {source.name}"
            )
        names.append(str(record.get("id") or record.get("title") or f"conversation {i + 1}"))

    def messages(name: str, record: Any) -> list[Message | None]:
        return [_message(message, name, report) for message in _listed(record) or ()]

    return samples_of(names, found, messages, report)


def _listed(record: Any) -> list[Any] | None:
    """Return the messages of a record; None if it has none."""
    if not isinstance(record, Mapping):
        return None
    for key in LISTS:
        value = record.get(key)
        if isinstance(value, list) and value and all(map(_is_message, value)):
            return value
    return None


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and any(a in value and b in value for a, b in KEYS)


def _message(value: Mapping[str, Any], name: str, report: ImportReport) -> Message | None:
    who, said = next((value[a], value[b]) for a, b in KEYS if a in value and b in value)
    if not isinstance(who, str) or not who.strip():
        raise DataError(f"expected a name or a role for each message of {name}, got {who!r}")
    if who.lower() in UNSPOKEN:
        report.drop(UNSPOKEN[who.lower()])
        return None
    return Message(ROLES.get(who.lower(), who), texts_of(said))
