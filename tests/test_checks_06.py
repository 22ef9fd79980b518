"""Chapter 6's checks: right answers pass, and each mistake that is likely is named."""

import pytest

from lmem.exercises import chapter_06


def attention_write(rows, latents, w_q, w_k, w_v, gamma, dim=1):
    scores = latents @ w_q @ (rows @ w_k).T / rows.shape[1] ** 0.5
    return gamma * rows + scores.softmax(dim).T @ (latents @ w_v)


def mean_row(before, latents, w_v, rows, gamma):
    return gamma * before + (latents @ w_v).sum(0) / rows


def gain(gamma, tokens, rows, v, q):
    return gamma + tokens * (v @ q).item() / (rows * len(v) ** 0.5)


@pytest.mark.parametrize("answer", [attention_write, mean_row, gain])
def test_right_answers_pass(answer):
    verdict = getattr(chapter_06, answer.__name__)(answer)
    assert verdict.state == "right", verdict.text


def unscaled(rows, latents, w_q, w_k, w_v, gamma):
    return gamma * rows + (latents @ w_q @ (rows @ w_k).T).softmax(1).T @ (latents @ w_v)


def in_place(rows, latents, *rest):
    return rows.copy_(attention_write(rows, latents, *rest))


@pytest.mark.parametrize(
    ("check", "answer", "said"),
    [
        ("attention_write", lambda *given: attention_write(*given, dim=0), "softmax over the rows"),
        ("attention_write", unscaled, "sqrt(D)"),
        ("attention_write", lambda p, z, q, k, v, g: attention_write(p, z, q, k, v, 1.0), "only the decay"),
        ("attention_write", in_place, "changes what it was given"),
        ("attention_write", lambda p, z, q, k, v, g: g * attention_write(p, z, q, k, v, 1.0), "multiplied by gamma as well"),
        ("attention_write", lambda p, z, q, k, v, g: attention_write(g * p, z, q, k, v, 1.0), "already decayed"),
        ("mean_row", lambda b, z, w, r, g: g * b + (z @ w).mean(0), "add to the mean row"),
        ("mean_row", lambda b, z, w, r, g: g * (b + (z @ w).sum(0) / r), "add to the mean row"),
        ("mean_row", lambda b, z, w, r, g: g * b + z.sum(0) / r, "values"),
        ("gain", lambda g, n, r, v, q: g + n * (v @ q).item() / r, "not divided by sqrt(D)"),
        ("gain", lambda g, n, r, v, q: g + n * (v @ q).item() / (r * len(v)), "divided by D, not by its root"),
        ("gain", lambda g, n, r, v, q: g * (1 + n * (v @ q).item() / (r * 2)), "gamma multiplies"),
        ("gain", lambda g, n, r, v, q: g + (v @ q).item() / (r * 2), "without any token"),
        ("gain", lambda g, n, r, v, q: g + abs(n * (v @ q).item()) / (r * len(v) ** 0.5), "sign"),
        ("gain", lambda g, n, r, v, q: g + n * (v @ q) / (r * len(v) ** 0.5), "`.item()` takes it out."),
    ],
)  # fmt: skip
def test_likely_mistakes_of_chapter_6(check, answer, said):
    verdict = getattr(chapter_06, check)(answer)
    assert verdict.state == "wrong"
    assert said in verdict.text


@pytest.mark.parametrize("check", ["attention_write", "mean_row", "gain"])
def test_stubs_are_unfinished(check):
    def stub(*given):
        raise NotImplementedError

    assert getattr(chapter_06, check)(stub).state == "unfinished"


def test_a_value_of_the_wrong_kind_gets_no_hint_about_its_contents():
    verdict = chapter_06.gain(lambda g, n, r, v, q: g + n * (v @ q) / (r * len(v) ** 0.5))
    assert "Hint" not in verdict.text
