"""Verbs of `lmem bench`: speed compared with the plain way, a plan compared with measurement, many rows, a GPU."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lmem.cli.options import Adapter, BackboneName, DataName, Out, Seed, integers, opt
from lmem.cli.printing import Report, command, flat, listing, show
from lmem.errors import InputError
from lmem.evaluation import results

verbs = typer.Typer(
    no_args_is_help=True, help="How fast: our way against the plain way, in the same run."
)

TABLES = ("by_part", "by_turns", "by_rows", "slots", "by_phase", "by_size")
HIDDEN = ("counts", "unit_seconds", "gflop", "provenance", "training", "evaluation", *TABLES)
DRY = (
    "A dry run on the CPU: it shows that the benchmark works. It says nothing about a GPU, "
    "and on a GPU this has not been run."
)
Shape = Annotated[str | None, opt("Instead: a published size with random weights, flan-t5-small.")]
BenchData = Annotated[
    str, opt('"tinyworld" or "everyday" at LoCoMo\'s length, "locomo", or a file in its form.')
]
Conversations = Annotated[int, opt("Conversations, if generated.")]
Length = Annotated[int, opt("Turns of a conversation, if generated.")]
Turns = Annotated[int, opt("Sample: turns of each conversation, in parallel.")]
PlainTurns = Annotated[int, opt("Sample of the plain way: turns.")]
PlainQuestions = Annotated[int, opt("Sample of the plain way: questions.")]
Repeats = Annotated[int, opt("How often each piece is timed; at least 3.")]


@command(verbs, "encode", saves=True)
def bench_encode(
    backbone: BackboneName = "nano",
    data: DataName = "locomo",
    turns: Annotated[int, opt("Turns to encode, at most.")] = 6000,
    plain_turns: PlainTurns = 200,
    repeats: Repeats = 3,
) -> Report:
    """Turns per second: batched by length, against one by one with 384 tokens of padding."""
    from lmem.backbone.backbone import load_backbone
    from lmem.bench.encode import bench_encode as measure
    from lmem.data import splits

    conversations = splits.for_testing(data, 40, 60, 0, everything=True)
    texts = [text for c in conversations for text in c.texts()][: max(0, turns)]
    result = measure(load_backbone(backbone), texts, plain_turns, repeats)
    return tables({**splits.source(data, 60, conversations), **result}, "encode")


@command(verbs, "train", saves=True)
def bench_train(
    backbone: BackboneName = "nano",
    shape: Shape = None,
    data: BenchData = "tinyworld",
    conversations: Conversations = 7,
    length: Length = 588,
    method: str = "m3",
    scale: float = 1,
    epochs: int = 10,
    turns: Turns = 64,
    plain_turns: PlainTurns = 24,
    questions: PlainQuestions = 16,
    steps: Annotated[int, opt("Sample: the engine's optimiser steps.")] = 8,
    repeats: Repeats = 5,
    seed: Seed = 0,
) -> Report:
    """Training over all epochs, against one conversation and one question at a time; and the floor."""
    from lmem.bench.train import bench_train as measure
    from lmem.data import splits

    if data in splits.GENERATORS:
        drawn = splits.for_testing(data, conversations, length, seed)
    else:
        drawn = splits.for_training(data, conversations, length, seed)[0]
    loaded = load(backbone, shape, drawn, seed)
    sample = {"method": method, "scale": scale, "turns": turns, "plain_turns": plain_turns}
    result = measure(loaded, drawn, repeats, epochs, questions, steps, seed=seed, **sample)
    return tables({**splits.source(data, length, drawn), **result}, "train")


@command(verbs, "eval", saves=True)
def bench_eval(
    backbone: BackboneName = "nano",
    shape: Shape = None,
    data: BenchData = "tinyworld",
    asked: Annotated[int, opt("Sample: the engine's questions.")] = 64,
    max_new_tokens: Annotated[int, opt("Tokens of an answer, at most.")] = 32,
    conversations: Conversations = 3,
    length: Length = 588,
    method: str = "m3",
    scale: float = 1,
    turns: Turns = 64,
    plain_turns: PlainTurns = 24,
    questions: PlainQuestions = 8,
    repeats: Repeats = 5,
    seed: Seed = 0,
) -> Report:
    """Writing and answering, against one conversation and one question at a time; and the floor."""
    from lmem.bench.evaluate import bench_eval as measure
    from lmem.data import splits

    drawn = splits.for_testing(data, conversations, length, seed)
    loaded = load(backbone, shape, drawn, seed)
    sample = {"method": method, "scale": scale, "turns": turns, "plain_turns": plain_turns}
    result = measure(loaded, drawn, questions, asked, max_new_tokens, repeats, seed=seed, **sample)
    return tables({**splits.source(data, length, drawn), **result}, "eval")


@command(verbs, "lab", saves=True)
def bench_lab(
    backbone: BackboneName = "mini", data: DataName = "locomo", repeats: Repeats = 3
) -> Report:
    """Whether chapter 15 keeps its time: training and evaluation on LoCoMo, all six methods of the short lab."""
    from lmem.bench.lab import bench_lab as measure
    from lmem.data import splits

    result = measure(backbone, data, repeats=repeats)
    return tables({**splits.source(data, 588), **result}, "lab")


@command(verbs, "write", saves=True)
def bench_write(
    backbone: BackboneName = "nano",
    writes: Annotated[str | None, opt("Write rules, commas between; default: all.")] = None,
    turns: Annotated[int, opt("Turns of the longest conversation.")] = 2000,
    rows: Annotated[int, opt("Rows of the largest bank.")] = 65536,
    repeats: Repeats = 7,
    seed: Seed = 0,
) -> Report:
    """A turn's cost from turn 10 on, and the cost of a write and a read from 64 rows on."""
    from lmem.backbone.backbone import load_backbone
    from lmem.bench import write as bench
    from lmem.data import splits

    [conversation] = splits.for_testing("tinyworld", 1, min(max(turns, 10), 2000), seed)
    names = writes.split(",") if writes else None
    before = [n for n in bench.TURNS if n < turns] + [turns]
    sizes = [n for n in bench.ROWS if n < rows] + [rows]
    loaded, texts = load_backbone(backbone), conversation.texts()
    result = bench.bench_write(loaded, texts, names, before, sizes, repeats, seed)
    source = splits.source("tinyworld", len(texts), [conversation])
    return tables({**source, **result}, "write")


