"""Write rules against plain NumPy transcriptions of their equations, and what every write must keep."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmem.errors import MethodError, ShapeError
from lmem.memory.options import known_options
from lmem.memory.write import WRITES, Write

B, N, R, D = 3, 5, 7, 6
OPTIONS = {
    "slots": {"k": 3},
    "keyed": {"cells": 1, "key": 4, "hidden": 4},
    "spans": {"key": 2, "code": 2, "length": 2, "facts": 2, "heads": 2, "hidden": 4},  # D numbers
}
ACCEPTS = {name: set(known_options(write)) for name, write in WRITES.items()}
PLAIN = sorted(name for name in WRITES if ACCEPTS[name] >= {"gamma", "normalise", "trainable"})


def rule(name, rows=R, **options):
    torch.manual_seed(1)
    return WRITES[name](rows, D, **{**OPTIONS.get(name, {}), **options}).double()


def turn(seed=0, batch=B, tokens=N):
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(batch, tokens, D, generator=generator, dtype=torch.float64)
    lengths = torch.tensor([tokens, max(1, tokens - 2), tokens])[:batch]
    return latents, torch.arange(tokens) < lengths[:, None]


# ---- the equations in NumPy, one conversation at a time, token by token ------------------------------


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def unit(p):
    return p / np.sqrt((p**2).mean(-1, keepdims=True) + 1e-6)


def maps(write, *names):
    return [getattr(write, name).detach().numpy() for name in names]


def attention(write, p, z):
    wq, wk, wv = maps(write, "w_q", "w_k", "w_v")
    out = write.gamma * p
    seen = write.address * write.addresses.numpy() if write.address else p
    for token in z:
        share = softmax((token @ wq) @ (seen @ wk).T / np.sqrt(D))
        out = out + np.outer(share, token @ wv)
    if write.normalise and write.address:
        return out / np.maximum(np.sqrt((out**2).mean(-1, keepdims=True)), 1)
    return unit(out) if write.normalise else out


def hebbian(write, m, z):
    wk, wv = maps(write, "w_k", "w_v")
    out = write.gamma * m
    for token in z:
        out = out + np.outer(token @ wk, token @ wv) / len(z)
    return out / max(np.sqrt((out**2).sum()), 1) if write.normalise else out


def gated(write, p, z):
    wq, wk, wv, wp, wc, bias = maps(write, "w_q", "w_k", "w_v", "w_p", "w_c", "bias")
    out = p.copy()
    for r, row in enumerate(p):
        said = softmax((row @ wq) @ (z @ wk).T / np.sqrt(D)) @ (z @ wv)
        gate = sigmoid(row @ wp + said @ wc + bias[0])
        out[r] = (1 - gate) * write.gamma * row + gate * said
    return unit(out) if write.normalise else out


def slots(write, p, z):
    if write.each == "token" and len(z) > 1:
        return slots(write, slots(write, p, z[:-1]), z[-1:])
    wa, wu = maps(write, "w_a", "w_u")
    mean, out = z.mean(0), p.copy()
    scores = p @ (mean @ wa) / np.sqrt(D)
    for s in sorted(range(len(p)), key=lambda r: (-scores[r], r))[: write.k]:
        step = (1 - write.gamma) * (sigmoid(scores[s]) if write.trainable else 1)
        out[s] = (1 - step) * p[s] + step * (mean @ wu)
        out[s] = unit(out[s]) if write.normalise else out[s]
    return out


def delta(write, m, z):
    wk, wv, wb = maps(write, "w_k", "w_v", "w_b")
    out = write.gamma * m
    for token in z:
        key = token @ wk
        key = key / np.linalg.norm(key) if write.normalise else key
        out = out + sigmoid(token @ wb) * np.outer(key, token @ wv - out.T @ key)
    return out


def recent(write, p, z):
    return np.concatenate([p, z])[-R:]


def pooled(module, z):
    w = {name: value.detach().numpy() for name, value in module.named_parameters()}
    found = np.concatenate([softmax(z @ query) @ z for query in w["queries"]])
    out = w["linear.weight"] @ found + w["linear.bias"]
    if "mlp.0.weight" not in w:
        return out
    inner = w["mlp.0.weight"] @ found + w["mlp.0.bias"]
    inner = inner * (1 + np.vectorize(math.erf)(inner / np.sqrt(2))) / 2  # GELU
    return out + w["mlp.2.weight"] @ inner + w["mlp.2.bias"]


def keyed(write, p, z):
    halves = [pooled(half, z) for half in write.address.halves]
    key = np.concatenate([half / np.linalg.norm(half) for half in halves]) / np.sqrt(2)
    keep, fix = pooled(write.gate, z)
    out = p.copy()
    if keep > 0:
        free = [r for r, row in enumerate(p) if not row.any()]
        near = [row[:4] @ key if row.any() else -1 for row in p]
        best = int(np.argmax(near))
        place = best if near[best] > write.theta.item() and fix > 0 else free[0]
        out[place] = np.concatenate([key, unit(pooled(write.value, z))])
    return out


def anchored(module, z, anchor=None):
    """A pool that looks from one of the tokens, or from none."""
    w = {name: value.detach().numpy() for name, value in module.named_parameters()}
    queries = w["queries"]
    if anchor is not None:
        queries = queries + (w["turned.weight"] @ anchor).reshape(queries.shape)
    found = [softmax(z @ query) @ z for query in queries]
    found = np.concatenate(found if anchor is None else [*found, anchor])
    inner = w["mlp.0.weight"] @ found + w["mlp.0.bias"]
    inner = inner * (1 + np.vectorize(math.erf)(inner / np.sqrt(2))) / 2
    out = w["linear.weight"] @ found + w["linear.bias"]
    return out + w["mlp.2.weight"] @ inner + w["mlp.2.bias"]


def spans(write, p, z):
    weights = [w.detach().numpy() for w in write.gate.parameters()]
    inner = z @ weights[0].T + weights[1]
    inner = inner * (1 + np.vectorize(math.erf)(inner / np.sqrt(2))) / 2
    begins = (inner @ weights[2].T + weights[3])[:, 0]
    begins[-1] = anchored(write.ends, z)[0]
    strongest = sorted(np.argsort(-begins)[: write.most])
    codes = z @ write.code.weight.detach().numpy().T + write.code.bias.detach().numpy()
    codes = np.concatenate([codes, np.zeros((write.length, codes.shape[1]))])
    out, mine, key_of = p.copy(), set(), {}  # rows of this turn
    for n in strongest:
        halves = [anchored(half, z, z[n]) for half in write.address.halves]
        key_of[n] = np.concatenate([half / np.linalg.norm(half) for half in halves]) / np.sqrt(2)
    for n in strongest:
        last = len(z) - 1
        rival = (m for m in strongest if (m == last) != (n == last) and begins[m] > begins[n])
        if begins[n] <= 0 or any(key_of[n] @ key_of[m] > write.theta.item() for m in rival):
            continue
        key = key_of[n]
        near = [row[:2] @ key if row.any() and r not in mine else -1 for r, row in enumerate(out)]
        best = int(np.argmax(near))
        corrects = anchored(write.correct, z, z[n])[0] > 0
        free = [r for r, row in enumerate(out) if not row.any()]
        least = min(write.theta.item(), 0.9) if n == len(z) - 1 else write.theta.item()
        place = best if near[best] > least and corrects else free[0] if free else None
        out[place] = np.concatenate([key, codes[n : n + write.length].ravel()])
        mine.add(place)
    return out


NUMPY = {f.__name__: f for f in (attention, hebbian, gated, slots, delta, recent, keyed, spans)}
VARIANTS = [(name, {}) for name in WRITES]
VARIANTS += [(name, {"normalise": flag}) for name in PLAIN for flag in (True, False)]
VARIANTS += [(name, {"trainable": True, "gamma": 0.7}) for name in PLAIN]
VARIANTS += [("slots", {"k": 1}), ("slots", {"k": R}), ("attention", {"noise": 0.0})]
VARIANTS += [("slots", {"each": "token", "k": k}) for k in (1, 3)]
VARIANTS += [("attention", {"address": 2.0, "normalise": flag}) for flag in (True, False)]
VARIANTS += [(name, {"maps": "identity"}) for name in PLAIN if WRITES[name].form == "rows"]


def numbers(name, t, tokens, before, after, written):
    """`written` after turn t, one conversation: t for every row that changed; recent rows move with their numbers."""
    if name == "recent":
        return np.concatenate([written, np.full(tokens, t)])[-R:]
    return np.where((before != after).any(1), t, written)


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=str)
def test_equals_the_equation_in_numpy(name, options):
    write = rule(name, **options)
    state = write.start(B)
    for t in range(4):
        latents, mask = turn(t)
        rows, written = [], []
        for b in range(B):
            before, tokens = state.rows[b].numpy(), latents[b][mask[b]].numpy()
            rows.append(NUMPY[name](write, before, tokens))
            old = state.written[b].numpy()
            written.append(numbers(name, t, len(tokens), before, rows[b], old))
        with torch.no_grad():
            state = write(state, latents, mask)
        np.testing.assert_allclose(state.rows.numpy(), np.stack(rows), atol=1e-9, rtol=0)
        np.testing.assert_array_equal(state.written.numpy(), np.stack(written))
    assert state.turns.tolist() == [4] * B


def test_every_write_has_its_transcription():
    assert set(NUMPY) == set(WRITES)


@pytest.mark.parametrize("name", WRITES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_shape_and_any_mask(name, data):
    """One token, one turn, one row, k = R, holes in the mask: the padded batch equals each turn alone."""
    rows, tokens, batch = (
        data.draw(st.integers(1, top), label) for top, label in ((9, "R"), (6, "N"), (3, "B"))
    )
    options = {"k": data.draw(st.integers(1, rows), "k")} if name == "slots" else {}
    write = rule(name, rows, **options)
    state = write.start(batch)
    seed = data.draw(st.integers(0, 999), "seed")
    for t in range(data.draw(st.integers(1, 3), "T")):
        latents, _ = turn(seed + t, batch, tokens)
        mask = torch.tensor(
            data.draw(
                st.lists(
                    st.lists(st.booleans(), min_size=tokens, max_size=tokens),
                    min_size=batch,
                    max_size=batch,
                )
            )
        )
        after = write(state, latents, mask)
        for b in range(batch):
            one = type(state)(*(part[b : b + 1] for part in state))
            kept = latents[b, mask[b]][None]
            alone = write(one, kept, torch.ones(1, kept.shape[1])) if kept.shape[1] else one
            torch.testing.assert_close(after.rows[b], alone.rows[0], atol=1e-9, rtol=0)
            assert torch.equal(after.written[b], alone.written[0])
            assert after.turns[b] == alone.turns[0]
        state = after


@pytest.mark.parametrize("name", WRITES)
def test_padding_is_never_written(name):
    write = rule(name)
    latents, mask = turn()
    dirty = latents.masked_fill(~mask[:, :, None], 99.0)
    clean, other = write(write.start(B), latents, mask), write(write.start(B), dirty, mask)
    assert torch.equal(clean.rows, other.rows)
    changed = write(write.start(B), latents + mask[:, :, None], mask)
    assert (changed.rows - clean.rows).abs().max() > 1e-2


@pytest.mark.parametrize("name", WRITES)
def test_no_token_writes_nothing(name):
    write = rule(name)
    latents, mask = turn()
    before = write(write.start(B), latents, mask)
    latents, mask = turn(1)
    mask = mask.clone()
    mask[1] = False
    after = write(before, latents, mask)
    assert after.turns.tolist() == [2, 1, 2]
    assert torch.equal(after.rows[1], before.rows[1])
    assert torch.equal(after.written[1], before.written[1])
    assert not torch.equal(after.rows[0], before.rows[0])


@pytest.mark.parametrize("name", WRITES)
def test_pure_and_the_same_one_by_one(name):
    write = rule(name)
    state = write(write.start(B), *turn(1))
    copy = [t.clone() for t in state]
    latents, mask = turn(2)
    together = write(state, latents, mask)
    for old, now in zip(copy, state, strict=True):
        assert torch.equal(old, now)
    for b in range(B):
        one = type(state)(*(t[b : b + 1] for t in state))
        alone = write(one, latents[b : b + 1, : mask[b].sum()], mask[b : b + 1, : mask[b].sum()])
        torch.testing.assert_close(alone.rows[0], together.rows[b], atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", WRITES)
def test_gradient(name):
    """By the state, by the latents, and by every map that learns; and none of the maps is left without any."""
    write = rule(name, trainable=True) if name in PLAIN else rule(name)
    state = write.start(1)
    latents, mask = turn(3, batch=1, tokens=3)
    learned = {n: p for n, p in write.named_parameters() if n.split(".")[0] not in write.choices}
    names, learned = list(learned), list(learned.values())

    def rows(before, z, *weights):
        swapped = torch.func.functional_call(
            write, dict(zip(names, weights, strict=True)), (state._replace(rows=before), z, mask)
        )
        return swapped.rows

    before = torch.randn(1, *write.p0.shape, dtype=torch.float64, requires_grad=True)
    if name == "slots":  # choosing has no gradient, so no two scores may lie near each other
        _, scores, _ = write.choose(before, latents, mask)
        assert scores.sort().values.diff().min() > 1e-3
    given = (before, latents.requires_grad_(), *(w.detach().requires_grad_() for w in learned))
    assert torch.autograd.gradcheck(rows, given)
    rows(*given).square().sum().backward()
    assert all(tensor.grad.abs().sum() > 0 for tensor in given)


@pytest.mark.parametrize("name", PLAIN)
def test_maps_learn_only_if_asked(name):
    assert not list(rule(name).parameters())
    learned = dict(rule(name, trainable=True).named_parameters())
    assert learned
    assert set(learned) < set(rule(name).state_dict())  # the same maps, and P_0 that never learns


def test_slots_break_ties_by_index():
    write = rule("slots", noise=0.0)  # all scores are 0
    latents, mask = turn()
    assert write.choose(write.start(B).rows, latents, mask)[2].tolist() == [[0, 1, 2]] * B
    after = write(write.start(B), latents, mask)
    assert after.written[0].tolist() == [0, 0, 0, -1, -1, -1, -1]
    assert (after.rows[:, 3:] == 0).all()


def test_a_softmax_of_the_scores_would_make_ties():
    """Why slots choose before any softmax: far below the largest score, bfloat16 knows no order."""
    scores = torch.tensor([[30.0, -80.0, -70.0, -90.0]]).to(torch.bfloat16)
    assert scores.argsort(dim=1, descending=True, stable=True).tolist() == [[0, 2, 1, 3]]
    shares = scores.softmax(1)
    assert len(shares[0, 1:].unique()) == 1


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("options", [{}, {"normalise": False}], ids=str)
def test_a_scan_is_the_same_as_step_by_step(name, options):
    write = rule(name, **(options if set(options) <= ACCEPTS[name] else {}))
    turns = [turn(t, tokens=2 + t) for t in range(5)]
    turns[2][1][1] = False  # one conversation has no such turn
    state = step = write(write.start(B), *turn(9))
    for latents, mask in turns:
        step = write(step, latents, mask)
    scan = write.scan(state, turns)
    torch.testing.assert_close(scan.rows, step.rows, atol=1e-12, rtol=0)
    assert torch.equal(scan.written, step.written)
    assert scan.turns.tolist() == step.turns.tolist() == [6, 5, 6]
    assert write.scan(state, []) is state


@pytest.mark.parametrize("name", WRITES)
def test_merged_is_written_on(name):
    """Where the rule makes sense of it; the others say why not."""
    merges = WRITES[name].merge is not Write.merge
    write = rule(name, **({"normalise": False} if merges and "normalise" in ACCEPTS[name] else {}))
    first, second = write.start(B), write.start(B)
    for t in range(2):
        first = write(first, *turn(t))
    for t in range(2, 5):
        second = write(second, *turn(t))
    if not merges:
        with pytest.raises(MethodError, match="merged"):
            write.merge(first, second)
        return
    on = write.scan(first, [turn(t) for t in range(2, 5)])
    merged = write.merge(first, second)
    torch.testing.assert_close(merged.rows, on.rows, atol=1e-12, rtol=0)
    assert torch.equal(merged.written, on.written)
    assert merged.turns.tolist() == [5] * B
    if name == "hebbian":
        with pytest.raises(MethodError, match="order"):
            rule(name).merge(first, second)


def test_delta_overwrites_where_hebbian_adds_up():
    """A key told twice, with two values: the newer value alone comes back, or the sum of both."""
    key = torch.tensor([1.0, 0, 0, 0, 0, 0], dtype=torch.float64)
    values = [torch.tensor([0, 0, 0, *v], dtype=torch.float64) for v in ((1.0, 2, 3), (7.0, 5, 4))]
    for name, options in (("delta", {}), ("hebbian", {"normalise": False, "gamma": 1.0})):
        write = rule(name, **options)
        write.w_k.zero_().diagonal()[:3] = 1.0  # a token's first half is its key
        write.w_v.zero_().diagonal()[3:] = 1.0  # and its second half its value
        if name == "delta":
            write.w_b.zero_()[0] = 40.0  # sigmoid(40) is 1: write in full
        state = write.start()
        for value in values:
            state = write(state, (key + value)[None, None], torch.ones(1, 1))
        recalled = (key @ write.w_k) @ state.rows[0]
        expected = values[1] if name == "delta" else values[0] + values[1]
        torch.testing.assert_close(recalled, expected @ write.w_v, atol=1e-9, rtol=0)


def test_options_out_of_range():
    for name, options in (
        ("attention", {"gamma": 0}),
        ("gated", {"gamma": 1.1}),
        ("slots", {"k": 0}),
        ("slots", {"k": 8}),
        ("keyed", {"theta": 2.0}),
    ):
        with pytest.raises(MethodError, match="must lie"):
            rule(name, **options)


def keyed_by_hand(rows, theta=0.9):
    """A keyed write of D = 6 that takes a turn's only token as it is: key 4, value 1, and its sign says whether it corrects."""
    write = rule("keyed", rows, key=4, heads=1, hidden=0, theta=theta)
    for weight in write.parameters():
        weight.data.zero_()
    write.theta.data.fill_(theta)
    for i, half in enumerate(write.address.halves):
        half.linear.weight.data[:, 2 * i : 2 * i + 2] = torch.eye(2)
    write.value.linear.weight.data[:, 4:] = torch.eye(2)
    write.gate.linear.weight.data[1, 5] = 1.0  # e > 0 where the last number is positive
    write.gate.linear.bias.data[0] = 1.0  # b > 0 always
    return write


