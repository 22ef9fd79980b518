"""Verbs that evaluate: one adapter, a sweep, a ladder of ablations; and that compare results."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lmem.cli.options import (
    Adapter,
    BackboneName,
    DataName,
    Seed,
    Setting,
    Tests,
    TestTurns,
    decimals,
    given,
    integers,
    opt,
    pairs,
)
from lmem.cli.printing import Report, brief, command, listing
from lmem.errors import InputError
from lmem.evaluation import results

verbs = typer.Typer()


def _variants(texts: list[str] | None) -> list[dict[str, Any]]:
    """Read options such as gamma=0.99,noise=0, one variant for each text; without any the one that changes nothing."""
    return [pairs(text.split(",")) for text in texts or ()] or [{}]


Folder = Annotated[Path, opt("Folder for the result files; what is there is skipped.")]
Seeds = Annotated[str, opt("Each draws maps, start and training conversations.")]
Result = Annotated[str, typer.Argument(help="Result file, or name of a shipped one.")]


@command(verbs, saves=True)
def evaluate(
    adapter: Adapter = None,
    data: DataName = "tinyworld",
    backbone: Annotated[str | None, opt("Default: the adapter's.")] = None,
    conversations: Tests = 40,
    turns: TestTurns = 60,
    controls: Annotated[str, opt('"light", "all", or conditions with commas between.')] = "light",
    constant: Annotated[
        Path | None, opt("Folder of an adapter from lmem train --constant.")
    ] = None,
    budget: Annotated[
        int | None, opt("Tokens of an input that holds turns as text; default 384.")
    ] = None,
    knowledge: Annotated[bool, opt("Ask after every session too.", "--knowledge")] = False,
    confidence: Annotated[
        bool, opt("Keep how sure each answer is, for the risk-coverage curve.", "--confidence")
    ] = False,
    seed: Seed = 7,
) -> Report:
    """The forgetting curve of an adapter, with the right bank, wrong banks, and no bank."""
    from lmem.backbone import reading
    from lmem.backbone.backbone import load_backbone
    from lmem.data import splits
    from lmem.evaluation import tables
    from lmem.evaluation.abilities import by_ability, by_novelty
    from lmem.evaluation.evaluate import EvalConfig
    from lmem.evaluation.evaluate import evaluate as measure
    from lmem.evaluation.summary import headline
    from lmem.experiments import runner
    from lmem.memory.model import MemoryModel

    config = EvalConfig(
        seed=seed, knowledge=knowledge, confidence=confidence, **given(budget=budget)
    )
    loaded = load_backbone(backbone) if backbone else None
    model = (
        MemoryModel.from_pretrained(adapter, loaded)
        if adapter
        else MemoryModel.from_shipped("nano-recent")
    )
    control = runner.load_constant(constant, model.backbone) if constant else None
    tests = splits.for_testing(data, conversations, turns, seed)
    result: dict[str, Any] = {**measure(model, tests, config, controls, control)}
    result |= {**splits.source(data, turns), **reading.vocabulary(model.backbone, tests)}
    training = Path(adapter or "") / "training.json"
    if adapter and training.is_file():
        made = results.load(training)
        names = ("settings", "loss", "steps", "questions")
        result["training"] = {name: made[name] for name in names if name in made}
    summary = result["summary"]
    abilities = by_ability(result["questions"], list(summary["conditions"]))
    new = by_novelty(result["questions"]) if "right" in summary["conditions"] else {}

    def shown() -> None:
        brief(summary, f"{result['method']}, {result['rows']} rows")
        if texts := tables.ability_texts(abilities, headline(summary)[1]):
            listing(texts, "by ability: percent of the questions that are right")
        if len(new) > 1:
            listing(tables.novelty_texts(new), "simple questions by what training never had")

    report = {name: value for name, value in result.items() if name != "questions"}
    report |= {"abilities": abilities, "by_novelty": new}
    return Report(report, shown=shown, saved=result)


@command(verbs)
def sweep(
    out: Folder,
    methods: Annotated[str, opt("Names with commas between.")] = "m0,m1,m2,m3,m4,m5,m6",
    scales: Annotated[str, opt("1 is 64 rows: 0.25,1,10")] = "1",
    seeds: Seeds = "0,1,2",
    write: Annotated[
        list[str] | None, opt("Options of the write, one variant each: gamma=0.99,noise=0")
    ] = None,
    read: Annotated[list[str] | None, opt("Options of the read, likewise.")] = None,
    train: Annotated[list[str] | None, opt("Settings of the training, likewise: eps=1e-12")] = None,
    setting: Setting = None,
    jobs: Annotated[int, opt("Runs side by side.")] = 1,
) -> Report:
    """Methods x scales x options x seeds: train and evaluate each, one result file each."""
    from lmem.experiments.sweep import SweepConfig, make_cells, run_sweep

    names, config = methods.split(","), SweepConfig.from_dict(pairs(setting))
    options = (_variants(texts) for texts in (write, read, train))
    grid = (decimals(scales), integers(seeds), *options)
    report = run_sweep(make_cells(names, *grid), out, config, jobs)
    return Report(report, "lmem sweep", code=1 if report["failed"] else 0)


@command(verbs)
def ladder(
    out: Folder,
    rungs: Annotated[str, opt("Names with commas between; default: all.")] = "",
    scales: Annotated[str, opt("1 is 64 rows.")] = "1,10",
    seeds: Seeds = "0,1,2",
    setting: Setting = None,
) -> Report:
    """From the paper's methods to a memory that remembers, step by step (chapter 14)."""
    from lmem.experiments.ablation import AblationConfig, run_ablation

    config = AblationConfig.from_dict(pairs(setting))
    chosen = tuple(name for name in rungs.split(",") if name)
    report = run_ablation(out, decimals(scales), integers(seeds), chosen, config)
    return Report(report, "lmem ladder")


