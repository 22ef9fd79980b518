"""Settings as frozen values: checked when they are made, JSON in and out."""

import json
from dataclasses import asdict, dataclass, fields

from lmem.errors import InputError


class Settings:
    """What every settings class can do: refuse what it does not know, and say how it differs."""

    @classmethod
    def from_dict(cls, values):
        """Settings from a mapping; InputError names the first key that does not exist, or says what does not fit."""
        known = {f.name for f in fields(cls)}
        for key in values:
            if key not in known:
                raise InputError(
                    f"{cls.__name__} has no setting {key!r}; it has {', '.join(sorted(known))}"
                )
        try:
            return cls(**values)
        except TypeError as error:  # a text where a number is compared
            raise InputError(f"{cls.__name__} cannot be made of {values}: {error}") from error

    @classmethod
    def from_json(cls, text):
        return cls.from_dict(json.loads(text))

    def to_json(self):
        return json.dumps(asdict(self), indent=1)

    def difference(self):
        """What differs from the defaults: {name: value}."""
        default = type(self)()
        return {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if getattr(self, f.name) != getattr(default, f.name)
        }

    def _at_least(self, **floors):
        for name, floor in floors.items():
            if not getattr(self, name) >= floor:
                raise InputError(f"{name} must be at least {floor}, not {getattr(self, name)}")


@dataclass(frozen=True)
class PretrainConfig(Settings):
    """The making of nano (chapter 1).

    muon_lr            rate of Muon, for the layers' matrices
    lr, table_lr       AdamW's rates for norms, and for embeddings and position biases, which are large
    turns              turns of an input, at most
    listings           share of the steps, at the start, in which 3 of 4 batches are listings; afterwards it is 1 of 8
    undated            share of the conversations whose turns stand without their date
    alike              share of the readings whose other turns tell the same relation of somebody else
    bf16, compile      autocast; torch.compile, twice as fast on a CPU (needs a C++ compiler, and 2 minutes at first)
    """

    steps: int = 8000
    batch: int = 64
    muon_lr: float = 3e-3
    lr: float = 1.5e-3
    table_lr: float = 1e-2
    warmup: int = 100
    turns: int = 8
    listings: float = 0.15
    undated: float = 0.3
    alike: float = 0.5
    width: int = 128
    heads: int = 8
    feed_forward: int = 256
    layers: int = 4
    bf16: bool = True
    compile: bool = False
    seed: int = 0
    log_every: int = 500

    def __post_init__(self):
        self._at_least(
            steps=1,
            batch=1,
            warmup=1,
            turns=2,
            width=8,
            heads=1,
            layers=1,
            log_every=1,
        )
        if self.width % self.heads:
            raise InputError(f"width {self.width} cannot be split over {self.heads} heads")


