"""lmem: a latent memory for frozen encoder-decoder language models.

Names are loaded when they are first used, so `import lmem` alone does not import torch.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "Backbone": "lmem.backbone.backbone",
    "Bank": "lmem.memory.bank",
    "Ledger": "lmem.memory.ledger",
    "LmemError": "lmem.errors",
    "MemoryModel": "lmem.memory.model",
    "load_backbone": "lmem.backbone.backbone",
}
__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'lmem' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__():
    return __all__
