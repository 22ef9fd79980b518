"""Each check of chapters 1 to 5 accepts three ways of solving its exercise and refuses five plausible wrong ones."""

import math

import numpy as np
import pytest
import torch
from helpers import untried
from torch import nn
from torch.nn import functional

from lmem.exercises import chapter_01, chapter_02, chapter_03, chapter_04, chapter_05

# ---- chapter 1 -----------------------------------------------------------------------------------


def by_cumulated_sum(tokens, rows):
    return int((np.cumsum(tokens[::-1]) <= rows).sum())


def by_suffixes(tokens, rows):
    return max(n for n in range(len(tokens) + 1) if sum(tokens[len(tokens) - n :]) <= rows)


def by_popping(tokens, rows):
    left, kept = list(tokens), 0
    while left and left[-1] <= rows:
        rows -= left.pop()
        kept += 1
    return kept


def counting_the_cut_turn(tokens, rows):
    kept = 0
    for count in reversed(tokens):
        if rows <= 0:
            break
        rows, kept = rows - count, kept + 1
    return kept


def not_when_just_full(tokens, rows):
    kept = 0
    for count in reversed(tokens):
        rows -= count
        if rows <= 0:
            break
        kept += 1
    return kept


def row_by_row(rows, latents):
    kept = list(rows)
    for latent in latents:
        kept = [*kept[1:], latent]
    return torch.stack(kept)


def in_place(rows, latents):
    rows[:] = torch.cat([rows, latents])[len(latents) :]
    return rows


def by_hits(right, wrong):
    return 100 * (right.count(1) - wrong.count(1)) / len(right)


# ---- chapter 2 -----------------------------------------------------------------------------------


def until_by_log(gamma, share):
    if gamma == 1:
        return None
    lag = math.floor(math.log(share) / math.log(gamma))
    while gamma**lag >= share:  # a log may be rounded down: 1 at (0.9, 0.81)
        lag += 1
    return lag


def until_by_log_alone(gamma, share):
    return None if gamma == 1 else math.floor(math.log(share) / math.log(gamma)) + 1


def until_by_product(gamma, share):
    if gamma >= 1:
        return None
    left, lag = 1.0, 0
    while left >= share:
        left, lag = left * gamma, lag + 1
    return lag


def until_by_search(gamma, share):
    return next((lag for lag in range(10_000) if gamma**lag < share), None)


def one_early(gamma, share):
    lag = until_by_search(gamma, share)
    return None if lag is None else lag - 1


def when_at_most(gamma, share):
    return next((lag for lag in range(10_000) if gamma**lag <= share), None)


def bank_by_loop(parts, gamma):
    rows = torch.zeros_like(parts[0])
    for part in parts:
        rows = gamma * rows + part
    return rows


def bank_by_einsum(parts, gamma):
    powers = torch.tensor([gamma ** (len(parts) - 1 - t) for t in range(len(parts))])
    return torch.einsum("t,trd->rd", powers, parts)


def bank_recursively(parts, gamma):
    if len(parts) == 1:
        return parts[0].clone()
    return gamma * bank_recursively(parts[:-1], gamma) + parts[-1]


def bank_with_fading_newest(parts, gamma):
    rows = torch.zeros_like(parts[0])
    for part in parts:
        rows = gamma * (rows + part)
    return rows


def bank_as_running_mean(parts, gamma):
    rows = torch.zeros_like(parts[0])
    for part in parts:
        rows = gamma * rows + (1 - gamma) * part
    return rows


def pure_by_clone(write, rows, latents):
    given = rows.clone()
    write(given, latents)
    return torch.equal(given, rows)


def pure_by_deepcopy(write, rows, latents):
    import copy

    given = copy.deepcopy(rows)
    write(given, latents)
    return bool((given == rows).all())


def pure_by_restoring(write, rows, latents):
    before = rows.clone()
    write(rows, latents)
    pure = torch.allclose(before, rows)
    rows.copy_(before)
    return pure


