"""Make a method of a learner's own write rule: registered under a name, read by the shipped read (chapter 17)."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from lmem.errors import MethodError
from lmem.memory.methods import find
from lmem.memory.model import MemoryModel
from lmem.memory.write import WRITES
from lmem.memory.write.base import Write

OWN = tuple(WRITES)  # the package's
SCALE = 3  # 192 rows, like the shipped adapter


def register(name: str, rule: Any) -> str:
    """Make a write rule available to methods under a new name.

    Args:
        name: The name, in small letters.
        rule: A subclass of `lmem.memory.write.base.Write` whose bank has rows, with an `update`.

    Returns:
        The name.

    Raises:
        MethodError: Something is missing; the message says what.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(name)) or name in OWN:
        raise MethodError(
            f"expected a new name in small letters, not one of {', '.join(OWN)}; got {name!r}"
        )
    if not (inspect.isclass(rule) and issubclass(rule, Write)):
        raise MethodError(
            f"expected a class that inherits from lmem.memory.write.base.Write, got {rule!r}"
        )
    if rule.update is Write.update:
        raise MethodError(f"expected an update in {rule.__name__}: (rows, written) after a turn")
    if rule.form != "rows":
        raise MethodError(
            f"expected form 'rows', for the shipped read attends to rows; {rule.__name__} has {rule.form!r}"
        )
    WRITES[name] = rule
    return name


def memory(name: str, scale: float = SCALE, write: Mapping[str, Any] | None = None) -> MemoryModel:
    """Make a model of a registered write with the shipped read, on nano.

    Args:
        name: Name of the write.
        scale: Rows of the bank, as a multiple of the paper's 64.
        write: Options of the write.
    """
    shipped = MemoryModel.from_shipped("nano-recent")
    options = dict(find("recent").read_options)
    model = MemoryModel(shipped.backbone, f"{name}+branch", scale, write=write, read=options)
    model.read.load_state_dict(shipped.read.state_dict())
    return model
