"""Which facts take the rows of which, with each theta (chapter 14).

A keyed write gives a fact the row of the nearest key if their cosine exceeds theta. A low theta overwrites what was never corrected,
and that is lost. A high one keeps an old value next to the new one, and the read can still tell the newer of the two.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lmem.backbone.backbone import pad
from lmem.memory.write.spans import END, SpanWrite
from lmem.training.fact_data import FactConversation

TURNS = 64  # whose facts are extracted at once
ITSELF = 0.999  # cosine of a fact's key with itself, as encoded in another batch


@torch.no_grad()
def replacements(
    write: SpanWrite, conversation: FactConversation, thetas: Sequence[float]
) -> list[tuple[int, int]]:
    """Write a conversation with each theta, and count what takes the row of what.

    What is written at a token that is not marked is no fact; if it takes the row of one that holds, that counts as wrong.

    Args:
        write: Its gates are used, and its own theta is not.
        conversation: With its facts marked.
        thetas: To try.

    Returns:
        For each theta (caught, wrong): facts that took the row of an older value, and facts that took that of another fact.
    """
    key, correct, turns, least = _written_facts(write, conversation)
    facts, single = conversation.facts, correct > 0
    which = _marked(write, conversation, key, turns)
    similarity = (key @ key.T).tolist()
    counts = []
    for theta in thetas:
        rows: list[int] = []  # the fact in each row
        newest: dict[tuple[str, str], int] = {}
        caught = wrong = 0
        for new in range(len(turns)):
            earlier = [row for row, old in enumerate(rows) if turns[old] < turns[new]]
            best = max(earlier, key=lambda row: similarity[new][rows[row]], default=-1)
            mark = which[new]
            if best >= 0 and similarity[new][rows[best]] > min(theta, least[new]) and single[new]:
                old, rows[best] = which[rows[best]], new
                if old is not None:
                    before = facts[old]
                    after = facts[mark] if mark is not None else None
                    if after is None or before.about != after.about:
                        wrong += not before.single or newest[before.about] == old
                    elif before.value != after.value:
                        caught += after.single
                        wrong += not after.single
            elif len(rows) < write.rows:
                rows.append(new)
            else:
                rows[min(range(len(rows)), key=lambda row: turns[rows[row]])] = new
            if mark is not None:
                newest[facts[mark].about] = mark
        counts.append((caught, wrong))
    return counts


def _written_facts(
    write: SpanWrite, conversation: FactConversation
) -> tuple[Tensor, Tensor, list[int], list[float]]:
    """Extract what the write keeps of each turn: keys (F, K), gates e (F,), the turn of each, and the most that it may ask of a row."""
    keys, corrects, turns, ends = [], [], [], []
    device, dtype = write.p0.device, write.p0.dtype
    for start in range(0, len(conversation.latents), TURNS):
        states, mask = pad(
            [z.to(device, dtype) for z in conversation.latents[start : start + TURNS]]
        )
        key, value, keep, correct = write.facts(states, mask.bool().to(device))
        kept = keep > 0  # (T, F)
        keys.append(key[kept])
        corrects.append(correct[kept])
        turns += (start + kept.nonzero()[:, 0]).tolist()
        ends += write.is_end(value[kept]).tolist()
    return torch.cat(keys), torch.cat(corrects), turns, [END if end else 1.0 for end in ends]


def _marked(
    write: SpanWrite, conversation: FactConversation, key: Tensor, turns: Sequence[int]
) -> list[int | None]:
    """Return the marked fact that each written one is, by its turn and its key; None if it is none of them."""
    facts = conversation.facts
    states, mask = pad([conversation.latents[fact.turn].to(key) for fact in facts])
    places = torch.tensor([[fact.token] for fact in facts], device=key.device)
    own = write.facts_at(states, mask.bool().to(key.device), places)[0][:, 0]  # (F, K)
    same = key @ own.T > ITSELF
    written, told = (
        torch.tensor(each).to(same.device) for each in (turns, [f.turn for f in facts])
    )
    same &= written[:, None] == told
    return [int(row.nonzero()[0]) if bool(row.any()) else None for row in same]
