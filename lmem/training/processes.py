"""Training with several processes: each works on its share, and all get the result (`accelerate launch -m lmem train ...`).

Adapters live in hooks, where no wrapper such as DistributedDataParallel finds them. Gradients are therefore added up here: the
loss of a process is a sum over its tokens, divided by the tokens of all processes, so the sum of gradients is that of one process.
"""

from collections.abc import Callable, Iterable
from typing import cast

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import gather_object, send_to_device
from torch import Tensor

from lmem.errors import InputError


def start_processes(device: torch.device) -> Accelerator:
    """Return the group of processes that this one belongs to; usually it is alone.

    Raises:
        InputError: `accelerate` is set to a precision in which T5 overflows.
    """
    processes = Accelerator(cpu=device.type == "cpu")
    if processes.mixed_precision not in ("no", "bf16"):
        raise InputError(
            f"expected mixed precision no or bf16, not {processes.mixed_precision}: T5 overflows in float16"
        )
    return processes


def is_main_process() -> bool:
    """Return True in the one process that writes files."""
    return PartialState().is_main_process


def share_work(items: list, work: Callable[[list], list], processes: Accelerator | None) -> list:
    """Split a list among the processes, and give all of them every result.

    Args:
        items: What there is to do.
        work: Turns a part of the items, possibly empty, into one result for each; or always into none.
        processes: From `start_processes`; None works alone.

    Returns:
        One result for each item, in their order; an empty list if `work` has no results.
    """
    if processes is None or processes.num_processes == 1:
        return work(items)
    n = processes.num_processes
    own = send_to_device(work(items[processes.process_index :: n]), "cpu")
    parts = gather_object([own])  # parts[p][k] belongs to item k n + p
    results = [parts[i % n][i // n] for i in range(len(items))] if any(parts) else []
    return cast(list, send_to_device(results, processes.device))


def sum_over_processes(
    processes: Accelerator, weights: Iterable[Tensor], loss: Tensor | None
) -> float:
    """Add up the gradients of all processes in place, and return the sum of their losses.

    Args:
        processes: From `start_processes`.
        weights: What is trained, in the same order in every process.
        loss: Of this process's share of the batch; None if it had no question.
    """
    value = torch.zeros(()) if loss is None else loss.detach().float().cpu()
    if processes.num_processes == 1:
        return value.item()
    for weight in weights:
        grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
        weight.grad = cast(Tensor, processes.reduce(grad, reduction="sum"))
    return cast(Tensor, processes.reduce(value.to(processes.device), reduction="sum")).item()
