"""The ablation ladder: from the paper's methods to a memory that remembers, one change at a time (chapter 14).

A step is a method, what it changes compared with the step before, and where its weights come from. All steps are asked the
same questions about held-out conversations of LoCoMo's length, six times as long as any that a step was trained on. The final
step is also asked at random turns of a conversation, and after 2,000 turns.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from lmem.backbone.backbone import load_backbone
from lmem.data import splits
from lmem.errors import expect_out_of
from lmem.evaluation import results
from lmem.evaluation.evaluate import EvalConfig
from lmem.experiments.aggregate import group_by_seed, mean_gain
from lmem.experiments.runner import Experiment, Trained, run_cell
from lmem.memory.model import MemoryModel
from lmem.training.evidence import RehearsalConfig, freeze_retrieval, train_with_evidence
from lmem.training.train import TrainConfig, train
from lmem.utils.progress import track
from lmem.utils.settings import AtLeast1, AtLeast2, Settings, settings
from lmem.utils.toml import read_toml


@settings
class AblationConfig(Settings):
    """What all steps of the ladder share (chapter 14).

    Attributes:
        backbone: Name or folder of the backbone.
        n: Test conversations, the same for all steps.
        test_seed: Seed that draws them.
        tests: The first is for every step, the others for the final step only: "600" and "2000" turns, "cut" at a random
            one of 600.
        conversations: Training conversations of the paper's methods.
        turns: Turns of each of them.
        steps: Training steps of the paper's methods.
        keyed_conversations: Training conversations of the keyed methods.
        keyed_turns: Turns of each of them.
        rehearse: Steps of the supervision by evidence.
        tell: Steps of the training through the decoder after it.
        budget: Tokens of an input with turns as text.
        test_turns: Turns of a test conversation.
        long_turns: Turns of a test conversation of the test "2000".
    """

    backbone: str = "nano"
    n: AtLeast2 = 10
    test_seed: int = 7
    tests: tuple[str, ...] = ("600", "cut", "2000")
    conversations: AtLeast1 = 400
    turns: Annotated[int, Field(ge=10)] = 60
    steps: AtLeast1 = 1000
    keyed_conversations: AtLeast1 = 1200
    keyed_turns: Annotated[int, Field(ge=10)] = 100
    rehearse: AtLeast1 = 2500
    tell: AtLeast1 = 500
    budget: AtLeast1 = 128
    test_turns: Annotated[int, Field(ge=10)] = 600
    long_turns: Annotated[int, Field(ge=10)] = 2000

    def __post_init__(self):
        expect_out_of("tests", self.turns_of, *self.tests)

    def shared(self) -> dict[str, Any]:
        """Return what differs from the defaults, except which tests are run: {name: value}."""
        return {name: value for name, value in self.difference().items() if name != "tests"}

    @property
    def turns_of(self) -> dict[str, int]:
        """Turns of the conversations of each test."""
        return {"600": self.test_turns, "cut": self.test_turns, "2000": self.long_turns}


BRIEF_CONTROLS = "right,twin,other,none"
FINAL_CONTROLS = "right,twin,other,shuffled,noise,rough,last_20,none,null_rows,baseline,oracle,last_k,bm25"  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One step of the ladder, a table of `ladder.toml`.

    Attributes:
        name: Of its result files.
        method: A name out of `lmem methods`.
        change: What is new compared with the step before, in words.
        weights: "trained" (paper, type 1), "untrained", "shipped" (the adapter of chapter 1), "rehearsed" (by evidence, see
            `lmem.training.evidence`), "decoded" (the keyed method through the decoder alone, without that).
        write: Options of the write that are switched after the training.
        shape: Options of the write that it is trained with.
        every_seed: Run it with every seed; otherwise with the first.
    """

    name: str
    method: str
    change: str
    weights: str = "trained"
    write: dict[str, Any] = field(default_factory=dict)
    shape: dict[str, Any] = field(default_factory=dict)
    every_seed: bool = False


STEPS = tuple(Step(**row) for row in read_toml(Path(__file__).with_name("ladder.toml"))["steps"])
FINAL = next(step for step in STEPS if step.name == "keyed")


