"""The conditions of a question: what is behind it in each case, paired per question (chapter 12).

right      the conversation's own bank
twin       the bank of its counterfactual twin: same turns and questions, other values
other      the bank of another conversation of the test set
shuffled   its own turns, written in a random order
noise      Gaussian rows with the norm of its own bank
rough      its own bank, stored in bfloat16 and with Gaussian noise of 1% of each row's norm
constant   one bank for all questions, with a read that was trained on it: `lmem train --constant`
deleted    its own turns without the question's evidence
last_20    only its last 20 turns
none       no bank
null_rows  the paper's "bank forced to zero": zero rows that are still read
baseline   the bare backbone, nothing attached
oracle, last_k, bm25   the bare backbone with turns in its input: `lmem.evaluation.text_baselines`
"""

import random
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lmem.data.conversation import Conversation, Question
from lmem.errors import InputError, expect_out_of
from lmem.evaluation import text_baselines
from lmem.memory.bank import Bank, joined
from lmem.memory.leave_out import write_without
from lmem.memory.model import ENCODE_TURNS, MemoryModel
from lmem.training.banks import constant_bank
from lmem.utils.progress import track

if TYPE_CHECKING:
    from lmem.evaluation.evaluate import EvalConfig

LIGHT = ("right", "twin", "other", "none", "null_rows", "baseline")
BANKS = ("right", "twin", "other", "shuffled", "noise", "rough", "constant", "deleted", "last_20")
BANKS += ("none", "null_rows")
CONTROLS = (*BANKS, "baseline", *text_baselines.CHOICES)
LAST = 20


def allowed_conditions(
    model: MemoryModel,
    conversations: Sequence[Conversation],
    controls: str | Iterable[str] | None = None,
    constant: MemoryModel | None = None,
) -> list[str]:
    """Choose the conditions to ask under.

    Args:
        model: The memory to be evaluated.
        conversations: The test conversations.
        controls: Names, as a list or separated by commas; "all" that are possible here; None or "light", the light ones.
        constant: A model that was trained with TrainConfig(constant=True), if there is one.

    Returns:
        Names, in the order of CONTROLS.

    Raises:
        InputError: A condition is unknown or impossible with these conversations or this model, or the constant is of another
            method or size or does not share the backbone object.
    """
    if constant is not None:
        _check_constant(model, constant)
    impossible = set() if constant is not None else {"constant"}
    if len(conversations) < 2:
        impossible.add("other")
    if any(c.twin is None for c in conversations):
        impossible.add("twin")
    if not any(q.evidence for c in conversations for q in c.questions):
        impossible |= {"deleted", "oracle"}
    if model.write_rule is None:
        impossible |= set(BANKS)
    possible = [name for name in CONTROLS if name not in impossible]
    if controls == "all":
        return possible
    if controls in (None, "light"):
        return [name for name in possible if name in (*LIGHT, "constant")]
    named = controls.split(",") if isinstance(controls, str) else list(controls or ())
    if not named:
        raise InputError(f"expected conditions out of {', '.join(possible)}, none were named")
    expect_out_of("conditions", possible, *named)
    return [name for name in possible if name in named]


def _check_constant(model: MemoryModel, constant: MemoryModel) -> None:
    expected, actual = (
        f"{m.method.name} with {m.rows} rows and read options {m.options['read']} "
        f"on the backbone {m.backbone.fingerprint[:12]}"
        for m in (model, constant)
    )
    if expected != actual:
        raise InputError(f"expected a constant of {expected}, not of {actual}")
    if constant.backbone.model is not model.backbone.model:
        raise InputError(
            "expected a constant on the very backbone that answers: MemoryModel.from_pretrained(folder, model.backbone)"
        )


