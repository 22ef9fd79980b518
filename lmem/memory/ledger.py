"""The ledger: what was written into a bank, turn by turn, so that a turn can be removed again (chapter 10).

A bank does not store its turns, and with most writes no turn can be subtracted from it. The ledger keeps the latents of the
turns and their words, never inside the bank's file. It is sensitive data: without it nothing can be handed out, and nothing
unwritten.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from os import PathLike
from typing import Self

import torch
from torch import Tensor

from lmem.errors import BankError, InputError
from lmem.memory.bank import Bank, State, check_state, read_tensors, save_tensors
from lmem.memory.leave_out import write_without
from lmem.memory.write.base import Write
from lmem.utils.digest import digest

FORMAT = "lmem-ledger-1"


@dataclass
class Ledger:
    """Record of one bank. Give an empty one to `MemoryModel.write`, which fills it.

    Attributes:
        first: The bank before the first recorded turn.
        latents: (N, D) for each recorded turn.
        last: Digest of the bank that these turns led to.
        texts: The words of each recorded turn; "" where a ledger of an earlier version had none.
    """

    first: Bank | None = None
    latents: list[Tensor] = field(default_factory=list)
    last: str = ""
    texts: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.latents)

    def __eq__(self, other: object) -> bool:
        """Whether both record the same turns of the same bank."""
        if not isinstance(other, Ledger) or len(self) != len(other):
            return False
        pairs = zip(self.latents, other.latents, strict=True)
        same = (self.last, self.first, self.texts) == (other.last, other.first, other.texts)
        return same and all(torch.equal(mine, theirs) for mine, theirs in pairs)

    def check(self, bank: Bank) -> None:
        """Raise a BankError unless `bank` is a single bank, and the one that this ledger's turns led to."""
        if len(bank) != 1:
            raise BankError(f"expected one bank for a ledger, not {len(bank)}")
        if self.first is not None and digest(bank.state._asdict()) != self.last:
            raise BankError(
                f"expected the bank that this ledger's {len(self)} turns led to, this is another one"
            )

    def add(
        self, before: Bank, latents: list[Tensor], after: Bank, texts: Sequence[str] | None = None
    ) -> None:
        """Record turns that led from `before` to `after`, with their words if they are known."""
        self.first = before if self.first is None else self.first
        self.latents += latents
        self.texts += [""] * len(latents) if texts is None else texts
        self.last = digest(after.state._asdict())

    def without(self, turns: int | Iterable[int]) -> tuple[list[Tensor], list[str]]:
        """Return latents and words without those of these turns, numbered from the first recorded one.

        Raises:
            InputError: A turn was not recorded.
        """
        removed = self.checked(turns)
        kept = [turn for turn in range(len(self)) if turn not in removed]
        return [self.latents[turn] for turn in kept], [self.texts[turn] for turn in kept]

    def checked(self, turns: int | Iterable[int]) -> list[int]:
        """Return different turns of the ledger, ascending.

        Raises:
            InputError: A turn was not recorded, or is no whole number.
        """
        given = turns if isinstance(turns, Iterable) else [turns]
        chosen = set(given)
        if not all(isinstance(turn, Integral) and not isinstance(turn, bool) for turn in chosen):
            raise InputError(f"expected numbers of turns, from 0, got {turns!r}")
        chosen = sorted(chosen)
        for turn in chosen:
            if not 0 <= turn < len(self):
                raise InputError(f"expected turns 0 to {len(self) - 1} of the ledger, not {turn}")
        return chosen

    def save(self, path: str | PathLike) -> None:
        """Write one safetensors file that only its owner can read (mode 600); it holds nothing executable.

        It holds the words of the conversation, so whoever has the file can read what was said.

        Raises:
            BankError: Nothing was recorded.
            InputError: The file cannot be written.
        """
        if self.first is None:
            raise BankError(
                "expected a ledger with turns to save, nothing was recorded in this one"
            )
        latents = self.latents or [self.first.state.rows.new_zeros(0, 1)]
        lengths = torch.tensor([len(z) for z in self.latents], dtype=torch.long)
        words = torch.frombuffer(bytearray(json.dumps(self.texts).encode()), dtype=torch.uint8)
        content = {"latents": torch.cat(latents), "lengths": lengths, "texts": words}
        about = {"owner": self.first.owner, "backbone": self.first.backbone, "last": self.last}
        save_tensors(path, FORMAT, self.first.state._asdict() | content, about, private=True)

    @classmethod
    def load(cls, path: str | PathLike) -> Self:
        """Read a ledger and check it once. Whether it is that of a bank, `check` says.

        A file of an earlier version has no words.

        Raises:
            BankError: The file is missing, truncated, altered or no ledger.
        """
        tensors, about = read_tensors(path, FORMAT, ("owner", "backbone", "last"))
        words = tensors.pop("texts", None)
        if set(tensors) != {*State._fields, "latents", "lengths"}:
            raise BankError(
                f"expected the tensors of a ledger at {path}, found {', '.join(tensors)}"
            )
        latents, lengths = tensors.pop("latents"), tensors.pop("lengths")
        counted = lengths.ndim == 1 and latents.ndim == 2 and bool((lengths >= 0).all())
        if not counted or int(lengths.sum()) != len(latents):
            raise BankError(f"expected the lengths of a ledger's turns at {path} to add up")
        state = State(**tensors)
        check_state(state, path)
        first = Bank(state, about["owner"], about["backbone"])
        texts = [""] * len(lengths) if words is None else _texts(words, len(lengths), path)
        return cls(first, list(latents.split(lengths.tolist())), about["last"], texts)


def _texts(words: Tensor, count: int, path: str | PathLike) -> list[str]:
    """Return the words of each turn out of UTF-8 bytes (N,) of JSON."""
    try:
        texts = json.loads(bytes(words.tolist()))
    except (ValueError, TypeError, RecursionError):
        texts = None
    if not isinstance(texts, list) or list(map(type, texts)) != [str] * count:
        raise BankError(f"expected the words of {count} turns in the ledger at {path}")
    return texts


def ledger_and_start(ledger: Ledger | None, bank: Bank) -> tuple[Ledger, Bank]:
    """Return the ledger and the bank it starts from.

    Raises:
        BankError: There is no ledger, or it is that of another bank.
    """
    if not isinstance(ledger, Ledger) or ledger.first is None:
        raise BankError(
            "expected the ledger that was kept while this bank was written; "
            "a bank alone does not say which turn left what"
        )
    ledger.check(bank)
    return ledger, ledger.first


def leave_one_out(
    rule: Write,
    start: Bank,
    latents: list[Tensor],
    turns: Sequence[int] | None = None,
    batch: int = 64,
) -> Iterator[State]:
    """Write banks that lack one turn each, in the order of the turns.

    All banks of a batch are written at once; see `write_without`.

    Args:
        rule: The write rule.
        start: One bank, before the first turn.
        latents: (N, D) for each turn.
        turns: Which turns to leave out; default: each of them.
        batch: Banks that are written at once.

    Yields:
        State of up to `batch` banks.
    """
    chosen = range(len(latents)) if turns is None else turns
    for first in range(0, len(chosen), batch):
        missing = [{turn} for turn in chosen[first : first + batch]]
        [(state, places)] = deque(write_without(rule, start.state, latents, missing), maxlen=1)
        yield State(*(part[places] for part in state))
