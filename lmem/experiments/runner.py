"""Run one cell of an experiment: build a model, train it, evaluate it, write one result file.

The sweep (chapter 13), the ablation ladder (chapter 14) and the published experiment (chapter 15) are lists of cells. A cell
whose file exists is skipped, a file of other settings is refused, and a cell that was interrupted continues from its checkpoint.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lmem.backbone.backbone import Backbone, load_backbone
from lmem.data.conversation import Conversation
from lmem.data.splits import for_testing, for_training
from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.evaluate import EvalConfig, evaluate
from lmem.memory import methods
from lmem.memory.model import MemoryModel
from lmem.memory.options import known_options
from lmem.memory.read import READS
from lmem.memory.write import WRITES
from lmem.training.train import TrainConfig, train
from lmem.utils import provenance
from lmem.utils.files import expect_folder
from lmem.utils.progress import track

T = TypeVar("T")


@dataclass(frozen=True)
class Cell:
    """One run of an experiment: a method at a scale, with a seed.

    Attributes:
        method: A name out of `lmem methods`.
        scale: Size of the bank; 1 is 64 rows.
        seed: Seed of the write maps, P_0, the read's start and the training conversations.
        write: Options of the write over the method's own.
        read: Options of the read, likewise.
        train: Settings of its training (`lmem.training.train.TrainConfig`) over the experiment's.
        label: Names its file instead of the method and the options, such as "m3_repaired".
    """

    method: str
    scale: float = 1
    seed: int = 0
    write: dict[str, Any] = field(default_factory=dict)
    read: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    label: str = ""

    @property
    def options(self) -> dict[str, dict[str, Any]]:
        """Its options as its result file has them: of the write, of the read, and of the training if there are any."""
        training = {"train": self.train} if self.train else {}
        return {"write": self.write, "read": self.read, **training}

    @property
    def name(self) -> str:
        """Name of its file: "m3-10x-gamma=0.99-s1"; an option that both write and read have is "write.heads=4"."""
        method, both = methods.find(self.method), set()
        if method.write is not None and method.read is not None:
            both = set(known_options(WRITES[method.write])) & set(known_options(READS[method.read]))
        options = {
            f"{part}.{option}" if option in both else option: value
            for part, values in self.options.items()
            for option, value in values.items()
        }
        named = [f"{option}={value}" for option, value in sorted(options.items())]
        short = f"{self.scale:g}"
        scale = short if float(short) == self.scale else repr(self.scale)
        what = [self.label, f"{scale}x"] if self.label else [self.method, f"{scale}x", *named]
        return "-".join([*what, f"s{self.seed}"])


@dataclass(frozen=True)
class Experiment:
    """What all cells of an experiment share.

    Attributes:
        kind: The key under which result files have the settings: "sweep", "ladder" or "reproduce".
        settings: What must be the same in all files.
        out: Folder of the result files; unfinished cells keep their checkpoints below it.
    """

    kind: str
    settings: dict[str, Any]
    out: Path

    def __post_init__(self) -> None:
        expect_folder(self.out)  # refused before the first cell is trained

    def file(self, name: str) -> Path:
        """Return the result file of a cell."""
        return self.out / f"{name}.json.gz"

    def unfinished(self, name: str) -> Path:
        """Return the folder of a cell's checkpoints."""
        return self.out / "unfinished" / name

    def finished(self, names: Iterable[str]) -> list[str]:
        """Return the names that have a result file.

        Raises:
            InputError: A file has other settings.
        """
        return [name for name in names if results.exists(self.file(name), self.kind, self.settings)]

    def measure(
        self, cells: Mapping[str, T], work: Callable[[T], dict[str, Any]], seed: int
    ) -> dict[str, list[str]]:
        """Do the work of every cell that has no result file, and write one.

        Args:
            cells: {name: what `work` takes}.
            work: Returns the result; name, settings and provenance are added.
            seed: For the provenance.

        Returns:
            A dict: done, skipped (names).

        Raises:
            InputError: A file has other settings.
        """
        skipped = self.finished(cells)
        todo = [name for name in cells if name not in skipped]
        for name in track(todo, self.kind):
            began = time.perf_counter()
            result = {"name": name, **work(cells[name]), self.kind: self.settings}
            seconds = {self.kind: round(time.perf_counter() - began, 1)}
            result["provenance"] = provenance.provenance(seed, seconds)
            results.save(result, self.file(name))
        return {"done": todo, "skipped": skipped}