def run_ablation(
    out: str | Path,
    scales: Sequence[float] = (1, 10),
    seeds: Sequence[int] = (0, 1, 2),
    names: Sequence[str] = (),
    config: AblationConfig | None = None,
) -> dict[str, list[str]]:
    """Train and evaluate every step at every scale.

    What has its file in `out` is skipped, and a run that was interrupted continues.

    Args:
        out: Folder of the result files.
        scales: Sizes of the bank.
        seeds: Seeds of maps, starts and training conversations.
        names: Names of STEPS; default: all.
        config: What all steps share.

    Returns:
        A dict: done, skipped (names of files).

    Raises:
        InputError: A step does not exist, or a file in `out` has other settings.
    """
    config = config or AblationConfig()
    experiment = Experiment("ladder", config.shared(), Path(out))
    evaluation = EvalConfig(seed=config.test_seed, budget=config.budget)
    known = {step.name: step for step in STEPS}
    expect_out_of("steps of the ladder", known, *names)
    cells = [
        (step, scale, seed, test)
        for seed in seeds
        for step in (known[name] for name in names or known)
        for scale in scales
        for test in (config.tests if step is FINAL else config.tests[:1])
        if step.every_seed or seed in seeds[:1]
    ]
    report: dict[str, list[str]] = {"done": [], "skipped": []}
    for step, scale, seed, test in track(cells, "ladder"):
        suffix = "" if test == AblationConfig.tests[0] else f"-{test}"
        name, turns = f"{step.name}-{scale:g}x{suffix}-s{seed}", config.turns_of[test]
        about = {"rung": step.name, "change": step.change, "weights": step.weights, "test": test}
        about["data"] = splits.label("tinyworld", turns)
        adapters = experiment.unfinished("adapters")
        prepare = partial(prepare_step, step, scale, seed, adapters, config)
        drawn = ("tinyworld", config.n, turns, config.test_seed)
        tests = partial(splits.for_testing, *drawn, cut=test == "cut")  # at a random turn
        controls = FINAL_CONTROLS if step is FINAL else BRIEF_CONTROLS
        done = run_cell(experiment, name, seed, prepare, tests, evaluation, controls, about)
        report["done" if done else "skipped"].append(name)
    return report


def prepare_step(
    step: Step, scale: float, seed: int, folder: Path, config: AblationConfig
) -> Trained:
    """Build a step's model at a scale, trained if it must be.

    An adapter that is supervised by evidence is trained once for each seed, at 1x, and opened at any scale.

    Args:
        step: The step.
        scale: Size of the bank.
        seed: Seed of maps, start and training conversations.
        folder: Where trained adapters are kept.
        config: What all steps share.

    Raises:
        InputError: The folder has an adapter of other settings.
    """
    backbone = load_backbone(config.backbone)
    if step.weights == "shipped":
        return Trained(MemoryModel.from_shipped("nano-recent", backbone).variant(scale), {})
    if step.weights == "untrained":
        model = MemoryModel(backbone, step.method, scale, seed)
        return Trained(model, {"parameters": 0, "seconds": 0.0})
    name, trained_scale = f"{step.name}-{scale:g}x-s{seed}", scale
    if step.weights == "rehearsed":
        shape = [f"{key}={value}" for key, value in step.shape.items()]
        name, trained_scale = "-".join(["keyed", *shape, f"s{seed}"]), 1
    adapter = folder / name
    if not results.exists(adapter / "training.json", "ladder", config.shared()):
        start = time.perf_counter()
        model = MemoryModel(backbone, step.method, trained_scale, seed, step.shape)
        report = _train_step(model, step, seed, Path(f"{adapter}-run"), config)
        report |= {"seconds": round(time.perf_counter() - start, 1), "ladder": config.shared()}
        model.save_pretrained(adapter)
        results.save(report, adapter / "training.json")
        shutil.rmtree(f"{adapter}-run", ignore_errors=True)
    training = results.load(adapter / "training.json")
    training.pop("ladder")
    model = MemoryModel.from_pretrained(adapter, backbone)
    return Trained(model.variant(scale, step.write), training)


def _train_step(model, step, seed, folder, config) -> dict[str, Any]:
    """Train a step's model in place: {loss, steps, questions, parameters}."""
    keyed = step.weights in ("rehearsed", "decoded")
    n, turns = config.conversations, config.turns
    if keyed:
        n, turns = config.keyed_conversations, config.keyed_turns
    conversations, _ = splits.for_training("tinyworld", n, turns, seed, varied=keyed)
    steps, rehearsed = config.steps, {}
    if step.weights == "rehearsed":
        steps = config.tell
        rehearsed = train_with_evidence(
            model, conversations, RehearsalConfig(steps=config.rehearse, seed=seed)
        )
        freeze_retrieval(model)
        conversations = conversations[: config.conversations]  # the decoder needs few
    training = TrainConfig(steps=steps, seed=seed)
    report = train(model, conversations, training, progress=False, folder=folder)
    return {
        "loss": report["loss"],
        "steps": report["steps"] + rehearsed.get("steps", 0),
        "questions": report["questions"],
        "parameters": rehearsed.get("parameters", report["parameters"]),
    }


def shipped_steps() -> list[tuple[Step, dict[int, dict[str, Any]]]]:
    """Load the shipped ladder: [(Step, {scale: `mean_gain` of all questions})], in the order of STEPS."""
    groups = group_by_seed(name for name in results.names() if name.startswith("beyond/"))
    files = {group.name: list(seeds.values()) for group, seeds in groups.items()}
    steps = []
    for step in STEPS:
        gains = {}
        for scale in (1, 10):
            names = files.get(f"{step.name}-{scale}x")
            if names and (gain := mean_gain([results.load(name) for name in names])):
                gains[scale] = gain
        if gains:
            steps.append((step, gains))
    return steps
