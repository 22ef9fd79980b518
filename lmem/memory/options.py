"""Options of writes and reads: what a class accepts is the signature of its constructor, checked against its annotations.

    class SlotWrite(Write):
        def __init__(self, rows, width, k: int = 8, **options): ...  ...      # option k, and those of Write

An option that the constructor does not name is refused.
"""

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ConfigDict, ValidationError, create_model

from lmem.errors import MethodError

Options = Mapping[str, Any]
NONE: Options = MappingProxyType({})
SIZES = {"self", "rows", "width", "layers"}  # given by the bank and the backbone, not by the user


def known_options(kind: type) -> dict[str, inspect.Parameter]:
    """Return the options of a write or a read by name.

    A constructor that ends in `**options` passes them on, so its parent's options count as well.
    """
    known: dict[str, inspect.Parameter] = {}
    constructors = (
        vars(parent)["__init__"] for parent in kind.__mro__ if "__init__" in vars(parent)
    )
    for constructor in constructors:
        parameters = inspect.signature(constructor, eval_str=True).parameters
        passed_on = [name for name, p in parameters.items() if p.kind is p.VAR_KEYWORD]
        options = (
            p for p in parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        )
        known = {p.name: p for p in options if p.name not in SIZES} | known
        if not passed_on:
            break
    return known


def completed(kind: type, given: Options) -> dict[str, Any]:
    """Return all options of a class: the given ones in the declared types (1 for a float becomes 1.0), and the defaults.

    Raises:
        MethodError: The class has no option of this name, or a value has another type.
    """
    known = known_options(kind)
    fields: dict[str, Any] = {}
    for name, parameter in known.items():
        annotated = parameter.annotation is not parameter.empty
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = (parameter.annotation if annotated else Any, default)
    config = ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True)
    try:
        return dict(create_model(kind.__name__, __config__=config, **fields)(**given))
    except ValidationError as error:
        first = error.errors()[0]
        raise MethodError(
            f"expected for {kind.__name__} options out of {', '.join(sorted(known)) or 'none'}, "
            f"got {first['loc'][0]}={first['input']!r}: {first['msg']}"
        ) from error
