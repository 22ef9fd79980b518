"""The ladder: from the paper's methods to a memory that remembers, step by step (chapter 14).

A rung is a method, what it changes against the rung before, and where its weights come from. All rungs are asked the same
questions about held-out conversations of LoCoMo's length, six times as long as any that a rung was trained on. The top rung is
also asked at random points of a conversation, and after 2,000 turns.
"""

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from lmem.backbone.backbone import load_backbone
from lmem.data import splits
from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.evaluate import EvalConfig, evaluate
from lmem.evaluation.summary import difference
from lmem.memory.model import MemoryModel
from lmem.training.evidence import RehearsalConfig, freeze_retrieval, train_with_evidence
from lmem.training.train import TrainConfig, train
from lmem.utils.progress import track
from lmem.utils.settings import AtLeast1, AtLeast2, Settings, settings


@settings
class LadderConfig(Settings):
    """What all rungs of the ladder share (chapter 14).

    n, test_seed         test conversations, the same for all rungs, and the seed that draws them
    tests                the first is asked of every rung, the others of the top rung only: "600" and "2000" turns, "cut" at a
                         random one of 600
    conversations, turns, steps               training of the paper's methods
    keyed_conversations, keyed_turns          training conversations of the keyed ones
    rehearse, tell       steps of the rehearsal, and of the read through the decoder after it
    budget               tokens of an input with turns as text
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
        for test in self.tests:
            if test not in self.turns_of:
                raise InputError(f"expected tests out of {', '.join(self.turns_of)}, not {test!r}")

    def shared(self):
        """What differs from the defaults, but for which tests are asked: {name: value}."""
        return {name: value for name, value in self.difference().items() if name != "tests"}

    @property
    def turns_of(self):
        """Turns of the conversations of each test."""
        return {"600": self.test_turns, "cut": self.test_turns, "2000": self.long_turns}


BRIEF = "right,twin,other,none"
LAST = "right,twin,other,shuffled,noise,rough,last_20,none,null_rows,baseline,oracle,last_k,bm25"


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    change   what is new against the rung before, in words
    weights  "trained" (Type 1), "untrained", "shipped" (the adapter of chapter 1), "rehearsed" (see `lmem.training.evidence`), "decoded"
             (the keyed method through the decoder alone, without a rehearsal)
    shape    options of the write that it is trained with; `write` are those that are only switched
    seeds    only the first so many; None: all
    """

    name: str
    method: str
    change: str
    weights: str = "trained"
    write: dict = field(default_factory=dict)
    seeds: int | None = 1
    shape: dict = field(default_factory=dict)


RUNGS = (
    Rung("m2", "m2", "as printed: random writes that mix, decay 0.95"),
    Rung("m3", "m3", "as printed, read by the frozen attention"),
    Rung("m6", "m6", "as printed, a turn's mean in 8 slots"),
    Rung("kept", "recent+extension", "nothing is mixed: the newest latents, as they are", "untrained"),
    Rung("branch", "recent", "a read of its own at every layer, trained", "shipped"),
    Rung(
        "row", "keyed", "a row a turn, under a key learned by rehearsal; the oldest goes", "rehearsed",
        {"select": False, "replace": False}, None,
    ),
    Rung("select", "keyed", "what tells nothing is not written", "rehearsed", {"replace": False}, None),
    Rung("keyed", "keyed", "a correction takes the row of what it corrects", "rehearsed", {}, None),
    Rung(
        "decoded", "keyed", "the same rows, learned through the decoder alone, without a rehearsal", "decoded",
    ),
    Rung("wide", "keyed", "half as many rows, twice as wide", "rehearsed", shape={"cells": 1}),
)  # fmt: skip
TOP = next(rung for rung in RUNGS if rung.name == "keyed")


def climb(out, scales=(1, 10), seeds=(0, 1, 2), rungs=(), config=None, progress=True):
    """Train and ask every rung at every scale; what has its file in `out` is skipped, and a run that was cut off goes on.

    rungs    names of RUNGS; default: all
    config   LadderConfig
    returns  dict: done, skipped (names of files)
    raises   InputError for a rung that does not exist, or if a file in `out` is of other settings
    """
    config, out = config or LadderConfig(), Path(out)
    known = {rung.name: rung for rung in RUNGS}
    for name in rungs:
        if name not in known:
            raise InputError(f"expected rungs out of {', '.join(known)}, not {name!r}")
    cells = [
        (rung, scale, seed, test)
        for seed in seeds
        for rung in (known[name] for name in rungs or known)
        for scale in scales
        for test in (config.tests if rung is TOP else config.tests[:1])
        if rung.seeds is None or seed in seeds[: rung.seeds]
    ]
    report, settings = {"done": [], "skipped": []}, config.shared()
    for rung, scale, seed, test in track(cells, "ladder", progress):
        mark = "" if test == LadderConfig.tests[0] else f"-{test}"
        name = f"{rung.name}-{scale:g}x{mark}-s{seed}"
        if results.there(out / f"{name}.json.gz", "ladder", settings):
            report["skipped"].append(name)
            continue
        model, training = fitted(rung, scale, seed, out / "unfinished", config)
        controls = LAST if rung is TOP else BRIEF
        result = ask(model, test, config, controls)
        result |= {
            "name": name, "rung": rung.name, "change": rung.change, "weights": rung.weights, "test": test,
            "ladder": settings, "training": training,
        }  # fmt: skip
        result["provenance"]["seed"] = seed
        results.save(result, out / f"{name}.json.gz")
        report["done"].append(name)
    return report


