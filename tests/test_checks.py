"""Exercise checks say in words what is wrong, know an untouched stub, and pass what is right."""

import numpy as np
import pytest
import torch

from lmem.exercises import chapter_01
from lmem.exercises.exercise import Wrong, call, exercise, expect, require, returns
from lmem.exercises.words import difference

SQUARE = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
SAID = [  # got, expected, words
    (None, 2, "expected a number, got nothing: is a `return` missing?"),
    ("2", 2, "expected a number, got a text"),
    (torch.tensor(2.0), 2, "expected a number, got a tensor: `.item()` takes it out"),
    (np.ones(1), torch.ones(1), "expected a tensor, got an array"),
    (True, 1, "expected a number, got True or False"),
    (len, 1, "expected a number, got a function"),
    (3, 2, "expected 2, got 3"),
    (0.5, 0.25, "expected 0.25, got 0.5"),
    (-2.5, 2.5, "the sign is the other way round: expected 2.5, got -2.5"),
    ("Ben", "Ana", "expected 'Ana', got 'Ben'"),
    ([1], [1, 2], "expected 2 elements, got 1"),
    ([1, 3], [1, 2], "at [1] expected 2, got 3"),
    ({"a": 1}, {"a": 1, "b": 2}, "expected a key 'b', it is missing"),
    ({"a": 2}, {"a": 1}, "under 'a' expected 1, got 2"),
    ({"a": 1, "b": 2}, {"a": 1}, "expected no key 'b'"),
    (torch.ones(3, 2), torch.ones(2, 3), "expected shape (2, 3), got (3, 2) (it is transposed)"),
    (torch.ones(2), torch.ones(3), "expected shape (3,), got (2,)"),
    (torch.ones(2), torch.ones(2).bool(), "expected elements of type torch.bool, got torch.float32"),
    (SQUARE.T, SQUARE, "the values are right, but transposed: rows and columns are exchanged"),
    (-SQUARE, SQUARE, "every sign is the other way round"),
    (SQUARE / 4, SQUARE, "every value is 0.25 times what it should be"),
    (SQUARE * np.nan, SQUARE, "at [0, 0] expected 1, got nan"),
    # apart by 0, 0.5, 0 and 2
    (SQUARE + torch.tensor([[0, 0.5], [0, 2]]), SQUARE, "2 of 4 values differ, most at [1, 1]: expected 5, got 7"),
]  # fmt: skip


@pytest.mark.parametrize(("got", "expected", "said"), SAID, ids=[s[-1] for s in SAID])
def test_what_is_wrong_is_said(got, expected, said):
    assert difference(got, expected) == said


def test_what_is_right_is_not_spoken_of():
    for one in (2, 0.0, "Ana", True, None, [1, (2.0, "a")], {"a": SQUARE}, SQUARE, SQUARE > 1):
        assert difference(one, one) is None
    assert difference((1, 2), [1, 2]) is None
    assert difference(torch.ones(0, 2), torch.ones(0, 2)) is None
    assert difference(SQUARE.half(), SQUARE) is None
    # close is a share of the largest expected value: 5e-4 of 5
    assert difference(SQUARE + 4e-4, SQUARE) is None
    assert difference(SQUARE + 6e-4, SQUARE) is not None
    assert difference(1.004, 1.0, close=0.01) is None


@exercise("9.1")
def twice(answer):
    """A check of the tests' own."""
    returns(answer, ([1, 2],), [2, 4], hint="a list, not a sum")


def test_verdicts():
    right = twice(lambda numbers: [2 * n for n in numbers])
    assert (right.number, right.state, repr(right)) == ("9.1", "right", "Exercise 9.1: right.")

    def double(numbers):
        return [n + 1 for n in numbers]

    wrong = twice(double)
    assert wrong.state == "wrong"
    assert repr(wrong) == (
        "Exercise 9.1 is not right yet: double([1, 2]): at [1] expected 4, got 3. Hint: a list, not a sum"
    )
    assert twice.__doc__ == "A check of the tests' own."


