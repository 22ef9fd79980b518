"""What a bank keeps, found out by asking it: what a turn changed, which facts answer, which turn an answer came from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import torch

from lmem.analysis.retrieval import choices, recall_scores, recall_shares
from lmem.chat.reply import LEAST
from lmem.memory.bank import Bank, State
from lmem.memory.ledger import Ledger
from lmem.memory.model import Answer, MemoryModel
from lmem.memory.read.copying import CopyingRead
from lmem.memory.read.recall import RecallRead
from lmem.memory.write.keyed import FactWrite

BATCH = 64  # questions that are answered together
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


class Topic(NamedTuple):
    """What a turn may be asked for.

    Attributes:
        question: As it is typed.
        prompt: As it is asked.
        likeness: How likely the turn answers it, by its words.
    """

    question: str
    prompt: str
    likeness: float


NONE = Topic("", "", 0.0)


class Fact(NamedTuple):
    """A fact as the bank tells it.

    Attributes:
        turn: The turn that last wrote its row, counted from 0.
        topic: What it is asked for; NONE if no question is known.
        answer: The bank's answer.
        found: Whether the question finds the turn.
        value: What the row holds, as the decoder reads it; "" where it reads no single row.
    """

    turn: int
    topic: Topic
    answer: Answer
    found: bool = True
    value: str = ""


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


def with_limit(model: MemoryModel, least: float) -> MemoryModel:
    """Return a model that tells the row that it chooses if it is at least so sure of it, from 0 to 1; at 0 it always does."""
    if not isinstance(model.read, CopyingRead):
        return model
    return model.variant(read={"threshold": 1 - least if least else ALWAYS})


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


def facts_of(
    model: MemoryModel,
    bank: Bank,
    asked: Mapping[int, Sequence[Topic]],
    is_told: Callable[[Answer], bool],
) -> list[Fact]:
    """Ask a bank for the facts of turns: each row of a turn, with one of the turn's questions that finds it, if there is any.

    That is one that is answered, if there is any, and of these the likeliest: by its words, and by how sure the memory is of the row.
    Where the words of a turn are not known, it is the one whose key is nearest, if that is answered. If no question finds any row of a
    turn, its likeliest question is asked. Without keys, every question finds the turn whose words it was chosen by.

    Args:
        model: The memory.
        bank: One bank.
        asked: {turn, counted from 0: what it may be asked for}.
        is_told: Whether an answer is given.
    """
    prompts = [topic.prompt for topics in asked.values() for topic in topics]
    found, keyed = _rows_found(model, bank, prompts), isinstance(model.read, RecallRead)
    written = bank.state.written[0].tolist()

    def finds(topic: Topic, row: int) -> bool:
        return found[topic.prompt][0] == row if keyed else topic.likeness > 0

    rows: dict[tuple[int, int], list[Topic]] = {}  # {(turn, row): topics}
    for turn, topics in asked.items():
        own = [row for row, by in enumerate(written) if by == turn] if keyed else [0]
        of_turn = {row: [topic for topic in topics if finds(topic, row)] for row in own or [-1]}
        if not any(of_turn.values()):
            fitting = [topic for topic in topics if topic.likeness]
            of_turn[next(iter(of_turn))] = sorted(fitting, key=lambda topic: -topic.likeness)[:1]
        rows |= {(turn, row): some for row, some in of_turn.items()}
    answers = answers_to(model, bank, [topic.prompt for some in rows.values() for topic in some])
    values = read_alone(model, bank, [row for _, row in rows if row >= 0]) if keyed else {}

    def fit(topic: Topic) -> tuple[bool, float]:
        if not topic.likeness and found:
            return False, found[topic.prompt][1]
        answer = answers[topic.prompt]
        return is_told(answer), topic.likeness * (1 - (answer.doubt or 0.0))

    facts = []
    for turn, row in sorted(rows, key=lambda each: (-each[0], each[1])):
        topic = max(rows[turn, row], key=fit, default=NONE)
        answer = answers.get(topic.prompt, Answer("", 0.0))
        topic = topic if topic.likeness or is_told(answer) else NONE
        is_found = topic is NONE or finds(topic, row)
        facts.append(Fact(turn, topic, answer, is_found, values.get(row, "")))
    return facts


def _rows_found(
    model: MemoryModel, bank: Bank, prompts: Iterable[str]
) -> dict[str, tuple[int, float]]:
    """Return {question: (the row that is chosen, else the nearest, and how near its key is)}; empty without keys."""
    found: dict[str, tuple[int, float]] = {}
    for part in _batches(prompts) if isinstance(model.read, RecallRead) else ():
        if isinstance(model.read, CopyingRead):
            rows, _, similarity = choices(model, bank, part)
            nearness = similarity.gather(1, rows[:, None])[:, 0]
        else:
            nearness, rows = recall_scores(model, bank, part)[0].max(1)
        found |= dict(zip(part, zip(rows.tolist(), nearness.tolist(), strict=True), strict=True))
    return found


def answers_to(model: MemoryModel, bank: Bank, questions: Iterable[str]) -> dict[str, Answer]:
    """Return {question: answer with its confidence}."""
    answers: dict[str, Answer] = {}
    for part in _batches(questions):
        found = model.answer(bank, part, return_confidence=True)
        answers |= dict(zip(part, found, strict=True))
    return answers


def _batches(questions: Iterable[str]) -> list[list[str]]:
    """Split questions, each once, into batches of similar lengths."""
    each = sorted(dict.fromkeys(questions), key=len)
    return [each[start : start + BATCH] for start in range(0, len(each), BATCH)]


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
    """Find the row that a question chooses, and those that it is nearest to, the nearest first, told or withheld.

    Empty where the read does not choose one row, or where the bank is empty.
    """
    if not isinstance(model.read, CopyingRead) or bank.empty:
        return []
    bank = model.on_device(bank)
    written = bank.state.written[0]
    row, _, [similarity] = choices(model, bank, [question])
    similarity = similarity.scatter(0, row, 2.0)  # the first
    found = similarity.topk(min(NEAREST, int((written >= 0).sum()))).indices.tolist()
    values = read_alone(model, bank, found, question)
    return [Near(int(written[row]), values[row]) for row in found]


def read_alone(
    model: MemoryModel, bank: Bank, rows: Sequence[int], question: str = "What did I say?"
) -> dict[int, str]:
    """Return {row: what the bank would say if it had this row alone and doubted nothing}; empty where no single row is read."""
    if not isinstance(model.read, CopyingRead):
        return {}
    bold, said = with_limit(model, 0.0), {}
    content, written, turns = model.on_device(bank).state
    for start in range(0, len(rows), BATCH):
        part = list(rows[start : start + BATCH])
        alone = torch.full((len(part), written.shape[1]), -1).to(written)  # (F, R)
        for place, row in enumerate(part):
            alone[place, row] = written[0, row]
        state = State(content.expand(len(part), -1, -1), alone, turns.expand(len(part)))
        answers = bold.answer(Bank(state, bank.owner, bank.backbone), [question] * len(part))
        said |= dict(zip(part, answers, strict=True))
    return said
