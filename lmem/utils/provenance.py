"""What a result file says about its own making: versions, commit, machine, seconds and memory."""

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has none
    resource = None


def machine():
    """What kind of machine this is, without its name: system, processor type, cores, device."""
    import torch

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
        "device": device,
    }


def versions():
    """The versions that a number depends on."""
    names = ("lmem", "torch", "transformers", "datasets", "numpy")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def commit():
    """The commit of the checkout that the package runs from, "-dirty" if its code was changed since; None without one."""

    def git(*arguments):
        return subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent, capture_output=True, text=True, timeout=5, check=True,
        ).stdout  # fmt: skip

    try:
        # of the package, not of a repository that has a site-packages in it
        git("ls-files", "--error-unmatch", Path(__file__).name)
        changed = git("status", "--porcelain", "--untracked-files=no", "..")
        return git("rev-parse", "--short", "HEAD").strip() + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def provenance(seed, seconds):
    """What every result file says of its own making: seed, seconds by phase, peak memory in MiB (of the process, None where it
    cannot be had, and of the GPU, if there is one), versions, commit, machine."""
    import torch

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
