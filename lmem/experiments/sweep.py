"""A sweep: methods x scales x options x seeds, one result file each (chapter 13).

A seed draws the write maps, P_0, the read's start and the training conversations. The test conversations stay the same, so
runs can be compared question by question (`lmem.experiments.aggregate`).
"""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch

from lmem.backbone.backbone import load_backbone
from lmem.data import splits
from lmem.errors import InputError
from lmem.evaluation.conditions import allowed_conditions
from lmem.evaluation.evaluate import EvalConfig
from lmem.experiments.runner import Cell, Experiment, Trained, run_cell, train_cell
from lmem.memory import methods
from lmem.memory.model import MemoryModel
from lmem.training.train import TrainConfig
from lmem.utils.progress import track
from lmem.utils.settings import AtLeast0, AtLeast1, Positive, Settings, settings


@settings
class SweepConfig(Settings):
    """What all cells of a sweep share (chapter 13).

    Every cell takes all of its steps. None is stopped early, so that cells differ only in what their names say.

    Attributes:
        backbone: Name or folder of the backbone.
        data: "tinyworld", "everyday", "locomo" or a file.
        conversations: Training conversations, if generated; each seed draws its own.
        turns: Turns of each of them.
        steps: Training steps.
        batch: Questions of a training step.
        lr: Learning rate.
        cuts: See `lmem.training.train.TrainConfig`.
        tests: Test conversations, if generated, the same for all cells.
        test_turns: Turns of each of them.
        test_seed: Seed that draws them.
        controls: Conditions of `lmem.evaluation.evaluate.evaluate`; None: the light ones.
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


def make_cells(
    names: Sequence[str],
    scales: Sequence[float] = (1,),
    seeds: Sequence[int] = (0,),
    writes: Sequence[dict[str, Any]] = ({},),
    reads: Sequence[dict[str, Any]] = ({},),
    trainings: Sequence[dict[str, Any]] = ({},),
) -> list[Cell]:
    """Combine methods, scales, seeds and options into cells.

    Seeds are outermost, so that the first seed of everything comes first. A method without a bank has one cell only.

    Raises:
        MethodError: A method does not exist.
    """
    stateless = [name for name in names if methods.find(name).write is None]
    with_bank = [name for name in names if name not in stateless]
    order = product(seeds, with_bank, scales, writes, reads, trainings)
    return [Cell(name) for name in stateless] + [
        Cell(method, scale, seed, write, read, training)
        for seed, method, scale, write, read, training in order
    ]


def run_sweep(
    cells: Sequence[Cell], out: str | Path, config: SweepConfig | None = None, jobs: int = 1
) -> dict[str, Any]:
    """Train and evaluate every cell that has no file in `out` yet.

    Args:
        cells: The cells, of different names.
        out: Folder of the result files; unfinished cells keep their checkpoints below it.
        config: The same for all.
        jobs: Number of processes, which share the machine's threads; 1 is this one.

    Returns:
        A dict: done, skipped (names), failed: {name: why}.

    Raises:
        InputError: Two cells have one name, `jobs` is not positive, or a file in `out` has other settings.
    """
    config, out = config or SweepConfig(), Path(out)
    experiment = Experiment("sweep", config.difference(), out)
    names = [cell.name for cell in cells]
    if len(set(names)) < len(names):
        raise InputError(f"expected cells of different names, found some twice in {sorted(names)}")
    if jobs < 1:
        raise InputError(f"expected at least 1 job, not {jobs}")
    skipped = sorted(experiment.finished(names))
    report: dict[str, Any] = {"done": [], "skipped": skipped, "failed": {}}
    todo = {name: cell for cell, name in zip(cells, names, strict=True) if name not in skipped}

    def finish(name: str, work: Callable[[], object]) -> None:
        try:
            work()
            report["done"].append(name)
        except Exception as error:  # the other cells continue; this one is reported
            report["failed"][name] = f"{type(error).__name__}: {error}"

    if jobs == 1:  # in this process
        for name in track(todo, "sweep"):
            finish(name, partial(run_sweep_cell, todo[name], out, config))
        return report
    threads = max(1, torch.get_num_threads() // jobs)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, torch.set_num_threads, (threads,)) as pool:
        futures = {
            pool.submit(run_sweep_cell, cell, out, config): name for name, cell in todo.items()
        }
        for future in track(as_completed(futures), "sweep", total=len(futures)):
            finish(futures[future], future.result)
    return report


def run_sweep_cell(cell: Cell, out: Path, config: SweepConfig) -> None:
    """Train one cell, evaluate it, write its file."""
    experiment = Experiment("sweep", config.difference(), out)
    model = MemoryModel(
        load_backbone(config.backbone), cell.method, cell.scale, cell.seed, cell.write, cell.read
    )
    shared = {"steps": config.steps, "batch": config.batch, "lr": config.lr, "cuts": config.cuts}
    training = TrainConfig(**{**shared, "seed": cell.seed, **cell.train})
    tests = splits.for_testing(config.data, config.tests, config.test_turns, config.test_seed)
    allowed_conditions(model, tests, config.controls)  # refused before the training, not after it

    def prepare() -> Trained:
        conversations, _ = splits.for_training(
            config.data, config.conversations, config.turns, cell.seed
        )
        return train_cell(model, conversations, training, experiment.unfinished(cell.name))

    run_cell(
        experiment,
        cell.name,
        cell.seed,
        prepare,
        lambda: tests,
        EvalConfig(seed=config.test_seed),
        config.controls,
        splits.source(config.data, config.test_turns) | {"options": cell.options},
    )
