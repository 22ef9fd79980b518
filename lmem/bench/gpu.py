"""One script for one GPU: encode, write, train, answer at published sizes, beside the plain way at the same size (chapter 15).

Weights are drawn at random: speed and memory are those of the real model, answers mean nothing. The rate of a matrix product and of a
copy are measured in the same run, and so is the plain way: one text at a time, padded to 384 tokens. Beside the measured peak of
memory stands what `lmem plan` says of the same run.
"""

import random

import torch

from lmem.bench import plain
from lmem.bench.compare import away, digits
from lmem.bench.measure import in_turn, spread
from lmem.bench.plan import load_of
from lmem.bench.shape import random_backbone
from lmem.errors import InputError
from lmem.experiments.planning.meta_model import Sketch, bare
from lmem.experiments.planning.op_cost import cost
from lmem.experiments.planning.plan import ANSWER, MIB, memory_of, units_of
from lmem.experiments.planning.profiles import Profile
from lmem.memory.model import MemoryModel
from lmem.training.train import TrainConfig, prepare_loss
from lmem.utils import provenance
from lmem.utils.timing import matrix_rate, peak_mib, reset_peak, seconds

SIZES = ("flan-t5-base", "flan-t5-large", "flan-t5-xl")
UNITS = ("encode", "write", "step", "answer")


