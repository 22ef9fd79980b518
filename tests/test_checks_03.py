"""Chapter 3's checks: a right answer, and for each mistake that is likely the words that it gets."""

import pytest
import torch

from lmem.exercises import chapter_03 as check


def soft_tokens(rows, w_p, u_p):
    return (rows if u_p is None else u_p @ rows) @ w_p


def latents_of_question(encode, embeds, soft):
    return encode(torch.cat([soft, embeds]))[len(soft) :]


def share_of_zeros(logits, biases):
    return float(torch.cat([logits, biases]).softmax(0)[len(logits) :].sum())


def layer(n, width, inner):
    return 2 * (4 * n * width**2 + 2 * n**2 * width + 3 * n * width * inner)


RIGHT = {
    "soft_tokens": soft_tokens,
    "latents_of_question": latents_of_question,
    "share_of_zeros": share_of_zeros,
    "far": lambda m, i, limit: sum(m + i - j >= limit for j in range(m)),
    "times_the_work": lambda n, m, width, inner: layer(n + m, width, inner) / layer(n, width, inner),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers(name):
    verdict = getattr(check, name)(RIGHT[name])
    assert verdict.state == "right", verdict.text


def naive_share(logits, biases):
    return float(biases.exp().sum() / (logits.exp().sum() + biases.exp().sum()))


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("soft_tokens", lambda rows, w_p, u_p: rows @ w_p, "expected shape (2, 3), got (5, 3)"),
        ("soft_tokens", lambda rows, w_p, u_p: u_p @ rows @ w_p, "stops in its line 1 with TypeError"),
        ("soft_tokens", lambda rows, w_p, u_p: soft_tokens(rows, w_p.T, u_p), "W_P is transposed"),
        ("soft_tokens", lambda rows, w_p, u_p: soft_tokens(rows, w_p, u_p) if w_p.any() else rows[:0], "not none"),
        ("latents_of_question", lambda encode, embeds, soft: encode(torch.cat([soft, embeds])), "expected shape (4, 3), got (6, 3)"),
        ("latents_of_question", lambda encode, embeds, soft: encode(embeds), "values differ"),
        ("latents_of_question", lambda encode, embeds, soft: encode(torch.cat([embeds, soft]))[: len(embeds)], "the soft tokens are in front"),
        ("latents_of_question", lambda encode, embeds, soft: encode(torch.cat([soft, embeds])[None])[0], "it was given (1, 6, 3)"),
        ("share_of_zeros", lambda logits, biases: len(biases) / len(logits), "expected 0.5, got 1"),
        ("share_of_zeros", lambda logits, biases: len(biases) / (len(biases) + float(logits.exp().sum())), "the bias counts too"),
        ("share_of_zeros", naive_share, "softmax can handle them"),
        ("share_of_zeros", lambda logits, biases: torch.cat([logits, biases]).softmax(0)[len(logits) :].sum(), "`.item()` takes it out"),
        ("far", lambda m, i, limit: m + i - limit + 1, "expected 0, got -4. Hint: none may be that far"),
        ("far", lambda m, i, limit: max(0, m + i - limit + 1), "expected 4, got 46. Hint: there are no more than m"),
        ("far", lambda m, i, limit: sum(m + i - j > limit for j in range(m)), "expected 2, got 1"),
        ("times_the_work", lambda n, m, width, inner: (n + m) / n, "expected 2.211, got 2"),
        ("times_the_work", lambda n, m, width, inner: layer(m, width, inner) / layer(n, width, inner), "expected 1, got 0"),
    ],
)  # fmt: skip
def test_likely_mistakes(name, answer, said):
    verdict = getattr(check, name)(answer)
    assert verdict.state == "wrong"
    assert said in verdict.text


def test_a_stand_in_s_address_is_never_said():
    verdict = check.latents_of_question(lambda encode, embeds, soft: 1 / 0)
    assert "<lambda>(encode, " in verdict.text
    assert "0x" not in verdict.text
