"""A sweep: methods x scales x options x seeds, one result file each (chapter 13).

A seed draws the write maps, P_0, the read's start and the training conversations; the test conversations stay the same, so
runs can be compared question by question. What exists is skipped, and a run that was cut off goes on where it was.
"""

import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import torch

from lmem.backbone.backbone import load_backbone
from lmem.data import splits
from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.conditions import allowed
from lmem.evaluation.evaluate import EvalConfig, evaluate
from lmem.evaluation.summary import difference, headline
from lmem.memory import methods
from lmem.memory.model import MemoryModel
from lmem.training.train import TrainConfig, train
from lmem.utils.progress import track
from lmem.utils.settings import AtLeast0, AtLeast1, Positive, Settings, settings


@settings
class SweepConfig(Settings):
    """What all cells of a sweep share (chapter 13).

    data           "tinyworld", "locomo" or a file
    conversations  training conversations, of `turns` turns; each seed draws its own
    tests          test conversations, of `test_turns` turns, drawn by `test_seed`: the same for all cells
    controls       conditions of `lmem.evaluation.evaluate`; None: the light ones
    Every cell takes all of its steps: none is stopped early, so that what differs is what the cell names
    """

    backbone: str = "nano"
    data: str = "tinyworld"
    conversations: AtLeast1 = 400
    turns: AtLeast1 = 60
    steps: AtLeast1 = 1000
    batch: AtLeast1 = 32
    lr: Positive = 2e-3
    cuts: AtLeast0 = 0
    tests: AtLeast1 = 40
    test_turns: AtLeast1 = 60
    test_seed: int = 7
    controls: str | None = None


@dataclass(frozen=True)
class Run:
    """One cell of a sweep. `write` and `read` are options over the method's own, as {name: value}."""

    method: str
    scale: float = 1
    seed: int = 0
    write: dict = field(default_factory=dict)
    read: dict = field(default_factory=dict)

    @property
    def name(self):
        """Its file's name: "m3-10x-gamma=0.99-s1"."""
        options = [f"{key}={value}" for key, value in sorted({**self.write, **self.read}.items())]
        return "-".join([self.method, f"{self.scale:g}x", *options, f"s{self.seed}"])

    @property
    def file(self):
        return f"{self.name}.json.gz"


def cells(methods_, scales=(1,), seeds=(0,), writes=({},), reads=({},)):
    """All combinations, seeds outermost, so that the first seed of everything comes first; without a bank there is one alone.

    raises  MethodError for a method that does not exist
    """
    bare = [name for name in methods_ if methods.find(name).write is None]
    order = product(seeds, [name for name in methods_ if name not in bare], scales, writes, reads)
    return [Run(name) for name in bare] + [
        Run(m, size, seed, w, r) for seed, m, size, w, r in order
    ]


def sweep(cells, out, config=None, jobs=1, progress=True):
    """Train and evaluate every cell that has no file in `out` yet.

    cells    list of Run
    out      folder for the result files; unfinished runs keep their checkpoints below it
    config   SweepConfig, the same for all
    jobs     processes side by side, which share the machine's threads
    returns  dict: done, skipped, failed: {name: why}
    raises   InputError if two cells have one name, `jobs` is not positive, or a file in `out` is of other settings
    """
    config, out = config or SweepConfig(), Path(out)
    names = [cell.name for cell in cells]
    if len(set(names)) < len(names):
        raise InputError(f"expected cells of different names, found some twice in {sorted(names)}")
    if jobs < 1:
        raise InputError(f"expected at least 1 job, not {jobs}")
    todo = [
        cell for cell in cells if not results.there(out / cell.file, "sweep", config.difference())
    ]
    report = {"done": [], "skipped": sorted(set(names) - {c.name for c in todo}), "failed": {}}
    threads = max(1, torch.get_num_threads() // jobs)
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, fresh, torch.set_num_threads, (threads,)) as pool:
        waiting = {pool.submit(perform, cell, out, config): cell.name for cell in todo}
        for one in track(as_completed(waiting), "sweep", progress, total=len(todo)):
            try:
                report["done"].append(one.result())
            except Exception as error:  # the others go on; this one is reported
                report["failed"][waiting[one]] = f"{type(error).__name__}: {error}"
    return report


