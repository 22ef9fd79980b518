"""Slack's export: a folder or an archive with users.json and a folder of dated files for each channel; or one such file.

Mentions become names. Joins, leaves and other notices are dropped; replies in threads take their place by time.
"""

import html
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from lmem.data.importers.base import ImportReport, Message, Source, day_of, samples_of
from lmem.data.importers.json_text import records
from lmem.errors import DataError

SPOKEN = (None, "", "bot_message", "thread_broadcast", "me_message", "file_share")
USERS = "users.json"
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}\.json$")
_MENTION = re.compile(r"<([@#!])([^<>|]+)(?:\|([^<>]*))?>")
_LINK = re.compile(r"<([^<>|@#! ]+)(?:\|([^<>]*))?>")


def looks_like(value: Any) -> bool:
    """Say whether a record is a message of Slack."""
    return isinstance(value, Mapping) and value.get("type") == "message" and "ts" in value


def has_channels(files: Mapping[str, str]) -> bool:
    """Say whether these files are those of an export."""
    return any(_DATED.search(name) for name in files)


def read(source: Source, report: ImportReport) -> list[dict[str, Any]]:
    """Read all channels, one sample each.

    Raises:
        DataError: There is no message of Slack.
    """
    names = _user_names(source)
    channels: dict[str, list[Mapping[str, Any]]] = {}
    dated = {name: text for name, text in source.files.items() if _DATED.search(name)}
    for file, text in (dated or source.files).items():
        parts = re.split(r"[/\\]", file)
        channel = parts[-2] if len(parts) > 1 else parts[-1].removesuffix(".json")
        found = records(text, file)
        if not all(isinstance(record, Mapping) for record in found):
            raise DataError(f"expected messages of Slack in {file}")
        channels.setdefault(channel, []).extend(found)
    if not any(looks_like(record) for found in channels.values() for record in found):
        raise DataError(f"expected messages of Slack (type, ts, text) in {source.name}, found none")
    report.note("dates are those of UTC")
    read_one = partial(_messages, names, report)
    return samples_of(channels, channels.values(), read_one, report)


def _messages(
    names: Mapping[str, str], report: ImportReport, channel: str, found: list[Mapping[str, Any]]
) -> list[Message]:
    timed = []
    for record in found:
        if not looks_like(record) or record.get("subtype") not in SPOKEN or record.get("hidden"):
            report.drop("notices of Slack")
            continue
        text = record.get("text")
        if not isinstance(text, str) or not text.strip():
            report.drop("media without words")
            continue
        message = Message(_speaker(record, names), _plain(text, names), day_of(record["ts"]))
        timed.append((_seconds(record["ts"]), message))
    return [message for _, message in sorted(timed, key=lambda pair: pair[0])]


def _seconds(time: Any) -> float:
    try:
        return float(time)
    except (TypeError, ValueError):
        return 0.0


def _user_names(source: Source) -> dict[str, str]:
    """Return {id of a user: the name that others see}."""
    names = {}
    for file, text in source.files.items():
        if re.split(r"[/\\]", file)[-1] != USERS:
            continue
        for user in records(text, file):
            if isinstance(user, Mapping) and isinstance(user.get("id"), str):
                names[user["id"]] = _profile_name(user) or user["id"]
    return names


def _profile_name(user: Mapping[str, Any]) -> str:
    profile = user.get("profile")
    about = {**user, **(profile if isinstance(profile, Mapping) else {})}
    given = (about.get(key) for key in ("display_name", "real_name", "name"))
    return next((name for name in given if isinstance(name, str) and name.strip()), "")


def _speaker(record: Mapping[str, Any], names: Mapping[str, str]) -> str:
    user = record.get("user")
    if isinstance(user, str) and user in names:
        return names[user]
    profile = record.get("user_profile")
    inline = _profile_name(profile) if isinstance(profile, Mapping) else ""
    return str(inline or record.get("username") or user or record.get("bot_id") or "Somebody")


def _plain(text: str, names: Mapping[str, str]) -> str:
    """Write mentions, channels and links as one reads them."""

    def mention(match: re.Match) -> str:
        kind, id, label = match.groups()
        if kind == "@":
            return f"@{label or names.get(id, id)}"
        return f"#{label or id}" if kind == "#" else f"@{label or id}"

    plain = _LINK.sub(lambda match: match[2] or match[1], _MENTION.sub(mention, text))
    return html.unescape(plain)
