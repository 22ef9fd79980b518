"""Options that several verbs share, and what their texts mean."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lmem.errors import InputError
from lmem.utils.files import expect_file


def opt(text: str, *names: str, **more: Any) -> Any:
    """Return an option with its help text."""
    return typer.Option(*names, help=text, **more)


Json = Annotated[bool, opt("Print JSON instead of a table.", "--json")]
BackboneName = Annotated[str, opt('"nano", "mini", an id on the hub, or a folder.')]
DataName = Annotated[str, opt('"tinyworld", "everyday", "locomo", or a file in LoCoMo\'s form.')]
Seed = Annotated[int, opt("Seed of everything that is drawn.")]
Out = Annotated[Path | None, opt("Result file to write.", callback=expect_file)]
OutFile = Annotated[Path, opt("File to write.", callback=expect_file)]
Adapter = Annotated[str | None, opt("Folder of an adapter, or the name of a shipped one.")]
Tests = Annotated[int, opt("Test conversations, if generated.")]
TestTurns = Annotated[int, opt("Turns of a test conversation, if generated.")]
Setting = Annotated[list[str] | None, opt("A setting that all share: steps=2000", "--set")]
ProfileName = Annotated[str | None, opt('"cpu", "t4", "a100" or "h200"; default: by what is here.')]


def pairs(options: Sequence[str] | None) -> dict[str, Any]:
    """Return ["gamma=0.99", "normalise=true"] as {"gamma": 0.99, "normalise": True}."""
    values = {}
    for option in options or ():
        name, equals, value = option.partition("=")
        if not equals:
            raise InputError(f"expected an option as name=value, not {option!r}")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values


def integers(text: str) -> list[int]:
    """Return text such as "0,64" as whole numbers."""
    return [_number(part, int) for part in text.split(",")]


def decimals(text: str) -> list[float]:
    """Return text such as "0.25,1" as numbers."""
    return [_number(part, float) for part in text.split(",")]


def _number(text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise InputError(f"expected a number, not {text!r}") from error


def given(**options: Any) -> dict[str, Any]:
    """Return the options that are not None; the others keep their defaults."""
    return {name: value for name, value in options.items() if value is not None}