@dataclass(frozen=True)
class TrainConfig(Settings):
    """Type 1 training of an adapter (paper, section 3.3 and table 1; chapter 9).

    steps     optimiser steps; each takes `batch` questions with the banks of their conversations
    epochs    instead of `steps`: how often every question comes
    warmup    steps of linear warm-up, followed by a cosine to zero
    window    turns at the end of a bank through which a learned write carries gradient
    cuts      besides at the end, questions are asked at so many random points of each conversation
    undated   share of the conversations whose turns are written without the session's date
    constant  every question is given the same bank, which knows nothing: the trained constant of the controls
    check     steps between two looks at the validation conversations, if there are any
    patience  stop after so many looks without a better one; 0 never stops
    """

    steps: int = 1500
    epochs: int | None = None
    batch: int = 32
    lr: float = 2e-3
    weight_decay: float = 1e-2
    warmup: int = 100
    clip: float = 1.0
    window: int = 8
    cuts: int = 0
    undated: float = 0.25
    constant: bool = False
    check: int = 250
    patience: int = 3
    save_every: int = 250
    seed: int = 42

    def __post_init__(self):
        self._at_least(
            steps=1, batch=1, warmup=1, weight_decay=0.0, window=1, cuts=0, check=1, patience=0,
            save_every=1,
        )  # fmt: skip
        if self.epochs is not None:
            self._at_least(epochs=1)
        if not (self.lr > 0 and self.clip > 0):
            raise InputError(f"lr and clip must be positive, not {self.lr} and {self.clip}")
        if not 0 <= self.undated <= 1:
            raise InputError(f"undated must lie in [0, 1], not {self.undated}")

    @classmethod
    def paper(cls, **changes):
        """Table 1 of the paper, all of it: no early stop, dates as they come, asked at the end."""
        printed = {
            "lr": 1e-4, "weight_decay": 1e-2, "warmup": 200, "clip": 1.0, "epochs": 10, "batch": 16,
            "window": 8, "seed": 42, "undated": 0.0, "patience": 0,
        }  # fmt: skip
        return cls(**{**printed, **changes})

    def total_steps(self, questions):
        """Optimiser steps for so many questions."""
        return self.steps if self.epochs is None else -(-self.epochs * questions // self.batch)


@dataclass(frozen=True)
class RehearsalConfig(Settings):
    """What a keyed write learns from evidence (chapter 14).

    batch      conversations of a step, each asked `questions` questions at most
    margin     by which the right key must win, as a cosine
    noise      standard deviation of what is added to every latent
    drop       share of the tokens that are hidden from keys and questions, anew at every step
    price      of a turn that is kept, and of one that may take the row of what it corrects: rows are scarce
    cuts       share of the conversations that are cut at a random turn
    undated    share of the conversations whose turns are written without the session's date
    """

    steps: int = 2500
    batch: int = 8
    questions: int = 40
    lr: float = 3e-3
    weight_decay: float = 1e-2
    clip: float = 2.0
    margin: float = 0.05
    noise: float = 0.4
    drop: float = 0.1
    price: tuple[float, float] = (0.3, 0.15)
    cuts: float = 0.3
    undated: float = 0.25
    seed: int = 42

    def __post_init__(self):
        self._at_least(steps=1, batch=1, questions=1, weight_decay=0.0, margin=0.0, noise=0.0)
        if len(self.price) != 2 or min(self.price) < 0:
            raise InputError(f"price needs two numbers of 0 or more, not {self.price}")
        if not (self.lr > 0 and self.clip > 0):
            raise InputError(f"lr and clip must be positive, not {self.lr} and {self.clip}")
        shares = (self.cuts, self.undated, self.drop)
        if not all(0 <= share <= 1 for share in shares):
            raise InputError(f"cuts, undated and drop must lie in [0, 1], not {shares}")


@dataclass(frozen=True)
class EvalConfig(Settings):
    """Write the whole conversation, then ask (paper, section 4.2; chapter 11).

    dates, captions  of the turns as they are written
    budget           tokens of the encoder's input where turns stand in it as text, the question included
    knowledge        ask at the end of every session too: the knowledge curve
    seed             of the shuffled turns and the noise
    """

    batch: int = 64
    max_new_tokens: int = 32
    dates: bool = True
    captions: bool = True
    budget: int = 384
    knowledge: bool = False
    seed: int = 42

    def __post_init__(self):
        self._at_least(batch=1, max_new_tokens=1, budget=1)
        if self.budget > 384:
            raise InputError(f"budget must be at most 384, the longest source, not {self.budget}")


@dataclass(frozen=True)
class SweepConfig(Settings):
    """What all cells of a sweep share (chapter 13).

    data           "tinyworld", "locomo" or a file
    conversations  training conversations, of `turns` turns; each seed draws its own
    tests          test conversations, of `test_turns` turns, drawn by `test_seed`: the same for all cells
    controls       conditions of `lmem.evaluate`; None: the light ones
    Every cell takes all of its steps: none is stopped early, so that what differs is what the cell names
    """

    backbone: str = "nano"
    data: str = "tinyworld"
    conversations: int = 400
    turns: int = 60
    steps: int = 1000
    batch: int = 32
    lr: float = 2e-3
    cuts: int = 0
    tests: int = 40
    test_turns: int = 60
    test_seed: int = 7
    controls: str | None = None

    def __post_init__(self):
        self._at_least(conversations=1, tests=1, steps=1, batch=1, cuts=0)


@dataclass(frozen=True)
class LadderConfig(Settings):
    """What all rungs of the ladder share (chapter 14).

    n, test_seed         test conversations, the same for all rungs, and the seed that draws them
    tests                the first is asked of every rung, the others of the top rung only: "600" and "2000" turns, "cut" at a
                         random one of 600
    conversations, turns, steps               training of the paper's methods
    keyed_conversations, keyed_turns          training conversations of the keyed ones
    rehearse, tell       steps of the rehearsal, and of the read through the decoder after it
    budget               tokens of an input with turns as text
    """

    backbone: str = "nano"
    n: int = 10
    test_seed: int = 7
    tests: tuple[str, ...] = ("600", "cut", "2000")
    conversations: int = 400
    turns: int = 60
    steps: int = 1000
    keyed_conversations: int = 1200
    keyed_turns: int = 100
    rehearse: int = 2500
    tell: int = 500
    budget: int = 128
    test_turns: int = 600
    long_turns: int = 2000

    def __post_init__(self):
        self._at_least(
            n=2, conversations=1, turns=10, steps=1, keyed_conversations=1, keyed_turns=10, rehearse=1, tell=1,
            budget=1, test_turns=10, long_turns=10,
        )  # fmt: skip
        for test in self.tests:
            if test not in self.turns_of:
                raise InputError(f"expected tests out of {', '.join(self.turns_of)}, not {test!r}")

    def shared(self):
        """What differs from the defaults, but for which tests are asked: {name: value}."""
        return {name: value for name, value in self.difference().items() if name != "tests"}

    @property
    def turns_of(self):
        """Turns of the conversations of each test."""
        return {"600": self.test_turns, "cut": self.test_turns, "2000": self.long_turns}


DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True)
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
    memory: float = 8.0
    tokens: int = 1024
    batch: int = 64
    tflops: float = 0.0
    bandwidth: float = 0.0

    def __post_init__(self):
        self._at_least(tokens=1, batch=1, tflops=0.0, bandwidth=0.0)
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
        if not self.memory > 0:
            raise InputError(f"memory must be positive, not {self.memory}")

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


