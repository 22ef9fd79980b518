"""How much of a bank is still what one turn wrote, and which turn a row contains most of (chapters 6 to 8).

    P_s = sum_i prod_{u=i..s-1} a_u C_i,   C_0 = P_0,   C_{t+1} = P_{t+1} - a_t P_t

a_t is what turn t leaves of a row. For fixed addresses the rule is linear in the bank, so the parts add up to the bank exactly.
a_t is gamma for the attention and the Hebbian write, gamma for a slot that is chosen and 1 for the others; it includes what
`normalise` divides by. `recent` moves rows without changing them, so each row belongs to one turn. Where a rule is not of this
form (a gate, the delta rule), a turn is left out instead, and the two banks are compared.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lmem.backbone.backbone import pad
from lmem.errors import InputError, MethodError
from lmem.memory.bank import State
from lmem.memory.leave_out import write_without
from lmem.memory.write import AttentionWrite, HebbianWrite, RecentWrite, SlotWrite
from lmem.memory.write.base import Write


class Trace(NamedTuple):
    """Parts of one bank along T turns. Part 0 is P_0, part t + 1 is what turn t wrote.

    Attributes:
        size: (T + 1, T + 1), size[s, i] is the norm of part i over that of the bank, after s turns. Parts may cancel, so they
            need not sum to 1.
        most: (T + 1, R), the turn with the largest part in a row, -1 for P_0.
    """

    size: Tensor
    most: Tensor


def exact(rule: Write) -> bool:
    """Tell whether a rule's parts can be separated exactly."""
    fixed = not rule.trainable or not isinstance(rule, SlotWrite)
    return fixed and isinstance(rule, AttentionWrite | HebbianWrite | SlotWrite | RecentWrite)


@torch.no_grad()
def parts(rule: Write, latents: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Separate what each turn adds from what it leaves of the bank before it.

    Args:
        rule: The write rule.
        latents: The turns, (N, D) each.

    Yields:
        C (R, D) and a (R,); P_0 first, with a = 1.

    Raises:
        MethodError: The rule is not of this form, or moves rows.
    """
    if not exact(rule) or isinstance(rule, RecentWrite):
        raise MethodError(
            f"expected a write that adds to a decayed bank, not {type(rule).__name__}"
        )
    plain = copy.copy(rule)
    plain.normalise = False
    before = rule.start()
    yield before.rows[0], before.rows.new_ones(rule.rows)
    for latent in latents:
        turn, mask = pad([latent])
        after, raw = rule(before, turn, mask), plain(before, turn, mask).rows[0]
        left = torch.full_like(raw[:, 0], rule.gamma)
        if isinstance(rule, SlotWrite):
            left = torch.where(after.written[0] == before.turns, left, 1.0)
        size = raw.norm(dim=1)
        scale = after.rows[0].norm(dim=1) / size.clamp(min=torch.finfo(raw.dtype).tiny)
        left = left * torch.where(size > 0, scale, 1.0)
        yield after.rows[0] - left[:, None] * before.rows[0], left
        before = after


@torch.no_grad()
def trace(rule: Write, latents: Sequence[Tensor]) -> Trace:
    """Follow every turn through one bank.

    Args:
        rule: The write rule.
        latents: The turns, (N, D) each.

    Raises:
        MethodError: The rule's parts cannot be separated; leave turns out instead.
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


def _norms(rule: Write, latents: Sequence[Tensor], states: Sequence[State]) -> Iterator[Tensor]:
    """Compute for each state the norms (T + 1, R) of every turn's part of every row, P_0's first."""
    if isinstance(rule, RecentWrite):
        turns = torch.arange(-1, len(latents))[:, None]
        for state in states:
            yield torch.where(state.written == turns, state.rows[0].norm(dim=1), 0).double()
        return
    norms = torch.zeros(len(states), rule.rows, dtype=torch.double)
    for i, (part, left) in enumerate(parts(rule, latents)):
        norms = norms * left.double()
        norms[i] = part.double().norm(dim=1)
        yield norms


@torch.no_grad()
def leave_out(rule: Write, latents: Sequence[Tensor], turns: Sequence[int]) -> Tensor:
    """Compare the bank with banks that lack a turn each, for any rule.

    This is not the same as a turn's part: older turns decay one time less, and later ones may go to other rows. It computes in
    double precision, because what is left of an old turn is the small difference of two large banks.

    Args:
        rule: The write rule.
        latents: The conversation's turns, (N, D) each.
        turns: Numbers of the turns to leave out.

    Returns:
        (len(turns), T + 1) distance of the bank without a turn from the whole one, over the norm of the whole one.

    Raises:
        InputError: There is no such turn.
    """
    for turn in turns:
        if not 0 <= turn < len(latents):
            raise InputError(f"expected turns 0 to {len(latents) - 1}, not {turn}")
    rule, latents = copy.deepcopy(rule).cpu().double(), [turn.cpu().double() for turn in latents]
    distances = [torch.zeros(len(turns), dtype=torch.double)]
    for state, places in write_without(rule, rule.start(), latents, [{turn} for turn in turns]):
        rows = state.rows.flatten(1)
        whole = rows[0].norm().clamp(min=torch.finfo(torch.double).tiny)
        distances.append((rows[places] - rows[0]).norm(dim=1) / whole)
    return torch.stack(distances, 1)
