"""The ledger: what was written into a bank, turn by turn, so that a turn can be taken out again (chapter 10).

A bank does not hold its turns; with most writes no turn can be taken out of it. The ledger keeps the turns' latents beside the
bank, never inside its file: who keeps none has nothing to hand out, and nothing to unwrite with.
"""

from dataclasses import dataclass, field, replace

import torch

from lmem.backbone.backbone import pad
from lmem.errors import BankError, InputError
from lmem.memory.bank import Bank, State
from lmem.utils.digest import digest


@dataclass
class Ledger:
    """Of one bank: the bank before the first recorded turn, the latents (N, D) of each turn since, and whose they are.

    Give an empty one to `MemoryModel.write`; it fills.
    """

    first: Bank | None = None
    latents: list[torch.Tensor] = field(default_factory=list)
    last: str = ""  # digest of the bank that these turns led to

    def __len__(self):
        return len(self.latents)

    def check(self, bank):
        """BankError unless `bank` is one bank, and the one that this ledger's turns led to."""
        if len(bank) != 1:
            raise BankError(f"expected one bank for a ledger, not {len(bank)}")
        if self.first is not None and digest(bank.state._asdict()) != self.last:
            raise BankError(
                f"expected the bank that this ledger's {len(self)} turns led to, this one is another"
            )

    def add(self, before, latents, after):
        """Record turns that led from `before` to `after`."""
        if self.first is None:
            self.first = before
        self.latents += latents
        self.at(after)

    def at(self, bank):
        """Note where the bank stands now; returns the ledger."""
        self.last = digest(bank.state._asdict())
        return self

    def without(self, turns):
        """A ledger that lacks these turns, numbered from the first recorded one."""
        out = set(turns)
        for turn in out:
            if not 0 <= turn < len(self):
                raise InputError(f"expected turns 0 to {len(self) - 1} of the ledger, not {turn}")
        left = [z for t, z in enumerate(self.latents) if t not in out]
        return replace(self, latents=left)

    @staticmethod
    def of(ledger, bank):
        """This ledger if it is the bank's; BankError if it is another's, or none."""
        if ledger is None or ledger.first is None:
            raise BankError(
                "expected the ledger that was kept while this bank was written; without it no turn can be told apart"
            )
        ledger.check(bank)
        return ledger


def leave_one_out(rule, ledger, batch=64):
    """Banks that lack one recorded turn each, in order of the turns: States of up to `batch` banks.

    All are written side by side; where a turn is left out, its mask is 0 and the bank stays as it was.
    """
    for start in range(0, len(ledger), batch):
        out = range(start, min(start + batch, len(ledger)))
        state = State(*(t.expand(len(out), *t.shape[1:]) for t in ledger.first.state))
        for t, latents in enumerate(ledger.latents):
            turn, mask = pad([latents] * len(out))
            if t in out:
                mask[t - start] = False
            state = rule(state, turn, mask)
        yield state
