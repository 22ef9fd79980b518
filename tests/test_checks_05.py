"""Chapter 5's checks: right answers pass, and each mistake that is likely is named."""

import pytest
import torch

from lmem.exercises import chapter_05
from lmem.memory.methods import find, shape, table


def branch(states, rows, w_q, w_k, w_v, w_o, beta, scale=True, dim=-1):
    scores = states @ w_q @ (rows @ w_k).T
    shares = (scores / states.shape[1] ** 0.5 if scale else scores).softmax(dim)
    return beta * shares @ (rows @ w_v) @ w_o


def gated(states, context, w_g, b_g):
    return torch.sigmoid(torch.cat([states, context], 1) @ w_g + b_g) * context


def trainable(width, layers):
    return {"m2": 4 * width**2 + layers, "m5": 5 * width**2 + width}


def add_beside(module, gain):
    def hook(module, args, output):
        return (output[0] + gain(args[0]), *output[1:])

    return module.register_forward_hook(hook)


@pytest.mark.parametrize("answer", [branch, gated, trainable, add_beside])
def test_right_answers_pass(answer):
    verdict = getattr(chapter_05, answer.__name__)(answer)
    assert verdict.state == "right", verdict.text


def test_the_counts_are_those_of_the_methods():
    model = shape("flan-t5-xl")
    rows = table(model, chosen=[find("m2"), find("m5")])
    counts = trainable(2048, 24)
    assert [row["trainable"] for row in rows] == [counts["m2"], counts["m5"]]


def first_only(module, gain):
    return module.register_forward_hook(lambda module, args, output: output[0] + gain(args[0]))


def whole_tuple(module, gain):
    return module.register_forward_hook(
        lambda module, args, output: (output[0] + gain(args), *output[1:])
    )


def no_handle(module, gain):
    add_beside(module, gain)


def of_the_output(module, gain):
    return module.register_forward_hook(
        lambda module, args, output: (output[0] + gain(output[0]), *output[1:])
    )


def in_place(module, gain):
    def hook(module, args, output):
        output[0].add_(gain(args[0]))

    return module.register_forward_hook(hook)


def instead(module, gain):
    return module.register_forward_hook(lambda module, args, output: (gain(args[0]), *output[1:]))


@pytest.mark.parametrize(
    ("check", "answer", "said"),
    [
        ("branch", lambda *given: branch(*given, scale=False), "not divided by sqrt(D)"),
        ("branch", lambda *given: branch(*given, dim=0), "the softmax runs over the states"),
        ("branch", lambda s, p, q, k, v, o, b: s + branch(s, p, q, k, v, o, b), "the states are included"),
        ("branch", lambda s, p, q, k, v, o, b: branch(s, p, q, k, v, torch.eye(4), b), "W_o is missing"),
        ("branch", lambda s, p, q, k, v, o, b: branch(s, p, q, k, v, o, 1.0), "beta is missing"),
        ("branch", lambda s, p, q, k, v, o, b: branch(s, p, q, k, v.T, o, b), "Hint: go through the formula"),
        ("gated", lambda s, c, w, b: torch.sigmoid(torch.cat([s, c], 1) @ w + b), "the gate alone"),
        ("gated", lambda s, c, w, b: gated(s, c, w, b) / c * s, "it must multiply the context"),
        ("gated", lambda s, c, w, b: gated(c, s, w, b) / s * c, "the states come first"),
        ("gated", lambda s, c, w, b: torch.cat([s, c], 1) @ w * c, "sigmoid(b_g)"),
        ("trainable", lambda d, n: {"m2": 4 * d * d + n, "m5": 5 * d * d}, "b_g"),
        ("trainable", lambda d, n: {"m2": 4 * d * d * n + n, "m5": 5 * d * d + d}, "under 'm2'"),
        ("add_beside", first_only, "return a tuple like the one it was given"),
        ("add_beside", whole_tuple, "must be Tensor, not tuple. Hint: a hook gets"),
        ("add_beside", no_handle, "return the handle"),
        ("add_beside", of_the_output, "the first output"),
        ("add_beside", in_place, "changes the module's own tensor in place"),
        ("add_beside", instead, "to what must the gain be added"),
    ],
)  # fmt: skip
def test_likely_mistakes_of_chapter_5(check, answer, said):
    verdict = getattr(chapter_05, check)(answer)
    assert verdict.state == "wrong"
    assert said in verdict.text


@pytest.mark.parametrize("check", ["branch", "gated", "trainable", "add_beside"])
def test_stubs_are_unfinished(check):
    def stub(*given):
        raise NotImplementedError

    assert getattr(chapter_05, check)(stub).state == "unfinished"
