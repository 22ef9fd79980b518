"""What every notebook does first: the same seeds, four digits, no chatter; and its profile, nano or Flan-T5.

from lmem import notebook
notebook.setup()

profile = notebook.profile("cpu")       # "t4", "a100" or "h200": the same code on Flan-T5 and LoCoMo
backbone = load_backbone(profile.backbone)
"""

import os
import warnings
from dataclasses import dataclass

from lmem.errors import InputError


@dataclass(frozen=True)
class Profile:
    """What a notebook runs on.

    name      of the profile
    backbone  what `load_backbone` takes
    data      what `lmem.runs` and the command line take: "tinyworld" or "locomo"
    """

    name: str
    backbone: str
    data: str

    def __repr__(self):
        return f"profile {self.name}: {self.backbone} on {self.data}"


PROFILES = {
    one.name: one
    for one in (
        Profile("cpu", "nano", "tinyworld"),
        Profile("t4", "google/flan-t5-base", "locomo"),  # 16 GB, no bfloat16: in float32
        Profile("a100", "google/flan-t5-xl", "locomo"),  # the paper's
        Profile("h200", "google/flan-t5-xl", "locomo"),
    )
}


def profile(name="cpu"):
    """The profile of this name: what a chapter's one profile cell asks for, and what all below it goes by.

    Without a GPU a profile that wants one is not refused: a sentence says what will happen.

    raises  InputError for a name that is none of them
    """
    if name not in PROFILES:
        raise InputError(f"expected a profile, one of {', '.join(PROFILES)}, not {name!r}")
    found = PROFILES[name]
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