def pure_by_identity(write, rows, latents):
    given = rows.clone()
    return write(given, latents) is not given


def pure_by_storage(write, rows, latents):
    given = rows.clone()
    return write(given, latents).data_ptr() != given.data_ptr()


def pure_by_shared_tensor(write, rows, latents):
    given = rows
    write(rows.clone(), latents)
    return torch.equal(given, rows)


def pure_by_result(write, rows, latents):
    return not torch.equal(write(rows.clone(), latents), rows)


def ages_by_loop(written, turns):
    return torch.tensor([turns - 1 - w if w >= 0 else -1 for w in written.tolist()])


def ages_by_mask(written, turns):
    found = turns - 1 - written
    found[written < 0] = -1
    return found


# ---- chapter 3 -----------------------------------------------------------------------------------


def soft_tokens(rows, w_p, u_p):
    return (rows if u_p is None else u_p @ rows) @ w_p


def soft_by_einsum(rows, w_p, u_p):
    mixed = rows if u_p is None else torch.einsum("mr,rd->md", u_p, rows)
    return torch.einsum("md,de->me", mixed, w_p)


def soft_translated_first(rows, w_p, u_p):
    translated = functional.linear(rows, w_p.T)
    return translated if u_p is None else u_p.matmul(translated)


def latents_of_question(encode, embeds, soft):
    return encode(torch.cat([soft, embeds]))[len(soft) :]


def latents_by_split(encode, embeds, soft):
    return encode(torch.cat([soft, embeds])).split([len(soft), len(embeds)])[1]


def latents_from_the_end(encode, embeds, soft):
    return encode(torch.vstack((soft, embeds)))[-len(embeds) :]


def share_by_shifting(scores, biases):
    largest = max(scores.max(), biases.max())
    zeros, words = (biases - largest).exp().sum(), (scores - largest).exp().sum()
    return float(zeros / (zeros + words))


def share_by_sigmoid(scores, biases):
    return torch.sigmoid(biases.logsumexp(0) - scores.logsumexp(0)).item()


def share_by_softmax(scores, biases):
    return torch.cat([biases, scores]).softmax(0)[: len(biases)].sum().item()


def work(n, width, inner):
    return 4 * n * width**2 + 2 * n**2 * width + 3 * n * width * inner


def times_by_terms(n, m, width, inner):
    both = n + m
    above = both * (4 * width + 2 * both + 3 * inner)
    return above / (n * (4 * width + 2 * n + 3 * inner))


def times_without(term):
    """The formula with one of its three terms left out."""

    def times(n, m, width, inner):
        terms = [(4 * k * width**2, 2 * k**2 * width, 3 * k * width * inner) for k in (n + m, n)]
        with_them, without = (sum(t for i, t in enumerate(one) if i != term) for one in terms)
        return with_them / without

    return times


# ---- chapter 4 -----------------------------------------------------------------------------------


def attended(scores, values, n):
    weights = torch.cat([scores, torch.zeros(n)]).softmax(0)
    return weights[: len(scores)] @ values


def attended_with_zero_values(scores, values, n):
    more = torch.cat([values, torch.zeros(n, values.shape[1])])
    return functional.pad(scores, (0, n)).softmax(0) @ more


def attended_by_logs(scores, values, n):
    log_n = torch.tensor(float(n)).log()
    return (scores - torch.logaddexp(scores.logsumexp(0), log_n)).exp() @ values


def attended_with_masked_rows(scores, values, n):
    weights = torch.cat([scores, torch.full((n,), -math.inf)]).softmax(0)
    return weights[: len(scores)] @ values


def shares_by_where(scores, mask):
    return torch.where(mask, scores, -math.inf).softmax(0)


def shares_by_place(scores, mask):
    found = torch.zeros_like(scores)
    found[mask] = scores[mask].softmax(0)
    return found


def shares_by_shifting(scores, mask):
    weights = (scores - scores[mask].max()).where(mask, torch.tensor(-math.inf)).exp()
    return weights / weights.sum()


