"""Repairs: for each of the paper's six methods a small set of changes with which it remembers (the page "The six methods, repaired").

A repair keeps the form of the method's write and the site at which its read enters; that of M.4 writes its matrix by the delta rule. What it
changes are options of the package: where the maps start, whether the bank decays, where a token is written. The printed method is
trained and asked in the same way, as the control of the changes; the twin's bank is the control of the memory. What each change is
good for is measured by leaving it out.

Everything is trained on short conversations. Each adapter is asked about conversations of that length and about longer ones.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import filter as matching
from functools import cache, partial
from pathlib import Path
from typing import Any

from lmem.analysis.kept_facts import KeptConfig, Stock, draw_stock, facts_kept, superposition
from lmem.backbone.backbone import Backbone, load_backbone
from lmem.data import splits
from lmem.data.tinyworld.language import UNKNOWN
from lmem.errors import InputError, expect_out_of
from lmem.evaluation import results
from lmem.evaluation.evaluate import EvalConfig
from lmem.evaluation.tables import percent
from lmem.experiments.aggregate import group_by_seed, load_seeds, mean_gain
from lmem.experiments.runner import Cell, Experiment, Trained, run_cell, train_cell
from lmem.memory import methods
from lmem.memory.model import MemoryModel
from lmem.memory.write import AttentionWrite
from lmem.training.train import TrainConfig
from lmem.utils.progress import track
from lmem.utils.settings import AtLeast1, AtLeast2, Positive, Settings, settings
from lmem.utils.toml import read_toml

CONTROLS = "right,twin,none"


@settings
class RepairConfig(Settings):
    """What all repairs share.

    Attributes:
        backbone: Name or folder of the backbone.
        conversations: Training conversations; each seed draws its own.
        turns: Turns of each of them, and of the short test conversations.
        steps: Training steps.
        batch: Questions of a training step.
        lr: Learning rate.
        tests: Short test conversations, the same for all.
        long_tests: Long test conversations, likewise.
        long_turns: Turns of each long one.
        test_seed: Seed that draws the test conversations.
    """

    backbone: str = "nano"
    conversations: AtLeast1 = 100
    turns: AtLeast1 = 12
    steps: AtLeast1 = 80
    batch: AtLeast1 = 8
    lr: Positive = 1e-3
    tests: AtLeast2 = 40
    long_tests: AtLeast2 = 8
    long_turns: AtLeast1 = 60
    test_seed: int = 7


@dataclass(frozen=True)
class Repair:
    """A method with its changes, a table of `repairs.toml`.

    Attributes:
        name: Of its result files, without a hyphen: "m3_repaired". What is left out follows: "m3_repaired-without-gamma".
        method: The printed method, a name out of `lmem methods`.
        changes: What differs from the printed method, in words, with the options that are set for it: {change: its parts}. A part is
            an option, or "start+shared" where one option needs the other, or "rule".
        rule: A write in place of the method's own, such as "delta".
        write: Options of the write.
        read: Options of the read.
        training: Settings of `lmem.training.train.TrainConfig` that differ from those that all repairs share.
    """

    name: str
    method: str
    changes: dict[str, list[str]] = field(default_factory=dict)
    rule: str = ""
    write: dict[str, Any] = field(default_factory=dict)
    read: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def repaired_method(self) -> str:
        """The name of the method with its rule."""
        return f"{self.rule}+{methods.find(self.method).read}" if self.rule else self.method

    def without(self, change: str, parts: Sequence[str] = ()) -> "Repair":
        """Return this repair with a change, or only some of its parts, left as the printed method has it."""
        parts = parts or self.changes[change]
        left = "+".join(parts)
        rest = [part for part in self.changes[change] if part not in parts]
        now = {f"{change} (without {left})": rest} if rest else {}
        return replace(
            self,
            name=f"{self.name}-without-{left}",
            rule="" if "rule" in parts else self.rule,
            changes={text: kept for text, kept in self.changes.items() if text != change} | now,
            write={name: v for name, v in self.write.items() if name not in left.split("+")},
            read={name: v for name, v in self.read.items() if name not in left.split("+")},
        )

    def each_left_out(self) -> "list[Repair]":
        """Return this repair without each of its changes, and without each part of those that have several."""
        return [
            self.without(change, left)
            for change, parts in self.changes.items()
            for left in ((), *([part] for part in parts if len(parts) > 1))
        ]


_TABLE = read_toml(Path(__file__).with_name("repairs.toml"))
REPAIRS = tuple(Repair(**row) for row in _TABLE["repairs"])
KNOWN = {one.name: one for repair in REPAIRS for one in (repair, *repair.each_left_out())}


def repaired_cell(name: str, scale: float, seed: int) -> Cell:
    """Return a repair as a cell of any experiment; it is trained with the learning rate of the repairs.

    Raises:
        InputError: There is no repair of this name.
    """
    known = {repair.name: repair for repair in REPAIRS}
    expect_out_of("a repair", known, name)
    repair = known[name]
    training = {"lr": RepairConfig.lr, **repair.training}
    return Cell(repair.repaired_method, scale, seed, repair.write, repair.read, training, name)


def run_repairs(
    out: str | Path,
    names: Sequence[str] = (),
    scales: Sequence[float] = (1, 10),
    seeds: Sequence[int] = (0,),
    config: RepairConfig | None = None,
    adapters: str | Path | None = None,
) -> dict[str, list[str]]:
    """Train and evaluate repairs, and printed methods in the same way.

    What has its file in `out` is skipped, and a run that was interrupted continues.

    Args:
        out: Folder of the result files.
        names: Names or patterns, such as `m3_repaired-without-*`, of KNOWN; default: those of REPAIRS.
        scales: Sizes of the bank.
        seeds: Seeds of maps, starts and training conversations.
        config: What all share.
        adapters: A folder for the adapters that are trained, one folder for each.

    Returns:
        A dict: done, skipped (names of files).

    Raises:
        InputError: A repair does not exist, or a file in `out` has other settings.
    """
    config = config or RepairConfig()
    experiment = Experiment("repairs", config.difference(), Path(out))
    evaluation = EvalConfig(seed=config.test_seed)
    chosen = [repair.name for repair in REPAIRS] if not names else []
    for name in names:
        if not matching(KNOWN, name):
            raise InputError(f"expected repairs out of {', '.join(KNOWN)}, not {name!r}")
        chosen += matching(KNOWN, name)
    cells = [(KNOWN[name], scale, seed) for seed in seeds for name in chosen for scale in scales]
    report: dict[str, list[str]] = {"done": [], "skipped": []}
    for repair, scale, seed in track(cells, "repairs"):
        cell, about = f"{repair.name}-{scale:g}x", {"repair": repair.name}
        adapter = Path(adapters) / f"{cell}-s{seed}" if adapters else None
        tests = {f"{cell}-s{seed}": (config.tests, config.turns)}
        if repair in REPAIRS:  # the others, without a change, are asked about short ones only
            tests[f"{cell}-long-s{seed}"] = config.long_tests, config.long_turns
        experiment.finished(tests)  # files of other settings are refused before anything is trained
        prepare = cache(partial(train_repair, repair, scale, seed, config, adapter))
        for name, (n, turns) in tests.items():
            about |= {"changes": list(repair.changes), "data": splits.label("tinyworld", turns)}
            drawn = partial(splits.for_testing, "tinyworld", n, turns, config.test_seed)
            done = run_cell(experiment, name, seed, prepare, drawn, evaluation, CONTROLS, about)
            report["done" if done else "skipped"].append(name)
    return report


def train_repair(
    repair: Repair, scale: float, seed: int, config: RepairConfig, folder: Path | None = None
) -> Trained:
    """Train a repair on short conversations; save its adapter in the folder, if there is one, and how it was trained."""
    start = time.perf_counter()
    backbone, method = load_backbone(config.backbone), repair.repaired_method
    model = MemoryModel(backbone, method, scale, seed, repair.write, repair.read)
    conversations, _ = splits.for_training("tinyworld", config.conversations, config.turns, seed)
    shared: dict[str, Any] = {"steps": config.steps, "batch": config.batch, "lr": config.lr}
    shared |= {"warmup": 10, "seed": seed}
    trained = train_cell(model, conversations, TrainConfig(**{**shared, **repair.training}))
    seconds = round(time.perf_counter() - start, 1)
    if folder:
        model.save_pretrained(folder)
        about = {key: getattr(config, key) for key in ("conversations", "turns", "batch", "lr")}
        about = {"data": "tinyworld", **about, "seed": seed, "seconds": seconds}
        results.save(trained.training | about, folder / "training.json")
    about = {"parameters": trained.parameters, "seconds": seconds, "settings": repair.training}
    return trained._replace(training=trained.training | about)


def run_kept(
    out: str | Path, cells: Sequence[Cell], config: KeptConfig | None = None
) -> dict[str, list[str]]:
    """Ask what each write keeps (`lmem.analysis.kept_facts`), without any read: one result file for each cell.

    Args:
        out: Folder of the result files; what is there is skipped.
        cells: Methods, scales and options of their writes.
        config: The same for all.

    Returns:
        A dict: done, skipped (names of files).
    """
    config = config or KeptConfig()

    @cache
    def turns() -> tuple[Backbone, Stock]:  # encoded if a cell is left
        backbone = load_backbone()
        return backbone, draw_stock(backbone, config)

    def classify(cell: Cell) -> dict[str, Any]:
        backbone, stock = turns()
        model = MemoryModel(backbone, cell.method, cell.scale, cell.seed, cell.write)
        result: dict[str, Any] = {
            "method": model.method.name,
            "scale": cell.scale,
            "options": model.options,
            "backbone": backbone.name,
            "facts": facts_kept(model, stock, config),
            "chance": 1 / config.values,
        }
        rule = model.write_rule
        if isinstance(rule, AttentionWrite) and not rule.normalise and not rule.address:
            result["superposition"] = superposition(stock, rule.gamma, config)
        return result

    experiment = Experiment("kept", config.difference(), Path(out))
    return experiment.measure({f"kept-{cell.name}": cell for cell in cells}, classify, config.seed)


def score_rows(method: str) -> list[dict[str, Any]]:
    """Look up what a method scores as printed and repaired, in the shipped files (chapters 4, 5 and 8).

    Args:
        method: Such as "m3".

    Returns:
        A row for each size of the bank, repaired first: exact match with the right and with the twin's bank and their difference, in
        percent, over conversations of 12 turns; abstention, the share of questions about what was never told that are answered so.
        [] for a method that is not among the repairs.
    """
    stored = [name for name in results.names() if name.startswith("repairs/")]
    rows = []
    for group, files in group_by_seed(stored).items():
        if group.options or group.method.removesuffix("_repaired") != method:
            continue
        seeds = list(load_seeds(files).values())
        asked = [row for seed in seeds for row in seed["questions"]]
        never = [row["right"]["answer"] == UNKNOWN for row in asked if not row["answerable"]]
        right, twin = (mean_gain(seeds, better=name, worse=None) for name in ("right", "twin"))
        repaired = group.method != method
        row = {
            "method": "repaired" if repaired else "printed",
            "bank": f"{group.scale:g}x",
            "right bank, %": percent(right and right["mean"]),
            "twin's bank, %": percent(twin and twin["mean"]),
            "memory score, points": percent(mean_gain(seeds)),
            "abstention, %": f"{100 * sum(never) / len(never):.0f} (n={len(never)})",
        }
        rows.append((not repaired, -group.scale, row))
    return [row for _, _, row in sorted(rows, key=lambda row: row[:2])]
