"""The making of mini: a small T5 that reads everyday English and answers by copying (chapter 1).

A question and 1 to 8 turns go into the encoder (now and then 10 to 16), the answer comes out of the decoder, "unknown" where
the turns do not tell. What nano's making taught is kept: attention starts as copying by likeness, listings of many facts come
before questions, Muon trains the matrices. Values have several pieces here, and only the first of them needs to find its
owner, so it weighs 1 in the loss and the easy rest 0.15.

Training goes in legs of some minutes. A leg is resumable (state.pt, written whole or not at all) and ends in a 16-bit
checkpoint, from which the next leg starts with new optimisers and a short warm-up.
"""

import json
import math
import random
import time
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

from lmem.data import everyday
from lmem.data.everyday.reading import listings, readings
from lmem.files import write_file, write_folder
from lmem.mini_measure import measure, validation
from lmem.mini_tokenizer import train_tokenizer
from lmem.pretrain import _copy_alike, _look_near


@dataclass(frozen=True)
class MiniConfig:
    """The making of mini.

    Attributes:
        minutes: Of this leg; the learning rate falls over its last part.
        peak: Factor of all learning rates; less than 1 for later legs.
        warmup: Steps.
        decay: Share of the leg, at its end, in which the rates fall to a twentieth.
        batch, tokens: Questions of a batch, at most, and pieces of its sources, at most.
        later: Weight of a value's pieces after the first.
        listings: Share of the leg, at its start, in which 3 of 4 batches are listings; then it is 1 of 8.
        missing: Share of the questions whose evidence is left out, so that "unknown" is right.
        undated: Share of the conversations without dates.
        near: Share of the other turns that are chosen for being alike.
        save_every, log_every: Steps.
    """

    minutes: float = 150.0
    peak: float = 1.0
    muon_lr: float = 3e-3
    lr: float = 1.5e-3
    table_lr: float = 6e-3
    warmup: int = 100
    decay: float = 0.5
    batch: int = 40
    tokens: int = 9000
    later: float = 0.15
    listings: float = 0.15
    missing: float = 0.06
    undated: float = 0.55
    near: float = 0.5
    vocabulary: int = 6144
    width: int = 192
    heads: int = 4
    feed_forward: int = 384
    encoder_layers: int = 4
    decoder_layers: int = 2
    bf16: bool = True
    compile: bool = False
    device: str = "cpu"
    seed: int = 0
    save_every: int = 250
    log_every: int = 500
    questions: int = 300


def build_model(config, pieces):
    """A T5 with random weights that copies by likeness from the start; embeddings tied."""
    shape = T5Config(
        vocab_size=pieces, d_model=config.width, d_kv=config.width // config.heads,
        d_ff=config.feed_forward, num_layers=config.encoder_layers,
        num_decoder_layers=config.decoder_layers, num_heads=config.heads, dropout_rate=0.0,
        feed_forward_proj="gated-gelu", pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
        relative_attention_max_distance=128,
    )  # fmt: skip
    model = T5ForConditionalGeneration._from_config(shape, attn_implementation="eager")
    near = config.heads // 2
    _look_near(model.encoder.block[0].layer[0].SelfAttention, near)
    for block in model.encoder.block:
        _copy_alike(block.layer[0].SelfAttention, near)
    for block in model.decoder.block:
        _copy_alike(block.layer[1].EncDecAttention, 0)
    return model


def pretrain(out, config=None, start=None, progress=print):
    """Train one leg, or go on with one that was broken off.

    Args:
        out: Folder: state.pt (to resume), log.jsonl, model/ (16 bits: weights, tokenizer).
        config: MiniConfig.
        start: Folder of a 16-bit checkpoint to start from, None for random weights.
        progress: Called with each line of the log.

    Returns:
        The last line of the log as a dict.
    """
    config, out = config or MiniConfig(), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    tokenizer = _tokenizer(out, config, start)
    if start:
        model = T5ForConditionalGeneration.from_pretrained(
            start, dtype=torch.float32, attn_implementation="eager"
        )
    else:
        model = build_model(config, len(tokenizer))
    _fuse(model)
    model.to(config.device).train()
    optimizers = _optimizers(model, config)
    step, spent = _resume(out, model, optimizers)
    batches = _Batches(config, tokenizer, f"{config.seed} {step}")
    forward = torch.compile(model, dynamic=True) if config.compile else model
    rows = validation(config.questions)
    losses, counts, begun, measured = [], [0, 0], time.perf_counter() - spent, 0.0
    line = {}
    while True:
        done = (time.perf_counter() - begun - measured) / (60 * config.minutes)
        if done >= 1:
            break
        for one in optimizers:
            for group in one.param_groups:
                group["lr"] = group["base"] * _rate(step, done, config)
        inputs, weights = batches.next(step, done)
        inputs = {name: value.to(config.device) for name, value in inputs.items()}
        labels = inputs.pop("labels")
        with torch.autocast(torch.device(config.device).type, torch.bfloat16, enabled=config.bf16):
            logits = forward(**inputs, use_cache=False).logits
        loss = _loss(logits.float(), labels, weights.to(config.device))
        loss.backward()
        clip_grad_norm_(model.parameters(), 1.0)
        for one in optimizers:
            one.step()
        model.zero_grad(set_to_none=True)
        losses.append(loss.item())
        counts[0] += inputs["input_ids"].shape[0]
        counts[1] += inputs["input_ids"].numel()
        step += 1
        if step % config.log_every == 0:
            before = time.perf_counter()
            spent = before - begun - measured
            line = _log(out, config, model, tokenizer, rows, step, spent, losses, counts)
            progress(json.dumps({k: v for k, v in line.items() if k != "wrong"}))
            losses, counts = [], [0, 0]
            measured += time.perf_counter() - before
        if step % config.save_every == 0:
            _save(out, model, optimizers, step, time.perf_counter() - begun - measured)
    _save(out, model, optimizers, step, 60 * config.minutes)
    line = _log(
        out, config, model, tokenizer, rows, step, 60 * config.minutes, losses or [0.0], counts
    )
    progress(json.dumps({k: v for k, v in line.items() if k != "wrong"}))
    _publish(out, model, tokenizer, config, line)
    return line


