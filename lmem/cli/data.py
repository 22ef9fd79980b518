"""Verbs of `lmem data`: read LoCoMo's release or an export of one's own, or generate a file in the same form."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lmem.cli.options import OutFile, Seed, opt
from lmem.cli.printing import Report, command

verbs = typer.Typer(
    no_args_is_help=True,
    help="Conversations: your own, LoCoMo's release, or the generators tinyworld and everyday.",
)

SHOWN = 12  # speakers of a group that are listed


@command(verbs, "locomo")
def data_locomo(
    path: Annotated[Path | None, opt("The release file; default: cache, else download.")] = None,
    evidence: Annotated[str, opt('"all" (ours) or "first" (the paper\'s rule).')] = "all",
) -> Report:
    """Read LoCoMo's release: counts, questions per lag bucket of the test split, and every problem found."""
    from lmem.data import locomo, splits
    from lmem.metrics import forgetting

    conversations = locomo.load(path, evidence)
    counts = conversations.report.as_dict()
    if set(splits.PAPER_TEST) <= {c.id for c in conversations}:
        lags = [q.lag for c in splits.paper_split(conversations)[1] for q in c.questions]
        curve = forgetting.forgetting_curve(lags, [0.0] * len(lags))
        counts["test_split"] = {
            "questions": len(lags),
            "lag_buckets": curve["n"],
            "without_lag": curve["without_lag"],
        }
    rare = {  # the table lists these; `kinds` counts all
        f"{p.conversation} {p.question or ''}": f"{p.kind}, {p.came}: {p.done}"
        for p in conversations.report.problems
        if p.kind != "no answer"
    }
    return Report(counts, f"LoCoMo, evidence={evidence}", {**counts, "problems": rare})


@command(verbs, "import")
def data_import(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="The export; for Slack a folder too.")
    ],
    out: OutFile,
    form: Annotated[
        str, opt("auto, whatsapp, openai, sharegpt, longmemeval, slack, csv or locomo.", "--from")
    ] = "auto",
    dates: Annotated[
        str | None, opt("dmy, mdy or ymd: the order of numeric dates, if the file leaves it open.")
    ] = None,
    name: Annotated[str | None, opt('Your name, for exports that call you "user".')] = None,
) -> Report:
    """Read an export of your own conversations; nothing leaves this machine. The file that is written is private."""
    from lmem.data.importers import formats

    samples, report = formats.import_file(path, form, dates, name)
    formats.save_samples(samples, out)
    counts = {"file": str(out), **report.as_dict()}
    speakers = list(counts["speakers"].items())
    shown = counts | {"speakers": dict(speakers[:SHOWN])}
    if len(speakers) > SHOWN:
        shown["further_speakers"] = len(speakers) - SHOWN
    shown["dates"] = " to ".join(counts["dates"]) or "none"
    shown["notes"] = {str(i): note for i, note in enumerate(report.notes, 1)}
    return Report(counts, "lmem data import", shown)


@command(verbs, "tinyworld", saves=True)
def data_tinyworld(
    out: OutFile,
    conversations: int = 10,
    turns: int = 60,
    facts: Annotated[float, opt("Share of turns that tell a fact.")] = 0.35,
    overwritten: float = 0.15,
    pool: Annotated[str, opt('"train": nothing held out; "all": everything.')] = "all",
    seed: Seed = 0,
) -> Report:
    """Generate conversations with exact evidence, and their counterfactual twins."""
    from lmem.data import tinyworld

    world = tinyworld.World(turns=turns, facts=facts, overwritten=overwritten, pool=pool)
    return generated(tinyworld.samples(conversations, seed, world), out, "tinyworld")


@command(verbs, "everyday", saves=True)
def data_everyday(
    out: OutFile,
    conversations: int = 10,
    turns: int = 60,
    facts: Annotated[float, opt("Share of turns that state a fact.")] = 0.4,
    overwritten: float = 0.12,
    withdrawn: Annotated[float, opt("Share of facts that are taken back.")] = 0.04,
    distractors: Annotated[
        float, opt("Share of the other turns that mention a name or a value without a fact.")
    ] = 0.25,
    invented: Annotated[float, opt("Share of names and values that are invented.")] = 0.65,
    typos: Annotated[float, opt("Share of conversations with typing mistakes.")] = 0.4,
    pool: Annotated[str, opt('"train": nothing held out; "all": everything.')] = "all",
    seed: Seed = 0,
) -> Report:
    """Generate conversations in plain English, with exact evidence and counterfactual twins."""
    from lmem.data import everyday

    world = everyday.World(
        turns=turns,
        facts=facts,
        overwritten=overwritten,
        withdrawn=withdrawn,
        distractors=distractors,
        invented=invented,
        typos=typos,
        pool=pool,
    )
    return generated(everyday.samples(conversations, seed, world), out, "everyday")


def generated(samples: list[dict[str, Any]], out: Path, title: str) -> Report:
    """Report what a file in LoCoMo's form has."""
    from lmem.data import locomo

    counts = {"file": str(out), **locomo.parse(samples).report.as_dict()}
    return Report(counts, title, saved=samples)
