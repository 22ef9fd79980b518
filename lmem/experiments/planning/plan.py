"""A plan: how much memory and time a run takes, from the configuration alone (chapter 15).

    memory = weights + adapter + optimiser + banks + latents + what the hungriest phase works with
    time   = how often each unit is needed x what it costs (`lmem.experiments.planning.op_cost`)

Nothing is downloaded and no weight is made: the model stands on the meta device. What the plan takes for granted is in what it
gives back: lengths of texts, the machine's rates, and whether those were measured or come from a data sheet.
"""

from statistics import mean

import torch
from transformers import AutoModelForSeq2SeqLM

from lmem.data import splits
from lmem.evaluation import conditions, text_baselines
from lmem.experiments.planning.meta_model import Decoded, Sketch, bare
from lmem.experiments.planning.op_cost import Machine, cost
from lmem.experiments.planning.profiles import Load, Profile
from lmem.memory import methods
from lmem.memory.model import WINDOW
from lmem.training.train import TrainConfig
from lmem.utils.timing import seconds

MIB = 2**20
PIECES = 1.2  # tokens of a word, as in LoCoMo
SHARE = {"tflops": 0.4, "bandwidth": 0.6}  # of a data sheet's figures; not measured
LAUNCH = 10e-6  # seconds before any operation starts on a GPU; not measured
TEXT = len(text_baselines.CHOICES)  # conditions with turns in the input
BANKS = len(
    set(conditions.CONTROLS) - {"twin", *text_baselines.CHOICES}
)  # and without; LoCoMo has no twins
ANSWER = 32  # tokens, at most: random weights hardly ever end before


def machine_of(profile):
    """How fast a machine is: measured here for a CPU, a share of the data sheet for a GPU. (Machine, how it is known)."""
    if profile.device == "cuda":
        moved = profile.bandwidth * 1e9 * SHARE["bandwidth"]
        rate = profile.tflops * 1e12 * SHARE["tflops"]
        return Machine(rate, moved, moved, LAUNCH), "a share of the data sheet, not measured"
    return measured(profile.dtype), "measured here"


def in_words(machine):
    """A Machine in units that can be read."""
    return {
        "gflop_a_second": machine.rate / 1e9,
        "gb_a_second_near": machine.near / 1e9,
        "gb_a_second_far": machine.far / 1e9,
        "us_an_operation": machine.overhead * 1e6,
    }


