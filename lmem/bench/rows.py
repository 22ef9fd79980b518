"""What many rows cost, and what they are good for: one question asked of banks of 64 to 1,000,000 rows (page "At full size").

    whole    exact, keys and values of all rows at once
    chunks   exact, some rows at a time
    top-k    the rows that an index finds

Time is the processor time of this process, so that other programs on the machine do not count. Memory is what PyTorch uses at
most in addition to weights and bank (`lmem.experiments.planning.op_cost`); an index is reported separately.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from lmem.backbone import hooks
from lmem.backbone.backbone import pad
from lmem.backbone.latent_cache import cached
from lmem.bench.measure import median_ms, require_repeats, round_floats
from lmem.data import locomo, tinyworld
from lmem.data.conversation import Conversation, Question
from lmem.errors import InputError
from lmem.experiments.planning.op_cost import cost
from lmem.memory import large
from lmem.memory.large import LargeSlots
from lmem.memory.model import MemoryModel
from lmem.memory.write.slots import SlotWrite
from lmem.metrics.answer_scores import exact_match
from lmem.metrics.statistics import wilson
from lmem.utils import provenance
from lmem.utils.files import write_file
from lmem.utils.progress import track
from lmem.utils.timing import MIB, cpu_seconds

ROWS = (64, 256, 1024, 4096, 16384, 65536, 262144, 1000000)
WHOLE = 16384  # rows beyond which keys and values of all of them take too much memory
SLOTS = (64, 262144)  # fewest and most rows of the slots
JUDGED = 256  # queries of heads and layers, by which an index is judged
TURN_TOKENS = 14  # of a turn that is written into slots

Way = Callable[[], AbstractContextManager]


def bench_rows(
    model: MemoryModel,
    conversations: Sequence[Conversation],
    rows: Sequence[int] = ROWS,
    k: int = 32,
    probes: int = 16,
    chunk: int = large.CHUNK,
    questions: int = 24,
    repeats: int = 3,
    max_new_tokens: int = 8,
    folder: Path | None = None,
    whole: int = WHOLE,
    before: dict[str, Any] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure latency, memory and answers by rows.

    Args:
        model: Its rows are latents (`recent`) or facts (`keyed`).
        conversations: The newest last; questions are of the newest.
        rows: Sizes of the bank; those beyond what the conversations fill are left out.
        k: Rows that a top-k read uses.
        probes: Clusters that it searches.
        chunk: Rows at a time.
        questions: At most.
        repeats: At least 3.
        max_new_tokens: Of an answer.
        folder: Where the rows are stored, mapped into memory; default: in memory.
        whole: The largest bank whose keys and values are made at once.
        before: An earlier result with the same settings; its sizes are not measured again.
        seed: Of the index.

    Returns:
        A dict with these entries:

        - by_rows, rows of (rows, way, ms, mib, n, em {mean, low, high}, same: the share of answers that equal the exact ones); for
          top-k also recall (of its rows among the exact best k), touched, index_mib, index_s;
        - slots, rows of (rows, way, ms, same: the share of the rows chosen that are the exact rule's);
        - grows.

    Raises:
        InputError: There are no questions or rows, or the bank is of another kind.
    """
    if model.method.write not in ("recent", "keyed"):
        raise InputError(f"expected the write recent or keyed, not {model.method.write}")
    require_repeats(repeats)
    asked = [q for q in conversations[-1].questions if q.answer is not None][:questions]
    if not asked:
        raise InputError("expected questions with answers about the newest conversation")
    begun = time.perf_counter()
    every = stored_rows(model, conversations, max(rows), folder)
    sizes = sorted({size for size in rows if size <= len(every)})
    if not sizes:
        raise InputError(f"expected banks of at most {len(every)} rows, not {list(rows)}")
    about = {
        "what": "rows",
        "backbone": model.backbone.name,
        "method": model.method.name,
        "newest_rows": len(rows_of(model, conversations[-1])),
        "questions": len(asked),
        "k": k,
        "probes": probes,
        "chunk": chunk,
    }
    before = before or {**about, "by_rows": [], "slots": []}
    if any(before.get(name) != value for name, value in about.items()):
        raise InputError(f"expected an earlier result of the same, with {about}")
    by_rows, slots = list(before["by_rows"]), list(before["slots"])
    written = time.perf_counter()
    done = {row["rows"] for row in by_rows}
    bench = RowsBench(model, asked, repeats, max_new_tokens, k, probes, chunk, seed)
    for size in track([size for size in sizes if size not in done], "rows"):
        by_rows += bench.at(every[-size:], size <= whole)
        if SLOTS[0] <= size <= SLOTS[1]:
            slots += slots_at(every, size, probes, seed)
    took = {"telling": written - begun, "asking": time.perf_counter() - written}
    by_rows.sort(key=lambda row: row["rows"])
    slots.sort(key=lambda row: row["rows"])
    measured = {"grows": growth(by_rows), "by_rows": by_rows, "slots": slots}
    return round_floats(about | measured | {"provenance": provenance.provenance(seed, took)})


