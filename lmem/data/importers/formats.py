"""The table of formats, and the way of a file through it: read, recognised, imported.

    samples, report = import_file("WhatsApp Chat with Ben.zip")

The samples are in LoCoMo's form, without questions unless the file has some. `lmem.data.locomo.parse` makes conversations
of them, which `model.write` takes.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lmem.data.importers import (
    locomo_form,
    longmemeval,
    openai,
    sharegpt,
    slack,
    table_csv,
    whatsapp,
)
from lmem.data.importers.base import USER, ImportReport, Reader, Source
from lmem.data.importers.dates import ORDERS
from lmem.data.importers.files import read_files
from lmem.data.importers.json_text import records
from lmem.errors import DataError, expect_out_of
from lmem.utils.files import write_text
from lmem.utils.text import checked_text


class Format(NamedTuple):
    """A format that can be read.

    Attributes:
        read: Makes samples of a source.
        record: Says whether a record of a JSON file has this form; None for a format that is no JSON.
        text: Says whether a text has this form; None for JSON.
        file: Pattern of the file's name in an archive or a folder.
    """

    read: Reader
    record: Callable[[Any], bool] | None = None
    text: Callable[[str], bool] | None = None
    file: str = r".*\.jsonl?"


FORMATS = {
    "whatsapp": Format(whatsapp.read, text=whatsapp.looks_like, file=r".*\.txt"),
    "openai": Format(openai.read, openai.looks_like, file=r"conversations.*\.json"),
    "longmemeval": Format(longmemeval.read, longmemeval.looks_like),
    "locomo": Format(locomo_form.read, locomo_form.looks_like),
    "slack": Format(slack.read, slack.looks_like),
    "sharegpt": Format(sharegpt.read, sharegpt.looks_like),
    "csv": Format(table_csv.read, text=table_csv.looks_like, file=r".*\.[ct]sv"),
}
CHOICES = ("auto", *FORMATS)
_UNSUPPORTED = (  # keys by which a form is recognised that nobody has written an importer for
    ({"chat_messages"}, "Claude"),
    ({"previous_dialogs"}, "MSC"),
    ({"personas"}, "MSC"),
    ({"guild", "channel"}, "Discord"),
    ({"participants", "messages"}, "Facebook or Instagram"),
    ({"type", "messages"}, "Telegram"),
)


def import_file(
    path: str | os.PathLike[str],
    form: str = "auto",
    order: str | None = None,
    name: str | None = None,
) -> tuple[list[dict[str, Any]], ImportReport]:
    """Read somebody's conversations.

    Args:
        path: A file, an archive (zip), or for Slack a folder.
        form: One of CHOICES.
        order: "dmy", "mdy" or "ymd" for numeric dates, if the file does not decide it.
        name: What to call the person whom a file calls "user".

    Returns:
        Samples in LoCoMo's form, and what was kept and dropped.

    Raises:
        InputError: `form` or `order` is none.
        DataError: The file cannot be read, has another form, or has no message with words.
    """
    expect_out_of("a format", CHOICES, form)
    if order is not None:
        expect_out_of("the order of dates", ORDERS, order)
    file, files, notes = read_files(path)
    chosen = recognised(file, files) if form == "auto" else form
    report = ImportReport(chosen)
    for note in notes:
        report.note(note)
    samples = FORMATS[chosen].read(Source(file, chosen_files(chosen, files), order), report)
    if not samples:
        dropped = ", ".join(f"{reason}: {n}" for reason, n in report.dropped.items()) or "nothing"
        raise DataError(f"expected messages with words in {file}, found none; dropped {dropped}")
    if name is not None:
        _rename(samples, report, checked_text(name, "a name"))
    return samples, report


def save_samples(samples: list[dict[str, Any]], path: str | os.PathLike[str]) -> None:
    """Write samples as JSON into a file that only its owner can read.

    Raises:
        InputError: It cannot be written.
    """
    write_text(path, json.dumps(samples, indent=1, ensure_ascii=False) + "\n", private=True)


def recognised(name: str, files: Mapping[str, str]) -> str:
    """Return the format of a file's content.

    Raises:
        DataError: None of FORMATS, or one that has no importer.
    """
    if slack.has_channels(files):
        return "slack"
    for text in files.values():
        start = text.lstrip("\ufeff \t\r\n")[:1]
        if start in ("{", "["):
            found = _json_format(text, name)
        else:
            found = next((f for f, each in FORMATS.items() if each.text and each.text(text)), None)
        if found:
            return found
    raise DataError(
        f"expected one of {', '.join(FORMATS)} in {name}, it looks like none of them; --from says which it is"
    )


def chosen_files(form: str, files: Mapping[str, str]) -> dict[str, str]:
    """Leave out the files of an archive that are not of the format."""
    if len(files) == 1 or form == "slack":
        return dict(files)
    each = FORMATS[form]
    named = {
        name: text
        for name, text in files.items()
        if re.fullmatch(each.file, re.split(r"[/\\]", name)[-1], re.IGNORECASE)
    }
    alike = {name: text for name, text in named.items() if each.text and each.text(text)}
    return alike or named or dict(files)


def _json_format(text: str, name: str) -> str | None:
    """Return the format of a JSON text; None for one that is no JSON, such as WhatsApp's lines in brackets."""
    try:
        found = records(text, name)
    except DataError:
        if whatsapp.looks_like(text):
            return "whatsapp"
        raise
    first = found[0] if found else None
    if isinstance(first, list) and first:
        first = first[0]
    for form, each in FORMATS.items():
        if each.record and each.record(first):
            return form
    for keys, other in _UNSUPPORTED:
        if isinstance(first, Mapping) and keys <= set(first):
            raise DataError(
                f"expected one of {', '.join(FORMATS)} in {name}; exports of {other} are not supported"
            )
    return None


def _rename(samples: list[dict[str, Any]], report: ImportReport, name: str) -> None:
    """Call the speaker USER by a name, in samples of messages and in the report."""
    for sample in samples:
        talk = sample["conversation"]
        for key, value in talk.items():
            if value == USER:
                talk[key] = name
            elif key == "speakers":
                talk[key] = [name if speaker == USER else speaker for speaker in value]
            elif isinstance(value, list):
                for turn in value:
                    turn["speaker"] = name if turn["speaker"] == USER else turn["speaker"]
    report.speakers[name] += report.speakers.pop(USER, 0)
    report.speakers = +report.speakers
