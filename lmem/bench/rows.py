"""What many rows cost, and what they are good for: one question asked of banks of 64 to 1,000,000 rows (chapter 15).

Conversations are told one after the other, and the newest R rows are the bank. The questions are about the newest conversation, so
the more rows, the more of the others stand beside its own: in them other people of the same names say other things.
    whole    the read as it is: keys and values of all rows are made
    chunks   exact, some rows at a time
    top-k    the rows that an index finds
Time is the process's own, so that other programs on the machine do not count. Memory is what PyTorch holds at most besides weights
and bank (`lmem.experiments.planning.op_cost`); an index is apart.
"""

import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from statistics import median

import torch

from lmem.backbone import hooks
from lmem.backbone.backbone import pad
from lmem.bench.compare import digits
from lmem.errors import InputError
from lmem.experiments.planning.op_cost import cost
from lmem.memory import large
from lmem.memory.large import LargeSlots
from lmem.memory.write.slots import SlotWrite
from lmem.metrics.answer_scores import exact_match
from lmem.metrics.statistics import wilson
from lmem.utils import provenance
from lmem.utils.files import write_file
from lmem.utils.progress import track
from lmem.utils.timing import own_seconds

ROWS = (64, 256, 1024, 4096, 16384, 65536, 262144, 1000000)
WHOLE = 16384  # rows beyond which keys and values of all of them are too much
SLOTS = 262144
ASKED = 256  # questions of heads and layers, by which an index is judged


def bench_rows(
    model, conversations, rows=ROWS, k=32, probes=16, chunk=large.CHUNK, questions=24, repeats=3,
    max_new_tokens=8, folder=None, whole=WHOLE, slots=SLOTS, before=None, seed=0, progress=True,
):  # fmt: skip
    """Latency, memory and answers by rows.

    model          MemoryModel whose rows are latents (`recent`) or facts (`keyed`)
    conversations  list of Conversation, the newest last; questions are of the newest
    rows           sizes of the bank; those beyond what was told are left out
    k, probes      rows that a top-k read takes, and clusters that it looks into
    folder         where the rows lie, mapped into memory; default: in memory
    before         an earlier result of the same: sizes that it has are taken over and not measured again
    returns        dict: `by_rows`, rows of (rows, way, ms, mib, n, em {mean, low, high}, same: share of the answers that equal the
                   exact ones); of top-k also recall (of its rows among the exact best k), touched, index_mib, index_s;
                   `slots`, rows of (rows, way, ms, same: share of the rows chosen that are the exact rule's); `grows`
    raises         InputError without questions or rows, or for another kind of bank
    """
    if model.method.write not in ("recent", "keyed"):
        raise InputError(f"expected the write recent or keyed, not {model.method.write}")
    asked = [q for q in conversations[-1].questions if q.answer is not None][:questions]
    if not asked or repeats < 3:
        raise InputError(f"expected questions and 3 repeats, not {len(asked)} and {repeats}")
    begun = time.perf_counter()
    told = stream(model, conversations, max(rows), folder, progress)
    sizes = sorted({size for size in rows if size <= len(told)})
    if not sizes:
        raise InputError(f"expected banks of at most {len(told)} rows, not {list(rows)}")
    bench = _Bench(model, asked, repeats, max_new_tokens, seed)
    about = {
        "what": "rows", "backbone": model.backbone.name, "method": model.method.name,
        "newest_rows": bench.newest(conversations[-1]), "questions": len(asked), "k": k,
        "probes": probes, "chunk": chunk,
    }  # fmt: skip
    before = before or {**about, "by_rows": [], "slots": []}
    if any(before.get(name) != value for name, value in about.items()):
        raise InputError(f"expected an earlier result of the same, with {about}")
    by_rows, by_slots = list(before["by_rows"]), list(before["slots"])
    written = time.perf_counter()
    done = {row["rows"] for row in by_rows}
    for size in track([size for size in sizes if size not in done], "rows", progress):
        by_rows += bench.at(told[-size:], k, probes, chunk, size <= whole)
        if 64 <= size <= slots:
            by_slots += slots_at(told, size, probes, repeats, seed)
    took = {"telling": written - begun, "asking": time.perf_counter() - written}
    by_rows.sort(key=lambda row: row["rows"])
    by_slots.sort(key=lambda row: row["rows"])
    found = {"grows": grows(by_rows), "by_rows": by_rows, "slots": by_slots}
    return digits(about | found | {"provenance": provenance.provenance(seed, took)})


@torch.no_grad()
def stream(model, conversations, most, folder=None, progress=True):
    """(R, D): the rows of all that was told, the newest `most`, oldest first; mapped from a file in `folder`."""
    parts, left = [], most
    for conversation in track(conversations[::-1], "telling", progress):
        if left <= 0:
            break
        part = rows_of(model, conversation)[-left:]
        left -= len(part)
        parts.append(part)
    told = torch.cat(parts[::-1]).float().cpu()
    if folder is None:
        return told
    path = Path(folder) / "rows.f32"
    with write_file(path) as temporary:
        told.numpy().tofile(temporary)
    shape = told.shape
    del told, parts
    return torch.from_file(str(path), shared=False, size=shape.numel()).view(shape)


def rows_of(model, conversation):
    """What one conversation leaves: a row for each token's latent; of a keyed write, a row for each turn that it keeps."""
    [latents] = model.encode_turns([conversation.texts()])
    if model.method.write == "recent":
        return torch.cat(latents)
    key, value, keep, _ = model.write_rule.parts(*pad(latents))
    return torch.cat([key, value], 1)[keep > 0]