def _fuse(model):
    """Compute the same activation in one operation; T5's own takes eight, which is slow on a CPU."""
    for block in [*model.encoder.block, *model.decoder.block]:
        block.layer[-1].DenseReluDense.act = torch.nn.GELU(approximate="tanh")


def _tokenizer(out, config, start):
    folder = out / "tokenizer"
    if start:
        return AutoTokenizer.from_pretrained(start)
    if not folder.exists():
        made = train_tokenizer(config.vocabulary)
        with write_folder(folder) as temporary:
            made.save_pretrained(temporary)
    return AutoTokenizer.from_pretrained(folder)


def _optimizers(model, config):
    """Muon for the layers' matrices, AdamW for embeddings, norms and position biases."""
    matrices, norms, tables = [], [], []
    for name, weight in model.named_parameters():
        table = name == "shared.weight" or "relative_attention_bias" in name
        (tables if table else matrices if weight.ndim == 2 else norms).append(weight)
    groups = [{"params": norms}, {"params": tables, "lr": config.table_lr}]
    made = [
        torch.optim.Muon(
            matrices, lr=config.muon_lr, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    for one in made:
        for group in one.param_groups:
            group["base"] = group["lr"]
    return made


def _rate(step, done, config):
    """Linear warm-up by steps, constant, then a cosine to a twentieth at the end of the leg."""
    warm = min(1.0, (step + 1) / config.warmup)
    late = max(0.0, done - (1 - config.decay)) / config.decay
    return config.peak * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, late))))


def _loss(logits, labels, weights):
    """Cross entropy, each piece with its weight.

    Args:
        logits: (B, N, vocabulary).
        labels: (B, N), -100 where nothing is to be said.
        weights: (B, N), 0 where nothing is to be said.
    """
    each = cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")  # (B N)
    return (each * weights.flatten()).sum() / weights.sum()


def _log(out, config, model, tokenizer, rows, step, spent, losses, counts):
    """Measure, and add a line to log.jsonl."""
    recent = losses[-config.log_every :]
    line = {
        "step": step,
        "seconds": round(spent),
        "processor_seconds": round(time.process_time()),
        "loss": round(sum(recent) / len(recent), 4),
        "questions": counts[0],
        "pieces": counts[1],
        **measure(model, tokenizer, rows, keep=12),
    }
    model.train()
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return line


def _save(out, model, optimizers, step, spent):
    """Everything that resuming needs, whole or not at all."""
    state = {
        "model": model.state_dict(),
        "optimizers": [one.state_dict() for one in optimizers],
        "step": step,
        "spent": spent,
    }
    with write_file(out / "state.pt") as temporary:
        torch.save(state, temporary)


def _resume(out, model, optimizers):
    """(steps, seconds) that the leg has already had."""
    path = out / "state.pt"
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    for one, saved in zip(optimizers, state["optimizers"], strict=True):
        one.load_state_dict(saved)
    return state["step"], state["spent"]


def _publish(out, model, tokenizer, config, line):
    """The leg's 16-bit checkpoint."""
    half = {name: value.to(torch.bfloat16) for name, value in model.state_dict().items()}
    facts = {"config": asdict(config), "parameters": model.num_parameters(),
             **{k: v for k, v in line.items() if k != "wrong"}}  # fmt: skip
    copy = T5ForConditionalGeneration(model.config).to(torch.bfloat16)
    copy.load_state_dict(half)
    with write_folder(out / "model") as folder:
        copy.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "pretrain.json").write_text(json.dumps(facts, indent=1) + "\n")


