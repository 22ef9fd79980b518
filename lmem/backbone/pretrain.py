"""The making of nano: a small T5 that reads tinyworld's language and knows nothing by heart (chapter 1).

Text to text only: a question and 1 to 8 turns go into the encoder, the answer comes out of the decoder, "unknown" where
nobody told. Values are combinations drawn anew for every conversation, so nothing can be learned by heart; what remains to
be learned is reading. Nothing here knows of banks: the memory's backbone never saw a memory.

Two things make it read whom a turn speaks of, and not only what is asked. Its attention starts as copying by likeness
(`_copy_alike`), and it learns first to list many facts of the same turns (`lmem.data.reading.listings`), then to answer.
"""

import json
import math
import random
import re
import time
from dataclasses import asdict, replace
from itertools import islice, product
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from torch.nn.utils import clip_grad_norm_
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from lmem.backbone.backbone import Backbone, load_backbone
from lmem.backbone.reading import TURNS, measure
from lmem.data import tinyworld
from lmem.data.reading import listings, readings
from lmem.data.tinyworld import language as words
from lmem.errors import InputError
from lmem.utils.files import write_file, write_folder
from lmem.utils.progress import track
from lmem.utils.provenance import machine, versions
from lmem.utils.settings import AtLeast1, AtLeast2, Positive, Settings, Share, settings


@settings
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

    def __post_init__(self):
        if self.width % self.heads:
            raise InputError(f"width {self.width} cannot be split over {self.heads} heads")


SPECIALS = ("<pad>", "</s>", "<unk>")
_SCORES = {"mark": -3.0, "word": -5.0, "character": -12.0, "byte": -20.0}  # the likelier piece wins


def build_tokenizer():
    """Whole words of tinyworld as single pieces, any other text in characters and bytes.

    returns  a PreTrainedTokenizerFast around a Unigram model of tokenizers, end of text added
    """
    marks = [".", ",", "?", "!", ":", "'s", "▁context:", "▁question:"]
    vocabulary = [(piece, 0.0) for piece in SPECIALS]
    vocabulary += [(piece, _SCORES["mark"]) for piece in marks]
    vocabulary += [("▁" + word, _SCORES["word"]) for word in _words()]
    single = {piece for piece in marks if len(piece) == 1}
    vocabulary += [(chr(c), _SCORES["character"]) for c in range(33, 127) if chr(c) not in single]
    vocabulary += [("▁", _SCORES["character"])]
    vocabulary += [(f"<0x{byte:02X}>", _SCORES["byte"]) for byte in range(256)]
    space = {"replacement": "▁", "prepend_scheme": "always"}
    core = Tokenizer(models.Unigram(vocabulary, unk_id=2, byte_fallback=True))
    core.pre_tokenizer = pre_tokenizers.Metaspace(**space)
    core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(**space)])
    core.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"], clean_up_tokenization_spaces=False,
    )  # fmt: skip


def _words():
    """Every word that a tinyworld conversation can hold, in both cases where a sentence can begin with it."""
    found = {words.UNKNOWN, *words.PEOPLE, *words.PETS, *words.PLACES, *words.MONTHS}
    found |= {str(day) for day in range(1, 32)}
    found |= {
        f"{first}-{second}" for pools in words.VALUES.values() for first, second in product(*pools)
    }
    phrases = [*words.OPENERS, *words.CORRECTIONS, *words.CLOSERS, *words.CHAT]
    for relation, (_, _, statements, questions) in words.RELATIONS.items():
        found.add(relation)
        for subject, speaker in (("Ana", "Ana"), ("Ana", "Ben")):
            for statement in statements:
                event = tinyworld.Event(speaker, subject, relation, statement)
                for opener in ("", "listen,"):
                    said = tinyworld.say(replace(event, opener=opener), "Ana")
                    phrases.append(said)
        ask = [tinyworld.Ask("single", "Ana", (relation,), question) for question in questions]
        phrases += [tinyworld.question_text(one) for one in ask]
    for phrase in phrases:
        for text in (phrase, phrase[:1].upper() + phrase[1:]):
            found |= set(re.findall(r"[A-Za-z]+", text.replace("'s", "").replace("{P}", "")))
    return sorted(found)


def build_model(config, tokenizer):
    """A T5 with random weights: `layers` in the encoder and as many in the decoder, embeddings tied."""
    shape = T5Config(
        vocab_size=len(tokenizer), d_model=config.width, d_kv=config.width // config.heads,
        d_ff=config.feed_forward, num_layers=config.layers, num_decoder_layers=config.layers,
        num_heads=config.heads, dropout_rate=0.0, feed_forward_proj="gated-gelu",
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
    )  # fmt: skip
    # eager: for short inputs on a CPU its backward pass is faster than the fused kernel's
    model = T5ForConditionalGeneration._from_config(shape, attn_implementation="eager")
    near = config.heads // 2
    _look_near(model.encoder.block[0].layer[0].SelfAttention, near)
    for block in model.encoder.block:
        _copy_alike(block.layer[0].SelfAttention, near)
    for block in model.decoder.block:
        _copy_alike(block.layer[1].EncDecAttention, 0)
    return model