def test_a_stub_is_unfinished():
    def stub(numbers):
        raise NotImplementedError

    for answer, put in ((stub, "raise NotImplementedError"), (..., "...")):
        found = twice(answer)
        assert found.state == "unfinished"
        assert repr(found) == (
            f"Exercise 9.1 is not finished. Replace `{put}` with your own code, run that cell, then run this one again."
        )


def test_pytorch_s_own_not_implemented_is_an_error_of_the_answer():
    def other(numbers):
        raise NotImplementedError("no kernel for this type")

    assert twice(other).state == "wrong"
    assert "NotImplementedError: no kernel for this type" in twice(other).text

    @exercise("9.2")
    def broken(answer):
        raise NotImplementedError("the check's own fault")

    with pytest.raises(NotImplementedError):
        broken(1)


def test_an_error_of_the_answer_is_named_with_its_line():
    def ratio(numbers):
        zero = 0
        return 1 / zero

    said = "ratio([1, 2]) stops in its line 3 with ZeroDivisionError: division by zero"
    assert said in twice(ratio).text
    assert twice(3).text.endswith("expected a function, got a number")
    with pytest.raises(Wrong, match=r"^len\(\[1, 2\], 3\) stops with TypeError: "):
        call(len, [1, 2], 3)  # it has no lines


def test_an_argument_that_is_changed_is_noticed_and_stays():
    given = torch.ones(2)

    def in_place(rows):
        return rows.mul_(2)

    with pytest.raises(
        Wrong, match=r"in_place\(<a tensor: \[1.0, 1.0\]>\) changes what it was given"
    ):
        call(in_place, given)
    assert torch.equal(given, torch.ones(2))


def test_properties_and_values():
    require(True, "never said")
    with pytest.raises(Wrong, match="^the bank is empty$"):
        require(False, "the bank is empty")
    expect(1, 1, "x")
    with pytest.raises(Wrong, match="^x: expected 1, got 2.$"):
        expect(2, 1, "x")


# ---- chapter 1: an answer for each mistake that is likely -----------------------------------------


def kept_from_the_front(tokens, rows):
    return sum(sum(tokens[: n + 1]) <= rows for n in range(len(tokens)))


def kept_with_gaps(tokens, rows):
    kept = 0
    for count in reversed(tokens):
        if count <= rows:
            rows, kept = rows - count, kept + 1
    return kept


@pytest.mark.parametrize(
    ("check", "answer", "said"),
    [
        # of 10, 12 and 8 tokens from the front 10 fit into 20, with 12 it is 22
        ("turns_kept", kept_from_the_front, "expected 2, got 1"),
        # from the newest 8 fit into 19, then 12 do not, but 10 do
        ("turns_kept", kept_with_gaps, "expected 1, got 2. Hint: begin with the newest"),
        ("turns_kept", lambda tokens, rows: len(tokens), "expected 2, got 3"),
        ("push_out", lambda rows, turn: torch.cat([rows, turn]), "expected shape (4, 2), got (6, 2)"),
        ("push_out", lambda rows, turn: torch.cat([turn, rows])[:4], "values differ"),
        ("push_out", lambda rows, turn: torch.cat([rows[len(turn) :], turn]), "longer than the bank"),
        ("push_out", lambda rows, turn: torch.cat([rows, turn])[len(turn) :].add_(0).T, "transposed"),
        ("memory_score", lambda right, wrong: (sum(wrong) - sum(right)) / len(right) * 100, "sign"),
        ("memory_score", lambda right, wrong: max(0, sum(right) - sum(wrong)) / len(right) * 100, "nothing may be cut off"),
        ("memory_score", lambda right, wrong: (sum(right) - sum(wrong)) / len(right), "is the result in points"),
    ],
)  # fmt: skip
def test_likely_mistakes_of_chapter_1(check, answer, said):
    verdict = getattr(chapter_01, check)(answer)
    assert verdict.state == "wrong"
    assert said in verdict.text
