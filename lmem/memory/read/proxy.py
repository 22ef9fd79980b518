"""Proxy reads: the paper's shortcut for M.2 and M.5, which its experiments ran instead of the printed equations.

    c = XAttn_mem(Z, P), once, with the question's latents Z in the place of the decoder's states;
    mean(beta) c, or g * c, stands behind the encoder's output as further positions      paper, section 3; chapter 5

No layer is hooked: the decoder's own attention must find c among its positions. One row for each token, padding masked.
"""

from lmem.memory.read.base import Read
from lmem.memory.read.branch import BranchRead
from lmem.memory.read.gated_branch import GatedBranchRead


class _Proxy(Read):
    """`inner` is the branch whose place this takes."""

    site = "encoder_output"

    def keys(self, rows, layer=0):
        return self.inner.keys(rows)

    def forward(self, rows, mask, states, seen=None, layer=0, keys=()):
        """rows (B, R, D), states (B, N, D) -> (B, N, D) extra rows, seen where the token is and a turn was written."""
        found = self.strength() * self.inner.found(keys or self.keys(rows), mask, states)
        written = mask.any(1, keepdim=True).expand(-1, found.shape[1])
        return found, written if seen is None else written & seen.bool()

    def strength(self):
        return 1.0


class ProxyBranchRead(_Proxy):
    def __init__(self, width, layers, rows=None, **options):
        super().__init__()
        self.inner = BranchRead(width, layers, rows, **options)

    def strength(self):
        return self.inner.beta.mean()


class ProxyGatedBranchRead(_Proxy):
    def __init__(self, width, layers, rows=None, **options):
        super().__init__()
        self.inner = GatedBranchRead(width, layers, rows, **options)
