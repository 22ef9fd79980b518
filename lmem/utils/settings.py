"""Settings as frozen values: checked when they are made, JSON in and out."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import wraps
from typing import Annotated, Any, Self, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from lmem.errors import InputError

T = TypeVar("T")
AtLeast0 = Annotated[int, Field(ge=0)]
AtLeast1 = Annotated[int, Field(ge=1)]
AtLeast2 = Annotated[int, Field(ge=2)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]


@dataclass_transform(frozen_default=True)
def settings(cls: type[T]) -> type[T]:
    """Make a frozen dataclass whose values pydantic checks; what does not fit raises InputError."""
    checked: Any = dataclass(frozen=True, config=ConfigDict(extra="forbid"))(cls)
    unchecked = checked.__init__

    @wraps(unchecked)
    def checked_init(self, *args, **kwargs):
        try:
            unchecked(self, *args, **kwargs)
        except ValidationError as error:
            raise InputError(_sentence(cls, error)) from None

    checked.__init__ = checked_init
    return checked


class Settings:
    """What every settings class can do: read and write JSON, and say how it differs."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make settings from a mapping.

        Raises:
            InputError: A name does not exist, or a value does not fit.
        """
        return cls(**values)

    def to_json(self) -> str:
        """Write all settings as JSON."""
        return json.dumps(asdict(self), indent=1)  # pyright: ignore[reportArgumentType]

    def difference(self) -> dict[str, Any]:
        """Return what differs from the defaults, {name: value}."""
        default = type(self)()
        names = [field.name for field in fields(self)]  # pyright: ignore[reportArgumentType]
        values = {name: getattr(self, name) for name in names}
        return {name: v for name, v in values.items() if v != getattr(default, name)}


def _sentence(cls: type, error: ValidationError) -> str:
    """Say the first thing that is wrong in one sentence."""
    problem = error.errors()[0]
    name = ".".join(str(part) for part in problem["loc"])
    value, limits, kind = problem["input"], problem.get("ctx", {}), problem["type"]
    if kind == "value_error":
        return str(limits["error"])
    if kind == "unexpected_keyword_argument":
        known = ", ".join(sorted(field.name for field in fields(cls)))
        return f"{cls.__name__} has no setting {name!r}; it has {known}"
    words = {"greater_than_equal": "at least {ge:g}", "less_than_equal": "at most {le:g}"}
    words |= {"greater_than": "greater than {gt:g}", "less_than": "less than {lt:g}"}
    if kind in words:
        return f"{name} must be {words[kind].format(**limits)}, not {value}"
    return f"{name} of {cls.__name__}: {problem['msg'].lower()}, got {value!r}"
