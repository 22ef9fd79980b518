"""How a value differs from the one that was expected, in one sentence: its type, its shape, its sign, its size, its place."""

import math
from numbers import Number

import numpy as np
import torch

CLOSE = 1e-4  # of the largest expected value


def difference(got, expected, close=CLOSE):
    """What is wrong with `got`, the first thing only; None if nothing is.

    got, expected  numbers, texts, tensors, arrays, lists, tuples or dictionaries of them; a tuple counts as a list
    close          how far numbers may be apart, as a share of the largest expected one
    """
    wanted, found = kind(expected), kind(got)
    if got is None and expected is not None:
        return f"expected {wanted}, got nothing: is a `return` missing?"
    if wanted != found and isinstance(expected, tuple):
        return f"expected {len(expected)} values, as a tuple, got {found}"
    if wanted != found:
        one = wanted == "a number" and found in ("a tensor", "an array") and not got.ndim
        return f"expected {wanted}, got {found}" + (": `.item()` takes it out" if one else "")
    if wanted in ("a tensor", "an array"):
        return _arrays(got, expected, close)
    if wanted == "a number":
        return _numbers(got, expected, close)
    if wanted == "a list":
        return _lists(got, expected, close)
    if wanted == "a dictionary":
        return _dictionaries(got, expected, close)
    return None if got == expected else f"expected {expected!r}, got {got!r}"


def kind(value):
    """What a value is, with its article."""
    kinds = {
        (bool, np.bool_): "True or False", Number: "a number", str: "a text", (list, tuple): "a list",
        dict: "a dictionary", torch.Tensor: "a tensor", np.ndarray: "an array",
    }  # fmt: skip
    for one, name in kinds.items():
        if isinstance(value, one):
            return name
    if value is None:
        return "None"
    return "a function" if callable(value) else f"a value of type {type(value).__name__}"


def _numbers(got, expected, close):
    if math.isclose(got, expected, rel_tol=close, abs_tol=close * 1e-4):
        return None
    sign = got and math.isclose(got, -expected, rel_tol=close)
    said = "the sign is the other way round: " if sign else ""
    return f"{said}expected {_short(expected)}, got {_short(got)}"


def _lists(got, expected, close):
    if len(got) != len(expected):
        return f"expected {len(expected)} elements, got {len(got)}"
    for place, (one, other) in enumerate(zip(got, expected, strict=True)):
        if said := difference(one, other, close):
            return f"at [{place}] {said}"
    return None


def _dictionaries(got, expected, close):
    for key in expected:
        if key not in got:
            return f"expected a key {key!r}, it is missing"
        if said := difference(got[key], expected[key], close):
            return f"under {key!r} {said}"
    extra = [key for key in got if key not in expected]
    return f"expected no key {extra[0]!r}" if extra else None


def _arrays(got, expected, close):
    """Tensors or arrays: shape, True and False against numbers, NaN, transposed, sign, a factor, else the worst place."""
    wanted, found = tuple(expected.shape), tuple(got.shape)
    if wanted != found:
        turned = " (it is transposed)" if len(wanted) > 1 and found == wanted[::-1] else ""
        return f"expected shape {wanted}, got {found}{turned}"
    if ("bool" in str(got.dtype)) != ("bool" in str(expected.dtype)):
        return f"expected elements of type {expected.dtype}, got {got.dtype}"
    got, expected = _floats(got), _floats(expected)
    scale = np.abs(expected).max(initial=0.0)

    def same(one):
        return np.allclose(one, expected, rtol=0, atol=close * max(scale, 1e-4))

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
    wrong = int((apart > close * max(scale, 1e-4)).sum())
    where = [int(i) for i in place]
    return (
        f"{wrong} of {apart.size} values differ, most at {where}: "
        f"expected {_short(expected[place])}, got {_short(got[place])}"
    )


def _floats(values):
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)


def _short(number):
    return str(number) if isinstance(number, int) else f"{float(number):.4g}"
