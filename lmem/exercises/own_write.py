"""A write rule of the learner's own becomes a method: registered under a name, read by the shipped read (chapter 17)."""

import inspect
import re

from lmem.errors import MethodError
from lmem.memory.methods import find
from lmem.memory.model import MemoryModel
from lmem.memory.write import WRITES
from lmem.memory.write.base import Write

OWN = tuple(WRITES)  # the package's
SCALE = 3  # 192 rows, as the shipped adapter


def register(name, rule):
    """Make a write rule a method's part, under a name of its own; returns the name.

    rule    a subclass of `lmem.memory.write.base.Write` whose bank has rows, with an `update`
    raises  MethodError that says what is missing
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


def memory(name, scale=SCALE, write=None, seed=0):
    """A model of this write with the shipped read, on nano.

    write  options of the write
    """
    shipped = MemoryModel.from_shipped()
    options = dict(find("recent").read_options)
    model = MemoryModel(shipped.backbone, f"{name}+branch", scale, seed, write=write, read=options)
    model.read.load_state_dict(shipped.read.state_dict())
    return model