@dataclass(frozen=True)
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

    train: tuple = (7, 4124, 689)
    train_questions: int = 1037
    test: tuple = (3, 1758, 681)
    test_questions: int = 639
    turn: float = 40.5
    question: float = 19.6
    answer: float = 9.8
    padded: int = 28
    knowledge: int = 6936
    deleted: int = 140534

    def __post_init__(self):
        object.__setattr__(self, "train", tuple(self.train))
        object.__setattr__(self, "test", tuple(self.test))
        self._at_least(train_questions=1, test_questions=1, turn=1, question=1, answer=1, padded=1)
        if min(*self.train, *self.test) < 1:
            raise InputError(f"expected conversations with turns, not {self.train}, {self.test}")


@dataclass(frozen=True)
class ReproduceConfig(Settings):
    """What all cells of the published experiment share.

    data       "locomo" or a file in its form
    profile    a name out of PROFILES
    controls   conditions of `lmem.evaluate`
    constant   train the control "constant" beside each adapter too, which takes as long again
    steps      instead of the paper's 10 epochs
    turns, questions  of each conversation at most; 0 is no limit
    max_new_tokens, budget  as in EvalConfig
    """

    backbone: str = "google/flan-t5-xl"
    data: str = "locomo"
    profile: str = "cpu"
    controls: str = "all"
    constant: bool = True
    steps: int | None = None
    turns: int = 0
    questions: int = 0
    max_new_tokens: int = 32
    budget: int = 384
    seed: int = 42

    def __post_init__(self):
        self._at_least(turns=0, questions=0, max_new_tokens=1)
        if self.steps is not None:
            self._at_least(steps=1)
        Profile.of(self.profile)

    @classmethod
    def short(cls, **changes):
        """A check of the path: one step, few turns, one question each. Its figures mean nothing."""
        limits = {"steps": 1, "turns": 12, "questions": 1, "max_new_tokens": 4, "budget": 96}
        limits["constant"] = False
        return cls(**{**limits, **changes})

    def limits(self):
        """What keeps it from being the whole experiment, in words; "" if nothing does."""
        found = [f"{self.steps} steps"] if self.steps is not None else []
        found += [f"the first {self.turns} turns"] if self.turns else []
        found += [f"{self.questions} questions a conversation"] if self.questions else []
        return ", ".join(found)
