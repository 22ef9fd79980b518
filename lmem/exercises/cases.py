"""Checks whose cases are plain values: a chapter's are in `chapter_NN.toml`, next to its file.

    ["1.1"]
    answer = "What the learner's function takes and returns."
    hint = "for the cases that have none of their own"
    cases = [{ given = [[10, 12, 8], 20], expected = 2, hint = "its own" }]

`{ tensor = [...] }`, `{ zeros = [2, 3] }` and `{ tuple = [...] }` are values that TOML does not have. A case without
`expected` expects None. Its `slips`, [{ says, value }], name common mistakes by the value that they give.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from lmem.exercises.exercise import Verdict, exercise
from lmem.utils.toml import read_toml

KINDS: dict[str, Callable[[Any], Any]] = {
    "tensor": torch.tensor,
    "zeros": torch.zeros,
    "tuple": tuple,
}


def read_checks(*numbers: str) -> list[Callable[..., Verdict]]:
    """Return the checks of exercises of one chapter, by their numbers, such as "1.1"."""
    chapter = int(numbers[0].partition(".")[0])
    path = Path(__file__).with_name(f"chapter_{chapter:02d}.toml")
    tables = read_toml(path)
    return [_check(number, **tables[number]) for number in numbers]


def _check(
    number: str, answer: str, cases: list[dict[str, Any]], hint: str = ""
) -> Callable[..., Verdict]:
    def check(_):
        for case in cases:
            given, expected = _value(case["given"]), _value(case.get("expected"))
            slips = {slip["says"]: _value(slip["value"]) for slip in case.get("slips", ())}
            yield tuple(given), expected, case.get("hint"), slips

    check.__doc__ = answer
    return exercise(number, hint)(check)


def _value(value: Any) -> Any:
    """Return a value as Python has it."""
    if isinstance(value, list):
        return [_value(inner) for inner in value]
    if isinstance(value, dict) and len(value) == 1 and set(value) <= set(KINDS):
        [(kind, inner)] = value.items()
        return KINDS[kind](_value(inner))
    return value
