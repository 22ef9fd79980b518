"""The model card of mini: what it reads, by ability, what it leaves unanswered, and what it invents."""

import json
from pathlib import Path
from typing import Any

import torch

from lmem.backbone.backbone import MINI, load_backbone
from lmem.backbone.mini.measure import answers, measure, validation, without_evidence
from lmem.backbone.reading import HELD_OUT_SEED
from lmem.metrics import statistics
from lmem.metrics.answer_scores import exact_match
from lmem.utils.files import write_file


def write_card(folder: str | Path, questions: int = 1000) -> dict[str, Any]:
    """Measure a checkpoint of mini and write its model card, README.md.

    Args:
        folder: What a leg wrote: weights, tokenizer, pretrain.json.
        questions: How many questions to ask, with evidence and without.

    Returns:
        What `measure` returns, and: low, high (Wilson, 95%, of the questions with an answer), without (exact match
        with the evidence left out).
    """
    folder = Path(folder)
    facts = json.loads((folder / "pretrain.json").read_text())
    backbone = load_backbone(str(folder), dtype=torch.float32)
    model, tokenizer = backbone.model, backbone.tokenizer
    found = measure(model, tokenizer, validation(questions, seed=HELD_OUT_SEED))
    blind = without_evidence(questions, seed=HELD_OUT_SEED)
    texts = answers(model, tokenizer, [row for row, _ in blind])
    hits = [exact_match(text, answer) for text, (_, answer) in zip(texts, blind, strict=True)]
    answered = [share for kind, share in found["by_kind"].items() if kind != "abstention"]
    n = sum(count for _, count in answered)
    right = round(sum(share * count for share, count in answered))
    low, high = statistics.wilson(right, n)
    found |= {"low": low, "high": high, "without": sum(hits) / len(hits)}
    percent = (
        "false_unknown",
        "subject_errors",
        "relation_errors",
        "old",
        "low",
        "high",
        "without",
    )
    card = (MINI.parent / "mini_card.md").read_text(encoding="utf-8")
    card = card.format(
        **facts["config"] | {name: facts["machine"][name] for name in ("threads", "processor", "device")},
        **{name: 100 * found[name] for name in percent},
        parameters=facts["parameters"],
        legs="; ".join(f"{leg['minutes']:.0f} minutes, {leg['steps']:,} steps" for leg in facts["legs"]),
        n=n,
        em=100 * right / n,
        by_kind=_listed({k: v for k, v in found["by_kind"].items() if k != "abstention"}),
        by_held_out=_listed(found["by_held_out"]),
        abstained=100 * (1 - found["guessed"]),
        n_never=questions - n,
    )  # fmt: skip
    with write_file(folder / "README.md") as temporary:
        temporary.write_text(card, encoding="utf-8")
    return found


def _listed(shares: dict[str, list[float]]) -> str:
    return ", ".join(
        f"{name} {100 * share:.1f}% of {count}" for name, (share, count) in shares.items()
    )
