"""`lmem` on the command line. Every verb that prints results also takes --json; errors are one sentence and exit code 2."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from lmem.errors import InputError, LmemError
from lmem.files import expect_folder

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="A latent memory for frozen encoder-decoder language models.",
)  # fmt: skip
data = typer.Typer(
    no_args_is_help=True, help="Conversations: LoCoMo's release, or tinyworld's generator."
)
bench = typer.Typer(
    no_args_is_help=True, help="How fast: our way against the plain way, in the same run."
)
app.add_typer(data, name="data")
app.add_typer(bench, name="bench")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
BackboneName = Annotated[str, typer.Option(help='"nano", an id on the hub, or a folder.')]
DataName = Annotated[str, typer.Option(help='"tinyworld", "locomo", or a file in LoCoMo\'s form.')]
Seed = Annotated[int, typer.Option(help="Seed of everything that is drawn.")]


def main():
    """Entry point: LmemError becomes one sentence on the error stream and exit code 2."""
    try:
        app()
    except LmemError as error:
        Console(stderr=True).print(
            f"lmem: {error}", style="red", soft_wrap=True, markup=False, highlight=False
        )
        sys.exit(2)


def show(result, as_json, title):
    """A result as JSON, or as a table of its plain values (nested names joined by dots)."""
    if as_json:
        typer.echo(json.dumps(result, indent=1, ensure_ascii=False))
        return
    table = Table(title=title, show_header=False)
    for name, value in flat(result):
        table.add_row(name, value)
    Console().print(table)


def listing(rows, title):
    """Rows of texts by column, {column: text}, as a table with a header."""
    table = Table(title=title, box=SIMPLE, collapse_padding=True, pad_edge=False)
    for i, column in enumerate(rows[0]):
        name = column in ("result", "method")  # long names may break, numbers do not
        table.add_column(
            column,
            overflow="fold",
            no_wrap=not name,
            min_width=8 if name else None,
            justify="left" if name or not i else "right",
        )
    for row in rows:
        table.add_row(*row.values())
    console = Console()
    if not console.is_terminal:  # a file has no edge
        console.width = 140
    console.print(table)


def brief(summary, title):
    """A summary of `lmem.evaluate`: a line for each condition, then the headline figures."""
    from lmem import tables

    if summary["n"]:
        listing(tables.printed_conditions(summary), f"{title}: percent; bits over no bank")
    show(tables.printed_figures(summary), False, None)


def flat(value, name=""):
    """(dotted name, text) for every leaf; a mean with its interval is one leaf, a median with its ends too."""
    if isinstance(value, dict) and {"mean", "low", "high"} <= set(value):
        n = f", n = {value['n']}" if "n" in value else ""
        ends = [value["low"], value["high"]]
        interval = (
            "no interval, one conversation" if None in ends else f"{ends[0]:.3f}, {ends[1]:.3f}"
        )
        yield name, f"{value['mean']:.3f}  [{interval}]{n}"
    elif isinstance(value, dict) and set(value) == {"min", "median", "max"}:
        yield name, f"{value['median']:.4g}  [{value['min']:.4g}, {value['max']:.4g}]"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        yield name, ", ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in value)
    else:
        yield name, f"{value:.4g}" if isinstance(value, float) else str(value)


# ---- looking ---------------------------------------------------------------------------------------


@app.command()
def doctor(
    questions: int = 200,
    out: Annotated[
        Path | None, typer.Option(help="Result file to write, with all figures.")
    ] = None,
    as_json: Json = False,
):
    """Versions, device, and how well nano reads here: with the evidence in its input, and without."""
    from lmem import reading_scores, results
    from lmem.backbone import load_backbone

    backbone = load_backbone("nano")
    with_evidence = reading_scores.measure(backbone, questions, evidence=True)
    without = reading_scores.measure(backbone, questions, evidence=False)
    if out:
        full = {"backbone": "nano", "turns": reading_scores.TURNS, "with_evidence": with_evidence}
        full |= {
            "without_evidence": without,
            "alike": reading_scores.measure(backbone, questions, alike=True),
            "fingerprint": backbone.fingerprint,
            "versions": results.versions(),
        }
        results.save(full, out)
    show(
        {
            "versions": results.versions(),
            "machine": results.machine(),
            "nano": {
                "fingerprint": backbone.fingerprint[:16],
                "with_evidence": with_evidence["em"],
                "without_evidence": without["em"],
                "best_guess": without["best_guess"],
                "questions": questions,
            },
        },
        as_json,
        "lmem doctor",
    )


@app.command()
def methods(
    shape: Annotated[
        str | None, typer.Option(help="A published size, flan-t5-small to flan-t5-xxl, no weights.")
    ] = None,
    backbone: BackboneName = "nano",
    scale: Annotated[float, typer.Option(help="1 is 64 rows, 10 is 640.")] = 1,
    grid: Annotated[bool, typer.Option(help="Every write with every read that fits.")] = False,
    as_json: Json = False,
):
    """The methods there are: what is written and read where, and how many numbers of it learn."""
    from lmem import methods as known
    from lmem.backbone import load_backbone

    model = known.shape(shape) if shape else load_backbone(backbone).model
    rows = known.table(model, scale, known.grid() if grid else known.METHODS)
    if as_json:
        return show({"methods": rows}, as_json, "methods")
    listing = Table(title=f"{shape or backbone}, scale {scale:g}, frozen: {rows[0]['frozen']:,}")
    for column in ("method", "also", "site", "trainable", "bank"):
        numeric = column in ("trainable", "bank")
        listing.add_column(column, no_wrap=True, justify="right" if numeric else "left")
    for row in rows:
        also, site = (row["aliases"] or ["-"])[0], row["site"] or "-"
        listing.add_row(row["method"], also, site, f"{row['trainable']:,}", f"{row['bank']:,}")
    Console().print(listing)


@data.command("locomo")
def data_locomo(
    path: Annotated[
        Path | None, typer.Option(help="The release file; default: cache, else download.")
    ] = None,
    evidence: Annotated[
        str, typer.Option(help='"all" (ours) or "first" (the paper\'s rule).')
    ] = "all",
    as_json: Json = False,
):
    """Read LoCoMo's release: counts, questions per lag bucket of the test split, and every problem found."""
    from lmem import score
    from lmem.data import locomo

    conversations = locomo.load(path, evidence)
    found = conversations.report.as_dict()
    if set(locomo.PAPER_TEST) <= {c.id for c in conversations}:
        lags = [q.lag for c in locomo.paper_split(conversations)[1] for q in c.questions]
        curve = score.forgetting_curve(lags, [0.0] * len(lags))
        found["test_split"] = {
            "questions": len(lags),
            "lag_buckets": curve["n"],
            "without_lag": curve["without_lag"],
        }
    if not as_json:  # the table lists what is rare; `kinds` counts all
        found["problems"] = {
            f"{p.conversation} {p.question or ''}": f"{p.kind}, {p.came}: {p.done}"
            for p in conversations.report.problems
            if p.kind != "no answer"
        }
    show(found, as_json, f"LoCoMo, evidence={evidence}")


