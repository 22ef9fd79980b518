"""Banks that lack some turns: written again without them, many at once (chapters 7, 10 and 12).

    P^{-S}_t = Write(P^{-S}_{t-1}, Z_t) for t not in S,   P^{-S}_t = P^{-S}_{t-1} for t in S

Until the first turn of S a bank without S is the whole bank, so it is split off only there.
"""

from collections.abc import Collection, Iterator, Sequence

from torch import Tensor

from lmem.backbone.backbone import pad
from lmem.memory.bank import State, joined
from lmem.memory.write.base import Write


def write_without(
    rule: Write, start: State, latents: Sequence[Tensor], missing: Sequence[Collection[int]]
) -> Iterator[tuple[State, list[int]]]:
    """Write a conversation into banks that lack some turns each, all in one pass.

    Args:
        rule: The write rule.
        start: One bank before the first turn.
        latents: The turns, (N, D) each.
        missing: For each bank the numbers of the turns that it lacks.

    Yields:
        After each turn, the state and for each bank its place in it. Place 0 is the whole bank; a bank is there too as long
        as it lacks no turn.
    """
    first = [min(turns, default=len(latents)) for turns in missing]
    places, apart = [0] * len(missing), []
    state = start
    for t, turn in enumerate(latents):
        leaving = [bank for bank, at in enumerate(first) if at == t]
        for bank in leaving:
            apart.append(bank)
            places[bank] = len(apart)
        copies = State(*(part[:1].expand(len(leaving), *part.shape[1:]) for part in state))
        state = joined([state, copies])
        padded, mask = pad([turn] * len(state.turns))
        for place, bank in enumerate(apart, 1):
            if t in missing[bank]:
                mask[place] = False
        state = rule(state, padded, mask)
        yield state, places
