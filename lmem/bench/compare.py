"""The engine against the plain way, in one run on one machine: what the benches of training and evaluation share (chapter 15).

Each unit's cost is measured on a sample and multiplied by the counts of the whole run. Beside it stand the operations of the same
units, which say what to expect without any clock, and the floor: the operations of the questions' own decoder passes at the rate
of this machine's matrix product. Both ways must agree on the sample, or nothing is reported.
"""

import time
from dataclasses import replace
from functools import partial

import torch

from lmem.bench import plain
from lmem.bench.measure import account, in_turn, operations
from lmem.errors import InputError, LmemError
from lmem.memory.model import MemoryModel
from lmem.training.banks import make_banks
from lmem.utils import provenance
from lmem.utils.timing import matrix_rate, seconds

PADDING = {"plain": plain.MAX_TOKENS, "unpadded": None}  # the plain way, and it without padding
CHECKED = 24  # turns of the bank that both ways write and ask
ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-3, torch.bfloat16: 5e-2}


class Comparison:
    """A model on a backbone, and encoding and writing both ways.

    conversations  list of Conversation; the counts of the whole run are theirs
    turns          sample of the engine: so many of each conversation, side by side
    plain_turns    sample of the plain way
    raises         InputError for an empty sample, or for the method without a bank
    """

    def __init__(self, backbone, conversations, method, scale, seed, turns, plain_turns):
        positive(conversations=len(conversations), turns=turns, plain_turns=plain_turns)
        self.model = MemoryModel(backbone, method, scale, seed)
        if self.model.write_rule is None:
            raise InputError(f"expected a method with a bank, {self.model.method.name} has none")
        away(self.model.read, seed)
        self.backbone, self.conversations, self.seed = backbone, conversations, seed
        texts = [c.texts() for c in conversations]
        self.turns = sum(map(len, texts))
        self.parts = [some(one, turns) for one in texts]
        self.few = some([text for one in texts for text in one], plain_turns)

    def timed(self, work, n):
        """A call that does the work, n units of it, and returns the seconds of one."""
        return lambda: seconds(work, self.backbone.device) / n

    def engine(self):
        """Conversations side by side, turns of similar length together: {unit: call}."""
        n = sum(map(len, self.parts))
        encode = partial(self.model.encode_turns, self.parts)
        write = partial(self.model.write_latents, self.model.new_bank(len(self.parts)), encode())
        return {"encode": self.timed(encode, n), "write": self.timed(torch.no_grad()(write), n)}

    def plainly(self, texts, length):
        """Turn by turn: {unit: work on these texts}."""
        latents = [plain.encode(self.backbone, text, length) for text in texts]

        def encode():
            for text in texts:
                plain.encode(self.backbone, text, length)

        @torch.no_grad()
        def write():
            state = self.model.new_bank().state
            for one in latents:
                state = self.model.write_rule(state, *one)

        return {"encode": encode, "write": write}

    def plain(self, length):
        """The same on the sample of the plain way: {unit: call}."""
        works = self.plainly(self.few, length)
        return {unit: self.timed(work, len(self.few)) for unit, work in works.items()}

    def bank(self):
        """A bank of the first conversation, written plainly, and how far the engine's lies from it."""
        bank = plain.write(self.model, self.parts[0][:CHECKED])
        ours = make_banks(self.model, [one[:CHECKED] for one in self.parts], progress=False).pick(0)
        worst = (ours.state.rows - bank.state.rows).abs().max() / bank.state.rows.abs().max()
        return bank, self.agree("banks", worst)

    def agree(self, what, difference):
        """A relative difference, if it is no more than rounding; LmemError otherwise."""
        difference, most = float(difference), ROUNDING[self.backbone.dtype]
        if not difference <= most:
            raise LmemError(
                f"expected the same {what} both ways, up to {most:g}, they differ by {difference:.2g}"
            )
        return float(f"{difference:.2g}")

    def ids(self, texts):
        """Token ids, with the end of each text."""
        return self.backbone.tokenize(list(texts), truncate=True)

    def tokens(self, questions, answers):
        """Mean lengths of what goes in and comes out, in tokens."""
        mean = {"turn": self.few, "question": [q.prompt for q in questions]}
        mean = {name: [len(ids) for ids in self.ids(texts)] for name, texts in mean.items()}
        mean["answer"] = answers
        return {"tokens": {name: sum(found) / len(found) for name, found in mean.items()}}

    def report(self, about, ways, counts, sample, ask, repeats, progress, own=None):
        """Measure, multiply, add.

        about         what was run
        ways, counts  as in `in_turn` and `account`; the last unit is the question's; what the plain way does not do apart is
                      in `own`
        sample, ask   a few questions, and how one of them is worked off plainly: ask(one, length)
        own           {unit: (work, n)} of the engine whose operations are counted themselves
        returns       dict: `about`; `counts`; `unit_seconds`, `seconds`, `ratio` (see `account`); `gflop` of each unit, and
                      the ratios that they predict; `floor`; `peak_memory_mib`; `provenance`
        """
        begun = time.perf_counter()
        gflop, decoder = self._gflop(sample, ask, list(counts["plain"]), own or {})
        counted = time.perf_counter()
        device = self.backbone.device
        costs, peaks = in_turn(ways, repeats, device, progress)
        rate = max(matrix_rate(device, self.backbone.dtype) for _ in range(repeats)) / 1e9
        timed = time.perf_counter()
        found = account(costs, counts)
        whole = {way: sum(gflop[way][unit] * n for unit, n in counts[way].items()) for way in ways}
        question, n = list(counts["engine"].items())[-1]
        engine = {part: each["median"] for part, each in found["seconds"]["engine"].items()}
        floor = decoder * n / rate
        return {
            "method": self.model.method.name, "rows": self.model.rows, "backbone": self.backbone.name,
            "conversations": len(self.conversations), "turns": self.turns, **about, "repeats": repeats,
            "counts": counts, **found, "gflop": gflop,
            "ratio_by_operations": {way: whole[way] / whole["engine"] for way in PADDING},
            "floor": {
                "gflop_a_question": decoder, "gflop_a_second": rate, "seconds": floor,
                f"engine_{question}_over_floor": engine[question] / floor,
                "engine_over_floor": engine["total"] / floor,
            },
            "peak_memory_mib": peaks,
            "provenance": provenance.provenance(
                self.seed, {"operations": counted - begun, "timing": timed - counted}
            ),
        }  # fmt: skip

    def _gflop(self, sample, ask, units, own):
        """1e9 operations: {way: {unit: of one}}, and those of one question's decoder pass.

        The engine is charged what one alone takes without padding; in the units of `own` what it does itself, padding and all.
        """
        found, model = {}, self.backbone.model
        texts = some(self.few, len(sample))
        for way, length in PADDING.items():
            works = [*self.plainly(texts, length).values()]
            works.append(lambda length=length: [ask(one, length) for one in sample])
            sizes = (len(texts), len(texts), len(sample))
            ops = [operations(model, work) for work in works]
            found[way] = {
                unit: all_ / n / 1e9 for unit, (all_, _), n in zip(units, ops, sizes, strict=True)
            }
        mine = {unit: operations(model, work)[0] / n / 1e9 for unit, (work, n) in own.items()}
        return {"engine": found["unpadded"] | mine, **found}, ops[-1][1] / len(sample) / 1e9


def away(read, seed):
    """The read's weights drawn away from their start, which is often zero: what is compared must see the bank."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for weight in read.parameters():
            drawn = torch.randn(weight.shape) / weight.shape[-1] ** 0.5
            weight.copy_(drawn if weight.ndim > 1 else torch.ones(weight.shape))


def some(items, n):
    """About n of the items, spread evenly."""
    return items[:: max(1, len(items) // n)][:n]


def shortened(conversation, turns, questions=None):
    """Its first turns and its questions that have an answer (at most so many); what they ask about may be missing."""
    asked = [q for q in conversation.questions if q.answer is not None][:questions]
    asked = [replace(q, evidence=(), lag=None) for q in asked]
    short = replace(conversation, questions=tuple(asked), twin=None)
    return short.until(min(turns, len(short.turns)))


def positive(**sizes):
    """InputError for a sample without anything in it."""
    for name, size in sizes.items():
        if size < 1:
            raise InputError(f"expected at least 1 of {name}, not {size}")


def digits(value):
    """Every float in a result to 4 digits."""
    if isinstance(value, dict):
        return {name: digits(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [digits(inner) for inner in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
