"""Verbs that make: the nano backbone, an adapter."""

from pathlib import Path
from typing import Annotated

import typer

from lmem.cli.options import BackboneName, DataName, Json, Seed, pairs
from lmem.cli.printing import show
from lmem.errors import InputError
from lmem.utils.files import expect_folder

verbs = typer.Typer()


@verbs.command()
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
    from lmem.backbone import pretrain as making
    from lmem.backbone.pretrain import PretrainConfig

    expect_folder(out)
    asked = {"seed": seed, "compile": fuse} | ({} if steps is None else {"steps": steps})
    config = PretrainConfig(**asked)
    show(making.pretrain(out, config), as_json, "nano")


@verbs.command()
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
    rehearse: Annotated[
        int, typer.Option(help="Steps of rehearsal first, for a keyed write (chapter 14).")
    ] = 0,
    validation: Annotated[
        int | None,
        typer.Option(
            help="Conversations apart, to keep the best weights by. [default: a fifth, at most 40; paper: none]"
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="Stop after so many checks without a better one; 0 never. [default: 3]"),
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
    from lmem.backbone.backbone import load_backbone
    from lmem.data import splits
    from lmem.evaluation import results
    from lmem.memory.model import MemoryModel
    from lmem.training import checkpoint
    from lmem.training.evidence import RehearsalConfig, freeze_retrieval, train_with_evidence
    from lmem.training.processes import is_main_process
    from lmem.training.train import TrainConfig
    from lmem.training.train import train as fit
    from lmem.utils import provenance

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
    if preset == "paper" and validation is None:
        validation = 0
    drawn, held = splits.for_training(data, conversations, turns, seed, validation, bool(rehearse))
    rehearsed = {}
    if rehearse:
        learned = train_with_evidence(model, drawn, RehearsalConfig(steps=rehearse, seed=seed))
        rehearsed = {"rehearsal": learned}
        freeze_retrieval(model)
    report = fit(model, drawn, config, validation=held, folder=out / "run")
    losses, seconds = report.pop("losses"), report.pop("seconds")
    about = {"method": model.method.name, "rows": model.rows, "backbone": backbone, "data": data}
    about |= {
        "options": model.options,
        "settings": config.difference(),
        **rehearsed,
        **report,
        "provenance": provenance.provenance(seed, seconds),
    }
    if not is_main_process():
        return
    model.save_pretrained(out)
    results.save({**about, "losses": [round(x, 4) for x in losses]}, out / "training.json")
    (out / "run" / checkpoint.FILE).unlink()  # whole: nothing is left to go on with
    show({"adapter": str(out), **about}, as_json, "lmem train")
