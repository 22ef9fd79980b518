"""Verbs for the published size: what a run will take, and the whole experiment."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from lmem.cli.options import Json, ProfileName, Seed, decimals, given, opt
from lmem.cli.printing import Report, command, listing, show
from lmem.errors import InputError

verbs = typer.Typer()

PLANNED = ("backbone", "profile", "fits", "total, GiB", "of, GiB", "training, minutes")
PLANNED += ("one adapter, minutes",)


@command(verbs, saves=True)
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
) -> Report:
    """Memory by part, time by phase, and whether it fits: from the configuration alone."""
    from lmem.data import splits
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
    taken = provenance.provenance(None, {"planning": time.perf_counter() - begun})

    def shown() -> None:
        if every:
            from lmem.viz.plans import plan_rows

            rows = [{name: row[name] for name in PLANNED} for row in plan_rows(result)]
            return listing(rows, f"lmem plan --all: {result['method']}, {result['rows']} rows")
        show({name: value for name, value in result.items() if name != "notes"}, "lmem plan")
        for note in result["notes"]:
            Console().print(f"{note}.", soft_wrap=True, highlight=False)

    saved = {**splits.source(data, 0), **result, "provenance": taken}
    return Report(result, shown=shown, saved=saved)


@command(verbs)
def reproduce(
    out: Annotated[Path, opt("Folder; what is there is skipped.")],
    backbone: Annotated[str, opt("An id on the hub, or a folder.")] = "google/flan-t5-xl",
    data: Annotated[str, opt('"locomo", or a file in its form.')] = "locomo",
    profile: ProfileName = None,
    short: Annotated[
        bool, opt("A check of the path: its figures mean nothing.", "--short")
    ] = False,
    part: Annotated[str | None, opt("I/N: of all cells only every N-th, from the I-th.")] = None,
    methods: Annotated[
        str | None, opt("Instead of all: names with commas between, and m3_repaired for a repair.")
    ] = None,
    scales: Annotated[str, opt("1 is 64 rows.")] = "1,10",
    controls: Annotated[str, opt("Conditions, as in lmem evaluate.")] = "all",
    constant: Annotated[
        bool | None, opt("Train the trained constant in addition to each adapter.")
    ] = None,
    knowledge: Annotated[bool | None, opt("At 1x, ask after every session too.")] = None,
    steps: Annotated[int | None, opt("Instead of 10 epochs.")] = None,
    turns: Annotated[int | None, opt("Of each conversation, at most.")] = None,
    questions: Annotated[int | None, opt("Of each conversation, at most.")] = None,
    conversations: Annotated[int | None, opt("If generated.")] = None,
    plan_only: Annotated[
        bool, opt("Print what would run and for how long, and stop.", "--plan")
    ] = False,
    report_only: Annotated[
        bool, opt("Write report.html from what is finished, and stop.", "--report")
    ] = False,
    seed: Seed = 42,
    as_json: Json = False,
) -> Report:
    """m1 to m6 and what was run instead, at 1x and 10x, and the paper's tables 2 to 5 next to ours."""
    from lmem.experiments.planning.machine import this_machine
    from lmem.experiments.reproduce import PRINTED, ReproduceConfig, Reproduction, make_cells
    from lmem.experiments.reproduce import reproduce as run

    if report_only:
        from lmem.viz.published_curves import write_report

        return Report({"file": str(write_report(out))}, "lmem reproduce --report")
    make = ReproduceConfig.short if short else ReproduceConfig
    settings = given(steps=steps, constant=constant, knowledge=knowledge)
    settings |= given(turns=turns, questions=questions, conversations=conversations)
    settings |= {"backbone": backbone, "data": data, "controls": controls, "seed": seed}
    config = make(profile=profile or this_machine(), **settings)
    names = methods.split(",") if methods else PRINTED
    cells = make_cells(config, names, decimals(scales))
    if plan_only:
        plans = Reproduction(config, out, cells, part).plan(progress=True)
        rows = [plan.row() | {"will not run": plan.reason} for plan in plans]
        return Report({"plan": rows}, shown=partial(tell, plans))
    report = run(config, out, part, before=(lambda plans: None) if as_json else tell, cells=cells)

    def shown() -> None:
        tables = (out / "tables.md").read_text(encoding="utf-8")
        Console().print(tables, soft_wrap=True, markup=False)
        names = ("done", "skipped", "failed", "seconds")
        show({name: report[name] for name in names}, "lmem reproduce")

    return Report(report, shown=shown)


def tell(plans: Sequence[Any]) -> None:
    """Print what will run, for how long, and what will not run."""
    if not plans:
        return typer.echo("Nothing is left to run.")
    if rows := [plan.row() for plan in plans if not plan.reason]:
        listing(rows, "lmem reproduce: what will run")
    for plan in plans:
        if plan.reason:
            typer.echo(f"{plan.cell.name} will not run: {plan.reason}")
    hours = sum(plan.seconds for plan in plans) / 3600
    typer.echo(
        f"About {hours:.1f} hours by the plan. Questions at once: of a training step, of an evaluation. The same command "
        "continues if it is interrupted.\n"
    )