@data.command("tinyworld")
def data_tinyworld(
    out: Annotated[Path, typer.Option(help="File to write, in LoCoMo's form.")],
    conversations: int = 10,
    turns: int = 60,
    facts: Annotated[float, typer.Option(help="Share of turns that tell a fact.")] = 0.35,
    overwritten: float = 0.15,
    pool: Annotated[
        str, typer.Option(help='"train": nothing held out; "all": everything.')
    ] = "all",
    seed: Seed = 0,
    as_json: Json = False,
):
    """Generate conversations with exact evidence, and their counterfactual twins."""
    from lmem import results
    from lmem.data import locomo, tinyworld

    world = tinyworld.World(turns=turns, facts=facts, overwritten=overwritten, pool=pool)
    samples = tinyworld.samples(conversations, seed, world)
    results.save(samples, out)
    show({"file": str(out), **locomo.parse(samples).report.as_dict()}, as_json, "tinyworld")


# ---- making ----------------------------------------------------------------------------------------


@app.command()
def pretrain(
    out: Annotated[
        Path, typer.Option(help="Folder to write: weights, tokenizer, configuration, card.")
    ],
    steps: Annotated[int | None, typer.Option(help="Default: those of the shipped model.")] = None,
    seed: Seed = 0,
    fuse: Annotated[
        bool, typer.Option("--compile", help="Twice as fast; needs a C++ compiler.")
    ] = False,
    as_json: Json = False,
):
    """Make the nano backbone from nothing: half an hour on 2 cores with --compile, else an hour."""
    from lmem import pretrain as making
    from lmem.config import PretrainConfig

    expect_folder(out)
    asked = {"seed": seed, "compile": fuse} | ({} if steps is None else {"steps": steps})
    config = PretrainConfig(**asked)
    show(making.pretrain(out, config), as_json, "nano")


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder for the adapter.")],
    method: str = "recent",
    scale: float = 1,
    backbone: BackboneName = "nano",
    data: DataName = "tinyworld",
    conversations: Annotated[
        int, typer.Option(help="Training conversations, if generated.")
    ] = 1600,
    turns: Annotated[
        int, typer.Option(help="Turns of a training conversation, if generated.")
    ] = 12,
    preset: Annotated[
        str, typer.Option(help='"lmem", or "paper" for the paper\'s own settings.')
    ] = "lmem",
    steps: int | None = None,
    batch: int | None = None,
    lr: float | None = None,
    cuts: Annotated[
        int | None, typer.Option(help="Ask at so many random points of a conversation too.")
    ] = None,
    validation: Annotated[
        int, typer.Option(help="Conversations apart, to keep the best weights by.")
    ] = 0,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many checks without a better one.")
    ] = None,
    constant: Annotated[
        bool, typer.Option("--constant", help="A control: one bank that knows nothing, for all.")
    ] = False,
    write: Annotated[list[str] | None, typer.Option(help="Option of the write: gamma=0.99")] = None,
    read: Annotated[list[str] | None, typer.Option(help="Option of the read: heads=4")] = None,
    seed: Seed = 42,
    as_json: Json = False,
):
    """Train an adapter on a frozen backbone (Type 1). A run that was cut off goes on where it was."""
    from lmem import checkpoint, results, runs
    from lmem.backbone import load_backbone
    from lmem.config import TrainConfig
    from lmem.model import MemoryModel
    from lmem.train import main_process
    from lmem.train import train as fit

    expect_folder(out)
    if preset not in ("lmem", "paper"):
        raise InputError(f'preset must be "lmem" or "paper", not {preset!r}')
    given = {"steps": steps, "batch": batch, "lr": lr, "cuts": cuts, "patience": patience}
    given = {name: value for name, value in given.items() if value is not None}
    given |= {"seed": seed, "constant": constant}
    if steps is not None:
        given["epochs"] = None
    config = TrainConfig.paper(**given) if preset == "paper" else TrainConfig(**given)
    model = MemoryModel(load_backbone(backbone), method, scale, seed, pairs(write), pairs(read))
    drawn, held = runs.for_training(data, conversations, turns, seed, validation)
    report = fit(model, drawn, config, validation=held, folder=out / "run")
    losses, seconds = report.pop("losses"), report.pop("seconds")
    about = {"method": model.method.name, "rows": model.rows, "backbone": backbone, "data": data}
    about |= {
        "options": model.options,
        "settings": config.difference(),
        **report,
        "provenance": results.provenance(seed, seconds),
    }
    if not main_process():
        return
    model.save_pretrained(out)
    results.save({**about, "losses": [round(x, 4) for x in losses]}, out / "training.json")
    (out / "run" / checkpoint.FILE).unlink()  # whole: nothing is left to go on with
    show({"adapter": str(out), **about}, as_json, "lmem train")


