"""Every check of the chapters 6 to 11 passes at least three right forms of an answer and refuses at least five plausible wrong ones."""

import bisect
import importlib
import itertools
import math

import numpy as np
import pytest
import torch
from helpers import untried
from scipy.optimize import isotonic_regression
from torch.nn.functional import normalize

# ---- chapter 6 -----------------------------------------------------------------------------------


def attention(p, z, q, k, v, gamma, dim=1, scale=0.5, old=None, new=1.0):
    scores = (z @ q) @ (p @ k).T / p.shape[1] ** scale
    return (gamma if old is None else old) * p + new * scores.softmax(dim).T @ (z @ v)


def attention_by_row(p, z, q, k, v, gamma):
    shares = torch.stack([((one @ q) @ (p @ k).T / len(one) ** 0.5).softmax(0) for one in z])
    return torch.stack(
        [gamma * p[r] + (shares[:, r, None] * (z @ v)).sum(0) for r in range(len(p))]
    )


def attention_by_einsum(p, z, q, k, v, gamma):
    scores = torch.einsum("nd,rd->nr", z @ q, p @ k).div(math.sqrt(p.size(1))).exp()
    return gamma * p + torch.einsum("nr,nd->rd", scores / scores.sum(1, keepdim=True), z @ v)


# ---- chapter 7 -----------------------------------------------------------------------------------


def clamp(m):
    return m / m.norm().clamp(min=1)


def left(sizes, gamma):
    found, later = [], 1.0
    for size in reversed(sizes):
        found.append(later / max(size, 1))
        later *= gamma / max(size, 1)
    return found[::-1]


# ---- chapter 8 -----------------------------------------------------------------------------------


def choose(scores, k):
    return sorted(range(len(scores)), key=lambda i: -scores[i])[:k]


def content(start, writes, gamma):
    for one in writes:
        start = gamma * start + (1 - gamma) * one
    return start


def groups(scores, count, gamma, fades="chosen", empty=0.0, new=None):
    held, found = [], []
    for t, row in enumerate(scores):
        rated = [float(one @ row) for one in held] + [empty] * (len(held) < count)
        best = rated.index(max(rated))
        if best == len(held):
            held.append(torch.zeros(len(scores)))
        held = [
            one * gamma if fades == "all" or (fades == "chosen" and i == best) else one
            for i, one in enumerate(held)
        ]
        held[best] = held[best].clone()
        held[best][t] += (1 - gamma) if new is None else new
        found.append(best)
    return found  # fmt: skip


def groups_by_list(scores, count, gamma):
    held, found = [], []
    for t in range(len(scores)):
        rated = [sum((w * scores[t][u].item() for u, w in one.items()), 0.0) for one in held]
        if len(held) < count:
            rated.append(0.0)
        best = max(range(len(rated)), key=lambda g: (rated[g], -g))
        if best == len(held):
            held.append({})
        held[best] = {u: gamma * w for u, w in held[best].items()} | {t: 1 - gamma}
        found.append(best)
    return found


def penalised(scores, uses, k, price):
    return choose([s - price * u for s, u in zip(scores, uses, strict=True)], k)


def gate_leaves(gates):
    return [g * math.prod(1 - later for later in gates[t + 1 :]) for t, g in enumerate(gates)]


def gate_leaves_backwards(gates):
    found, keep = [], 1.0
    for gate in reversed(gates):
        found.append(gate * keep)
        keep *= 1 - gate
    return found[::-1]


# ---- chapter 9 -----------------------------------------------------------------------------------


def window_share(gamma, window, turns):
    return sum(gamma**i for i in range(min(window, turns))) / sum(gamma**i for i in range(turns))


def window_share_closed(gamma, window, turns):
    seen = min(window, turns)
    return seen / turns if gamma == 1 else (1 - gamma**seen) / (1 - gamma**turns)


def cut(write, state, turns, window, at=0):
    for t, turn in enumerate(turns):
        state = write(state.detach() if t == max(0, len(turns) - window + at) else state, turn)
    return state


