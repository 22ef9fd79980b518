"""A plan compared with measurement: the same units of a run, predicted from the configuration and run for real (chapter 15).

Memory is what the process gains at its peak over what it used before. The C library is told to return at once whatever is larger
than 64 KiB, so that gaps between used pieces do not count. Time is the processor time of one thread, so that other programs on
the machine do not count. Linux only.
"""

import ctypes
from collections.abc import Sequence
from statistics import mean
from typing import Any

import torch

from lmem.backbone.backbone import Backbone
from lmem.bench.measure import Unit, require_repeats, round_floats, time_units
from lmem.bench.units import EngineUnits, TrainingSample, randomise
from lmem.data.conversation import Conversation
from lmem.errors import InputError
from lmem.evaluation import text_baselines
from lmem.experiments.planning.machine import MachineProfile, measure_speed
from lmem.experiments.planning.meta_model import MetaMethod, build_without_weights
from lmem.experiments.planning.plan import ANSWER, SOURCE, memory_of, mib_of, units_of
from lmem.experiments.planning.workload import workload_of
from lmem.memory.model import MemoryModel
from lmem.training.train import TrainConfig
from lmem.utils import provenance
from lmem.utils.timing import MIB, cpu_seconds, reset_peak

M_MMAP_THRESHOLD = -3  # of glibc's mallopt
WRITTEN = 16  # turns of each conversation


def bench_plan(
    backbone: Backbone,
    conversations: Sequence[Conversation],
    method: str = "m3",
    scale: float = 1,
    batch: int = 16,
    repeats: int = 3,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare plan and measurement for each unit of a run.

    Args:
        backbone: The frozen model, on the CPU.
        conversations: They are trained on and asked.
        method: Name of a method with a bank.
        scale: 1 is 64 rows.
        batch: Questions that are processed together, in training and in answering.
        repeats: At least 3.
        seed: Of weights and samples.

    Returns:
        dict: by_phase, rows of (phase, planned_ms, ms, planned_mib, mib), milliseconds of one turn, question or answer;
        memory_mib, {"planned", "measured"} by part and in total; machine; provenance.

    Raises:
        InputError: Peak memory cannot be measured here, or there are fewer than 3 repeats.
    """
    require_repeats(repeats)
    if not reset_peak("cpu"):
        raise InputError("expected a system that resets a process's peak memory, as Linux does")
    _return_memory_at_once()
    profile = MachineProfile.of("cpu", batch=batch)
    workload = workload_of(backbone, conversations, batch)
    config = backbone.model.config
    head: Any = backbone.head
    table = backbone.model.get_input_embeddings().weight
    tied = head.weight.data_ptr() == table.data_ptr()
    unloaded: Any = build_without_weights(config, tied)
    meta = MetaMethod(unloaded.to(backbone.dtype), method, scale, config._attn_implementation)
    planned = units_of(meta, workload, profile, batch)

    model = MemoryModel(backbone, method, scale, seed)
    randomise(model.read, seed)
    training = TrainingSample(model, conversations, TrainConfig.paper(batch=batch))
    units = _units(model, training, conversations, batch)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        speed = measure_speed(str(backbone.dtype).removeprefix("torch."), cpu_seconds)
        for unit in units.values():
            unit.work()  # what is made once is made before the clock runs
        ways = {"engine": units}
        timings = time_units(ways, repeats, clock=cpu_seconds)["engine"]
    finally:
        torch.set_num_threads(threads)
    phases = []
    for name, timing in timings.items():
        # Turns in the input are encoded first.
        parts = [planned[name], planned["source"]] if name == "text" else [planned[name]]
        phases.append(
            {
                "phase": name,
                "planned_ms": 1000 * sum(part.seconds(speed) for part in parts),
                "ms": 1000 * min(timing.seconds),
                "planned_mib": max(part.cost.peak for part in parts) / MIB,
                "mib": max(timing.growth),
            }
        )
    memory = {
        "planned": memory_of(meta, workload, planned, copies=1),
        "measured": _memory(model, training, max(row["mib"] for row in phases)),
    }
    for side in memory.values():
        side["total"] = sum(side.values())
    took = {name: sum(timing.seconds) * units[name].count for name, timing in timings.items()}
    result = {
        "what": "plan",
        "backbone": backbone.name,
        "method": meta.method.name,
        "rows": meta.rows,
        "batch": batch,
        "load": dict(vars(workload)),
        "memory_mib": memory,
        "machine": speed.readable(),
        "by_phase": phases,
        "provenance": provenance.provenance(seed, took),
    }
    return round_floats(result)


def _units(
    model: MemoryModel, training: TrainingSample, conversations: Sequence[Conversation], batch: int
) -> dict[str, Unit]:
    """The units that are planned too, by their names there."""
    backbone, engine = model.backbone, EngineUnits(model)
    texts = [c.texts() for c in conversations]
    every = [text for turns in texts for text in turns]
    lengths = [len(ids) for ids in backbone.tokenize(every, truncate=True)]
    by_length = sorted(range(len(every)), key=lambda i: lengths[i])
    size = max(1, round(1024 / mean(lengths)))
    start = max(0, len(every) // 2 - size // 2)
    one_batch = [every[i] for i in by_length[start : start + size]]
    latents = model.encode_turns([turns[:WRITTEN] for turns in texts])

    banks, asked, examples = training.asked(batch)
    questions = [q for c in conversations for q in c.questions if q.prompt in asked.prompts]
    inputs = text_baselines.sources(backbone, every, questions[:batch], "last_k", SOURCE)
    exactly = {"max_new_tokens": ANSWER, "min_new_tokens": ANSWER}
    return {
        "encode": engine.encode(one_batch),
        "write": engine.write(latents),
        "step": engine.step(training),
        "answer": engine.answer(banks, [asked], **exactly),
        "text": engine.answer_from_text([source for source, _ in inputs], **exactly),
        "bits": engine.bits(banks, asked, [example.answer for example in examples]),
    }


def _memory(model: MemoryModel, training: TrainingSample, working: float) -> dict[str, float]:
    """MiB by part, of what is really allocated; `working` as measured."""
    moments = [t for state in training.optimizer.state.values() for t in state.values()]
    learned = training.optimizer.param_groups[0]["params"]
    texts, latents = training.loss.dataset.texts, training.loss.question_latents.values()
    turns = [latent for turns in model.encode_turns(texts) for latent in turns]
    return {
        "weights": mib_of(model.backbone.model.parameters()),
        "adapter": mib_of(model.state_dict().values()),
        "optimiser": mib_of(moments) + mib_of(learned),
        "banks": mib_of(training.loss.banks.select([0])[0].state),
        "latents": mib_of([*turns, *latents]),
        "working": working,
    }


def _return_memory_at_once() -> None:
    """Let glibc request pieces of more than 64 KiB one by one, and return them when they are free."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, 2**16)
        libc.malloc_trim(0)
    except (OSError, AttributeError):  # another C library has its own way
        pass
