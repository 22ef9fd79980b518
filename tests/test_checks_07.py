"""Checks of chapter 7 say what is wrong with answers that are likely, and pass right ones."""

import pytest
import torch

from lmem.exercises import chapter_07


def clamp(rows):
    return rows / max(rows.norm().item(), 1.0)


RIGHT = {
    "hebbian": lambda m, k, v, gamma: clamp(gamma * m + k.T @ v / len(k)),
    "left": lambda norms, gamma: [
        1 / max(norms[i], 1) * torch.tensor([1.0, *(gamma / max(n, 1) for n in norms[i + 1 :])]).prod().item()
        for i in range(len(norms))
    ],
    "crosstalk": lambda cosines, j: (cosines[j].square().sum() - 1).clamp(min=0).sqrt().item(),
    "delta": lambda m, k, v, b: m + b * torch.outer(k, v - m.T @ k),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_pass(name):
    assert getattr(chapter_07, name)(RIGHT[name]).state == "right"


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("hebbian", lambda m, k, v, g: clamp(g * m + v.T @ k / len(k)), "transposed"),
        ("hebbian", lambda m, k, v, g: clamp(g * m + k.T @ v), "their mean over the tokens is wanted"),
        ("hebbian", lambda m, k, v, g: g * m + k.T @ v / len(k), "longer than 1 (Frobenius)"),
        ("hebbian", lambda m, k, v, g: (g * m + k.T @ v / len(k)) / (g * m + k.T @ v / len(k)).norm(), "a matrix shorter than 1 (Frobenius) is not divided"),
        ("hebbian", lambda m, k, v, g: clamp(g * m + k.T @ v / len(m)), "divided by the width A"),
        ("hebbian", lambda m, k, v, g: clamp(m + k.T @ v / len(k)), "gamma is missing"),
        ("left", lambda norms, g: [g ** (len(norms) - 1 - i) for i in range(len(norms))], "at [0] expected 0.0625, got 0.5"),
        ("left", lambda norms, g: list(reversed(RIGHT["left"](norms, g))), "at [0]"),
        ("left", lambda norms, g: [1 / torch.tensor(norms[i:]).prod().item() * g ** (len(norms) - 1 - i) for i in range(len(norms))], "shorter than 1"),
        ("crosstalk", lambda c, j: c[j].square().sum().sqrt().item(), "expected 0.6, got 1.166"),
        ("crosstalk", lambda c, j: (c[j].sum() - 1).item(), "lengths of such vectors"),
        ("crosstalk", lambda c, j: (c[j].square().sum() - 1).sqrt(), ".item()"),
        ("delta", lambda m, k, v, b: m + b * torch.outer(k, v), "this is the Hebbian rule"),
        ("delta", lambda m, k, v, b: m + b * torch.outer(k, v - m @ k), "the wrong side of M"),
        ("delta", lambda m, k, v, b: m + b * torch.outer(v - m.T @ k, k), "the step is transposed"),
        ("delta", lambda m, k, v, b: m + b * torch.outer(k, m.T @ k - v), "wrong sign"),
        ("delta", lambda m, k, v, b: (1 - b) * m + b * torch.outer(k, v), "everything faded"),
        ("delta", lambda m, k, v, b: m + torch.outer(k, v - m.T @ k), "strength"),
    ],
)  # fmt: skip
def test_likely_mistakes(name, answer, said):
    verdict = getattr(chapter_07, name)(answer)
    assert verdict.state == "wrong"
    assert said in verdict.text
