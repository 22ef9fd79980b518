"""The bank: what a conversation leaves behind, as a value (chapter 2).

A write takes a state and returns a new one. A bank is a state that also knows its adapter and its backbone, so it can be
saved, continued in the next session, and refused where it does not fit. Modules contain weights, never banks.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save, save_file
from torch import Tensor

from lmem import __version__
from lmem.errors import BankError, InputError
from lmem.utils.device import check_to
from lmem.utils.digest import digest
from lmem.utils.files import write_file

if TYPE_CHECKING:
    from lmem.memory.write.base import Write

FORMAT = "lmem-bank-1"


class State(NamedTuple):
    """The tensors of B banks.

    Attributes:
        rows: (B, R, D), or (B, A, A) for a square bank: the content.
        written: (B, R), number of the turn that last changed a row, -1 for never.
        turns: (B,), turns written so far.
    """

    rows: Tensor
    written: Tensor
    turns: Tensor

    def __eq__(self, other: object) -> bool:
        """Whether types, shapes and values are the same, on any device."""
        if not isinstance(other, State):
            return NotImplemented
        pairs = zip(self, other, strict=True)
        return all(a.dtype == b.dtype and torch.equal(a, b.to(a.device)) for a, b in pairs)

    def __ne__(self, other: object) -> bool:  # a tuple has one of its own
        return not self == other

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # its tensors may be edited


@dataclass(frozen=True)
class Bank:
    """A state and its identity. Banks are equal if identity and content are, on any device.

    Attributes:
        state: The tensors.
        owner: Signature of the adapter: method, sizes, options and write maps.
        backbone: Fingerprint of the backbone's weights.
    """

    state: State
    owner: str
    backbone: str

    def __len__(self) -> int:
        return self.state.rows.shape[0]

    def __hash__(self) -> int:  # not of the content, which is compared but not hashed
        return hash((self.owner, self.backbone, tuple(self.state.rows.shape)))

    @property
    def turns_written(self) -> list[int]:
        """Number of turns written, one for each bank of the batch."""
        return self.state.turns.tolist()

    @property
    def empty(self) -> bool:
        """True if no turn was written into any of the banks, whatever they started from."""
        return not bool(self.state.turns.any())

    @property
    def age(self) -> Tensor:
        """(B, R): turns since a row last changed, 0 for the newest turn, -1 for a row never written."""
        since = self.state.turns[:, None] - 1 - self.state.written
        return torch.where(self.state.written >= 0, since, -1)

    @property
    def nbytes(self) -> int:
        """Size of the tensors in bytes."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.state)

    def clone(self) -> Self:
        """Copy the tensors."""
        return self._map(torch.clone)

    def detach(self) -> Self:
        """Return the same content, cut off from the gradient."""
        return self._map(torch.detach)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move to a device, or change the type of the rows; turn counters stay integers.

        Raises:
            InputError: The machine has no such device.
        """
        check_to(args, kwargs)
        rows = self.state.rows.to(*args, **kwargs)
        counters = [tensor.to(rows.device) for tensor in self.state[1:]]
        return replace(self, state=State(rows, *counters))

    def pick(self, index: int | list[int] | Tensor) -> Self:
        """Return the banks at these places of the batch as a new bank.

        Raises:
            InputError: There is no bank at a place, or none is asked for.
        """
        count = len(self)
        try:
            places = torch.as_tensor(index, device=self.state.turns.device).reshape(-1)
            return self._map(lambda tensor: tensor[places])
        except (IndexError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"expected places of {count} banks, 0 to {count - 1}, not {index!r}"
            ) from error

    def diff(self, other: "Bank") -> Tensor:
        """Compare two banks row by row.

        Returns:
            (B, R), the Euclidean distance of each row to the same row of the other bank.

        Raises:
            BankError: The other bank is of another model or size.
        """
        self._expect_same_origin(other)
        return (self.state.rows - other.state.rows).norm(dim=2)

    def merge(self, later: "Bank", rule: "Write") -> Self:
        """Return the bank after both conversations, as if `later` had continued from this one.

        Args:
            later: Bank of the second conversation, written from an empty one.
            rule: The write rule of their model.

        Raises:
            BankError: The banks are of different models.
            MethodError: The rule cannot merge.
        """
        self._expect_same_origin(later)
        return replace(self, state=rule.merge(self.state, later.state))

    def _expect_same_origin(self, other: "Bank") -> None:
        if not isinstance(other, Bank):
            raise BankError(f"expected another bank, got {type(other).__name__}")
        for name in ("owner", "backbone"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise BankError(f"expected a bank of the same {name}, {mine}, not of {theirs}")
        if len(self) != len(other):
            raise BankError(f"expected {len(self)} banks, not {len(other)}")

    def _map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return replace(self, state=State(*(change(tensor) for tensor in self.state)))

    def save(self, path: str | PathLike, private: bool = False) -> None:
        """Write one safetensors file with the tensors, `owner` and `backbone`; it holds nothing executable.

        Args:
            path: The file.
            private: Give it mode 600, so that only its owner can read it.

        Raises:
            InputError: It cannot be written; an older file is left as it was.
        """
        about = {"owner": self.owner, "backbone": self.backbone}
        about |= {"turns": self.turns_written, "lmem": __version__}
        save_tensors(path, FORMAT, self.state._asdict(), about, private)

    @classmethod
    def load(cls, path: str | PathLike, map: bool = False) -> Self:
        """Read a bank and check it once.

        Args:
            path: A file from `save`.
            map: Leave the tensors on the disk until they are used, for a bank that is larger than the memory. The bank is
                then the file: whoever changes the file changes the bank, and whoever truncates it ends the process. By
                default the tensors are copied and do not depend on the file.

        Raises:
            BankError: The file is missing, truncated, altered or no bank.
        """
        tensors, about = read_tensors(path, FORMAT, ("owner", "backbone"), map)
        if set(tensors) != set(State._fields):
            raise BankError(f"expected the tensors of a bank at {path}, found {', '.join(tensors)}")
        state = State(**tensors)
        check_state(state, path)
        if bool((state.written < -1).any() | (state.written >= state.turns[:, None]).any()):
            raise BankError(
                f"expected rows of the bank at {path} to be written in one of its turns"
            )
        return cls(state, about["owner"], about["backbone"])


def joined(states: Iterable[State]) -> State:
    """Concatenate the banks of several states, in their order."""
    return State(*(torch.cat(parts) for parts in zip(*states, strict=True)))


def save_tensors(
    path: str | PathLike,
    form: str,
    tensors: Mapping[str, Tensor],
    about: Mapping[str, Any],
    private: bool = False,
) -> None:
    """Write a file that `read_tensors` reads.

    Args:
        path: The file.
        form: Its format.
        tensors: Its content.
        about: What it says of itself; a digest of the tensors is added.
        private: Give it mode 600.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps({"format": form, **about, "digest": digest(tensors)})
    with write_file(path, private) as temporary:
        if private:  # save_file would make a file of its own, for a moment with another mode
            temporary.write_bytes(save(tensors, metadata={"lmem": text}))
        else:
            save_file(tensors, str(temporary), metadata={"lmem": text})