def fitted(rung, scale, seed, work, config):
    """The rung's model at this scale, and what its training took: (MemoryModel, dict).

    A rehearsed adapter is trained once for each seed, at 1x, and opened at any scale.
    """
    backbone = load_backbone(config.backbone)
    if rung.weights == "shipped":
        return MemoryModel.from_shipped("nano-recent", backbone).variant(scale), {}
    if rung.weights == "untrained":
        return MemoryModel(backbone, rung.method, scale, seed), {"parameters": 0, "seconds": 0.0}
    shared = "-".join(["keyed", *(f"{k}={v}" for k, v in rung.shape.items()), f"s{seed}"])
    folder = Path(work) / (
        shared if rung.weights == "rehearsed" else f"{rung.name}-{scale:g}x-s{seed}"
    )
    if not results.there(folder / "training.json", "ladder", config.shared()):
        begun = time.perf_counter()
        model = MemoryModel(
            backbone, rung.method, 1 if rung.weights == "rehearsed" else scale, seed, rung.shape
        )
        report = _taught(model, rung, seed, folder, config)
        report = {key: report[key] for key in ("loss", "steps", "questions", "parameters")}
        report |= {"seconds": round(time.perf_counter() - begun, 1), "ladder": config.shared()}
        model.save_pretrained(folder)
        results.save(report, folder / "training.json")
        shutil.rmtree(f"{folder}-run", ignore_errors=True)
    model = MemoryModel.from_pretrained(folder, backbone)
    training = results.load(folder / "training.json")
    training.pop("ladder")
    return model.variant(scale, rung.write), training


def _taught(model, rung, seed, folder, config):
    keyed = rung.weights in ("rehearsed", "decoded")
    n, turns = (
        (config.keyed_conversations, config.keyed_turns)
        if keyed
        else (config.conversations, config.turns)
    )
    drawn, _ = splits.for_training("tinyworld", n, turns, seed, varied=keyed)
    steps = {"trained": config.steps, "decoded": config.steps, "rehearsed": config.tell}
    training, learned = TrainConfig(steps=steps[rung.weights], seed=seed), {}
    if rung.weights == "rehearsed":
        learned = train_with_evidence(
            model, drawn, RehearsalConfig(steps=config.rehearse, seed=seed)
        )
        freeze_retrieval(model)
        drawn = drawn[: config.conversations]  # telling needs few
    report = train(model, drawn, training, progress=False, folder=Path(f"{folder}-run"))
    report["parameters"] = learned.get("parameters", report["parameters"])
    report["steps"] += learned.get("steps", 0)
    return report


def ask(model, test, config, controls):
    """A model under a test: "600" turns, "cut" at a random turn of them, "2000"."""
    turns = config.turns_of[test]
    conversations = splits.for_testing(
        "tinyworld", config.n, turns, config.test_seed, cut=test == "cut"
    )
    settings = EvalConfig(seed=config.test_seed, budget=config.budget)
    result = evaluate(model, conversations, settings, controls, progress=False)
    return result | {"data": splits.label("tinyworld", turns)}


def gain(seeds, keep=lambda row: True, better="right", worse="twin"):
    """Exact match of one condition over another, seeds averaged question by question.

    seeds    results of the same questions
    keep     which of the questions count: row -> bool
    worse    None: the better condition alone
    returns  dict: mean, low, high, p, mdd as `lmem.evaluation.summary.difference` gives them, n questions, seeds; None without a question
    """
    rows = [row for row in seeds[0]["questions"] if row["answerable"] and keep(row)]
    if not rows:
        return None
    values = np.zeros(len(rows))
    for seed in seeds:
        own = {row["id"]: row for row in seed["questions"]}
        values += [
            own[row["id"]][better]["em"] - (own[row["id"]][worse]["em"] if worse else 0)
            for row in rows
        ]
    return difference(rows, values / len(seeds)) | {"n": len(rows), "seeds": len(seeds)}


def climbed():
    """The shipped ladder: [(Rung, {scale: `gain` of all questions})], in the order of RUNGS."""
    seeds = {}
    for name in results.names():
        cell, _, _ = name.removeprefix("beyond/").rpartition("-s")
        if name.startswith("beyond/"):
            seeds.setdefault(cell, []).append(name)
    found = []
    for rung in RUNGS:
        scales = {
            scale: gain([results.load(name) for name in seeds[f"{rung.name}-{scale}x"]])
            for scale in (1, 10)
            if f"{rung.name}-{scale}x" in seeds
        }
        if scales:
            found.append((rung, scales))
    return found