def newest_last(n: int, turns: int, questions: int, seed: int) -> list[Conversation]:
    """Draw tinyworld conversations; the newest is the same however many come before it."""
    world = tinyworld.World(turns=turns, questions=max(questions, 1))
    drawn = [tinyworld.sample(f"rows {seed}", i, world, twin=False) for i in reversed(range(n))]
    return locomo.parse(drawn)


def load_model(adapter: str | None = None, folder: Path | None = None) -> MemoryModel:
    """Load an adapter (default: the shipped one), with latents kept in a folder if one is given."""
    load: Callable[..., MemoryModel] = MemoryModel.from_shipped
    if adapter:
        load = partial(MemoryModel.from_pretrained, adapter)
    model = load()
    return load(backbone=cached(model.backbone, folder / "latents")) if folder else model


@torch.no_grad()
def stored_rows(
    model: MemoryModel, conversations: Sequence[Conversation], most: int, folder: Path | None = None
) -> Tensor:
    """Return the newest `most` rows of all conversations, oldest first: (R, D), mapped from a file in `folder`."""
    parts, left = [], most
    for conversation in track(conversations[::-1], "writing rows"):
        if left <= 0:
            break
        parts.append(rows_of(model, conversation)[-left:])
        left -= len(parts[-1])
    rows = torch.cat(parts[::-1]).float().cpu()
    if folder is None:
        return rows
    path = Path(folder) / "rows.f32"
    with write_file(path) as temporary:
        rows.numpy().tofile(temporary)
    shape = rows.shape
    del rows, parts
    return torch.from_file(str(path), shared=False, size=shape.numel()).view(shape)


def rows_of(model: MemoryModel, conversation: Conversation) -> Tensor:
    """Return the rows of one conversation: one per token's latent, or of a keyed write one per turn that it keeps."""
    [latents] = model.encode_turns([conversation.texts()])
    if model.method.write == "recent":
        return torch.cat(latents)
    rule: Any = model.write_rule
    key, value, keep, _ = rule.parts(*pad(latents))
    return torch.cat([key, value], 1)[keep > 0]


