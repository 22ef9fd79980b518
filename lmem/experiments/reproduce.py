"""The whole published experiment: m1 to m6 and what was run instead of them, at 1x and 10x, one result file each (chapter 15).

Each cell is trained with the paper's settings and evaluated under the control battery. All cells are planned first: batches are
split until a cell fits the machine, and a cell that cannot fit is reported and left out. If memory still runs out, the cell is
tried with smaller batches, then the others follow; the next call tries only what has no result file. Cells share nothing but files, so several
processes, or the tasks of an array job, can take a part each.
"""

import gc
import os
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

import torch

from lmem.backbone.backbone import Backbone, load_backbone
from lmem.backbone.latent_cache import cached
from lmem.data import locomo_release, splits
from lmem.data.conversation import Conversation
from lmem.errors import DataError, InputError
from lmem.evaluation import results
from lmem.evaluation.conditions import allowed_conditions
from lmem.evaluation.evaluate import EvalConfig
from lmem.experiments.paper import comparison_page, comparison_tables
from lmem.experiments.planning.machine import MachineProfile
from lmem.experiments.planning.plan import Batches, fitting_batches
from lmem.experiments.planning.workload import workload_of_data
from lmem.experiments.runner import Cell, Experiment, Trained, run_cell, train_cell
from lmem.memory import methods
from lmem.memory.model import MemoryModel
from lmem.training.train import TrainConfig
from lmem.utils.files import write_file
from lmem.utils.progress import track
from lmem.utils.settings import AtLeast0, AtLeast1, Settings, settings


@settings
class ReproduceConfig(Settings):
    """What all cells of the published experiment share.

    Attributes:
        backbone: An id on the hub, or a folder.
        data: "locomo" or a file in its form.
        profile: A name out of `lmem.experiments.planning.machine.MACHINES`.
        controls: Conditions of `lmem.evaluation.evaluate.evaluate`.
        constant: Train the control "constant" for each adapter too, which takes as long again.
        steps: Training steps instead of the paper's 10 epochs.
        turns: Turns of each conversation at most; 0 is no limit.
        questions: Questions of each conversation at most; 0 is no limit.
        max_new_tokens: As in EvalConfig.
        budget: As in EvalConfig.
        seed: Of everything.
    """

    backbone: str = "google/flan-t5-xl"
    data: str = "locomo"
    profile: str = "cpu"
    controls: str = "all"
    constant: bool = True
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

    def limits(self) -> str:
        """Say what keeps this from being the whole experiment; "" if nothing does."""
        texts = [f"{self.steps} steps"] if self.steps is not None else []
        texts += [f"the first {self.turns} turns"] if self.turns else []
        texts += [f"{self.questions} questions a conversation"] if self.questions else []
        return ", ".join(texts)


METHODS = ("m1", "m2", "m3", "m4", "m5", "m6", "m2_as_run", "m5_as_run")  # M.1 as run is M.3


def make_cells(config: ReproduceConfig) -> list[Cell]:
    """List the cells of the experiment, the stateless one first."""
    return [Cell("m0", 1, config.seed)] + [
        Cell(method, scale, config.seed) for scale in (1, 10) for method in METHODS
    ]


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


def reproduce(
    config: ReproduceConfig, out: str | Path, part: str | None = None, progress: bool = True
) -> dict[str, Any]:
    """Run the cells that have no result file in `out` yet, then write the paper's tables next to ours.

    Args:
        config: What all cells share.
        out: Folder: NAME.json.gz, adapters/NAME, latents/, tables.md; unfinished cells keep checkpoints.
        part: "I/N": of all cells only this part.
        progress: Show a progress bar.

    Returns:
        A dict: done, skipped (names), failed ({name: why}: what cannot fit or ran out of memory), tables (see
        `lmem.experiments.paper.comparison_tables`), seconds.

    Raises:
        InputError: The backbone or the data cannot be loaded (one sentence says which files to put where), or a file in `out` has
            other settings.
    """
    out, start = Path(out), time.perf_counter()
    experiment = Experiment("reproduce", asdict(config), out)  # pyright: ignore[reportArgumentType]
    cells = make_cells(config)
    mine = part_of(cells, part)
    skipped = experiment.finished(cell.name for cell in mine)
    todo = [cell for cell in mine if cell.name not in skipped]
    done: list[str] = []
    failed: dict[str, str] = {}
    if todo:
        backbone, tests, training = load_inputs(config)
        backbone = cached(backbone, out / "latents")
        model = MemoryModel(backbone, "m3")
        # an impossible condition is refused before an hour of training
        allowed_conditions(model, tests, config.controls, model if config.constant else None)
        plans = {cell.name: plan_cell(cell, config) for cell in track(todo, "plans", progress)}
        failed |= {name: reason for name, reason in plans.items() if isinstance(reason, str)}
        for cell in track([cell for cell in todo if cell.name not in failed], "cells", progress):
            batches, error = plans[cell.name], None
            while isinstance(batches, Batches):
                try:
                    run_published_cell(cell, experiment, config, backbone, training, tests, batches)
                    done.append(cell.name)
                    break
                except (RuntimeError, MemoryError) as failure:
                    if not is_out_of_memory(failure):
                        raise
                    error = str(failure).strip().split("\n")[0]
                batches = batches.halved()  # outside the handler, whose traceback keeps tensors
                free_memory()
            else:
                failed[cell.name] = f"out of memory with one question at a time: {error}"
    finished = experiment.finished(cell.name for cell in cells)
    tables = comparison_tables(
        {name.rpartition("-s")[0]: results.load(experiment.file(name)) for name in finished}
    )
    page = comparison_page(tables, config.backbone, config.seed, config.limits())
    with write_file(out / "tables.md") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return {
        "done": done,
        "skipped": skipped,
        "failed": failed,
        "tables": tables,
        "seconds": time.perf_counter() - start,
    }


