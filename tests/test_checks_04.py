"""Chapter 4's checks: a right answer, and for each mistake that is likely the words that it gets."""

import pytest
import torch

from lmem.exercises import chapter_04 as check


def attended(scores, values, n):
    weights = torch.cat([scores, torch.zeros(n)]).softmax(0)
    return weights[: len(scores)] @ values


def shares(scores, mask):
    return scores.masked_fill(~mask, float("-inf")).softmax(0)


def extended(z, seen, rows, mask, w_mem):
    return torch.cat([z, rows @ w_mem], 1), torch.cat([seen, mask.long()], 1)


def given_back(f_base, f_0, f_mem):
    gain = f_mem - f_0
    return min(1.0, max(0.0, f_base - f_0) / gain) if gain > 0 else None


RIGHT = {
    "attended": attended,
    "even_rows": lambda scores: scores.exp().sum().item(),
    "shares_of": shares,
    "extended": extended,
    "given_back": given_back,
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers(name):
    verdict = getattr(check, name)(RIGHT[name])
    assert verdict.state == "right", verdict.text


def naive(scores, values, n):
    weights = scores.exp() / (scores.exp().sum() + n)
    return weights @ values


def states_only(z, seen, rows, mask, w_mem):
    return torch.cat([z, rows @ w_mem], 1), seen


def rows_first(z, seen, rows, mask, w_mem):
    return torch.cat([rows @ w_mem, z], 1), torch.cat([mask.long(), seen], 1)


def other_axis(z, seen, rows, mask, w_mem):
    return torch.cat([z, rows @ w_mem]), torch.cat([seen, mask.long()])


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("attended", lambda scores, values, n: scores.softmax(0) @ values, "every value is 2 times"),
        ("attended", lambda scores, values, n: scores.softmax(0) @ values / (1 + n), "times what it should be"),
        ("attended", naive, "let softmax do it"),
        ("attended", lambda scores, values, n: torch.cat([scores, torch.zeros(n)]).softmax(0) @ values, "stops in its line 1 with RuntimeError"),
        ("even_rows", lambda scores: len(scores), "expected 5, got 2"),
        ("even_rows", lambda scores: scores.exp().sum(), "`.item()` takes it out"),
        ("even_rows", lambda scores: scores.sum().exp().item(), "expected 5, got 6"),
        ("shares_of", lambda scores, mask: (scores * mask).softmax(0), "a score of 0 still counts"),
        ("shares_of", lambda scores, mask: scores.softmax(0) * mask, "every value is 0.5 times"),
        ("shares_of", lambda scores, mask: scores.softmax(0) * mask / (scores.softmax(0) * mask).sum(), "largest score by far"),
        ("shares_of", lambda scores, mask: scores.masked_fill(~mask, -100.0).softmax(0), "largest score by far"),
        ("shares_of", lambda scores, mask: (scores - 1e9 * ~mask).softmax(0), "largest score by far"),
        ("extended", states_only, "at [1] expected shape (2, 8), got (2, 3)"),
        ("extended", rows_first, "the rows are in front"),
        ("extended", lambda z, seen, rows, mask, w_mem: extended(z, seen, rows, mask, torch.eye(4)), "W_mem is missing"),
        ("extended", lambda z, seen, rows, mask, w_mem: extended(z, seen, rows, mask, w_mem.T), "W_mem is transposed"),
        ("extended", lambda z, seen, rows, mask, w_mem: extended(z, seen, rows, torch.ones_like(mask), w_mem), "their mask is missing"),
        ("extended", lambda z, seen, rows, mask, w_mem: extended(z, seen, 2 * rows, mask, w_mem), "the same positions in the same order"),
        ("extended", other_axis, "stops in its line 2 with RuntimeError"),
        ("extended", lambda *given: extended(*given)[0], "expected 2 values, as a tuple, got a tensor"),
        ("given_back", lambda f_base, f_0, f_mem: (f_base - f_0) / f_mem, "expected 0.5, got 0.4"),
        ("given_back", lambda f_base, f_0, f_mem: (f_base - f_0) / (f_mem - f_base), "expected 0.5, got 1"),
        ("given_back", lambda f_base, f_0, f_mem: (f_base - f_0) / (f_mem - f_0), "not more"),
        ("given_back", lambda f_base, f_0, f_mem: None if f_mem <= f_0 else min(1.0, (f_base - f_0) / (f_mem - f_0)), "not negative"),
        ("given_back", lambda f_base, f_0, f_mem: min(1.0, (f_base - f_0) / max(f_mem - f_0, 1e-9)), "there is no share"),
        ("given_back", lambda f_base, f_0, f_mem: min(1.0, (f_base - f_0) / (f_mem - f_0)), "ZeroDivisionError: float division by zero. Hint: where there is no gain"),
        ("given_back", lambda f_base, f_0, f_mem: None if f_mem == f_0 else min(1.0, (f_base - f_0) / (f_mem - f_0)), "where there is no gain"),
    ],
)  # fmt: skip
def test_likely_mistakes(name, answer, said):
    verdict = getattr(check, name)(answer)
    assert verdict.state == "wrong"
    assert said in verdict.text
