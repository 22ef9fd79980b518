"""An exercise's check: a function that tries the learner's answer and returns a verdict, never an error.

    @exercise("1.1", "count from the newest turn backwards")
    def turns_kept(answer):
        yield ([10, 12, 8], 20), 2                                   arguments, expected
        yield ([30], 20), 0, "a turn that is cut is not whole"       with a hint of its own

A stub that was not changed, `raise NotImplementedError` or `...`, is unfinished. A message about a wrong answer contains the
call that was tried. A verdict reports only the first thing that is wrong.
"""

import copy
import functools
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lmem.exercises.words import difference, kind, wrong_kind

Slips = Mapping[str, Any] | None  # common mistakes: {description: the value that results from it}
UNFINISHED = "Exercise {} is not finished. Replace `{}` with your own code, run that cell, then run this one again."


@dataclass(frozen=True)
class Verdict:
    """Result of a check; a notebook shows its text.

    Attributes:
        number: Number of the exercise: chapter, dot, place.
        state: "right", "wrong" or "unfinished".
        text: The sentence for the learner.
    """

    number: str
    state: str
    text: str

    def __repr__(self) -> str:
        return self.text


class Wrong(Exception):
    """What is wrong with an answer, as a sentence."""


def exercise(
    number: str, hint: str = ""
) -> Callable[[Callable[..., Iterable[tuple] | None]], Callable[..., Verdict]]:
    """Turn a function of the learner's answers into a check.

    The function raises Wrong, or yields cases that the first answer is tried on: (arguments, expected), and if needed a hint
    of the case and its slips; see `returns`.

    Args:
        number: Number of the exercise: chapter, dot, place.
        hint: Hint for the cases that have none of their own.
    """

    def checking(check: Callable[..., Iterable[tuple] | None]) -> Callable[..., Verdict]:
        @functools.wraps(check)
        def verdict(*answers: Any) -> Verdict:
            if any(answer is ... for answer in answers):
                return Verdict(number, "unfinished", UNFINISHED.format(number, "..."))
            try:
                for case in check(*answers) or ():
                    arguments, expected, *rest = case
                    own_hint, slips = (*rest, None, None)[:2]
                    returns(answers[0], arguments, expected, own_hint or hint, slips=slips)
            except NotImplementedError as error:
                if str(error):  # not the stub's: PyTorch raises it too, with a message
                    raise
                stub = "raise NotImplementedError"
                return Verdict(number, "unfinished", UNFINISHED.format(number, stub))
            except Wrong as error:
                return Verdict(number, "wrong", f"Exercise {number} is not right yet: {error}")
            return Verdict(number, "right", f"Exercise {number}: right.")

        return verdict

    return checking


def call(function: Any, *arguments: Any, hint: str = "") -> Any:
    """Call the learner's function with copies of arguments.

    Args:
        function: The learner's function.
        *arguments: What to call it with.
        hint: A sentence that helps if the function raises an error.

    Raises:
        Wrong: It is no function, raises an error (the message names the error and its line), or changes an argument.
    """
    if not callable(function):
        raise Wrong(f"expected a function, got {kind(function)}")
    given = copy.deepcopy(arguments)
    try:
        result = function(*given)
    except Exception as error:
        if isinstance(error, NotImplementedError) and not str(error):
            raise
        name = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        sentence = f"{shown(function, arguments)} stops{line(function, error)} with {name}"
        raise Wrong(_hinted(sentence, hint)) from error
    if any(difference(now, before) for now, before in zip(given, arguments, strict=True)):
        raise Wrong(f"{shown(function, arguments)} changes what it was given; work on a copy")
    return result


def expect(got: Any, expected: Any, what: str, hint: str = "", slips: Slips = None) -> None:
    """Compare a value with the expected one.

    Args:
        got: The value.
        expected: What it should be.
        what: What the value is: a call, a variable.
        hint: A sentence that helps without giving the answer; not shown if the value is of another kind.
        slips: Common mistakes: {description: the value that results from it}.

    Raises:
        Wrong: They differ; the message describes the difference.
    """
    wrong = difference(got, expected)
    if wrong:
        for slip, value in (slips or {}).items():
            if not difference(got, value):
                raise Wrong(f"{what}: {slip}.")
        if got is not None and expected is not None and wrong_kind(got, expected):
            hint = ""  # which is about what is in it
        raise Wrong(_hinted(f"{what}: {wrong}", hint))


def returns(
    function: Any, arguments: tuple, expected: Any, hint: str = "", slips: Slips = None
) -> None:
    """Call the learner's function with a tuple of arguments and compare what it returns; see `call` and `expect`."""
    result = call(function, *arguments, hint=hint)
    expect(result, expected, shown(function, arguments), hint, slips)


def _hinted(sentence: str, hint: str) -> str:
    stop = "" if sentence[-1] in ".?!" else "."
    return f"{sentence}{stop} Hint: {hint}" if hint else sentence + stop


def require(condition: bool, sentence: str) -> None:
    """Raise Wrong with the sentence unless the condition is true."""
    if not condition:
        raise Wrong(sentence)


def shown(function: Any, arguments: Sequence[Any]) -> str:
    """Write a call as text: tensors and arrays by their numbers, or by their shapes if the call has more than 24 numbers."""
    arrays = [one for one in arguments if isinstance(one, torch.Tensor | np.ndarray)]
    short = sum(one.numel() if torch.is_tensor(one) else one.size for one in arrays) <= 24
    texts = [
        _in_numbers(argument, short)
        if isinstance(argument, torch.Tensor | np.ndarray)
        else repr(argument)
        for argument in arguments
    ]
    return f"{getattr(function, '__name__', 'your function')}({', '.join(texts)})"


def _in_numbers(values: Any, short: bool) -> str:
    """Write the numbers with three digits behind the point, or the shape."""
    array = np.asarray(values.detach().double() if torch.is_tensor(values) else values)
    if not short:
        return f"<{kind(values)} of shape {tuple(array.shape)}>"
    return (
        f"<{kind(values)}: {array.round(3).tolist()}>"  # in doubles: 1.541, not 1.5410000085830688
    )


def line(function: Any, error: BaseException) -> str:
    """Locate an error in the learner's own code: " in its line n", counted from its `def`; "" if it is elsewhere."""
    code = getattr(function, "__code__", None)
    if code is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f.lineno for f in frames if f.filename == code.co_filename and f.lineno is not None]
    return f" in its line {own[-1] - code.co_firstlineno + 1}" if own else ""
