"""Verbs of `lmem bench`: turns, training, evaluation, writes."""

from typing import Annotated

import typer

from lmem.cli.options import BackboneName, DataName, Json, Out, Seed
from lmem.cli.printing import dump, flat, listing, show

verbs = typer.Typer(
    no_args_is_help=True, help="How fast: our way against the plain way, in the same run."
)

TABLES = ("by_turns", "by_rows", "slots", "by_phase", "by_size")
Shape = Annotated[
    str | None, typer.Option(help="Instead: a published size with random weights, flan-t5-small.")
]
BenchData = Annotated[
    str, typer.Option(help='"tinyworld" at LoCoMo\'s length, "locomo", or a file in its form.')
]
Conversations = Annotated[int, typer.Option(help="Conversations, if generated.")]
Length = Annotated[int, typer.Option(help="Turns of a conversation, if generated.")]
Turns = Annotated[int, typer.Option(help="Sample: turns of each conversation, side by side.")]
PlainTurns = Annotated[int, typer.Option(help="Sample of the plain way: turns.")]
PlainQuestions = Annotated[int, typer.Option(help="Sample of the plain way: questions.")]
Repeats = Annotated[int, typer.Option(help="Each piece is timed so often, in turn; at least 3.")]


@verbs.command("encode")
def bench_encode(
    backbone: BackboneName = "nano",
    data: DataName = "locomo",
    turns: Annotated[int, typer.Option(help="Turns to encode, at most.")] = 6000,
    plain_turns: PlainTurns = 200,
    repeats: Repeats = 3,
    out: Out = None,
    as_json: Json = False,
):
    """Turns per second: batched by length, against one by one with 384 tokens of padding."""
    from lmem.backbone.backbone import load_backbone
    from lmem.bench.encode import bench_encode as measure
    from lmem.data import splits

    texts = [
        text for c in splits.for_testing(data, 40, 60, 0, everything=True) for text in c.texts()
    ]
    found = measure(load_backbone(backbone), texts[: max(0, turns)], plain_turns, repeats)
    benched({"data": splits.label(data, 60), **found}, out, as_json, "lmem bench encode")


@verbs.command("train")
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
    steps: Annotated[int, typer.Option(help="Sample: the engine's optimiser steps.")] = 8,
    repeats: Repeats = 5,
    out: Out = None,
    seed: Seed = 0,
    as_json: Json = False,
):
    """Training over all epochs, against one conversation and one question at a time; and the floor."""
    from lmem.bench.train import bench_train as measure
    from lmem.data import splits

    if data == "tinyworld":
        drawn = splits.for_testing(data, conversations, length, seed)
    else:
        drawn = splits.for_training(data, conversations, length, seed)[0]
    found = measure(
        bench_backbone(backbone, shape, drawn, seed), drawn, method, scale, epochs, turns,
        plain_turns, questions, steps, repeats, seed,
    )  # fmt: skip
    benched({"data": splits.label(data, length), **found}, out, as_json, "lmem bench train")


@verbs.command("eval")
def bench_eval(
    backbone: BackboneName = "nano",
    shape: Shape = None,
    data: BenchData = "tinyworld",
    conversations: Conversations = 3,
    length: Length = 588,
    method: str = "m3",
    scale: float = 1,
    turns: Turns = 64,
    plain_turns: PlainTurns = 24,
    questions: PlainQuestions = 8,
    asked: Annotated[int, typer.Option(help="Sample: the engine's questions.")] = 64,
    max_new_tokens: Annotated[int, typer.Option(help="Tokens of an answer, at most.")] = 32,
    repeats: Repeats = 5,
    out: Out = None,
    seed: Seed = 0,
    as_json: Json = False,
):
    """Writing and answering, against one conversation and one question at a time; and the floor."""
    from lmem.bench.evaluate import bench_eval as measure
    from lmem.data import splits

    drawn = splits.for_testing(data, conversations, length, seed)
    found = measure(
        bench_backbone(backbone, shape, drawn, seed), drawn, method, scale, turns, plain_turns,
        questions, asked, max_new_tokens, repeats, seed,
    )  # fmt: skip
    benched({"data": splits.label(data, length), **found}, out, as_json, "lmem bench eval")


@verbs.command("write")
def bench_write(
    backbone: BackboneName = "nano",
    writes: Annotated[
        str | None, typer.Option(help="Write rules, commas between; default: all.")
    ] = None,
    turns: Annotated[int, typer.Option(help="Turns of the longest conversation.")] = 2000,
    rows: Annotated[int, typer.Option(help="Rows of the largest bank.")] = 65536,
    repeats: Repeats = 7,
    out: Out = None,
    seed: Seed = 0,
    as_json: Json = False,
):
    """A turn's cost from turn 10 on, and the cost of a write and a read from 64 rows on."""
    from lmem.backbone.backbone import load_backbone
    from lmem.bench import write as bench
    from lmem.data import splits

    [conversation] = splits.for_testing("tinyworld", 1, min(max(turns, 10), 2000), seed)
    found = bench.bench_write(
        load_backbone(backbone), conversation.texts(), writes.split(",") if writes else None,
        [n for n in bench.TURNS if n < turns] + [turns], [n for n in bench.ROWS if n < rows] + [rows],
        repeats, seed,
    )  # fmt: skip
    benched(found, out, as_json, "lmem bench write")


def bench_backbone(backbone, shape, conversations, seed):
    """A loaded backbone, or one of a published size with random weights."""
    from lmem.backbone.backbone import load_backbone
    from lmem.bench.shape import random_backbone

    if shape is None:
        return load_backbone(backbone)
    return random_backbone(shape, [text for c in conversations for text in c.texts()], seed)


def benched(found, out, as_json, title):
    """Write the result file, print all of it as JSON, or what matters of it as tables."""
    from lmem.evaluation import results

    if out:
        results.save(found, out)
    if as_json:
        return dump(found)
    tables = {name: found.pop(name) for name in TABLES if name in found}
    for name in ("counts", "unit_seconds", "gflop", "provenance"):
        found.pop(name, None)
    show(found, as_json, title)
    for name, rows in tables.items():
        listing([dict(flat(row)) for row in rows], name)
