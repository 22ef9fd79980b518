"""The whole published experiment: m1 to m6 and what was run instead of them, at 1x and 10x, one result file each (chapter 15).

Each cell is trained with the paper's settings and evaluated under the control battery. All cells are planned first: batches are
split until a cell fits the machine, and a cell that cannot fit is reported and left out. If memory still runs out, the cell is
tried with smaller batches, then the others follow; the next call tries only what has no result file. Cells share nothing but files, so several
processes, or the tasks of an array job, can take a part each.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from lmem.backbone.backbone import Backbone, load_backbone
from lmem.backbone.latent_cache import cached
from lmem.data import locomo_release, splits
from lmem.data.conversation import Conversation
from lmem.errors import DataError, InputError, MethodError
from lmem.evaluation import results
from lmem.evaluation.conditions import LIGHT, allowed_conditions
from lmem.evaluation.evaluate import EvalConfig
from lmem.experiments.paper import comparison_page, comparison_tables
from lmem.experiments.planning.machine import MachineProfile
from lmem.experiments.planning.op_cost import MachineSpeed
from lmem.experiments.planning.plan import Batches, fitting_batches
from lmem.experiments.planning.workload import Workload, workload_of_split
from lmem.experiments.repairs import repaired_cell
from lmem.experiments.runner import Cell, Experiment, Trained, run_cell, train_cell
from lmem.memory import methods
from lmem.memory.model import MemoryModel
from lmem.training.train import TrainConfig
from lmem.utils.files import write_text
from lmem.utils.progress import track
from lmem.utils.settings import AtLeast0, AtLeast1, AtLeast2, Settings, settings


@settings
class ReproduceConfig(Settings):
    """What all cells of the published experiment share.

    Attributes:
        backbone: An id on the hub, or a folder.
        data: "locomo", a file in its form, or the name of a generator.
        conversations: If generated; the last third is for testing. Each has LoCoMo's mean length if `turns` is 0.
        profile: A name out of `lmem.experiments.planning.machine.MACHINES`.
        controls: Conditions of `lmem.evaluation.evaluate.evaluate`.
        constant: Train the control "constant" for each adapter too, which takes as long again.
        knowledge: At 1x, ask after every session too.
        steps: Training steps instead of the paper's 10 epochs.
        turns: Turns of each conversation at most; 0 is no limit.
        questions: Questions of each conversation at most; 0 is no limit.
        max_new_tokens: As in EvalConfig.
        budget: As in EvalConfig.
        seed: Of everything.
    """

    backbone: str = "google/flan-t5-xl"
    data: str = "locomo"
    conversations: AtLeast2 = 10
    profile: str = "cpu"
    controls: str = "all"
    constant: bool = True
    knowledge: bool = True
    steps: AtLeast1 | None = None
    turns: AtLeast0 = 0
    questions: AtLeast0 = 0
    max_new_tokens: AtLeast1 = 32
    budget: AtLeast1 = 384
    seed: int = 42

    def __post_init__(self):
        MachineProfile.of(self.profile)

    @classmethod
    def short(cls, **changes: Any) -> Self:
        """Return settings for a check of the path: one step, few turns, one question each. Its figures mean nothing."""
        limits = {"steps": 1, "turns": 12, "questions": 1, "max_new_tokens": 4, "budget": 96}
        return cls(**{**limits, "constant": False, **changes})

    def training(self) -> TrainConfig:
        """Return how each cell is trained: with the paper's settings, but for the number of steps."""
        limits: dict[str, Any] = {}
        if self.steps is not None:
            limits = {"steps": self.steps, "epochs": None, "warmup": min(200, self.steps)}
        return TrainConfig.paper(seed=self.seed, **limits)

    def limits(self) -> str:
        """Say what keeps this from being the whole experiment; "" if nothing does."""
        texts = [f"{self.steps} steps"] if self.steps is not None else []
        texts += [f"the first {self.turns} turns"] if self.turns else []
        texts += [f"{self.questions} questions a conversation"] if self.questions else []
        return ", ".join(texts)

    def warning(self) -> str:
        """Return a sentence for the head of the tables; "" for the whole experiment."""
        if self.turns or self.questions:
            return f"A check of the path, with {self.limits()}: its figures mean nothing."
        return f"Limited to {self.limits()} of training." if self.steps is not None else ""


PAPER_METHODS = ("m1", "m2", "m3", "m4", "m5", "m6")
METHODS = (*PAPER_METHODS, "m2_as_run", "m5_as_run")  # M.1 as run is M.3
PRINTED = ("m0", *METHODS)
LENGTH = 588  # turns of a conversation of LoCoMo, on average
FAILED = "failed.txt"  # in an unfinished cell's folder: why it did not run


