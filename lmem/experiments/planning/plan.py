"""A plan: how much memory and time a run takes, from the configuration alone (chapter 15).

    memory = weights + adapter + optimiser + banks + latents + working memory of the phase that needs most
    time   = sum over units of (how often a run needs it) x (what it costs, counted by `op_cost`)

Nothing is downloaded and no weight is created: the model is on the meta device. The result says what the plan assumes: lengths of
texts, the machine's speed, and whether the speed was measured or comes from a data sheet.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor

from lmem.evaluation import conditions, text_baselines
from lmem.experiments.planning.machine import MachineProfile
from lmem.experiments.planning.meta_model import AnswerCost, MetaMethod, load_without_weights
from lmem.experiments.planning.op_cost import Cost, MachineSpeed
from lmem.experiments.planning.workload import Workload
from lmem.memory import methods
from lmem.memory.model import ENCODE_TURNS
from lmem.training.train import TrainConfig
from lmem.utils.timing import MIB

ANSWER = 32  # tokens, at most: with random weights hardly any answer ends before
SOURCE = 384  # tokens of an input that contains turns
RECENT = 20  # turns of the condition "last_20"


class PlannedUnit(NamedTuple):
    """A unit of a run as planned.

    Attributes:
        cost: Of one call.
        count: Turns or questions that one call processes.
    """

    cost: Cost | AnswerCost
    count: int

    def seconds(self, speed: MachineSpeed) -> float:
        """Return the time of one turn or question."""
        return self.cost.seconds(speed) / self.count


def plan(
    backbone: str,
    profile: MachineProfile,
    workload: Workload | None = None,
    method: str = "m3",
    scale: float = 1,
    training: TrainConfig | None = None,
    speed: MachineSpeed | None = None,
) -> dict[str, Any]:
    """Plan one adapter: trained for 10 epochs and evaluated under the control battery.

    Args:
        backbone: A published size, "nano", or a folder.
        profile: What the machine can hold.
        workload: How many conversations, turns and questions, and how long they are; default: LoCoMo's.
        method: Name of a method with a bank.
        scale: 1 is 64 rows.
        training: Default: the paper's.
        speed: Default: the profile's.

    Returns:
        dict: memory by part in MiB with its total; fits; disk_mib of the latents; seconds by phase with their total;
        assumed settings; notes.
    """
    workload, training = workload or Workload(), training or TrainConfig.paper()
    known = "given"
    if speed is None:
        speed = profile.speed
        on_gpu = profile.device == "cuda"
        known = "a share of the data sheet, not measured" if on_gpu else "measured here"
    meta = MetaMethod(load_without_weights(backbone, profile.dtype), method, scale)
    units = units_of(meta, workload, profile, training.batch)
    memory = memory_of(meta, workload, units)
    seconds = time_of(workload, units, training, speed)
    total = sum(memory.values())
    turns = workload.train[1] + workload.test[1]
    questions = workload.train_questions + workload.test_questions
    tokens = turns * workload.turn + questions * workload.question
    lengths = {name: getattr(workload, name) for name in ("turn", "question", "answer")}
    return {
        "backbone": backbone,
        "profile": profile.name,
        "dtype": profile.dtype,
        "method": meta.method.name,
        "rows": meta.rows,
        "memory_mib": {**memory, "total": total},
        "budget_mib": profile.memory * 1024,
        "fits": total <= profile.memory * 1024,
        "disk_mib": tokens * meta.backbone.width * meta.backbone.dtype.itemsize / MIB,
        "seconds": {**seconds, "total": sum(seconds.values())},
        "assumed": {"tokens": lengths, "rates": known, **speed.readable()},
        "notes": _notes(backbone, profile, total),
    }


class Batches(NamedTuple):
    """How many questions pass through the model at once, so that a run fits.

    Attributes:
        train: Of a training step; the gradients of a step's parts are added up.
        answer: Of an evaluation.
        total_mib: What the run takes then.
        fits: Whether that is within the budget.
        seconds: By phase, as of `time_of`; empty if no training was given.
    """

    train: int
    answer: int
    total_mib: float = 0.0
    fits: bool = True
    seconds: Mapping[str, float] = MappingProxyType({})

    def halved(self) -> "Batches | None":
        """Return batches of half the size; None if there is only one question left."""
        if self.train == self.answer == 1:
            return None
        return Batches((self.train + 1) // 2, (self.answer + 1) // 2)


def fitting_batches(
    backbone: str,
    profile: MachineProfile,
    workload: Workload,
    method: str,
    scale: float,
    batch: int,
    training: TrainConfig | None = None,
    speed: MachineSpeed | None = None,
    asked: Iterable[str] | None = None,
) -> Batches:
    """Halve batches until a run fits the profile's memory; only the units whose batch changed are counted again.

    Args:
        backbone, profile, workload, method, scale: As in `plan`.
        batch: Questions of a training step.
        training: If it is given, the run's time is planned too.
        speed: For that; default: the profile's.
        asked: Conditions of the evaluation; default: all.

    Returns:
        The largest that fit; if none do, batches of one question, with `fits` False.
    """
    meta = MetaMethod(load_without_weights(backbone, profile.dtype), method, scale)
    train, answer = batch, profile.batch
    written = _write_units(meta, workload, profile)
    step = _step_units(meta, workload, train)
    answered = _answer_units(meta, workload, answer)
    while True:
        total = sum(memory_of(meta, workload, written | step | answered).values())
        fits = total <= profile.memory * 1024
        if fits or train == answer == 1:
            units, seconds = written | step | answered, {}
            if training is not None:
                seconds = time_of(workload, units, training, speed or profile.speed, asked)
            return Batches(train, answer, total, fits, seconds)
        others = max(unit.cost.peak for unit in (written | answered).values())
        if train > 1 and (answer == 1 or step["step"].cost.peak >= others):
            train = (train + 1) // 2
            step = _step_units(meta, workload, train)
        else:
            answer = (answer + 1) // 2
            answered = _answer_units(meta, workload, answer)


def grid(
    sizes: Sequence[str] = (),
    profiles: Sequence[str] = ("t4", "a100", "h200"),
    workload: Workload | None = None,
    method: str = "m3",
    scale: float = 1,
) -> dict[str, Any]:
    """Plan several sizes on several profiles: `lmem plan --all`, shipped as `bench/plans-flan-t5`.

    Args:
        sizes: Default: all that were published.
        profiles: Names of profiles.
        workload, method, scale: As in `plan`.

    Returns:
        dict: backbone (the sizes), method, rows, plans (of `plan`, without what it assumes).
    """
    sizes = tuple(sizes or methods.SHAPES)
    plans = [
        plan(size, MachineProfile.of(name), workload, method, scale)
        for size in sizes
        for name in profiles
    ]
    common = {"method": plans[0]["method"], "rows": plans[0]["rows"]}
    for each in plans:
        for name in ("method", "rows", "assumed"):
            del each[name]
    return {"what": "plans", "backbone": ", ".join(sizes), **common, "plans": plans}


def units_of(
    meta: MetaMethod, workload: Workload, profile: MachineProfile, batch: int
) -> dict[str, PlannedUnit]:
    """Count the units that a run consists of, by name.

    Args:
        meta: The method.
        workload: Lengths and numbers of texts.
        profile: Batches of encoding and of answering.
        batch: Questions of a training step.
    """
    written = _write_units(meta, workload, profile)
    return (
        written | _step_units(meta, workload, batch) | _answer_units(meta, workload, profile.batch)
    )


def _write_units(
    meta: MetaMethod, workload: Workload, profile: MachineProfile
) -> dict[str, PlannedUnit]:
    """Count the units that do not depend on how many questions pass at once."""
    turn, train = round(workload.turn), workload.train[0]
    texts = max(1, profile.tokens // turn)
    # banks that each lack a turn
    without = max(1, workload.test_questions // (2 * workload.test[0]))
    return {
        "encode": PlannedUnit(meta.encode_cost(texts, turn), texts),
        "write": PlannedUnit(meta.write_cost(train, turn), train),
        "deleted": PlannedUnit(meta.write_cost(without, turn), without),
    }


def _step_units(meta: MetaMethod, workload: Workload, batch: int) -> dict[str, PlannedUnit]:
    """Count a training step of `batch` questions."""
    banks = distinct(workload.train[0], batch)
    return {"step": PlannedUnit(meta.step_cost(batch, workload, banks), batch)}


def _answer_units(meta: MetaMethod, workload: Workload, asked: int) -> dict[str, PlannedUnit]:
    """Count what answers `asked` questions at once."""
    question, tested = round(workload.question), distinct(workload.test[0], asked)
    return {
        "answer": PlannedUnit(meta.answer_cost(asked, question, ANSWER, tested), asked),
        "text": PlannedUnit(meta.answer_cost(asked, SOURCE, ANSWER), asked),
        "source": PlannedUnit(meta.encode_cost(asked, SOURCE), asked),
        "bits": PlannedUnit(meta.bits_cost(asked, workload, tested), asked),
    }


def distinct(conversations: int, batch: int) -> int:
    """Return how many banks a batch of questions reads, drawn from so many conversations: the mean, rounded."""
    return max(1, round(conversations * (1 - (1 - 1 / conversations) ** batch)))


def memory_of(
    meta: MetaMethod, workload: Workload, units: Mapping[str, PlannedUnit], copies: int = 5
) -> dict[str, float]:
    """Return MiB by part.

    Args:
        meta: The method.
        workload: How many banks and latents there are.
        units: Of `units_of`; the one that needs most gives the working memory.
        copies: Banks of a test conversation: right, shuffled, the last 20 turns, noise, rough.
    """
    modules = (meta.write, meta.read)
    stored = [tensor for module in modules for tensor in module.state_dict().values()]
    trained = [p for module in modules for p in module.parameters() if p.requires_grad]
    bank = meta.write.p0.numel() * 4 + 8 * meta.write.rows
    tokens = max(  # of the latents that one phase needs at once
        ENCODE_TURNS * workload.train[0] * workload.turn,
        workload.train_questions * workload.question,
        workload.test[1] * workload.turn + workload.test_questions * workload.question,
    )
    return {
        "weights": mib_of(meta.backbone.model.parameters()),
        "adapter": mib_of(stored),
        "optimiser": 3 * mib_of(trained),  # gradient and two moments
        "banks": bank * max(workload.train[0], copies * workload.test[0]) / MIB,
        "latents": tokens * meta.backbone.width * meta.backbone.dtype.itemsize / MIB,
        "working": max(unit.cost.peak for unit in units.values()) / MIB,
    }


def time_of(
    workload: Workload,
    units: Mapping[str, PlannedUnit],
    training: TrainConfig,
    speed: MachineSpeed,
    asked: Iterable[str] | None = None,
) -> dict[str, float]:
    """Return seconds by phase, for one adapter. With latents on disk, turns are encoded once for all adapters.

    Args:
        workload: How much there is to do.
        units: Of `units_of`.
        training: Says how many steps.
        speed: Of the machine.
        asked: Conditions of the evaluation; default: all that LoCoMo allows.
    """
    each = {name: unit.seconds(speed) for name, unit in units.items()}
    chosen = set(conditions.CONTROLS if asked is None else asked) - {"twin"}
    texts = len(chosen & set(text_baselines.CHOICES))
    banks = len(chosen) - texts
    train, test = workload.train, workload.test
    # The conversations are written in parallel, so the longest one counts: to train, right, shuffled, the last 20.
    turns = train[2] + 2 * test[2] + RECENT
    questions = workload.test_questions
    return {
        "encode": each["encode"] * (train[1] + test[1]),
        "write": units["write"].cost.seconds(speed) * turns,
        "write without evidence": each["deleted"] * workload.deleted * ("deleted" in chosen),
        "train": each["step"] * training.batch * training.total_steps(workload.train_questions),
        "answer": banks * questions * (each["answer"] + each["bits"]),
        "answer from text": texts * questions * (each["source"] + each["text"] + each["bits"]),
        "knowledge": workload.knowledge * each["answer"],
    }


def mib_of(tensors: Iterable[Tensor]) -> float:
    """Return how many MiB these tensors take."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors) / MIB


def _notes(backbone: str, profile: MachineProfile, total: float) -> list[str]:
    """What a reader must know in addition to the figures."""
    notes = []
    if profile.device == "cuda":
        notes.append("no figure of this profile was measured on such a card")
    sizes, short = list(methods.SHAPES), backbone.removeprefix("google/")
    if short in sizes and sizes.index(short) > sizes.index(profile.largest):
        notes.append(f"{profile.name} is meant for {profile.largest} at most")
    if total > profile.memory * 1024:
        budget = f"{profile.memory:g} GiB of {profile.name}"
        notes.append(f"more than the {budget}: take a smaller backbone or batch")
    return notes
