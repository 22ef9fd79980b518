"""What every notebook does first: the same seeds, four digits, no chatter; and its profile, nano or Flan-T5.

from lmem import notebook
notebook.setup()

profile = notebook.profile("cpu")                         # on a GPU: "t4" or "a100", the same code on Flan-T5
backbone = lmem.load_backbone(profile.backbone)
model = profile.adapter("nano-recent", backbone)          # beside another backbone: the same method, untrained
"""

import os
import warnings
from dataclasses import dataclass, replace

from lmem.errors import InputError


@dataclass(frozen=True)
class Profile:
    """What a notebook runs on.

    name      of the profile
    backbone  what `load_backbone` takes
    data      what `lmem.data.splits` and the command line take: "tinyworld" or "locomo"
    trained   the folder of an adapter of one's own, or None
    """

    name: str
    backbone: str
    data: str
    trained: str | None = None

    def __repr__(self):
        return f"profile {self.name}: {self.backbone} on {self.data}"

    def adapter(self, name="nano-recent", backbone=None):
        """The adapter that a chapter needs: the folder that the profile names, else the shipped one of this name.

        Shipped adapters are nano's. Beside another backbone the same method stands untrained, and a sentence says so.

        backbone  a loaded one; default: the profile's is loaded
        raises    InputError for a name that is not shipped, BankError if the folder's adapter has another backbone
        """
        from lmem.backbone.backbone import load_backbone
        from lmem.memory.model import MemoryModel

        if self.trained:
            return MemoryModel.from_pretrained(self.trained, backbone)
        if self.backbone == "nano":
            return MemoryModel.from_shipped(name, backbone)
        like = MemoryModel.from_shipped(name)
        rehearse = " --rehearse 2500" if like.method.write == "keyed" else ""
        print(
            f"{name} is nano's. On {self.backbone} the same method is used untrained. To train one:\n"
            f"  lmem train --method {like.method.name} --scale {like.scale:g} --backbone {self.backbone} "
            f"--data {self.data}{rehearse} --out mine\n"
            f'and then notebook.profile("{self.name}", adapter="mine").'
        )
        return MemoryModel(
            backbone or load_backbone(self.backbone),
            like.method.name,
            like.scale,
            like.seed,
            **like.options,
        )


PROFILES = {
    one.name: one
    for one in (
        Profile("cpu", "nano", "tinyworld"),
        Profile("t4", "google/flan-t5-base", "locomo"),  # 16 GB, no bfloat16: in float32
        Profile("a100", "google/flan-t5-xl", "locomo"),  # the paper's
        Profile("h200", "google/flan-t5-xl", "locomo"),
    )
}


def profile(name="cpu", backbone=None, adapter=None):
    """The profile of this name: what a chapter's one profile cell asks for, and what all below it goes by.

    backbone  another one in its place, such as "google/flan-t5-small" or a folder
    adapter   the folder of an adapter that `lmem train` wrote beside this backbone, in the place of the shipped one
    raises    InputError for a name that is none of them

    Without a GPU a profile that wants one is not refused: a sentence says what will happen.
    """
    if name not in PROFILES:
        raise InputError(f"expected a profile, one of {', '.join(PROFILES)}, not {name!r}")
    found = replace(PROFILES[name], trained=adapter and str(adapter))
    if backbone:
        found = replace(found, backbone=str(backbone))
    import torch

    if name != "cpu" and not torch.cuda.is_available():
        print(f"There is no GPU here: {found.backbone} runs on the processor, which is slow.")
    return found


def setup(seed=0):
    """Make a notebook's output the same on every machine, as far as arithmetic allows."""
    os.environ.update(
        TQDM_DISABLE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="false"
    )
    warnings.filterwarnings("ignore", message=".*HF_TOKEN.*")  # public models need none
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.manual_seed(seed)
    torch.set_printoptions(precision=4, sci_mode=False)
