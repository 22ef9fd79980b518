"""Verbs for the published size: what a run will take, and the whole experiment."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lmem.cli.options import Json, Out, Seed
from lmem.cli.printing import dump, listing, show
from lmem.errors import InputError

verbs = typer.Typer()

ProfileName = Annotated[
    str | None, typer.Option(help='"cpu", "t4", "a100" or "h200"; default: by what is here.')
]

PLANNED = ("backbone", "profile", "fits", "total, GiB", "of, GiB", "training, minutes", "one adapter, minutes")  # fmt: skip


@verbs.command()
def plan(
    backbone: Annotated[
        str, typer.Option(help="A published size, nano, or a folder; no weights are needed.")
    ] = "google/flan-t5-xl",
    profile: ProfileName = None,
    data: Annotated[
        str, typer.Option(help='"locomo", by its counts, or a file in its form, by its words.')
    ] = "locomo",
    method: str = "m3",
    scale: float = 1,
    dtype: Annotated[str | None, typer.Option(help="Over the profile's: bfloat16.")] = None,
    memory: Annotated[float | None, typer.Option(help="GiB, over the profile's.")] = None,
    batch: Annotated[int | None, typer.Option(help="Questions side by side.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every published size on every card, in some minutes.")
    ] = False,
    out: Out = None,
    as_json: Json = False,
):
    """Memory by part, time by phase, and whether it fits: from the configuration alone."""
    from lmem.evaluation import results
    from lmem.experiments.planning import plan as planning
    from lmem.experiments.planning.profiles import Profile
    from lmem.utils import provenance

    begun = time.perf_counter()
    given = {"dtype": dtype, "memory": memory, "batch": batch}
    given = {name: value for name, value in given.items() if value is not None}
    load = planning.load_of(data)
    if every:
        if given or profile:
            raise InputError("--all takes every profile as it is: expected no setting of one")
        found = planning.grid(load=load, method=method, scale=scale)
    else:
        chosen = Profile.of(profile or planning.here(), **given)
        found = planning.plan(backbone, chosen, load, method, scale)
    if out:
        taken = {"planning": time.perf_counter() - begun}
        results.save({"data": data, **found, "provenance": provenance.provenance(None, taken)}, out)
    if as_json:
        return dump(found)
    if every:
        from lmem.viz.plans import plan_rows

        rows = [{name: row[name] for name in PLANNED} for row in plan_rows(found)]
        return listing(rows, f"lmem plan --all: {found['method']}, {found['rows']} rows")
    notes = found.pop("notes")
    show(found, False, "lmem plan")
    for note in notes:
        Console().print(f"{note}.", soft_wrap=True, highlight=False)


@verbs.command()
def reproduce(
    out: Annotated[Path, typer.Option(help="Folder; what is there is skipped.")],
    backbone: Annotated[str, typer.Option(help="An id on the hub, or a folder.")] = (
        "google/flan-t5-xl"
    ),
    data: Annotated[str, typer.Option(help='"locomo", or a file in its form.')] = "locomo",
    profile: ProfileName = None,
    short: Annotated[
        bool, typer.Option("--short", help="A check of the path: its figures mean nothing.")
    ] = False,
    part: Annotated[
        str | None, typer.Option(help="I/N: of all cells only every N-th, from the I-th.")
    ] = None,
    controls: Annotated[str, typer.Option(help="Conditions, as in lmem evaluate.")] = "all",
    constant: Annotated[
        bool | None, typer.Option(help="Train the trained constant beside each adapter.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Instead of 10 epochs.")] = None,
    turns: Annotated[int | None, typer.Option(help="Of each conversation, at most.")] = None,
    questions: Annotated[int | None, typer.Option(help="Of each conversation, at most.")] = None,
    seed: Seed = 42,
    as_json: Json = False,
):
    """m1 to m6 and what was run instead, at 1x and 10x, and the paper's tables 2 to 5 beside ours."""
    from lmem.experiments.planning import plan as planning
    from lmem.experiments.reproduce import ReproduceConfig
    from lmem.experiments.reproduce import reproduce as run

    given = {"steps": steps, "turns": turns, "questions": questions, "constant": constant}
    given = {name: value for name, value in given.items() if value is not None}
    make = ReproduceConfig.short if short else ReproduceConfig
    config = make(
        backbone=backbone, data=data, profile=profile or planning.here(), controls=controls,
        seed=seed, **given,
    )  # fmt: skip
    report = run(config, out, part)
    if as_json:
        return dump(report)
    Console().print((out / "tables.md").read_text(encoding="utf-8"), soft_wrap=True, markup=False)
    show({k: report[k] for k in ("done", "skipped", "seconds")}, False, "lmem reproduce")
