"""Profiles of machines, and how much there is to do: what a plan is computed from (chapter 15)."""

from typing import Annotated

from pydantic import Field

from lmem.errors import InputError
from lmem.utils.settings import AtLeast0, AtLeast1, NotNegative, Positive, Settings, settings

DTYPES = ("float32", "bfloat16")


@settings
class Profile(Settings):
    """What one machine can hold, and how fast it is by its data sheet (see `lmem plan`).

    backbone   what a run takes if nothing else is named
    largest    the largest Flan-T5 that it is meant for
    device     "cpu" or "cuda"
    bf16       the device has bfloat16; a T4 emulates it, which is slow
    dtype      of the backbone; adapters and optimiser are float32 everywhere
    memory     GiB that a run may take: of the card, on a CPU of the process
    tokens     of a batch of turns that are encoded together, padding counted
    batch      questions that are answered side by side
    tflops     1e12 operations a second in `dtype`, and
    bandwidth  1e9 bytes a second, both from the data sheet; 0: measured where the plan is made
    """

    name: str = "cpu"
    backbone: str = "google/flan-t5-small"
    largest: str = "flan-t5-base"
    device: str = "cpu"
    bf16: bool = True
    dtype: str = "float32"
    memory: Positive = 8.0
    tokens: AtLeast1 = 1024
    batch: AtLeast1 = 64
    tflops: NotNegative = 0.0
    bandwidth: NotNegative = 0.0

    def __post_init__(self):
        if self.dtype == "float16":
            raise InputError(
                "float16 overflows in T5's feed-forward layers; expected bfloat16 or float32"
            )
        if self.dtype not in DTYPES:
            raise InputError(f"expected a dtype out of {', '.join(DTYPES)}, not {self.dtype!r}")
        if self.dtype == "bfloat16" and not self.bf16:
            raise InputError(f"{self.name} has no bfloat16; expected float32")
        if self.device not in ("cpu", "cuda"):
            raise InputError(f'expected the device "cpu" or "cuda", not {self.device!r}')

    @classmethod
    def of(cls, name, **changes):
        """A profile by name, with some settings changed.

        raises  InputError for a name that does not exist
        """
        if name not in PROFILES:
            raise InputError(f"expected a profile out of {', '.join(PROFILES)}, not {name!r}")
        return cls(**{"name": name, **PROFILES[name], **changes})


PROFILES = {
    "cpu": {},
    "t4": {
        "backbone": "google/flan-t5-base", "largest": "flan-t5-large", "device": "cuda", "bf16": False,
        "memory": 14.5, "tokens": 4096, "batch": 32, "tflops": 8.1, "bandwidth": 320.0,
    },
    "a100": {
        "backbone": "google/flan-t5-xl", "largest": "flan-t5-xl", "device": "cuda", "dtype": "bfloat16",
        "memory": 38.0, "tokens": 8192, "batch": 64, "tflops": 312.0, "bandwidth": 1555.0,
    },
    "h200": {
        "backbone": "google/flan-t5-xl", "largest": "flan-t5-xxl", "device": "cuda", "dtype": "bfloat16",
        "memory": 135.0, "tokens": 16384, "batch": 128, "tflops": 989.0, "bandwidth": 4800.0,
    },
}  # fmt: skip


@settings
class Load(Settings):
    """How much there is to do: by default LoCoMo in the paper's split, counted in its release.

    train, test      (conversations, turns, turns of the longest)
    train_questions  with an answer; test_questions  all of them
    turn, question, answer  tokens on average, by a tokenizer of 4,000 pieces that was learned from LoCoMo; Flan-T5's has 32,000, and
                     makes fewer
    padded           tokens of an answer, padded as in a batch of 16
    knowledge        questions of a knowledge curve, session by session
    deleted          turns that are written where each question's evidence is left out
    """

    train: tuple[AtLeast1, AtLeast1, AtLeast1] = (7, 4124, 689)
    train_questions: AtLeast1 = 1037
    test: tuple[AtLeast1, AtLeast1, AtLeast1] = (3, 1758, 681)
    test_questions: AtLeast1 = 639
    turn: Annotated[float, Field(ge=1)] = 40.5
    question: Annotated[float, Field(ge=1)] = 19.6
    answer: Annotated[float, Field(ge=1)] = 9.8
    padded: AtLeast1 = 28
    knowledge: AtLeast0 = 6936
    deleted: AtLeast0 = 140534
