"""Encode, write, train and answer at published sizes on one GPU, compared with the plain way at the same size (chapter 15).

Weights are drawn at random: speed and memory are those of the real model, answers mean nothing. The speed of a matrix product and
of a copy are measured in the same run, and so is the plain way: one text at a time, padded to 384 tokens. The measured peak of
memory is reported next to what `lmem plan` predicts for the same run.
"""

import time
from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any

import torch

from lmem.backbone.backbone import Backbone
from lmem.bench.measure import Unit, ratio, require_repeats, round_floats, time_units
from lmem.bench.shape import random_backbone
from lmem.bench.units import EngineUnits, PlainUnits, TrainingSample, randomise
from lmem.data.conversation import Conversation
from lmem.errors import InputError
from lmem.experiments.planning.machine import MachineProfile
from lmem.experiments.planning.meta_model import MetaMethod, load_without_weights
from lmem.experiments.planning.op_cost import cost
from lmem.experiments.planning.plan import ANSWER, memory_of, units_of
from lmem.experiments.planning.workload import workload_of
from lmem.memory.model import MemoryModel
from lmem.training.train import TrainConfig
from lmem.utils import provenance
from lmem.utils.timing import copy_rate, matrix_rate

SIZES = ("flan-t5-base", "flan-t5-large", "flan-t5-xl")


def bench_gpu(
    conversations: Sequence[Conversation],
    sizes: Sequence[str] = SIZES,
    profile: MachineProfile | None = None,
    method: str = "m3",
    scale: float = 1,
    batch: int = 16,
    plain_texts: int = 4,
    max_new_tokens: int = ANSWER,
    repeats: int = 3,
    seed: int = 0,
    make: Callable[[str, Sequence[str]], Backbone] | None = None,
) -> dict[str, Any]:
    """Measure tokens per second, peak memory and shares of the machine's speed, for each size.

    Args:
        conversations: What is encoded, written and asked.
        sizes: Published sizes.
        profile: Its device and its batches are used; default: the CPU's.
        method: Name of a method with a bank.
        scale: 1 is 64 rows.
        batch: Questions of a training step.
        plain_texts: Sample of the plain way: turns, and questions.
        max_new_tokens: Of every answer.
        repeats: At least 3.
        seed: Of weights and samples.
        make: (size, texts) -> Backbone; default: `random_backbone` of that size, for which a plan exists.

    Returns:
        dict: profile, dtype, matrix_gflop_a_second, copy_gb_a_second; by_size, rows of (size, unit, ms of one turn or question,
        plain_ms, ratio, tokens_a_second, gflop of one, share_of_matrix_rate, share_of_bandwidth, peak_mib, planned_mib);
        provenance.

    Raises:
        InputError: There are no conversations, no GPU where one is wanted, or fewer than 3 repeats.
    """
    profile = profile or MachineProfile.of("cpu")
    device, dtype = profile.device, getattr(torch, profile.dtype)
    require_repeats(repeats)
    if not conversations or plain_texts < 1:
        raise InputError(
            f"expected conversations and plain texts, not {len(conversations)}, {plain_texts}"
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("expected a GPU, found none; --dry-run goes through the same on the CPU")
    texts = [text for c in conversations for text in c.texts()]
    size_of_matrix = 512 if device == "cpu" else 8192
    rate = max(matrix_rate(dtype, device, size_of_matrix) for _ in range(3))
    bandwidth = copy_rate(dtype, 64, device, times=5)
    config = TrainConfig.paper(batch=batch)
    rows, took = [], {}
    for size in sizes:
        backbone = make(size, texts) if make else random_backbone(size, texts, seed, device, dtype)
        begun = time.perf_counter()
        model = MemoryModel(backbone, method, scale, seed)
        randomise(model.read, seed)
        ways, tokens = _ways(model, conversations, config, profile, plain_texts, max_new_tokens)
        planned = None
        if not make:
            planned = planned_mib(
                size, backbone, conversations, profile, model.method.name, scale, batch
            )
        timings = time_units(ways, repeats, device)
        for unit, (work, count) in ways["engine"].items():
            ours, theirs = timings["engine"][unit], timings["plain"][unit]
            counted = cost(work, backbone.model, model)
            flop, moved, best = counted.flop.sum(), counted.moved.sum(), min(ours.seconds)
            rows.append(
                {
                    "size": size,
                    "unit": unit,
                    "ms": 1000 * best,
                    "plain_ms": 1000 * min(theirs.seconds),
                    "ratio": ratio(theirs.seconds, ours.seconds),
                    "tokens_a_second": tokens[unit] / best,
                    "gflop": flop / count / 1e9,
                    "share_of_matrix_rate": flop / count / best / rate,
                    "share_of_bandwidth": moved / count / best / bandwidth,
                    "peak_mib": max(ours.peaks) if ours.peaks else None,
                    "planned_mib": planned,
                }
            )
        took[size] = time.perf_counter() - begun
        del backbone, model, ways
        if device == "cuda":
            torch.cuda.empty_cache()
    result = {
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
    return round_floats(result)


def _ways(
    model: MemoryModel,
    conversations: Sequence[Conversation],
    config: TrainConfig,
    profile: MachineProfile,
    few: int,
    max_new_tokens: int,
) -> tuple[dict[str, dict[str, Unit]], dict[str, float]]:
    """All units both ways, each run once; and the tokens of one turn, answer of training, and answer."""
    training = TrainingSample(model, conversations, config)
    banks, asked, _ = training.asked(profile.batch)
    texts = [c.texts() for c in conversations]
    every = [text for turns in texts for text in turns]
    questions = {q.prompt: q for c in conversations for q in c.questions}
    drawn = list(zip(asked.places, asked.prompts, strict=True))[:few]
    pairs = [(banks.pick(place), questions[prompt]) for place, prompt in drawn]
    exactly = {"max_new_tokens": max_new_tokens, "min_new_tokens": max_new_tokens}
    engine, alone = EngineUnits(model), PlainUnits(model)
    ways = {
        "engine": {
            "encode": engine.encode(every, profile.tokens),
            "write": engine.write(model.encode_turns(texts)),
            "step": engine.step(training),
            "answer": engine.answer(banks, [asked], **exactly),
        },
        "plain": {
            "encode": alone.encode(every[:few]),
            "write": alone.write(every[:few]),
            "step": alone.step(pairs, training.optimizer, config.clip),
            "answer": alone.answer(pairs, **exactly),
        },
    }
    for unit in ways["engine"].values():
        unit.work()  # what is made once is made before the clock runs
    turn = mean(len(ids) for ids in model.backbone.tokenize(every, truncate=True))
    answer = mean(training.loss.answer_lengths(training.batches[0]))
    return ways, {"encode": turn, "write": turn, "step": answer, "answer": max_new_tokens}


def planned_mib(
    size: str,
    backbone: Backbone,
    conversations: Sequence[Conversation],
    profile: MachineProfile,
    method: str,
    scale: float,
    batch: int,
) -> float:
    """Return the MiB that `lmem plan` predicts for the same run at a published size."""
    workload = workload_of(backbone, conversations, batch)
    meta = MetaMethod(load_without_weights(size, profile.dtype), method, scale)
    return sum(memory_of(meta, workload, units_of(meta, workload, profile, batch)).values())
