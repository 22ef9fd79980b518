"""lmem's engine against the plain way, in one run on one machine: what the benchmarks of training and evaluation share (chapter 15).

Each unit's cost is measured on a sample and multiplied by the counts of the whole run. The report also has the operations of the
same units, which predict the ratio without any clock, and the floor: the operations of the questions' own decoder passes at the
speed of this machine's matrix product. Both ways must agree on the sample, or nothing is reported.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lmem.backbone.backbone import MAX_TOKENS, Backbone
from lmem.bench import plain
from lmem.bench.measure import Unit, account, operations, require_positive, round_floats, time_units
from lmem.bench.units import EngineUnits, PlainUnits, randomise, sample_evenly
from lmem.data.conversation import Conversation
from lmem.errors import InputError, LmemError
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel
from lmem.training.banks import make_banks
from lmem.utils import provenance
from lmem.utils.timing import matrix_rate

PADDING = {"plain": MAX_TOKENS, "unpadded": None}  # the plain way, and the same without padding
CHECKED = 24  # turns of the bank that both ways write and ask
ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-3, torch.bfloat16: 5e-2}

Ways = dict[str, dict[str, Unit]]  # {way: {unit: Unit}}


class Comparison:
    """A model whose read is drawn at random, and the ways of encoding and writing.

    Attributes:
        model: MemoryModel.
        turns: Turns of all conversations.
        parts: Sample of the engine, turns of each conversation.
        few: Sample of the plain way, turns.
        ways: {way: {unit: Unit}} with the units encode and write; a benchmark adds its own.
    """

    def __init__(
        self,
        backbone: Backbone,
        conversations: Sequence[Conversation],
        method: str = "m3",
        scale: float = 1,
        seed: int = 0,
        turns: int = 64,
        plain_turns: int = 24,
    ) -> None:
        """Draw the samples.

        Args:
            backbone: The frozen model.
            conversations: The whole run's, whose turns are counted.
            method: Name of a method with a bank.
            scale: 1 is 64 rows.
            seed: Of the model's weights.
            turns: Sample of the engine: turns of each conversation, written in parallel.
            plain_turns: Sample of the plain way: turns.

        Raises:
            InputError: A sample is empty, or the method has no bank.
        """
        require_positive(conversations=len(conversations), turns=turns, plain_turns=plain_turns)
        self.model = MemoryModel(backbone, method, scale, seed)
        if self.model.write_rule is None:
            raise InputError(f"expected a method with a bank, {self.model.method.name} has none")
        randomise(self.model.read, seed)
        self.backbone, self.conversations, self.seed = backbone, conversations, seed
        texts = [c.texts() for c in conversations]
        self.turns = sum(map(len, texts))
        self.parts = [sample_evenly(each, turns) for each in texts]
        self.few = sample_evenly([text for each in texts for text in each], plain_turns)
        self.engine = EngineUnits(self.model)
        self.plain = {way: PlainUnits(self.model, length) for way, length in PADDING.items()}
        together = [text for part in self.parts for text in part]
        write = self.engine.write(self.model.encode_turns(self.parts))
        self.ways: Ways = {"engine": {"encode": self.engine.encode(together), "write": write}}
        for way, units in self.plain.items():
            self.ways[way] = {"encode": units.encode(self.few), "write": units.write(self.few)}

    def check_banks(self) -> tuple[Bank, float]:
        """Write the first conversation's bank the plain way; return it, and how far the engine's differs from it."""
        bank = plain.write(self.model, self.parts[0][:CHECKED])
        parts = [part[:CHECKED] for part in self.parts]
        ours = make_banks(self.model, parts, progress=False).pick(0)
        worst = (ours.state.rows - bank.state.rows).abs().max() / bank.state.rows.abs().max()
        return bank, self.agree("banks", worst)

    def agree(self, what: str, difference: float | Tensor) -> float:
        """Return a relative difference.

        Raises:
            LmemError: It is more than rounding.
        """
        difference, limit = float(difference), ROUNDING[self.backbone.dtype]
        if not difference <= limit:
            raise LmemError(
                f"expected the same {what} both ways, up to {limit:g}, "
                f"they differ by {difference:.2g}"
            )
        return float(f"{difference:.2g}")

    def token_counts(self, texts: Iterable[str]) -> list[int]:
        """Return the tokens of each text, its end included."""
        return [len(ids) for ids in self.backbone.tokenize(list(texts), truncate=True)]

    def report(
        self,
        about: dict[str, Any],
        counts: Mapping[str, Mapping[str, int]],
        lengths: Mapping[str, Sequence[int]],
        repeats: int,
        own: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Measure all units, multiply, and add.

        Args:
            about: What was run, and how well both ways agree.
            counts: {way: {unit: how many the whole run needs}}; the last unit is the question's.
            lengths: Tokens of the questions and of the answers; the mean is reported.
            repeats: At least 3.
            own: Units of the engine whose operations are counted themselves, padding included. In the others it is charged
                what the plain way needs without padding.

        Returns:
            dict: `about`; counts; unit_seconds, seconds, ratio (see `account`); gflop of each unit, and the ratios that they
            predict; floor; peak_memory_mib; provenance.
        """
        begun = time.perf_counter()
        gflop, decoder = self._gflop(own)
        counted = time.perf_counter()
        device = self.backbone.device
        timings = time_units(self.ways, repeats, device)
        rate = max(matrix_rate(self.backbone.dtype, device) for _ in range(repeats)) / 1e9
        took = {"operations": counted - begun, "timing": time.perf_counter() - counted}
        seconds = {
            way: {unit: timing.seconds for unit, timing in units.items()}
            for way, units in timings.items()
        }
        costs = account(seconds, counts)
        whole = {
            way: sum(gflop[way][unit] * n for unit, n in counts[way].items()) for way in self.ways
        }
        [question] = list(counts["engine"])[-1:]
        engine = {unit: costs["seconds"]["engine"][unit]["median"] for unit in (question, "total")}
        floor = decoder * counts["engine"][question] / rate
        peaks = {
            way: [peak for timing in units.values() for peak in timing.peaks]
            for way, units in timings.items()
        }
        tokens = {"turn": self.token_counts(self.few), **lengths}
        result = {
            "method": self.model.method.name,
            "rows": self.model.rows,
            "backbone": self.backbone.name,
            "conversations": len(self.conversations),
            "turns": self.turns,
            "tokens": {name: sum(each) / len(each) for name, each in tokens.items()},
            **about,
            "repeats": repeats,
            "counts": counts,
            **costs,
            "gflop": gflop,
            "ratio_by_operations": {way: whole[way] / whole["engine"] for way in PADDING},
            "floor": {
                "gflop_a_question": decoder,
                "gflop_a_second": rate,
                "seconds": floor,
                f"engine_{question}_over_floor": engine[question] / floor,
                "engine_over_floor": engine["total"] / floor,
            },
            "peak_memory_mib": {way: round(max(p)) if p else None for way, p in peaks.items()},
            "provenance": provenance.provenance(self.seed, took),
        }
        return round_floats(result)

    def _gflop(self, own: Sequence[str]) -> tuple[dict[str, dict[str, float]], float]:
        """1e9 operations: {way: {unit: of one}}, and those of one question's decoder pass."""
        gflop, decoder = {}, 0.0
        for way in PADDING:
            gflop[way] = {}
            for name, unit in self.ways[way].items():
                total, of_decoder = operations(self.backbone.model, unit.work)
                gflop[way][name] = total / unit.count / 1e9
                decoder = of_decoder / unit.count / 1e9  # in the end that of the last unit
        mine = {name: self.ways["engine"][name] for name in own}
        measured = {
            name: operations(self.backbone.model, unit.work)[0] / unit.count / 1e9
            for name, unit in mine.items()
        }
        return {"engine": gflop["unpadded"] | measured, **gflop}, decoder
