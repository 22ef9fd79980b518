"""What a turn costs after many turns, and what a write and a read cost as the bank grows (page "At full size").

A bank has a fixed size, so the turn after 2,000 others costs what the eleventh did. Rows do cost: every write rule and every read
over rows processes all of them, so time grows in proportion; a prefix passes through the encoder, so time grows with the square.
A square bank is given as many numbers as R rows of width D have: A = sqrt(R D).
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import cycle, islice
from typing import Any

import torch
from torch import nn

from lmem.backbone import hooks
from lmem.backbone.backbone import Backbone, pad
from lmem.bench.measure import median_ms, require_positive, require_repeats, round_floats
from lmem.errors import InputError, expect_out_of
from lmem.memory.model import MemoryModel
from lmem.memory.pooling import row_sizes
from lmem.memory.read import READS
from lmem.memory.write import WRITES
from lmem.utils import provenance
from lmem.utils.progress import track
from lmem.utils.timing import Work, wall_seconds

TURNS = (10, 20, 50, 100, 200, 500, 1000, 2000)
ROWS = (64, 256, 1024, 4096, 16384, 65536)
PREFIX_ROWS = 1024  # beyond, the time is that of the encoder's own attention
COLUMNS = ("turn_ms", "write_ms", "read_ms")


def bench_write(
    backbone: Backbone,
    texts: Sequence[str],
    writes: Sequence[str] | None = None,
    turns: Sequence[int] = TURNS,
    rows: Sequence[int] = ROWS,
    repeats: int = 5,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure milliseconds of one turn, one write, one read.

    Args:
        backbone: The frozen model.
        texts: Turns to write, repeated if they are fewer than the benchmark needs.
        writes: Names of write rules; default: all.
        turns: How many turns were written before.
        rows: Sizes of the bank, at least 8 rows.
        repeats: At least 3; the median counts.
        seed: Of all weights.

    Returns:
        A dict with these entries:

        - by_turns, rows of (write, turns, turn_ms to encode and write, write_ms, read_ms), in a bank of 64 rows (256 x 256 if square);
        - flat, by rule and column, the last cost over the first;
        - by_rows, rows of (kind "write" or "read", name, rows, numbers, ms);
        - bare_ms of the same question without a bank;
        - provenance.

    Raises:
        InputError: A rule is unknown, a bank is smaller than the slots' 8 rows, or there are fewer than 3 repeats.
    """
    writes = list(WRITES if writes is None else writes)
    expect_out_of("writes", WRITES, *writes)
    require_positive(texts=len(texts), turns=min(turns, default=0))
    require_repeats(repeats)
    if min(rows, default=0) < 8:
        raise InputError(f"expected banks of at least 8 rows, not {rows}")
    begun = time.perf_counter()
    bench = _WriteBench(backbone, texts, repeats, seed)
    by_turns, by_rows = [], []
    for name in track(writes, "turns"):
        by_turns += bench.by_turns(name, sorted(turns))
    ended = time.perf_counter()
    reads = [name for name in READS if not name.startswith("proxy")]
    for name in track(writes, "rows of writes"):
        by_rows += bench.write_by_rows(name, sorted(rows))
    for name in track(reads, "rows of reads"):
        by_rows += bench.read_by_rows(name, sorted(rows))
    took = {"turns": ended - begun, "rows": time.perf_counter() - ended}
    result = {
        "backbone": backbone.name,
        "width": backbone.width,
        "repeats": repeats,
        "flat": _flat(by_turns, writes),
        "bare_ms": bench.median_ms([bench.ask])[0],
        "by_turns": by_turns,
        "by_rows": by_rows,
        "provenance": provenance.provenance(seed, took),
    }
    return round_floats(result)


