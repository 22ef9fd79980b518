"""Checks of chapters 12, 13, 14 and 16: three right forms of each answer pass, five plausible wrong ones are refused with a hint."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from helpers import untried

from lmem.exercises import chapter_12, chapter_13, chapter_14, chapter_16

# ---- chapter 12 --------------------------------------------------------------------------------------


def both_gains(right, wrong):
    gains = [r - w for r, w in zip(right, wrong, strict=True)]
    return sum(max(0.0, g) for g in gains) / len(gains), sum(gains) / len(gains)


def both_gains_numpy(right, wrong):
    gains = np.subtract(right, wrong)
    return [np.clip(gains, 0, None).mean(), gains.mean()]


def both_gains_torch(right, wrong):
    gains = torch.tensor(right) - torch.tensor(wrong)
    return gains.relu().mean().item(), gains.mean().item()


def exchanged(sums, reaches=lambda total, seen: total > seen - 1e-9):
    ways = product((1, -1), repeat=len(sums))
    totals = [sum(s * x for s, x in zip(signs, sums, strict=True)) for signs in ways]
    return sum(reaches(total, sum(sums)) for total in totals) / len(totals)


def exchanged_by_turns(sums):
    totals = [0.0]
    for one in sums:
        totals = [total + sign * one for total in totals for sign in (1, -1)]
    return float(np.mean(np.array(totals) >= sum(sums) - 1e-9))


def exchanged_by_bits(sums):
    count, seen = 0, sum(sums)
    for way in range(2 ** len(sums)):
        total = sum(-x if way >> i & 1 else x for i, x in enumerate(sums))
        count += total >= seen or math.isclose(total, seen, abs_tol=1e-9)
    return count / 2 ** len(sums)


def null_share(logit, tokens, rows):
    return rows / (math.exp(logit) + tokens - 1 + rows)


def null_share_softmax(logit, tokens, rows):
    scores = np.array([logit] + [0.0] * (tokens - 1 + rows))
    weights = np.exp(scores) / np.exp(scores).sum()
    return weights[tokens:].sum()


def null_share_torch(logit, tokens, rows):
    scores = torch.cat([torch.tensor([logit]), torch.zeros(tokens - 1 + rows)])
    return scores.softmax(0)[tokens:].sum().item()


def of_questions(means, counts):
    weighted = sum(m * c for m, c in zip(means, counts, strict=True)) / sum(counts)
    return sum(means) / len(means), weighted


def of_questions_repeated(means, counts):
    each = [m for m, c in zip(means, counts, strict=True) for _ in range(c)]
    return [sum(means) / len(means), sum(each) / len(each)]


# ---- chapter 13 --------------------------------------------------------------------------------------


def bank_share(rows, length, score, question):
    bank = rows * math.exp(length * score)
    return bank / (bank + question)


def bank_share_odds(rows, length, score, question):
    if not rows:
        return 0
    return 1 / (1 + math.exp(math.log(question) - math.log(rows) - length * score))


def bank_share_summed(rows, length, score, question):
    bank = sum(math.exp(length * score) for _ in range(rows))
    return 1 - question / (bank + question)


def held(rows, length):
    size = rows.norm(dim=1, keepdim=True)  # (R, 1)
    return torch.where(size > 0, length * rows / size.clamp(min=1e-12), rows)


def held_by_row(rows, length):
    return torch.stack([row * length / row.norm() if row.norm() > 0 else row for row in rows])


def lift(right_small, wrong_small, right_large, wrong_large):
    small, large = sum(right_small) - sum(wrong_small), sum(right_large) - sum(wrong_large)
    return 100 * (large - small) / len(right_small)


def lift_by_question(*scores):
    each = [(c - d) - (a - b) for a, b, c, d in zip(*scores, strict=True)]
    return sum(each) / len(each) * 100


def rows_for(tokens, lag):
    return sum(tokens[len(tokens) - 1 - lag :])


def rows_for_loop(tokens, lag):
    total = 0
    for back in range(lag + 1):
        total += tokens[-1 - back]
    return total


# ---- chapter 14 --------------------------------------------------------------------------------------


def place(likeness, age, theta, keep, corrects):
    if not keep:
        return None
    best = max(range(len(likeness)), key=likeness.__getitem__)
    if corrects and likeness[best] > theta:
        return best
    return max(range(len(age)), key=age.__getitem__)


def place_index(likeness, age, theta, keep, corrects):
    if keep and corrects and max(likeness) > theta:
        return likeness.index(max(likeness))
    return age.index(max(age)) if keep else None


def place_numpy(likeness, age, theta, keep, corrects):
    if not keep:
        return None
    best = np.argmax(likeness)
    return best if corrects and likeness[best] > theta else np.argmax(age)


def place_first(likeness, age, theta, keep, corrects):
    """Take the first row above theta, not the most similar one."""
    above = [row for row, one in enumerate(likeness) if one > theta]
    if not keep:
        return None
    return above[0] if corrects and above else age.index(max(age))


def kept_share(turns, facts, corrected, rows):
    return min(1.0, rows / (turns * facts * (1 - corrected)))


def kept_share_counted(turns, facts, corrected, rows):
    stated = turns * facts
    alive = stated - stated * corrected
    return 1 if rows >= alive else rows / alive


def stays(b, later):
    for keep, fix, near in later:
        b *= 1 - keep * fix * near
    return b


def no_match(likeness, beta, nu):
    mine = math.exp(beta * (1 - nu))
    return mine / (mine + sum(math.exp(beta * one) for one in likeness))


def no_match_torch(likeness, beta, nu):
    return (beta * torch.tensor([*likeness, 1 - nu])).softmax(0)[-1].item()


# ---- chapter 16 --------------------------------------------------------------------------------------


def last_k(costs, budget):
    kept = []
    for turn in reversed(range(len(costs))):
        budget -= costs[turn]
        if budget < 0:
            break
        kept.append(turn)
    return sorted(kept)


def last_k_slices(costs, budget):
    first = next(i for i in range(len(costs) + 1) if sum(costs[i:]) <= budget)
    return list(range(first, len(costs)))


def last_k_with_gaps(costs, budget):
    kept = []
    for turn in reversed(range(len(costs))):
        if costs[turn] <= budget:
            budget -= costs[turn]
            kept.append(turn)
    return sorted(kept)


def word_weight(turns, holding):
    return math.log(1 + (turns - holding + 0.5) / (holding + 0.5))


def break_even(turn, bank):
    return bank // turn + 1


def break_even_loop(turn, bank):
    turns = 1
    while turns * turn <= bank:
        turns += 1
    return turns


ANSWERS = {
    (chapter_12, "both_gains"): (
        [both_gains, both_gains_numpy, both_gains_torch],
        [
            # clipped after the mean: max(0, -2/4) = 0
            (lambda r, w: (max(0, both_gains(r, w)[1]), both_gains(r, w)[1]), "expected 0.25, got 0"),
            (lambda r, w: (both_gains(r, w)[0],) * 2, "the signed gain is never clipped"),
            (lambda r, w: both_gains(w, r), "expected 0.3333"),
            (lambda r, w: both_gains(r, w)[::-1], "expected 0.25, got -0.5"),
            (lambda r, w: tuple(x * len(r) for x in both_gains(r, w)), "means over all questions"),
            (lambda r, w: both_gains(r, w)[0], "expected 2 values, as a tuple"),
            (lambda r, w: tuple(x / (1 - w[0]) for x in both_gains(r, w)) if len(r) == 1 else both_gains(r, w), "nothing divides it"),
        ],
    ),
    (chapter_12, "exchanged"): (
        [exchanged, exchanged_by_turns, exchanged_by_bits],
        [
            # without the observed way itself (+, +) nothing of (1, 2) reaches 3
            (lambda sums: exchanged(sums, lambda total, seen: total > seen + 1e-9), "all signs positive"),
            # -0.1 - 0.2 + 0.3 is 0 but for a rounding, and so is the observed total
            (lambda sums: exchanged(sums, lambda total, seen: total >= seen), "allow for rounding"),
            (lambda sums: exchanged(sums, lambda total, seen: abs(total) >= abs(seen) - 1e-9), "all signs positive"),
            (lambda sums: exchanged(sums, lambda total, seen: total >= seen - 0.01), "allow for rounding only"),
            (lambda sums: exchanged(sums) * 2 ** len(sums), "expected 0.25, got 1"),
            (lambda sums: 2.0 ** -len(sums), "the observed total is 1 and not 3"),
            (lambda sums: exchanged([abs(x) for x in sums]), "the observed total is 1 and not 3"),
        ],
    ),
    (chapter_12, "null_share"): (
        [null_share, null_share_softmax, null_share_torch],
        [
            # all tokens at the high logit: 4 / (4 + 4) at logit 0, wrong at 3
            (lambda logit, tokens, rows: rows / (tokens * math.exp(logit) + rows), "the other tokens have the score 0"),
            (lambda logit, tokens, rows: rows / (math.exp(logit) + tokens + rows), "expected 0.5, got 0.4444"),
            (lambda logit, tokens, rows: rows / (math.exp(logit) + rows), "expected 0.5, got 0.8"),
            (lambda logit, tokens, rows: 1 - null_share(logit, tokens, rows), "expected 0.25, got 0.75"),
            (lambda logit, tokens, rows: rows / (tokens + rows), "the other tokens have the score 0"),
            (lambda logit, tokens, rows: 0.0, "softmax weight of a score of 0"),
        ],
    ),
    (chapter_12, "of_questions"): (
        [of_questions, of_questions_repeated, lambda m, c: (np.mean(m), np.average(m, weights=c))],
        [
            (lambda m, c: (sum(m) / len(m),) * 2, "how many questions does each bucket stand for"),
            (lambda m, c: (of_questions(m, c)[1],) * 2, "at [0] expected 5, got 1"),
            (lambda m, c: of_questions(m, c)[::-1], "at [0] expected 5, got 1"),
            (lambda m, c: (sum(m) / len(m), sum(x * y for x, y in zip(m, c, strict=True)) / len(c)), "at [1]"),
            (lambda m, c: (sum(m) / len(m), sum(m) / sum(c)), "if all buckets have the same mean"),
        ],
    ),
    (chapter_13, "bank_share"): (
        [bank_share, bank_share_odds, bank_share_summed],
        [
            (lambda r, f, s, q: bank_share(1, f, s, q), "all rows of the bank"),
            (lambda r, f, s, q: r * f * math.exp(s) / (r * f * math.exp(s) + q), "before the exponential"),
            (lambda r, f, s, q: r * math.exp(f * s) / q, "how much is there in all"),
            (lambda r, f, s, q: bank_share(r, f, s, math.exp(q)), "expected 0.5"),
            (lambda r, f, s, q: 1 - bank_share(r, f, s, q), "expected 0.8255, got 0.1746"),
            (lambda r, f, s, q: bank_share(r, 1, s, q), "before the exponential"),
            (lambda r, f, s, q: bank_share(r, f, abs(s), q), "may be negative"),
        ],
    ),
    (chapter_13, "held"): (
        [held, held_by_row, lambda p, n: n * torch.nn.functional.normalize(p, dim=1)],
        [
            (lambda p, n: n * p / p.norm(), "its own norm"),
            (lambda p, n: p / p.norm(dim=1, keepdim=True), "that was asked for"),
            (lambda p, n: n * p / p.norm(dim=1, keepdim=True), "row of zeros"),
            (lambda p, n: n * p / p.norm(dim=0, keepdim=True), "its own norm"),
            (lambda p, n: n * p / p.abs().sum(1, keepdim=True), "its own norm"),
            (lambda p, n: p * torch.rsqrt(p.square().mean(1, keepdim=True)) * n, "its own norm"),
            (lambda p, n: n * p / p.norm(dim=1, keepdim=True).clamp(min=1), "must become longer"),
        ],
    ),
    (chapter_13, "lift"): (
        [lift, lift_by_question, lambda a, b, c, d: 100 * float(np.mean(np.array(c) - d - a + b))],
        [
            (lambda a, b, c, d: 100 * (sum(c) - sum(a)) / len(a), "right minus wrong"),
            (lambda a, b, c, d: lift(a, b, c, d) / 100, "in points"),
            (lambda a, b, c, d: max(0, lift(a, b, c, d)), "nothing is clipped"),
            (lambda a, b, c, d: lift(c, d, a, b), "sign is the other way round"),
            (lambda a, b, c, d: lift(b, a, d, c), "sign is the other way round"),
            (lambda a, b, c, d: 100 * (sum(c) - sum(d)) / len(c), "expected 25, got 50"),
        ],
    ),
    (chapter_13, "rows_for"): (
        [rows_for, rows_for_loop, lambda tokens, lag: sum(tokens[::-1][: lag + 1])],
        [
            (lambda tokens, lag: sum(tokens[: lag + 1]), "lag 0 is the newest"),
            (lambda tokens, lag: sum(tokens[len(tokens) - lag :]), "the oldest whole one"),
            (lambda tokens, lag: tokens[-1 - lag], "expected 13, got 8"),
            (lambda tokens, lag: len(tokens[len(tokens) - 1 - lag :]), "expected 5, got 1"),
            (lambda tokens, lag: sum(tokens), "expected 5, got 35"),
        ],
    ),
    (chapter_14, "place"): (
        [place, place_index, place_numpy],
        [
            (place_first, "which of them is corrected"),
            (lambda s, a, t, k, c: s.index(max(s)), "expected 0, got 1"),
            (lambda s, a, t, k, c: a.index(max(a)) if k else None, "expected 1, got 0"),
            (lambda s, a, t, k, c: place(s, a, t, True, c), "is not kept"),
            (lambda s, a, t, k, c: place(s, a, -1, k, c), "not in the bank is a new fact"),
            (lambda s, a, t, k, c: place(s, a, t - 1e-9, k, c), "not above it"),
            (lambda s, a, t, k, c: place(s, [-x for x in a], t, k, c), "written longest ago"),
        ],
    ),
    (chapter_14, "kept_share"): (
        [kept_share, kept_share_counted, lambda t, f, c, r: float(np.clip(r / (t * f * (1 - c)), 0, 1))],
        [
            (lambda t, f, c, r: r / (t * f * (1 - c)), "at most 1"),
            (lambda t, f, c, r: min(1.0, r / (t * f)), "facts are alive"),
            (lambda t, f, c, r: min(1.0, r / t), "facts are alive"),
            (lambda t, f, c, r: min(1.0, r / (t * f * (1 + c))), "facts are alive"),
            (lambda t, f, c, r: 1 - kept_share(t, f, c, r), "expected 1, got 0"),
        ],
    ),
    (chapter_14, "stays"): (
        [stays, lambda b, later: b * math.prod(1 - x * e * m for x, e, m in later),
         lambda b, later: math.exp(math.log(b) + sum(math.log1p(-x * e * m) for x, e, m in later))],
        [
            (lambda b, later: b, "expected 0.25, got 1"),
            (lambda b, later: b * math.prod(1 - m for *_, m in later), "replaces nothing"),
            (lambda b, later: b * (1 - sum(x * e * m for x, e, m in later)), "only what the first has left"),
            (lambda b, later: b * math.prod(x * e * m for x, e, m in later), "expected 0.25, got 0.75"),
            (lambda b, later: math.prod(1 - x * e * m for x, e, m in later), "expected 0.9, got 1"),
            (lambda b, later: b * math.prod(1 - e * m for _, e, m in later), "replaces nothing"),
        ],
    ),
    (chapter_14, "no_match"): (
        [no_match, no_match_torch, lambda s, b, n: 1 / (1 + sum(math.exp(b * (x - 1 + n)) for x in s))],
        [
            (lambda s, b, n: 1 - max(s, default=0.0), "in the same softmax"),
            (lambda s, b, n: math.exp(b * (1 - n)), "in the same softmax"),
            (lambda s, b, n: no_match(s, b, 1 - n), "expected 0.5"),
            (lambda s, b, n: no_match([max(s)] if s else [], b, n), "every row is in the sum"),
            (lambda s, b, n: 1 - no_match(s, b, n), "expected 0.3333, got 0.6667"),
            (lambda s, b, n: no_match(s, 1, n), "weaker than 1 - nu"),
        ],
    ),
    (chapter_16, "last_k"): (
        [last_k, last_k_slices, lambda c, b: tuple(last_k(c, b))],
        [
            (last_k_with_gaps, "a turn does not fit"),
            (lambda c, b: last_k(c, b)[::-1], "expected 1, got 2"),
            (lambda c, b: last_k(c, b - 1), "expected 2 elements, got 1"),
            (lambda c, b: [len(c) - 1 - i for i in last_k(c[::-1], b)][::-1], "expected 2 elements, got 1"),
            (lambda c, b: len(last_k(c, b)), "expected a list, got a number"),
            (lambda c, b: [c[i] for i in last_k(c, b)], "at [0] expected 1, got 12"),
        ],
    ),
    (chapter_16, "word_weight"): (
        [word_weight, lambda n, k: np.log1p((n - k + 0.5) / (k + 0.5)), lambda n, k: math.log((n + 1) / (k + 0.5))],
        [
            (lambda n, k: math.log10(1 + (n - k + 0.5) / (k + 0.5)), "same logarithm"),
            (lambda n, k: math.log((n - k + 0.5) / (k + 0.5)), "expected 3.705"),
            (lambda n, k: math.log(1 + n - k + 0.5 / k + 0.5), "expected 3.705"),
            (lambda n, k: math.log(1 + (n - k) / k), "expected 3.705"),
            (lambda n, k: math.log(1 + (k + 0.5) / (n - k + 0.5)), "expected 3.705"),
            (lambda n, k: math.log2(1 + (n - k + 0.5) / (k + 0.5)), "same logarithm"),
        ],
    ),
    (chapter_16, "break_even"): (
        [break_even, break_even_loop, lambda turn, bank: math.floor(bank / turn) + 1],
        [
            (lambda turn, bank: math.ceil(bank / turn), "equal is not larger"),
            (lambda turn, bank: bank / turn, "expected 21, got 20"),
            (lambda turn, bank: bank // turn, "equal is not larger"),
            (lambda turn, bank: round(bank / turn) + 2, "expected 21, got 22"),
            (lambda turn, bank: bank / turn + 1, "not a multiple of a turn"),
            (lambda turn, bank: turn // bank + 1, "expected 21, got 1"),
        ],
    ),
}  # fmt: skip
NAMES = [name for _, name in ANSWERS]


@pytest.mark.parametrize(("where", "answers"), ANSWERS.items(), ids=NAMES)
def test_three_right_forms_pass(where, answers):
    check = getattr(*where)
    assert len(answers[0]) >= 3
    for answer in answers[0]:
        verdict = check(answer)
        assert verdict.state == "right", verdict.text


@pytest.mark.parametrize(("where", "answers"), ANSWERS.items(), ids=NAMES)
def test_five_wrong_answers_are_refused_and_the_case_is_shown(where, answers):
    check = getattr(*where)
    assert len(answers[1]) >= 5
    for answer, said in answers[1]:
        verdict = check(answer)
        assert verdict.state == "wrong"
        assert said in verdict.text, verdict.text


@pytest.mark.parametrize("where", ANSWERS, ids=NAMES)
@pytest.mark.parametrize("value", [None, (None, None), float("nan"), "two", [], {}, torch.ones(2)])
def test_an_answer_of_another_kind_is_a_verdict_and_no_error(where, value):
    assert getattr(*where)(lambda *_: value).state == "wrong"


@pytest.mark.parametrize("where", ANSWERS, ids=NAMES)
def test_stubs_are_unfinished(where):
    def stub(*_):
        raise NotImplementedError

    assert getattr(*where)(stub).state == "unfinished"


@pytest.mark.parametrize(
    "chapter", [chapter_12, chapter_13, chapter_14, chapter_16], ids=lambda m: m.__name__
)
def test_every_check_is_tried(chapter):
    assert not untried(chapter, [name for module, name in ANSWERS if module is chapter])
