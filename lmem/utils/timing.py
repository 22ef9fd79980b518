"""Wall time, processor time and peak memory of a piece of work."""

import time
from pathlib import Path

import torch

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # Linux only


def seconds(work, device="cpu"):
    """Wall time of a call, to the end of what it started on a GPU."""
    cuda = torch.device(device).type == "cuda"
    if cuda:
        torch.cuda.synchronize()
    begun = time.perf_counter()
    work()
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def own_seconds(work):
    """Processor time of a call, that of all its threads: other programs on the machine do not count."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def matrix_rate(device, dtype, size=1024, times=10):
    """Floating-point operations a second of a square matrix product: the best of `times`."""
    a = torch.randn(size, size, device=device, dtype=dtype)
    return 2 * size**3 / min(seconds(lambda: a @ a, device) for _ in range(times))


def reset_peak(device="cpu"):
    """Start measuring peak memory anew; False where that cannot be done."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return True
    try:
        RESET.write_text("5")
    except OSError:
        return False
    return True


def peak_mib(device="cpu"):
    """Peak memory in MiB since `reset_peak`: of the device, else of this process with all that it holds."""
    if torch.device(device).type == "cuda":
        return round(torch.cuda.max_memory_allocated() / 2**20)
    [line] = [line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM")]
    return round(int(line.split()[1]) / 1024)