def fact(subject, relation, value, corrects=False):
    row = [*subject, *relation, value, 1.0 if corrects else -1.0]
    return torch.tensor([[row]], dtype=torch.float64), torch.ones(1, 1)


ANA, BEN, TOWN, JOB = (1.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.0, 1.0)


def test_keyed_replaces_what_is_corrected_and_nothing_else():
    write = keyed_by_hand(rows=3)
    state = write.scan(
        write.start(), [fact(ANA, TOWN, 2), fact(ANA, JOB, 3), fact(ANA, TOWN, 5, True)]
    )
    assert state.written[0].tolist() == [2, 1, -1]
    assert torch.sign(state.rows[0, 0, 4:]).tolist() == [1, 1]  # the correction itself
    again = write(
        state, *fact(ANA, TOWN, 7)
    )  # told again, and not as a correction: a row of its own
    assert again.written[0].tolist() == [2, 1, 3]


def test_keyed_gives_up_the_oldest_row_when_none_is_free():
    write = keyed_by_hand(rows=2)
    state = write.scan(write.start(), [fact(ANA, TOWN, 2), fact(BEN, TOWN, 3), fact(BEN, JOB, 4)])
    assert state.written[0].tolist() == [2, 1]
    write.gate.linear.bias.data[0] = -1.0  # b < 0: nothing worth keeping
    after = write(state, *fact(ANA, JOB, 5))
    assert torch.equal(after.rows, state.rows)
    assert after.turns.tolist() == [4]


