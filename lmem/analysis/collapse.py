"""Is a bank collapsing? Metrics of several writes, turn by turn along one conversation (chapters 6, 8 and 13).

A result file contains only numbers, for each number of turns written, so it can be shown to readers who may not have the text.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmem.analysis.bank_metrics import measure_bank
from lmem.backbone.backbone import Backbone, pad
from lmem.data import locomo, splits
from lmem.errors import expect_out_of
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel
from lmem.utils import provenance

BANKS = {  # name: method, scale, options of the write
    "attention, 1x": ("attention+extension", 1, {}),
    "attention, 10x": ("attention+extension", 10, {}),
    "attention, 1x, normalised": ("attention+extension", 1, {"normalise": True}),
    "slots, 1x": ("slots+extension", 1, {}),
    "slots, 10x": ("slots+extension", 10, {}),
    "slots, 1x, normalised": ("slots+extension", 1, {"normalise": True}),
}
FIRST = 20  # the first turns change most, so the bank is measured after each of them,
LATER = 40  # and this often over the whole conversation
DIGITS = 4


@torch.no_grad()
def measure_by_turn(model: MemoryModel, latents: Sequence[Tensor]) -> list[dict[str, Any]]:
    """Write a conversation turn by turn, and measure the bank on the way.

    Args:
        model: The memory.
        latents: The turns, (N, D) each.

    Returns:
        `lmem.analysis.bank_metrics.measure_bank` before the first turn and after each turn of `measured_turns`.
    """
    bank, chosen = model.new_bank(), measured_turns(len(latents))
    state, metrics = bank.state, [measure_bank(bank)]
    for t, turn in enumerate(latents, 1):
        state = model.write_rule(state, *pad([turn]))
        if t in chosen:
            metrics.append(measure_bank(Bank(state, bank.owner, bank.backbone)))
    return metrics


def measured_turns(turns: int) -> set[int]:
    """Choose after which turns to measure: each of the first, then evenly spaced ones, and the last."""
    return {*range(1, FIRST + 1), *(round(i * turns / LATER) for i in range(1, LATER + 1))}


def measure(
    backbone: Backbone,
    data: str | Path = "locomo",
    conversation: str | None = None,
    banks: Mapping[str, tuple[str, float, dict[str, Any]]] = BANKS,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure several banks along one conversation.

    Args:
        backbone: What encodes the turns.
        data: "locomo", or a file in its form.
        conversation: Its id; by default the first of the paper's test split, or else the first of the file.
        banks: {name: (method, scale, options of the write)}.
        seed: Seed of the adapters.

    Returns:
        The result file: columns of numbers for each bank, and no word of the conversation.

    Raises:
        InputError: There is no such conversation.
    """
    start, conversations = time.time(), locomo.load(None if data == "locomo" else data)
    by_id = {c.id: c for c in conversations}
    if conversation is None:
        conversation = next(
            (name for name in splits.PAPER_TEST if name in by_id), next(iter(by_id))
        )
    expect_out_of("a conversation", by_id, conversation)
    texts = by_id[conversation].texts()
    latents, columns = backbone.encode(texts, truncate=True), {}
    for name, (method, scale, options) in banks.items():
        model = MemoryModel(backbone, method, scale, seed, write=options)
        metrics = measure_by_turn(model, latents)
        columns[name] = {
            "method": method,
            "scale": scale,
            "write": options,
            "rows": model.rows,
            "looks": {k: [_short(m[k]) for m in metrics] for k in metrics[0] if k != "rows"},
        }
    return {
        **splits.source(data, 0),
        "conversation": conversation,
        "turns": len(texts),
        "backbone": backbone.name,
        "banks": columns,
        "provenance": provenance.provenance(seed, {"all": time.time() - start}),
    }


def by_turn(result: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Turn the columns of a result into rows: {name: list of metrics}, as `lmem.viz.collapse.metrics_by_turn` takes them."""
    return {
        name: [
            {"rows": bank["rows"], **dict(zip(bank["looks"], row, strict=True))}
            for row in zip(*bank["looks"].values(), strict=True)
        ]
        for name, bank in result["banks"].items()
    }


def _short(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")
