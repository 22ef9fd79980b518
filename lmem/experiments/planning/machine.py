"""The machine that a run is planned for: what it can hold, and how fast it is (chapter 15).

A GPU's speed is a share of its data sheet. A CPU's speed is measured where the plan is made.
"""

from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import torch
from transformers import AutoModelForSeq2SeqLM

from lmem.errors import InputError, expect_out_of
from lmem.experiments.planning.op_cost import MachineSpeed, cost
from lmem.memory import methods
from lmem.utils.settings import AtLeast1, NotNegative, Positive, Settings, settings
from lmem.utils.timing import Clock, best_seconds, copy_rate, matrix_rate, wall_seconds
from lmem.utils.toml import read_toml

SHARE = {"tflops": 0.4, "bandwidth": 0.6}  # of a data sheet's figures; not measured
LAUNCH = 10e-6  # seconds before any operation starts on a GPU; not measured


@settings
class MachineProfile(Settings):
    """What one machine can hold, and how fast it is by its data sheet (see `lmem plan`).

    Attributes:
        name: Of the profile.
        backbone: What a run uses if no other is named.
        largest: The largest Flan-T5 that the machine is meant for.
        device: "cpu" or "cuda".
        bf16: Whether the device has bfloat16; a T4 emulates it, which is slow.
        dtype: Of the backbone; float16 overflows in T5. Adapters and optimiser are float32 everywhere.
        memory: GiB that a run may use: of the card, on a CPU of the process.
        tokens: Tokens of a batch of turns that are encoded together, padding included.
        batch: Questions that are answered together.
        tflops: 1e12 operations per second in `dtype`, from the data sheet; 0: measured.
        bandwidth: 1e9 bytes per second, from the data sheet; 0: measured.
    """

    name: str = "cpu"
    backbone: str = "google/flan-t5-small"
    largest: str = "flan-t5-base"
    device: Literal["cpu", "cuda"] = "cpu"
    bf16: bool = True
    dtype: Literal["float32", "bfloat16"] = "float32"
    memory: Positive = 8.0
    tokens: AtLeast1 = 1024
    batch: AtLeast1 = 64
    tflops: NotNegative = 0.0
    bandwidth: NotNegative = 0.0

    def __post_init__(self) -> None:
        if self.dtype == "bfloat16" and not self.bf16:
            raise InputError(f"{self.name} has no bfloat16; expected float32")

    @classmethod
    def of(cls, name: str, **changes: Any) -> Self:
        """Return a profile by name, with some settings changed.

        Raises:
            InputError: There is no profile of this name, or a setting does not fit.
        """
        expect_out_of("a profile", MACHINES, name)
        return cls(**{"name": name, **MACHINES[name], **changes})

    @property
    def speed(self) -> MachineSpeed:
        """How fast it is: measured here for a CPU, a share of the data sheet for a GPU."""
        if self.device == "cpu":
            return measure_speed(self.dtype)
        bandwidth = self.bandwidth * 1e9 * SHARE["bandwidth"]
        return MachineSpeed(self.tflops * 1e12 * SHARE["tflops"], bandwidth, bandwidth, LAUNCH)


MACHINES: dict[str, dict[str, Any]] = read_toml(Path(__file__).with_name("machines.toml"))


def this_machine() -> str:
    """Return the name of the profile that fits this machine, by the memory of its GPU, or "cpu"."""
    if not torch.cuda.is_available():
        return "cpu"
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    least = {"h200": 100, "a100": 30, "t4": 0}  # GiB
    return next(name for name, gib in least.items() if memory > gib)


@torch.no_grad()
def measure_speed(dtype: str = "float32", clock: Clock = wall_seconds) -> MachineSpeed:
    """Measure this machine's CPU: a matrix product, sums over 1 and 32 MiB, and the overhead of an operation.

    The overhead comes from a model so small that its time is that of its operations' starts.

    Args:
        dtype: "float32" or "bfloat16".
        clock: Measures the seconds of a call.
    """
    numbers = getattr(torch, dtype)
    rate = matrix_rate(numbers, size=512, times=20, clock=clock)
    near, far = (copy_rate(numbers, mib, clock=clock) for mib in (1, 32))
    config = methods.shape("flan-t5-small").config
    config.update({"d_model": 8, "d_kv": 4, "d_ff": 8, "num_heads": 2, "vocab_size": 16})
    model = AutoModelForSeq2SeqLM.from_config(config).eval()
    ids = torch.ones(1, 2, dtype=torch.long)
    forward = partial(model, input_ids=ids, decoder_input_ids=ids)
    overhead = best_seconds(forward, clock, 5) / len(cost(forward, model).flop)
    return MachineSpeed(rate, near, far, overhead)
