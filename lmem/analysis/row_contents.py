"""What a row contains: which turns it resembles, and what the frozen decoder answers when only this row can be read (chapter 2).

    similarity(r, t) = max_j cos(P_r, W_t,j),   W_t = Write(0, Z_t): what turn t alone leaves in a bank of zeros

So a row is compared with turns as the write projects them, whatever the rule.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lmem.backbone import hooks
from lmem.backbone.backbone import pad
from lmem.errors import InputError, MethodError
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel, as_prompt
from lmem.memory.read.copying import CopyingRead
from lmem.memory.read.recall import RecallRead

BATCH = 64  # rows that are read at once, each alone


@torch.no_grad()
def turn_similarity(model: MemoryModel, bank: Bank, latents: Sequence[Tensor]) -> Tensor:
    """Measure how much each row resembles each turn.

    Args:
        model: The memory.
        bank: One bank.
        latents: The turns, (N, D) each, as `model.encode_turns` gives them for one conversation.

    Returns:
        (R, T) cosines; 0 for a row into which nothing was written.

    Raises:
        MethodError: The bank is square, so its rows are no turns.
        InputError: There is more than one bank.
    """
    bank = _single(model, bank)
    rows, rule = bank.state.rows[0], model.write_rule
    if rule.form == "square":
        raise MethodError("expected a bank of rows; a square one has associations, ask it")
    turns, mask = pad(latents)
    state = rule.start(len(latents))
    state = state._replace(rows=torch.zeros_like(state.rows))
    written = rule(state, turns.to(rows.device), mask.to(rows.device)).rows  # (T, R, D)
    units = normalize(rows, dim=1)
    by_turn = [(units @ normalize(alone, dim=1).T).amax(1) for alone in written]
    similarity = torch.stack(by_turn, 1)  # (R, T)
    return torch.where(bank.state.written[0, :, None] >= 0, similarity, 0).cpu()


@torch.no_grad()
def answers_by_row(
    model: MemoryModel, bank: Bank, question: str, answer: str
) -> tuple[list[str], Tensor]:
    """Ask the same question of each row alone.

    Args:
        model: The memory.
        bank: One bank.
        question: The question.
        answer: The text whose likelihood is measured.

    Returns:
        R answers, and (R,) bits by which the row alone makes `answer` more likely than no bank; "" and 0 for a row that may
        not be read.

    Raises:
        InputError: There is more than one bank.
    """
    bank, backbone = _single(model, bank), model.backbone
    rows = bank.state.rows[0]
    readable = model.write_rule.readable(bank.state)[0]
    prompt = as_prompt(question)
    answers, bits = [""] * len(readable), torch.zeros(len(readable))
    with model.attached(bank, "masked"):
        bare = backbone.bits(backbone.inputs([prompt]), backbone.labels([answer]))
    for places in readable.nonzero()[:, 0].split(BATCH):
        n = len(places)
        alone = torch.zeros(n, len(readable), dtype=torch.bool, device=places.device)
        alone[torch.arange(n), places] = True
        with hooks.attach(backbone.model, model.read, rows.expand(n, -1, -1), alone):
            inputs = backbone.inputs([prompt] * n)
            texts = backbone.generate(inputs)
            gained = backbone.bits(inputs, backbone.labels([answer] * n)) - bare
        bits[places.cpu()] = gained.float().cpu()
        for place, text in zip(places.tolist(), texts, strict=True):
            answers[place] = text
    return answers, bits


@torch.no_grad()
def recall_shares(model: MemoryModel, bank: Bank, question: str) -> list[tuple[Tensor, Tensor]]:
    """Find which rows a keyed read retrieves, hop by hop (chapter 14).

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
    rows = bank.state.rows.expand(len(questions), -1, -1)  # (B, R, K + V)
    readable = model.write_rule.readable(bank.state).expand(len(questions), -1)
    hops = model.read.look_up(rows, readable, states.to(rows.dtype), seen.bool())
    return [scores.cpu() for scores, *_ in hops]


@torch.no_grad()
def nearest_rows(model: MemoryModel, bank: Bank, question: str, count: int) -> list[int]:
    """Return the rows whose keys are nearest to a question in the hop that decides, the nearest first.

    Raises:
        MethodError: The read does not choose one row.
        InputError: There is more than one bank.
    """
    bank = _single(model, bank)
    if not isinstance(model.read, CopyingRead):
        raise MethodError(f"expected a read that chooses a row, not that of {model.method.name}")
    readable = model.write_rule.readable(bank.state)
    states, seen = pad(model.backbone.encode([as_prompt(question)]))
    rows = bank.state.rows
    chosen = model.read.choose(rows, readable, states.to(rows), seen.bool().to(rows.device))
    return chosen.similarity[0].topk(min(count, int(readable.sum()))).indices.tolist()


def _single(model: MemoryModel, bank: Bank) -> Bank:
    """Check that this is one bank of this model, and place it on the model's device."""
    model.check(bank)
    if len(bank) != 1:
        raise InputError(f"expected one bank, not {len(bank)}")
    return model.on_device(bank)
