"""The control battery: what lies behind a question under each condition, paired per question (chapter 12).

right      the conversation's own bank
twin       the bank of its counterfactual twin: same turns and questions, other values
other      the bank of another conversation of the test set
shuffled   its own turns, written in a random order
noise      Gaussian rows of the own bank's norm
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
from contextlib import nullcontext
from dataclasses import replace
from itertools import groupby

import torch

from lmem.backbone.backbone import pad
from lmem.errors import InputError
from lmem.evaluation import text_baselines
from lmem.memory.bank import State, joined
from lmem.memory.model import WINDOW
from lmem.training.banks import constant_bank
from lmem.utils.progress import track

LIGHT = ("right", "twin", "other", "none", "null_rows", "baseline")
BANKS = (
    "right", "twin", "other", "shuffled", "noise", "rough", "constant", "deleted", "last_20", "none", "null_rows",
)  # fmt: skip
CONTROLS = (*BANKS, "baseline", *text_baselines.CHOICES)
LAST = 20


def allowed(model, conversations, controls=None, constant=None):
    """The conditions to ask under, in the order of CONTROLS.

    controls  names, as a list or with commas between; "all" that can be had here; None or "light" the light ones
    constant  a model that was trained with TrainConfig(constant=True), if there is one
    raises    InputError for an unknown condition, one that these conversations or this model do not allow, and for
              a constant of another method or size, or on a backbone that was loaded anew
    """
    if constant is not None:
        _check_constant(model, constant)
    cannot = set() if constant is not None else {"constant"}
    cannot |= set() if len(conversations) > 1 else {"other"}
    cannot |= set() if all(c.twin is not None for c in conversations) else {"twin"}
    if not any(q.evidence for c in conversations for q in c.questions):
        cannot |= {"deleted", "oracle"}
    if model.write_rule is None:
        cannot |= set(BANKS)
    can = [name for name in CONTROLS if name not in cannot]
    if controls in (None, "light", "all"):
        return [name for name in can if controls == "all" or name in (*LIGHT, "constant")]
    named = controls.split(",") if isinstance(controls, str) else list(controls)
    if not named:
        raise InputError(f"expected conditions out of {', '.join(can)}, none were named")
    for name in named:
        if name not in can:
            raise InputError(f"expected conditions out of {', '.join(can)}, not {name!r}")
    return [name for name in can if name in named]


def _check_constant(model, constant):
    mine, other = (
        f"{m.method.name} with {m.rows} rows and read options {m.options['read']} "
        f"on the backbone {m.backbone.fingerprint[:12]}"
        for m in (model, constant)
    )
    if mine != other:
        raise InputError(f"expected a constant of {mine}, not of {other}")
    if constant.backbone.model is not model.backbone.model:
        raise InputError(
            "expected a constant on the very backbone that answers: MemoryModel.from_pretrained(folder, model.backbone)"
        )


class Battery:
    """Prepared for some conditions: turns are encoded once, banks that all questions of a conversation share are written.

    asked  list of (number of its conversation, Question): the questions that `attached` and `sources` count
    """

    def __init__(self, model, conversations, controls, config, constant=None, progress=True):
        self.model, self.constant = model, constant
        self.conversations, self.config = conversations, config
        self.asked = [(i, q) for i, c in enumerate(conversations) for q in c.questions]
        self.latents, self.banks = [], {}
        self.questions = model.encode_questions(question.prompt for _, question in self.asked)
        if model.write_rule is None or not (config.knowledge or set(BANKS) & set(controls)):
            return
        self.latents = self._encode(conversations, "encoding turns", progress)
        self.banks["right"] = right = write_all(model, self.latents, progress)
        if "twin" in controls:
            twins = self._encode([c.twin for c in conversations], "encoding twins", progress)
            self.banks["twin"] = write_all(model, twins, progress)
        if "shuffled" in controls:
            shuffled = [
                random.Random(f"shuffled {config.seed} {c.id}").sample(turns, len(turns))
                for c, turns in zip(conversations, self.latents, strict=True)
            ]
            self.banks["shuffled"] = write_all(model, shuffled, progress)
        if "last_20" in controls:
            self.banks["last_20"] = write_all(model, [z[-LAST:] for z in self.latents], progress)
        if "noise" in controls:
            self.banks["noise"] = noise_like(model, right, config.seed)
        if "rough" in controls:
            self.banks["rough"] = roughened(right, config.seed)
        if "constant" in controls:
            self.banks["constant"] = constant_bank(constant)

    def _encode(self, conversations, title, progress):
        config, model = self.config, self.model
        texts = [c.texts(config.dates, config.captions) for c in conversations]
        return [model.encode_turns([one])[0] for one in track(texts, title, progress)]

    def sources(self, condition):
        """What the encoder reads: (text, numbers of the turns in it) for each question; None where there is no place for turns."""
        if condition not in text_baselines.CHOICES:
            return [(question.prompt, None) for _, question in self.asked]
        found = []
        for c in self.conversations:
            if c.questions:
                texts = c.texts(self.config.dates, self.config.captions)
                found += text_baselines.sources(
                    self.model.backbone, texts, c.questions, condition, self.config.budget
                )
        return found

    def attached(self, condition, places):
        """Context in which the backbone answers the questions at these places, in this order, under a condition."""
        model, own = self.model, [self.asked[k][0] for k in places]
        if condition == "baseline" or condition in text_baselines.CHOICES:
            return nullcontext()
        if condition == "constant":
            return self.constant.attached(self.banks["constant"], expand=1)
        if condition == "deleted":
            return model.attached(self._deleted(places), expand=1)
        if condition == "other":
            condition, own = "right", [(i + 1) % len(self.conversations) for i in own]
        ablate = {"none": "masked", "null_rows": "null_rows"}.get(condition)
        bank = self.banks["right" if ablate else condition]
        return model.attached(bank, ablate, expand=1, of=own)

    def _deleted(self, places):
        parts = []
        for i, group in groupby(places, lambda k: self.asked[k][0]):
            evidence = [self.asked[k][1].evidence for k in group]
            parts.append(without(self.model, self.latents[i], evidence).state)
        return replace(self.banks["right"], state=joined(parts))


@torch.no_grad()
def write_all(model, latents, progress=True, batch=32):
    """Write each conversation's latents into a bank of its own, `batch` of them side by side: one Bank of all."""
    states = []
    chunks = [latents[i : i + batch] for i in range(0, len(latents), batch)]
    for chunk in track(chunks, "writing banks", progress):
        bank = model.new_bank(len(chunk))
        for start in range(0, max(map(len, chunk)), WINDOW):
            bank = model.write_latents(bank, [one[start : start + WINDOW] for one in chunk])
        states.append(bank.state)
    return replace(bank, state=joined(states))


