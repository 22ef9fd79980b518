"""What a turn costs after many turns, and what a write and a read cost as the bank grows (chapter 15).

A bank has one size for ever, so the turn after 2,000 others costs what the eleventh did. What does cost is rows: every write rule
and every read over rows goes through all of them, in proportion; a prefix goes through the encoder, in proportion to the square.
A square bank is given as many numbers as R rows of width D hold: A = sqrt(R D).
"""

import time
from contextlib import nullcontext
from functools import partial
from itertools import cycle, islice
from statistics import median

import torch

from lmem.backbone import hooks
from lmem.backbone.backbone import pad
from lmem.bench.compare import digits, positive
from lmem.errors import InputError
from lmem.memory.model import MemoryModel
from lmem.memory.read import READS
from lmem.memory.write import WRITES
from lmem.utils import provenance
from lmem.utils.progress import track
from lmem.utils.timing import seconds

TURNS = (10, 20, 50, 100, 200, 500, 1000, 2000)
ROWS = (64, 256, 1024, 4096, 16384, 65536)
PREFIX_ROWS = 1024  # beyond, the encoder's own attention is what is measured


def bench_write(
    backbone, texts, writes=None, turns=TURNS, rows=ROWS, repeats=5, seed=0, progress=True
):
    """Milliseconds of one turn, one write, one read.

    texts    turns to write, over again if they are fewer than the bench needs
    writes   names of write rules; default: all
    turns    how many turns were written before
    rows     sizes of the bank
    repeats  times of each, one after the other; the median counts
    returns  dict: `by_turns`, rows of (write, turns, turn_ms: encoded and written, write_ms, read_ms), each in a bank of 64 rows
             (256 x 256 if square); `flat`: by rule and column, the last over the first; `by_rows`: rows of (kind "write" or
             "read", name, rows, numbers, ms); `bare_ms`, the same question without a bank; `provenance`
    raises   InputError for an unknown rule, a bank smaller than the slots' 8 rows, or less than 3 repeats
    """
    writes = list(WRITES if writes is None else writes)
    for name in writes:
        if name not in WRITES:
            raise InputError(f"expected writes out of {', '.join(WRITES)}, not {name!r}")
    positive(texts=len(texts), turns=min(turns, default=0))
    if min(rows, default=0) < 8 or repeats < 3:
        raise InputError(f"expected banks of at least 8 rows and 3 repeats, not {rows}, {repeats}")
    begun = time.perf_counter()
    bench = _Bench(backbone, texts, repeats, seed)
    by_turns = [
        row
        for name in track(writes, "turns", progress)
        for row in bench.by_turns(name, sorted(turns))
    ]
    ended = time.perf_counter()
    pieces = [("write", name) for name in writes]
    pieces += [("read", name) for name in READS if not name.startswith("proxy")]
    by_rows = [
        row
        for kind, name in track(pieces, "rows", progress)
        for row in getattr(bench, f"{kind}_by_rows")(name, sorted(rows))
    ]
    took = {"turns": ended - begun, "rows": time.perf_counter() - ended}
    return digits(
        {
            "backbone": backbone.name,
            "width": backbone.width,
            "repeats": repeats,
            "flat": _flat(by_turns, writes),
            "bare_ms": bench.medians([bench.ask])[0],
            "by_turns": by_turns,
            "by_rows": by_rows,
            "provenance": provenance.provenance(seed, took),
        }
    )


