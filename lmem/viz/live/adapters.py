"""What the engine in the browser must know of an adapter, besides its weights.

    python -m lmem.viz.live.adapters        make `adapters.json` again, which lists what pages offer

The site is built without torch, so it reads the list instead of the models.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lmem.backbone.backbone import Backbone, load_backbone
from lmem.errors import MethodError
from lmem.memory.model import ADAPTERS, SETTINGS, MemoryModel
from lmem.viz.live import weights

LIST = Path(__file__).with_name("adapters.json")
WRITE_OPTIONS = (
    "gamma",
    "normalise",
    "trainable",
    "address",
    "k",
    "each",
    "key",
    "select",
    "replace",
    "length",
    "most",
    "looks_back",
)
READ_OPTIONS = ("keep", "raw", "key", "length", "threshold")


def describe(model: MemoryModel, name: str) -> dict[str, Any]:
    """Return the kinds and options of an adapter's write and read.

    Raises:
        MethodError: It has no memory.
    """
    method = model.method
    if method.write is None or method.read is None:
        raise MethodError(f"expected a method with a memory, {method.name} has none")
    write = _plain(model.write_rule, WRITE_OPTIONS)
    read = _plain(model.read, READ_OPTIONS)
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


def _plain(part: nn.Module, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the options that a write or a read has; a keyed write's `address` is a module and no option."""
    options = {name: getattr(part, name, None) for name in names}
    return {name: value for name, value in options.items() if isinstance(value, float | int | str)}


def arrays(state: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Return the tensors of a state as arrays of float32."""
    return {name: tensor.detach().float().cpu().numpy() for name, tensor in state.items()}


@torch.no_grad()
def round_weights(module: nn.Module) -> None:
    """Replace a module's weights by those that a page gets."""
    state = weights.dequantised(arrays(module.state_dict()))
    module.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})


def in_8_bits(backbone: Backbone) -> Backbone:
    """Return a backbone with the weights that a page gets; the model of the one given is changed."""
    round_weights(backbone.model)
    return Backbone(backbone.model, backbone.tokenizer, backbone.name)


def describe_shipped() -> list[dict[str, Any]]:
    """Return `describe` of every adapter in the package, by name."""
    loaded = cache(lambda name: load_backbone(name, device="cpu"))
    described = []
    for folder in sorted(path for path in ADAPTERS.iterdir() if path.is_dir()):
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        model = MemoryModel.from_shipped(folder.name, loaded(settings["backbone"]))
        described.append(describe(model, folder.name))
    return described


if __name__ == "__main__":
    LIST.write_text(json.dumps(describe_shipped(), indent=1) + "\n", encoding="utf-8")
