"""What a pass costs, counted without doing it: on PyTorch's meta device tensors have a shape and no content (chapter 15).

    seconds = sum over operations of max(flop / rate, bytes / bandwidth) + overhead

Every operation of a real forward and backward pass is observed: how many floating-point operations it takes, how many bytes it
reads and writes, and what memory is in use after it. A plan therefore needs no formula of its own for each method, and no weights.
Operations on up to 8 MiB run at the bandwidth of a cache, larger ones at that of the memory.
"""

import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

aten = torch.ops.aten
# PyTorch's own table of operations counts fused attention on GPUs only.
FLASH = aten._scaled_dot_product_flash_attention_for_cpu
FLASH_BACKWARD = aten._scaled_dot_product_flash_attention_for_cpu_backward
CACHE = 8 * 2**20  # bytes


class MachineSpeed(NamedTuple):
    """How fast a machine is.

    Attributes:
        rate: Floating-point operations per second of a matrix product.
        near: Bytes per second of an operation on few bytes, which fit into a cache.
        far: Bytes per second of an operation on many bytes.
        overhead: Seconds before any operation starts.
    """

    rate: float
    near: float
    far: float
    overhead: float

    def readable(self) -> dict[str, float]:
        """Return the figures in units that are easy to read, as in result files."""
        return {
            "gflop_a_second": self.rate / 1e9,
            "gb_a_second_near": self.near / 1e9,
            "gb_a_second_far": self.far / 1e9,
            "us_an_operation": self.overhead * 1e6,
        }


class Cost(NamedTuple):
    """What a call costs.

    Attributes:
        flop: (operations,) floating-point operations of each.
        moved: (operations,) bytes that each reads and writes.
        peak: Bytes in use at most, weights not counted.
    """

    flop: np.ndarray
    moved: np.ndarray
    peak: int

    def seconds(self, speed: MachineSpeed) -> float:
        """Return the time on a machine of this speed, one operation after the other."""
        bandwidth = np.where(self.moved <= CACHE, speed.near, speed.far)
        busy = np.maximum(self.flop / speed.rate, self.moved / bandwidth)
        return float((busy + speed.overhead).sum())


def cost(work: Callable[[], object], *known: nn.Module | Tensor) -> Cost:
    """Count what a call costs, on the meta device or on a real one.

    Args:
        work: The call. On the meta device a question about content ("is all of this mask true?") is answered with no.
        known: Modules and tensors whose memory is not counted.
    """
    counter = _OperationCounter(known)
    with counter, _FusedAttention():
        work()
    flop, moved = np.array(counter.operations, float).reshape(-1, 2).T
    return Cost(flop, moved, counter.peak)


class _OperationCounter(TorchDispatchMode):
    """Observes every operation: `operations` is a list of (flop, bytes), `peak` the bytes in use at most."""

    def __init__(self, known: tuple[nn.Module | Tensor, ...]) -> None:
        super().__init__()
        self.known = set()
        for item in known:
            state = [item] if isinstance(item, Tensor) else [*item.parameters(), *item.buffers()]
            self.known |= {_storage(tensor) for tensor in state}
        self.alive: dict[int, int] = {}  # bytes by storage
        self.in_use = self.peak = 0
        self.operations: list[tuple[int, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is aten._local_scalar_dense.default and args[0].is_meta:
            return False
        out = func(*args, **kwargs)
        outputs = [t for t in tree_leaves(out) if isinstance(t, Tensor)]
        inputs = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        moved = 0
        is_view = {_storage(t) for t in outputs} <= {_storage(t) for t in inputs}
        if not is_view or func._schema.is_mutable:  # a view moves nothing
            moved = sum(t.numel() * t.element_size() for t in (*outputs, *inputs))
        self.operations.append((_flop(func.overloadpacket, args, kwargs, out), moved))
        for tensor in outputs:
            self._allocate(tensor)
        return out

    def _allocate(self, tensor: Tensor) -> None:
        storage, place = tensor.untyped_storage(), _storage(tensor)
        if place not in self.alive and place not in self.known:
            self.alive[place] = storage.nbytes()
            self.in_use += storage.nbytes()
            self.peak = max(self.peak, self.in_use)
            weakref.finalize(storage, self._free, place)

    def _free(self, place: int) -> None:
        self.in_use -= self.alive.pop(place, 0)


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _flop(packet: Any, args: Any, kwargs: Any, out: Any) -> int:
    if packet is FLASH:
        return sdpa_flop_count(*(t.shape for t in args[:3]))
    if packet is FLASH_BACKWARD:
        return sdpa_backward_flop_count(*(t.shape for t in args[:4]))
    count = flop_registry.get(packet)
    return count(*args, **kwargs, out_val=out) if count else 0


class _FusedAttention(TorchFunctionMode):
    """Runs attention as a fused kernel, which never stores all weights; the meta device would decompose it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is not scaled_dot_product_attention or not args[0].is_meta:
            return func(*args, **kwargs)
        query, key, value = args
        mask = kwargs.get("attn_mask")
        if mask is not None:
            if mask.dtype == torch.bool:
                mask = mask.to(query.dtype)
            mask = mask.expand(*query.shape[:3], key.shape[2])
        fused = aten._scaled_dot_product_efficient_attention
        return fused(query, key, value, mask, torch.is_grad_enabled(), scale=kwargs.get("scale"))[0]