@command(verbs)
def repairs(
    out: Folder,
    names: Annotated[
        str,
        opt(
            "With commas between, such as m3_repaired or *-without-*; default: the repairs, and the methods as printed."
        ),
    ] = "",
    scales: Annotated[str, opt("1 is 64 rows.")] = "1,10",
    seeds: Seeds = "0",
    adapters: Annotated[
        Path | None, opt("Folder for the adapters, one folder for each that is trained.")
    ] = None,
    setting: Setting = None,
) -> Report:
    """The paper's methods, printed and repaired: what each remembers, on short conversations and on long ones."""
    from lmem.experiments.repairs import RepairConfig, run_repairs

    config = RepairConfig.from_dict(pairs(setting))
    chosen = tuple(name for name in names.split(",") if name)
    report = run_repairs(out, chosen, decimals(scales), integers(seeds), config, adapters=adapters)
    return Report(report, "lmem repairs")


@command(verbs)
def kept(
    out: Folder,
    methods: Annotated[str, opt("Names with commas between.")] = "m3,m4,m6",
    scales: Annotated[str, opt("1 is 64 rows.")] = "1,10",
    write: Annotated[
        list[str] | None, opt("Options of the write, one variant each: gamma=1.0,address=10")
    ] = None,
    setting: Setting = None,
) -> Report:
    """What a write keeps: how often a linear classifier reads a fact from the bank, by lag; no read is involved."""
    from lmem.analysis.kept_facts import KeptConfig
    from lmem.experiments.repairs import run_kept
    from lmem.experiments.sweep import make_cells

    cells = make_cells(methods.split(","), decimals(scales), (0,), _variants(write))
    return Report(run_kept(out, cells, KeptConfig.from_dict(pairs(setting))), "lmem kept")


@command(verbs)
def reads(
    out: Folder,
    names: Annotated[str, opt("Reads with commas between; default: all.")] = "",
    starts: Annotated[str, opt("printed, identity, copied; default: all that a read has.")] = "",
    setting: Setting = None,
) -> Report:
    """What a read can use: each is trained on banks that hold just the turn with the answer; no write is involved."""
    from lmem.experiments.read_use import ReadUseConfig, run_reads

    chosen, begin = (tuple(each for each in text.split(",") if each) for text in (names, starts))
    report = run_reads(out, chosen, begin, ReadUseConfig.from_dict(pairs(setting)))
    return Report(report, "lmem reads")