def test_recent_keeps_the_newest_rows_only():
    write = rule("recent")
    state = write.start(1)
    for t in range(3):
        latents, mask = turn(t, batch=1)
        state = write(state, latents, mask)
        assert write.readable(state).sum() == min(R, 5 * (t + 1))
    assert state.written[0].tolist() == [1, 1, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("name", WRITES)
def test_shapes_that_do_not_fit(name):
    write = rule(name)
    with pytest.raises(ShapeError, match="latents"):
        write(write.start(B), torch.zeros(B, N, D + 1), torch.ones(B, N))
    with pytest.raises(ShapeError, match="mask"):
        write(write.start(B), torch.zeros(B, N, D), torch.ones(B, N + 1))


def test_start_is_the_same_at_every_reset():
    write = rule("attention")
    assert torch.equal(write.start(2).rows[0], write.start(1).rows[0])
    assert 0.01 < write.start().rows.std() < 0.03
    assert not write.readable(write.start()).any()


@pytest.mark.parametrize("name", WRITES)
def test_a_scan_refuses_sizes_that_do_not_fit(name):
    """One conversation must not be written into every bank of a batch."""
    write = rule(name)
    latents, mask = torch.zeros(B, N, D), torch.ones(B, N)
    wrong = [(latents[:1], mask[:1]), (latents[..., :-1], mask), (latents, mask[:, 1:])]
    wrong += [(latents[0], mask), (latents, mask[0])]
    for turns in wrong:
        with pytest.raises(ShapeError, match="expected"):
            write(write.start(B), *turns)
        for scanned in ([turns], [(latents, mask), turns]):
            with pytest.raises(ShapeError, match="expected"):
                write.scan(write.start(B), scanned)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", WRITES)
def test_padding_that_is_no_number_is_not_written(name, value):
    write = rule(name)
    turns = [turn(t) for t in range(3)]
    dirty = [(z.masked_fill(~mask[:, :, None], value), mask) for z, mask in turns]
    assert not dirty[0][0].isfinite().all()
    start = write.start(B)
    clean, scanned, stepped = write.scan(start, turns), write.scan(start, dirty), start
    for one_turn in dirty:
        stepped = write(stepped, *one_turn)
    assert clean.rows.isfinite().all()
    assert torch.equal(scanned.rows, clean.rows)
    torch.testing.assert_close(stepped.rows, clean.rows, atol=1e-12, rtol=0)