def make_cells(
    config: ReproduceConfig, names: Sequence[str] = PRINTED, scales: Sequence[float] = (1, 10)
) -> list[Cell]:
    """List the cells of the experiment, the stateless ones first.

    Args:
        config: Its seed is theirs.
        names: Methods, and repairs such as "m3_repaired".
        scales: Sizes of the bank; a method without a bank has one cell.

    Raises:
        InputError: A repair does not exist.
        MethodError: A method does not exist.
    """
    repaired = [name for name in names if name.endswith("_repaired")]
    others = [name for name in names if name not in repaired]
    stateless = [name for name in others if methods.find(name).write is None]
    cells = [Cell(name, 1, config.seed) for name in stateless]
    for scale in scales:
        cells += [Cell(name, scale, config.seed) for name in others if name not in stateless]
        cells += [repaired_cell(name, scale, config.seed) for name in repaired]
    return cells


def part_of(cells: list[Cell], part: str | None) -> list[Cell]:
    """Choose the cells of part "I/N", I from 1: every N-th, so that each part has cheap and expensive ones.

    Raises:
        InputError: The part has another form, or I is not in 1..N.
    """
    if part is None:
        return cells
    try:
        i, n = map(int, part.split("/"))
    except ValueError as error:
        raise InputError(f"expected a part as I/N, such as 1/8, not {part!r}") from error
    if not 1 <= i <= n:
        raise InputError(f"expected a part between 1/{n} and {n}/{n}, not {part!r}")
    return cells[i - 1 :: n]


class CellPlan(NamedTuple):
    """What will happen to a cell.

    Attributes:
        cell: The cell.
        batches: How many questions at once; None if it will not run.
        seconds: How long training and evaluation take by the plan.
        reason: Why it will not run; "" if it will.
    """

    cell: Cell
    batches: Batches | None
    seconds: float = 0.0
    reason: str = ""

    def row(self) -> dict[str, str]:
        """Return the plan as texts; "questions at once" are those of a training step and of an evaluation."""
        batches = self.batches or Batches(0, 0)
        return {
            "cell": self.cell.name,
            "questions at once": f"{batches.train}, {batches.answer}",
            "GiB": f"{batches.total_mib / 1024:.1f}",
            "minutes": f"{self.seconds / 60:.1f}",
        }