class Trained(NamedTuple):
    """A model that is ready to be evaluated.

    Attributes:
        model: The memory.
        training: What the result file says of its training.
        parameters: How many weights were learned; None if the result file does not say.
        seconds: {phase: seconds} of its training.
        constant: The same method trained on one constant bank, for the condition of that name.
    """

    model: MemoryModel
    training: dict[str, Any]
    parameters: int | None = None
    seconds: dict[str, float] = {}
    constant: MemoryModel | None = None


def run_cell(
    experiment: Experiment,
    name: str,
    seed: int,
    prepare: Callable[[], Trained],
    tests: Callable[[], Sequence[Conversation]],
    config: EvalConfig,
    controls: str | None,
    about: dict[str, Any],
) -> bool:
    """Train and evaluate one cell, and write its result file.

    Args:
        experiment: Where the file goes, and its settings.
        name: Name of the file.
        seed: Seed of the cell.
        prepare: Builds and trains the model; called only if the file does not exist.
        tests: Draws the test conversations, likewise.
        config: How questions are asked.
        controls: Conditions, as in `lmem.evaluation.evaluate.evaluate`.
        about: Further entries of the result.

    Returns:
        False if the file exists already.

    Raises:
        InputError: The file exists and has other settings, or a condition is impossible.
    """
    if experiment.finished([name]):
        return False
    trained = prepare()
    result = dict(
        evaluate(trained.model, tests(), config, controls, trained.constant, progress=False)
    )
    result |= {"name": name, experiment.kind: experiment.settings, "training": trained.training}
    result |= about
    if trained.parameters is not None:
        result["parameters"] = trained.parameters
    seconds = {f"train {phase}": round(taken, 2) for phase, taken in trained.seconds.items()}
    made: Any = result["provenance"]
    made["seed"] = seed
    made["seconds"] |= seconds
    results.save(result, experiment.file(name))
    shutil.rmtree(experiment.unfinished(name), ignore_errors=True)
    return True


def train_cell(
    model: MemoryModel,
    conversations: Sequence[Conversation],
    config: TrainConfig,
    folder: Path | None = None,
) -> Trained:
    """Train a model; a stateless one is returned unchanged.

    Args:
        model: The memory, new.
        conversations: The training conversations.
        config: How it is trained.
        folder: Folder of its checkpoints; None for none.
    """
    if model.write_rule is None:
        return Trained(model, {}, 0)
    report = train(model, conversations, config, progress=False, folder=folder)
    training = {key: report[key] for key in ("loss", "steps", "questions")}
    return Trained(model, training, report["parameters"], report["seconds"])


def load_constant(folder: str | Path, backbone: Backbone) -> MemoryModel:
    """Load the adapter that `lmem train --constant` left in a folder, on this backbone.

    Raises:
        InputError: It was trained on banks that were written.
    """
    about = Path(folder) / "training.json"
    if not about.is_file() or not results.load(about).get("settings", {}).get("constant"):
        raise InputError(f"expected an adapter from `lmem train --constant` in {folder}")
    return MemoryModel.from_pretrained(folder, backbone)


def run_demo(out: str | Path, steps: int = 120) -> dict[str, Any]:
    """Train `recent` briefly on tinyworld, evaluate it with its controls, write adapter and result into `out`."""
    out = Path(out)
    model = MemoryModel(load_backbone("nano"), "recent", scale=3, seed=42)
    conversations, _ = for_training("tinyworld", 160, 12, 42)
    report = train(model, conversations, TrainConfig(steps=steps, warmup=20))
    result = evaluate(model, for_testing("tinyworld", 8, 24, 7), EvalConfig())
    model.save_pretrained(out / "adapter")
    results.save(result, out / "result.json")
    return {"out": str(out), "steps": steps, "loss": report["loss"], "summary": result["summary"]}
