"""The capstone: a write rule of the learner's own, its invariants, its control battery, its row on a leaderboard (chapter 17).

    capstone.register("novel", NovelWrite)      from now on "novel+branch" is a method like any other
    capstone.check("novel")                     what must hold of every write, and in words what does not
    capstone.judge("novel", conversations)      right bank, wrong banks, evidence deleted: one row
    capstone.enter(row, "board.json")           the row among others, by the lower end of its memory score

The read is the shipped one, trained for plain latents and not changed, so two rows differ by the write alone. A write whose
rows look like latents can be judged without any training.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median_high
from typing import Any

import torch

from lmem.data.conversation import Conversation
from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.evaluate import EvalConfig, evaluate
from lmem.evaluation.summary import verdict
from lmem.evaluation.tables import DIFFERENCE, percent, verdict_text
from lmem.exercises.invariants import check
from lmem.exercises.own_write import SCALE, memory, register
from lmem.memory.model import MemoryModel
from lmem.utils import provenance

__all__ = ["board", "check", "enter", "judge", "memory", "printed", "register", "sentences"]
CONTROLS = ("right", "twin", "other", "deleted", "noise", "none")


def judge(
    name: str,
    conversations: Sequence[Conversation],
    scale: float = SCALE,
    write: Mapping[str, Any] | None = None,
    seed: int = 7,
    model: MemoryModel | None = None,
) -> dict[str, Any]:
    """Ask under right and wrong banks.

    Args:
        name: Name of a registered write.
        conversations: What to ask.
        scale: Rows of the bank, as a multiple of the paper's 64.
        write: Options of the write.
        seed: Seed of the controls.
        model: A model of this write with a read of its own, on any backbone; by default the shipped read on nano.

    Returns:
        A row for the leaderboard: name, write, rows, kib (of one bank), backbone, n, conversations, conversations_sha256;
        right, twin, other, deleted, noise (exact match with interval); memory (right minus twin, figures of `lmem.evaluation.summary.difference`), bits (likewise),
        seconds (of a turn, without encoding), said (sentences).
    """
    model = memory(name, scale, write) if model is None else model
    result = evaluate(
        model, conversations, EvalConfig(seed=seed), ",".join(CONTROLS), progress=False
    )
    summary = result["summary"]
    score = summary["memory"]["right-twin, all"]
    row = {
        "name": name,
        "write": dict(write or {}),
        "rows": model.rows,
        "kib": round(model.new_bank().nbytes / 1024, 1),
        "backbone": model.backbone.name,
        "n": summary["n"],
        "conversations": summary["conversations"],
        "conversations_sha256": result["conversations_sha256"],
        **{c: summary["conditions"][c]["em"] for c in CONTROLS},
        "memory": {key: score[key] for key in DIFFERENCE},
        "bits": {key: score["bits"][key] for key in DIFFERENCE},
        "seconds": _seconds(model, conversations[0]),
    }
    return row | {"said": sentences(row), "provenance": result["provenance"]}


def _seconds(model: MemoryModel, conversation: Conversation) -> float:
    """Time one turn's write: the median over a conversation."""
    [turns] = model.encode_turns([conversation.texts()])
    bank, seconds = model.new_bank(), []
    with torch.no_grad():
        for turn in turns:
            begun = time.perf_counter()
            bank = model.write_latents(bank, [[turn]])
            seconds.append(time.perf_counter() - begun)
    return float(f"{median_high(seconds):.2g}")


def sentences(row: Mapping[str, Any]) -> list[str]:
    """Say what a row shows and what it does not."""
    score, right = row["memory"], row["right"]["mean"]
    said = [f"Right bank minus twin's, in points: {percent(score)}.", verdict_text(score)]
    if verdict(score) == "more" and row["deleted"]["mean"] > right / 2:
        said.append(
            "But without the evidence's turns more than half remains: it comes from elsewhere."
        )
    if max(row["other"]["mean"], row["noise"]["mean"]) > right / 2 > 0:
        said.append(
            "Another conversation's bank or noise scores more than half as much: that part is no memory."
        )
    return said


def board(path: str | Path) -> list[dict[str, Any]]:
    """Read the rows of a leaderboard, best lower end first; none if there is no file yet.

    Raises:
        InputError: The file is no leaderboard.
    """
    path = Path(path)
    if not path.is_file():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        return sorted(rows, key=lambda row: -row["memory"]["low"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"expected a leaderboard in {path}: {error}") from error


def enter(row: dict[str, Any], path: str | Path) -> list[dict[str, Any]]:
    """Check a row's write, and put the row on the leaderboard; it replaces one of the same name.

    Args:
        row: A row of `judge`.
        path: File of the leaderboard.

    Returns:
        All rows, best lower end first.

    Raises:
        InputError: An invariant does not hold (the message is the report), or the score has no interval.
    """
    report = check(row["name"], row["write"])
    if not report.passed:
        raise InputError(f"expected a write that holds what every write holds:\n{report}")
    if row["memory"]["low"] is None:
        raise InputError(
            "expected two conversations or more that differ: a score without an interval is no score"
        )
    rows = [old for old in board(path) if old["name"] != row["name"]] + [row]
    backbones = ", ".join(sorted({each["backbone"] for each in rows}))
    results.save({"backbone": backbones, "versions": provenance.versions(), "rows": rows}, path)
    return board(path)


def printed(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Format a leaderboard's rows for printing: {column: text}."""
    return [
        {
            "method": row["name"],
            "memory score": percent(row["memory"]),
            **{name: percent(row[name]["mean"]) for name in ("right", "twin", "deleted")},
            "rows": str(row["rows"]),
            "KiB": f"{row['kib']:g}",
            "ms a turn": f"{1000 * row['seconds']:.2g}",
            "questions": str(row["n"]),
        }
        for row in rows
    ]
