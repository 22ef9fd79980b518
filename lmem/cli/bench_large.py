"""More verbs of `lmem bench`: a plan against measurement, many rows, a GPU."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lmem.cli.bench import BenchData, Conversations, Length, Repeats, Shape, bench_backbone, benched
from lmem.cli.options import Adapter, BackboneName, Json, Out, Seed, numbers

verbs = typer.Typer()

DRY = "A dry run, on the CPU: it shows that the way is free. It says nothing of a GPU, and on a GPU this has not been run."


@verbs.command("plan")
def bench_plan(
    backbone: BackboneName = "nano",
    shape: Shape = None,
    data: BenchData = "tinyworld",
    conversations: Conversations = 4,
    length: Length = 60,
    method: str = "m3",
    scale: float = 1,
    batch: Annotated[int, typer.Option(help="Questions side by side.")] = 16,
    repeats: Repeats = 3,
    out: Out = None,
    seed: Seed = 0,
    as_json: Json = False,
):
    """What `lmem plan` says of memory and time, against what a run takes here."""
    from lmem.bench.plan import bench_plan as measure
    from lmem.data import splits

    drawn = splits.for_testing(data, conversations, length, seed)
    loaded = bench_backbone(backbone, shape, drawn, seed)
    found = measure(loaded, drawn, method, scale, batch, repeats, seed)
    tables = {"by_phase": found.pop("phases")}
    found = {"data": splits.label(data, length), **found, **tables}
    benched(found, out, as_json, "lmem bench plan")


@verbs.command("rows")
def bench_rows(
    adapter: Adapter = None,
    conversations: Annotated[
        int, typer.Option(help="So many are told, one after the other; a million rows take 1,250.")
    ] = 1250,
    length: Annotated[int, typer.Option(help="Turns of each.")] = 60,
    rows: Annotated[
        str | None, typer.Option(help="Sizes of the bank, with commas between.")
    ] = None,
    k: Annotated[int, typer.Option(help="Rows that a top-k read takes.")] = 32,
    probes: Annotated[int, typer.Option(help="Clusters that it looks into.")] = 16,
    questions: Annotated[int, typer.Option(help="About the newest conversation.")] = 24,
    repeats: Repeats = 3,
    work: Annotated[
        Path | None, typer.Option(help="Folder for rows and latents, mapped; default: in memory.")
    ] = None,
    out: Out = None,
    seed: Seed = 0,
    as_json: Json = False,
):
    """Latency, memory and answers by rows of the bank: exact, exact in chunks, the k best of an index. Sizes in --out stay."""
    from lmem.backbone.latent_cache import cached
    from lmem.bench import rows as bench
    from lmem.data import locomo, tinyworld
    from lmem.evaluation import results
    from lmem.memory.model import MemoryModel

    model = MemoryModel.from_pretrained(adapter) if adapter else MemoryModel.from_shipped()
    if work:
        model.__dict__["backbone"] = cached(model.backbone, work / "latents")
    world = tinyworld.World(turns=length, questions=max(questions, 1))
    order = reversed(
        range(conversations)
    )  # the newest is the same, however many are told before it
    drawn = [tinyworld.sample(f"rows {seed}", i, world, twin=False) for i in order]
    found = bench.bench_rows(
        model, locomo.parse(drawn), numbers(rows, int) if rows else bench.ROWS, k, probes,
        questions=questions, repeats=repeats, folder=work, seed=seed,
        before=results.load(out) if out and out.exists() else None,
    )  # fmt: skip
    benched({"data": f"tinyworld, {length} turns", **found}, out, as_json, "lmem bench rows")


@verbs.command("gpu")
def bench_gpu(
    sizes: Annotated[
        str, typer.Option(help="Published sizes, with commas between.")
    ] = "flan-t5-base,flan-t5-large,flan-t5-xl",
    profile: Annotated[
        str | None, typer.Option(help='"t4", "a100" or "h200"; default: by what is here.')
    ] = None,
    data: BenchData = "tinyworld",
    conversations: Conversations = 4,
    length: Length = 588,
    method: str = "m3",
    scale: float = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="The same on the CPU, at the smallest size.")
    ] = False,
    repeats: Repeats = 3,
    out: Out = None,
    seed: Seed = 0,
    as_json: Json = False,
):
    """Encode, write, train and answer at published sizes on one GPU, against the plain way; random weights."""
    from lmem.bench.gpu import bench_gpu as measure
    from lmem.data import splits
    from lmem.errors import InputError
    from lmem.experiments.planning import plan as planning
    from lmem.experiments.planning.profiles import Profile

    name = "cpu" if dry_run else profile or planning.here()
    if name == "cpu" and not dry_run:
        raise InputError("expected a GPU, found none; --dry-run goes through the same on the CPU")
    small = {"batch": 8} if dry_run else {}
    conversations, length = (2, 16) if dry_run else (conversations, length)
    drawn = splits.for_testing(data, conversations, length, seed)
    found = measure(
        drawn, ("flan-t5-small",) if dry_run else tuple(sizes.split(",")), Profile.of(name, **small),
        method, scale, batch=4 if dry_run else 16, plain_texts=2 if dry_run else 4,
        max_new_tokens=4 if dry_run else 32, repeats=repeats, seed=seed,
    )  # fmt: skip
    found = {"data": splits.label(data, length), "dry_run": dry_run, **found}
    benched(found, out, as_json, "lmem bench gpu")
    if dry_run and not as_json:
        Console().print(DRY, soft_wrap=True)
