"""Where did a turn go: how much of a bank is still what one turn wrote, and which turn a row holds most of (chapters 6 to 8).

    P_s = sum_i prod_{u=i..s-1} a_u C_i,   C_0 = P_0,   C_{t+1} = P_{t+1} - a_t P_t

a_t is what turn t leaves of a row: with the addresses taken as they fell, the rule is linear in what is there, so the parts add up
to the bank exactly. It is gamma for the attention and the Hebbian write, gamma for a slot that is chosen and 1 for the others, and
takes in what `normalise` divides by. `recent` moves rows as they are, so each row is one turn's. Where a rule is not of this form
(a gate, the delta rule) a turn is left out instead, and the banks compared.
"""

import copy
from typing import NamedTuple

import torch

from lmem.backbone.backbone import pad
from lmem.errors import InputError, MethodError
from lmem.memory.write import AttentionWrite, HebbianWrite, RecentWrite, SlotWrite


class Trace(NamedTuple):
    """Of one bank, T turns. Part 0 is P_0, part t + 1 is what turn t wrote.

    size  (T + 1, T + 1)  size[s, i]: norm of part i over the bank's own, after s turns; parts may cancel, so they need not sum to 1
    most  (T + 1, R)      the turn whose part in a row is the largest, -1 for P_0
    """

    size: torch.Tensor
    most: torch.Tensor


def exact(rule):
    """Whether this rule's parts can be told apart exactly."""
    fixed = not rule.trainable or not isinstance(rule, SlotWrite)
    return fixed and isinstance(rule, AttentionWrite | HebbianWrite | SlotWrite | RecentWrite)


@torch.no_grad()
def parts(rule, latents):
    """What each turn adds, and what it leaves of what was there.

    yields  (C (R, D), a (R,)); P_0 first, with a = 1
    raises  MethodError for a rule that is not of this form, or that moves rows
    """
    if not exact(rule) or isinstance(rule, RecentWrite):
        raise MethodError(f"{type(rule).__name__} does not add what a turn says to what it leaves")
    plain = copy.copy(rule)
    plain.normalise = False
    before = rule.start()
    yield before.rows[0], before.rows.new_ones(rule.rows)
    for turn in latents:
        turn, mask = pad([turn])
        after, raw = rule(before, turn, mask), plain(before, turn, mask).rows[0]
        left = torch.full_like(raw[:, 0], rule.gamma)
        if isinstance(rule, SlotWrite):
            left = torch.where(after.written[0] == before.turns, left, 1.0)
        scale = after.rows[0].norm(dim=1) / raw.norm(dim=1).clamp(min=torch.finfo(raw.dtype).tiny)
        left = left * torch.where(raw.norm(dim=1) > 0, scale, 1.0)
        yield after.rows[0] - left[:, None] * before.rows[0], left
        before = after


@torch.no_grad()
def trace(rule, latents):
    """The whole way of every turn through one bank.

    latents  list of (N, D), as `encode` gives them
    returns  Trace
    raises   MethodError for a rule whose parts cannot be told apart; leave turns out instead
    """
    rule, latents = copy.deepcopy(rule).cpu(), [turn.cpu() for turn in latents]
    states = [rule.start()]
    for turn in latents:
        states.append(rule(states[-1], *pad([turn])))
    recent, tiny = isinstance(rule, RecentWrite), torch.finfo(torch.double).tiny
    size, most = [], []
    for state, norms in zip(states, _norms(rule, latents, states), strict=True):
        size.append(norms.norm(dim=1) / state.rows[0].double().norm().clamp(min=tiny))
        most.append(state.written[0] if recent else norms.max(0).indices - 1)
    return Trace(torch.stack(size), torch.stack(most))


def _norms(rule, latents, states):
    """For each state the norms (T + 1, R) of every turn's part of every row, P_0's first."""
    if isinstance(rule, RecentWrite):
        turns = torch.arange(-1, len(latents))[:, None]
        for state in states:
            yield torch.where(state.written == turns, state.rows[0].norm(dim=1), 0).double()
        return
    now = torch.zeros(len(states), rule.rows, dtype=torch.double)
    for i, (part, left) in enumerate(parts(rule, latents)):
        now = now * left.double()
        now[i] = part.double().norm(dim=1)
        yield now


@torch.no_grad()
def left_out(rule, latents, turns):
    """The same by leaving turns out, for any rule: what is older fades one turn less, and what comes later may be written elsewhere.

    In double precision, for what is left of an old turn is the small difference of two large banks.

    turns    numbers of the turns to follow
    returns  (len(turns), T + 1) distance of the bank without a turn from the whole one, over the whole one's norm
    raises   InputError for a turn that is not there
    """
    _check(latents, turns)
    rule, latents = copy.deepcopy(rule).cpu().double(), [turn.cpu() for turn in latents]
    state = rule.start(1 + len(turns))  # the whole bank first
    out = torch.tensor([-1, *turns])
    found = [torch.zeros(len(turns), dtype=torch.double)]
    for t, turn in enumerate(latents):
        turn, mask = pad([turn.double()] * len(out))
        mask[out == t] = False
        state = rule(state, turn, mask)
        rows = state.rows.flatten(1)
        whole = rows[0].norm().clamp(min=torch.finfo(torch.double).tiny)
        found.append((rows[1:] - rows[0]).norm(dim=1) / whole)
    return torch.stack(found, 1)


def by_lag(rule, latents, turns):
    """How much of the bank a turn is, by how many turns came after it: exactly, or by leaving out where `exact` says no.

    returns  list of (T - turn,) shares, lag 0 first
    raises   InputError for a turn that is not there
    """
    _check(latents, turns)
    if exact(rule):
        size = trace(rule, latents).size
        return [size[turn + 1 :, turn + 1] for turn in turns]
    found = left_out(rule, latents, turns)
    return [found[i, turn + 1 :] for i, turn in enumerate(turns)]


def _check(latents, turns):
    for turn in turns:
        if not 0 <= turn < len(latents):
            raise InputError(f"expected turns 0 to {len(latents) - 1}, not {turn}")
