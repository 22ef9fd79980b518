"""The model card of mini: what it reads, by ability, what it leaves unanswered, and what it invents (chapter 1)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lmem.backbone.backbone import MINI, load_backbone
from lmem.evaluation.reading_scores import read
from lmem.evaluation.tables import percent
from lmem.utils.files import write_text

ERRORS = ("subject_errors", "relation_errors", "old")


def write_card(folder: str | Path, questions: int = 1000) -> None:
    """Measure a checkpoint of mini on held-out conversations, and write its model card, README.md.

    Args:
        folder: What a leg wrote: weights, tokenizer, pretrain.json.
        questions: How many questions to ask, with their evidence and without.
    """
    folder = Path(folder)
    facts = json.loads((folder / "pretrain.json").read_text())
    backbone = load_backbone(str(folder), dtype=torch.float32)
    found, blind = (read(backbone, "everyday", questions, evidence=with_it) for with_it in (True, False))  # fmt: skip
    legs = [f"{leg['minutes']:.0f} minutes, {leg['steps']:,} steps" for leg in facts["legs"]]
    abilities = {k: v for k, v in found["by_ability"].items() if k != "abstention"}
    machine = {name: facts["machine"][name] for name in ("threads", "processor", "device")}
    card = (MINI.parent / "mini_card.md").read_text(encoding="utf-8")
    card = card.format(
        **facts["config"] | machine,
        **{name: percent(facts[name]) for name in ERRORS},
        parameters=facts["parameters"],
        legs="; ".join(legs),
        asked=found["n"],
        em=percent(found["em"]),
        by_ability=_listed(abilities),
        by_group=_listed(found["by_group"]),
        abstention=percent(found["abstention"]),
        false_unknown=percent(found["false_unknown"]),
        validation=facts["n"],
        without=percent(blind["em"]),
    )
    write_text(folder / "README.md", card)


def _listed(scores: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{name} {percent(score['em']['mean'])}% of {score['n']}" for name, score in scores.items()
    )