class Reproduction:
    """The experiment in one folder: what is planned, one cell after the other, and what is finished.

    Attributes:
        config: What all cells share.
        out: The folder: NAME.json.gz, adapters/NAME, latents/, tables.md; unfinished cells keep checkpoints.
        cells: All cells of the experiment, or those that were given.
        mine: Those of this part.
    """

    def __init__(
        self,
        config: ReproduceConfig,
        out: str | Path,
        cells: Sequence[Cell] | None = None,
        part: str | None = None,
    ) -> None:
        """Describe the experiment; nothing is read or written yet.

        Args:
            config: What all cells share.
            out: Folder; it may have results already.
            cells: Default: the whole experiment.
            part: "I/N": of all cells only every N-th, from the I-th.
        """
        self.config, self.out = config, Path(out)
        self.cells = make_cells(config) if cells is None else list(cells)
        self.mine = part_of(self.cells, part)
        self.experiment = Experiment("reproduce", config.difference(), self.out)
        self._plans: dict[str, CellPlan] = {}

    def finished(self) -> list[str]:
        """Return the names of the cells that have a result file.

        Raises:
            InputError: A file has other settings.
        """
        return self.experiment.finished(cell.name for cell in self.cells)

    def todo(self) -> list[Cell]:
        """Return the cells of this part that have no result file yet."""
        finished = self.finished()
        return [cell for cell in self.mine if cell.name not in finished]

    def results(self) -> dict[str, dict[str, Any]]:
        """Load what is finished in the folder with these settings, these cells first: {"m3-10x": result}."""
        mine = self.finished()
        stems = (results.stem(path) for path in sorted(self.out.glob("*.json.gz")))
        loaded = {
            name: results.load(self.experiment.file(name))
            for name in dict.fromkeys([*mine, *stems])
        }
        return {
            name.rpartition("-s")[0]: result
            for name, result in loaded.items()
            if name in mine or result.get(self.experiment.kind) == self.experiment.settings
        }

    def plan(self, progress: bool = False) -> list[CellPlan]:
        """Plan the cells that have no result file yet, from the backbone's configuration alone.

        Args:
            progress: Show a progress bar.
        """
        for cell in track(self.todo(), "plans", progress):
            if cell.name not in self._plans:
                self._plans[cell.name] = plan_cell(cell, self.config, self.workload, self.speed)
        return [self._plans[cell.name] for cell in self.todo()]

    @cached_property
    def workload(self) -> Workload:
        """How much there is to do."""
        config = self.config
        if config.data == "locomo":
            return Workload().limited(config.turns, config.questions)
        return workload_of_split(*load_conversations(config))

    @cached_property
    def speed(self) -> MachineSpeed:
        """How fast the machine is; measured once for a CPU."""
        return MachineProfile.of(self.config.profile).speed

    @cached_property
    def inputs(self) -> tuple[Backbone, list[Conversation], list[Conversation]]:
        """Backbone, training and test conversations, loaded once; an impossible condition is refused here.

        Raises:
            InputError: Something is missing; one sentence names all of it.
        """
        backbone, training, tests = load_inputs(self.config)
        backbone, controls = cached(backbone, self.out / "latents"), self.config.controls
        model = MemoryModel(backbone, "m3")
        allowed_conditions(model, tests, controls, model if self.config.constant else None)
        return backbone, training, tests

    def run(self, cell: Cell) -> str:
        """Train and evaluate one cell and write its file; with smaller batches if memory runs out.

        Returns:
            Why it failed; "" if it is finished.

        Raises:
            InputError: The backbone or the data cannot be loaded, or its file has other settings.
        """
        if self.experiment.finished([cell.name]):
            return ""
        planned = self._plans.get(cell.name) or plan_cell(
            cell, self.config, self.workload, self.speed
        )
        batches, error = planned.batches, planned.reason
        while batches is not None:
            try:
                run_published_cell(cell, self, batches)
                return ""
            except MethodError as failure:  # this backbone cannot have the method
                error, batches = str(failure), None
                continue
            except (RuntimeError, MemoryError) as failure:
                if not isinstance(failure, MemoryError) and not should_reduce_batch_size(failure):
                    raise
                message = str(failure).strip().split("\n")[0]
                error = f"out of memory with one question at a time: {message}"
            batches = batches.halved()  # outside the handler, whose traceback keeps tensors
            clear_device_cache(garbage_collection=True)
        note = self.experiment.unfinished(cell.name) / FAILED
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(error, encoding="utf-8")
        return error

    def failed(self) -> dict[str, str]:
        """Return {name: why} of the cells that did not run when they were last tried."""
        notes = {cell.name: self.experiment.unfinished(cell.name) / FAILED for cell in self.cells}
        return {
            name: note.read_text(encoding="utf-8") for name, note in notes.items() if note.exists()
        }

    def tables(self) -> dict[str, Any]:
        """Return the paper's tables next to ours, of what is finished, as `lmem.experiments.paper.comparison_tables`."""
        return comparison_tables(self.results())


def reproduce(
    config: ReproduceConfig,
    out: str | Path,
    part: str | None = None,
    progress: bool = True,
    before: Callable[[list[CellPlan]], None] = lambda plans: None,
    cells: Sequence[Cell] | None = None,
) -> dict[str, Any]:
    """Run the cells that have no result file in `out` yet, then write the paper's tables next to ours.

    Args:
        config: What all cells share.
        out: The folder, see `Reproduction`.
        part: "I/N": of all cells only this part.
        progress: Show a progress bar.
        before: Is given the plan of every cell that is left, before anything is trained.
        cells: Default: the whole experiment.

    Returns:
        A dict: done, skipped (names), failed ({name: why}: what cannot fit or ran out of memory), tables (see
        `lmem.experiments.paper.comparison_tables`), seconds.

    Raises:
        InputError: The backbone or the data cannot be loaded (one sentence says which files to put where), or a file in `out` has
            other settings.
    """
    start, whole = time.perf_counter(), Reproduction(config, out, cells, part)
    todo = whole.todo()
    skipped = [cell.name for cell in whole.mine if cell not in todo]
    failed: dict[str, str] = {}
    if todo:
        _ = whole.inputs  # what is missing is said before anything else
        before(whole.plan(progress))
        for cell in track(todo, "cells", progress):
            if reason := whole.run(cell):
                failed[cell.name] = reason
    tables = whole.tables()
    page = comparison_page(tables, config.backbone, config.seed, config.warning())
    write_text(whole.out / "tables.md", page)
    return {
        "done": [cell.name for cell in todo if cell.name not in failed],
        "skipped": skipped,
        "failed": failed,
        "tables": tables,
        "seconds": time.perf_counter() - start,
    }


