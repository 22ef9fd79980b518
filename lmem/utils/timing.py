"""Wall time, processor time, memory and speed of this machine, as benchmarks and plans measure them (chapter 15)."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

MIB = 2**20
PROCESS = Path("/proc/self")  # Linux only

Work = Callable[[], object]
Clock = Callable[[Work], float]


def wall_seconds(work: Work, device: str | torch.device = "cpu") -> float:
    """Return the wall time of a call in seconds, until everything that it started on a GPU has ended."""
    cuda = torch.device(device).type == "cuda"
    if cuda:
        torch.cuda.synchronize()
    begun = time.perf_counter()
    work()
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def cpu_seconds(work: Work) -> float:
    """Return the processor time of a call in seconds, all threads added up; other programs do not count."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def best_seconds(work: Work, clock: Clock, times: int) -> float:
    """Return the shortest of `times` measurements, in seconds."""
    return min(clock(work) for _ in range(times))


def matrix_rate(
    dtype: torch.dtype,
    device: str | torch.device = "cpu",
    size: int = 1024,
    times: int = 10,
    clock: Clock | None = None,
) -> float:
    """Return the floating-point operations per second of a square matrix product: the best of `times`."""
    a = torch.randn(size, size, device=device, dtype=dtype)
    clock = clock or (lambda work: wall_seconds(work, device))
    return 2 * size**3 / best_seconds(lambda: a @ a, clock, times)


def copy_rate(
    dtype: torch.dtype,
    mib: int,
    device: str | torch.device = "cpu",
    times: int = 20,
    clock: Clock | None = None,
) -> float:
    """Return the bytes per second of a sum that reads one tensor of `mib` MiB and writes another."""
    x = torch.ones(mib * MIB // dtype.itemsize, device=device, dtype=dtype)
    clock = clock or (lambda work: wall_seconds(work, device))
    return 2 * mib * MIB / best_seconds(lambda: x + 1, clock, times)


def reset_peak(device: str | torch.device = "cpu") -> bool:
    """Start a new measurement of peak memory.

    Returns:
        False where this is not possible: without a GPU, on systems other than Linux.
    """
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return True
    try:
        (PROCESS / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_mib(device: str | torch.device = "cpu") -> float:
    """Return the peak memory in MiB since `reset_peak`: of the GPU, else of this whole process."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated() / MIB
    status = (PROCESS / "status").read_text().splitlines()
    [line] = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def memory_mib(device: str | torch.device = "cpu") -> float:
    """Return the memory in MiB that is in use now: of the GPU, else of this whole process (Linux)."""
    if torch.device(device).type == "cuda":
        return torch.cuda.memory_allocated() / MIB
    pages = int((PROCESS / "statm").read_text().split()[1])
    return pages * 4096 / MIB
