"""lmem: a latent memory for frozen encoder-decoder language models.

Names are imported when they are first used, so `import lmem` alone does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lmem.backbone.backbone import Backbone, load_backbone
    from lmem.errors import LmemError
    from lmem.evaluation import results
    from lmem.memory.bank import Bank
    from lmem.memory.ledger import Ledger
    from lmem.memory.model import MemoryModel

__version__ = "1.0.0rc1"
__all__ = [
    "Backbone",
    "Bank",
    "Ledger",
    "LmemError",
    "MemoryModel",
    "__version__",
    "load_backbone",
    "results",
]

_HOME = {
    "Backbone": "lmem.backbone.backbone",
    "Bank": "lmem.memory.bank",
    "Ledger": "lmem.memory.ledger",
    "LmemError": "lmem.errors",
    "MemoryModel": "lmem.memory.model",
    "load_backbone": "lmem.backbone.backbone",
}


def __getattr__(name: str) -> Any:
    if name == "results":  # a module, not a name in one
        return import_module("lmem.evaluation.results")
    if name not in _HOME:
        raise AttributeError(f"module 'lmem' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
