"""Type 1 training: only the adapter learns, from the answers, through a frozen decoder (paper, section 3.3; chapter 9).

The backbone is frozen, so each turn is encoded once, and each question too if the bank enters behind the encoder. A fixed write
makes the same bank in every epoch, so each bank is made once; a learned write makes its bank anew at every step and carries
gradient through the last `window` turns, with an explicit detach before them. What is left of a step is a batch of questions,
each with the bank of its own conversation, decoded in parts whose answers are of similar length; the head sees all at once.

With several processes (`accelerate launch -m lmem train ...`) each encodes and writes its share of the conversations, and takes its
share of every batch. Adapters live in hooks, where no wrapper finds them, so gradients are added up here: the loss is a sum over
tokens divided by the tokens of all processes.
"""

import math
import random
import time
from itertools import islice

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import gather_object, send_to_device
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from lmem.errors import InputError
from lmem.memory.bank import Bank, State, joined
from lmem.training.checkpoint import Checkpoint
from lmem.utils.progress import track
from lmem.utils.settings import AtLeast0, AtLeast1, NotNegative, Positive, Settings, Share, settings


@settings
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

    steps: AtLeast1 = 1500
    epochs: AtLeast1 | None = None
    batch: AtLeast1 = 32
    lr: Positive = 2e-3
    weight_decay: NotNegative = 1e-2
    warmup: AtLeast1 = 100
    clip: Positive = 1.0
    window: AtLeast1 = 8
    cuts: AtLeast0 = 0
    undated: Share = 0.25
    constant: bool = False
    check: AtLeast1 = 250
    patience: AtLeast0 = 3
    save_every: AtLeast1 = 250
    seed: int = 42

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


LONG = 256  # rows of a prefix, from which on questions of one length go together


def make_banks(model, texts, cuts=None, batch=32, progress=True):
    """Write every conversation into a bank of its own, `batch` of them side by side: one Bank of all.

    texts   for each conversation its turns as the encoder sees them (`Conversation.texts`); turns that are
            too long for the backbone are cut
    cuts    for each conversation the numbers of turns after which a copy of the bank is kept, rising, as many
            for each; default: at the end. The copies of one conversation lie side by side
    """
    cuts = cuts or [[len(one)] for one in texts]
    edges = [[0, *points] for points in cuts]
    states = []
    chunks = [range(i, min(i + batch, len(texts))) for i in range(0, len(texts), batch)]
    for chunk in track(chunks, "writing banks", progress):
        bank, kept = model.new_bank(len(chunk)), []
        for s in range(len(cuts[0])):
            part = [texts[i][edges[i][s] : edges[i][s + 1]] for i in chunk]
            bank = model.write(bank, part if len(part) > 1 else part[0], truncate=True)
            kept.append(bank.state)
        states.append(
            State(*(torch.stack(parts, 1).flatten(0, 1) for parts in zip(*kept, strict=True)))
        )
    return Bank(joined(states), bank.owner, bank.backbone)


def constant_bank(model):
    """One bank that knows nothing: P_0, read as if a turn had been written; what a read learns from it is no memory.

    Nothing can be learned from a P_0 of zeros: there, noise N(0, 0.02^2) from the adapter's seed takes its place.
    """
    rows, empty = model.write_rule.p0, model.new_bank().state
    if not rows.any():
        drawn = torch.randn(rows.shape, generator=torch.Generator().manual_seed(model.seed))
        rows = 0.02 * drawn.to(rows)
    written = torch.zeros_like(empty.written)
    state = State(rows[None].clone(), written, torch.ones_like(empty.turns))
    return Bank(state, model.owner, model.backbone.fingerprint)


