"""What every notebook does first: fix seeds and printing, and choose a profile (nano, or Flan-T5 on a GPU).

from lmem import notebook
notebook.setup()

profile = notebook.profile("cpu")               # on a GPU "t4" or "a100": the same code on Flan-T5
backbone = lmem.load_backbone(profile.backbone)
model = profile.adapter("nano-recent", backbone)  # with another backbone: the same method, untrained
"""

import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from huggingface_hub.utils import disable_progress_bars
from transformers.utils import logging

from lmem.backbone.backbone import Backbone, load_backbone
from lmem.errors import InputError
from lmem.memory.model import MemoryModel


@dataclass(frozen=True)
class Profile:
    """What a notebook runs on.

    Attributes:
        name: Of the profile.
        backbone: What `load_backbone` takes.
        data: What `lmem.data.splits` and the command line take: "tinyworld", "everyday" or "locomo".
        trained: The folder of an adapter that you trained, or None.
    """

    name: str
    backbone: str
    data: str
    trained: str | None = None

    def __repr__(self) -> str:
        return f"profile {self.name}: {self.backbone} on {self.data}"

    def adapter(self, name: str = "nano-recent", backbone: Backbone | None = None) -> MemoryModel:
        """Return the adapter that a chapter needs.

        It comes from the profile's own folder if there is one. A shipped adapter fits the backbone that its name begins
        with. On another one the same method is returned untrained, and a printed sentence says how to train it.

        Args:
            name: Of a shipped adapter.
            backbone: A loaded one; default: the profile's is loaded.

        Raises:
            InputError: No adapter of this name is shipped.
            BankError: The folder's adapter belongs to another backbone.
        """
        if self.trained:
            return MemoryModel.from_pretrained(self.trained, backbone)
        if name.startswith(f"{self.backbone}-"):
            return MemoryModel.from_shipped(name, backbone)
        like = MemoryModel.from_shipped(name)
        rehearse = " --rehearse 2500" if like.method.write == "keyed" else ""
        data = (
            "everyday" if like.method.write == "spans" else self.data
        )  # it says where facts begin
        print(
            f"{name} is {like.backbone.name}'s. On {self.backbone} the same method is used untrained. To train one:\n"
            f"  lmem train --method {like.method.name} --scale {like.scale:g} --backbone {self.backbone} "
            f"--data {data}{rehearse} --out mine\n"
            f'and then notebook.profile("{self.name}", adapter="mine").'
        )
        loaded = backbone or load_backbone(self.backbone)
        return MemoryModel(loaded, like.method.name, like.scale, like.seed, **like.options)


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("cpu", "nano", "tinyworld"),
        Profile("t4", "google/flan-t5-base", "locomo"),  # 16 GB, no bfloat16: in float32
        Profile("a100", "google/flan-t5-xl", "locomo"),  # the paper's
        Profile("h200", "google/flan-t5-xl", "locomo"),
    )
}
LAB = Profile("cpu", "mini", "everyday")  # chapter 15 on a processor


def profile(
    name: str = "cpu",
    backbone: str | Path | None = None,
    adapter: str | Path | None = None,
    data: str | Path | None = None,
    lab: bool = False,
) -> Profile:
    """Return the profile of this name; each chapter has one cell that calls this.

    Without a GPU a profile that wants one is not refused. A printed sentence says what will happen.

    Args:
        name: "cpu", "t4", "a100" or "h200".
        backbone: Use this one instead, such as "google/flan-t5-small" or a folder.
        adapter: A folder that `lmem train` wrote for this backbone, used instead of the shipped adapter.
        data: Use this instead: "locomo", or a file in its form.
        lab: Without a GPU: plain English, as in LoCoMo, and the backbone that reads it.

    Raises:
        InputError: No profile has this name.
    """
    if name not in PROFILES:
        raise InputError(f"expected a profile, one of {', '.join(PROFILES)}, not {name!r}")
    standard = LAB if lab and name == LAB.name else PROFILES[name]
    given = {"backbone": backbone, "data": data, "trained": adapter}
    chosen = replace(standard, **{field: str(value) for field, value in given.items() if value})
    if name != "cpu" and not torch.cuda.is_available():
        print(f"There is no GPU here: {chosen.backbone} runs on the processor, which is slow.")
    return chosen


def setup(seed: int = 0) -> None:
    """Make a notebook's output the same on every machine, as far as arithmetic allows."""
    os.environ.update(TQDM_DISABLE="1", TOKENIZERS_PARALLELISM="false")
    warnings.filterwarnings("ignore", message=".*HF_TOKEN.*")  # public models need none
    disable_progress_bars()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.manual_seed(seed)
    torch.set_printoptions(precision=4, sci_mode=False)