_TURNS = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16)
_TURN_SHARES = (14, 20, 20, 15, 10, 8, 5, 4, 2, 1)  # short inputs cost little and teach the same


class _Batches:
    """Training batches, generated anew: listings, and readings of dense little worlds."""

    ahead = 12  # batches drawn together and sorted by length, so little of a batch is padding

    def __init__(self, config, tokenizer, seed):
        self.config, self.core = config, tokenizer.backend_tokenizer
        self.random = random.Random(f"mini {seed}")
        name = f"mini train {seed}"
        near = config.near
        self.readings = self._sorted(
            self._readings(readings(
                name, self._turns, _dense_world, near, config.missing, config.undated
            )), config.batch
        )  # fmt: skip
        self.listings = self._sorted(
            self._listings(listings(name, 8, _few_relations)), max(1, config.batch // 2)
        )

    def next(self, step, done):
        first = done < self.config.listings
        return next(self.listings if (step % 4 if first else step % 8 == 0) else self.readings)

    def _turns(self):
        return self.random.choices(_TURNS, _TURN_SHARES)[0]

    def _readings(self, drawn):
        """(source, decoder's input, labels, weights) of questions and their answers."""
        while True:
            rows = list(islice(drawn, 256))
            sources = self.core.encode_batch([row.source for row in rows])
            for row, source in zip(rows, sources, strict=True):
                answer, weights = self._answer(row.target, row.kind == "temporal")
                answer, weights = [*answer, 1], [*weights, 0.3]
                yield source.ids, [0, *answer[:-1]], answer, weights

    def _listings(self, drawn):
        """The same of facts told one after the other: the keys are given, the values are to be said."""
        for one in drawn:
            said, labels, weights = [], [], []
            for key, value in one.facts:
                key = self._ids(key)
                value, weight = self._answer(value, False)
                said += key + value
                labels += [-100] * len(key) + value
                weights += [0.0] * len(key) + weight
            yield self.core.encode(one.source).ids, [0, *said[:-1]], labels, weights

    def _answer(self, text, even):
        """Pieces of an answer, and their weights: 1 for the first piece of each of its items."""
        ids, weights = [], []
        for i, item in enumerate([text] if even else text.split(", ")):
            pieces = self._ids(("," if i else "") + (f" {item}" if i else item))
            first = 1 if i else 0  # the comma is no binding
            ids += pieces
            later = 0.5 if even else self.config.later
            weights += [1.0 if n == first else later for n in range(len(pieces))]
        return ids, weights

    def _ids(self, text):
        return self.core.encode(text).ids[:-1]

    def _sorted(self, rows, size):
        while True:
            drawn = sorted(islice(rows, size * self.ahead), key=lambda row: len(row[0]))
            batches, batch = [], []
            for row in drawn:
                longest = len(row[0])
                if batch and (
                    len(batch) >= size or (len(batch) + 1) * longest > self.config.tokens
                ):
                    batches.append(batch)
                    batch = []
                batch.append(row)
            batches.append(batch)
            self.random.shuffle(batches)
            for batch in batches:
                yield _padded(batch)


def _padded(batch):
    """Rows as tensors: ({name: (B, N)}, weights (B, N)); few different N, since each new shape costs time."""

    def pad(part, filler, kind=torch.long):
        longest = max(len(row[part]) for row in batch)
        size = -(-longest // 16) * 16 if part == 0 or longest > 16 else -(-longest // 4) * 4
        rows = [row[part] + [filler] * (size - len(row[part])) for row in batch]
        return torch.tensor(rows, dtype=kind)

    sources = pad(0, 0)
    inputs = {
        "input_ids": sources,
        "attention_mask": (sources != 0).long(),
        "decoder_input_ids": pad(1, 0),
        "labels": pad(2, -100),
    }
    return inputs, pad(3, 0.0, torch.float)


def _dense_world(rng):
    """A small world in which facts are many and alike, so that a shortcut does not read them."""
    return everyday.World(
        turns=rng.choice([16, 24, 40]),
        session_turns=rng.choice([8, 12, 20]),
        facts=rng.choice([0.4, 0.6, 0.8]),
        overwritten=0.15,
        withdrawn=0.06,
        subjects=rng.choice([3, 4, 6, 8, 12]),
        invented=rng.choice([0.5, 0.65, 0.9]),
        relations=rng.choice([2, 4, 8, 16, None]),
        alone=0.15,
        questions=16,
        mix=(0.34, 0.22, 0.18, 0.14, 0.12),
        pool="train",
    )


def _few_relations(rng):
    """A small world of few relations, in which only the subject tells facts apart."""
    return everyday.World(
        turns=16, facts=0.9, overwritten=0.05, withdrawn=0.02, subjects=rng.choice([4, 8, 12]),
        relations=rng.choice([1, 2, 3, 6]), questions=0, alone=0.1, pool="train",
    )  # fmt: skip
