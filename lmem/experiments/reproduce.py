"""The whole published experiment: m1 to m6 and what was run instead of them, at 1x and 10x, one result file each (chapter 15).

Each cell is trained with the paper's settings and evaluated under the control battery. What exists is skipped, and what was cut off
goes on where it was. Cells share nothing but files: several processes, or the tasks of an array job, take a part each.
"""

import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch

from lmem.backbone.backbone import load_backbone
from lmem.backbone.latent_cache import cached
from lmem.data import locomo_release, splits
from lmem.errors import DataError, InputError
from lmem.evaluation import results
from lmem.evaluation.conditions import allowed
from lmem.evaluation.evaluate import EvalConfig, evaluate
from lmem.experiments.beside_paper import tables, written
from lmem.experiments.planning.machine import MachineProfile
from lmem.experiments.sweep import Run
from lmem.memory.model import MemoryModel
from lmem.training.train import TrainConfig, train
from lmem.utils.files import write_file
from lmem.utils.progress import track
from lmem.utils.settings import AtLeast0, AtLeast1, Settings, settings


@settings
class ReproduceConfig(Settings):
    """What all cells of the published experiment share.

    data       "locomo" or a file in its form
    profile    a name out of MACHINES
    controls   conditions of `lmem.evaluation.evaluate`
    constant   train the control "constant" beside each adapter too, which takes as long again
    steps      instead of the paper's 10 epochs
    turns, questions  of each conversation at most; 0 is no limit
    max_new_tokens, budget  as in EvalConfig
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
    def short(cls, **changes):
        """A check of the path: one step, few turns, one question each. Its figures mean nothing."""
        limits = {"steps": 1, "turns": 12, "questions": 1, "max_new_tokens": 4, "budget": 96}
        limits["constant"] = False
        return cls(**{**limits, **changes})

    def limits(self):
        """What keeps it from being the whole experiment, in words; "" if nothing does."""
        found = [f"{self.steps} steps"] if self.steps is not None else []
        found += [f"the first {self.turns} turns"] if self.turns else []
        found += [f"{self.questions} questions a conversation"] if self.questions else []
        return ", ".join(found)


METHODS = ("m1", "m2", "m3", "m4", "m5", "m6", "m2_as_run", "m5_as_run")  # M.1 as run is M.3


def cells(config):
    """The runs of the experiment, the stateless one first."""
    return [Run("m0", 1, config.seed)] + [
        Run(method, scale, config.seed) for scale in (1, 10) for method in METHODS
    ]


def part_of(all_, text):
    """The cells of part "I/N", I from 1: every N-th, so that cheap and dear ones are spread.

    raises  InputError for another form, or an I outside 1..N
    """
    if text is None:
        return all_
    try:
        i, n = map(int, text.split("/"))
    except ValueError as error:
        raise InputError(f"expected a part as I/N, such as 1/8, not {text!r}") from error
    if not 1 <= i <= n:
        raise InputError(f"expected a part between 1/{n} and {n}/{n}, not {text!r}")
    return all_[i - 1 :: n]


def reproduce(config, out, part=None, progress=True):
    """Run the cells that have no result file in `out` yet, then lay the paper's tables beside what is there.

    config   ReproduceConfig
    out      folder: NAME.json.gz, adapters/NAME, latents/, tables.md; unfinished cells keep checkpoints
    part     "I/N": of all cells only this part
    returns  dict: done, skipped (names), tables (see `lmem.experiments.beside_paper.tables`), seconds
    raises   InputError if the backbone or the data cannot be had, in one sentence that says what to put where; or if a file in
             `out` is of other settings
    """
    out, begun = Path(out), time.perf_counter()
    mine = part_of(cells(config), part)
    todo = [cell for cell in mine if not _there(out, cell, config)]
    report = {"done": [], "skipped": [cell.name for cell in mine if cell not in todo]}
    if todo:
        profile = MachineProfile.of(config.profile)
        backbone, tests, drawn = obtained(config, profile)
        backbone = cached(backbone, out / "latents")
        any_ = MemoryModel(backbone, "m3")
        # what cannot be had is refused before an hour of training
        allowed(any_, tests, config.controls, any_ if config.constant else None)
        for cell in track(todo, "cells", progress):
            perform(cell, out, config, profile, backbone, drawn, tests)
            report["done"].append(cell.name)
    found = tables(_present(out, config))
    with write_file(out / "tables.md") as temporary:
        temporary.write_text(written(found, config), encoding="utf-8")
    return report | {"tables": found, "seconds": time.perf_counter() - begun}


def obtained(config, profile):
    """Backbone, test and training conversations.

    raises  InputError in one sentence, for all that is missing
    """
    missing = []
    try:
        train_on, tests = (_limited(part, config) for part in _splits(config.data))
    except DataError as error:
        if Path(config.data).exists() or locomo_release.find() is not None:
            raise
        missing.append(
            f"LoCoMo's locomo10.json at {locomo_release.cache_path()} (or named by {locomo_release.VARIABLE})"
        )
        reason = error
    try:
        device = profile.device if profile.device != "cuda" or torch.cuda.is_available() else None
        if device is None:
            raise InputError(
                f"expected a GPU for the profile {profile.name}, found none; --profile cpu runs without"
            )
        backbone = load_backbone(config.backbone, device, getattr(torch, profile.dtype))
    except InputError as error:
        if "cannot load" not in str(error):
            raise
        name = str(config.backbone)
        missing.append(
            f"the files of {name} in a folder that --backbone names (`hf download {name}` where there is a network)"
        )
        reason = error
    if missing:
        raise InputError(
            f"cannot reach what is missing here; expected {', and '.join(missing)}"
        ) from reason
    return backbone, tests, train_on


def perform(cell, out, config, profile, backbone, drawn, tests):
    """Train one cell, evaluate it, write its file."""
    work, adapter = out / "unfinished" / cell.name, out / "adapters" / cell.name
    model = MemoryModel(backbone, cell.method, cell.scale, cell.seed)
    report, constant = {}, None
    if model.write_rule is not None:
        training = _training(config, cell)
        report = train(model, drawn, training, False, folder=work / "run")
        model.save_pretrained(adapter)
        if config.constant:
            constant = MemoryModel(backbone, cell.method, cell.scale, cell.seed)
            train(
                constant, drawn, replace(training, constant=True), False, folder=work / "constant"
            )
    evaluation = EvalConfig(
        batch=profile.batch, max_new_tokens=config.max_new_tokens, budget=config.budget,
        knowledge=cell.scale == 1, seed=config.seed,
    )  # fmt: skip
    controls = "all" if model.write_rule is None else config.controls  # those that need no bank
    result = evaluate(model, tests, evaluation, controls, constant, progress=False)
    taken = report.pop("seconds", {})
    result |= {
        "name": cell.name,
        "data": splits.label(config.data, 0),
        "reproduce": asdict(config),
        "parameters": report.get("parameters", 0),
        "training": {key: report[key] for key in ("loss", "steps", "questions") if key in report},
    }
    result["provenance"]["seconds"] |= {f"train {k}": round(v, 2) for k, v in taken.items()}
    results.save(result, out / cell.file)
    shutil.rmtree(work, ignore_errors=True)


def _training(config, cell):
    given = {"seed": cell.seed}
    if config.steps is not None:
        given |= {"steps": config.steps, "epochs": None, "warmup": min(200, config.steps)}
    return TrainConfig.paper(**given)


def _splits(data):
    return splits.for_training(data, 0, 0, 0)[0], splits.for_testing(data, 0, 0, 0)


def _limited(conversations, config):
    """The same without what lies beyond the first `turns` turns, and at most so many questions each; 0 limits nothing."""
    return [limited(c, config.turns, config.questions) for c in conversations]


def limited(conversation, turns=0, questions=0):
    """Its first turns, and the first questions whose evidence lies within them; lags are counted anew. 0 is no limit."""
    if turns:
        conversation = conversation.until(min(turns, len(conversation.turns)))
    asked = [q for q in conversation.questions if q.evidence or not turns]
    return replace(conversation, questions=tuple(asked[: questions or None]), twin=None)


def _there(out, cell, config):
    return results.there(out / cell.file, "reproduce", asdict(config))


def _present(out, config):
    """{cell's name without its seed: result} of the files there are."""
    return {
        cell.name.rpartition("-s")[0]: results.load(out / cell.file)
        for cell in cells(config)
        if _there(out, cell, config)
    }
