"""The bank: what a conversation left behind, as a value (chapter 2).

A write takes a state and returns a new one; a bank is a state that also knows which adapter and which backbone it belongs
to, so it can be saved, carried into the next session, and refused where it does not fit. Modules hold weights, never banks.
"""

import json
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from lmem.errors import BankError
from lmem.utils.device import check_to
from lmem.utils.digest import digest
from lmem.utils.files import write_file

FORMAT = "lmem-bank-1"


class State(NamedTuple):
    """The tensors of B banks.

    rows     (B, R, D) or (B, A, A)  the content
    written  (B, R)                  number of the turn that changed a row last, -1 for never
    turns    (B,)                    turns written so far
    """

    rows: torch.Tensor
    written: torch.Tensor
    turns: torch.Tensor


@dataclass(frozen=True)
class Bank:
    """State and identity: `owner` is the adapter's signature (method and sizes), `backbone` a fingerprint."""

    state: State
    owner: str
    backbone: str

    def __len__(self):
        return self.state.rows.shape[0]

    @property
    def turns_written(self):
        """How many turns were written, one number for each bank of the batch."""
        return self.state.turns.tolist()

    @property
    def empty(self):
        """True if no turn was written into any of the banks, whatever they started from."""
        return not bool(self.state.turns.any())

    @property
    def age(self):
        """(B, R): turns since a row changed last, 0 for the newest turn, -1 for a row never written."""
        since = self.state.turns[:, None] - 1 - self.state.written
        return torch.where(self.state.written >= 0, since, -1)

    @property
    def nbytes(self):
        return sum(tensor.numel() * tensor.element_size() for tensor in self.state)

    def clone(self):
        return self._map(torch.clone)

    def detach(self):
        """The same content, cut off from the gradient."""
        return self._map(torch.detach)

    def to(self, *args, **kwargs):
        """Move to a device, or change the type of the rows; turn counters stay integers.

        raises  InputError for a device that is not here
        """
        check_to(args, kwargs)
        rows = self.state.rows.to(*args, **kwargs)
        others = [tensor.to(rows.device) for tensor in self.state[1:]]
        return replace(self, state=State(rows, *others))

    def pick(self, index):
        """The banks at these places of the batch, as a new bank: int, list or tensor of ints."""
        index = torch.as_tensor(index, device=self.state.turns.device).reshape(-1)
        return self._map(lambda tensor: tensor[index])

    def diff(self, other):
        """(B, R): how far each row lies from the other bank's, in Euclidean length; 0 where nothing changed.

        raises  BankError if the other bank is of another model or size
        """
        self._same(other)
        return (self.state.rows - other.state.rows).norm(dim=2)

    def merge(self, later, rule):
        """The bank after both, had `later` gone on from this one; `rule` is the write rule of their model.

        raises  BankError if the banks are of different models, MethodError if the rule has no merge
        """
        self._same(later)
        return replace(self, state=rule.merge(self.state, later.state))

    def _same(self, other):
        """BankError unless both banks come from the same adapter and backbone, as many of them."""
        for name in ("owner", "backbone"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise BankError(f"expected a bank of the same {name}, {mine}, not of {theirs}")
        if len(self) != len(other):
            raise BankError(f"expected {len(self)} banks, not {len(other)}")

    def _map(self, change):
        return replace(self, state=State(*(change(tensor) for tensor in self.state)))

    def save(self, path):
        """Write one safetensors file: the tensors, and who they belong to. Nothing executable."""
        from lmem import __version__

        about = {
            "format": FORMAT,
            "owner": self.owner,
            "backbone": self.backbone,
            "turns": self.turns_written,
            "lmem": __version__,
        }
        tensors = {name: t.detach().cpu().contiguous() for name, t in self.state._asdict().items()}
        about["digest"] = digest(tensors)
        with write_file(path) as temporary:
            save_file(tensors, str(temporary), metadata={"lmem": json.dumps(about)})

    @classmethod
    def load(cls, path):
        """Read a bank: checked once, then its rows stay on the disk until they are looked at (mapped).

        raises  BankError if the file is missing, truncated, altered or no bank
        """
        try:
            with safe_open(str(path), framework="pt") as file:
                about = json.loads((file.metadata() or {}).get("lmem", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, ValueError) as error:
            raise BankError(f"expected a bank in safetensors at {path}: {error}") from error
        whole = isinstance(about, dict) and {"owner", "backbone", "digest"} <= set(about)
        if not whole or about.get("format") != FORMAT or set(tensors) != set(State._fields):
            raise BankError(
                f"expected a file of the form {FORMAT} at {path}, found {about or 'another form'}"
            )
        state = State(**tensors)
        _check(state, path)
        if digest(tensors) != about["digest"]:
            raise BankError(f"expected the bank at {path} as it was saved, its content was altered")
        return cls(state, about["owner"], about["backbone"])


def joined(states):
    """The State of all banks of several, in their order."""
    return State(*(torch.cat(parts) for parts in zip(*states, strict=True)))


def _check(state, path):
    rows, written, turns = state
    fits = (
        rows.ndim == 3 and written.ndim == 2 and turns.ndim == 1
        and len(rows) == len(written) == len(turns)
        and written.shape[1] == rows.shape[1]
        and not written.is_floating_point() and not turns.is_floating_point()
    )  # fmt: skip
    if not fits:
        shapes = ", ".join(str(tuple(t.shape)) for t in state)
        raise BankError(
            f"expected (B, R, D), (B, R) and (B,) in the bank at {path}, found {shapes}"
        )
    if not bool(rows.isfinite().all()) or bool((turns < 0).any()):
        raise BankError(f"expected finite rows and turn counts of 0 or more in the bank at {path}")
