"""Where a turn went: parts that add up to the bank, sizes by hand, and leaving out as the measure for everything else."""

import pytest
import torch

from lmem.analysis import turn_trace
from lmem.errors import InputError, MethodError
from lmem.memory.write import WRITES

D = 8
OPTIONS = [
    ("attention", {}),
    ("attention", {"normalise": True}),
    ("hebbian", {}),
    ("hebbian", {"normalise": False}),
    ("slots", {"k": 2}),
    ("slots", {"k": 2, "normalise": True}),
]


def rule(name, seed=0, **options):
    torch.manual_seed(seed)
    return WRITES[name](5, D, **options).double()


def turns(n=7, seed=1):
    torch.manual_seed(seed)
    return [3 * torch.randn(i % 3 + 2, D, dtype=torch.double) for i in range(n)]


def written(write, latents):
    state = write.start()
    for z in latents:
        state = write(state, z[None], torch.ones(1, len(z)))
    return state.rows[0]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_the_parts_add_up_to_the_bank(name, options):
    """Each part, times what all later turns left of it, summed: the bank to 1e-12."""
    write, latents = rule(name, **options), turns()
    total = 0
    for part, left in turn_trace.parts(write, latents):
        total = left[:, None] * total + part
    torch.testing.assert_close(total, written(write, latents), atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_sizes_are_norms_of_the_parts(name, options):
    """Against vectors carried along for every part, which the trace itself does not keep."""
    write, latents = rule(name, **options), turns()
    carried = []
    for part, left in turn_trace.parts(write, latents):
        carried = [left[:, None] * old for old in carried] + [part]
    carried = torch.stack(carried)  # (T + 1, R, D)
    found = turn_trace.trace(write, latents)
    whole = written(write, latents).norm()
    torch.testing.assert_close(found.size[-1], carried.flatten(1).norm(dim=1) / whole)
    assert found.most[-1].tolist() == (carried.norm(dim=2).max(0).indices - 1).tolist()
    assert found.size[0, 1:].abs().sum() == 0  # nothing before it was said


@pytest.mark.parametrize("normalise", [False, True])
def test_what_a_turn_leaves_and_adds_by_hand(normalise):
    """The parts' sum is right for any share that is left; so shares and parts are held against the rule, written out here.

    attention   what was there is left by gamma, in every row, over the row's length if that is held
    slots       only in the k rows that the turn addresses; no other row is touched
    """
    write, plain = (rule("attention", normalise=one) for one in (normalise, False))
    slots = rule("slots", k=2, normalise=normalise)
    for own, raw in ((write, plain), (slots, rule("slots", k=2))):
        before, found = own.start(), [*turn_trace.parts(own, turns())][1:]
        for z, (part, left) in zip(turns(), found, strict=True):
            given = z[None], torch.ones(1, len(z))
            after, long = own(before, *given), raw(before, *given).rows[0]
            scale = after.rows[0].norm(dim=1) / long.norm(dim=1)
            kept = torch.full_like(left, own.gamma)
            if own is slots:
                kept = torch.where(after.written[0] == before.turns, kept, 1.0)
                assert (after.written[0] == before.turns).sum() == 2
                untouched = after.written[0] != before.turns
                assert untouched.any()
                if not normalise:
                    assert not part[untouched].any()
            torch.testing.assert_close(left, kept * scale)
            added = (long - kept[:, None] * before.rows[0]) * scale[:, None]
            torch.testing.assert_close(part, added, atol=1e-12, rtol=1e-9)
            before = after


def test_decay_alone_by_hand():
    """One row: every turn's tokens all go into it, so a turn's part is what it wrote, times 0.5 a turn."""
    torch.manual_seed(0)
    write = WRITES["attention"](1, 2, gamma=0.5, noise=0.0).double()
    write.w_v = torch.eye(2).double()
    said = [torch.tensor([[8.0, 0]]), torch.tensor([[0, 4.0]]), torch.tensor([[0.0, 2.0]])]
    found = turn_trace.trace(write, [z.double() for z in said])
    # after 3 turns: (8/4, 4/2 + 2) = (2, 4), norm sqrt(20); parts 2, 2, 2; P_0 nothing
    expected = torch.tensor([0.0, 2, 2, 2]).double() / 20**0.5
    torch.testing.assert_close(found.size[-1], expected)
    assert found.most[1].tolist() == [0]


def test_recent_holds_whole_rows():
    write = WRITES["recent"](3, 2)
    said = [torch.tensor([[3.0, 0], [0, 4]]), torch.tensor([[12.0, 0], [0, 0.5]])]
    found = turn_trace.trace(write, said)
    # rows left: (0, 4) of turn 0, (12, 0) and (0, 0.5) of turn 1; whole sqrt(16 + 144 + 0.25)
    assert found.most[-1].tolist() == [0, 1, 1]
    whole = 160.25**0.5
    expected = torch.tensor([0.0, 4 / whole, 144.25**0.5 / whole]).double()
    torch.testing.assert_close(found.size[-1], expected)


@pytest.mark.parametrize("name", sorted(set(WRITES) - {"attention", "hebbian", "slots", "recent"}))
def test_other_rules_have_no_parts(name):
    write = rule(name)
    with pytest.raises(MethodError, match=type(write).__name__):
        list(turn_trace.parts(write, turns()))
    assert not turn_trace.exact(write)
    with pytest.raises(MethodError):
        turn_trace.trace(rule("slots", k=2, trainable=True), turns())


def test_leaving_out_equals_the_parts_where_nothing_else_changes():
    """An unclamped Hebbian bank has no addresses, and without decay no turn fades another: exactly its part is missing."""
    write, latents = rule("hebbian", normalise=False, gamma=1.0), turns()
    found = turn_trace.leave_out(write, latents, [0, 3])
    exact = turn_trace.trace(write, latents).size
    torch.testing.assert_close(found, exact[:, [1, 4]].T)
    assert found[1, :4].tolist() == [0, 0, 0, 0]
    assert found[1, 4] > 0


def test_leaving_out_is_not_having_said():
    write, latents = rule("gated"), turns()
    found = turn_trace.leave_out(write, latents, [2])[0, -1]
    whole, without = written(write, latents), written(write, latents[:2] + latents[3:])
    torch.testing.assert_close(found, (whole - without).norm() / whole.norm())
    with pytest.raises(InputError, match="turns 0 to 6"):
        turn_trace.leave_out(write, latents, [7])
