"""The result files as the page of results reads them: which there are, which cell of a sweep is what, and two cells compared."""

import re

import numpy as np

from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.summary import difference
from lmem.experiments.sweep import gather

METHODS = ("m1", "m2", "m3", "m4", "m5", "m6")
CELL = re.compile(r"(.+)-[\d.e+-]+x(-.+)?-s\d+")
READINGS = ("with_evidence", "without_evidence", "alike")


def load(root):
    """All result files of a folder; each result says under `path` where it lies.

    returns  dict: `cells`, {name without its seed: see `_cell`}; `recent` and `null_rows`, a result or None; `nano`, `locomo`
             and `bench`, {name: result}
    """
    tinyworld, seeds = _paths(root / "tinyworld"), {}
    for name in filter(CELL.fullmatch, tinyworld):
        seeds.setdefault(name.rpartition("-s")[0], []).append(tinyworld[name])
    cells = sorted((_cell(name, paths) for name, paths in seeds.items()), key=_place)
    nano, locomo, bench = (
        {name: _result(path) for name, path in _paths(root / folder).items()}
        for folder in ("nano", "locomo", "bench")
    )
    return {
        "cells": {cell["cell"]: cell for cell in cells},
        "recent": _result(tinyworld.get("recent")),
        "null_rows": _result(tinyworld.get("null-rows")),
        "nano": {name: _reading(result) for name, result in nano.items()},
        "locomo": {name: one for name, one in locomo.items() if "summary" in one},
        "bench": bench,
    }


def _paths(folder):
    """{name: path} of its result files, compressed or not."""
    found = sorted([*folder.glob("*.json"), *folder.glob("*.json.gz")])
    return {path.name.removesuffix(".gz").removesuffix(".json"): path for path in found}


def _result(path):
    return path and results.load(path) | {"path": f"results/{path.parent.name}/{path.name}"}


def _place(cell):
    """By method, by which options, by their values, by scale."""
    given = sorted(options(cell).items())
    return cell["label"], [k for k, _ in given], [str(v) for _, v in given], cell["scale"]


def _reading(result):
    """What a backbone reads, as {mean, low, high}, whether the file is of that alone or of a trial's making."""
    found = result.get("reading", result)
    return result | {kind: found[kind] | {"mean": found[kind]["em"]} for kind in READINGS}


def _cell(name, paths):
    """A line of `lmem.experiments.sweep.gather`, and what the files say besides.

    adds    label, "m3"; backbone, data, conversations, steps, settings of the sweep; asked, the questions; gains, {seed: {measure:
            right minus wrong by question}}; empty, the share of empty answers with the right bank; baseline, the bare
            backbone's exact match
    raises  InputError if the seeds were not run with the same settings
    """
    [line], found = gather(paths), [results.load(path) for path in paths]
    first, wrong = found[0], line["wrong_bank"]
    if any(one[key] != first[key] for one in found for key in ("backbone", "data", "sweep")):
        raise InputError(f"expected all seeds of {name} to be run with the same settings")
    asked = [[row for row in one["questions"] if row["answerable"]] for one in found]

    def gains(rows):
        return {m: np.array([r["right"][m] - r[wrong][m] for r in rows]) for m in ("em", "bits")}

    seeds = [one["provenance"]["seed"] for one in found]
    empty = [one["summary"]["conditions"]["right"]["empty"] for one in found] if wrong else None
    return line | {
        "label": name.split("-")[0],
        "backbone": first["backbone"],
        "data": first["data"],
        "conversations": first["summary"]["conversations"],
        "steps": first["training"].get("steps"),
        "settings": first["sweep"],
        "asked": asked[0],
        "gains": {s: gains(rows) for s, rows in zip(seeds, asked, strict=True)} if wrong else {},
        "empty": float(np.mean(empty)) if wrong else None,
        "baseline": first["summary"]["conditions"]["baseline"]["em"]["mean"],
    }


# ---- which cell is what ------------------------------------------------------------------------------


def options(cell):
    """{name: value} of its write and read, over the method's own."""
    return {**cell["options"].get("write", {}), **cell["options"].get("read", {})}


def is_printed(cell):
    return not options(cell) and cell["label"] in ("m0", *METHODS) and cell["scale"] in (1, 10)


def is_as_run(cell):
    return not options(cell) and cell["label"].endswith("_as_run")


def is_scaled(cell):
    return not options(cell) and cell["label"] in METHODS and cell["scale"] != 1


def only(name):
    """A test for cells that differ from the method as printed in this option only."""
    return lambda cell: set(options(cell)) == {name}


is_decay, is_start, is_normalised = only("gamma"), only("noise"), only("normalise")
KINDS = (is_printed, is_as_run, is_decay, is_start, is_scaled, is_normalised)


def base_of(cell, cells):
    """The cell that this one is compared with, if it was run with the same settings: None otherwise.

    With options it is the same without; of a shortcut, the printed method; of another scale, 1x.
    """
    label, scale = cell["label"].removesuffix("_as_run"), cell["scale"]
    if options(cell):
        label = cell["label"]
    elif label == cell["label"]:
        scale = 1
    base = cells.get(f"{label}-{scale:g}x")
    same = base is not None and base is not cell and base["settings"] == cell["settings"]
    return base if same else None


def contrast(cell, base, measure):
    """The memory score of a cell minus its base's, question by question, over the seeds that both have; None without any.

    raises  InputError if the two were not asked the same questions
    """
    seeds = sorted(set(cell["gains"]) & set(base["gains"])) if base else []
    if not seeds:
        return None
    if [row["id"] for row in cell["asked"]] != [row["id"] for row in base["asked"]]:
        raise InputError(f"expected the same questions in {cell['cell']} and {base['cell']}")
    mean, other = (np.mean([c["gains"][s][measure] for s in seeds], 0) for c in (cell, base))
    return difference(cell["asked"], mean - other, two_sided=True)
