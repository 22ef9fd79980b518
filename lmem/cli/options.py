"""Options that several verbs share, and what their texts mean."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lmem.errors import InputError
from lmem.utils.files import expect_file

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
BackboneName = Annotated[str, typer.Option(help='"nano", an id on the hub, or a folder.')]
DataName = Annotated[str, typer.Option(help='"tinyworld", "locomo", or a file in LoCoMo\'s form.')]
Seed = Annotated[int, typer.Option(help="Seed of everything that is drawn.")]
Out = Annotated[Path | None, typer.Option(help="Result file to write.", callback=expect_file)]
Adapter = Annotated[
    str | None, typer.Option(help="Folder of an adapter; default: the shipped one.")
]
Tests = Annotated[int, typer.Option(help="Test conversations, if generated.")]
TestTurns = Annotated[int, typer.Option(help="Turns of a test conversation, if generated.")]


def pairs(options):
    """["gamma=0.99", "normalise=true"] as {"gamma": 0.99, "normalise": True}."""
    found = {}
    for option in options or ():
        name, equals, value = option.partition("=")
        if not equals:
            raise InputError(f"expected an option as name=value, not {option!r}")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def numbers(text, kind):
    """Text such as "0.25,1" as numbers of this kind, or one clear sentence."""
    return [_number(part, kind) for part in text.split(",")]


def _number(text, kind):
    try:
        return kind(text)
    except ValueError as error:
        raise InputError(f"expected a number, not {text!r}") from error