class _Bench:
    def __init__(self, model, asked, repeats, max_new_tokens, seed):
        self.model, self.asked, self.seed = model, asked, seed
        self.repeats, self.tokens = repeats, max_new_tokens
        self.prompts = [q.prompt for q in asked]

    def newest(self, conversation):
        return len(rows_of(self.model, conversation))

    @torch.no_grad()
    def ask(self, rows, prompts, way):
        backbone, mask = self.model.backbone, torch.ones(1, len(rows), dtype=torch.bool)
        with way, hooks.attach(backbone.model, self.model.read, rows[None], mask):
            return backbone.generate(backbone.inputs(prompts), max_new_tokens=self.tokens)

    @torch.no_grad()
    def at(self, rows, k, probes, chunk, whole):
        """Rows of the table for one size of the bank."""
        held = large.searched(self.model, rows)
        made = []
        built = own_seconds(lambda: made.append(large.Index(held, probes=probes, seed=self.seed)))
        [index] = made
        watch = _Asked(index)
        ways = {"whole": nullcontext} if whole else {}
        ways |= {
            "chunks": lambda: large.in_chunks(self.model, chunk),
            "top-k": lambda: large.top_k(self.model, watch, k),
        }
        exact = self.ask(rows, self.prompts, ways["chunks"]())
        found = [self.row(rows, name, way, exact) for name, way in ways.items()]
        best = watch.best(held, k, chunk)
        found[-1] |= {
            "recall": large.agreement(index.search(watch.seen(), min(k, len(rows))), best),
            "touched": index.touched, "index_s": built,
            "index_mib": held.numel() * 4 / 2**20,
        }  # fmt: skip
        return found

    def row(self, rows, name, way, exact):
        """One way: the milliseconds and the memory of one question, the answers to all."""
        answers = exact if name == "chunks" else self.ask(rows, self.prompts, way())

        def one():
            self.ask(rows, self.prompts[:1], way())

        peak = cost(one, self.model.backbone.model, self.model, rows).peak
        ms = 1000 * median(own_seconds(one) for _ in range(self.repeats))
        scores = self.scores(answers, exact)
        return {"rows": len(rows), "way": name, "ms": ms, "mib": peak / 2**20, **scores}

    def scores(self, answers, exact):
        hits = [exact_match(a, q.answer) for a, q in zip(answers, self.asked, strict=True)]
        low, high = wilson(sum(hits), len(hits))
        same = sum(a == b for a, b in zip(answers, exact, strict=True)) / len(exact)
        em = {"mean": sum(hits) / len(hits), "low": low, "high": high}
        return {"n": len(hits), "em": em, "same": same}


class _Asked:
    """An index that remembers what it was asked: the first ASKED questions of heads and layers."""

    def __init__(self, index):
        self.index, self.kept = index, []

    def search(self, asked, k):
        if sum(map(len, self.kept)) < ASKED:
            self.kept.append(asked.clone().cpu())
        return self.index.search(asked, k)

    def seen(self):
        return torch.cat(self.kept)[:ASKED]

    def best(self, rows, k, chunk):
        """The exact best rows (Q, k) of what was asked, chunk by chunk."""
        asked, scores, places = self.seen(), None, None
        for start in range(0, len(rows), chunk):
            part = asked @ rows[start : start + chunk].T
            number = torch.arange(start, start + part.shape[1]).expand_as(part)
            scores = part if scores is None else torch.cat([scores, part], 1)
            places = number if places is None else torch.cat([places, number], 1)
            scores, kept = scores.topk(min(k, scores.shape[1]))
            places = places.gather(1, kept)
        return places


@torch.no_grad()
def slots_at(told, size, probes, repeats, seed, turns=12, tokens=14):
    """M.6's write into so many rows: every row scored and copied, or an index and a bank that is changed in place."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        rule = SlotWrite(size, told.shape[1])
    state, slots = (
        rule.start(),
        LargeSlots(rule, rule.p0.clone(), large.Index(rule.p0, probes=probes)),
    )
    said = [told[-tokens * (t + 1) :][:tokens] for t in range(turns)]
    times, same = {"whole": [], "index": []}, []
    for turn in said:
        given = state, turn[None], torch.ones(1, len(turn), dtype=torch.bool)
        exact = rule.choose(state.rows, *given[1:])[2]
        times["whole"].append(own_seconds(partial(rule, *given)))
        state, chosen = rule(*given), []
        times["index"].append(
            own_seconds(lambda turn=turn, chosen=chosen: chosen.append(slots.write(turn)))
        )
        same.append(large.agreement(chosen[0][None], exact))
    return [
        {"rows": size, "way": way, "ms": 1000 * median(each), "same": sum(same) / len(same) if way == "index" else 1.0}
        for way, each in times.items()
    ]  # fmt: skip


def grows(by_rows):
    """{way: how many times the cost of its smallest bank its largest one takes, and how many times the rows that is}."""
    found = {}
    for way in dict.fromkeys(row["way"] for row in by_rows):
        mine = [row for row in by_rows if row["way"] == way]
        first, last = mine[0], mine[-1]
        found[way] = {
            "rows": last["rows"] / first["rows"],
            "ms": last["ms"] / first["ms"],
            "mib": last["mib"] / max(first["mib"], 1e-9),
        }
    return found