class _Lessons:
    """Questions with answers, and the bank that each is asked of: at the end, and at `cuts` random points before it."""

    def __init__(self, model, conversations, config, progress, ranks=None):
        self.model, self.window = model, config.window
        rng = random.Random(f"lessons {config.seed}")
        self.texts = [c.texts(dates=rng.random() >= config.undated) for c in conversations]
        self.cuts = [
            [*sorted(rng.randint(1, len(one)) for _ in range(config.cuts)), len(one)]
            for one in self.texts
        ]
        self.pairs = [
            (i * (config.cuts + 1) + s, q.prompt, q.answer)
            for i, conversation in enumerate(conversations)
            for s, cut in enumerate(self.cuts[i])
            for q in conversation.questions
            if q.answer is not None
            and (all(t < cut for t in q.evidence) if q.evidence else cut == len(self.texts[i]))
        ]
        if not self.pairs:
            raise InputError(
                f"expected questions with answers in {len(conversations)} conversations, found none"
            )
        prompts = [*dict.fromkeys(prompt for _, prompt, _ in self.pairs)]
        latents = _shared(ranks, prompts, lambda part: [*model.encode_questions(part).values()])
        known = zip(prompts, latents, strict=bool(latents))  # none where the bank enters first
        self.questions = dict(known)
        self.learned = not config.constant and any(
            p.requires_grad for p in model.write_rule.parameters()
        )
        if config.constant:
            self.banks = constant_bank(model)
            self.pairs = [(0, prompt, answer) for _, prompt, answer in self.pairs]
        elif self.learned:
            self.latents = _shared(ranks, self.texts, model.encode_turns)
        else:
            pairs = [*zip(self.texts, self.cuts, strict=True)]
            states = _shared(ranks, pairs, lambda part: self._written(part, progress))
            self.banks = Bank(joined(states), model.owner, model.backbone.fingerprint)

    @property
    def task(self):
        """All that is told and asked, as plain values."""
        return [self.texts, self.cuts, self.pairs]

    def _written(self, pairs, progress):
        """The state of each conversation's bank at its cuts: list of State, for (texts, cuts) of each."""
        if not pairs:
            return []
        texts, cuts = map(list, zip(*pairs, strict=True))
        state = make_banks(self.model, texts, cuts, progress=progress).state
        return [State(*one) for one in zip(*(t.split(len(cuts[0])) for t in state), strict=True)]

    def bank(self, places):
        """Banks in which those at these places are, and where: (Bank, [place in it])."""
        if not self.learned:
            return self.banks, places
        distinct = sorted(set(places))
        turns = []
        for place in distinct:
            i, s = divmod(place, len(self.cuts[0]))
            turns.append(self.latents[i][: self.cuts[i][s]])
        with torch.no_grad():
            bank = self.model.new_bank(len(distinct))
            bank = self.model.write_latents(bank, [one[: -self.window] for one in turns])
        bank = self.model.write_latents(bank.detach(), [one[-self.window :] for one in turns])
        return bank, [distinct.index(place) for place in places]

    def loss(self, batch, tokens=None):
        """Negative log-likelihood of the answers, in nats: summed, divided by `tokens` (default: their own)."""
        bank, of = self.bank([place for place, _, _ in batch])
        lengths = self.lengths(batch)
        parts = [
            self._states(bank, [of[k] for k in part], [batch[k] for k in part])
            for part in self._parts(batch, lengths)
        ]
        states, labels = zip(*parts, strict=True)
        logits = self.model.backbone.head(torch.cat(states)).float()
        return cross_entropy(logits, torch.cat(labels), reduction="sum") / (tokens or sum(lengths))

    def _parts(self, batch, lengths):
        """Places of the batch in groups that go through the model together.

        Behind a long prefix a question that is padded costs a mask of its own, (H, N, N) in every layer of the encoder.
        """
        if self.questions or self.model.rows < LONG:
            return alike(lengths)
        groups = {}
        prompts = self.model.backbone.tokenize([prompt for _, prompt, _ in batch], truncate=True)
        for place, ids in enumerate(prompts):
            groups.setdefault(len(ids), []).append(place)
        return [*groups.values()]

    def _states(self, bank, of, batch):
        """What the head sees at each token of the answers, (T, D), and the tokens, (T,)."""
        backbone = self.model.backbone
        inputs = backbone.inputs([prompt for _, prompt, _ in batch], True, self.questions)
        labels = backbone.labels([answer for _, _, answer in batch])
        with self.model.attached(bank, expand=1, of=of):
            return backbone.states(inputs, labels), labels[labels >= 0]

    def lengths(self, batch):
        """Tokens of each answer."""
        return [len(ids) for ids in self.model.backbone.tokenize([answer for *_, answer in batch])]

    @torch.no_grad()
    def mean_loss(self, size):
        """Over all questions, by tokens."""
        chunks = [self.pairs[i : i + size] for i in range(0, len(self.pairs), size)]
        counts = [sum(self.lengths(chunk)) for chunk in chunks]
        losses = [self.loss(chunk).item() * n for chunk, n in zip(chunks, counts, strict=True)]
        return sum(losses) / sum(counts)


