"""The capstone's checker: a write rule of the learner's own, its invariants, its control battery, its line on a leaderboard (chapter 17).

    capstone.register("novel", NovelWrite)      from now on "novel+branch" is a method like any other
    capstone.check("novel")                     what must hold of every write, and in words what does not
    capstone.judge("novel", conversations)      right bank, wrong banks, evidence deleted: one row
    capstone.enter(row, "board.json")           the row beside others, by the lower end of its memory score

The read is the shipped one, trained for plain latents and left as it is: what differs between two rows is the write alone. A
write whose rows look like latents can be judged without any training.
"""

import json
import time
from pathlib import Path

import torch

from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.evaluate import EvalConfig, evaluate
from lmem.evaluation.tables import percent
from lmem.exercises.invariants import check
from lmem.exercises.own_write import SCALE, memory, register
from lmem.utils import provenance

__all__ = ["board", "check", "enter", "judge", "memory", "printed", "register", "sentences"]
CONTROLS = ("right", "twin", "other", "deleted", "noise", "none")


def judge(name, conversations, scale=SCALE, write=None, seed=7, model=None):
    """Ask under right and wrong banks: one row for the leaderboard.

    model    of this write, with a read of its own, on any backbone; default: the shipped read on nano

    returns  dict: name, write, rows, kib (of one bank), backbone, n, conversations, right, twin, other, deleted, noise (exact match
             with interval), memory (right minus twin: mean, low, high, p, mdd), bits (the same), seconds (of a turn, encoding left
             out), said (sentences)
    """
    model = memory(name, scale, write) if model is None else model
    result = evaluate(
        model, conversations, EvalConfig(seed=seed), ",".join(CONTROLS), progress=False
    )
    summary = result["summary"]
    score = summary["memory"]["right-twin, all"]
    row = {
        "name": name, "write": dict(write or {}), "rows": model.rows, "kib": round(model.new_bank().nbytes / 1024, 1),
        "backbone": model.backbone.name, "n": summary["n"], "conversations": summary["conversations"],
        **{c: summary["conditions"][c]["em"] for c in CONTROLS},
        "memory": {key: score[key] for key in ("mean", "low", "high", "p", "mdd")},
        "bits": {key: score["bits"][key] for key in ("mean", "low", "high")},
        "seconds": _seconds(model, conversations[0]),
    }  # fmt: skip
    return row | {"said": sentences(row), "provenance": result["provenance"]}


def _seconds(model, conversation):
    """Of one turn's write, the median over a conversation."""
    [turns] = model.encode_turns([conversation.texts()])
    bank, found = model.new_bank(), []
    with torch.no_grad():
        for turn in turns:
            begun = time.perf_counter()
            bank = model.write_latents(bank, [[turn]])
            found.append(time.perf_counter() - begun)
    return float(f"{sorted(found)[len(found) // 2]:.2g}")


def sentences(row):
    """What a row says and does not say."""
    score, right = row["memory"], row["right"]["mean"]
    if score["low"] is None:
        return ["One conversation says nothing of others: no interval, so no verdict."]
    said = [f"Right bank minus twin's: {percent(score)} points."]
    if score["low"] > 0:
        said.append("The interval lies above 0: this is memory.")
    elif score["high"] < 0:
        said.append("The twin's bank does better: something is wrong.")
    else:
        said.append("The interval holds 0: no memory is shown.")
    if score["low"] > 0 and row["deleted"]["mean"] > right / 2:
        said.append("But without the evidence's turns more than half remains: it comes from elsewhere.")  # fmt: skip
    if max(row["other"]["mean"], row["noise"]["mean"]) > right / 2 > 0:
        said.append("Another conversation's bank or noise scores more than half as much: that part is no memory.")  # fmt: skip
    return said


def board(path):
    """The rows of a leaderboard, best lower end first; none if there is no file yet.

    raises  InputError if the file is none
    """
    path = Path(path)
    if not path.is_file():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        return sorted(rows, key=lambda row: -row["memory"]["low"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"expected a leaderboard in {path}: {error}") from error


def enter(row, path, write=None):
    """Put a row on the leaderboard, in the place of one of the same name; its write is checked first.

    returns  all rows, best lower end first
    raises   InputError with the report if an invariant does not hold, or without an interval
    """
    report = check(row["name"], row["write"] if write is None else write)
    if not report.passed:
        raise InputError(f"expected a write that holds what every write holds:\n{report}")
    if row["memory"]["low"] is None:
        raise InputError("expected two conversations or more, for a score without an interval is no score")  # fmt: skip
    rows = [other for other in board(path) if other["name"] != row["name"]] + [row]
    backbones = ", ".join(sorted({other["backbone"] for other in rows}))
    results.save({"backbone": backbones, "versions": provenance.versions(), "rows": rows}, path)
    return board(path)


def printed(rows):
    """A leaderboard's rows, to be printed: list of {column: text}."""
    return [
        {
            "method": row["name"], "memory score": percent(row["memory"]), "right": percent(row["right"]["mean"]),
            "twin": percent(row["twin"]["mean"]), "deleted": percent(row["deleted"]["mean"]), "rows": str(row["rows"]),
            "KiB": f"{row['kib']:g}", "ms a turn": f"{1000 * row['seconds']:.2g}", "questions": str(row["n"]),
        }
        for row in rows
    ]  # fmt: skip
