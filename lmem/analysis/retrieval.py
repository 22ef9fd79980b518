"""Which rows of a keyed bank a question finds, hop by hop (chapter 14)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lmem.backbone.backbone import pad
from lmem.errors import InputError, MethodError
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel, as_prompt
from lmem.memory.read.copying import Choice, CopyingRead
from lmem.memory.read.recall import RecallRead


@torch.no_grad()
def recall_shares(model: MemoryModel, bank: Bank, question: str) -> list[tuple[Tensor, Tensor]]:
    """Find which rows a keyed read retrieves.

    Args:
        model: A memory whose read recalls by keys.
        bank: One bank.
        question: The question.

    Returns:
        For both hops (shares, written): the read's softmax over the rows, (R + 1,), the last for retrieving nothing; and the
        turn that each row was written in, (R,), -1 for none.

    Raises:
        MethodError: The read does not recall by keys.
        InputError: There is more than one bank.
    """
    written = bank.state.written[0].cpu()
    return [(scores[0].softmax(0), written) for scores in recall_scores(model, bank, [question])]


@torch.no_grad()
def recall_scores(model: MemoryModel, bank: Bank, questions: Sequence[str]) -> list[Tensor]:
    """Compare several questions with the keys of a bank at once.

    Args:
        model, bank: As in `recall_shares`.
        questions: B of them.

    Returns:
        For both hops (B, R + 1) scores, whose softmax is what `recall_shares` gives.

    Raises:
        MethodError, InputError: As in `recall_shares`.
    """
    bank = _single(model, bank)
    if not isinstance(model.read, RecallRead):
        raise MethodError(f"expected a read that recalls by keys, not that of {model.method.name}")
    states, seen = pad(model.backbone.encode([as_prompt(question) for question in questions]))
    rows, readable = model.write_rule.content(bank.state)
    rows, readable = rows.expand(len(questions), -1, -1), readable.expand(len(questions), -1)
    hops = model.read.look_up(rows, readable, states.to(rows.dtype), seen.bool())
    return [scores.cpu() for scores, *_ in hops]


@torch.no_grad()
def choices(model: MemoryModel, bank: Bank, questions: Sequence[str]) -> Choice:
    """Return the rows that several questions choose from a bank, in the hop that decides.

    Raises:
        MethodError: The read does not choose one row.
        InputError: There is more than one bank.
    """
    bank = _single(model, bank)
    if not isinstance(model.read, CopyingRead):
        raise MethodError(f"expected a read that chooses a row, not that of {model.method.name}")
    states, seen = pad(model.backbone.encode([as_prompt(question) for question in questions]))
    rows, readable = model.write_rule.content(bank.state)
    rows, readable = rows.expand(len(questions), -1, -1), readable.expand(len(questions), -1)
    return model.read.choose(rows, readable, states.to(rows), seen.bool().to(rows.device))


def _single(model: MemoryModel, bank: Bank) -> Bank:
    """Check that this is one bank of this model, and place it on the model's device."""
    model.check(bank)
    if len(bank) != 1:
        raise InputError(f"expected one bank, not {len(bank)}")
    return model.on_device(bank)
