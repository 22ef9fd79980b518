"""What the engine in the browser must know of an adapter, besides its weights."""

from typing import Any

import numpy as np
from torch import Tensor

from lmem.errors import MethodError
from lmem.memory.model import MemoryModel

WRITE_OPTIONS = ("gamma", "normalise", "trainable", "k", "key", "select", "replace")
READ_OPTIONS = ("raw", "key")


def describe(model: MemoryModel, name: str) -> dict[str, Any]:
    """Return the kinds and options of an adapter's write and read.

    Raises:
        MethodError: It has no memory.
    """
    method = model.method
    if method.write is None or method.read is None:
        raise MethodError(f"expected a method with a memory, {method.name} has none")
    write = {o: getattr(model.write_rule, o) for o in WRITE_OPTIONS if hasattr(model.write_rule, o)}
    read: dict[str, Any] = {
        o: getattr(model.read, o) for o in READ_OPTIONS if hasattr(model.read, o)
    }
    attend = getattr(getattr(model.read, "inner", model.read), "attend", None)
    if attend is not None:
        read["heads"] = attend.heads
    return {
        "name": name,
        "method": method.name,
        "scale": model.scale,
        "backbone": model.backbone.name,
        "write": {"kind": method.write, "options": write},
        "read": {"kind": method.read, "options": read},
    }


def arrays(state: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Return the tensors of a state as arrays of float32."""
    return {name: tensor.detach().float().cpu().numpy() for name, tensor in state.items()}