def extended(z, seen, rows, mask, w_mem):
    return torch.cat([z, rows @ w_mem], 1), torch.cat([seen, mask.long()], 1)


def extended_with_bool_mask(z, seen, rows, mask, w_mem):
    return torch.cat([z, rows @ w_mem], 1), torch.cat([seen.bool(), mask], 1)


def extended_with_zeroed_rows(z, seen, rows, mask, w_mem):
    extra = (rows * mask[:, :, None]) @ w_mem
    return [torch.cat([z, extra], dim=1), torch.cat([seen, mask.to(seen.dtype)], dim=1)]


def even_by_size(scores):
    return float(scores.logsumexp(0).exp())


def given_back(f_base, f_0, f_mem):
    gain = f_mem - f_0
    return min(1.0, max(0.0, f_base - f_0) / gain) if gain > 0 else None


def given_back_by_cases(f_base, f_0, f_mem):
    if f_mem <= f_0:
        return None
    return 1 if f_mem <= f_base else max(0, f_base - f_0) / (f_mem - f_0)


def given_back_by_rest(f_base, f_0, f_mem):
    if f_mem > f_0:
        return 1 - min(f_mem - f_0, max(0, f_mem - f_base)) / (f_mem - f_0)
    return None


# ---- chapter 5 -----------------------------------------------------------------------------------


def branch(states, rows, w_q, w_k, w_v, w_o, beta):
    scores = states @ w_q @ (rows @ w_k).T / states.shape[1] ** 0.5
    return beta * scores.softmax(-1) @ (rows @ w_v) @ w_o


def branch_by_torch(states, rows, w_q, w_k, w_v, w_o, beta):
    q, k, v = (part[None] for part in (states @ w_q, rows @ w_k, rows @ w_v))
    return beta * (functional.scaled_dot_product_attention(q, k, v)[0] @ w_o)


def branch_by_einsum(states, rows, w_q, w_k, w_v, w_o, beta):
    scores = torch.einsum("nd,rd->nr", states @ w_q, rows @ w_k) / math.sqrt(len(w_q))
    weights = scores.exp() / scores.exp().sum(1, keepdim=True)
    return weights @ rows @ (w_v @ w_o) * beta


def gated_in_two_parts(states, context, w_g, b_g):
    width = states.shape[1]
    return (states @ w_g[:width] + context @ w_g[width:] + b_g).sigmoid() * context


def gated_by_exp(states, context, w_g, b_g):
    return context / (1 + torch.exp(-(torch.hstack([states, context]) @ w_g + b_g)))


def gated_by_linear(states, context, w_g, b_g):
    return torch.sigmoid(functional.linear(torch.cat((states, context), -1), w_g.T, b_g)) * context


def counts(m2, m5):
    return lambda width, layers: {"m2": m2(width, layers), "m5": m5(width, layers)}


def m2_count(width, layers):
    return 4 * width**2 + layers


def m5_count(width, layers):
    return 5 * width**2 + width


def counts_by_modules(width, layers):
    m2 = [nn.Linear(width, width, bias=False) for _ in range(4)] if width < 100 else None
    size = sum(w.weight.numel() for w in m2) if m2 else 4 * width * width
    return {"m5": 3 * width * width + (2 * width + 1) * width, "m2": size + layers}


def hooked(change):
    """An answer to 5.4 whose hook returns change(args, output, gain)."""

    def add_beside(module, gain):
        return module.register_forward_hook(lambda m, args, output: change(args, output, gain))

    return add_beside


def hooked_in_place(module, gain):
    def hook(module, args, output):
        output[0].add_(gain(args[0]))

    return module.register_forward_hook(hook)


def hooked_before(module, gain):
    return module.register_forward_pre_hook(lambda m, args: (args[0] + gain(args[0]),))


def hooked_with_keywords(module, gain):
    def hook(module, args, kwargs, output):
        first, *rest = output
        return (first + gain(args[0]), *rest)

    return module.register_forward_hook(hook, with_kwargs=True)


