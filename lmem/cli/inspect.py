"""Verbs that inspect: what is here and how well it reads, which methods there are, whether banks collapse."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lmem.cli.options import BackboneName, Out, OutFile, Seed, opt
from lmem.cli.printing import Report, command, listing
from lmem.errors import InputError

verbs = typer.Typer()


@command(verbs, saves=True)
def doctor(
    questions: int = 200,
    backbone: Annotated[
        str, opt("Another one: an id on the hub such as google/flan-t5-small, or a folder.")
    ] = "nano",
    out: Out = None,
) -> Report:
    """Versions, device, and how well nano reads here: with the evidence in its input, and without. Of another backbone: is it whole?"""
    import torch

    from lmem.backbone import reading
    from lmem.backbone.backbone import load_backbone
    from lmem.utils import provenance

    here = {"versions": provenance.versions(), "machine": provenance.machine()}
    if backbone != "nano" and not (Path(backbone) / "pretrain.json").is_file():
        return Report({**here, "backbone": _checked(backbone)}, "lmem doctor")
    nano = load_backbone(backbone, dtype=torch.float32)  # as the shipped one is everywhere
    with_evidence = reading.measure(nano, questions, evidence=True)
    without = reading.measure(nano, questions, evidence=False)
    full = out and {
        "backbone": "nano",
        "turns": reading.TURNS,
        "with_evidence": with_evidence,
        "without_evidence": without,
        "alike": reading.measure(nano, questions, alike=True),
        "fingerprint": nano.fingerprint,
        "versions": provenance.versions(),
    }
    scores = {
        "fingerprint": nano.fingerprint[:16],
        "with_evidence": with_evidence["em"],
        "without_evidence": without["em"],
        "best_guess": without["best_guess"],
        "questions": questions,
    }
    return Report({**here, "nano": scores}, "lmem doctor", saved=full)


def _checked(name: str, questions: int = 20) -> dict[str, Any]:
    """Load a backbone, look whether its head is its own, and read LoCoMo's first questions with their evidence if it is at hand.

    Raises:
        InputError: It cannot be loaded, or was loaded with the embeddings as its head although its configuration says otherwise.
    """
    from lmem.backbone.backbone import load_backbone
    from lmem.data import locomo_release
    from lmem.evaluation import reading_scores

    loaded = load_backbone(name)
    tied = loaded.head.weight is loaded.model.get_input_embeddings().weight
    if tied and not loaded.model.config.tie_word_embeddings:
        raise InputError(
            f"expected a head of its own in {name}, transformers loaded the embeddings as its head; install a newer transformers"
        )
    facts = {
        "name": name,
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "weights": sum(weight.numel() for weight in loaded.model.parameters()),
        "head": "the embeddings" if tied else "its own",
        "fingerprint": loaded.fingerprint[:16],
    }
    release = locomo_release.find()
    if release is None or not release.is_file():
        return facts | {"locomo": "not at hand; `lmem data locomo` downloads it"}
    scores = reading_scores.read(loaded, "locomo", questions)
    names = ("n", "em", "f1", "false_unknown")
    return facts | {"locomo, evidence in the input": {key: scores[key] for key in names}}


@command(verbs, saves=True)
def read(
    backbone: BackboneName = "nano",
    data: Annotated[
        str, opt('"tinyworld", "everyday", "locomo", or a file of probes.')
    ] = "everyday",
    questions: Annotated[int, opt("Questions to ask, at most.")] = 1000,
    turns: Annotated[int, opt("Turns in the input, if generated.")] = 6,
    evidence: Annotated[bool, opt("Whether the evidence is in the input.")] = True,
    seed: Annotated[str, opt("Name of the stream of generated questions.")] = "held out",
    adapter: Annotated[
        str | None, opt("Ask this memory about the probes, not the backbone; its own backbone.")
    ] = None,
    padding: Annotated[int, opt("Turns of other talk around a probe, for a memory.")] = 0,
    eight_bits: Annotated[
        bool, opt("Ask again with weights in 8 bits, as the live pages have them.")
    ] = False,
) -> Report:
    """How well a backbone reads text, by ability: extraction, multi-hop, temporal, update, abstention."""
    from lmem.backbone.backbone import load_backbone
    from lmem.evaluation import reading_scores
    from lmem.memory.model import MemoryModel
    from lmem.utils import provenance
    from lmem.viz.live.adapters import in_8_bits

    memory = MemoryModel.from_pretrained(adapter) if adapter else None
    reader = memory.backbone if memory else load_backbone(backbone)
    backbone = reader.name
    coarse = in_8_bits(load_backbone(backbone)) if eight_bits else None
    scores = reading_scores.read(
        reader, data, questions, turns, evidence, seed,
        rounded=coarse, memory=memory, padding=padding,
    )  # fmt: skip
    facts = {"backbone": backbone, "fingerprint": reader.fingerprint}
    saved = {**facts, "versions": provenance.versions(), **scores}
    return Report(scores, f"lmem read {backbone}", saved=saved)


@command(verbs)
def methods(
    shape: Annotated[
        str | None, opt("A published size, flan-t5-small to flan-t5-xxl, no weights.")
    ] = None,
    backbone: BackboneName = "nano",
    scale: Annotated[float, opt("1 is 64 rows, 10 is 640.")] = 1,
    grid: Annotated[bool, opt("Every write with every read that fits.")] = False,
) -> Report:
    """The methods there are: what is written and read where, and how many numbers of it learn."""
    from lmem.backbone.backbone import load_backbone
    from lmem.memory import methods as known

    model = known.shape(shape) if shape else load_backbone(backbone).model
    rows = known.table(model, scale, known.grid() if grid else known.METHODS)
    texts = [
        {
            "method": row["method"],
            "also": (row["aliases"] or ["-"])[0],
            "site": row["site"] or "-",
            "trainable": "-" if "refused" in row else f"{row['trainable']:,}",
            "bank": "-" if "refused" in row else f"{row['bank']:,}",
        }
        for row in rows
    ]

    def shown() -> None:
        listing(texts, f"{shape or backbone}, scale {scale:g}, frozen: {rows[0]['frozen']:,}")
        for row in rows:
            if "refused" in row:
                typer.echo(f"{row['method']} is refused: {row['refused']}")

    return Report({"methods": rows}, shown=shown)


@command(verbs, saves=True)
def collapse(
    out: OutFile,
    data: Annotated[str, opt('"locomo", or a file in its form.')] = "locomo",
    conversation: Annotated[
        str | None, opt("Its id; default: the first of the test split.")
    ] = None,
    backbone: BackboneName = "nano",
    seed: Seed = 0,
) -> Report:
    """Is a bank collapsing? Effective rank, distinct rows, norms along one conversation, for six banks."""
    from lmem.analysis import collapse as measured
    from lmem.backbone.backbone import load_backbone

    result = measured.measure(load_backbone(backbone), data, conversation, seed=seed)
    names = ("rank", "distinct", "cosine", "middle")
    banks = {
        bank: {name: seen[-1][name] for name in names}
        for bank, seen in measured.by_turn(result).items()
    }
    report = {"file": str(out), "turns": result["turns"], **banks}
    return Report(report, "lmem collapse", saved=result)