@torch.no_grad()
def measured(dtype="float32", clock=seconds):
    """This machine: a matrix product, sums over 1 and 32 MiB, and a model too small to take time for anything but its operations.

    clock  a call -> the seconds that it took
    """
    kind = getattr(torch, dtype)
    a = torch.randn(512, 512, dtype=kind)
    near, far = (_moved(torch.ones(n * MIB // 4, dtype=kind), clock) for n in (1, 32))
    config = methods.shape("flan-t5-small").config
    for name, value in {
        "d_model": 8,
        "d_kv": 4,
        "d_ff": 8,
        "num_heads": 2,
        "vocab_size": 16,
    }.items():
        setattr(config, name, value)
    model = AutoModelForSeq2SeqLM.from_config(config).eval()
    given = {"input_ids": torch.ones(1, 2, dtype=torch.long)}
    given["decoder_input_ids"] = given["input_ids"]
    ops = len(cost(lambda: model(**given), model).flop)
    overhead = _best(lambda: model(**given), clock, 5) / ops
    return Machine(2 * 512**3 / _best(lambda: a @ a, clock), near, far, overhead)


def _moved(x, clock):
    """Bytes a second of a sum that reads one tensor and writes another."""
    return 2 * x.numel() * x.element_size() / _best(lambda: x + 1, clock)


def _best(work, clock, times=20):
    return min(clock(work) for _ in range(times))


def plan(backbone, profile, load=None, method="m3", scale=1, training=None, machine=None):
    """What one adapter takes: trained for 10 epochs and evaluated under the control battery.

    backbone  a published size, "nano", or a folder
    profile   Profile
    load      Load: how many conversations, turns and questions, and how long; default LoCoMo's
    training  TrainConfig; default: the paper's
    machine   Machine; default: `machine_of` the profile
    returns   dict: memory by part in MiB and its total; fits; disk (MiB of latents); seconds by phase and their total;
              settings, notes
    """
    load, training = load or Load(), training or TrainConfig.paper()
    known = "given"
    if machine is None:
        machine, known = machine_of(profile)
    sketch = Sketch(bare(backbone, profile.dtype), method, scale)
    units = units_of(sketch, load, profile, training.batch)
    parts = memory_of(sketch, load, units)
    phases = time_of(load, units, profile, training, machine)
    total = sum(parts.values())
    latent = sketch.model.config.d_model * sketch.dtype.itemsize / MIB
    turns = load.train[1] + load.test[1]
    asked = load.train_questions + load.test_questions
    return {
        "backbone": str(backbone),
        "profile": profile.name,
        "dtype": profile.dtype,
        "method": sketch.method.name,
        "rows": sketch.rows,
        "memory_mib": {**parts, "total": total},
        "budget_mib": profile.memory * 1024,
        "fits": total <= profile.memory * 1024,
        "disk_mib": latent * (turns * load.turn + asked * load.question),
        "seconds": {**phases, "total": sum(phases.values())},
        "assumed": {
            "tokens": {"turn": load.turn, "question": load.question, "answer": load.answer},
            "rates": known,
            **in_words(machine),
        },
        "notes": _notes(backbone, profile, total),
    }


def grid(
    sizes=None, profiles=("t4", "a100", "h200"), load=None, method="m3", scale=1, machine=None
):
    """Plans of several sizes on several profiles: `lmem plan --all`, shipped as `bench/plans-flan-t5`.

    sizes    default: all that were published
    returns  dict: backbone (the sizes), method, rows, plans (list of what `plan` returns, shortened)
    """
    sizes = tuple(sizes or methods.SHAPES)
    kept = ("backbone", "profile", "dtype", "memory_mib", "budget_mib", "fits", "disk_mib", "seconds", "notes")  # fmt: skip
    found = [
        plan(size, Profile.of(name), load, method, scale, machine=machine)
        for size in sizes
        for name in profiles
    ]
    return {
        "what": "plans",
        "backbone": ", ".join(sizes),
        "method": found[0]["method"],
        "rows": found[0]["rows"],
        "plans": [{key: one[key] for key in kept} for one in found],
    }


def here():
    """The name of the profile that fits what is here: by the memory of the GPU, or "cpu"."""
    if not torch.cuda.is_available():
        return "cpu"
    held = torch.cuda.get_device_properties(0).total_memory / 2**30
    return next(name for name, least in (("h200", 100), ("a100", 30), ("t4", 0)) if held > least)


def load_of(data):
    """What there is to do: LoCoMo's counts, or those of a file, its tokens guessed from its words."""
    if data == "locomo":
        return Load()
    train, test = splits.for_training(data, 0, 0, 0)[0], splits.for_testing(data, 0, 0, 0)
    known = [q for c in train for q in c.questions if q.answer is not None]
    asked = [q for c in test for q in c.questions]
    answers = [PIECES * len(q.answer.split()) + 1 for q in known]
    return Load(
        train=_counts(train), test=_counts(test), train_questions=len(known), test_questions=len(asked),
        turn=PIECES * mean(len(text_baselines.split()) for c in train + test for text_baselines in c.texts()),
        question=PIECES * mean(len(q.prompt.split()) for q in known + asked),
        answer=mean(answers), padded=round(2 * mean(answers)),
        knowledge=sum(len(c.questions) * len(c.sessions) // 2 for c in test),
        deleted=sum(len(c.questions) * len(c.turns) // 2 for c in test),
    )  # fmt: skip


def _counts(conversations):
    lengths = [len(c.turns) for c in conversations]
    return len(lengths), sum(lengths), max(lengths)


def units_of(sketch, load, profile, batch):
    """{unit: (Cost or Decoded, how many it is of)} of the pieces that a run is made of."""
    turn, question = round(load.turn), round(load.question)
    texts = max(1, profile.tokens // turn)
    some = max(1, load.test_questions // (2 * load.test[0]))  # banks that lack a turn each
    asked, tests = distinct(load.train[0], batch), distinct(load.test[0], profile.batch)
    return {
        "encode": (sketch.encode(texts, turn), texts),
        "write": (sketch.turn(load.train[0], turn), load.train[0]),
        "deleted": (sketch.turn(some, turn), some),
        "step": (sketch.step(batch, question, load.answer, load.padded, asked), batch),
        "answer": (sketch.answer(profile.batch, question, ANSWER, tests), profile.batch),
        "text": (sketch.answer(profile.batch, 384, ANSWER, bare=True), profile.batch),
        "source": (sketch.encode(profile.batch, 384), profile.batch),
        "bits": (
            sketch.bits(profile.batch, question, load.answer, load.padded, tests),
            profile.batch,
        ),
    }


def distinct(conversations, batch):
    """How many banks a batch of questions reads, drawn from so many conversations: the mean number, rounded."""
    return max(1, round(conversations * (1 - (1 - 1 / conversations) ** batch)))


def memory_of(sketch, load, units, copies=5):
    """MiB by part. Working memory is that of the hungriest phase; the latents are those that a phase holds.

    copies  banks of a test conversation: right, shuffled, the last 20 turns, noise, rough
    """
    kept = [t for m in (sketch.write, sketch.read) for t in m.state_dict().values()]
    learned = [p for m in (sketch.write, sketch.read) for p in m.parameters() if p.requires_grad]
    width, size = sketch.model.config.d_model, sketch.dtype.itemsize
    bank = sketch.write.p0.numel() * 4 + 8 * sketch.write.rows
    window = WINDOW * load.train[0] * load.turn
    held = max(
        load.train_questions * load.question,
        load.test[1] * load.turn + load.test_questions * load.question,
    )
    return {
        "weights": _bytes(sketch.model.parameters()) / MIB,
        "adapter": _bytes(kept) / MIB,
        "optimiser": 3 * _bytes(learned) / MIB,  # gradient and two moments
        "banks": bank * max(load.train[0], copies * load.test[0]) / MIB,
        "latents": max(held, window) * width * size / MIB,
        "working": max(found.peak for found, _ in units.values()) / MIB,
    }


def time_of(load, units, profile, training, machine):
    """Seconds by phase, for one adapter. Turns are encoded once for all adapters, if latents are kept on disk."""

    def one(name):
        found, n = units[name]
        tokens = [ANSWER] if isinstance(found, Decoded) else []
        return found.seconds(machine, *tokens) / n

    tests = load.test
    steps = training.total_steps(load.train_questions)
    turns = units["write"][0].seconds(machine)  # of all conversations side by side
    read = one("source") + one("text")
    return {
        "encode": one("encode") * (load.train[1] + tests[1]),
        "write": turns * (load.train[2] + 2 * tests[2] + 20),  # right, shuffled, the last 20
        "write without evidence": one("deleted") * load.deleted,
        "train": one("step") * training.batch * steps,
        "answer": BANKS * load.test_questions * (one("answer") + one("bits")),
        "answer from text": TEXT * load.test_questions * (read + one("bits")),
        "knowledge": load.knowledge * one("answer"),
    }


def _notes(backbone, profile, total):
    """What a reader must know besides the figures."""
    notes = []
    if profile.device == "cuda":
        notes.append("no figure of this profile was measured on such a card")
    sizes, short = list(methods.SHAPES), str(backbone).removeprefix("google/")
    if short in sizes and sizes.index(short) > sizes.index(profile.largest):
        notes.append(f"{profile.name} is meant for {profile.largest} at most")
    if total > profile.memory * 1024:
        notes.append(
            f"more than the {profile.memory:g} GiB of {profile.name}: take a smaller backbone or batch"
        )
    return notes


def _bytes(tensors):
    return sum(t.numel() * t.element_size() for t in tensors)
