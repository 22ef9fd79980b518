"""Verbs for the published size: what a run will take, and the whole experiment."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lmem.cli.options import Json, Out, ProfileName, Seed, given, opt
from lmem.cli.printing import dump, listing, show
from lmem.errors import InputError

verbs = typer.Typer()

PLANNED = ("backbone", "profile", "fits", "total, GiB", "of, GiB", "training, minutes")
PLANNED += ("one adapter, minutes",)


@verbs.command()
def plan(
    backbone: Annotated[
        str, opt("A published size, nano, or a folder; no weights are needed.")
    ] = "google/flan-t5-xl",
    profile: ProfileName = None,
    data: Annotated[
        str, opt('"locomo", by its counts, or a file in its form, by its words.')
    ] = "locomo",
    method: str = "m3",
    scale: float = 1,
    dtype: Annotated[str | None, opt("Over the profile's: bfloat16.")] = None,
    memory: Annotated[float | None, opt("GiB, over the profile's.")] = None,
    batch: Annotated[int | None, opt("Questions that are processed together.")] = None,
    every: Annotated[
        bool, opt("Every published size on every card, in some minutes.", "--all")
    ] = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Memory by part, time by phase, and whether it fits: from the configuration alone."""
    from lmem.data import splits
    from lmem.evaluation import results
    from lmem.experiments.planning import plan as planning
    from lmem.experiments.planning.machine import MachineProfile, this_machine
    from lmem.experiments.planning.workload import workload_of_data
    from lmem.utils import provenance

    begun = time.perf_counter()
    changes = given(dtype=dtype, memory=memory, batch=batch)
    workload = workload_of_data(data)
    if every:
        if changes or profile:
            raise InputError("--all takes every profile as it is: expected no setting of one")
        result = planning.grid(workload=workload, method=method, scale=scale)
    else:
        machine = MachineProfile.of(profile or this_machine(), **changes)
        result = planning.plan(backbone, machine, workload, method, scale)
    if out:
        taken = provenance.provenance(None, {"planning": time.perf_counter() - begun})
        results.save({**splits.source(data, 0), **result, "provenance": taken}, out)
    if as_json:
        return dump(result)
    if every:
        from lmem.viz.plans import plan_rows

        rows = [{name: row[name] for name in PLANNED} for row in plan_rows(result)]
        return listing(rows, f"lmem plan --all: {result['method']}, {result['rows']} rows")
    notes = result.pop("notes")
    show(result, False, "lmem plan")
    for note in notes:
        Console().print(f"{note}.", soft_wrap=True, highlight=False)


@verbs.command()
def reproduce(
    out: Annotated[Path, opt("Folder; what is there is skipped.")],
    backbone: Annotated[str, opt("An id on the hub, or a folder.")] = "google/flan-t5-xl",
    data: Annotated[str, opt('"locomo", or a file in its form.')] = "locomo",
    profile: ProfileName = None,
    short: Annotated[
        bool, opt("A check of the path: its figures mean nothing.", "--short")
    ] = False,
    part: Annotated[str | None, opt("I/N: of all cells only every N-th, from the I-th.")] = None,
    controls: Annotated[str, opt("Conditions, as in lmem evaluate.")] = "all",
    constant: Annotated[
        bool | None, opt("Train the trained constant in addition to each adapter.")
    ] = None,
    steps: Annotated[int | None, opt("Instead of 10 epochs.")] = None,
    turns: Annotated[int | None, opt("Of each conversation, at most.")] = None,
    questions: Annotated[int | None, opt("Of each conversation, at most.")] = None,
    seed: Seed = 42,
    as_json: Json = False,
) -> None:
    """m1 to m6 and what was run instead, at 1x and 10x, and the paper's tables 2 to 5 next to ours."""
    from lmem.experiments.planning.machine import this_machine
    from lmem.experiments.reproduce import ReproduceConfig
    from lmem.experiments.reproduce import reproduce as run

    make = ReproduceConfig.short if short else ReproduceConfig
    settings = given(steps=steps, turns=turns, questions=questions, constant=constant)
    settings |= {"backbone": backbone, "data": data, "controls": controls, "seed": seed}
    report = run(make(profile=profile or this_machine(), **settings), out, part)
    if as_json:
        return dump(report)
    Console().print((out / "tables.md").read_text(encoding="utf-8"), soft_wrap=True, markup=False)
    show({k: report[k] for k in ("done", "skipped", "failed", "seconds")}, False, "lmem reproduce")