def pairs(options):
    """["gamma=0.99", "normalise=true"] as {"gamma": 0.99, "normalise": True}."""
    found = {}
    for option in options or ():
        name, equals, value = option.partition("=")
        if not equals:
            raise InputError(f"expected an option as name=value, not {option!r}")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


@app.command()
def evaluate(
    adapter: Annotated[
        str | None, typer.Option(help="Folder of an adapter; default: the shipped one.")
    ] = None,
    data: DataName = "tinyworld",
    backbone: Annotated[str | None, typer.Option(help="Default: the adapter's.")] = None,
    conversations: Annotated[int, typer.Option(help="Test conversations, if generated.")] = 40,
    turns: Annotated[int, typer.Option(help="Turns of a test conversation, if generated.")] = 60,
    controls: Annotated[
        str, typer.Option(help='"light", "all", or conditions with commas between.')
    ] = "light",
    constant: Annotated[
        Path | None, typer.Option(help="Folder of an adapter from lmem train --constant.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="Tokens of an input that holds turns as text; default 384.")
    ] = None,
    knowledge: Annotated[
        bool, typer.Option("--knowledge", help="Ask after every session too.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Result file to write.")] = None,
    seed: Seed = 7,
    as_json: Json = False,
):
    """The forgetting curve of an adapter, with the right bank, wrong banks, and no bank."""
    from lmem import results, runs
    from lmem.backbone import load_backbone
    from lmem.config import EvalConfig
    from lmem.evaluate import evaluate as measure
    from lmem.model import MemoryModel

    given = {} if budget is None else {"budget": budget}
    config = EvalConfig(seed=seed, knowledge=knowledge, **given)
    loaded = load_backbone(backbone) if backbone else None
    model = MemoryModel.from_pretrained(adapter, loaded) if adapter else MemoryModel.from_shipped()
    beside = runs.trained_constant(constant, model.backbone) if constant else None
    tests = runs.for_testing(data, conversations, turns, seed)
    result = measure(model, tests, config, controls, beside)
    result |= {"data": runs.label(data, turns), **runs.vocabulary(model.backbone, tests)}
    if out:
        results.save(result, out)
    result.pop("questions")
    if as_json:
        return show(result, as_json, "lmem evaluate")
    brief(result["summary"], f"{result['method']}, {result['rows']} rows")


@app.command()
def table(
    files: Annotated[list[str], typer.Argument(help="Result files, or names of shipped ones.")],
    as_json: Json = False,
):
    """One line per result file: exact match, memory score with its interval, smallest detectable difference, bits."""
    from lmem import tables

    lines = tables.table(files)
    if as_json:
        return show({"results": lines}, as_json, "lmem table")
    listing(
        tables.printed_table(lines),
        "exact match, percent; MDD, smallest detectable difference; bits over no bank",
    )


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="Result file, or name of a shipped one.")],
    second: Annotated[str, typer.Argument(help="The one that is taken off.")],
    as_json: Json = False,
):
    """Two results on the same questions: the difference, its interval, and the p of a permutation test."""
    from lmem import tables

    found = tables.compare(first, second)
    if as_json:
        return show(found, as_json, "lmem compare")
    listing(tables.printed_comparison(found), f"{found['n']} questions, percent; bits in bits")