def plan_cell(cell: Cell, config: ReproduceConfig) -> Batches | str:
    """Return the largest batches with which a cell fits, or one sentence that says why none do."""
    profile, batch = MachineProfile.of(config.profile), TrainConfig.paper().batch
    if methods.find(cell.method).write is None:
        return Batches(batch, profile.batch)
    if profile.device == "cpu":  # the profile is a small machine; this one may have more
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        profile = replace(profile, memory=max(profile.memory, physical))
    workload = workload_of_data(config.data)
    batches = fitting_batches(config.backbone, profile, workload, cell.method, cell.scale, batch)
    if batches.fits:
        return batches
    return (
        f"needs {batches.total_mib / 1024:.1f} GiB with one question at a time, {profile.name} has {profile.memory:.1f}: "
        "take a smaller backbone or a larger card"
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return "out of memory" in str(error) or "can't allocate memory" in str(error)


def free_memory() -> None:
    """Give back what a failed attempt has left."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def load_inputs(config: ReproduceConfig) -> tuple[Backbone, list[Conversation], list[Conversation]]:
    """Load the backbone, the test and the training conversations.

    Raises:
        InputError: Something is missing; one sentence names all of it.
    """
    profile, missing, reason = MachineProfile.of(config.profile), [], None
    training, tests, backbone = [], [], None
    try:
        training, _ = splits.for_training(config.data, 0, 0, 0)
        tests = splits.for_testing(config.data, 0, 0, 0)
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
    training, tests = (
        [shortened(c, config.turns, config.questions) for c in part] for part in (training, tests)
    )
    return backbone, tests, training


def run_published_cell(
    cell: Cell,
    experiment: Experiment,
    config: ReproduceConfig,
    backbone: Backbone,
    training: list[Conversation],
    tests: list[Conversation],
    batches: Batches,
) -> bool:
    """Train one cell with the paper's settings, evaluate it, write its adapter and its file."""
    model = MemoryModel(backbone, cell.method, cell.scale, cell.seed)
    stateless = model.write_rule is None
    folder = experiment.unfinished(cell.name)
    limits = {}
    if config.steps is not None:
        limits = {"steps": config.steps, "epochs": None, "warmup": min(200, config.steps)}
    settings = TrainConfig.paper(seed=cell.seed, **limits)
    if batches.train < settings.batch:
        settings = replace(settings, micro=batches.train)

    def prepare() -> Trained:
        trained = train_cell(model, training, settings, folder / "run")
        if stateless:
            return trained
        model.save_pretrained(experiment.out / "adapters" / cell.name)
        if not config.constant:
            return trained
        constant = MemoryModel(backbone, cell.method, cell.scale, cell.seed)
        train_cell(constant, training, replace(settings, constant=True), folder / "constant")
        return trained._replace(constant=constant)

    evaluation = EvalConfig(
        batch=batches.answer,
        max_new_tokens=config.max_new_tokens,
        budget=config.budget,
        knowledge=cell.scale == 1,
        seed=config.seed,
    )
    controls = "all" if stateless else config.controls  # those that need no bank
    about = splits.source(config.data, 0)
    return run_cell(
        experiment, cell.name, cell.seed, prepare, lambda: tests, evaluation, controls, about
    )


def shortened(conversation: Conversation, turns: int = 0, questions: int = 0) -> Conversation:
    """Return a conversation's first turns, and the first questions about them; 0 is no limit."""
    kept = conversation.questions
    if turns:
        conversation = conversation.until(min(turns, len(conversation.turns)))
        kept = tuple(question for question in conversation.questions if question.evidence)
    return replace(conversation, questions=kept[: questions or None], twin=None)