@command(verbs, saves=True)
def lost(
    adapter: Adapter = None,
    data: DataName = "tinyworld",
    scale: Annotated[float, opt("1 is 64 rows.")] = 10,
    conversations: Tests = 10,
    turns: TestTurns = 600,
    seed: Seed = 7,
) -> Report:
    """Where a keyed memory loses its answers: not kept, not found, or answered wrongly (chapter 14)."""
    from lmem.analysis.retrieval_errors import STAGES, error_stage, retrieval_ranks
    from lmem.data import splits
    from lmem.memory.model import MemoryModel
    from lmem.utils import provenance

    shipped = MemoryModel.from_shipped
    loaded = MemoryModel.from_pretrained(adapter) if adapter else shipped("nano-keyed")
    model = loaded.variant(scale)
    tests = splits.for_testing(data, conversations, turns, seed)
    rows = retrieval_ranks(model, tests)
    share = {name: sum(error_stage(row) == name for row in rows) / len(rows) for name in STAGES}
    saved = {
        "backbone": model.backbone.name,
        "adapter": Path(adapter or "nano-keyed").name,
        "method": model.method.name,
        "scale": scale,
        **splits.source(data, turns, tests),
        "test_seed": seed,
        "share": share,
        "questions": rows,
        "versions": provenance.versions(),
    }
    return Report({"questions": len(rows), **share}, f"lmem lost, {scale:g}x", saved=saved)


@command(verbs, "null-rows", saves=True)
def null_rows(
    rows: Annotated[str, opt("Numbers of zero rows, with commas between.")] = "0,64,384,640",
    backbone: BackboneName = "nano",
    data: DataName = "tinyworld",
    conversations: Tests = 40,
    turns: TestTurns = 60,
    seed: Seed = 7,
) -> Report:
    """What the paper's "bank forced to zero" costs a backbone without any trained adapter."""
    from lmem.backbone.backbone import load_backbone
    from lmem.data import splits
    from lmem.evaluation.null_rows import null_rows as measure

    tests = splits.for_testing(data, conversations, turns, seed)
    result = measure(load_backbone(backbone), tests, integers(rows))
    result |= splits.source(data, turns, tests)
    shown = {
        f"{n} rows": {name: each["cost"] | {"em": each["em"]} for name, each in sites.items()}
        for n, sites in result["by_rows"].items()
    }
    return Report(result, "null rows: exact match, and what they cost", shown)


@command(verbs)
def table(
    files: Annotated[list[str], typer.Argument(help="Result files, or names of shipped ones.")],
) -> Report:
    """One line per result file: exact match, memory score with its interval, smallest detectable difference, bits."""
    from lmem.evaluation import tables

    rows = tables.result_rows(files)
    units = "exact match, percent; MDD, smallest detectable difference; bits over no bank"
    return Report({"results": rows}, shown=lambda: listing(tables.result_texts(rows), units))


def _scored(path: Path) -> dict[str, Any]:
    """Load a result; refuse one without scores per question."""
    result = results.load(path)
    if not isinstance(result, dict) or not {"summary", "questions"} <= set(result):
        raise InputError(f"expected a result with scores per question in {path}, it has none")
    return result


@verbs.command()
def summarise(
    files: Annotated[
        list[Path], typer.Argument(help="Result files of lmem evaluate, sweep or ladder.")
    ],
) -> None:
    """Compute the summaries of result files again from their scores per question, and replace them."""
    from lmem.evaluation.summary import resummarise

    for path in files:
        result = _scored(path)
        results.save({**result, "summary": resummarise(result)}, path)
        typer.echo(f"summarised: {path}")


@verbs.command()
def publish(
    files: Annotated[list[Path], typer.Argument(help="Result files of LoCoMo.")],
    out: Annotated[Path, opt("Folder for the copies.")],
) -> None:
    """Copy result files without the texts of their answers, which may be text of LoCoMo; scores and figures stay."""
    from lmem.evaluation.abilities import by_ability

    for path in files:
        result = _scored(path)
        copy = results.without_answers(result)
        copy["abilities"] = by_ability(result["questions"], list(result["summary"]["conditions"]))
        backbone = Path(result["backbone"]).name
        target = out / f"{backbone}-{results.stem(path)}.json.gz"
        results.save(copy, target)
        typer.echo(f"published: {target}")


@command(verbs)
def compare(first: Result, second: Result) -> Report:
    """The first result minus the second, on the same questions: the interval, and the p of a permutation test."""
    from lmem.evaluation import tables

    comparison = tables.compare(first, second)
    title = f"{comparison['n']} questions, percent; bits in bits"
    return Report(comparison, shown=lambda: listing(tables.comparison_texts(comparison), title))
