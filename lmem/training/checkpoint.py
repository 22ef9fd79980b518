"""Where a training run stands: adapter, optimiser, losses and the best weights so far, in one file that replaces itself.

A run that is killed and started again finds it, goes on from there, and ends in the same weights as an undisturbed one.
"""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from lmem.errors import InputError
from lmem.utils.files import write_file

FILE, LOG = "checkpoint.safetensors", "log.jsonl"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


class Checkpoint:
    """The state of a run in progress.

    folder   where it is kept; None keeps nothing
    weights  {name: parameter}; optimizer, schedule and config are the run's
    task     what is learned, and by what, as plain values: a checkpoint of another task is not gone on with
    """

    def __init__(self, folder, weights, optimizer, schedule, config, task=()):
        self.folder = None if folder is None else Path(folder)
        self.weights, self.optimizer, self.schedule = weights, optimizer, schedule
        shapes = {name: list(p.shape) for name, p in weights.items()}
        said = json.dumps([config.to_json(), shapes, task], sort_keys=True)
        self.run = hashlib.sha256(said.encode()).hexdigest()[:16]
        self.step, self.losses, self.checks, self.best = 0, [], [], {}

    def note(self, loss):
        """One more step was done."""
        self.step += 1
        self.losses.append(loss)

    def judge(self, loss):
        """A check on validation conversations; the weights are kept if none was better."""
        if not self.checks or loss < min(value for _, value in self.checks):
            self.best = {name: p.detach().clone() for name, p in self.weights.items()}
        self.checks.append((self.step, loss))

    @property
    def since_best(self):
        """Checks since the best one."""
        values = [value for _, value in self.checks]
        return len(values) - 1 - values.index(min(values)) if values else 0

    @torch.no_grad()
    def restore_best(self):
        for name, value in self.best.items():
            self.weights[name].copy_(value)

    def write(self):
        """Replace the file, and the log: one line per step."""
        if self.folder is None:
            return
        tensors = {f"weight/{name}": p.detach() for name, p in self.weights.items()}
        tensors |= {f"best/{name}": value for name, value in self.best.items()}
        for name, p in self.weights.items():
            tensors |= {f"{part}/{name}": self.optimizer.state[p][part] for part in MOMENTS}
        about = {"run": self.run, "step": self.step, "losses": self.losses, "checks": self.checks}
        tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        with write_file(self.folder / FILE) as temporary:
            save_file(tensors, str(temporary), metadata={"lmem": json.dumps(about)})
        rate = [
            self.schedule.base_lrs[0] * self.schedule.lr_lambdas[0](i) for i in range(self.step)
        ]
        lines = zip(range(self.step), self.losses, rate, strict=True)
        with write_file(self.folder / LOG) as temporary:
            text = [json.dumps({"step": i + 1, "loss": loss, "lr": lr}) for i, loss, lr in lines]
            temporary.write_text("\n".join(text) + "\n")

    @torch.no_grad()
    def read(self, folder):
        """Go on from the file in `folder`, if there is one.

        raises  InputError if it is of another run, or damaged
        """
        path = None if folder is None else Path(folder) / FILE
        if path is None or not path.exists():
            return
        try:
            with safe_open(str(path), framework="pt") as file:
                about = json.loads((file.metadata() or {}).get("lmem", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, ValueError) as error:
            raise InputError(f"expected a checkpoint at {path}: {error}") from error
        if about.get("run") != self.run:
            raise InputError(
                f"expected the checkpoint of this run at {path}, it is of other settings, another method or other conversations; "
                "train into another folder, or remove it"
            )
        for name, p in self.weights.items():
            p.copy_(tensors[f"weight/{name}"])
            moments = {part: tensors[f"{part}/{name}"] for part in MOMENTS}
            self.optimizer.state[p] = {
                part: value if part == "step" else value.to(p.device)
                for part, value in moments.items()
            }
        self.best = {
            name: tensors[f"best/{name}"].to(p.device)
            for name, p in self.weights.items()
            if f"best/{name}" in tensors
        }
        self.step, self.losses = about["step"], about["losses"]
        self.checks = [tuple(check) for check in about["checks"]]
        self.schedule.last_epoch = self.step
        for group, base, share in zip(
            self.optimizer.param_groups,
            self.schedule.base_lrs,
            self.schedule.lr_lambdas,
            strict=True,
        ):
            group["lr"] = base * share(self.step)