@command(verbs, "plan", saves=True)
def bench_plan(
    backbone: BackboneName = "nano",
    shape: Shape = None,
    data: BenchData = "tinyworld",
    conversations: Conversations = 4,
    length: Length = 60,
    method: str = "m3",
    scale: float = 1,
    batch: Annotated[int, opt("Questions that are processed together.")] = 16,
    repeats: Repeats = 3,
    seed: Seed = 0,
) -> Report:
    """What `lmem plan` says of memory and time, against what a run takes here."""
    from lmem.bench.plan import bench_plan as measure
    from lmem.data import splits

    drawn = splits.for_testing(data, conversations, length, seed)
    loaded = load(backbone, shape, drawn, seed)
    result = measure(loaded, drawn, method, scale, batch, repeats, seed)
    return tables({**splits.source(data, length, drawn), **result}, "plan")


@command(verbs, "rows", saves=True)
def bench_rows(
    adapter: Adapter = None,
    conversations: Annotated[
        int, opt("Conversations, one after the other; a million rows take 1,250.")
    ] = 1250,
    length: Annotated[int, opt("Turns of each.")] = 60,
    rows: Annotated[str | None, opt("Sizes of the bank, with commas between.")] = None,
    k: Annotated[int, opt("Rows that a top-k read takes.")] = 32,
    probes: Annotated[int, opt("Clusters that it searches.")] = 16,
    questions: Annotated[int, opt("About the newest conversation.")] = 24,
    repeats: Repeats = 3,
    work: Annotated[
        Path | None, opt("Folder for rows and latents, mapped; default: in memory.")
    ] = None,
    out: Out = None,
    seed: Seed = 0,
) -> Report:
    """Latency, memory and answers by rows of the bank: exact, exact in chunks, the k best of an index. Sizes in --out stay."""
    from lmem.bench import rows as bench
    from lmem.data import splits

    drawn = bench.newest_last(conversations, length, questions, seed)
    result = bench.bench_rows(
        bench.load_model(adapter, work),
        drawn,
        integers(rows) if rows else bench.ROWS,
        k,
        probes,
        questions=questions,
        repeats=repeats,
        folder=work,
        before=results.load(str(out)) if out and out.exists() else None,
        seed=seed,
    )
    return tables({**splits.source("tinyworld", length, drawn), **result}, "rows")


@command(verbs, "gpu", saves=True)
def bench_gpu(
    sizes: Annotated[
        str, opt("Published sizes, with commas between.")
    ] = "flan-t5-base,flan-t5-large,flan-t5-xl",
    profile: Annotated[str | None, opt('"t4", "a100" or "h200"; default: by what is here.')] = None,
    data: BenchData = "tinyworld",
    conversations: Conversations = 4,
    length: Length = 588,
    method: str = "m3",
    scale: float = 1,
    dry_run: Annotated[
        bool, opt("The same on the CPU, at the smallest size.", "--dry-run")
    ] = False,
    repeats: Repeats = 3,
    seed: Seed = 0,
) -> Report:
    """Encode, write, train and answer at published sizes on one GPU, against the plain way; random weights."""
    from lmem.bench import gpu as bench
    from lmem.data import splits
    from lmem.experiments.planning.machine import MachineProfile, this_machine

    name = "cpu" if dry_run else profile or this_machine()
    if name == "cpu" and not dry_run:
        raise InputError("expected a GPU, found none; --dry-run goes through the same on the CPU")
    sample = {"method": method, "scale": scale, "repeats": repeats, "seed": seed}
    chosen = MachineProfile.of(name)
    if dry_run:
        sizes, conversations, length = "flan-t5-small", 2, 16
        chosen = MachineProfile.of(name, batch=8)
        sample |= {"batch": 4, "plain_texts": 2, "max_new_tokens": 4}
    drawn = splits.for_testing(data, conversations, length, seed)
    result = bench.bench_gpu(drawn, sizes.split(","), chosen, **sample)
    return tables({**splits.source(data, length, drawn), "dry_run": dry_run, **result}, "gpu")


def load(backbone: str, shape: str | None, conversations: Sequence[Any], seed: int) -> Any:
    """Return a loaded backbone, or one of a published size with random weights."""
    from lmem.backbone.backbone import load_backbone
    from lmem.bench.shape import random_backbone

    if shape is None:
        return load_backbone(backbone)
    return random_backbone(shape, [text for c in conversations for text in c.texts()], seed)


def tables(result: dict[str, Any], verb: str) -> Report:
    """Report a result; its most important part is printed as tables."""

    def shown() -> None:
        values = {name: value for name, value in result.items() if name not in HIDDEN}
        show(values, f"lmem bench {verb}")
        for name in TABLES:
            if name in result:
                listing([dict(flat(row)) for row in result[name]], name)
        if result.get("dry_run"):
            typer.echo(DRY)

    return Report(result, shown=shown)
