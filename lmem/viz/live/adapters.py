"""What the engine in the browser must know of an adapter, besides its weights.

    python -m lmem.viz.live.adapters        make `adapters.json` again, which lists what pages offer

The site is built without torch, so it reads the list instead of the models.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from lmem.backbone.backbone import load_backbone
from lmem.errors import MethodError
from lmem.memory.model import ADAPTERS, MemoryModel
from lmem.memory.write import AttentionWrite, SlotWrite

LIST = Path(__file__).with_name("adapters.json")
WRITE_OPTIONS = ("gamma", "normalise", "trainable", "k", "key", "select", "replace")
READ_OPTIONS = ("raw", "key")


def describe(model: MemoryModel, name: str) -> dict[str, Any]:
    """Return the kinds and options of an adapter's write and read.

    Raises:
        MethodError: It has no memory, or its write has an option that the page's engine does not know.
    """
    method = model.method
    if method.write is None or method.read is None:
        raise MethodError(f"expected a method with a memory, {method.name} has none")
    rule = model.write_rule
    if (isinstance(rule, AttentionWrite) and rule.address) or (
        isinstance(rule, SlotWrite) and rule.each != "turn"
    ):
        raise MethodError(
            'expected a write without `address` and `each="token"`, the page has neither'
        )
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


def describe_shipped() -> list[dict[str, Any]]:
    """Return `describe` of every adapter in the package, by name."""
    nano = load_backbone("nano", device="cpu")
    names = sorted(path.name for path in ADAPTERS.iterdir() if path.is_dir())
    return [describe(MemoryModel.from_shipped(name, nano), name) for name in names]


if __name__ == "__main__":
    LIST.write_text(json.dumps(describe_shipped(), indent=1) + "\n", encoding="utf-8")