def perform(cell, out, config):
    """Train one cell, evaluate it, write its file; returns its name."""
    work = out / "unfinished" / cell.name
    backbone = load_backbone(config.backbone)
    model = MemoryModel(backbone, cell.method, cell.scale, cell.seed, cell.write, cell.read)
    learned = model.write_rule is not None
    training = TrainConfig(
        steps=config.steps, batch=config.batch, lr=config.lr, cuts=config.cuts, seed=cell.seed
    )
    tests = splits.for_testing(config.data, config.tests, config.test_turns, config.test_seed)
    allowed(model, tests, config.controls)  # refused before the training, not after it
    report = {}
    if learned:
        drawn, _ = splits.for_training(config.data, config.conversations, config.turns, cell.seed)
        report = train(model, drawn, training, progress=False, folder=work)
    result = evaluate(
        model, tests, EvalConfig(seed=config.test_seed), config.controls, progress=False
    )
    result |= {
        "name": cell.name,
        "data": splits.label(config.data, config.test_turns),
        "scale": cell.scale,
        "options": model.options,
        "sweep": config.difference(),
        "training": {key: report[key] for key in ("loss", "steps", "questions") if key in report},
    }
    result["provenance"] |= {"seed": cell.seed}
    if learned:
        result["provenance"]["seconds"] |= {f"train {k}": v for k, v in report["seconds"].items()}
    results.save(result, out / cell.file)
    shutil.rmtree(work, ignore_errors=True)
    return cell.name


def gather(names):
    """What cells say over their seeds: one line for all files that differ in the seed only.

    names    result files of a sweep, by path or by the name of shipped ones
    returns  list of dict: cell (the name without its seed), method, rows, scale, options, seeds, n; right and wrong, exact
             match; memory, right minus wrong {mean, low, high, p, mdd}, and beside it bits; bits_gained over no bank; tax and
             benefit in F1; spread, the lowest and the highest memory score of a seed. Each question counts with its mean
             over the seeds; the intervals are over conversations
    raises   InputError if the seeds of a cell were not asked the same questions
    """
    cells = {}
    for name in names:
        result = results.load(name)
        cells.setdefault(result["name"].rpartition("-s")[0], []).append(result)
    return [_over_seeds(cell, found) for cell, found in cells.items()]


def _over_seeds(cell, found):
    seeds = [[row for row in result["questions"] if row["answerable"]] for result in found]
    ids = [[row["id"] for row in rows] for rows in seeds]
    if any(other != ids[0] for other in ids):
        raise InputError(f"expected the same questions for all seeds of {cell}, they differ")
    rows, first = seeds[0], found[0]
    wrong = headline(first["summary"])[1]

    def mean(condition, measure):
        values = [[row[condition][measure] for row in rows] for rows in seeds]
        return np.mean(values, axis=0)  # (Q)

    def gain(measure, better, worse):
        if not {better, worse} <= set(first["summary"]["conditions"]):
            return None
        return difference(rows, mean(better, measure) - mean(worse, measure))

    by_seed = [] if wrong is None else [headline(r["summary"])[0]["mean"] for r in found]
    return {
        "cell": cell,
        "method": first["method"],
        "rows": first["rows"],
        "scale": first["scale"],
        "options": first["options"],
        "seeds": sorted(result["provenance"]["seed"] for result in found),
        "n": len(rows),
        "right": float(mean("right", "em").mean()) if wrong else None,
        "wrong": float(mean(wrong, "em").mean()) if wrong else None,
        "wrong_bank": wrong,
        "memory": gain("em", "right", wrong),
        "bits": gain("bits", "right", wrong),
        "bits_gained": gain("bits", "right", "none"),
        "tax": gain("f1", "baseline", "null_rows"),
        "benefit": gain("f1", "right", "baseline"),
        "spread": [min(by_seed), max(by_seed)] if by_seed else None,
    }
