"""The state of a training run, in one file that is replaced as a whole.

A run that is killed and started again finds the file, continues from there, and ends in the same weights as an
uninterrupted one. The file is read with `weights_only`, so nothing in it is executed.
"""

import hashlib
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lmem.errors import InputError
from lmem.utils.files import write_file, write_text

FILE, LOG = "checkpoint.pt", "log.jsonl"
HISTORY = ("step", "losses", "rates", "checks", "best")
UNREADABLE = (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError)


class Checkpoint:
    """The state of a run in progress.

    Attributes:
        step: Optimiser steps that are done.
        losses, rates: Loss and learning rate of each step.
        checks: (step, validation loss) of each check.
        best: {name: weight} at the best check.
    """

    def __init__(
        self,
        folder: str | Path | None,
        identity: Any,
        weights: Mapping[str, nn.Parameter],
        parts: Mapping[str, Any],
    ) -> None:
        """Describe the run; nothing is read or written yet.

        Args:
            folder: Where the file and the log are; None keeps neither.
            identity: What is trained on what, as plain values. A checkpoint of another identity is refused.
            weights: {name: parameter} of everything that is trained.
            parts: {name: part} of everything else that changes from step to step; each has `state_dict` and
                `load_state_dict`.
        """
        self.folder = None if folder is None else Path(folder)
        self.weights, self.parts = weights, parts
        shapes = {name: list(p.shape) for name, p in weights.items()}
        described = json.dumps([identity, shapes], sort_keys=True)
        self.run = hashlib.sha256(described.encode()).hexdigest()[:16]
        self.step = 0
        self.losses: list[float] = []
        self.rates: list[float] = []
        self.checks: list[tuple[int, float]] = []
        self.best: dict[str, torch.Tensor] = {}

    def record(self, loss: float, rate: float) -> None:
        """Count one more step, with its loss and its learning rate."""
        self.step += 1
        self.losses.append(loss)
        self.rates.append(rate)

    def check(self, loss: float) -> None:
        """Note a validation loss, and keep the weights if it is the lowest so far."""
        if not self.checks or loss < min(value for _, value in self.checks):
            self.best = {name: p.detach().clone() for name, p in self.weights.items()}
        self.checks.append((self.step, loss))

    def stalled(self, patience: int) -> bool:
        """Return True if the last `patience` checks were not better than the one before them; never for 0."""
        if not patience or not self.checks:
            return False
        values = [value for _, value in self.checks]
        return len(values) - 1 - values.index(min(values)) >= patience

    @torch.no_grad()
    def restore_best(self) -> None:
        """Give the weights their values at the best check, if there was one."""
        for name, value in self.best.items():
            self.weights[name].copy_(value)

    def save(self, writes: bool = True) -> None:
        """Replace the file, and the log with one line per step; of several processes only one `writes`."""
        if self.folder is None or not writes:
            return
        state = {"run": self.run} | {name: getattr(self, name) for name in HISTORY}
        state["weights"] = {name: p.detach() for name, p in self.weights.items()}
        state["parts"] = {name: part.state_dict() for name, part in self.parts.items()}
        with write_file(self.folder / FILE) as temporary:
            torch.save(state, temporary)
        steps = enumerate(zip(self.losses, self.rates, strict=True), start=1)
        lines = [json.dumps({"step": i, "loss": loss, "lr": rate}) for i, (loss, rate) in steps]
        write_text(self.folder / LOG, "\n".join(lines) + "\n")

    @torch.no_grad()
    def load(self) -> None:
        """Continue from the file in the folder, if there is one.

        Raises:
            InputError: The file is damaged, or of another run.
        """
        if self.folder is None or not (self.folder / FILE).exists():
            return
        path = self.folder / FILE
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except UNREADABLE as error:
            raise InputError(f"expected a checkpoint at {path}: {error}") from error
        if not isinstance(state, dict) or state.get("run") != self.run:
            raise InputError(
                f"expected the checkpoint of this run at {path}, it is of other settings, another method or other conversations; "
                "train into another folder, or remove it"
            )
        for name, weight in self.weights.items():
            weight.copy_(state["weights"][name])
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        for name in HISTORY:
            setattr(self, name, state[name])