@dataclass
class RowsBench:
    """Questions that are asked of banks of every size; settings as in `bench_rows`."""

    model: MemoryModel
    questions: Sequence[Question]
    repeats: int
    max_new_tokens: int
    k: int
    probes: int
    chunk: int
    seed: int

    @torch.no_grad()
    def at(self, rows: Tensor, whole: bool) -> list[dict[str, Any]]:
        """Measure every way at one size of the bank, (R, D)."""
        keys = large.searched(self.model, rows)
        begun = time.process_time()
        index = large.Index(keys, probes=self.probes, seed=self.seed)
        built = time.process_time() - begun
        watch = RecordedQueries(index)
        ways: dict[str, Way] = {
            "chunks": lambda: large.in_chunks(self.model, self.chunk),
            "top-k": lambda: large.top_k(self.model, watch, self.k),
        }
        if whole:
            ways = {"whole": nullcontext, **ways}
        exact = self.ask(rows, ways["chunks"])
        measured = [self.measure(rows, name, way, exact) for name, way in ways.items()]
        best = large.best_rows(watch.queries, keys, self.k)
        measured[-1] |= {
            "recall": large.agreement(index.search(watch.queries, best.shape[1]), best),
            "touched": index.touched,
            "index_s": built,
            "index_mib": keys.numel() * 4 / MIB,
        }
        return measured

    @torch.no_grad()
    def ask(self, rows: Tensor, way: Way, questions: int | None = None) -> list[str]:
        """Answer the first questions (default: all) from these rows."""
        backbone, mask = self.model.backbone, torch.ones(1, len(rows), dtype=torch.bool)
        prompts = [question.prompt for question in self.questions[:questions]]
        with way(), hooks.attach(backbone.model, self.model.read, rows[None], mask):
            return backbone.generate(backbone.inputs(prompts), max_new_tokens=self.max_new_tokens)

    def measure(self, rows: Tensor, name: str, way: Way, exact: list[str]) -> dict[str, Any]:
        """Measure one way: milliseconds and memory of one question, scores of the answers to all."""
        answers = exact if name == "chunks" else self.ask(rows, way)
        ask_first = partial(self.ask, rows, way, 1)
        peak = cost(ask_first, self.model.backbone.model, self.model, rows).peak
        [ms] = median_ms([ask_first], self.repeats, cpu_seconds)
        right = [str(question.answer) for question in self.questions]
        hits = [exact_match(*pair) for pair in zip(answers, right, strict=True)]
        low, high = wilson(sum(hits), len(hits))
        return {
            "rows": len(rows),
            "way": name,
            "ms": ms,
            "mib": peak / MIB,
            "n": len(hits),
            "em": {"mean": sum(hits) / len(hits), "low": low, "high": high},
            "same": sum(a == b for a, b in zip(answers, exact, strict=True)) / len(exact),
        }


class RecordedQueries:
    """An index that keeps what is searched for: the first JUDGED queries of heads and layers."""

    def __init__(self, index: large.Index) -> None:
        self.index, self.queries = index, torch.empty(0)

    def search(self, queries: Tensor, k: int) -> Tensor:
        """Search the index for queries (Q, D)."""
        if len(self.queries) < JUDGED:
            seen = [self.queries] if len(self.queries) else []
            self.queries = torch.cat([*seen, queries.clone().cpu()])[:JUDGED]
        return self.index.search(queries, k)


@torch.no_grad()
def slots_at(
    rows: Tensor, size: int, probes: int, seed: int, turns: int = 12
) -> list[dict[str, Any]]:
    """Measure M.6's write into so many rows: every row scored and copied, or an index and a bank that is changed in place."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        rule = SlotWrite(size, rows.shape[1])
    state = rule.start()
    slots = LargeSlots(rule, rule.p0.clone(), large.Index(rule.p0, probes=probes))
    times, same = {"whole": [], "index": []}, []
    for number in range(turns):
        turn = rows[-TURN_TOKENS * (number + 1) :][:TURN_TOKENS]
        latents, mask = turn[None], torch.ones(1, len(turn), dtype=torch.bool)
        exact = rule.choose(state.rows, latents, mask)[2]
        times["whole"].append(cpu_seconds(partial(rule, state, latents, mask)))
        state = rule(state, latents, mask)
        begun = time.process_time()
        chosen = slots.write(turn)
        times["index"].append(time.process_time() - begun)
        same.append(large.agreement(chosen[None], exact))
    shares = {"whole": 1.0, "index": sum(same) / len(same)}
    return [
        {"rows": size, "way": way, "ms": 1000 * median(each), "same": shares[way]}
        for way, each in times.items()
    ]


def growth(by_rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return {way: how many times as much its largest bank takes as its smallest}, and how many times as many rows it has."""
    grows = {}
    for way in dict.fromkeys(row["way"] for row in by_rows):
        mine = [row for row in by_rows if row["way"] == way]
        first, last = mine[0], mine[-1]
        grows[way] = {
            "rows": last["rows"] / first["rows"],
            "ms": last["ms"] / first["ms"],
            "mib": last["mib"] / max(first["mib"], 1e-9),
        }
    return grows
