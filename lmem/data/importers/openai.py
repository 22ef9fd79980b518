"""ChatGPT's export: conversations.json, or the archive that holds it.

A conversation is a tree, because an edited message and a new answer start branches. The branch that ends at `current_node`
is the one that was shown last; it alone is read, and the messages of the others are counted.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from lmem.data.importers.base import (
    ROLES,
    ImportReport,
    Message,
    Source,
    day_of,
    samples_of,
    texts_of,
)
from lmem.data.importers.json_text import records
from lmem.errors import DataError

# other kinds of content are code, search results and custom instructions
SPOKEN = ("text", "multimodal_text")


def looks_like(value: Any) -> bool:
    """Say whether a record has the tree of a conversation of ChatGPT."""
    return isinstance(value, Mapping) and isinstance(value.get("mapping"), Mapping)


def read(source: Source, report: ImportReport) -> list[dict[str, Any]]:
    """Read all conversations, one sample each.

    Raises:
        DataError: A conversation has no tree, or its tree has a circle.
    """
    found = [record for text in source.files.values() for record in records(text, source.name)]
    if not found or not all(map(looks_like, found)):
        raise DataError(
            f"expected conversations with a mapping, as ChatGPT exports them, in {source.name}"
        )
    report.note("dates are those of UTC")
    names = (str(record.get("title") or "untitled") for record in found)
    return samples_of(names, found, partial(_messages, report), report)


def _messages(report: ImportReport, name: str, record: Mapping[str, Any]) -> list[Message | None]:
    nodes = {str(id): node for id, node in record["mapping"].items() if isinstance(node, Mapping)}
    branch = _branch(nodes, _last_node(record, nodes, name, report), name)
    elsewhere = [node for id, node in nodes.items() if id not in branch]
    report.drop("messages in other branches", sum(_message(n) is not None for n in elsewhere))
    messages = [_message(nodes[id]) for id in branch]
    for id, read in zip(branch, messages, strict=True):
        message = nodes[id].get("message")
        if read is None and isinstance(message, Mapping):
            report.drop(_reason(message) or "no words")
    return messages


def _last_node(
    record: Mapping[str, Any], nodes: dict[str, Any], name: str, report: ImportReport
) -> str:
    """Return the id of the last message that was shown."""
    current = record.get("current_node")
    if isinstance(current, str) and current in nodes:
        return current
    leaves = [id for id, node in nodes.items() if not node.get("children")]
    if not leaves:
        raise DataError(f"expected a last message in {name}, every message has one after it")
    report.note(f"{name} does not say which branch was shown last; the newest is read")
    return max(leaves, key=lambda id: _created(nodes[id]))


def _created(node: Mapping[str, Any]) -> float:
    message = node.get("message")
    created = message.get("create_time") if isinstance(message, Mapping) else None
    return float(created) if isinstance(created, int | float) else 0.0


def _branch(nodes: Mapping[str, Any], last: str, name: str) -> list[str]:
    """Return the ids from the first message to `last`."""
    ids: dict[str, None] = {}
    id: Any = last
    while isinstance(id, str) and id in nodes:
        if id in ids:
            raise DataError(f"expected a tree of messages in {name}, {id!r} comes before itself")
        ids[id] = None
        id = nodes[id].get("parent")
    return list(reversed(ids))


def _message(node: Mapping[str, Any]) -> Message | None:
    """Return what a node says; None for what was not shown to the user as a message."""
    message = node.get("message")
    if not isinstance(message, Mapping) or _reason(message):
        return None
    text = texts_of(message["content"].get("parts"))
    day = day_of(message.get("create_time"))
    return Message(ROLES[message["author"]["role"]], text, day) if text.strip() else None


def _reason(message: Mapping[str, Any]) -> str:
    """Say why a message is not read; "" for one that is."""
    author, content, about = (message.get(key) for key in ("author", "content", "metadata"))
    role = author.get("role") if isinstance(author, Mapping) else None
    if role not in ROLES:
        return "messages of tools" if role == "tool" else "system messages"
    if isinstance(about, Mapping) and about.get("is_visually_hidden_from_conversation"):
        return "system messages"
    if not isinstance(content, Mapping) or content.get("content_type") not in SPOKEN:
        return "code, searches and instructions"
    return ""
