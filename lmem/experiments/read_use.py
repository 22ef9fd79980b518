"""What a read can use: each read gets a bank that holds only what the answer needs, and is trained (the page of the repairs).

    exact          one row for each hidden state of the turn with the answer
    superposed-k   row i is the mean of hidden state i of this turn and of k others, which begin again at their end
    pooled         one row, the mean of the turn's hidden states
    embeddings     one row for each token of the turn as the frozen encoder's input has it; for the prefix only

No write of the paper is involved. What a read cannot learn here it cannot learn behind any write that keeps less. A read of a
square bank gets the Hebbian matrix of the same rows, Z^T Z / N.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from lmem.backbone.backbone import Backbone, load_backbone
from lmem.data.conversation import Conversation
from lmem.data.splits import for_training
from lmem.errors import InputError, expect_out_of
from lmem.experiments.runner import Experiment
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel
from lmem.memory.read import READS
from lmem.metrics.answer_scores import exact_match
from lmem.training.dataset import Batches, QuestionDataset
from lmem.training.loss import AnswerLoss
from lmem.utils.settings import AtLeast1, AtLeast2, Positive, Settings, settings
from lmem.utils.toml import read_toml

TOKENS = 12  # of an answer at most
# {read: {start: its options, and those of a write that learns with it}}
STARTS: dict[str, dict[str, dict[str, Any]]] = read_toml(Path(__file__).with_name("starts.toml"))


@settings
class ReadUseConfig(Settings):
    """What all reads share.

    Attributes:
        conversations: Training conversations; every question about a single turn is one example.
        tests: Further conversations for the tests.
        turns: Turns of each, from which the distractors are drawn.
        distractors: k of the superposed banks.
        banks: Which banks; default: all.
        steps: Training steps.
        checks: Steps after which the test questions are asked, in addition to the last.
        batch: Questions of a step.
        lr: Learning rate, constant after ten steps of warm-up.
        seed: Of conversations, distractors and the read's start.
    """

    conversations: AtLeast2 = 120
    tests: AtLeast1 = 15
    turns: AtLeast2 = 12
    distractors: tuple[int, ...] = (1, 3)
    banks: tuple[str, ...] = ()
    steps: AtLeast1 = 150
    checks: tuple[int, ...] = (0, 10, 20, 40, 80)
    batch: AtLeast1 = 8
    lr: Positive = 2e-3
    seed: int = 0


class Asked(NamedTuple):
    """Questions about single turns.

    Attributes:
        dataset: One conversation of one turn for each question.
        turns: For each question the latents (N, D) of its turn, and of as many other turns as there are distractors.
        embeddings: For each question its turn as the encoder's input has it, (N, D).
    """

    dataset: QuestionDataset
    turns: list[list[Tensor]]
    embeddings: list[Tensor]


def draw_questions(backbone: Backbone, config: ReadUseConfig) -> tuple[Asked, Asked]:
    """Draw questions to train on and to test on, and encode their turns."""
    drawn = for_training(
        "tinyworld", config.conversations, config.turns, config.seed, validation=config.tests
    )
    return _asked(backbone, drawn[0], config), _asked(backbone, drawn[1], config)


@torch.no_grad()
def _asked(
    backbone: Backbone, conversations: Sequence[Conversation], config: ReadUseConfig
) -> Asked:
    rng, single, texts = random.Random(f"read use {config.seed}"), [], []
    for conversation in conversations:
        every = conversation.texts(dates=False)
        for question in conversation.questions:
            if not question.answerable or len(question.evidence) != 1:
                continue
            [place] = question.evidence
            others = [text for i, text in enumerate(every) if i != place]
            texts.append([every[place], *rng.sample(others, max(config.distractors, default=0))])
            session = replace(conversation.sessions[0], turns=conversation.turns[place : place + 1])
            about = replace(question, evidence=(0,))
            single.append(replace(conversation, sessions=(session,), questions=(about,), twin=None))
    embed: Any = backbone.model.get_input_embeddings()
    tokens = backbone.tokenize([each[0] for each in texts])
    latents = iter(backbone.encode([text for each in texts for text in each]))
    return Asked(
        QuestionDataset(single, cuts=0, undated=1.0, seed=config.seed),
        [[next(latents) for _ in each] for each in texts],
        [embed(torch.tensor(ids, device=backbone.device)) for ids in tokens],
    )


def ideal_rows(asked: Asked, kind: str) -> list[Tensor]:
    """Return the rows (R, D) of each question's bank; see the head of this file.

    Raises:
        InputError: There is no such bank.
    """
    name, _, number = kind.partition("-")
    if name == "exact":
        return [turns[0] for turns in asked.turns]
    if name == "pooled":
        return [turns[0].mean(0, keepdim=True) for turns in asked.turns]
    if name == "embeddings":
        return asked.embeddings
    if name == "superposed" and number.isdigit():
        return [_together(turns[: int(number) + 1]) for turns in asked.turns]
    raise InputError(f"expected exact, superposed-1, pooled or embeddings, not {kind!r}")


def _together(turns: Sequence[Tensor]) -> Tensor:
    """Return the mean of the turns' hidden states, place by place: as many as the first has; shorter turns begin again."""
    places = torch.arange(len(turns[0]))
    return torch.stack([turn[places % len(turn)] for turn in turns]).mean(0)


