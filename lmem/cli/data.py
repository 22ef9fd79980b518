"""Verbs of `lmem data`: read LoCoMo's release, or generate a file in its form."""

from pathlib import Path
from typing import Annotated

import typer

from lmem.cli.options import Json, Seed
from lmem.cli.printing import show
from lmem.utils.files import expect_file

verbs = typer.Typer(
    no_args_is_help=True, help="Conversations: LoCoMo's release, or tinyworld's generator."
)


@verbs.command("locomo")
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
    from lmem.data import locomo, splits
    from lmem.metrics import forgetting

    conversations = locomo.load(path, evidence)
    found = conversations.report.as_dict()
    if set(splits.PAPER_TEST) <= {c.id for c in conversations}:
        lags = [q.lag for c in splits.paper_split(conversations)[1] for q in c.questions]
        curve = forgetting.forgetting_curve(lags, [0.0] * len(lags))
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


@verbs.command("tinyworld")
def data_tinyworld(
    out: Annotated[
        Path, typer.Option(help="File to write, in LoCoMo's form.", callback=expect_file)
    ],
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
    from lmem.data import locomo, tinyworld
    from lmem.evaluation import results

    world = tinyworld.World(turns=turns, facts=facts, overwritten=overwritten, pool=pool)
    samples = tinyworld.samples(conversations, seed, world)
    results.save(samples, out)
    show({"file": str(out), **locomo.parse(samples).report.as_dict()}, as_json, "tinyworld")
