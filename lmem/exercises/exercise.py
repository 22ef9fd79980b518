"""An exercise's check: a function that tries the learner's answer and gives a verdict, never an error.

    @exercise("1.1")
    def turns_kept(answer):
        returns(answer, ([10, 12, 8], 20), 2, hint="count from the newest turn backwards")

A stub that is still as it was, `raise NotImplementedError` or `...`, is unfinished; what is wrong is said with the call it was
seen in. The first thing that is wrong is all that is said.
"""

import copy
import functools
import traceback
from dataclasses import dataclass

import numpy as np
import torch

from lmem.exercises.words import CLOSE, difference, kind

UNFINISHED = "Exercise {} is not finished. Put code of your own in the place of `{}`, run its cell, then this one again."


@dataclass(frozen=True)
class Verdict:
    """What a check found; a notebook shows its text.

    number  of the exercise: chapter, dot, place
    state   "right", "wrong" or "unfinished"
    """

    number: str
    state: str
    text: str

    def __repr__(self):
        return self.text


class Wrong(Exception):
    """What is wrong with an answer, as a sentence."""


def exercise(number):
    """Make a check out of a function of the learner's answers, which raises Wrong or says nothing."""

    def checking(check):
        @functools.wraps(check)
        def verdict(*answers):
            if any(answer is ... for answer in answers):
                return Verdict(number, "unfinished", UNFINISHED.format(number, "..."))
            try:
                check(*answers)
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


def call(function, *arguments, hint=""):
    """What the learner's function returns for copies of these arguments.

    hint    a sentence that helps if it stops
    raises  Wrong if it is no function, or stops with an error: which one, in which line; or if it changes an argument
    """
    if not callable(function):
        raise Wrong(f"expected a function, got {kind(function)}")
    given = copy.deepcopy(arguments)
    try:
        found = function(*given)
    except Exception as error:
        if isinstance(error, NotImplementedError) and not str(error):
            raise
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        said = f"{shown(function, arguments)} stops{line(function, error)} with {said}"
        raise Wrong(_hinted(said, hint)) from error
    if any(difference(now, before) for now, before in zip(given, arguments, strict=True)):
        raise Wrong(f"{shown(function, arguments)} changes what it was given; work on a copy")
    return found


def expect(got, expected, what, hint="", close=CLOSE, slips=None):
    """Nothing, if `got` is what was expected.

    what    names what was got: a call, a variable
    hint    a sentence that helps without telling
    slips   {what was done, in words: the value that comes of it}, for mistakes that many make
    close   how far numbers may be apart, as a share of the largest expected one
    raises  Wrong, with the difference in words
    """
    said = difference(got, expected, close)
    if said:
        for slip, value in (slips or {}).items():
            if not difference(got, value, close):
                raise Wrong(f"{what}: {slip}.")
        raise Wrong(_hinted(f"{what}: {said}", hint))


def returns(function, arguments, expected, hint="", close=CLOSE, slips=None):
    """Call the learner's function with a tuple of arguments and compare what it returns; raises Wrong."""
    found = call(function, *arguments, hint=hint)
    expect(found, expected, shown(function, arguments), hint, close, slips)


def _hinted(said, hint):
    return said + ("" if said[-1] in ".?!" else ".") + (f" Hint: {hint}" if hint else "")


def require(holds, sentence):
    """Nothing, if it holds; else raises Wrong with the sentence."""
    if not holds:
        raise Wrong(sentence)


def shown(function, arguments):
    """A call as text; tensors and arrays by their shape."""
    texts = [
        f"<{kind(one)} of shape {tuple(one.shape)}>"
        if isinstance(one, torch.Tensor | np.ndarray)
        else repr(one)
        for one in arguments
    ]
    return f"{getattr(function, '__name__', 'your function')}({', '.join(texts)})"


def line(function, error):
    """Where in the learner's own code the error came up: " in its line n", counted from its `def`; or nothing."""
    code = getattr(function, "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame.lineno for frame in frames if code and frame.filename == code.co_filename]
    return f" in its line {own[-1] - code.co_firstlineno + 1}" if own else ""
