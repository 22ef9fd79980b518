"""Describe in one sentence how a value differs from the expected one: in type, shape, sign, size or place."""

import math
from collections.abc import Callable
from numbers import Number
from typing import Any

import numpy as np
import torch

CLOSE = 1e-4  # of the largest expected value


def difference(got: Any, expected: Any, close: float = CLOSE) -> str | None:
    """Describe the first thing that is wrong with a value.

    Args:
        got: A number, text, tensor or array, or a list, tuple or dictionary of them. A tuple counts as a list.
        expected: What it should be.
        close: How far numbers may differ, as a share of the largest expected one.

    Returns:
        A sentence, or None if nothing is wrong.
    """
    if wrong := wrong_kind(got, expected):
        return wrong
    if isinstance(expected, bool):
        got = bool(got)
    wanted = kind(expected)
    if wanted in COMPARE:
        return COMPARE[wanted](got, expected, close)
    return None if got == expected else f"expected {expected!r}, got {got!r}"


def wrong_kind(got: Any, expected: Any) -> str | None:
    """Describe in what kind of value, if any, the two differ; a tensor without axes may be True or False."""
    wanted, came = kind(expected), kind(got)
    truth = isinstance(expected, bool) and isinstance(got, torch.Tensor) and not got.ndim
    if wanted == came or truth:
        return None
    if got is None:
        return f"expected {wanted}, got nothing: is a `return` missing?"
    if isinstance(expected, tuple):
        return f"expected {len(expected)} values, as a tuple, got {came}"
    scalar = wanted == "a number" and getattr(got, "ndim", None) == 0
    return f"expected {wanted}, got {came}" + (": `.item()` takes it out" if scalar else "")


KINDS: dict[Any, str] = {  # bool before Number, which it is as well
    (bool, np.bool_): "True or False",
    Number: "a number",
    str: "a text",
    (list, tuple): "a list",
    dict: "a dictionary",
    torch.Tensor: "a tensor",
    np.ndarray: "an array",
    type(None): "None",
}


def kind(value: Any) -> str:
    """Name what a value is, with its article."""
    for types, name in KINDS.items():
        if isinstance(value, types):
            return name
    return "a function" if callable(value) else f"a value of type {type(value).__name__}"


def _numbers(got: Any, expected: Any, close: float) -> str | None:
    if math.isclose(got, expected, rel_tol=close, abs_tol=close * 1e-4):
        return None
    sign = got and math.isclose(got, -expected, rel_tol=close)
    turned = "the sign is the other way round: " if sign else ""
    return f"{turned}expected {_short(expected)}, got {_short(got)}"


def _lists(got: Any, expected: Any, close: float) -> str | None:
    if len(got) != len(expected):
        return f"expected {len(expected)} elements, got {len(got)}"
    for place, values in enumerate(zip(got, expected, strict=True)):
        if wrong := difference(*values, close):
            return f"at [{place}] {wrong}"
    return None


def _dictionaries(got: Any, expected: Any, close: float) -> str | None:
    for key in expected:
        if key not in got:
            return f"expected a key {key!r}, it is missing"
        if wrong := difference(got[key], expected[key], close):
            return f"under {key!r} {wrong}"
    extra = [key for key in got if key not in expected]
    return f"expected no key {extra[0]!r}" if extra else None


def _arrays(got: Any, expected: Any, close: float) -> str | None:
    """Compare tensors or arrays: shape, type, NaN, transposed, sign, a common factor, and last the worst place."""
    wanted, came = tuple(expected.shape), tuple(got.shape)
    if wanted != came:
        turned = " (it is transposed)" if len(wanted) > 1 and came == wanted[::-1] else ""
        return f"expected shape {wanted}, got {came}{turned}"
    if ("bool" in str(got.dtype)) != ("bool" in str(expected.dtype)):
        return f"expected elements of type {expected.dtype}, got {got.dtype}"
    got, expected = _floats(got), _floats(expected)
    scale = np.abs(expected).max(initial=0.0)
    tolerance = close * max(scale, 1e-4)

    def same(values: np.ndarray) -> bool:
        return np.allclose(values, expected, rtol=0, atol=tolerance)

    if same(got):
        return None
    if not np.isfinite(got).all():
        place = np.argwhere(~np.isfinite(got))[0].tolist()
        return f"at {place} expected {_short(expected[tuple(place)])}, got {got[tuple(place)]}"
    if got.ndim == 2 and wanted == wanted[::-1] and same(got.T):
        return "the values are right, but transposed: rows and columns are exchanged"
    if same(-got):
        return "every sign is the other way round"
    factor = (got * expected).sum() / (expected**2).sum() if scale else 0.0
    if factor and same(got / factor):
        return f"every value is {_short(factor)} times what it should be"
    apart = np.abs(got - expected)
    place = np.unravel_index(apart.argmax(), apart.shape)
    wrong = int((apart > tolerance).sum())
    where = [int(i) for i in place]
    return (
        f"{wrong} of {apart.size} values differ, most at {where}: "
        f"expected {_short(expected[place])}, got {_short(got[place])}"
    )


def _floats(values: Any) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)


def _short(number: Any) -> str:
    return str(number) if isinstance(number, int) else f"{float(number):.4g}"


COMPARE: dict[str, Callable[[Any, Any, float], str | None]] = {
    "a number": _numbers,
    "a list": _lists,
    "a dictionary": _dictionaries,
    "a tensor": _arrays,
    "an array": _arrays,
}
