"""The making of nano: a small T5 that reads tinyworld's language and has nothing in its weights to answer from (chapter 1).

Text to text only: a question and 1 to 8 turns go into the encoder, and the answer comes out of the decoder, "unknown" where
the turns do not say. Values are combinations of words, drawn again for every conversation, so nothing can be memorised; what
remains to be learned is reading. Nothing here uses a bank: the memory's backbone has never seen a memory.

Two things make it read the subject of a turn, and not only its relation. Its attention starts as copying by likeness
(`copying_t5`), and it first learns to list many facts of the same turns (`lmem.data.reading.listings`), then to answer.
"""

import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from lmem.backbone.backbone import NANO, Backbone, load_backbone
from lmem.backbone.reading import TURNS, measure
from lmem.data.reading import listings, readings
from lmem.data.tinyworld import World
from lmem.data.tinyworld.text import vocabulary
from lmem.errors import InputError
from lmem.utils.files import write_folder, write_text
from lmem.utils.progress import track
from lmem.utils.provenance import machine, versions
from lmem.utils.settings import AtLeast1, AtLeast2, Positive, Settings, Share, settings

Example: TypeAlias = tuple[list[int], list[int], list[int]]  # encoder input, decoder input, labels


@settings
class PretrainConfig(Settings):
    """Settings of the making of nano (chapter 1).

    Attributes:
        steps: Training steps.
        batch: Questions of a step.
        muon_lr: Learning rate of Muon, for the layers' matrices.
        lr: AdamW's learning rate for norms.
        table_lr: AdamW's learning rate for embeddings and position biases.
        warmup: Steps of linear warm-up.
        turns: Most turns in an input.
        listings: Share of the steps, at the start, in which 3 of 4 batches are listings; afterwards it is 1 of 8.
        undated: Share of the conversations whose turns have no date.
        alike: Share of the readings whose other turns state the same relation of somebody else.
        width: Model width D.
        heads: Attention heads H.
        feed_forward: Width of the feed-forward layers.
        layers: Layers of the encoder, and of the decoder.
        bf16: Train under bfloat16 autocast.
        compile: Use torch.compile, twice as fast on a CPU. It needs a C++ compiler, and 2 minutes at first.
        seed: Seed of weights and batches.
        log_every: Steps between two measurements, at each of which nano is saved.
    """

    steps: AtLeast1 = 8000
    batch: AtLeast1 = 64
    muon_lr: Positive = 3e-3
    lr: Positive = 1.5e-3
    table_lr: Positive = 1e-2
    warmup: AtLeast1 = 100
    turns: AtLeast2 = 8
    listings: Share = 0.15
    undated: Share = 0.3
    alike: Share = 0.5
    width: AtLeast1 = 128
    heads: AtLeast1 = 8
    feed_forward: AtLeast1 = 256
    layers: AtLeast1 = 4
    bf16: bool = True
    compile: bool = False
    seed: int = 0
    log_every: AtLeast1 = 500

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise InputError(f"width {self.width} cannot be split over {self.heads} heads")


# ---- tokenizer and model ---------------------------------------------------------------------------