class _WriteBench:
    """One question, and one turn of median length, which is timed everywhere."""

    def __init__(self, backbone: Backbone, texts: Sequence[str], repeats: int, seed: int) -> None:
        self.backbone, self.repeats, self.seed = backbone, repeats, seed
        self.latents = backbone.encode(texts, truncate=True)
        order = sorted(range(len(texts)), key=lambda i: len(self.latents[i]))
        middle = order[len(order) // 2]
        self.text, self.turn = texts[middle], pad([self.latents[middle]])  # (1, N, D), (1, N)
        self.question = backbone.inputs(["question: What is Ana's cat called?"])
        self.labels = backbone.labels(["Miro"])

    def median_ms(self, works: Sequence[Work]) -> list[float]:
        return median_ms(works, self.repeats, lambda work: wall_seconds(work, self.backbone.device))

    @torch.no_grad()
    def ask(self, attach: Callable[[], AbstractContextManager] = nullcontext) -> None:
        """One decoder pass over the question."""
        with attach():
            self.backbone.model(**self.question, labels=self.labels, use_cache=False)

    @torch.no_grad()
    def by_turns(self, name: str, turns: Sequence[int]) -> list[dict[str, Any]]:
        """One bank that is written on and on; a turn, a write and a read are timed at each number of turns."""
        form = WRITES[name].form
        read = next(read for read in ("extension", *READS) if READS[read].form == form)
        model = MemoryModel(self.backbone, f"{name}+{read}", 1, self.seed)
        bank, banks, stream = model.new_bank(), [], cycle(self.latents)
        for before, count in zip((0, *turns), turns, strict=False):
            bank = model.write_latents(bank, [list(islice(stream, count - before))])
            banks.append(bank)
        works = {
            "turn_ms": [partial(model.write, bank, [self.text], truncate=True) for bank in banks],
            "write_ms": [partial(model.write_rule, bank.state, *self.turn) for bank in banks],
            "read_ms": [partial(self.ask, partial(model.attached, bank)) for bank in banks],
        }
        columns = {column: self.median_ms(works[column]) for column in COLUMNS}
        return [
            {"write": name, "turns": count, **{column: columns[column][i] for column in COLUMNS}}
            for i, count in enumerate(turns)
        ]

    @torch.no_grad()
    def write_by_rows(self, name: str, rows: Sequence[int]) -> list[dict[str, Any]]:
        width, form, works, numbers = self.backbone.width, WRITES[name].form, [], []
        for size in rows:
            side = self.shape(size, form)[0] if form == "square" else size
            rule = self.make(WRITES[name], side, width)
            works.append(partial(rule, rule.start(), *self.turn))
            numbers.append(rule.p0.numel())
        return _rows("write", name, rows, numbers, self.median_ms(works))

    def read_by_rows(self, name: str, rows: Sequence[int]) -> list[dict[str, Any]]:
        rows = [size for size in rows if name != "prefix" or size <= PREFIX_ROWS]
        width, layers, works, numbers = self.backbone.width, self.backbone.layers, [], []
        for size in rows:
            shape = self.shape(size, READS[name].form)
            read = self.make(READS[name], width, layers, shape[0])
            bank = torch.randn(1, *shape).to(self.backbone.device)
            mask = torch.ones(1, shape[0], dtype=torch.bool, device=bank.device)
            attach = partial(hooks.attach, self.backbone.model, read, bank, mask)
            works.append(partial(self.ask, attach))
            numbers.append(bank.numel())
        return _rows("read", name, rows, numbers, self.median_ms(works))

    def shape(self, rows: int, form: str) -> tuple[int, int]:
        """Shape of what a read gets of a bank with as many numbers as `rows` rows of width D."""
        width = self.backbone.width
        side = round((rows * width) ** 0.5)
        key, code = row_sizes(width, None, None)
        span = key + 8 * code  # a row of the span write, as its defaults are
        shapes = {
            "rows": (rows, width),
            "square": (side, side),
            "keyed": (2 * rows, width // 2),
            "spans": (rows * width // span, span + 1),  # and the turn
        }
        return shapes[form]

    def make(self, kind: Callable[..., nn.Module], *sizes: int) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return kind(*sizes).to(self.backbone.device)


def _rows(
    kind: str, name: str, rows: Sequence[int], numbers: list[int], ms: list[float]
) -> list[dict[str, Any]]:
    return [
        {"kind": kind, "name": name, "rows": size, "numbers": n, "ms": t}
        for size, n, t in zip(rows, numbers, ms, strict=True)
    ]


def _flat(by_turns: list[dict[str, Any]], writes: Sequence[str]) -> dict[str, dict[str, float]]:
    """{rule: {column: cost after the most turns over cost after the fewest}}."""
    flat = {}
    for name in writes:
        mine = [row for row in by_turns if row["write"] == name]
        flat[name] = {column: mine[-1][column] / mine[0][column] for column in COLUMNS}
    return flat