@app.command()
def sweep(
    out: Annotated[
        Path, typer.Option(help="Folder for the result files; what is there is skipped.")
    ],
    methods: Annotated[
        str, typer.Option(help="Names with commas between.")
    ] = "m0,m1,m2,m3,m4,m5,m6",
    scales: Annotated[str, typer.Option(help="1 is 64 rows: 0.25,1,10")] = "1",
    seeds: Annotated[
        str, typer.Option(help="Each draws maps, start and training conversations.")
    ] = "0,1,2",
    write: Annotated[
        list[str] | None,
        typer.Option(help="Options of the write, one variant each: gamma=0.99,noise=0"),
    ] = None,
    read: Annotated[list[str] | None, typer.Option(help="Options of the read, likewise.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="A setting that all share: steps=2000")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Runs side by side.")] = 1,
    as_json: Json = False,
):
    """Methods x scales x options x seeds: train and evaluate each, one result file each."""
    from lmem import sweep as sweeping
    from lmem.config import SweepConfig

    cells = sweeping.cells(
        methods.split(","),
        [number(scale, float) for scale in scales.split(",")],
        [number(seed, int) for seed in seeds.split(",")],
        [pairs(one.split(",")) for one in write or ()] or [{}],
        [pairs(one.split(",")) for one in read or ()] or [{}],
    )
    report = sweeping.sweep(cells, out, SweepConfig.from_dict(pairs(setting)), jobs)
    show(report, as_json, "lmem sweep")
    if report["failed"]:
        raise typer.Exit(1)


def number(text, kind):
    """Text as a number of this kind, or one clear sentence."""
    try:
        return kind(text)
    except ValueError as error:
        raise InputError(f"expected a number, not {text!r}") from error


@app.command("null-rows")
def null_rows(
    rows: Annotated[
        str, typer.Option(help="Numbers of zero rows, with commas between.")
    ] = "0,64,384,640",
    backbone: BackboneName = "nano",
    data: DataName = "tinyworld",
    conversations: Annotated[int, typer.Option(help="Test conversations, if generated.")] = 40,
    turns: Annotated[int, typer.Option(help="Turns of a test conversation, if generated.")] = 60,
    out: Annotated[Path | None, typer.Option(help="Result file to write.")] = None,
    seed: Seed = 7,
    as_json: Json = False,
):
    """What the paper's "bank forced to zero" costs a backbone beside which nothing was trained."""
    from lmem import results, runs
    from lmem.backbone import load_backbone
    from lmem.null_rows import null_rows as measure

    tests = runs.for_testing(data, conversations, turns, seed)
    result = measure(load_backbone(backbone), tests, [number(n, int) for n in rows.split(",")])
    result |= {"data": runs.label(data, turns)}
    if out:
        results.save(result, out)
    if not as_json:
        result = {
            f"{n} rows": {name: found[name]["cost"] | {"em": found[name]["em"]} for name in found}
            for n, found in result["by_rows"].items()
        }
    show(result, as_json, "null rows: exact match, and what they cost")