def bench_gpu(
    conversations, sizes=SIZES, profile=None, method="m3", scale=1, batch=16, plain_texts=4,
    max_new_tokens=ANSWER, repeats=3, seed=0, make=None, progress=True,
):  # fmt: skip
    """Tokens a second, peak memory and shares of the machine's rates, for each size.

    conversations  what is encoded, written, asked
    profile        Profile; its device is used, and its batches
    plain_texts    sample of the plain way: so many turns, and questions
    make           (size, texts) -> Backbone; default: `random_backbone` of that published size
    returns        dict: profile, dtype, `matrix_gflop_a_second`, `copy_gb_a_second`, `by_size`, rows of (size, unit, tokens_a_second, ms of one
                   turn or question, plain_ms, ratio {min, median, max}, gflop of one, share_of_matrix_rate, share_of_bandwidth, peak_mib,
                   planned_mib); provenance
    raises         InputError without conversations, for a GPU that is not there, or for less than 3 repeats
    """
    profile = profile or Profile.of("cpu")
    device = profile.device
    if not conversations or plain_texts < 1:
        raise InputError(
            f"expected conversations and plain texts, not {len(conversations)}, {plain_texts}"
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("expected a GPU, found none; --dry-run goes through the same on the CPU")
    dtype = getattr(torch, profile.dtype)
    texts = [text for c in conversations for text in c.texts()]
    rate = max(matrix_rate(device, dtype, 512 if device == "cpu" else 8192) for _ in range(3))
    bandwidth = _copy_rate(device, dtype)
    rows, took = [], {}
    for size in sizes:
        backbone = make(size, texts) if make else random_backbone(size, texts, seed, device, dtype)
        begun = seconds(lambda backbone=backbone, size=size: rows.extend(_size(
            size, backbone, conversations, profile, method, scale, batch, plain_texts, max_new_tokens,
            repeats, seed, rate, bandwidth, progress, make is None,
        )), device)  # fmt: skip
        took[size] = begun
        del backbone
        if device == "cuda":
            torch.cuda.empty_cache()
    return digits(
        {
            "what": "gpu",
            "profile": profile.name,
            "dtype": profile.dtype,
            "method": method,
            "batch": batch,
            "matrix_gflop_a_second": rate / 1e9,
            "copy_gb_a_second": bandwidth / 1e9,
            "by_size": rows,
            "provenance": provenance.provenance(seed, took),
        }
    )


def _size(
    size, backbone, conversations, profile, method, scale, batch, few, tokens, repeats, seed, rate,
    bandwidth, progress, published,
):  # fmt: skip
    work = _Works(backbone, conversations, profile, method, scale, batch, few, tokens, seed)
    costs, _ = in_turn(work.ways, repeats, profile.device, progress)
    planned = _planned(size, backbone, conversations, profile, method, scale, batch, published)
    for unit in UNITS:
        known = reset_peak(profile.device)
        work.ways["engine"][unit]()
        peak = peak_mib(profile.device) if known else None
        found = work.counted(unit)
        mine, other = costs["engine"][unit], costs["plain"][unit]
        per = min(mine)
        yield {
            "size": size, "unit": unit, "ms": 1000 * per, "plain_ms": 1000 * min(other),
            "ratio": spread([b / a for a, b in zip(mine, other, strict=True)]),
            "tokens_a_second": work.tokens[unit] / per, "gflop": found.flop.sum() / work.n[unit] / 1e9,
            "share_of_matrix_rate": found.flop.sum() / work.n[unit] / per / rate,
            "share_of_bandwidth": found.moved.sum() / work.n[unit] / per / bandwidth,
            "peak_mib": peak, "planned_mib": planned,
        }  # fmt: skip


class _Works:
    """The four units, our way and the plain way; a call gives the seconds of one turn or one question."""

    def __init__(self, backbone, conversations, profile, method, scale, batch, few, tokens, seed):
        self.model = model = MemoryModel(backbone, method, scale, seed)
        self.device = profile.device
        away(model.read, seed)
        config = TrainConfig.paper(batch=batch)
        loss_of = prepare_loss(model, conversations, config, False)
        optimizer = plain.optimizer_of(model, config)
        parts = [c.texts() for c in conversations]
        every = [text for one in parts for text in one]
        latents = model.encode_turns(parts)
        examples = loss_of.dataset.examples
        drawn = random.Random(seed).choices(examples, k=batch)
        asked = random.Random(seed).choices(examples, k=profile.batch)
        banks, of = loss_of.banks.select([place for place, *_ in asked])
        questions = {q.prompt: q for c in conversations for q in c.questions}
        sample, pairs = (
            every[:few],
            [(banks.pick(p), questions[prompt]) for p, prompt, _ in drawn[:few]],
        )
        exactly = {"max_new_tokens": tokens, "min_new_tokens": tokens}

        def step():
            loss_of(drawn).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        @torch.no_grad()
        def answer():
            prompts = [prompt for _, prompt, _ in asked]
            inputs = backbone.inputs(prompts, True, loss_of.question_latents)
            with model.attached(banks, expand=1, of=of):
                backbone.generate(backbone.encoded(inputs), **exactly)

        @torch.no_grad()
        def write():
            model.write_latents(model.new_bank(len(parts)), latents)

        @torch.no_grad()
        def plain_write():
            state = model.new_bank().state
            for text in sample:
                state = model.write_rule(state, *kept[text])

        def plain_answer():
            for bank, question in pairs:
                with model.attached(bank):
                    backbone.generate(plain.inputs(backbone, question.prompt), **exactly)

        kept = {text: plain.encode(backbone, text) for text in sample}
        self.works = {
            "encode": lambda: backbone.encode(every, truncate=True, batch_tokens=profile.tokens),
            "write": write, "step": step, "answer": answer,
        }  # fmt: skip
        others = {
            "encode": lambda: [plain.encode(backbone, text) for text in sample],
            "write": plain_write,
            "step": lambda: plain.learn(model, optimizer, pairs),
            "answer": plain_answer,
        }
        self.n = {"encode": len(every), "write": len(every), "step": batch, "answer": len(asked)}
        lengths = [len(ids) for ids in backbone.tokenize(every, truncate=True)]
        turn = sum(lengths) / len(lengths)
        answers = sum(loss_of.answer_lengths(drawn)) / batch
        self.tokens = {"encode": turn, "write": turn, "step": answers, "answer": tokens}
        self.ways = {
            "engine": {u: self._timed(w, self.n[u]) for u, w in self.works.items()},
            "plain": {u: self._timed(w, few) for u, w in others.items()},
        }
        for unit in UNITS:
            self.works[unit]()  # what is made once is made before the clock runs

    def _timed(self, work, n):
        return lambda: seconds(work, self.device) / n

    def counted(self, unit):
        """Operations and bytes of one call of ours."""
        return cost(self.works[unit], self.model.backbone.model, self.model)


def _planned(size, backbone, conversations, profile, method, scale, batch, published):
    """MiB that `lmem plan` gives the same run, or None for a size that was not published."""
    if not published:
        return None
    load = load_of(backbone, conversations, batch)
    sketch = Sketch(bare(size, profile.dtype), method, scale)
    return sum(memory_of(sketch, load, units_of(sketch, load, profile, batch)).values())


def _copy_rate(device, dtype):
    """Bytes a second of a copy of 64 MiB, read and written."""
    x = torch.ones(64 * MIB // dtype.itemsize, device=device, dtype=dtype)
    return 2 * 64 * MIB / min(seconds(x.clone, device) for _ in range(5))