class _Bench:
    """One question, and one turn of middle length, which is the one that is timed everywhere."""

    def __init__(self, backbone, texts, repeats, seed):
        self.backbone, self.repeats, self.seed = backbone, repeats, seed
        self.latents = backbone.encode(texts, truncate=True)
        order = sorted(range(len(texts)), key=lambda i: len(self.latents[i]))
        middle = order[len(order) // 2]
        self.text, self.turn = texts[middle], pad([self.latents[middle]])  # (1, N, D), (1, N)
        self.question = backbone.inputs(["question: What is Ana's cat called?"])
        self.labels = backbone.labels(["Miro"])

    def medians(self, works):
        """Milliseconds of each call, timed in turn; all are called once before the clock runs."""
        for work in works:
            work()
        device = self.backbone.device
        times = [[seconds(work, device) for work in works] for _ in range(self.repeats)]
        return [1000 * median(each) for each in zip(*times, strict=True)]

    @torch.no_grad()
    def ask(self, attached=None):
        """One decoder pass over the question."""
        with attached or nullcontext():
            self.backbone.model(**self.question, labels=self.labels, use_cache=False)

    @torch.no_grad()
    def by_turns(self, name, turns):
        """One bank, written on and on, and kept at each number of turns: there a turn, a write and a read are timed."""
        read = next(read for read in ("extension", *READS) if READS[read].form == WRITES[name].form)
        model = MemoryModel(self.backbone, f"{name}+{read}", 1, self.seed)
        bank, done, banks, said = model.new_bank(), 0, [], cycle(self.latents)
        for count in turns:
            bank = model.write_latents(bank, [list(islice(said, count - done))])
            done = count
            banks.append(bank)
        columns = {
            "turn_ms": [partial(model.write, one, [self.text], truncate=True) for one in banks],
            "write_ms": [partial(model.write_rule, one.state, *self.turn) for one in banks],
            "read_ms": [lambda one=one: self.ask(model.attached(one)) for one in banks],
        }
        columns = {column: self.medians(works) for column, works in columns.items()}
        return [
            {"write": name, "turns": count} | dict(zip(columns, row, strict=True))
            for count, *row in zip(turns, *columns.values(), strict=True)
        ]

    @torch.no_grad()
    def write_by_rows(self, name, rows):
        form, width = WRITES[name].form, self.backbone.width
        sides = [self.shape(size, form)[0] if form == "square" else size for size in rows]
        rules = [self.made(WRITES[name], side, width) for side in sides]
        works = [partial(rule, rule.start(), *self.turn) for rule in rules]
        numbers = [rule.p0.numel() for rule in rules]
        return _rows("write", name, rows, numbers, self.medians(works))

    def read_by_rows(self, name, rows):
        rows = [size for size in rows if name != "prefix" or size <= PREFIX_ROWS]
        model, width, works, numbers = self.backbone.model, self.backbone.width, [], []
        for size in rows:
            shape = self.shape(size, READS[name].form)
            read = self.made(READS[name], width, self.backbone.layers, shape[0])
            bank = torch.randn(1, *shape).to(self.backbone.device)
            mask = torch.ones(1, shape[0], dtype=torch.bool, device=bank.device)
            attached = partial(hooks.attach, model, read, bank, mask)
            works.append(lambda attached=attached: self.ask(attached()))
            numbers.append(bank.numel())
        return _rows("read", name, rows, numbers, self.medians(works))

    def shape(self, rows, form):
        """Of a bank with as many numbers as `rows` rows of width D."""
        width = self.backbone.width
        side = round((rows * width) ** 0.5)
        return {"rows": (rows, width), "square": (side, side), "keyed": (2 * rows, width // 2)}[
            form
        ]

    def made(self, kind, *sizes):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return kind(*sizes).to(self.backbone.device)


def _rows(kind, name, rows, numbers, ms):
    return [
        {"kind": kind, "name": name, "rows": size, "numbers": n, "ms": one}
        for size, n, one in zip(rows, numbers, ms, strict=True)
    ]


def _flat(by_turns, writes):
    """{rule: {column: cost after the most turns over cost after the fewest}}."""
    found = {}
    for name in writes:
        mine = [row for row in by_turns if row["write"] == name]
        columns = ("turn_ms", "write_ms", "read_ms")
        found[name] = {column: mine[-1][column] / mine[0][column] for column in columns}
    return found
