"""The banks that questions are asked of during training, each made as rarely as possible (chapter 9).

    FixedBanks     a write without weights makes the same bank in every epoch: each is made once
    LearnedBanks   a learned write makes its banks again at every step, with gradient through the last W turns:
                   P_{T-W} is written without gradient and detached, P_T = Write_phi(P_{T-W}, Z_{T-W+1} .. Z_T)
    ConstantBanks  every question reads the same bank without content: a control

All have one method: `select(places) -> (Bank, indices into it)`.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from accelerate import Accelerator

from lmem.memory.bank import Bank, State, joined
from lmem.memory.model import MemoryModel
from lmem.training.dataset import QuestionDataset
from lmem.training.processes import share_work
from lmem.utils.progress import track


class Banks(Protocol):
    """What a loss asks for the banks of some places."""

    def select(self, places: Sequence[int]) -> tuple[Bank, list[int]]:
        """Return the banks of these places: (banks, for each place its index among them)."""
        ...


class FixedBanks:
    """The banks of all places, made once."""

    def __init__(self, bank: Bank) -> None:
        """Take the banks of all places, in their order, as one batch."""
        self.bank = bank

    def select(self, places: Sequence[int]) -> tuple[Bank, list[int]]:
        """Return the banks of these places: (banks, for each place its index among them)."""
        return self.bank, list(places)


class ConstantBanks(FixedBanks):
    """One bank for every place."""

    def select(self, places: Sequence[int]) -> tuple[Bank, list[int]]:
        """Return the one bank, which has index 0 for every place."""
        return self.bank, [0] * len(places)


class LearnedBanks:
    """Banks of a learned write, made again for each batch; gradient flows through the last `window` turns."""

    def __init__(
        self,
        model: MemoryModel,
        dataset: QuestionDataset,
        window: int,
        processes: Accelerator | None,
    ) -> None:
        """Encode all turns; W = `window` of them carry gradient at the end of each bank."""
        self.model, self.dataset, self.window = model, dataset, window
        self.latents = share_work(dataset.texts, model.encode_turns, processes)

    def select(self, places: Sequence[int]) -> tuple[Bank, list[int]]:
        """Write the banks of these places: (banks, for each place its index among them)."""
        distinct = sorted(set(places))
        turns = []
        for conversation, written in map(self.dataset.written, distinct):
            turns.append(self.latents[conversation][:written])
        with torch.no_grad():
            bank = self.model.new_bank(len(distinct))
            bank = self.model.write_latents(bank, [z[: -self.window] for z in turns])
        bank = self.model.write_latents(bank.detach(), [z[-self.window :] for z in turns])
        return bank, [distinct.index(place) for place in places]


def make_banks(
    model: MemoryModel,
    texts: Sequence[Sequence[str]],
    cuts: Sequence[Sequence[int]] | None = None,
    batch: int = 32,
    progress: bool = True,
    processes: Accelerator | None = None,
) -> Bank:
    """Write every conversation into its own bank.

    Args:
        model: Encodes and writes, without gradient.
        texts: For each conversation its turns as the encoder sees them (`Conversation.texts`). Turns that are
            too long for the backbone are truncated.
        cuts: For each conversation the numbers of turns after which a copy of the bank is kept, in rising order,
            equally many for each. Default: at the end.
        batch: Conversations that are written together, at most.
        progress: Show a progress bar.
        processes: From `start_processes`; each encodes and writes its share.

    Returns:
        All banks as one batch; the copies of one conversation are neighbours.
    """
    cuts = cuts or [[len(turns)] for turns in texts]
    if processes is not None:
        batch = min(batch, math.ceil(len(texts) / processes.num_processes))

    def write(starts: list[int]) -> list[State]:
        states = []
        for first in track(starts, "writing banks", progress):
            chunk = range(first, min(first + batch, len(texts)))
            bank, copies, begin = model.new_bank(len(chunk)), [], [0] * len(chunk)
            for end in zip(*(cuts[i] for i in chunk), strict=True):
                turns = [texts[i][a:b] for i, a, b in zip(chunk, begin, end, strict=True)]
                bank = model.write(bank, turns, truncate=True)
                copies.append(bank.state)
                begin = end
            stacked = [torch.stack(parts, 1) for parts in zip(*copies, strict=True)]  # (B, S, ...)
            states.append(State(*(part.flatten(0, 1) for part in stacked)))
        return states

    states = share_work(list(range(0, len(texts), batch)), write, processes)
    return Bank(joined(states), model.owner, model.backbone.fingerprint)


def constant_bank(model: MemoryModel) -> Bank:
    """Return one bank without content: P_0, marked as if one turn had been written, so that it is read.

    What a read learns from it is not memory. Nothing can be learned from a P_0 of zeros; it is replaced by noise
    N(0, 0.02^2) from the adapter's seed.
    """
    rows, empty = model.write_rule.p0, model.new_bank().state
    if not rows.any():
        noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(model.seed))
        rows = 0.02 * noise.to(rows)
    state = State(rows[None].clone(), torch.zeros_like(empty.written), torch.ones_like(empty.turns))
    return Bank(state, model.owner, model.backbone.fingerprint)
