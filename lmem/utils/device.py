"""Devices: a clear sentence instead of PyTorch's own error, which speaks of how it was compiled (chapter 15)."""

import os
from typing import Any

import torch

from lmem.errors import InputError


def device_of(name: str | torch.device) -> torch.device:
    """Return the device of this name, such as "cpu", "cuda" or "cuda:1", if a tensor can be put there.

    Raises:
        InputError: The machine has no such device.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        available = "cpu, cuda" if torch.cuda.is_available() else "cpu"
        raise InputError(
            f"expected a device that is here ({available}), not {str(name)!r}; PyTorch {torch.__version__} cannot use it"
        ) from error
    return device


def default_device() -> str:
    """Return a GPU if there is one, else the CPU; each of several processes (`accelerate launch`) has its own GPU."""
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"


def check_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise an InputError if the arguments of a `.to(...)` name a device that the machine does not have."""
    for given in (*args, kwargs.get("device")):
        if isinstance(given, str | torch.device):
            device_of(given)
