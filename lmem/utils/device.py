"""Devices: one sentence where PyTorch's own error speaks of how it was compiled (chapter 15)."""

import os

import torch

from lmem.errors import InputError


def device_of(name):
    """A device by its name, if a tensor can be put there: "cpu", "cuda", "cuda:1", ...

    raises  InputError if there is none such here
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        there = "cpu, cuda" if torch.cuda.is_available() else "cpu"
        raise InputError(
            f"expected a device that is here ({there}), not {str(name)!r}; PyTorch {torch.__version__} cannot use it"
        ) from error
    return device


def default_device():
    """A GPU if there is one, else the CPU; of several processes (`accelerate launch`) each has a GPU of its own."""
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"


def check_to(args, kwargs):
    """The device among the arguments of a `.to(...)`, if there is one, must be here: InputError if not."""
    for given in (*args, kwargs.get("device")):
        if isinstance(given, str | torch.device):
            device_of(given)