@torch.no_grad()
def _look_near(attention, heads):
    """Start the first heads of the encoder with a liking for near tokens, so that a value soon finds its own turn's subject.

    The position bias falls linearly with the distance, by another slope for every head, as in ALiBi (Press et al., 2022);
    from T5's own start, near zero, the same takes several times as many steps.
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
def _copy_alike(attention, heads):
    """Start an attention as copying by likeness: who is like me, I take over what it carries.

        q = k: scores are inner products, largest between tokens that share content, such as the same name
        v = Q, o = Q^T, Q orthogonal: what is found is added as it is, not mixed at random

    The first `heads` heads keep their random queries and keys.
    """
    width = attention.v.weight.shape[0]
    rotation = torch.linalg.qr(torch.randn(width, width))[0]
    attention.v.weight.copy_(rotation)
    attention.o.weight.copy_(rotation.T)
    same = slice(heads * attention.key_value_proj_dim, None)
    attention.q.weight[same] = 0.05 * torch.randn_like(attention.q.weight[same])
    attention.k.weight[same] = attention.q.weight[same]


def pretrain(out, config=None, progress=True):
    """Train nano from nothing and write it as a folder: weights, tokenizer, configuration, model card.

    out      folder to write (to a temporary one first, then renamed)
    config   PretrainConfig; steps, sizes, seed
    returns  dict with the figures of the model card
    """
    config = config or PretrainConfig()
    torch.manual_seed(config.seed)
    tokenizer = build_tokenizer()
    model = build_model(config, tokenizer)
    model.train()
    optimizers = _optimizers(model, config)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(one, lambda step: _rate(step, config))
        for one in optimizers
    ]
    batches = _Batches(config, tokenizer)
    forward = torch.compile(model, dynamic=True) if config.compile else model
    begun, losses = time.perf_counter(), []
    for step in track(range(config.steps), "pre-training", progress):
        inputs = batches.next(step)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            loss = forward(**inputs, use_cache=False).loss
        loss.backward()
        clip_grad_norm_(model.parameters(), 1.0)
        for one in (*optimizers, *schedules):
            one.step()
        model.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if (step + 1) % config.log_every == 0 or step + 1 == config.steps:
            facts = {
                "config": asdict(config),
                "parameters": model.num_parameters(),
                "steps": step + 1,
                "seconds": round(time.perf_counter() - begun),
                "loss": round(
                    sum(losses[-config.log_every :]) / len(losses[-config.log_every :]), 4
                ),
                "validation": measure(Backbone(model, tokenizer, "nano"), 300, seed="validation")[
                    "em"
                ],
                "machine": machine(),
                "versions": versions(),
            }
            model.train().requires_grad_(True)
            _save(out, model, tokenizer, facts)
            if progress:
                print(
                    *(
                        f"{name} {facts[name]}"
                        for name in ("steps", "seconds", "loss", "validation")
                    ),
                    flush=True,
                )
    facts["reading"] = write_card(out)
    return facts


CARD = """# nano

A T5 of {layers} + {layers} layers, width {width}, {heads} heads, {parameters:,} weights, embeddings tied. It was trained from
random weights on tinyworld's generated language and on nothing else: a question and up to {turns} turns of a conversation in,
the answer out ("unknown" where nobody told). It is the frozen backbone of the book; it knows no English beyond that language,
spells every other word in characters and bytes, and is of no use outside this project.

| | |
|---|---|
| made by | `lmem pretrain{compiled}`, seed {seed}, {steps} steps of {batch} questions, generated anew for every step |
| time | {minutes:.0f} minutes on {threads} threads of {processor}, {device} |
| reads | {em:.1f}% exact match on {n} held-out questions with {shown} turns in the input, the evidence among them (95% interval {low:.1f} to {high:.1f}) |
| by kind | {by_kind} |
| among turns alike | {alike_em:.1f}% ({alike_low:.1f} to {alike_high:.1f}) of questions beside turns that tell the same relation of somebody else, where the subject must be read too |
| knows nothing | {without:.1f}% with the evidence left out; the best constant answer per relation would get {guess:.1f}% |

