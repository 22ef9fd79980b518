"""Whether the lab keeps its time, against the plain way (chapter 15).

    training     ten epochs of M.3 at 1x on LoCoMo, unit costs times counts
    evaluation   one cell of LoCoMo under five conditions, likewise
    lab          the notebook's short version: all six methods are really run; the plain way is six times M.3's, by its units

Aims are seconds on two cores; the ratios hold on any machine.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from lmem.backbone.backbone import load_backbone
from lmem.bench import plain
from lmem.bench.evaluate import bench_eval
from lmem.bench.measure import time_units
from lmem.bench.train import bench_train
from lmem.bench.units import PlainUnits, sample_evenly
from lmem.data import splits
from lmem.experiments.reproduce import LENGTH, PAPER_METHODS, ReproduceConfig, Reproduction
from lmem.experiments.runner import Cell
from lmem.memory.model import MemoryModel
from lmem.utils import provenance
from lmem.utils.progress import track

AIMS = {"training": 360, "evaluation": 90, "lab": 180}
CONDITIONS = 5  # of the evaluation
CONTROLS = "right,other,none,null_rows,baseline,oracle"  # of the lab, as its notebook has them
SHORT: Mapping[str, Any] = {
    "conversations": 15,
    "turns": 120,
    "questions": 12,
    "steps": 40,
    "max_new_tokens": 8,
    "budget": 128,
}


def bench_lab(
    backbone: str = "mini",
    data: str = "locomo",
    lab_data: str = "everyday",
    short: Mapping[str, Any] = SHORT,
    methods: Sequence[str] = PAPER_METHODS,
    repeats: int = 3,
    **sample: Any,
) -> dict[str, Any]:
    """Measure the three parts.

    Args:
        backbone: Name or folder.
        data: Of training and evaluation.
        lab_data: Of the lab.
        short: Limits of the lab.
        methods: Of the lab.
        repeats: At least 3, of each unit.
        sample: turns, plain_turns and questions, as in `bench_train`.

    Returns:
        dict: by_part, a row for each part (part, seconds, plain_seconds, times, aim, met); lab_seconds {cell: seconds};
        training and evaluation, as of `bench_train` and `bench_eval`; provenance.

    Raises:
        InputError: There are fewer than 3 repeats, or the data cannot be had.
        LmemError: The two ways do not agree.
    """
    begun, loaded = time.perf_counter(), load_backbone(backbone)
    training, _ = splits.for_training(data, 7, LENGTH, 0)
    tests = splits.for_testing(data, 3, LENGTH, 0)
    trained = bench_train(loaded, training, repeats, **sample)
    evaluated = bench_eval(loaded, tests, repeats=repeats, conditions=CONDITIONS, **sample)
    parts = {"training": trained["seconds"], "evaluation": evaluated["seconds"]}
    seconds = {
        name: {way: ways[way]["total"]["median"] for way in ("engine", "plain")}
        for name, ways in parts.items()
    }
    left_out = {"constant": False, "knowledge": False}
    config = ReproduceConfig(backbone, lab_data, controls=CONTROLS, **left_out, **short)
    cells = [Cell(method, 1, config.seed) for method in methods]
    with tempfile.TemporaryDirectory() as folder:
        lab, took = Reproduction(config, folder, cells), {}
        for cell in track(cells, "the lab"):
            start = time.perf_counter()
            lab.run(cell)
            took[cell.name] = round(time.perf_counter() - start, 1)
        seconds["lab"] = {"engine": sum(took.values()), "plain": plain_seconds(lab, repeats)}
    rows = [
        {
            "part": name,
            "seconds": round(both["engine"], 1),
            "plain_seconds": round(both["plain"]),
            "times": round(both["plain"] / both["engine"], 1),
            "aim": AIMS[name],
            "met": both["engine"] < AIMS[name],
        }
        for name, both in seconds.items()
    ]
    return {
        "what": "lab",
        "backbone": loaded.name,
        "by_part": rows,
        "lab_seconds": took,
        "training": trained,
        "evaluation": evaluated,
        "provenance": provenance.provenance(0, {"all": time.perf_counter() - begun}),
    }


def plain_seconds(lab: Reproduction, repeats: int) -> float:
    """Return what the cells of a lab take the plain way, as many times as M.3 at 1x, by the costs of its units.

    Args:
        lab: With steps and generated conversations.
        repeats: At least 3, of each unit; the medians count.
    """
    config, (backbone, training, tests) = lab.config, lab.inputs
    model, settings = MemoryModel(backbone, "m3"), config.training()
    texts = [text for c in tests for text in c.texts()]
    few = sample_evenly(texts, 12)
    asked = [q for c in training for q in c.questions if q.answerable]
    pairs = [(plain.write(model, few), question) for question in sample_evenly(asked, 4)]
    units = PlainUnits(model)
    step = units.step(pairs, plain.optimizer_of(model, settings), settings.clip)
    answer = units.answer(pairs, max_new_tokens=config.max_new_tokens)
    ways = {"encode": units.encode(few), "write": units.write(few), "step": step, "answer": answer}
    timings = time_units({"plain": ways}, repeats, backbone.device)["plain"]
    cost = {name: median(timing.seconds) for name, timing in timings.items()}
    learned = settings.total_steps(len(asked)) * settings.batch
    turns = learned / len(asked) * sum(len(c.turns) for c in training) + len(texts)
    questions = sum(len(c.questions) for c in tests) * len(config.controls.split(","))
    one = turns * (cost["encode"] + cost["write"])
    return len(lab.cells) * (one + learned * cost["step"] + questions * cost["answer"])
