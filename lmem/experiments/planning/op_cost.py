"""What a pass costs, without doing it: on PyTorch's meta device tensors have a shape and no content (chapter 15).

    seconds = sum over operations of max(flop / rate, bytes / bandwidth) + overhead      bandwidth: near up to 8 MiB, far beyond

Every operation of a real forward and backward pass is seen as it goes by: how many multiplications it takes, how many bytes it
reads and writes, and what is alive after it. So a plan needs no formula of its own for each method, and no weights.
"""

import weakref
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

FLASH = (
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
)  # PyTorch counts only those of a GPU
FLASH_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
CACHE = 8 * 2**20  # bytes
ITEM = torch.ops.aten._local_scalar_dense.default


class Machine(NamedTuple):
    """How fast it is.

    rate      operations a second of a matrix product
    near, far bytes a second of an operation on few bytes, which a cache holds, and on many
    overhead  seconds before any operation starts
    """

    rate: float
    near: float
    far: float
    overhead: float


class Cost(NamedTuple):
    """flop, moved: (ops,) operations and bytes of each; peak: bytes alive at most, weights not counted."""

    flop: np.ndarray
    moved: np.ndarray
    peak: int

    def seconds(self, machine):
        """On this machine, one operation after the other."""
        bandwidth = np.where(self.moved <= CACHE, machine.near, machine.far)
        busy = np.maximum(self.flop / machine.rate, self.moved / bandwidth)
        return float((busy + machine.overhead).sum())


def cost(work, *held):
    """What a call costs, be it on the meta device or a real one; these modules' weights and these tensors are there already.

    A question that needs a content, such as "is all of this mask true?", is answered with no.
    """
    watch = _Watch(held)
    with watch, _Fused():
        work()
    flop, moved = np.array(watch.ops, float).reshape(-1, 2).T
    return Cost(flop, moved, watch.peak)


def _tensors(held):
    return [held] if isinstance(held, torch.Tensor) else [*held.parameters(), *held.buffers()]


class _Watch(TorchDispatchMode):
    def __init__(self, held):
        super().__init__()
        tensors = [t for one in held for t in _tensors(one)]
        self.held = {t.untyped_storage()._cdata for t in tensors}
        self.alive, self.now, self.peak, self.ops = {}, 0, 0, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is ITEM and args[0].is_meta:
            return False
        out = func(*args, **kwargs)
        made = [t for t in tree_leaves(out) if isinstance(t, torch.Tensor)]
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        known = {t.untyped_storage()._cdata for t in given}
        fresh = any(t.untyped_storage()._cdata not in known for t in made)
        moved = 0
        if fresh or func._schema.is_mutable:  # a view moves nothing
            moved = sum(t.numel() * t.element_size() for t in (*made, *given))
        self.ops.append((_flop(func.overloadpacket, args, kwargs, out), moved))
        for tensor in made:
            self._count(tensor.untyped_storage())
        return out

    def _count(self, storage):
        place = storage._cdata
        if place not in self.alive and place not in self.held:
            self.alive[place] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._drop, place)

    def _drop(self, place):
        self.now -= self.alive.pop(place, 0)


def _flop(packet, args, kwargs, out):
    if packet is FLASH:
        return sdpa_flop_count(*(t.shape for t in args[:3]))
    if packet is FLASH_BACKWARD:
        return sdpa_backward_flop_count(*(t.shape for t in args[:4]))
    counter = flop_registry.get(packet)
    return counter(*args, **kwargs, out_val=out) if counter else 0


class _Fused(TorchFunctionMode):
    """Attention as a fused kernel does it, which never holds all shares at once; the meta device would take it apart."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is not scaled_dot_product_attention or not args[0].is_meta:
            return func(*args, **kwargs)
        query, key, value = args
        mask = kwargs.get("attn_mask")
        if mask is not None:
            if mask.dtype == torch.bool:
                mask = mask.to(query.dtype)
            mask = mask.expand(*query.shape[:3], key.shape[2])
        fused = torch.ops.aten._scaled_dot_product_efficient_attention
        return fused(query, key, value, mask, torch.is_grad_enabled(), scale=kwargs.get("scale"))[0]
