"""A plan against measurement: the same pieces of a run, forecast from the configuration and run for real (chapter 15).

Memory is what the process gains at its highest over what it held before. The C library is told to give back at once whatever
is larger than 64 KiB, so that holes between what it holds do not count. Time is the process's own, on one thread, so that other
programs on the machine do not count. Linux only.
"""

import ctypes
import random
from pathlib import Path
from statistics import mean

import torch

from lmem.bench.compare import away, digits
from lmem.errors import InputError
from lmem.evaluation import text_baselines
from lmem.experiments.planning.meta_model import Sketch, from_config
from lmem.experiments.planning.plan import ANSWER, MIB, in_words, measured, memory_of, units_of
from lmem.experiments.planning.profiles import Load, Profile
from lmem.memory.model import MemoryModel
from lmem.training.train import TrainConfig, prepare_loss
from lmem.utils import provenance
from lmem.utils.progress import track
from lmem.utils.timing import own_seconds, peak_mib, reset_peak

SOURCE, M_MMAP_THRESHOLD = 384, -3


def bench_plan(
    backbone, conversations, method="m3", scale=1, batch=16, repeats=3, seed=0, progress=True
):
    """Planned and measured, for each piece of a run.

    batch    questions side by side, in training and in answering
    returns  dict: `phases`, rows of (phase, planned_ms, ms, planned_mib, mib), milliseconds of one turn, question or answer;
             `memory_mib`, {"planned", "measured"} by part and in all; `disk_mib` likewise; `machine`; `provenance`
    raises   InputError where peak memory cannot be measured, or for less than 3 repeats
    """
    if repeats < 3:
        raise InputError(f"expected at least 3 repeats, not {repeats}")
    if not reset_peak("cpu"):
        raise InputError("expected a system that resets a process's peak memory, as Linux does")
    _give_back()
    profile = Profile.of("cpu", batch=batch)
    dtype = str(backbone.dtype).removeprefix("torch.")
    load = load_of(backbone, conversations, batch)
    plans = (
        from_config(backbone.model.config, _tied(backbone))
        .to(backbone.dtype)
        .eval()
        .requires_grad_(False)
    )
    sketch = Sketch(plans, method, scale, backbone.model.config._attn_implementation)
    units = units_of(sketch, load, profile, batch)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    machine = measured(dtype, own_seconds)
    real = _Real(backbone, conversations, method, scale, batch, seed)
    phases, took = [], {}
    for name in track(list(real.works), "measuring", progress):
        work, n = real.works[name]
        found, of = units[name]
        planned, peak = (
            found.seconds(machine, *([ANSWER] if name in ("answer", "text") else [])),
            found.peak,
        )
        if name == "text":  # what stands in the input is encoded first
            source, _ = units["source"]
            planned, peak = planned + source.seconds(machine), max(peak, source.peak)
        times, high = [], []
        work()
        for _ in range(repeats):
            held = _held()
            times.append(own_seconds(work))
            high.append(max(0.0, peak_mib() - held))
        took[name] = sum(times)
        phases.append(
            {
                "phase": name, "planned_ms": 1000 * planned / of, "ms": 1000 * min(times) / n,
                "planned_mib": peak / MIB, "mib": max(high),
            }
        )  # fmt: skip
    torch.set_num_threads(threads)
    parts = memory_of(sketch, load, units, copies=1)
    memory = {"planned": parts, "measured": real.memory(max(row["mib"] for row in phases))}
    for side in memory.values():
        side["total"] = sum(side.values())
    return digits(
        {
            "what": "plan",
            "backbone": backbone.name,
            "method": sketch.method.name,
            "rows": sketch.rows,
            "batch": batch,
            "load": {**vars(load)},
            "phases": phases,
            "memory_mib": memory,
            "machine": in_words(machine),
            "provenance": provenance.provenance(seed, took),
        }
    )


def load_of(backbone, conversations, batch):
    """Counts and lengths of these conversations, which are trained on and asked."""
    texts = [c.texts() for c in conversations]
    asked = [q for c in conversations for q in c.questions if q.answer is not None]
    if not asked:
        raise InputError("expected questions with answers, found none")
    turns, prompts, answers = (
        [len(ids) for ids in backbone.tokenize(some_, truncate=True)]
        for some_ in (
            [text_baselines for one in texts for text_baselines in one],
            [q.prompt for q in asked],
            [q.answer for q in asked],
        )
    )
    rng = random.Random(0)
    drawn = [rng.choices(answers, k=batch) for _ in range(50)]
    counts = (len(texts), len(turns), max(map(len, texts)))
    return Load(
        train=counts, train_questions=len(asked), test=counts, test_questions=len(asked),
        turn=mean(turns), question=mean(prompts), answer=mean(answers),
        padded=round(mean(map(max, drawn))), knowledge=0, deleted=0,
    )  # fmt: skip