The held-out conversations are drawn by other seeds. Values are combinations of words, so their words are known and their
combinations are new. Licence: that of lmem, Apache-2.0.
"""


def write_card(folder):
    """Measure a finished nano and write its model card, README.md; returns the three measurements."""
    folder = Path(folder)
    facts = json.loads((folder / "pretrain.json").read_text())
    backbone = load_backbone(folder, dtype=torch.float32)
    reads, knows = measure(backbone, evidence=True), measure(backbone, evidence=False)
    alike = measure(backbone, alike=True)
    kinds = ", ".join(f"{kind} {100 * em:.1f}%" for kind, em in reads["by_kind"].items())
    card = CARD.format(
        **facts["config"] | {"steps": facts["steps"]},
        **{name: facts["machine"][name] for name in ("threads", "processor", "device")},
        compiled=" --compile" if facts["config"].get("compile") else "",
        parameters=facts["parameters"],
        minutes=facts["seconds"] / 60,
        n=reads["n"],
        shown=TURNS,
        em=100 * reads["em"],
        low=100 * reads["low"],
        high=100 * reads["high"],
        by_kind=kinds,
        alike_em=100 * alike["em"],
        alike_low=100 * alike["low"],
        alike_high=100 * alike["high"],
        without=100 * knows["em"],
        guess=100 * knows["best_guess"],
    )
    with write_file(folder / "README.md") as temporary:
        temporary.write_text(card, encoding="utf-8")
    return {"with_evidence": reads, "without_evidence": knows, "alike": alike}


def _optimizers(model, config):
    """Muon for the layers' matrices, AdamW for embeddings, norms and position biases."""
    matrices, norms, tables = [], [], []
    for name, weight in model.named_parameters():
        table = name == "shared.weight" or "relative_attention_bias" in name
        (tables if table else matrices if weight.ndim == 2 else norms).append(weight)
    groups = [{"params": norms}, {"params": tables, "lr": config.table_lr}]
    return [
        torch.optim.Muon(
            matrices, lr=config.muon_lr, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _save(out, model, tokenizer, facts):
    with write_folder(out) as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "pretrain.json").write_text(json.dumps(facts, indent=1) + "\n")


def _rate(step, config):
    """Linear warm-up, then constant, then a cosine to zero over the last three quarters."""
    warm = min(1.0, (step + 1) / config.warmup)
    late = max(0.0, step / config.steps - 0.25) / 0.75
    return warm * 0.5 * (1 + math.cos(math.pi * late))


class _Batches:
    """Training batches, generated anew: listings, and readings of 1 to `turns` turns from dense little worlds."""

    ahead = 16  # batches drawn together and sorted by length, so little of a batch is padding

    def __init__(self, config, tokenizer):
        self.config, self.tokenizer = config, tokenizer
        self.random = random.Random(f"batches {config.seed}")
        self.readings = self._sorted(self._readings(), config.batch)
        self.listings = self._sorted(self._listings(), max(1, config.batch // 2))

    def next(self, step):
        first = step < self.config.listings * self.config.steps
        return next(self.listings if (step % 4 if first else step % 8 == 0) else self.readings)

    def _readings(self):
        """(source, decoder's input, labels) of a question and its answer."""
        drawn = readings(
            f"train {self.config.seed}", lambda: self.random.randint(1, self.config.turns),
            _dense_world, told=False, undated=self.config.undated, alike=self.config.alike,
        )  # fmt: skip
        for one in drawn:
            answer = self._ids(one.target)
            yield self._ids(one.source), [0, *answer[:-1]], answer

    def _listings(self):
        """The same of facts told one after the other: the keys are given, the values are to be said."""
        for one in listings(f"train {self.config.seed}", self.config.turns):
            said, labels = [], []
            for key, value in one.facts:
                key, value = self._ids(key)[:-1], self._ids(value)[:-1]
                said += key + value
                labels += [-100] * len(key) + value
            yield self._ids(one.source), [0, *said[:-1]], labels

    def _sorted(self, rows, size):
        while True:
            drawn = sorted(islice(rows, size * self.ahead), key=lambda row: len(row[0]))
            batches = [drawn[i : i + size] for i in range(0, len(drawn), size)]
            self.random.shuffle(batches)
            for batch in batches:
                sources, inputs, labels = (
                    torch.nn.utils.rnn.pad_sequence(
                        [torch.tensor(row[part]) for row in batch], True, padding
                    )
                    for part, padding in ((0, 0), (1, 0), (2, -100))
                )
                yield {
                    "input_ids": sources,
                    "attention_mask": (sources != 0).long(),
                    "decoder_input_ids": inputs,
                    "labels": labels,
                }

    def _ids(self, text):
        return self.tokenizer(text).input_ids


def _dense_world(rng):
    """A small world in which facts are many and alike, so that a shortcut does not read them."""
    return tinyworld.World(
        turns=rng.choice([16, 24, 40]),
        facts=rng.choice([0.35, 0.6, 0.8]),
        subjects=rng.choice([4, 6, 8, 12]),
        relations=rng.choice([3, 6, 12, None]),
        mix=(0.5, 0.18, 0.22, 0.1),
    )