def train(model, conversations, config=None, progress=True, validation=None, folder=None):
    """Train the adapter of `model` on the questions of these conversations.

    model          MemoryModel; its adapter learns, its backbone does not change
    conversations  list of Conversation; questions without an answer are left out
    config         TrainConfig
    validation     other conversations: their loss is measured every `check` steps, the best weights are kept, and
                   training stops after `patience` checks without a better one; the paper's preset has none
    folder         where checkpoints and the log go; an interrupted run that finds its own checkpoint there goes on
    returns        dict: loss (mean of the last 100 steps), losses, validation, steps, questions, processes, parameters,
                   seconds by phase
    raises         InputError if there is nothing to learn or nothing to learn from, or for `accelerate` with a precision
                   that T5 overflows in
    """
    config = config or TrainConfig()
    learned = _learned(model, config)
    if not learned:
        raise InputError(f"expected a method with weights to learn, {model.method.name} has none")
    ranks = Accelerator(cpu=model.backbone.device.type == "cpu")
    if ranks.mixed_precision not in ("no", "bf16"):
        raise InputError(
            f"expected mixed precision no or bf16, not {ranks.mixed_precision}: T5 overflows in float16"
        )
    progress = progress and ranks.is_main_process
    begun = time.perf_counter()
    lessons = _Lessons(model, conversations, config, progress, ranks)
    held = _Lessons(model, validation, config, progress, ranks) if validation else None
    written = time.perf_counter()

    steps = config.total_steps(len(lessons.pairs))
    optimizer = torch.optim.AdamW(learned.values(), lr=config.lr, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate(step, config, steps)
    )
    kept = Checkpoint(
        folder if ranks.is_main_process else None, learned, optimizer, schedule, config,
        [model.owner, model.options, model.seed, model.backbone.fingerprint, lessons.task, held and held.task],
    )  # fmt: skip
    kept.read(folder)
    batches = islice(_epochs(lessons.pairs, config), kept.step, steps)
    if _worse(kept, config):
        batches = ()
    for batch in track(batches, "training", progress, total=steps - kept.step):
        mine = batch[ranks.process_index :: ranks.num_processes]
        with ranks.autocast():
            loss = lessons.loss(mine, sum(lessons.lengths(batch))) if mine else None
        if loss is not None:
            loss.backward()
        loss = _add_up(ranks, learned.values(), loss)
        clip_grad_norm_(learned.values(), config.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        kept.note(loss)
        last = kept.step == steps
        if held is not None and (kept.step % config.check == 0 or last):
            kept.judge(held.mean_loss(config.batch))
            last = last or _worse(kept, config)
        if kept.step % config.save_every == 0 or last:
            kept.write()
        if last:
            break
    if held is not None:
        kept.restore_best()
    ranks.wait_for_everyone()
    return {
        "loss": sum(kept.losses[-100:]) / len(kept.losses[-100:]),
        "losses": kept.losses,
        "validation": kept.checks,
        "steps": kept.step,
        "questions": len(lessons.pairs),
        "processes": ranks.num_processes,
        "parameters": sum(p.numel() for p in learned.values()),
        "seconds": {"write": written - begun, "train": time.perf_counter() - written},
    }


def _learned(model, config):
    """{name: weight} of what answers teach: not a write's hard choices, which get no gradient, and no write where none is made."""
    choices = () if model.write_rule is None else model.write_rule.choices
    fixed = ("write_rule.",) if config.constant else tuple(f"write_rule.{name}" for name in choices)
    return {
        name: p
        for name, p in model.named_parameters()
        if p.requires_grad and not name.startswith(fixed)
    }


def _shared(ranks, items, work):
    """What `work` makes of a list, one result for each item: each process works off its share, and all get all."""
    n = ranks.num_processes if ranks else 1
    if n == 1:
        return work(items)
    mine = send_to_device(work(items[ranks.process_index :: n]), "cpu")
    parts = gather_object([mine])
    found = [one for k in range(len(items)) for one in parts[k % n][k // n :][:1]]
    return send_to_device(found, ranks.device)


def alike(lengths, short=8):
    """Places in two groups, answers of up to `short` tokens and longer ones, so that little is padded; one if there is one."""
    groups = [], []
    for place, length in enumerate(lengths):
        groups[length > short].append(place)
    return [group for group in groups if group]


def main_process():
    """True in the one process that writes files."""
    return PartialState().is_main_process


def _worse(kept, config):
    """True if the validation loss has not fallen for `patience` checks."""
    return bool(config.patience) and kept.since_best >= config.patience


def _add_up(ranks, weights, loss):
    """Sum gradients and loss over all processes; a process without a question has none to add."""
    value = torch.zeros(()) if loss is None else loss.detach().float().cpu()
    if ranks.num_processes == 1:
        return value.item()
    for weight in weights:
        grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
        weight.grad = ranks.reduce(grad, reduction="sum")
    return ranks.reduce(value.to(ranks.device), reduction="sum").item()


def learning_rate(step, config, steps=None):
    """Share of `lr` at a step: linear warm-up, then a cosine to zero."""
    steps = steps or config.steps
    warm = min(1.0, (step + 1) / config.warmup)
    done = max(0, step - config.warmup) / max(1, steps - config.warmup)
    return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _epochs(pairs, config):
    """Endless batches; every question comes once before any comes twice."""
    rng = random.Random(f"train {config.seed}")
    queue = []
    while True:
        while len(queue) < config.batch:
            queue += rng.sample(pairs, len(pairs))
        yield queue[: config.batch]
        queue = queue[config.batch :]