def cut_in_two(write, state, turns, window):
    begins = max(0, len(turns) - window)
    with torch.no_grad():
        for turn in turns[:begins]:
            state = write(state, turn)
    for turn in turns[begins:]:
        state = write(state, turn)
    return state


def cut_at_each(write, state, turns, window):
    for left_over, turn in zip(range(len(turns), 0, -1), turns, strict=True):
        state = write(state, turn)
        if left_over > window:
            state = state.detach()
    return state


def detach_turns(write, state, turns, window):
    for left_over, turn in zip(range(len(turns), 0, -1), turns, strict=True):
        state = write(state, turn if left_over <= window else turn.detach())
    return state


def rate(step, peak, warmup, total, first=1, end=0.0):
    if step < warmup:
        return peak * (step + first) / warmup
    return end + (peak - end) * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2


def vanishes(weight, step):
    start = torch.tensor(weight, dtype=torch.bfloat16)
    return bool(start + step == start)


def vanishes_by_spacing(weight, step):
    start = torch.tensor(weight, dtype=torch.bfloat16).item()
    fraction, exponent = math.frexp(abs(start))  # fraction in [1/2, 1)
    spacing = 2.0 ** (exponent - 8)
    if fraction == 0.5 and start * step < 0:
        spacing /= 2
    return abs(step) < spacing / 2


def naive(weight, step, share=0.5):
    return abs(step) < share * 2.0 ** (math.floor(math.log2(abs(weight))) - 7)


# ---- chapter 10 ----------------------------------------------------------------------------------


def source(bits, least):
    best = max(range(len(bits)), key=bits.__getitem__)
    return best if bits[best] >= least else -1


def without(parts, turn, gamma):
    kept = [one for t, one in enumerate(parts) if t != turn]
    total = torch.zeros_like(parts[0])
    for one in kept:
        total = gamma * total + one
    return total


def without_by_formula(parts, turn, gamma):
    fade = gamma ** torch.arange(len(parts) - 1, -1, -1.0)[:, None, None]
    older = (fade * parts)[:turn].sum(0)
    return (fade * parts).sum(0) - (fade * parts)[turn] + (1 / gamma - 1) * older


def faded(parts, turn, gamma, drop=True):
    last = len(parts) - 1
    return sum(gamma ** (last - t) * one for t, one in enumerate(parts) if t != turn or not drop)


def hiding(distances, resolution):
    return sum(one <= min(distances) + resolution for one in distances)


def hiding_sorted(distances, resolution):
    ordered = sorted(distances)
    return bisect.bisect_right(ordered, ordered[0] + resolution)


# ---- chapter 11 ----------------------------------------------------------------------------------


def lag(turns, evidence):
    return max(0, turns - 1 - min(evidence)) if evidence else None


def recall(f_mem, f_0):
    return max(0.0, f_mem - f_0) / max(1 - f_0, 1e-6)


def fit(means, counts, weighted=True, back=True):
    pools = []
    for mean, count in zip(means, counts, strict=True):
        pools.append((mean, count if weighted else 1, 1))
        while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
            (a, n, i), (b, m, j) = pools[-2:]
            pools[-2:] = [((a * n + b * m) / (n + m), n + m, i + j)]
            if not back:
                break
    return [mean for mean, _, size in pools for _ in range(size)]


def fit_by_minmax(means, counts):
    """The fit at a place: the smallest over its beginnings of the largest mean of a stretch that holds it."""

    def mean(i, j):
        n = sum(counts[i:j])
        return sum(m * c for m, c in zip(means[i:j], counts[i:j], strict=True)) / n

    size = len(means)
    return [min(max(mean(i, j) for j in range(p + 1, size + 1)) for i in range(p + 1)) for p in range(size)]  # fmt: skip


def isotonic(means, counts):
    return isotonic_regression(means, weights=counts, increasing=False).x


def average(values):
    return sum(values) / len(values)