@torch.no_grad()
def without(model, latents, evidence):
    """Banks of one conversation that lack some turns each, written side by side.

    latents   its turns, (N, D) each
    evidence  for each bank the numbers of the turns that it lacks
    returns   one Bank of all; each is the bank as if its turns had never been said
    """
    distinct = sorted(set(evidence), key=lambda turns: min(turns, default=len(latents)))
    bank = model.new_bank()
    state, apart = bank.state, 0  # state[0] lacks nothing; distinct[k] leaves it at its first turn
    for t, turn in enumerate(latents):
        leaving = [turns for turns in distinct[apart:] if turns and turns[0] == t]
        apart += len(leaving)
        state = joined([state, State(*(x[:1].expand(len(leaving), *x.shape[1:]) for x in state))])
        padded, mask = pad([turn] * len(state.turns))
        for k, turns in enumerate(distinct[:apart], 1):
            if t in turns:
                mask[k] = False
        state = model.write_rule(state, padded, mask)
    places = {turns: k if turns else 0 for k, turns in enumerate(distinct, 1)}
    return replace(bank, state=state).pick([places[turns] for turns in evidence])


def noise_like(model, bank, seed):
    """Banks of noise: Gaussian rows where the bank's may be read, each bank of its own bank's norm."""
    rows = bank.state.rows
    seen = model.write_rule.readable(bank.state)[:, :, None]
    drawn = torch.randn(rows.shape, generator=torch.Generator().manual_seed(seed)).to(rows) * seen
    size, wanted = (x.flatten(1).norm(dim=1)[:, None, None] for x in (drawn, rows * seen))
    return replace(bank, state=bank.state._replace(rows=drawn * (wanted / size.clamp(min=1e-12))))


def roughened(bank, seed, share=0.01):
    """Banks as bfloat16 keeps them, with Gaussian noise of `share` of each row's norm: does the memory hang on exact numbers?"""
    rows = bank.state.rows
    drawn = torch.randn(rows.shape, generator=torch.Generator().manual_seed(seed)).to(rows)
    size = share * rows.norm(dim=-1, keepdim=True) / rows.shape[-1] ** 0.5
    return replace(bank, state=bank.state._replace(rows=rows.bfloat16().to(rows) + size * drawn))
