"""What a result file says about its own making: versions, commit, machine, seconds and memory."""

import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

try:
    import resource
except ImportError:  # Windows has none
    resource = None


def machine() -> dict[str, str | int]:
    """Return what kind of machine this is, without its name: system, processor type, threads, device."""
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
        "device": device,
    }


def versions() -> dict[str, str]:
    """Return the versions that a number depends on."""
    numbers = {"python": platform.python_version()}
    for name in ("lmem", "torch", "transformers", "datasets", "numpy"):
        try:
            numbers[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            numbers[name] = "not installed"
    return numbers


def commit() -> str | None:
    """Return the commit of the checkout that the package runs from, with "-dirty" if its code was changed since.

    None if the package does not run from a checkout of its own.
    """
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        run = subprocess.run(command, cwd=folder, timeout=5, check=True, capture_output=True)
        return run.stdout.decode()

    try:
        # of the package, not of a repository that has a site-packages in it
        git("ls-files", "--error-unmatch", Path(__file__).name)
        changed = git("status", "--porcelain", "--untracked-files=no", "..")
        return git("rev-parse", "--short", "HEAD").strip() + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def provenance(seed: int | None, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Return what every result file says about its own making.

    Args:
        seed: Of the run, None where nothing is drawn.
        seconds: By phase.

    Returns:
        seed, seconds, peak memory in MiB (of the process, None where it cannot be measured, and of the GPU if there is
        one), versions, commit, machine.
    """
    peak = None
    if resource is not None:
        unit = 1024 if sys.platform != "darwin" else 1024**2
        peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
    gpu = {}
    if torch.cuda.is_available():
        gpu = {"peak_gpu_memory_mib": round(torch.cuda.max_memory_allocated() / 2**20)}
    return {
        "seed": seed,
        "seconds": {phase: round(value, 2) for phase, value in seconds.items()},
        "peak_memory_mib": peak,
        **gpu,
        "versions": versions(),
        "commit": commit(),
        "machine": machine(),
    }
