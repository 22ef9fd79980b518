"""Hooks that act only in the context that opened them, so that several threads and tasks can share one backbone.

A hook on a module runs for every call of this module, whoever makes it. The hooks of a `HookBlock` ask a context variable first
whether the caller is inside the block. Threads have contexts of their own, and so have asyncio tasks; `asyncio.to_thread` and
`contextvars.copy_context` pass the caller's context on, a plain `threading.Thread` does not.
"""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

from torch import nn

_OPEN: ContextVar[tuple["HookBlock", ...]] = ContextVar("lmem_open_hook_blocks", default=())
_REGISTRATION = threading.Lock()  # PyTorch numbers its hooks with a counter that is not atomic


def open_blocks() -> tuple["HookBlock", ...]:
    """Return the blocks that the caller is inside of, the outermost first."""
    return tuple(block for block in _OPEN.get() if block.is_open)


@contextmanager
def suspended(blocks: Collection["HookBlock"]) -> Iterator[None]:
    """Let these blocks do nothing for calls that are made inside, in this context."""
    token = _OPEN.set(tuple(block for block in _OPEN.get() if block not in blocks))
    try:
        yield
    finally:
        _OPEN.reset(token)


class HookBlock:
    """A `with` block that owns hooks; they act only on calls that are made in its context.

    Blocks may be nested, and may overlap: the end of one removes its own hooks and no others.
    """

    def __init__(self) -> None:
        self.is_open = False
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        self.is_open = True
        _OPEN.set((*_OPEN.get(), self))
        return self

    def __exit__(self, *_: object) -> None:
        self.is_open = False  # also for calls in a copy of the context that are still running
        _OPEN.set(tuple(block for block in _OPEN.get() if block is not self))
        with _REGISTRATION:
            for handle in self._handles:
                handle.remove()
        self._handles = []

    def before(self, module: nn.Module, hook: Callable, **options: Any) -> None:
        """Register a forward pre-hook; options are those of `register_forward_pre_hook`."""
        with _REGISTRATION:
            handle = module.register_forward_pre_hook(self._bound(hook), **options)
            self._handles.append(handle)

    def after(self, module: nn.Module, hook: Callable, **options: Any) -> None:
        """Register a forward hook; options are those of `register_forward_hook`."""
        with _REGISTRATION:
            handle = module.register_forward_hook(self._bound(hook), **options)
            self._handles.append(handle)

    def _bound(self, hook: Callable) -> Callable:
        # the number of arguments is open: a call of another thread may meet a hook that is half registered
        def bound(*args: Any) -> Any:
            return hook(*args) if self.is_open and self in _OPEN.get() else None

        return bound