SPECIALS = ("<pad>", "</s>", "<unk>")
_SCORES = {"mark": -3.0, "word": -5.0, "character": -12.0, "byte": -20.0}  # the likelier piece wins


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Make a tokenizer: words of tinyworld are single pieces, any other text is spelled in characters and bytes.

    Returns:
        A Unigram model of the library tokenizers; end of text is added to every text.
    """
    marks = [".", ",", "?", "!", ":", "'s", "▁context:", "▁question:"]
    characters = [chr(c) for c in range(33, 127) if chr(c) not in marks]
    pieces = [(piece, 0.0) for piece in SPECIALS]
    pieces += [(piece, _SCORES["mark"]) for piece in marks]
    pieces += [("▁" + word, _SCORES["word"]) for word in vocabulary()]
    pieces += [(piece, _SCORES["character"]) for piece in [*characters, "▁"]]
    pieces += [(f"<0x{byte:02X}>", _SCORES["byte"]) for byte in range(256)]
    core = Tokenizer(models.Unigram(pieces, unk_id=2, byte_fallback=True))
    core.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    core.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    return finished_tokenizer(core)


def finished_tokenizer(core: Tokenizer) -> PreTrainedTokenizerFast:
    """Make a tokenizer of transformers out of one whose first pieces are SPECIALS; it ends every text."""
    ending = [(SPECIALS[1], 1)]
    core.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=ending)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=SPECIALS[0],
        eos_token=SPECIALS[1],
        unk_token=SPECIALS[2],
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def build_model(
    config: PretrainConfig, tokenizer: PreTrainedTokenizerFast
) -> T5ForConditionalGeneration:
    """Make nano with random weights: as many layers in the decoder as in the encoder."""
    sizes = (config.width, config.heads, config.width // config.heads, config.feed_forward)
    return copying_t5(len(tokenizer), *sizes, config.layers, config.layers)


def copying_t5(
    pieces: int,
    width: int,
    heads: int,
    head_size: int,
    feed_forward: int,
    encoder_layers: int,
    decoder_layers: int,
) -> T5ForConditionalGeneration:
    """Make a T5 with random weights whose attention starts as copying by likeness; embeddings tied.

    Args:
        pieces: Pieces of the tokenizer.
        width: Model width D.
        heads: Attention heads H; the first half of the encoder's prefer near tokens.
        head_size: Numbers of a head's queries and keys.
        feed_forward: Width of the feed-forward layers.
        encoder_layers: Layers of the encoder.
        decoder_layers: Layers of the decoder.
    """
    shape = T5Config(
        vocab_size=pieces,
        d_model=width,
        d_kv=head_size,
        d_ff=feed_forward,
        num_layers=encoder_layers,
        num_decoder_layers=decoder_layers,
        num_heads=heads,
        dropout_rate=0.0,
        feed_forward_proj="gated-gelu",
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,  # pyright: ignore[reportCallIssue]
    )
    # eager: for short inputs on a CPU its backward pass is faster than the fused kernel's
    model = T5ForConditionalGeneration._from_config(shape, attn_implementation="eager")
    near = heads // 2
    encoder: Any = model.encoder.block
    decoder: Any = model.decoder.block
    _look_near(encoder[0].layer[0].SelfAttention, near)
    for block in encoder:
        _copy_alike(block.layer[0].SelfAttention, near)
    for block in decoder:
        _copy_alike(block.layer[1].EncDecAttention, 0)
    return model


@torch.no_grad()
def _look_near(attention: Any, heads: int) -> None:
    """Start the first heads of the encoder with a preference for near tokens, so that a value soon finds its own turn's subject.

    The position bias falls linearly with the distance, with another slope for every head, as in ALiBi (Press et al., 2022).
    From T5's own start, near zero, the same takes several times as many steps.
    """
    bias = attention.relative_attention_bias.weight  # (buckets, H)
    half = len(bias) // 2  # buckets of one direction: every distance up to half / 2, then in powers
    exact = half // 2
    place = torch.arange(half, dtype=bias.dtype)
    far = exact * (attention.relative_attention_max_distance / exact) ** ((place - exact) / exact)
    distance = torch.where(place < exact, place, far).repeat(2)
    slopes = torch.zeros(bias.shape[1])
    slopes[:heads] = 0.5 ** torch.arange(heads)
    bias.copy_(-distance[:, None] * slopes)


@torch.no_grad()
def _copy_alike(attention: Any, heads: int) -> None:
    """Start an attention as copying by likeness: a token takes over what similar tokens carry.

        q = k: scores are inner products, largest between tokens that share content, such as the same name
        v = Q, o = Q^T, Q of orthonormal columns: what is attended to is added unchanged, not mixed at random

    The first `heads` heads keep their random queries and keys.
    """
    rotation = torch.linalg.qr(torch.randn_like(attention.v.weight))[0]
    attention.v.weight.copy_(rotation)
    attention.o.weight.copy_(rotation.T)
    same = slice(heads * attention.key_value_proj_dim, None)
    size = 0.2 / attention.key_value_proj_dim**0.5
    attention.q.weight[same] = size * torch.randn_like(attention.q.weight[same])
    attention.k.weight[same] = attention.q.weight[same]


# ---- training --------------------------------------------------------------------------------------


def pretrain(
    out: str | Path, config: PretrainConfig | None = None, progress: bool = True
) -> dict[str, Any]:
    """Train nano from random weights and write it as a folder: weights, tokenizer, configuration, model card.

    Args:
        out: Folder to write.
        config: Steps, sizes, seed.
        progress: Show progress and the figures of each measurement.

    Returns:
        The figures of the model card.
    """
    config = config or PretrainConfig()
    torch.manual_seed(config.seed)
    tokenizer = build_tokenizer()
    model = build_model(config, tokenizer)
    model.train()
    optimizers = make_optimizers(model, config.muon_lr, config.lr, config.table_lr)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, partial(_rate, config=config))
        for optimizer in optimizers
    ]
    batches = Batches(config, tokenizer)
    forward: Any = torch.compile(model, dynamic=True) if config.compile else model
    begun, losses, facts = time.perf_counter(), [], {}
    for step in track(range(config.steps), "pre-training", progress):
        inputs = batches.next(step)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            loss = forward(**inputs, use_cache=False).loss
        loss.backward()
        clip_grad_norm_(model.parameters(), 1.0)
        for stepped in (*optimizers, *schedules):
            stepped.step()
        model.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if (step + 1) % config.log_every == 0 or step + 1 == config.steps:
            recent = losses[-config.log_every :]
            read = measure(Backbone(model, tokenizer, "nano"), 300, seed="validation")
            facts = {
                "config": asdict(config),
                "parameters": model.num_parameters(),
                "steps": step + 1,
                "seconds": round(time.perf_counter() - begun),
                "loss": round(sum(recent) / len(recent), 4),
                "validation": read["em"],
                "machine": machine(),
                "versions": versions(),
            }
            model.train().requires_grad_(True)
            with write_folder(out) as folder:
                model.save_pretrained(folder)
                tokenizer.save_pretrained(folder)
                (folder / "pretrain.json").write_text(json.dumps(facts, indent=1) + "\n")
            if progress:
                shown = ("steps", "seconds", "loss", "validation")
                print(*(f"{name} {facts[name]}" for name in shown), flush=True)
    return facts | {"reading": write_card(out)}


def write_card(folder: str | Path) -> dict[str, dict]:
    """Measure a finished nano and write its model card, README.md.

    Returns:
        The three measurements: with_evidence, without_evidence, alike.
    """
    folder = Path(folder)
    facts = json.loads((folder / "pretrain.json").read_text())
    backbone = load_backbone(str(folder), dtype=torch.float32)
    reads, knows = measure(backbone, evidence=True), measure(backbone, evidence=False)
    alike = measure(backbone, alike=True)
    percent = {"em": reads["em"], "low": reads["low"], "high": reads["high"]}
    percent |= {f"alike_{key}": alike[key] for key in ("em", "low", "high")}
    percent |= {"without": knows["em"], "guess": knows["best_guess"]}
    card = (NANO.parent / "nano_card.md").read_text(encoding="utf-8")
    card = card.format(
        **facts["config"] | {"steps": facts["steps"]},
        **{name: facts["machine"][name] for name in ("threads", "processor", "device")},
        **{name: 100 * share for name, share in percent.items()},
        compiled=" --compile" if facts["config"].get("compile") else "",
        parameters=facts["parameters"],
        minutes=facts["seconds"] / 60,
        n=reads["n"],
        shown=TURNS,
        by_kind=", ".join(f"{kind} {100 * em:.1f}%" for kind, em in reads["by_kind"].items()),
    )
    write_text(folder / "README.md", card)
    return {"with_evidence": reads, "without_evidence": knows, "alike": alike}


def make_optimizers(
    model: nn.Module, muon_lr: float, lr: float, table_lr: float
) -> list[torch.optim.Optimizer]:
    """Make Muon for the layers' matrices, and AdamW for embeddings, norms and position biases.

    Args:
        model: A T5.
        muon_lr: Learning rate of the matrices.
        lr: Learning rate of the norms.
        table_lr: Learning rate of embeddings and position biases.
    """
    matrices, norms, tables = [], [], []
    for name, weight in model.named_parameters():
        if name == "shared.weight" or "relative_attention_bias" in name:
            tables.append(weight)
        elif weight.ndim == 2:
            matrices.append(weight)
        else:
            norms.append(weight)
    groups = [{"params": norms}, {"params": tables, "lr": table_lr}]
    return [
        torch.optim.Muon(matrices, lr=muon_lr, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _rate(step: int, config: PretrainConfig) -> float:
    """Warm up linearly, then stay constant, then follow a cosine to zero over the last three quarters."""
    warm = min(1.0, (step + 1) / config.warmup)
    late = max(0.0, step / config.steps - 0.25) / 0.75
    return warm * 0.5 * (1 + math.cos(math.pi * late))


class Batches:
    """Training batches, generated for every step: listings, and readings of 1 to `turns` turns of dense small worlds."""

    ahead = 16  # batches drawn together and sorted by length, so little of a batch is padding

    def __init__(self, config: PretrainConfig, tokenizer: PreTrainedTokenizerFast) -> None:
        self.config, self.tokenizer = config, tokenizer
        self.random = random.Random(f"batches {config.seed}")
        self.readings = self._sorted(self._readings(), config.batch)
        self.listings = self._sorted(self._listings(), max(1, config.batch // 2))

    def next(self, step: int) -> dict[str, Tensor]:
        """Give the batch of a step: input_ids, attention_mask, decoder_input_ids and labels, (B, N) each."""
        if step < self.config.listings * self.config.steps:
            return next(self.listings if step % 4 else self.readings)
        return next(self.readings if step % 8 else self.listings)

    def _readings(self) -> Iterator[Example]:
        """Questions with their answers."""
        examples = readings(
            f"train {self.config.seed}",
            lambda: self.random.randint(1, self.config.turns),
            _dense_world,
            answered=False,
            undated=self.config.undated,
            alike=self.config.alike,
        )
        for example in examples:
            answer = self._ids(example.target)
            yield self._ids(example.source), [0, *answer[:-1]], answer

    def _listings(self) -> Iterator[Example]:
        """Facts of the same turns, one after the other: the decoder is given the keys and learns the values."""
        for listing in listings(f"train {self.config.seed}", self.config.turns):
            targets, labels = [], []
            for fact in listing.facts:
                key, value = (self._ids(text)[:-1] for text in fact)
                targets += key + value
                labels += [-100] * len(key) + value
            yield self._ids(listing.source), [0, *targets[:-1]], labels

    def _sorted(self, examples: Iterator[Example], size: int) -> Iterator[dict[str, Tensor]]:
        """Batch examples of similar length."""
        while True:
            drawn = sorted(islice(examples, size * self.ahead), key=lambda example: len(example[0]))
            batches = [drawn[i : i + size] for i in range(0, len(drawn), size)]
            self.random.shuffle(batches)
            for batch in batches:
                sources, inputs, labels = (
                    [torch.tensor(ids) for ids in part] for part in zip(*batch, strict=True)
                )
                padded = pad_sequence(sources, batch_first=True)
                yield {
                    "input_ids": padded,
                    "attention_mask": (padded != 0).long(),
                    "decoder_input_ids": pad_sequence(inputs, batch_first=True),
                    "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
                }

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text).input_ids


def _dense_world(rng: random.Random) -> World:
    """Draw a small world in which facts are many and alike, so that a shortcut does not read them."""
    return World(
        turns=rng.choice([16, 24, 40]),
        facts=rng.choice([0.35, 0.6, 0.8]),
        subjects=rng.choice([4, 6, 8, 12]),
        relations=rng.choice([3, 6, 12, None]),
        mix=(0.5, 0.18, 0.22, 0.1),
    )
