"""Slots without touching every row: M.6's write into a bank that is changed in place, its rows found through an index (chapter 15).

    z = mean(Z);  s = the k rows with the largest z W_a P^T among those that the index looks at
    P[s] <- gamma P[s] + (1 - gamma) z W_u                                  paper, section 3, whose argmax goes through all rows

A turn costs the index's clusters, the rows of the few that it looks into, and k rows; not R. Which rows are chosen is the paper's
choice only as far as the index finds it: `lmem bench rows` measures how far.
"""

import torch

from lmem.errors import MethodError
from lmem.memory.large import Index
from lmem.memory.write.slots import SlotWrite


class LargeSlots:
    """One bank of M.6, changed in place.

    rule   SlotWrite without `normalise` and not trainable, on a CPU
    rows   (R, D)  the content to begin with, such as P_0; may be mapped from a file, and is changed
    index  an Index of these rows; default: a new one
    `written` (R,), `turns`  as in a State
    """

    def __init__(self, rule, rows, index=None):
        if not isinstance(rule, SlotWrite) or rule.normalise or rule.trainable:
            raise MethodError("expected slots as printed: without normalise, and not trainable")
        self.rule, self.rows, self.turns = rule, rows, 0
        self.index = index or Index(rows)
        self.written = torch.full((len(rows),), -1)

    @torch.no_grad()
    def choose(self, mean):
        """The chosen rows (k,), best first, of a turn's mean z (D,)."""
        found = self.index.search((mean @ self.rule.w_a)[None], self.rule.k)[0]
        return found[found >= 0]

    @torch.no_grad()
    def write(self, latents):
        """Write one turn (N, D); returns the rows that were changed."""
        mean = latents.to(self.rows.dtype).mean(0)
        chosen = self.choose(mean)
        gamma = self.rule.gamma
        self.rows[chosen] = gamma * self.rows[chosen] + (1 - gamma) * (mean @ self.rule.w_u)
        self.index.update(chosen, self.rows[chosen])
        self.written[chosen] = self.turns
        self.turns += 1
        return chosen
