"""`lmem` on the command line. Every verb that prints results also takes --json; errors are one sentence and exit code 2."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
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


def flat(value, name=""):
    """(dotted name, text) for every leaf; a mean with its interval is one leaf."""
    if isinstance(value, dict) and {"mean", "low", "high"} <= set(value):
        n = f", n = {value['n']}" if "n" in value else ""
        ends = [value["low"], value["high"]]
        interval = (
            "no interval, one conversation" if None in ends else f"{ends[0]:.3f}, {ends[1]:.3f}"
        )
        yield name, f"{value['mean']:.3f}  [{interval}]{n}"
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
    given = {name: value for name, value in given.items() if value is not None} | {"seed": seed}
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

    loaded = load_backbone(backbone) if backbone else None
    model = MemoryModel.from_pretrained(adapter, loaded) if adapter else MemoryModel.from_shipped()
    tests = runs.for_testing(data, conversations, turns, seed)
    result = measure(model, tests, EvalConfig(seed=seed))
    result |= {"data": runs.label(data, turns), **runs.vocabulary(model.backbone, tests)}
    if out:
        results.save(result, out)
    result.pop("questions")
    show(result, as_json, "lmem evaluate")


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

    show(runs.demo(out, steps), as_json, "lmem demo")


@bench.command("encode")
def bench_encode(
    backbone: BackboneName = "nano",
    data: DataName = "locomo",
    turns: Annotated[int, typer.Option(help="Turns to encode, at most.")] = 6000,
    plain_turns: Annotated[
        int, typer.Option(help="Turns of the plain way; its time is per turn.")
    ] = 200,
    as_json: Json = False,
):
    """Turns per second: batched by length, against one by one with 384 tokens of padding."""
    from lmem import runs
    from lmem.backbone import load_backbone
    from lmem.bench.encode import bench_encode as measure

    texts = [text for c in runs.for_testing(data, 40, 60, 0, everything=True) for text in c.texts()]
    show(
        measure(load_backbone(backbone), texts[: max(0, turns)], plain_turns),
        as_json,
        "lmem bench encode",
    )
