"""The making of mini: a small T5 that reads everyday English and answers by copying (chapter 1).

A question and up to 12 turns go into the encoder, and the answer comes out of the decoder, "unknown" where the turns do not say.
As for nano, attention starts as copying by likeness, and Muon trains the matrices. What is new:

- One head starts by telling the question from the turns.
- The lessons rise from one or two turns to the whole language (`batches`).
- At first only a value's first piece has full weight. A second loss points to the place of each piece of the answer (`losses`).
- A share of the steps compares questions with turns that are encoded apart, and with their tokens (`matching`).

Training goes in legs of some minutes. A leg is resumable (state.pt, written completely or not at all) and ends in a 16-bit
checkpoint. The next leg starts from it with new optimisers and a short warm-up, and as a larger model if that is asked for (`grow`).
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from transformers import AutoTokenizer, PreTrainedTokenizerFast, T5ForConditionalGeneration

from lmem.backbone.mini.batches import LAST_LEVEL, Batches
from lmem.backbone.mini.grow import grow
from lmem.backbone.mini.losses import pointer_loss, weighted_loss
from lmem.backbone.mini.matching import Matching, MatchingBatch, MatchingBatches
from lmem.backbone.mini.measure import measure, validation
from lmem.backbone.mini.tokenizer import train_tokenizer
from lmem.backbone.pretrain import copying_t5, make_optimizers
from lmem.data.everyday.reading import Reading
from lmem.errors import InputError
from lmem.utils.device import device_of
from lmem.utils.files import expect_folder, write_file, write_folder
from lmem.utils.provenance import machine, versions
from lmem.utils.settings import AtLeast0, AtLeast1, NotNegative, Positive, Settings, Share, settings


@settings
class MiniConfig(Settings):
    """Settings of the making of mini.

    Attributes:
        minutes: Length of this leg; the learning rate falls over its last part.
        peak: Factor of all learning rates; less than 1 for later legs.
        muon_lr: Learning rate of Muon, for the layers' matrices.
        lr: AdamW's learning rate for norms.
        table_lr: AdamW's learning rate for embeddings and position biases.
        warmup: Steps of linear warm-up.
        decay: Share of the leg, at its end, in which the rates fall to a twentieth.
        batch: Most questions of a batch.
        tokens: Most pieces of a batch's sources.
        level: Level of the curriculum to begin with, at least; later legs go on at the level where the last one ended.
        pointer: Weight of the losses that say where the answer stands.
        matching: Share of the steps that compare questions and turns which are encoded apart.
        missing: Share of the questions whose evidence is left out, so that "unknown" is right.
        undated: Share of the conversations without dates.
        vocabulary: Pieces of the tokenizer.
        width: Model width D.
        heads: Attention heads H.
        head_size: Numbers of a head's queries and keys.
        feed_forward: Width of the feed-forward layers.
        encoder_layers: Layers of the encoder.
        decoder_layers: Layers of the decoder.
        bf16: Train under bfloat16 autocast.
        compile: Use torch.compile. It needs a C++ compiler, and some minutes at first.
        device: "cpu" or "cuda".
        seed: Seed of weights and batches.
        save_every: Steps between two saved states.
        log_every: Steps between two measurements.
        questions: Questions of a measurement.
    """

    minutes: Positive = 150.0
    peak: NotNegative = 1.0
    muon_lr: Positive = 3e-3
    lr: Positive = 1.5e-3
    table_lr: Positive = 6e-3
    warmup: AtLeast1 = 100
    decay: Share = 0.5
    batch: AtLeast1 = 64
    tokens: AtLeast1 = 6000
    level: AtLeast0 = 0
    pointer: NotNegative = 1.0
    matching: Share = 0.3
    missing: Share = 0.06
    undated: Share = 0.55
    vocabulary: AtLeast1 = 6144
    width: AtLeast1 = 192
    heads: AtLeast1 = 8
    head_size: AtLeast1 = 64
    feed_forward: AtLeast1 = 512
    encoder_layers: AtLeast1 = 4
    decoder_layers: AtLeast1 = 3
    bf16: bool = True
    compile: bool = False
    device: str = "cpu"
    seed: int = 0
    save_every: AtLeast1 = 250
    log_every: AtLeast1 = 500
    questions: AtLeast1 = 300

    def __post_init__(self) -> None:
        if self.level > LAST_LEVEL:
            raise InputError(f"expected a level of 0 to {LAST_LEVEL}, not {self.level}")


def build_model(
    config: MiniConfig, tokenizer: PreTrainedTokenizerFast
) -> T5ForConditionalGeneration:
    """Make mini with random weights, of which one head starts by telling the question from the turns."""
    sizes = (config.width, config.heads, config.head_size, config.feed_forward)
    model = copying_t5(len(tokenizer), *sizes, config.encoder_layers, config.decoder_layers)
    _look_for_marks(model, [tokenizer.encode(mark)[0] for mark in ("question:", "context:")])
    return model


@torch.no_grad()
def _look_for_marks(model: Any, marks: list[int]) -> None:
    """Start the first head of the first layer with a look at the nearest mark on the left, "question" or "context".

    A word of the question and the same word in a turn are the same vector until something tells them apart: T5 has no
    absolute positions. With this head each token knows from the start on which side it stands. Without it
    mini needs many more steps until it matches a question with one of two turns.

        all embeddings = ... + 4 a, those of the marks + 8 u;  q = a . x, k = u . x, with unit vectors a and u
    """
    table = model.shared.weight
    a, u = torch.linalg.qr(torch.randn(table.shape[1], 2))[0].T
    table -= torch.outer(table @ a, a) + torch.outer(table @ u, u)
    table += 4 * a
    table[marks] += 8 * u
    attention = model.encoder.block[0].layer[0].SelfAttention
    head = slice(attention.key_value_proj_dim)
    for weight, direction in ((attention.q.weight, a), (attention.k.weight, u)):
        weight[head] = 0.0
        weight[0] = direction
    bias = attention.relative_attention_bias.weight  # (buckets, H): keys on the left first
    half = len(bias) // 2
    bias[:half, 0] = -torch.arange(half, dtype=bias.dtype)
    bias[half:, 0] = -40.0


def pretrain(
    out: str | Path,
    config: MiniConfig | None = None,
    start: str | Path | None = None,
    progress: Callable[[str], object] = print,
    tokenizer: PreTrainedTokenizerFast | None = None,
) -> dict[str, Any]:
    """Train one leg, or continue one that was interrupted.

    Args:
        out: Folder to write: state.pt (to resume), log.jsonl, model/ (16 bits: weights, tokenizer).
        config: Length, sizes, seed.
        start: Folder of a 16-bit checkpoint to start from; None for random weights.
        progress: Called with each line of the log.
        tokenizer: Of a model with random weights; None: the one in `out`, else it is trained.

    Returns:
        The last line of the log.

    Raises:
        InputError: `out` is a file, `start` is no checkpoint, or the machine has no such device.
    """
    config, out = config or MiniConfig(), Path(out)
    if start and not (Path(start) / "pretrain.json").is_file():
        raise InputError(f"expected a checkpoint of mini, {start} has no pretrain.json")
    expect_folder(out)
    device_of(config.device)
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    tokenizer = _load_tokenizer(out, config, start, tokenizer)
    legs: list[dict[str, Any]] = []
    if start:
        model = T5ForConditionalGeneration.from_pretrained(
            start, dtype=torch.float32, attn_implementation="eager"
        )
        model = grow(model, build_model(config, tokenizer))
        facts = json.loads((Path(start) / "pretrain.json").read_text())
        legs, config = facts["legs"], replace(config, level=max(config.level, facts["level"]))
    else:
        model = build_model(config, tokenizer)
    return _Leg(out, config, model, tokenizer, legs, progress).run()


class States(nn.Module):
    """The outputs of encoder and decoder; logits are made from them where they are needed."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.encoder, self.decoder = model.encoder, model.decoder

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (B, N, D) of the encoder, (B, M, D) of the decoder, and (B, M, N) of a head of its last cross-attention."""
        encoded = self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0]
        decoded = self.decoder(
            input_ids=decoder_input_ids,
            encoder_hidden_states=encoded,
            encoder_attention_mask=attention_mask,
            use_cache=False,
            output_attentions=True,
        )
        return encoded, decoded.last_hidden_state, decoded.cross_attentions[-1][:, 0]


class _Leg:
    """One leg of training: its model, optimisers, clock and log."""

    def __init__(
        self,
        out: Path,
        config: MiniConfig,
        model: T5ForConditionalGeneration,
        tokenizer: PreTrainedTokenizerFast,
        legs: list[dict[str, Any]],
        progress: Callable[[str], object],
    ) -> None:
        self.out, self.config, self.tokenizer, self.progress = out, config, tokenizer, progress
        self.legs = legs
        self.model: Any = model
        _fuse(model)
        self.model.to(config.device).train()
        self.points = nn.Parameter(
            torch.randn(model.config.d_model, device=config.device) / model.config.d_model**0.5
        )
        self.matching = Matching(model.config.d_model).to(config.device)
        self.optimizers = [
            *make_optimizers(model, config.muon_lr, config.lr, config.table_lr),
            torch.optim.AdamW([self.points], lr=config.table_lr, weight_decay=0.0),
            torch.optim.AdamW(self.matching.parameters(), lr=3e-3, weight_decay=0.0),
        ]
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["base"] = group["lr"]
        self.level = config.level
        self.step, self.spent = self._resume()
        self.rows: list[Reading] = validation(config.questions)
        self.losses: list[float] = []
        self.right: list[float] = []
        self.matched: list[float] = []
        self.questions, self.pieces = 0, 0

    def run(self) -> dict[str, Any]:
        """Train until the minutes are over; measuring and saving do not count."""
        config, limit = self.config, 60 * self.config.minutes
        name = f"{config.seed} {len(self.legs)} {self.step}"  # no leg sees the conversations of another
        batches = Batches(config, self.tokenizer, name, self.level)
        matches = MatchingBatches(self.tokenizer, name)
        states, encoder = States(self.model), self.model.encoder
        if config.compile:
            states, encoder = (torch.compile(part, dynamic=True) for part in (states, encoder))
        while self.spent < limit:
            begun = time.perf_counter()
            done = self.spent / limit
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = group["base"] * _rate(self.step, done, config)
            share = config.matching
            if math.floor((self.step + 1) * share) > math.floor(self.step * share):
                self._match(encoder, matches.next())
            else:
                batches.report(self._read(states, *batches.next(done)))
            self.level = batches.level
            self.spent += time.perf_counter() - begun
            if self.step % config.log_every == 0:
                self._log()
            if self.step % config.save_every == 0:
                self._save()
        self._save()
        line = self._log()
        self._publish(line)
        return line

    def _match(self, encoder: Any, batch: MatchingBatch) -> None:
        """Train one step of matching."""
        device = torch.device(self.config.device)
        batch = batch.to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.config.bf16):
            turns, questions = (
                encoder(input_ids=ids, attention_mask=mask.long())[0].float()
                for ids, mask in (batch.turns, batch.questions)
            )
        loss, right = self.matching((turns, batch.turns[1]), (questions, batch.questions[1]), batch)
        self._update(loss)
        self.matched.append(right.item())

    def _update(self, loss: Tensor) -> None:
        loss.backward()
        clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1

    def _read(
        self, states: Any, inputs: dict[str, Tensor], weights: Tensor, places: Tensor
    ) -> float:
        """Train one step of reading; returns the share of first pieces that were right."""
        device = torch.device(self.config.device)
        inputs = {name: value.to(device) for name, value in inputs.items()}
        labels = inputs.pop("labels")
        asked = labels != -100  # padding needs no logits, which are the larger part of the work
        with torch.autocast(device.type, torch.bfloat16, enabled=self.config.bf16):
            encoded, decoded, attention = states(**inputs)
            logits = self.model.lm_head(decoded[asked] * self.model.config.d_model**-0.5)
        loss = weighted_loss(logits.float(), labels[asked], weights.to(device)[asked])
        first, places = weights.to(device) == 1, places.to(device)
        scores = (encoded.float() @ self.points).masked_fill(inputs["attention_mask"] == 0, -1e4)
        begins = scores.log_softmax(-1)[:, None].expand(-1, labels.shape[1], -1)
        pointer = pointer_loss(begins, places.where(first, torch.full_like(places, -1)))
        pointer = pointer + pointer_loss(attention.float().clamp_min(1e-6).log(), places)
        self._update(loss + self.config.pointer * pointer)
        self.losses.append(loss.item())
        self.questions += inputs["input_ids"].shape[0]
        self.pieces += inputs["input_ids"].numel()
        right = (logits.argmax(-1) == labels[asked])[first[asked]].float().mean().item()
        self.right.append(right)
        return right

    def _log(self) -> dict[str, Any]:
        """Measure, and add a line to log.jsonl."""
        line = {
            "step": self.step,
            "seconds": round(self.spent),
            "processor_seconds": round(time.process_time()),
            "level": self.level,
            "right": round(sum(self.right) / max(1, len(self.right)), 4),
            "matched": round(sum(self.matched) / max(1, len(self.matched)), 4),
            "loss": round(sum(self.losses) / max(1, len(self.losses)), 4),
            "questions": self.questions,
            "pieces": self.pieces,
            **measure(self.model, self.tokenizer, self.rows, keep=12),
        }
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.progress(json.dumps(_without_samples(line)))
        self.losses, self.right, self.matched = [], [], []
        self.questions = self.pieces = 0
        return line

    def _save(self) -> None:
        """Write everything that resuming needs, completely or not at all."""
        state = {
            "model": self.model.state_dict(),
            "points": self.points.data,
            "matching": self.matching.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "spent": self.spent,
            "level": self.level,
        }
        with write_file(self.out / "state.pt") as temporary:
            torch.save(state, temporary)

    def _resume(self) -> tuple[int, float]:
        """Load the state of an interrupted leg, and give its (steps, seconds)."""
        path = self.out / "state.pt"
        if not path.exists():
            return 0, 0.0
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.points.data.copy_(state["points"])
        self.matching.load_state_dict(state["matching"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.level = state["level"]
        return state["step"], state["spent"]

    def _publish(self, line: dict[str, Any]) -> None:
        """Write the leg's 16-bit checkpoint."""
        parameters = self.model.num_parameters()
        leg = {"minutes": self.config.minutes, "steps": self.step, "parameters": parameters}
        weights = self.model.state_dict()
        half: Any = T5ForConditionalGeneration(self.model.config)
        half.to(torch.bfloat16).load_state_dict(
            {name: value.to(torch.bfloat16) for name, value in weights.items()}
        )
        facts = {
            "config": asdict(self.config),  # pyright: ignore[reportArgumentType]
            "parameters": parameters,
            "machine": machine(),
            "versions": versions(),
            "legs": [*self.legs, leg],
            **_without_samples(line),
        }
        with write_folder(self.out / "model") as folder:
            half.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
            (folder / "pretrain.json").write_text(json.dumps(facts, indent=1) + "\n")


def _fuse(model: Any) -> None:
    """Compute the same activation in one operation; T5's own takes eight, which is slow on a CPU."""
    for block in [*model.encoder.block, *model.decoder.block]:
        block.layer[-1].DenseReluDense.act = nn.GELU(approximate="tanh")


def _load_tokenizer(
    out: Path, config: MiniConfig, start: str | Path | None, given: PreTrainedTokenizerFast | None
) -> PreTrainedTokenizerFast:
    folder = out / "tokenizer"
    if start:
        return AutoTokenizer.from_pretrained(start)
    if not folder.exists():
        made = given or train_tokenizer(config.vocabulary)
        with write_folder(folder) as temporary:
            made.save_pretrained(temporary)
    return AutoTokenizer.from_pretrained(folder)


def _rate(step: int, done: float, config: MiniConfig) -> float:
    """Warm up linearly, then stay constant, then follow a cosine to a twentieth at the end of the leg."""
    warm = min(1.0, (step + 1) / config.warmup)
    late = max(0.0, done - (1 - config.decay)) / config.decay if config.decay else 0.0
    return config.peak * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, late))))


def _without_samples(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "wrong"}