class _Real:
    """The pieces themselves: `works`, {phase: (call, how many units it does)}."""

    def __init__(self, backbone, conversations, method, scale, batch, seed):
        self.backbone, self.model = backbone, MemoryModel(backbone, method, scale, seed)
        away(self.model.read, seed)
        model, config = self.model, TrainConfig.paper(batch=batch)
        self.learned = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(self.learned, lr=config.lr)
        self.loss_of = loss_of = prepare_loss(model, conversations, config, False)
        texts = [c.texts() for c in conversations]
        every = [text_baselines for one in texts for text_baselines in one]
        lengths = [len(ids) for ids in backbone.tokenize(every, truncate=True)]
        order = sorted(range(len(every)), key=lambda i: lengths[i])
        n = max(1, round(1024 / mean(lengths)))
        middle = max(0, len(order) // 2 - n // 2)
        batch_of_turns = [every[i] for i in order[middle : middle + n]]
        self.latents = model.encode_turns([one[:16] for one in texts])
        examples = loss_of.dataset.examples
        drawn = random.Random(seed).sample(examples, min(batch, len(examples)))
        prompts = [prompt for _, prompt, _ in drawn]
        golds = backbone.labels([answer for *_, answer in drawn])
        banks, of = loss_of.banks.select([place for place, *_ in drawn])
        asked = [q for c in conversations for q in c.questions if q.prompt in prompts][: len(drawn)]
        sources = text_baselines.sources(backbone, every, asked, "last_k", SOURCE)
        long = [source for source, _ in sources] or prompts

        def step():
            loss_of(drawn).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        def inputs(texts):
            return backbone.encoded(backbone.inputs(texts, True, loss_of.question_latents))

        @torch.no_grad()
        def answer():
            with model.attached(banks, expand=1, of=of):
                backbone.generate(inputs(prompts), **_exactly(ANSWER))

        @torch.no_grad()
        def bits():
            with model.attached(banks, expand=1, of=of):
                backbone.bits(inputs(prompts), golds)

        @torch.no_grad()
        def from_text():
            encoded = backbone.encoded(backbone.inputs(long, True))
            backbone.generate(encoded, **_exactly(ANSWER))

        @torch.no_grad()
        def write():
            model.write_latents(model.new_bank(len(texts)), self.latents)

        turns = max(map(len, self.latents))
        self.works = {
            "encode": (lambda: backbone.encode(batch_of_turns, truncate=True), len(batch_of_turns)),
            "write": (write, turns * len(texts)),
            "step": (step, len(drawn)),
            "answer": (answer, len(drawn)),
            "text": (from_text, len(long)),
            "bits": (bits, len(drawn)),
        }
        self.optimizer, self.turns = optimizer, sum(map(len, texts))

    def memory(self, working):
        """MiB by part, of what is really there; `working` as measured."""
        states = [t for state in self.optimizer.state.values() for t in state.values()]
        turns = [z for one in self.model.encode_turns(self.loss_of.dataset.texts) for z in one]
        kept = [*turns, *self.loss_of.question_latents.values()]
        banks = [*self.loss_of.banks.bank.state]
        return {
            "weights": _mib(self.backbone.model.parameters()),
            "adapter": _mib(self.model.state_dict().values()),
            "optimiser": _mib(states) + _mib(self.learned),
            "banks": _mib(banks),
            "latents": _mib(kept),
            "working": working,
        }


def _tied(backbone):
    """Is its head the table of its embeddings?"""
    table = backbone.model.get_input_embeddings().weight
    return backbone.head.weight.data_ptr() == table.data_ptr()


def _exactly(tokens):
    return {"max_new_tokens": tokens, "min_new_tokens": tokens}


def _mib(tensors):
    return sum(t.numel() * t.element_size() for t in tensors) / MIB


def _held():
    """MiB that the process holds, after what was freed has been given back; the peak is counted from here."""
    reset_peak("cpu")
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / MIB


def _give_back():
    """glibc: pieces of more than 64 KiB are asked of the system one by one, and given back when they are free."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, 2**16)
        libc.malloc_trim(0)
    except (OSError, AttributeError):  # another C library has its own way
        pass
