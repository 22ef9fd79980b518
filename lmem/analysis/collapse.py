"""Is a bank collapsing, turn by turn: what `lmem.analysis.bank_metrics.look` sees of several writes along one conversation (chapters 6, 8 and 13).

Only numbers are kept, for each number of turns written, so that a file of it can be shown to those who may not have the text.
"""

import time

import torch

from lmem.analysis import bank_metrics
from lmem.backbone.backbone import pad
from lmem.data import locomo
from lmem.errors import InputError
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
FIRST, LATER = (
    20,
    40,
)  # turns that are all looked at, and how many looks there are from then on: the first turns do most
DIGITS = 4


@torch.no_grad()
def walk(model, latents):
    """Write a conversation turn by turn, and look at the bank on the way: before it, after each of the first turns, after the last.

    latents  of its turns, (N, D) each
    returns  list of `lmem.analysis.bank_metrics.look`
    """
    bank, places = model.new_bank(), _places(len(latents))
    state, found = bank.state, [bank_metrics.look(bank)]
    for t, turn in enumerate(latents, 1):
        state = model.write_rule(state, *pad([turn]))
        if t in places:
            found.append(bank_metrics.look(Bank(state, bank.owner, bank.backbone)))
    return found


def _places(turns):
    return {*range(1, FIRST + 1), *(round(i * turns / LATER) for i in range(1, LATER + 1))}


def measure(backbone, data="locomo", conversation=None, banks=BANKS, seed=0):
    """The result file: columns of numbers for each bank, and no word of the conversation.

    data          "locomo", or a file in its form
    conversation  its id; default: the first of the paper's test split, or the first of the file
    banks         {name: (method, scale, options of the write)}
    raises        InputError for a conversation that is not there
    """
    start, conversations = time.time(), locomo.load(None if data == "locomo" else data)
    ids = [one.id for one in conversations]
    if conversation is None:
        conversation = next((name for name in locomo.PAPER_TEST if name in ids), ids[0])
    if conversation not in ids:
        raise InputError(f"expected a conversation out of {', '.join(ids)}, not {conversation!r}")
    texts = conversations[ids.index(conversation)].texts()
    latents, found = backbone.encode(texts, truncate=True), {}
    for name, (method, scale, options) in banks.items():
        model = MemoryModel(backbone, method, scale, seed, write=options)
        seen = walk(model, latents)
        columns = {key: [_short(one[key]) for one in seen] for key in seen[0] if key != "rows"}
        about = {"method": method, "scale": scale, "write": options, "rows": model.rows}
        found[name] = about | {"looks": columns}
    return {
        "data": "locomo" if data == "locomo" else "a file in LoCoMo's form",
        "conversation": conversation,
        "turns": len(texts),
        "backbone": backbone.name,
        "banks": found,
        "provenance": provenance.provenance(seed, {"all": time.time() - start}),
    }


def looks(result):
    """{name: list of looks}, as `lmem.viz.collapse.metrics_by_turn` takes them, of a result of `measure`."""
    return {
        name: [
            {"rows": bank["rows"], **dict(zip(bank["looks"], row, strict=True))}
            for row in zip(*bank["looks"].values(), strict=True)
        ]
        for name, bank in result["banks"].items()
    }


def _short(value):
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")
