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
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

from lmem.files import write_file, write_folder
from lmem.mini_batches import Batches
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
    batches = Batches(config, tokenizer, f"{config.seed} {step}")
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
