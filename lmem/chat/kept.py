"""What a bank keeps, found out by asking it: what a turn changed, which facts answer, which turn an answer came from."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch

from lmem.analysis.retrieval import nearest_rows, recall_scores, recall_shares
from lmem.chat.dialect import Dialect
from lmem.memory.bank import Bank, State
from lmem.memory.ledger import Ledger
from lmem.memory.model import Answer, MemoryModel
from lmem.memory.read.copying import CopyingRead
from lmem.memory.read.recall import RecallRead
from lmem.memory.write.keyed import FactWrite

BATCH = 64  # questions that are answered together
MOST_NAMES = 12  # people and pets that `facts_of` asks about
FOUND = 0.5  # share of a row from which on a question is said to find it
LEAST = 0.05  # confidence below which an answer is none
CANDIDATES = 8  # rows whose turns `sources_of` leaves out
LEAST_BITS = 1.0  # by which an answer must lean on a turn
NEAREST = 2  # rows that are named where an answer was withheld
ALWAYS = 2.0  # threshold that no doubt reaches


class Change(NamedTuple):
    """What a turn did to a bank.

    Attributes:
        kept: Whether any row holds it.
        replaced: The turn whose fact it replaced, counted from 0; None if it replaced none.
        gave_way: The oldest turn, whose row it took because the bank is full; None if there was room.
    """

    kept: bool
    replaced: int | None = None
    gave_way: int | None = None


class Fact(NamedTuple):
    """A fact as the bank tells it.

    Attributes:
        turn: The turn that last wrote its row, counted from 0; None if the rows are not those of single turns.
        question: The question that finds it; "" if none does.
        answer: The bank's answer.
    """

    turn: int | None
    question: str
    answer: Answer


class Near(NamedTuple):
    """A row that a question is near to.

    Attributes:
        turn: The turn that wrote it, counted from 0.
        answer: What the bank would say if it had this row alone and doubted nothing.
    """

    turn: int
    answer: str


def least_sure(model: MemoryModel) -> float:
    """Return how sure an answer must be to be given, if nobody says: LEAST where a value is copied piece by piece, else 0.

    A piece that the read cannot make out is guessed by the decoder, in a misspelled value: "Wolver tummyton".
    """
    return LEAST if isinstance(model.read, CopyingRead) else 0.0


def change_of(model: MemoryModel, before: Bank, after: Bank) -> Change:
    """Say what the newest turn changed."""
    turn = after.turns_written[0] - 1
    rows = (after.state.written[0] == turn).nonzero()[:, 0]
    rule = model.write_rule
    if not isinstance(rule, FactWrite) or not len(rows):
        return Change(len(rows) > 0)
    row = int(rows[0])
    old = int(before.state.written[0, row])
    if old < 0:
        return Change(True)
    full = bool((before.state.written[0] >= 0).all())
    keys = [bank.state.rows[0, row, : rule.key].cpu() for bank in (before, after)]
    alike = float(keys[0] @ keys[1]) > float(rule.theta.detach())
    return Change(True, None, old) if full and not alike else Change(True, old)


def facts_of(model: MemoryModel, bank: Bank, dialect: Dialect, names: Iterable[str]) -> list[Fact]:
    """Ask a bank about people: every question that the dialect knows.

    Where each row holds one fact, a row is listed with the question that finds it best, so a fact is listed once: one that is
    answered if there is any, else one whose answer is withheld; a row that no question finds is listed without. Elsewhere all
    answers are listed but "unknown" and those of low confidence.

    Args:
        model: The memory.
        bank: One bank.
        dialect: How to ask.
        names: Whom to ask about first; names among the answers follow.
    """
    asked: dict[str, Answer] = {}
    known = list(dict.fromkeys(names))
    for name in known:  # grows
        questions = [question for question in dialect.topics(name) if question not in asked]
        asked |= answers_to(model, bank, questions)
        fresh = dialect.names([answer.text for answer in asked.values()])
        known += [each for each in fresh if each not in known][: MOST_NAMES - len(known)]
    if not isinstance(model.read, RecallRead):
        return [
            Fact(None, question, answer)
            for question, answer in asked.items()
            if answer.text and answer.text != dialect.unknown and answer.confidence >= FOUND
        ]
    found = {
        question: answer
        for question, answer in asked.items()
        if answer.withheld or answer.text.lower() not in ("", dialect.unknown)
    }
    return _by_row(model, bank, found)


def answers_to(model: MemoryModel, bank: Bank, questions: list[str]) -> dict[str, Answer]:
    """Return {question: answer with its confidence}."""
    answers: dict[str, Answer] = {}
    for part in _batches(questions):
        found = model.answer(bank, part, return_confidence=True)
        answers |= dict(zip(part, found, strict=True))
    return answers


def _batches(questions: list[str]) -> list[list[str]]:
    return [questions[start : start + BATCH] for start in range(0, len(questions), BATCH)]


def _by_row(model: MemoryModel, bank: Bank, asked: dict[str, Answer]) -> list[Fact]:
    """List the rows in the order of their turns, each with the question that finds it best.

    That is the question whose key is nearest to the row's, among those that retrieve it and get an answer; if none does, among
    those that retrieve it and are withheld an answer.
    """
    written = bank.state.written[0].cpu()
    best = [(False, -math.inf)] * len(written)  # whether it is told, and how near
    questions = [""] * len(written)
    for part in _batches(list(asked)):
        for question, scores in zip(part, recall_scores(model, bank, part)[0], strict=True):
            row, answer = int(scores.argmax()), asked[question]
            found = row < len(written) and float(scores.softmax(0)[row]) >= FOUND
            fit = answer.withheld is None, float(scores[row])
            if found and fit > best[row] and (answer.withheld or answer.confidence >= LEAST):
                best[row], questions[row] = fit, question
    rows = [row for row in written.argsort().tolist() if written[row] >= 0]
    nothing = Answer("", 0.0)
    return [
        Fact(int(written[row]), questions[row], asked.get(questions[row], nothing)) for row in rows
    ]


def sources_of(
    model: MemoryModel, bank: Bank, ledger: Ledger, question: str, answer: str
) -> list[tuple[int, float]]:
    """Find the turns that an answer rests on.

    Args:
        model: The memory.
        bank: One bank.
        ledger: The ledger of the bank's newest turns.
        question: As it was asked.
        answer: As it was answered.

    Returns:
        (turn, bits) of at most three turns without which the answer is less likely by a bit or more, the most important
        first. Turns are counted from the bank's first.
    """
    if ledger.first is None:
        return []
    start = ledger.first.turns_written[0]
    turns: Iterable[int] = range(len(ledger))
    if isinstance(model.read, RecallRead):  # only what is retrieved can matter
        hops = recall_shares(model, bank, question)
        best = [
            written[shares[:-1].topk(min(CANDIDATES, len(written))).indices]
            for shares, written in hops
        ]
        retrieved = {int(turn) - start for turn in torch.cat(best)}
        turns = [turn for turn in retrieved if 0 <= turn < len(ledger)]
    bits = model.attribute(bank, question, ledger, answer, turns)
    order = bits.argsort(descending=True)[:3].tolist()
    return [(start + turn, float(bits[turn])) for turn in order if bits[turn] >= LEAST_BITS]


def nearest(model: MemoryModel, bank: Bank, question: str) -> list[Near]:
    """Find the rows that a question is nearest to, the nearest first, whether they were told or withheld.

    Empty where the read does not choose one row, or where the bank is empty.
    """
    if not isinstance(model.read, CopyingRead) or bank.empty:
        return []
    bold = model.variant(read={"threshold": ALWAYS})
    bank = model.on_device(bank)
    rows, written, turns = bank.state
    found = nearest_rows(model, bank, question, NEAREST)
    alone = torch.full((len(found), written.shape[1]), -1).to(written)  # (F, R)
    for place, row in enumerate(found):
        alone[place, row] = written[0, row]
    state = State(rows.expand(len(found), -1, -1), alone, turns.expand(len(found)))
    answers = bold.answer(Bank(state, bank.owner, bank.backbone), [question] * len(found))
    return [Near(int(written[0, row]), text) for row, text in zip(found, answers, strict=True)]
