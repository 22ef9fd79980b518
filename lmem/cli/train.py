"""Verbs that train: the backbones nano and mini, an adapter."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lmem.cli.options import BackboneName, DataName, Seed, given, opt, pairs
from lmem.cli.printing import Report, command
from lmem.errors import InputError
from lmem.evaluation import results
from lmem.utils.files import expect_folder

verbs = typer.Typer()


@command(verbs)
def pretrain(
    out: Annotated[Path, opt("Folder to write: weights, tokenizer, configuration, card or log.")],
    model: Annotated[str, typer.Argument(help='"nano" or "mini".')] = "nano",
    steps: Annotated[int | None, opt("Of nano. Default: those of the shipped model.")] = None,
    minutes: Annotated[float | None, opt("Of mini: length of this leg. Default: 150.")] = None,
    start: Annotated[Path | None, opt("Of mini: checkpoint of the leg before this one.")] = None,
    device: Annotated[str | None, opt('Of mini: "cpu" or "cuda". Default: "cpu".')] = None,
    seed: Seed = 0,
    fuse: Annotated[bool, opt("Twice as fast; needs a C++ compiler.", "--compile")] = False,
) -> Report:
    """Make a backbone from nothing: nano takes half an hour on 2 cores with --compile, else an hour; mini takes hours.

    Mini is trained in legs. The same command continues a leg that was interrupted. The folder OUT/model is the
    checkpoint that the next leg starts from.
    """
    if model not in ("nano", "mini"):
        raise InputError(f'expected "nano" or "mini", not {model!r}')
    expect_folder(out)
    mini = given(minutes=minutes, device=device)
    if model == "mini":
        if steps is not None:
            raise InputError("expected --minutes: mini has no --steps")
        from lmem.backbone.mini import pretrain as legs
        from lmem.evaluation.mini_card import write_card

        config = legs.MiniConfig(seed=seed, compile=fuse, **mini)
        line = legs.pretrain(out, config, start, lambda text: typer.echo(text, err=True))
        write_card(out / "model")
        return Report({name: v for name, v in line.items() if name != "wrong"}, "mini")
    if mini or start:
        raise InputError("expected mini for --minutes, --start or --device: lmem pretrain mini")
    from lmem.backbone import pretrain as making

    config = making.PretrainConfig(seed=seed, compile=fuse, **given(steps=steps))
    return Report(making.pretrain(out, config), "nano")


@command(verbs)
def train(
    out: Annotated[Path, opt("Folder for the adapter.")],
    method: str = "recent",
    scale: float = 1,
    backbone: BackboneName = "nano",
    data: DataName = "tinyworld",
    conversations: Annotated[int, opt("Training conversations, if generated.")] = 1600,
    turns: Annotated[int, opt("Turns of a training conversation, if generated.")] = 12,
    preset: Annotated[str, opt('"lmem", or "paper" for the paper\'s own settings.')] = "lmem",
    steps: int | None = None,
    batch: int | None = None,
    lr: float | None = None,
    cuts: Annotated[int | None, opt("Ask at so many random points of a conversation too.")] = None,
    rehearse: Annotated[int, opt("Steps of rehearsal first, for a keyed write (chapter 14).")] = 0,
    validation: Annotated[
        int | None,
        opt(
            "Other conversations that choose the weights. [default: a fifth, at most 40; paper: 0]"
        ),
    ] = None,
    patience: Annotated[
        int | None, opt("Stop after so many checks without a better one; 0 never. [default: 3]")
    ] = None,
    constant: Annotated[
        bool, opt("A control: one bank without content, for all.", "--constant")
    ] = False,
    write: Annotated[list[str] | None, opt("Option of the write: gamma=0.99")] = None,
    read: Annotated[list[str] | None, opt("Option of the read: heads=4")] = None,
    seed: Seed = 42,
) -> Report | None:
    """Train an adapter on a frozen backbone (Type 1). An interrupted run continues where it stopped."""
    from lmem.backbone.backbone import load_backbone
    from lmem.data import splits
    from lmem.memory.model import MemoryModel
    from lmem.memory.write.spans import SpanWrite
    from lmem.training import checkpoint
    from lmem.training.evidence import RehearsalConfig, freeze_retrieval, train_with_evidence
    from lmem.training.fact_data import TURNS, fact_conversations, long_world
    from lmem.training.processes import is_main_process
    from lmem.training.spans import SpanConfig, calibrate, train_spans
    from lmem.training.train import TrainConfig
    from lmem.training.train import train as fit
    from lmem.utils import provenance

    expect_folder(out)
    if preset not in ("lmem", "paper"):
        raise InputError(f'preset must be "lmem" or "paper", not {preset!r}')
    changes = given(steps=steps, batch=batch, lr=lr, cuts=cuts, patience=patience)
    changes |= {"seed": seed, "constant": constant}
    if steps is not None:
        changes["epochs"] = None
    config = TrainConfig.paper(**changes) if preset == "paper" else TrainConfig(**changes)
    model = MemoryModel(load_backbone(backbone), method, scale, seed, pairs(write), pairs(read))
    if preset == "paper" and validation is None:
        validation = 0
    report: dict[str, Any] = {}
    drawn, held = [], []  # conversations whose digest is noted; generated facts have none
    if isinstance(model.write_rule, SpanWrite):
        if data != "everyday":
            raise InputError("expected --data everyday, which says where each fact begins")
        turns, config = TURNS, SpanConfig(seed=seed, **given(steps=steps, lr=lr))
        facts = fact_conversations(model.backbone, conversations, seed, open_relations=True)
        report = train_spans(model, facts, config)
        others = fact_conversations(
            model.backbone, validation or 40, f"validation {seed}", long_world
        )
        report["calibration"] = calibrate(model, others, config.abstain)
        report["seconds"] = {"train": report["seconds"]}
    else:
        drawn, held = splits.for_training(
            data, conversations, turns, seed, validation, bool(rehearse)
        )
        if rehearse:
            settings = RehearsalConfig(steps=rehearse, seed=seed)
            report["rehearsal"] = train_with_evidence(model, drawn, settings)
            freeze_retrieval(model)
        report |= fit(model, drawn, config, validation=held, folder=out / "run")
    losses, seconds = report.pop("losses"), report.pop("seconds")
    about = {
        "method": model.method.name,
        "rows": model.rows,
        "backbone": backbone,
        **splits.source(data, turns, [*drawn, *held]),
        "options": model.options,
        "settings": config.difference(),
        **report,
        "provenance": provenance.provenance(seed, seconds),
    }
    if not is_main_process():
        return None
    model.save_pretrained(out)
    results.save({**about, "losses": [round(x, 4) for x in losses]}, out / "training.json")
    (out / "run" / checkpoint.FILE).unlink(missing_ok=True)  # the run is complete
    return Report({"adapter": str(out), **about}, "lmem train")