class Battery:
    """Everything that some conditions need: turns are encoded once, and banks that questions share are written once.

    Attributes:
        items: List of (index of its conversation, Question). A question's place in this list is how `attached` and
            `sources` refer to it.
        latents: For each conversation the hidden states of its turns, (N, D) each.
        question_latents: {text: (N, D)} of the questions, empty where the read changes them.
        banks: {condition: Bank of all conversations}.
    """

    def __init__(
        self,
        model: MemoryModel,
        conversations: Sequence[Conversation],
        controls: Sequence[str],
        config: "EvalConfig",
        constant: MemoryModel | None = None,
        progress: bool = True,
    ):
        self.model, self.constant = model, constant
        self.conversations, self.config = conversations, config
        self.items: list[tuple[int, Question]] = [
            (i, q) for i, c in enumerate(conversations) for q in c.questions
        ]
        self.latents: list[list[Tensor]] = []
        self.banks: dict[str, Bank] = {}
        self.question_latents = model.encode_questions([q.prompt for _, q in self.items])
        if model.write_rule is None or not (config.knowledge or set(BANKS) & set(controls)):
            return
        self.latents = self._encode(conversations, "encoding turns", progress)
        self.banks["right"] = right = write_banks(model, self.latents, progress)
        if "twin" in controls:
            twins = self._encode([c.twin for c in conversations], "encoding twins", progress)
            self.banks["twin"] = write_banks(model, twins, progress)
        if "shuffled" in controls:
            shuffled = [
                random.Random(f"shuffled {config.seed} {c.id}").sample(turns, len(turns))
                for c, turns in zip(conversations, self.latents, strict=True)
            ]
            self.banks["shuffled"] = write_banks(model, shuffled, progress)
        if "last_20" in controls:
            self.banks["last_20"] = write_banks(model, [z[-LAST:] for z in self.latents], progress)
        if "noise" in controls:
            self.banks["noise"] = noise_like(model, right, config.seed)
        if "rough" in controls:
            self.banks["rough"] = roughened(right, config.seed)
        if constant is not None and "constant" in controls:
            self.banks["constant"] = constant_bank(constant)

    def _encode(self, conversations, title: str, progress: bool) -> list[list[Tensor]]:
        texts = [c.texts(self.config.dates, self.config.captions) for c in conversations]
        return [self.model.encode_turns([turns])[0] for turns in track(texts, title, progress)]

    def sources(self, condition: str) -> list[tuple[str, tuple[int, ...] | None]]:
        """Return what the encoder reads for each question.

        Args:
            condition: A name out of CONTROLS.

        Returns:
            For each question (text, numbers of the turns in it); None where the text has no place for turns.
        """
        if condition not in text_baselines.CHOICES:
            return [(question.prompt, None) for _, question in self.items]
        sources = []
        for c in self.conversations:
            if c.questions:
                texts = c.texts(self.config.dates, self.config.captions)
                sources += text_baselines.sources(
                    self.model.backbone, texts, c.questions, condition, self.config.budget
                )
        return sources

    def attached(self, condition: str, places: Sequence[int]) -> AbstractContextManager:
        """Return the context in which the backbone answers some questions under a condition.

        Args:
            condition: A name out of CONTROLS.
            places: The questions' places in `items`, in the order of the batch.
        """
        model, of = self.model, [self.items[k][0] for k in places]
        if condition == "baseline" or condition in text_baselines.CHOICES:
            return nullcontext()
        if condition == "constant":
            assert self.constant is not None
            return self.constant.attached(self.banks["constant"], expand=1)
        if condition == "deleted":
            return model.attached(self._deleted(places), expand=1)
        if condition == "other":
            condition, of = "right", [(i + 1) % len(self.conversations) for i in of]
        ablate = {"none": "masked", "null_rows": "null_rows"}.get(condition)
        bank = self.banks["right" if ablate else condition]
        return model.attached(bank, ablate, expand=1, of=of)

    def _deleted(self, places: Sequence[int]) -> Bank:
        parts = []
        for i, group in groupby(places, lambda k: self.items[k][0]):
            evidence = [self.items[k][1].evidence for k in group]
            parts.append(banks_without_turns(self.model, self.latents[i], evidence).state)
        return replace(self.banks["right"], state=joined(parts))


@torch.no_grad()
def write_banks(
    model: MemoryModel, latents: Sequence[Sequence[Tensor]], progress: bool = True, batch: int = 32
) -> Bank:
    """Write each conversation's latents into its own bank.

    Args:
        model: The memory.
        latents: For each conversation its turns, (N, D) each.
        progress: Show a progress bar.
        batch: Number of conversations that are written together.

    Returns:
        One Bank of all conversations.
    """
    states = []
    chunks = [latents[i : i + batch] for i in range(0, len(latents), batch)]
    for chunk in track(chunks, "writing banks", progress):
        bank = model.new_bank(len(chunk))
        for start in range(0, max(map(len, chunk)), ENCODE_TURNS):
            bank = model.write_latents(
                bank, [turns[start : start + ENCODE_TURNS] for turns in chunk]
            )
        states.append(bank.state)
    return replace(model.new_bank(), state=joined(states))


@torch.no_grad()
def banks_without_turns(
    model: MemoryModel, latents: Sequence[Tensor], evidence: Sequence[tuple[int, ...]]
) -> Bank:
    """Write banks of one conversation that lack some turns each, all in one pass.

    Args:
        model: The memory.
        latents: The conversation's turns, (N, D) each.
        evidence: For each bank the numbers of the turns that it lacks.

    Returns:
        One Bank of all; each is as if its turns had never been written.
    """
    distinct = list(set(evidence))  # questions with the same evidence share a bank
    bank = model.new_bank()
    steps = deque(write_without(model.write_rule, bank.state, latents, distinct), maxlen=1)
    state, places = steps[0] if steps else (bank.state, [0] * len(distinct))
    place_of = dict(zip(distinct, places, strict=True))
    return replace(bank, state=state).pick([place_of[turns] for turns in evidence])


def noise_like(model: MemoryModel, bank: Bank, seed: int) -> Bank:
    """Draw banks of noise: Gaussian rows where the bank can be read, scaled to the norm of each bank."""
    rows, rule = bank.state.rows, model.write_rule
    assert rule is not None
    readable = rule.readable(bank.state)[:, :, None]
    noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(seed)).to(rows)
    noise = noise * readable
    norm, wanted = (x.flatten(1).norm(dim=1)[:, None, None] for x in (noise, rows * readable))
    return replace(bank, state=bank.state._replace(rows=noise * (wanted / norm.clamp(min=1e-12))))


def roughened(bank: Bank, seed: int, share: float = 0.01) -> Bank:
    """Round banks to bfloat16 and add noise: a memory should not depend on exact numbers.

    Args:
        bank: The banks.
        seed: Seed of the noise.
        share: Norm of the noise of each row, as a share of the row's norm.
    """
    rows = bank.state.rows
    noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(seed)).to(rows)
    size = share * rows.norm(dim=-1, keepdim=True) / rows.shape[-1] ** 0.5
    return replace(bank, state=bank.state._replace(rows=rows.bfloat16().to(rows) + size * noise))