def learning_curve(
    model: MemoryModel, train: Asked, test: Asked, kind: str, config: ReadUseConfig
) -> dict[str, Any]:
    """Train a read on ideal banks, and ask it about others on the way.

    Args:
        model: Its write puts the rows into the bank; its read is trained in place, and its write if that has weights.
        train: Questions to train on.
        test: Questions to ask.
        kind: Which bank.
        config: How it is trained.

    Returns:
        curve, {step: share of the test questions that are answered right}; wrong, the share after the last step with the
        bank of another question; loss, the mean of the last ten steps.
    """
    banks, asked = (IdealBanks(model, ideal_rows(part, kind)) for part in (train, test))
    answer_loss = AnswerLoss(model, train.dataset, banks)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, config.lr)
    batches = Batches(train.dataset.examples, config.batch, config.seed)
    curve: dict[int, float] = {}
    losses: list[float] = []
    for step in range(config.steps):
        if step in config.checks:
            curve[step] = _share_right(model, asked, test)
        for group in optimizer.param_groups:
            group["lr"] = config.lr * min(1, (step + 1) / 10)
        loss = answer_loss(next(batches))
        loss.backward()
        clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
    curve[config.steps] = _share_right(model, asked, test)
    wrong = _share_right(model, asked, test, shift=1)
    return {"curve": curve, "wrong": wrong, "loss": sum(losses[-10:]) / len(losses[-10:])}


class IdealBanks:
    """A bank for each question, written when it is asked for, because the write may learn (as in `lmem.training.banks`)."""

    def __init__(self, model: MemoryModel, rows: Sequence[Tensor]) -> None:
        self.model, self.rows = model, rows

    def select(self, places: Sequence[int]) -> tuple[Bank, list[int]]:
        """Write the banks of these questions: (banks, for each question its index among them)."""
        turns = [[self.rows[place]] for place in places]
        bank = self.model.write_latents(self.model.new_bank(len(turns)), turns)
        return bank, list(range(len(turns)))


@torch.no_grad()
def _share_right(model: MemoryModel, banks: IdealBanks, test: Asked, shift: int = 0) -> float:
    """Return the share of the questions answered right, each from its own bank, or from that of the question `shift` later."""
    examples = test.dataset.examples
    bank, of = banks.select([(i + shift) % len(examples) for i in range(len(examples))])
    answers = model.answer(bank, [e.prompt for e in examples], of=of, max_new_tokens=TOKENS)
    return _share(answers, test)


def share_from_text(backbone: Backbone, test: Asked) -> float:
    """Return the share of the questions that the backbone answers right when it reads turn and question as one text."""
    pairs = zip(test.dataset.texts, test.dataset.examples, strict=True)
    inputs = backbone.inputs([f"{turns[0]} {example.prompt}" for turns, example in pairs])
    return _share(backbone.generate(inputs, max_new_tokens=TOKENS), test)


def _share(answers: Sequence[str], test: Asked) -> float:
    right = [exact_match(a, e.answer) for a, e in zip(answers, test.dataset.examples, strict=True)]
    return sum(right) / len(right)


def run_reads(
    out: str | Path,
    reads: Sequence[str] = (),
    starts: Sequence[str] = (),
    config: ReadUseConfig | None = None,
) -> dict[str, list[str]]:
    """Train every read from every start on every ideal bank: one result file for each read and start.

    Args:
        out: Folder of the result files; what is there is skipped.
        reads: Names in STARTS; default: all.
        starts: Starts of these reads; default: all.
        config: The same for all.

    Returns:
        A dict: done, skipped (names of files).

    Raises:
        InputError: A read does not exist, or a file in `out` has other settings.
    """
    expect_out_of("reads", STARTS, *reads)
    config = config or ReadUseConfig()
    longer = f"-{config.steps}steps" if config.steps != ReadUseConfig.steps else ""
    cells = {
        f"reads-{read}-{start}{longer}-s{config.seed}": (read, start)
        for read in reads or STARTS
        for start in STARTS[read]
        if not starts or start in starts
    }

    @cache
    def questions() -> tuple[Backbone, Asked, Asked, float]:  # drawn if a cell is left
        backbone = load_backbone()
        to_learn, to_ask = draw_questions(backbone, config)
        return backbone, to_learn, to_ask, share_from_text(backbone, to_ask)

    def train(cell: tuple[str, str]) -> dict[str, Any]:
        (read, start), (backbone, to_learn, to_ask, from_text) = cell, questions()
        kinds = ["exact", *(f"superposed-{k}" for k in config.distractors), "pooled"]
        kinds += ["embeddings"] if read == "prefix" else []
        banks = {}
        for kind in config.banks or kinds:
            model = ideal_model(backbone, read, start, config.seed)
            banks[kind] = learning_curve(model, to_learn, to_ask, kind, config)
        return {
            "read": read,
            "start": start,
            "options": STARTS[read][start],
            "backbone": backbone.name,
            "questions": len(to_ask.dataset.examples),
            "text": from_text,
            "banks": banks,
        }

    experiment = Experiment("reads", config.difference(), Path(out))
    return experiment.measure(cells, train, config.seed)


def ideal_model(backbone: Backbone, read: str, start: str, seed: int = 0) -> MemoryModel:
    """Return a model whose write keeps what it gets: latents as rows, or for a square bank their Hebbian matrix."""
    options = STARTS[read][start].copy()
    write = options.pop("write", {})
    if READS[read].form == "square":
        square = {"maps": "identity", "normalise": False, "gamma": 1.0, **write}
        scale = (backbone.width / 256) ** 2  # a matrix of D x D
        return MemoryModel(backbone, f"hebbian+{read}", scale, seed, square, options)
    return MemoryModel(backbone, f"recent+{read}", 1, seed, read=options)
