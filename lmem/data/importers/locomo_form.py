"""LoCoMo's own form, as `lmem data tinyworld` writes it: checked, and passed on unchanged."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from lmem.data import locomo
from lmem.data.importers.base import ImportReport, Source
from lmem.data.importers.json_text import records


def looks_like(value: Any) -> bool:
    """Say whether a record is a sample in LoCoMo's form."""
    return isinstance(value, Mapping) and isinstance(value.get("conversation"), Mapping)


def read(source: Source, report: ImportReport) -> list[dict[str, Any]]:
    """Return the samples as they are.

    Raises:
        DataError: They are not in LoCoMo's form.
    """
    samples = records(source.text, source.name)
    conversations = locomo.parse(samples)
    found = conversations.report
    report.conversations, report.sessions = found.conversations, found.sessions
    report.turns, report.questions = found.turns, found.questions
    report.speakers += Counter(turn.speaker for c in conversations for turn in c.turns)
    for kind, count in found.kinds.items():
        report.note(f"{kind}: {count}")
    return samples
