"""Write rules against plain NumPy transcriptions of their equations, and what every write must keep."""

import numpy as np
import pytest
import torch

from lmem.errors import ShapeError
from lmem.write import WRITES

B, N, R, D = 3, 5, 7, 6


def rule(name):
    torch.manual_seed(1)
    return WRITES[name](R, D).double()


def turn(seed=0, batch=B, tokens=N):
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(batch, tokens, D, generator=generator, dtype=torch.float64)
    lengths = torch.tensor([tokens, max(1, tokens - 2), tokens])[:batch]
    return latents, torch.arange(tokens) < lengths[:, None]


def numpy_attention(write, rows, latents, mask):
    wq, wk, wv = (getattr(write, f"w_{x}").numpy() for x in "qkv")
    out = write.gamma * rows
    for b in range(len(rows)):
        for n in range(latents.shape[1]):
            if mask[b, n]:
                scores = latents[b, n] @ wq @ (rows[b] @ wk).T / np.sqrt(D)
                share = np.exp(scores - scores.max())
                share /= share.sum()
                out[b] += np.outer(share, latents[b, n] @ wv)
    return out


def numpy_recent(write, rows, latents, mask):
    return np.stack(
        [np.concatenate([r, z[m]])[-R:] for r, z, m in zip(rows, latents, mask, strict=True)]
    )


@pytest.mark.parametrize(
    ("name", "plain"), [("attention", numpy_attention), ("recent", numpy_recent)]
)
def test_equals_the_equation_in_numpy(name, plain):
    write = rule(name)
    state = write.start(B)
    for t in range(4):
        latents, mask = turn(t)
        expected = plain(write, state.rows.numpy(), latents.numpy(), mask.numpy())
        state = write(state, latents, mask)
        np.testing.assert_allclose(state.rows.numpy(), expected, atol=1e-9)
    assert state.turns.tolist() == [4] * B


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
    write = rule(name)
    state = write.start(1)
    latents, mask = turn(3, batch=1, tokens=3)

    def rows(before, z):
        return write(state._replace(rows=before), z, mask).rows

    before = torch.randn(1, R, D, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rows, (before, latents.requires_grad_()))


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