def hooked_twice(module, gain):
    hooked(lambda args, output, gain: (output[0] + gain(args[0]), *output[1:]))(module, gain)
    return hooked(lambda args, output, gain: output)(module, gain)


CASES = {
    chapter_01.turns_kept: (
        [by_cumulated_sum, by_suffixes, by_popping],
        [
            counting_the_cut_turn,
            not_when_just_full,
            lambda tokens, rows: by_cumulated_sum(tokens[::-1], rows),
            lambda tokens, rows: sum(count <= rows for count in tokens),
            lambda tokens, rows: min(len(tokens), rows),
            lambda tokens, rows: min(len(tokens), rows * len(tokens) // sum(tokens)),
            lambda tokens, rows: by_popping(tokens, rows) + 1,
        ],
    ),
    chapter_01.push_out: (
        [
            lambda rows, latents: torch.cat([rows, latents])[len(latents) :],
            lambda rows, latents: torch.vstack([rows, latents])[-len(rows) :],
            row_by_row,
        ],
        [
            in_place,
            lambda rows, latents: torch.cat([rows, latents])[: len(rows)],
            lambda rows, latents: torch.cat([rows[len(latents) :], latents]),
            lambda rows, latents: torch.cat([latents, rows])[-len(rows) :],
            lambda rows, latents: torch.cat([rows, latents])[-len(rows) :].flip(0),
            lambda rows, latents: torch.cat([rows[: -len(latents)], latents]),
        ],
    ),
    chapter_01.memory_score: (
        [
            by_hits,
            lambda right, wrong: 100 * float(np.mean(np.array(right) - np.array(wrong))),
            lambda right, wrong: 100 * (sum(right) / len(right) - sum(wrong) / len(wrong)),
        ],
        [
            lambda right, wrong: by_hits(wrong, right),
            lambda right, wrong: by_hits(right, wrong) / 100,
            lambda right, wrong: max(0.0, by_hits(right, wrong)),
            lambda right, wrong: abs(by_hits(right, wrong)),
            lambda right, wrong: (
                100 * sum(r > w for r, w in zip(right, wrong, strict=True)) / len(right)
            ),
            lambda right, wrong: 100 * (sum(right) - sum(wrong)) / sum(right),
        ],
    ),
    chapter_02.turns_until: (
        [until_by_log, until_by_product, until_by_search],
        [
            one_early,
            when_at_most,
            until_by_log_alone,
            lambda gamma, share: (
                None if gamma == 1 else math.ceil(math.log(share) / math.log(gamma))
            ),
            lambda gamma, share: None if gamma == 1 else math.log(share) / math.log(gamma),
            lambda gamma, share: until_by_search(gamma, share) or 0,
            lambda gamma, share: math.inf if gamma == 1 else until_by_log(gamma, share),
        ],
    ),
    chapter_02.within_reach: (
        [
            lambda gamma, share, lags: sum(gamma**lag >= share for lag in lags) / len(lags),
            lambda gamma, share, lags: float(np.mean([gamma**lag >= share for lag in lags])),
            lambda gamma, share, lags: (
                len([lag for lag in lags if not gamma**lag < share]) / len(lags)
            ),
        ],
        [
            lambda gamma, share, lags: sum(gamma**lag >= share for lag in lags),
            lambda gamma, share, lags: sum(gamma**lag > share for lag in lags) / len(lags),
            lambda gamma, share, lags: sum(gamma**lag < share for lag in lags) / len(lags),
            lambda gamma, share, lags: sum(gamma**lag for lag in lags) / len(lags),
            lambda gamma, share, lags: sum(gamma ** (lag + 1) >= share for lag in lags) / len(lags),
            lambda gamma, share, lags: 100 * sum(gamma**lag >= share for lag in lags) / len(lags),
        ],
    ),
    chapter_02.bank_of: (
        [bank_by_loop, bank_by_einsum, bank_recursively],
        [
            bank_with_fading_newest,
            bank_as_running_mean,
            lambda parts, gamma: bank_by_loop(parts.flip(0), gamma),
            lambda parts, gamma: parts.sum(0),
            lambda parts, gamma: bank_by_loop(parts, gamma) / len(parts),
            lambda parts, gamma: gamma * parts[:-1].sum(0) + parts[-1],
        ],
    ),
    chapter_02.is_pure: (
        [pure_by_clone, pure_by_deepcopy, pure_by_restoring],
        [
            pure_by_identity,
            pure_by_storage,
            pure_by_shared_tensor,
            pure_by_result,
            lambda write, rows, latents: False,
            lambda write, rows, latents: not pure_by_clone(write, rows, latents),
        ],
    ),
    chapter_02.ages: (
        [
            ages_by_loop,
            ages_by_mask,
            lambda written, turns: torch.where(written >= 0, turns - 1 - written, -1),
        ],
        [
            lambda written, turns: turns - 1 - written,
            lambda written, turns: torch.where(written >= 0, turns - written, -1),
            lambda written, turns: torch.where(written > 0, turns - 1 - written, -1),
            lambda written, turns: torch.where(written >= 0, written, -1),
            lambda written, turns: torch.where(written >= 0, turns - 1 - written, 0),
            lambda written, turns: torch.where(written >= 0, written.max() - written, turns),
        ],
    ),
    chapter_03.soft_tokens: (
        [soft_tokens, soft_by_einsum, soft_translated_first],
        [
            lambda rows, w_p, u_p: rows @ w_p,
            lambda rows, w_p, u_p: soft_tokens(rows, w_p.T, u_p),
            lambda rows, w_p, u_p: u_p @ rows @ w_p,
            lambda rows, w_p, u_p: soft_tokens(rows, w_p, None if u_p is None else u_p.softmax(1)),
            lambda rows, w_p, u_p: rows if u_p is None else u_p @ rows,
            lambda rows, w_p, u_p: soft_tokens(rows, w_p, u_p).flip(0),
        ],
    ),
    chapter_03.latents_of_question: (
        [latents_of_question, latents_by_split, latents_from_the_end],
        [
            lambda encode, embeds, soft: encode(torch.cat([soft, embeds])),
            lambda encode, embeds, soft: encode(torch.cat([soft, embeds]))[: len(embeds)],
            lambda encode, embeds, soft: encode(torch.cat([embeds, soft]))[len(soft) :],
            lambda encode, embeds, soft: torch.cat([encode(soft), encode(embeds)])[len(soft) :],
            lambda encode, embeds, soft: torch.cat([soft, encode(embeds)]),
            lambda encode, embeds, soft: encode(embeds),
        ],
    ),
    chapter_03.share_of_zeros: (
        [share_by_shifting, share_by_sigmoid, share_by_softmax],
        [
            lambda scores, biases: 1 - share_by_softmax(scores, biases),
            lambda scores, biases: share_by_softmax(scores, torch.zeros_like(biases)),
            lambda scores, biases: share_by_softmax(scores, biases) / len(biases),
            lambda scores, biases: len(biases) / (len(biases) + len(scores)),
            lambda scores, biases: float(biases.exp().sum() / scores.exp().sum()),
            lambda scores, biases: float(
                biases.exp().sum() / (biases.exp().sum() + scores.exp().sum())
            ),
        ],
    ),
    chapter_03.far: (
        [
            lambda m, i, limit: sum(m + i - j >= limit for j in range(m)),
            lambda m, i, limit: min(m, max(0, m + i - limit + 1)),
            lambda m, i, limit: len([d for d in range(i + 1, i + m + 1) if d >= limit]),
        ],
        [
            lambda m, i, limit: sum(m + i - j > limit for j in range(m)),
            lambda m, i, limit: m + i - limit + 1,
            lambda m, i, limit: max(0, m + i - limit + 1),
            lambda m, i, limit: max(0, m - limit),
            lambda m, i, limit: sum(m - j >= limit for j in range(m)),
            lambda m, i, limit: sum(m + i - j < limit for j in range(m)),
        ],
    ),
    chapter_03.times_the_work: (
        [
            times_by_terms,
            lambda n, m, width, inner: work(n + m, width, inner) / work(n, width, inner),
            lambda n, m, width, inner: (
                1 + (work(n + m, width, inner) - work(n, width, inner)) / work(n, width, inner)
            ),
        ],
        [
            times_without(0),
            times_without(1),
            times_without(2),
            lambda n, m, width, inner: ((n + m) / n) ** 2,
            lambda n, m, width, inner: work(n, width, inner) / work(n + m, width, inner),
            lambda n, m, width, inner: work(m, width, inner) / work(n, width, inner),
        ],
    ),
    chapter_04.attended: (
        [attended, attended_with_zero_values, attended_by_logs],
        [
            attended_with_masked_rows,
            lambda scores, values, n: scores.softmax(0) @ values,
            lambda scores, values, n: scores.exp() / (scores.exp().sum() + n) @ values,
            lambda scores, values, n: scores.softmax(0) @ values * len(scores) / (len(scores) + n),
            lambda scores, values, n: (
                torch.cat([scores, torch.ones(n)]).softmax(0)[: len(scores)] @ values
            ),
            lambda scores, values, n: attended(scores, values, 1),
        ],
    ),
    chapter_04.even_rows: (
        [
            even_by_size,
            lambda scores: scores.exp().sum().item(),
            lambda scores: sum(math.exp(score) for score in scores.tolist()),
        ],
        [
            lambda scores: float(len(scores)),
            lambda scores: scores.sum().exp().item(),
            lambda scores: scores.logsumexp(0).item(),
            lambda scores: scores.max().exp().item(),
            lambda scores: scores.exp().mean().item(),
            lambda scores: scores.exp().sum().item() / 2,
        ],
    ),
    chapter_04.shares_of: (
        [shares_by_where, shares_by_place, shares_by_shifting],
        [
            lambda scores, mask: scores.softmax(0),
            lambda scores, mask: (scores * mask).softmax(0),
            lambda scores, mask: scores.softmax(0) * mask,
            lambda scores, mask: shares_by_where(scores, ~mask),
            lambda scores, mask: scores[mask].softmax(0),
            lambda scores, mask: scores.masked_fill(~mask, -100.0).softmax(0),
            lambda scores, mask: (scores - 1e4 * ~mask).softmax(0),
        ],
    ),
    chapter_04.extended: (
        [extended, extended_with_bool_mask, extended_with_zeroed_rows],
        [
            lambda z, seen, rows, mask, w: (
                torch.cat([z, rows @ w], 1),
                torch.cat([mask.long(), seen], 1),
            ),
            lambda z, seen, rows, mask, w: (
                torch.cat([rows @ w, z], 1),
                torch.cat([mask.long(), seen], 1),
            ),
            lambda z, seen, rows, mask, w: extended(z, seen, rows, torch.ones_like(mask), w),
            lambda z, seen, rows, mask, w: extended(z, seen, rows, ~mask, w),
            lambda z, seen, rows, mask, w: extended(z, seen, rows, mask, torch.eye(len(w))),
            lambda z, seen, rows, mask, w: extended(z @ w, seen, rows, mask, w),
            lambda z, seen, rows, mask, w: (extended(z, seen, rows, mask, w)[0], seen),
        ],
    ),
    chapter_04.given_back: (
        [given_back, given_back_by_cases, given_back_by_rest],
        [
            lambda f_base, f_0, f_mem: given_back(f_base, f_0, f_mem) or 0.0,
            lambda f_base, f_0, f_mem: None if f_mem <= f_0 else (f_base - f_0) / (f_mem - f_0),
            lambda f_base, f_0, f_mem: (
                None if f_mem <= f_0 else min(1.0, (f_base - f_0) / (f_mem - f_0))
            ),
            lambda f_base, f_0, f_mem: None if f_mem <= f_0 else (f_mem - f_base) / (f_mem - f_0),
            lambda f_base, f_0, f_mem: None if f_mem <= f_0 else min(1.0, (f_base - f_0) / f_mem),
            lambda f_base, f_0, f_mem: None if f_mem <= f_base else (f_base - f_0) / (f_mem - f_0),
            lambda f_base, f_0, f_mem: None if f_mem <= f_0 else min(1.0, f_base / f_mem),
        ],
    ),
    chapter_05.branch: (
        [branch, branch_by_torch, branch_by_einsum],
        [
            lambda s, p, q, k, v, o, b: s + branch(s, p, q, k, v, o, b),
            lambda s, p, q, k, v, o, b: branch(s, p, q, k, v, o, 1.0),
            lambda s, p, q, k, v, o, b: branch(s, p, k, q, v, o, b),
            lambda s, p, q, k, v, o, b: b * (s @ q @ (p @ k).T).softmax(-1) @ (p @ v) @ o,
            lambda s, p, q, k, v, o, b: b * (s @ q @ (p @ k).T / 2).softmax(0) @ (p @ v) @ o,
            lambda s, p, q, k, v, o, b: b * (s @ q @ (p @ k).T / 2) @ (p @ v) @ o,
        ],
    ),
    chapter_05.gated: (
        [gated_in_two_parts, gated_by_exp, gated_by_linear],
        [
            lambda s, c, w, b: gated_by_exp(s, c, w, b) / c,
            lambda s, c, w, b: gated_by_exp(s, c, w, 0 * b),
            lambda s, c, w, b: gated_by_exp(s, c, w, b) / c * s,
            lambda s, c, w, b: gated_by_exp(c, s, w, b) / s * c,
            lambda s, c, w, b: torch.tanh(torch.cat([s, c], 1) @ w + b) * c,
            lambda s, c, w, b: s + gated_by_exp(s, c, w, b),
        ],
    ),
    chapter_05.trainable: (
        [
            counts(m2_count, m5_count),
            counts_by_modules,
            counts(lambda d, n: sum([d * d] * 4 + [1] * n), lambda d, n: d * (5 * d + 1)),
        ],
        [
            counts(lambda d, n: 4 * d * d, m5_count),
            counts(lambda d, n: 4 * d * d * n + n, m5_count),
            counts(m2_count, lambda d, n: 5 * d * d),
            counts(m2_count, lambda d, n: 3 * d * d + d * d + d),
            counts(m2_count, lambda d, n: 6 * d * d + d),
            counts(lambda d, n: 3 * d * d + n, m5_count),
        ],
    ),
    chapter_05.add_beside: (
        [
            hooked(lambda args, output, gain: (output[0] + gain(args[0]), *output[1:])),
            hooked(lambda args, output, gain: (output[0].add(gain(args[0])), output[1])),
            hooked_with_keywords,
        ],
        [
            hooked_in_place,
            hooked_before,
            hooked_twice,
            hooked(lambda args, output, gain: output[0] + gain(args[0])),
            hooked(lambda args, output, gain: (gain(args[0]), *output[1:])),
            hooked(lambda args, output, gain: (output[0] + gain(output[0]), *output[1:])),
            hooked(lambda args, output, gain: (output[0] + gain(args[0]),)),
        ],
    ),
}


def named(check):
    return f"{check.__module__[-2:]}-{check.__wrapped__.__name__}-{list(CASES).index(check)}"


@pytest.mark.parametrize("check", CASES, ids=named)
def test_variants(check):
    right, wrong = CASES[check]
    assert len(right) >= 3
    assert len(wrong) >= 5
    for i, answer in enumerate(right):
        assert check(answer).state == "right", (i, check(answer).text)
    for i, answer in enumerate(wrong):
        assert check(answer).state == "wrong", i


@pytest.mark.parametrize(
    "chapter",
    [chapter_01, chapter_02, chapter_03, chapter_04, chapter_05],
    ids=lambda m: m.__name__,
)
def test_every_check_is_tried(chapter):
    cases = [name for name, value in vars(chapter).items() if any(value is c for c in CASES)]
    assert not untried(chapter, cases)