@app.command()
def chat(
    adapter: Annotated[
        str | None, typer.Option(help="Folder of an adapter; default: the shipped one.")
    ] = None,
    bank: Annotated[Path | None, typer.Option(help="A saved bank to go on with.")] = None,
    name: Annotated[str, typer.Option(help="Who you are.")] = "Ana",
):
    """Talk to it; what you say is written, what you ask (?) is answered from the bank. /save, /load, /new, /quit."""
    from lmem import talk
    from lmem.model import MemoryModel

    model = MemoryModel.from_pretrained(adapter) if adapter else MemoryModel.from_shipped()
    talk.chat(model, bank, name)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for adapter and result.")] = Path("_build/demo"),
    steps: int = 120,
    as_json: Json = False,
):
    """A short run of everything: train `recent` on tinyworld, evaluate it, write adapter and result file."""
    from lmem import runs

    found = runs.demo(out, steps)
    if as_json:
        return show(found, as_json, "lmem demo")
    brief(found.pop("summary"), "lmem demo")
    show(found, as_json, None)


Out = Annotated[Path | None, typer.Option(help="Result file to write.")]
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


@bench.command("encode")
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
    from lmem import runs
    from lmem.backbone import load_backbone
    from lmem.bench.encode import bench_encode as measure

    texts = [text for c in runs.for_testing(data, 40, 60, 0, everything=True) for text in c.texts()]
    found = measure(load_backbone(backbone), texts[: max(0, turns)], plain_turns, repeats)
    benched({"data": runs.label(data, 60), **found}, out, as_json, "lmem bench encode")


@bench.command("train")
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
    from lmem import runs
    from lmem.bench.train import bench_train as measure

    if data == "tinyworld":
        drawn = runs.for_testing(data, conversations, length, seed)
    else:
        drawn = runs.for_training(data, conversations, length, seed)[0]
    found = measure(
        bench_backbone(backbone, shape, drawn, seed), drawn, method, scale, epochs, turns,
        plain_turns, questions, steps, repeats, seed,
    )  # fmt: skip
    benched({"data": runs.label(data, length), **found}, out, as_json, "lmem bench train")


@bench.command("eval")
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
    from lmem import runs
    from lmem.bench.evaluate import bench_eval as measure

    drawn = runs.for_testing(data, conversations, length, seed)
    found = measure(
        bench_backbone(backbone, shape, drawn, seed), drawn, method, scale, turns, plain_turns,
        questions, asked, max_new_tokens, repeats, seed,
    )  # fmt: skip
    benched({"data": runs.label(data, length), **found}, out, as_json, "lmem bench eval")


@bench.command("write")
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
    from lmem import runs
    from lmem.backbone import load_backbone
    from lmem.bench import write as bench

    [conversation] = runs.for_testing("tinyworld", 1, min(max(turns, 10), 2000), seed)
    found = bench.bench_write(
        load_backbone(backbone), conversation.texts(), writes.split(",") if writes else None,
        [n for n in bench.TURNS if n < turns] + [turns], [n for n in bench.ROWS if n < rows] + [rows],
        repeats, seed,
    )  # fmt: skip
    benched(found, out, as_json, "lmem bench write")


def bench_backbone(backbone, shape, conversations, seed):
    """A loaded backbone, or one of a published size with random weights."""
    from lmem.backbone import load_backbone
    from lmem.bench.shape import random_backbone

    if shape is None:
        return load_backbone(backbone)
    return random_backbone(shape, [text for c in conversations for text in c.texts()], seed)


def benched(found, out, as_json, title):
    """Write the result file, print all of it as JSON, or what matters of it as tables."""
    from lmem import results

    if out:
        results.save(found, out)
    if as_json:
        return show(found, as_json, title)
    tables = {name: found.pop(name) for name in ("by_turns", "by_rows") if name in found}
    for name in ("counts", "unit_seconds", "gflop", "provenance"):
        found.pop(name, None)
    show(found, as_json, title)
    for name, rows in tables.items():
        table = Table(*rows[0], title=name)
        for row in rows:
            table.add_row(*(text for _, text in flat(row)))
        Console().print(table)