def knowledge(scores, newest):
    pairs = [list(zip(row, newest, strict=True)) for row in scores]
    k = [average([x for x, s in row if x is not None and s <= t]) for t, row in enumerate(pairs, 1)]
    return k, [average([x for x, s in row if s == 1]) for row in pairs]


def all_asked(scores, newest):
    return [average([x for x in row if x is not None]) for row in scores], knowledge(
        scores, newest
    )[1]


def changes(function):
    """The right answer, written into its first argument."""
    return lambda first, *rest: first.copy_(function(first, *rest))


CASES = {
    "06 attention_write": (
        [attention, attention_by_row, attention_by_einsum],
        [
            lambda *a: attention(*a, dim=0), lambda *a: attention(*a, scale=0), lambda *a: attention(*a, scale=1),
            lambda *a: attention(*a, old=1.0), lambda *a: attention(*a, new=1 - a[-1]), changes(attention),
            lambda p, z, q, k, v, g: attention(p, z, q, k, v.T, g), lambda p, z, q, k, v, g: attention(p, z, k, q, v, g),
            lambda p, z, q, k, v, g: attention(p, z, q, k, torch.eye(2), g),
            lambda *a: attention(*a) - a[-1] * a[0],
        ],
    ),
    "06 mean_row": (
        [
            lambda b, z, w, r, g: g * b + (z @ w).sum(0) / r, lambda b, z, w, r, g: g * b + z.sum(0) @ w / r,
            lambda b, z, w, r, g: (g * r * b + torch.ones(len(z)) @ z @ w) / r,
        ],
        [
            lambda b, z, w, r, g: g * b + (z @ w).mean(0), lambda b, z, w, r, g: g * (b + (z @ w).sum(0) / r),
            lambda b, z, w, r, g: b + (z @ w).sum(0) / r, lambda b, z, w, r, g: g * b + z.sum(0) / r,
            lambda b, z, w, r, g: g * b + (z @ w.T).sum(0) / r, lambda b, z, w, r, g: g * b + (z @ w).sum(0),
            lambda b, z, w, r, g: g * b + (1 - g) * (z @ w).sum(0) / r,
        ],
    ),
    "06 gain": (
        [
            lambda g, n, r, v, q: g + n * (v @ q).item() / (r * len(v) ** 0.5),
            lambda g, n, r, v, q: g + float((v * q).sum()) * n / r / math.sqrt(v.numel()),
            lambda g, n, r, v, q: torch.linalg.eigvals(
                g * torch.eye(len(v)) + n / (r * len(v) ** 0.5) * torch.outer(v, q)
            ).real.sub(g).abs().max().item() * math.copysign(1, v @ q) + g,
        ],
        [
            lambda g, n, r, v, q: g + n * (v @ q).item() / r, lambda g, n, r, v, q: g + n * (v @ q).item() / (r * len(v)),
            lambda g, n, r, v, q: g + abs(n * (v @ q).item()) / (r * len(v) ** 0.5),
            lambda g, n, r, v, q: g * (1 + n * (v @ q).item() / (r * len(v) ** 0.5)),
            lambda g, n, r, v, q: g + (v @ q).item() / (r * len(v) ** 0.5),
            lambda g, n, r, v, q: g + n * (v @ q) / (r * len(v) ** 0.5), lambda g, n, r, v, q: g,
        ],
    ),
    "07 hebbian": (
        [
            lambda m, k, v, g: clamp(g * m + k.T @ v / len(k)),
            lambda m, k, v, g: clamp(g * m + torch.einsum("na,nb->ab", k, v) / k.shape[0]),
            lambda m, k, v, g: clamp(g * m + torch.stack([torch.outer(*pair) for pair in zip(k, v, strict=True)]).mean(0)),
        ],
        [
            lambda m, k, v, g: clamp(g * m + v.T @ k / len(k)), lambda m, k, v, g: clamp(g * m + k.T @ v),
            lambda m, k, v, g: g * m + k.T @ v / len(k), lambda m, k, v, g: normalize((g * m + k.T @ v / len(k)).flatten(), dim=0).view_as(m),
            lambda m, k, v, g: clamp(m + k.T @ v / len(k)), lambda m, k, v, g: g * m + clamp(k.T @ v / len(k)),
            lambda m, k, v, g: clamp(g * m + (1 - g) * k.T @ v / len(k)),
        ],
    ),
    "07 left": (
        [
            left, lambda s, g: [1 / max(one, 1) * math.prod(g / max(n, 1) for n in s[t + 1 :]) for t, one in enumerate(s)],
            lambda s, g: [g ** (len(s) - 1 - t) / math.prod(max(n, 1) for n in s[t:]) for t in range(len(s))],
        ],
        [
            lambda s, g: [g ** (len(s) - 1 - t) for t in range(len(s))], lambda s, g: left(s, g)[::-1],
            lambda s, g: [g ** (len(s) - 1 - t) / math.prod(s[t:]) for t in range(len(s))],
            lambda s, g: [g ** (len(s) - t) / math.prod(max(n, 1) for n in s[t:]) for t in range(len(s))],
            lambda s, g: [g ** (len(s) - 1 - t) / math.prod(max(n, 1) for n in s[t + 1 :]) for t in range(len(s))],
            lambda s, g: left(s, 1.0), lambda s, g: [1 / max(n, 1) for n in s],
        ],
    ),
    "07 crosstalk": (
        [
            lambda c, j: (c[j].square().sum() - 1).clamp(min=0).sqrt().item(),
            lambda c, j: math.sqrt(sum(float(x) ** 2 for i, x in enumerate(c[j]) if i != j)),
            lambda c, j: c[:, j][torch.arange(len(c)) != j].norm().item(),
        ],
        [
            lambda c, j: c[j].norm().item(), lambda c, j: (c[j].sum() - 1).item(), lambda c, j: c[j].abs().sum().item() - 1,
            lambda c, j: (c[j].square().sum() - 1).item(), lambda c, j: (c[j].square().sum() - 1).clamp(min=0).sqrt(),
            lambda c, j: c.fill_diagonal_(0)[j].norm().item(), lambda c, j: c[0, 1:].norm().item(),
        ],
    ),
    "07 delta": (
        [
            lambda m, k, v, b: m + b * torch.outer(k, v - m.T @ k), lambda m, k, v, b: m + b * k[:, None] * (v - k @ m)[None],
            lambda m, k, v, b: (torch.eye(len(k)) - b * torch.outer(k, k)) @ m + b * torch.outer(k, v),
        ],
        [
            lambda m, k, v, b: m + b * torch.outer(k, v), lambda m, k, v, b: m + b * torch.outer(k, v - m @ k),
            lambda m, k, v, b: m + b * torch.outer(v - m.T @ k, k), lambda m, k, v, b: m + b * torch.outer(k, m.T @ k - v),
            lambda m, k, v, b: (1 - b) * m + b * torch.outer(k, v), lambda m, k, v, b: m + torch.outer(k, v - m.T @ k),
            lambda m, k, v, b: m + torch.outer(k, b * v - m.T @ k),
        ],
    ),
    "08 choose": (
        [
            choose, lambda s, k: np.argsort(-np.array(s), kind="stable")[:k].tolist(),
            lambda s, k: torch.tensor(s).argsort(descending=True, stable=True)[:k].tolist(),
        ],
        [
            lambda s, k: sorted(s, reverse=True)[:k], lambda s, k: sorted(choose(s, k)), lambda s, k: choose(s, k + 1),
            lambda s, k: sorted(range(len(s)), key=lambda i: (s[i], i))[-k:][::-1],
            lambda s, k: sorted(range(len(s)), key=lambda i: s[i])[:k], lambda s, k: choose(s, k)[::-1],
            lambda s, k: choose([abs(one) for one in s], k),
        ],
    ),
    "08 content": (
        [
            content, lambda p, w, g: g ** len(w) * p + (1 - g) * sum((g ** (len(w) - 1 - i) * one for i, one in enumerate(w)), torch.zeros(2)),
            lambda p, w, g: g ** len(w) * p + (1 - g) * (g ** torch.arange(len(w) - 1, -1, -1.0)) @ w,
        ],
        [
            lambda p, w, g: content(p, w.flip(0), g), lambda p, w, g: g * p + (1 - g) * w.sum(0),
            lambda p, w, g: content(g * p, w, g), lambda p, w, g: content(p, w, 1 - g), lambda p, w, g: content(0 * p, w, g),
            lambda p, w, g: g ** len(w) * p + (g ** torch.arange(len(w) - 1, -1, -1.0)) @ w, lambda p, w, g: w.mean(0),
        ],
    ),
    "08 groups": (
        [groups, groups_by_list, lambda s, c, g: groups(s.clone().double().float(), c, g)],
        [
            lambda s, c, g: groups(s, c, g, fades="all"), lambda s, c, g: groups(s, c, g, fades="none"), lambda s, c, g: groups(s.T, c, g),
            lambda s, c, g: groups(s, len(s), g), lambda s, c, g: [0] * len(s), lambda s, c, g: [t % c for t in range(len(s))],
            lambda s, c, g: groups(s, c, g, empty=-9.0), lambda s, c, g: groups(s, c, g, empty=1e-9), lambda s, c, g: [one + 1 for one in groups(s, c, g)],
        ],
    ),
    "08 penalised": (
        [
            penalised, lambda s, u, k, p: np.argsort(p * np.array(u) - np.array(s), kind="stable")[:k].tolist(),
            lambda s, u, k, p: sorted(range(len(s)), key=lambda i: (p * u[i] - s[i], i))[:k],
        ],
        [
            lambda s, u, k, p: choose(s, k), lambda s, u, k, p: penalised(s, u, k, -p), lambda s, u, k, p: penalised(s, [min(one, 1) for one in u], k, p),
            lambda s, u, k, p: penalised(s, u, k, 1.0), lambda s, u, k, p: choose([a / (1 + p * b) for a, b in zip(s, u, strict=True)], k),
            lambda s, u, k, p: sorted(penalised(s, u, k, p))[::-1], lambda s, u, k, p: choose([-one for one in u], k),
        ],
    ),
    "08 gate_leaves": (
        [gate_leaves, gate_leaves_backwards, lambda gates: (np.array(gates) * [np.prod(1 - np.array(gates[t + 1 :])) for t in range(len(gates))]).tolist()],
        [
            lambda g: g, lambda g: [one * (1 - one) ** (len(g) - 1 - t) for t, one in enumerate(g)],
            lambda g: [one * math.prod(1 - x for x in g[t:]) for t, one in enumerate(g)], lambda g: gate_leaves(g)[::-1],
            lambda g: [one * math.prod(g[t + 1 :]) for t, one in enumerate(g)], lambda g: [one * math.prod(1 - x for x in g[:t]) for t, one in enumerate(g)],
            lambda g: [*gate_leaves(g), 0.0],
        ],
    ),
    "09 window_share": (
        [window_share, window_share_closed, lambda g, w, t: float((g ** torch.arange(t).double())[:w].sum() / (g ** torch.arange(t).double()).sum())],
        [
            lambda g, w, t: g**w, lambda g, w, t: 1 - g**w, lambda g, w, t: w / t, lambda g, w, t: window_share(g, w + 1, t),
            lambda g, w, t: (1 - g**w) / (1 - g**t), lambda g, w, t: 1 - window_share(g, w, t), lambda g, w, t: g ** (t - w) * window_share(g, w, t),
        ],
    ),
    "09 write_with_window": (
        [cut, cut_in_two, cut_at_each],
        [
            detach_turns, lambda *a: cut(*a, at=1), lambda *a: cut(*a, at=-1), lambda *a: cut(*a).detach(),
            lambda w, s, t, n: cut(w, s, t[-n:], n), lambda w, s, t, n: cut(w, s, t[::-1], n), lambda w, s, t, n: cut(w, s, t, len(t)),
            lambda w, s, t, n: [cut(w, s, t, n)], lambda w, s, t, n: cut(w, s, t, 1),
        ],
    ),
    "09 rate": (
        [
            rate, lambda s, p, w, t: p * min(1, (s + 1) / w) * (0.5 + 0.5 * math.cos(math.pi * max(0, s - w) / (t - w))),
            lambda s, p, w, t: p * (s + 1) / w if s + 1 < w else p * math.cos(math.pi / 2 * max(0, s - w) / (t - w)) ** 2,
        ],
        [
            lambda *a: rate(*a, first=0), lambda s, p, w, t: p * min(1, (s + 1) / w), lambda s, p, w, t: rate(s, p, w, t + w),
            lambda s, p, w, t: rate(s, p, w, t) / (1 if s < w else p), lambda s, p, w, t: p * rate(s, p, w, t), lambda *a: rate(*a, end=0.1),
            lambda s, p, w, t: rate(s, p, w, t) if s < w else p * (1 - (s - w) / (t - w)),
            lambda s, p, w, t: rate(s, p, w, t) if s < w else p * math.cos(math.pi / 2 * (s - w) / (t - w)),
        ],
    ),
    "09 vanishes": (
        [vanishes, vanishes_by_spacing, lambda w, s: torch.tensor(w, dtype=torch.bfloat16).add(s).equal(torch.tensor(w, dtype=torch.bfloat16))],
        [
            naive, lambda w, s: naive(w, s, 1.0), lambda w, s: naive(w, s, 0.25), lambda w, s: s < abs(w) / 256, lambda w, s: s < abs(w) / 512,
            lambda w, s: s <= 1e-4, lambda w, s: abs(w) >= 2**-5 and s < 1e-3, lambda w, s: not vanishes(w, s),
            lambda w, s: naive(torch.tensor(w, dtype=torch.bfloat16).item(), s), lambda w, s: torch.tensor(w) + s == torch.tensor(w),
        ],
    ),
    "10 source": (
        [source, lambda b, n: int(np.argmax(b)) if max(b) >= n else -1, lambda b, n: b.index(max(b)) if max(b) >= n else -1],
        [
            lambda b, n: max(b), lambda b, n: b.index(max(b)), lambda b, n: next((t for t, x in enumerate(b) if x >= n), -1),
            lambda b, n: source([abs(x) for x in b], n), lambda b, n: source(b, n + 1e-9), lambda b, n: source(b, n) + 1,
            lambda b, n: source(b, n) if max(b) >= n else None,
        ],
    ),
    "10 without": (
        [without, without_by_formula, lambda c, t, g: faded(torch.cat([c[:t], c[t + 1 :]]), -1, g)],
        [
            faded, lambda c, t, g: without(c, t, 1.0), lambda c, t, g: sum(c), lambda c, t, g: faded(c, t, g, drop=False),
            lambda c, t, g: without(c, t + 1, g), lambda c, t, g: faded(c, t, g, drop=False) - c[t], lambda c, t, g: without(c.flip(0), t, g),
        ],
    ),
    "10 merge": (
        [
            lambda a, b, n: torch.cat([a, b])[-n:], lambda a, b, n: torch.vstack((a, b))[max(0, len(a) + len(b) - n) :],
            lambda a, b, n: torch.stack(([*a, *b])[-n:]),
        ],
        [
            lambda a, b, n: torch.cat([b, a])[-n:], lambda a, b, n: torch.cat([a, b])[:n], lambda a, b, n: torch.cat([a, b]),
            lambda a, b, n: torch.cat([a[len(b) :], b])[-n:], lambda a, b, n: b[-n:], lambda a, b, n: torch.cat([a, b]).flip(0)[:n],
            lambda a, b, n: torch.cat([a[-n // 2 :], b[-n // 2 :]]),
        ],
    ),
    "10 hiding": (
        [hiding, hiding_sorted, lambda d, r: int((np.array(d) - min(d) <= r).sum())],
        [
            lambda d, r: sum(one <= r for one in d), lambda d, r: sum(one - min(d) < r for one in d), lambda d, r: d.index(min(d)), lambda d, r: 1,
            lambda d, r: hiding(d, 2 * r), lambda d, r: len(d) - hiding(d, r), lambda d, r: hiding(d, r) - 1,
        ],
    ),
    "11 lag": (
        [lag, lambda t, e: None if not len(e) else max(t - 1 - sorted(e)[0], 0), lambda t, e: max((0, *(t - 1 - one for one in e))) if e else None],
        [
            lambda t, e: t - min(e), lambda t, e: t - 1 - max(e), lambda t, e: t - 1 - e[0], lambda t, e: t - 1 - min(e) if e else None,
            lambda t, e: t - 1 - min(e) if e else t, lambda t, e: t - 1 - min(e) if e else 0, lambda t, e: t - 1 - sum(e) / len(e) if e else None,
        ],
    ),
    "11 recall_rate": (
        [recall, lambda m, z: 0.0 if m <= z else (m - z) / (1 - z), lambda m, z: float(np.clip(m - z, 0, None) / max(1 - z, 1e-6))],
        [
            lambda m, z: max(0, m - z), lambda m, z: (m - z) / max(1 - z, 1e-6), lambda m, z: max(0, m - z) / (1 - z), lambda m, z: m - z,
            lambda m, z: max(0.0, m - z) / max(1 - m, 1e-6), lambda m, z: max(0.0, m - z) / max(z, 1e-6), lambda m, z: abs(m - z) / max(1 - z, 1e-6),
        ],
    ),
    "11 never_rising": (
        [fit, fit_by_minmax, isotonic, lambda m, n: torch.tensor(fit(m, n), dtype=torch.float64), lambda m, n: tuple(fit(m, n))],
        [
            lambda m, n: m, lambda m, n: fit(m, n, weighted=False), lambda m, n: fit(m, n, back=False), lambda m, n: sorted(m, reverse=True),
            lambda m, n: list(itertools.accumulate(m, min)), lambda m, n: fit(m, n)[:1], lambda m, n: average(fit(m, n)), lambda m, n: None,
            lambda m, n: list(itertools.accumulate(m[::-1], max))[::-1],
        ],
    ),
    "11 knowledge": (
        [knowledge, lambda s, n: list(knowledge(s, n)), lambda s, n: tuple(map(np.array, knowledge(s, n))), lambda s, n: torch.tensor(knowledge(s, n))],
        [
            lambda s, n: (knowledge(s, n)[0],) * 2, all_asked, lambda s, n: knowledge(s, n)[0], lambda s, n: (None, None), lambda s, n: None,
            lambda s, n: knowledge(s, n)[::-1], lambda s, n: (knowledge(s, n)[0], None), lambda s, n: (0.5, 0.0),
            lambda s, n: ([average([x or 0.0 for x in row]) for row in s], knowledge(s, n)[1]),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_right_forms_pass_and_wrong_answers_do_not(name):
    chapter, exercise = name.split()
    check = getattr(importlib.import_module(f"lmem.exercises.chapter_{chapter}"), exercise)
    right, wrong = CASES[name]
    assert len(right) >= 3
    assert len(wrong) >= 5
    for place, answer in enumerate(right):
        assert check(answer).state == "right", (place, check(answer).text)
    for place, answer in enumerate(wrong):
        assert check(answer).state == "wrong", (place, check(answer).text)


@pytest.mark.parametrize("number", ["06", "07", "08", "09", "10", "11"])
def test_every_check_is_tried(number):
    chapter = importlib.import_module(f"lmem.exercises.chapter_{number}")
    assert not untried(chapter, [name[3:] for name in CASES if name.startswith(number)])