def read_tensors(
    path: str | PathLike, form: str, texts: tuple[str, ...], map: bool = False
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file that `save_tensors` wrote.

    Args:
        path: The file.
        form: Its format, FORMAT for a bank.
        texts: What it says of itself in texts.
        map: Leave the tensors on the disk.

    Returns:
        The tensors, and what the file says of itself.

    Raises:
        BankError: The file is missing, truncated, altered or of another form.
    """
    what = "ledger" if "ledger" in form else "bank"
    try:
        if not Path(path).is_file():  # a pipe would wait for ever
            raise FileNotFoundError("there is no such file")
        with safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("lmem", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, TypeError, RecursionError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise BankError(f"expected a {what} in safetensors at {str(path)!a}: {reason}") from error
    names = (*texts, "digest")
    complete = isinstance(about, dict) and all(isinstance(about.get(n), str) for n in names)
    if not complete or about.get("format") != form:
        found = str(about or "another form").splitlines()[0][:200]
        raise BankError(f"expected a file of the form {form} at {path}, found {found}")
    if not map:
        tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    if digest(tensors) != about["digest"]:
        raise BankError(f"expected the {what} at {path} as it was saved, its content was altered")
    return tensors, about


def check_state(state: State, path: str | PathLike) -> None:
    """Raise a BankError unless shapes, types and values of a loaded state are those of a bank."""
    rows, written, turns = state
    dimensions = (rows.ndim, written.ndim, turns.ndim) == (3, 2, 1)
    counters = written.dtype == turns.dtype == torch.long and rows.is_floating_point()
    if not dimensions or not counters or written.shape != rows.shape[:2] or len(turns) != len(rows):
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in state)
        raise BankError(
            f"expected (B, R, D), (B, R) and (B,) in the bank at {path}, found {shapes}"
        )
    if not bool(rows.isfinite().all()) or bool((turns < 0).any()):
        raise BankError(f"expected finite rows and turn counts of 0 or more in the bank at {path}")