def plan_cell(
    cell: Cell, config: ReproduceConfig, workload: Workload, speed: MachineSpeed
) -> CellPlan:
    """Plan a cell: the largest batches with which it fits, and how long it takes; or why it does not fit."""
    profile, training = MachineProfile.of(config.profile), config.training()
    if methods.find(cell.method).write is None:
        return CellPlan(cell, Batches(training.batch, profile.batch))
    if profile.device == "cpu":  # the profile is a small machine; this one may have more
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        profile = replace(profile, memory=max(profile.memory, physical))
    asked = {"all": None, "light": LIGHT}.get(config.controls, config.controls.split(","))
    run = (config.backbone, profile, workload, cell.method, cell.scale)
    batches = fitting_batches(*run, training.batch, training, speed, asked)
    if not batches.fits:
        needed = f"{batches.total_mib / 1024:.1f} GiB with one question at a time"
        has = f"{profile.name} has {profile.memory:.1f}"
        reason = f"needs {needed}, {has}: take a smaller backbone or a larger card"
        return CellPlan(cell, None, reason=reason)
    phases = dict(batches.seconds)
    if config.constant:
        phases["train"] *= 2
    if cell.scale != 1 or not config.knowledge:
        del phases["knowledge"]
    return CellPlan(cell, batches, sum(phases.values()))


def load_inputs(config: ReproduceConfig) -> tuple[Backbone, list[Conversation], list[Conversation]]:
    """Load the backbone, the training and the test conversations.

    Raises:
        InputError: Something is missing; one sentence names all of it.
    """
    profile, missing, reason = MachineProfile.of(config.profile), [], None
    training, tests, backbone = [], [], None
    try:
        training, tests = load_conversations(config)
    except DataError as error:
        if Path(config.data).exists() or locomo_release.find() is not None:
            raise
        missing.append(
            f"LoCoMo's locomo10.json at {locomo_release.cache_path()} (or named by {locomo_release.VARIABLE})"
        )
        reason = error
    if profile.device == "cuda" and not torch.cuda.is_available():
        raise InputError(
            f"expected a GPU for the profile {profile.name}, found none; --profile cpu runs without"
        )
    try:
        backbone = load_backbone(config.backbone, profile.device, getattr(torch, profile.dtype))
    except InputError as error:
        if "cannot load" not in str(error):
            raise
        missing.append(
            f"the files of {config.backbone} in a folder that --backbone names "
            f"(`hf download {config.backbone}` where there is a network)"
        )
        reason = error
    if backbone is None or missing:
        raise InputError(
            f"cannot reach what is missing here; expected {', and '.join(missing)}"
        ) from reason
    return backbone, training, tests


def load_conversations(config: ReproduceConfig) -> tuple[list[Conversation], list[Conversation]]:
    """Return training and test conversations, within the limits of the settings and without counterfactual twins."""
    tests, length = max(1, config.conversations // 3), config.turns or LENGTH
    both = (
        splits.for_training(config.data, config.conversations - tests, length, config.seed)[0],
        splits.for_testing(config.data, tests, length, config.seed),
    )
    training, tests = (
        [shortened(c, config.turns, config.questions) for c in part] for part in both
    )
    return training, tests


def run_published_cell(cell: Cell, whole: Reproduction, batches: Batches) -> bool:
    """Train one cell with the paper's settings, evaluate it, write its adapter and its file."""
    config, experiment, (backbone, training, tests) = whole.config, whole.experiment, whole.inputs
    build = partial(
        MemoryModel, backbone, cell.method, cell.scale, cell.seed, cell.write, cell.read
    )
    model = build()
    stateless = model.write_rule is None
    folder = experiment.unfinished(cell.name)
    settings = replace(config.training(), seed=cell.seed, **cell.train)
    if batches.train < settings.batch:
        settings = replace(settings, micro=batches.train)

    def prepare() -> Trained:
        trained = train_cell(model, training, settings, folder / "run")
        if stateless:
            return trained
        model.save_pretrained(experiment.out / "adapters" / cell.name)
        if not config.constant:
            return trained
        constant = build()
        train_cell(constant, training, replace(settings, constant=True), folder / "constant")
        return trained._replace(constant=constant)

    evaluation = EvalConfig(
        batch=batches.answer,
        max_new_tokens=config.max_new_tokens,
        budget=config.budget,
        knowledge=config.knowledge and cell.scale == 1,
        seed=config.seed,
    )
    controls = "all" if stateless else config.controls  # those that need no bank
    about = splits.source(config.data, config.turns or LENGTH) | {"options": cell.options}
    return run_cell(
        experiment, cell.name, cell.seed, prepare, lambda: tests, evaluation, controls, about
    )


def shortened(conversation: Conversation, turns: int = 0, questions: int = 0) -> Conversation:
    """Return a conversation's first turns, and so many of the questions about them, evenly spread; 0 is no limit."""
    kept = conversation.questions
    if turns:
        conversation = conversation.until(min(turns, len(conversation.turns)))
        kept = tuple(question for question in conversation.questions if question.evidence)
    n = min(questions or len(kept), len(kept))
    spread = tuple(kept[i * len(kept) // n] for i in range(n))
    return replace(conversation, questions=spread, twin=None)
