"""The backbone: a frozen encoder-decoder, and everything we ask of it (chapter 1).

Frozen means that no weight changes; gradients still pass through it. Turns are encoded in batches of similar length, masked,
so that a turn's latents do not depend on its neighbours.
"""

import math
from functools import cached_property
from pathlib import Path

import torch
from huggingface_hub.utils import logging as hub_logging
from safetensors import SafetensorError
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import logging as transformers_logging

from lmem.backbone import sites
from lmem.errors import InputError
from lmem.utils.device import default_device, device_of
from lmem.utils.digest import digest

NANO = Path(__file__).parent / "assets" / "nano"
MAX_TOKENS = 384  # the paper's source length
GREEDY = {"max_new_tokens": 32, "do_sample": False, "num_beams": 1}


class Backbone:
    """A frozen model with its tokenizer. Use `load_backbone`.

    D `width`, L `layers` of the decoder, `name`, `fingerprint` of its weights
    """

    def __init__(self, model, tokenizer, name):
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.name = name
        self.width = model.config.d_model
        self.layers = len(sites.find(model, "decoder_layer")[1])

    @property
    def device(self):
        return self.model.device

    @property
    def dtype(self):
        return self.model.dtype

    @property
    def encoder(self):
        """The encoder's module."""
        return self.model.get_encoder()

    @cached_property
    def fingerprint(self):
        """SHA-256 over names, shapes and values of all weights; changes if any of them does."""
        return weights_hash(self.model)

    def tokenize(self, texts, max_tokens=MAX_TOKENS, truncate=False):
        """Texts to lists of token ids, end of text included.

        raises  InputError for an empty text, or for one longer than `max_tokens` unless `truncate`
        """
        for i, text in enumerate(texts):
            if not text.strip():
                raise InputError(
                    f"expected a text with words in it, text {i} of {len(texts)} is empty"
                )
        if not texts:
            return []
        ids = self.tokenizer(list(texts), verbose=False).input_ids
        for i, row in enumerate(ids):
            if len(row) > max_tokens:
                if not truncate:
                    raise InputError(
                        f"expected at most {max_tokens} tokens a turn, got {len(row)}: {texts[i][:60]!r}... "
                        "(truncate=True cuts it)"
                    )
                ids[i] = row[: max_tokens - 1] + row[-1:]
        return ids

    def batches(self, ids, batch_tokens=None):
        """Rows of ids in batches of similar length: (places, input_ids, attention_mask).

        batch_tokens  tokens of a batch at most, padding counted; default: what fits a CPU's cache, or fills a GPU
        """
        batch_tokens = batch_tokens or (1024 if self.device.type == "cpu" else 8192)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        start = 0
        while start < len(order):
            size = 1
            while (
                start + size < len(order)
                and (size + 1) * len(ids[order[start + size]]) <= batch_tokens
            ):
                size += 1
            places = order[start : start + size]
            rows = [torch.tensor(ids[i]) for i in places]
            tokens = torch.nn.utils.rnn.pad_sequence(rows, True, self.tokenizer.pad_token_id)
            lengths = torch.tensor([len(row) for row in rows])
            mask = (torch.arange(tokens.shape[1]) < lengths[:, None]).long()
            yield places, tokens.to(self.device), mask.to(self.device)
            start += size

    @torch.no_grad()
    def encode(self, texts, truncate=False, batch_tokens=None):
        """Latents of each text: list of (N, D), in the order of the texts, without padding.

        raises  InputError for an empty text or one that is too long
        """
        ids = self.tokenize(texts, truncate=truncate)
        latents = [None] * len(ids)
        for places, tokens, mask in self.batches(ids, batch_tokens):
            states = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
            for place, row in zip(places, states, strict=True):
                latents[place] = row[: len(ids[place])].clone()
        return latents

    def inputs(self, texts, truncate=False, latents=None):
        """Keyword arguments of an ordinary transformers call: input_ids and attention_mask, (B, N).

        latents  {text: (N, D)} of `encode`, if they are known: encoder_outputs take the place of input_ids
        raises   InputError without a text, for an empty one, or for one that is too long
        """
        if not texts:
            raise InputError("expected at least one text, got none")
        if latents:
            states, mask = pad([latents[text] for text in texts])
            return {"encoder_outputs": BaseModelOutput(states), "attention_mask": mask.long()}
        ids = self.tokenize(texts, truncate=truncate)
        [(places, tokens, mask)] = self.batches(ids, batch_tokens=float("inf"))
        back = torch.tensor(places).argsort()
        return {"input_ids": tokens[back], "attention_mask": mask[back]}

    def labels(self, texts):
        """(B, N) target ids, padding as -100."""
        batch = self.inputs(texts)
        return batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)

    @torch.no_grad()
    def encoded(self, inputs):
        """The same inputs for several calls: the encoder runs now, with whatever is attached, and not in each of them."""
        if "encoder_outputs" in inputs:
            return inputs
        return {
            "encoder_outputs": self.encoder(**inputs),
            "attention_mask": inputs["attention_mask"],
        }

    def states(self, inputs, labels):
        """What the head sees at each target token, teacher-forced: (T, D), a row for every label that is no padding.

        inputs  of `inputs` or `encoded`
        labels  (B, N) of `labels`
        """
        starts = self.model.prepare_decoder_input_ids_from_labels(labels)
        return self.head_states(inputs, starts)[labels >= 0]

    def head_states(self, inputs, decoder_input_ids):
        """Run encoder and decoder without the head.

        Args:
            inputs: Of `inputs` or `encoded`.
            decoder_input_ids: (B, N).

        Returns:
            (B, N, D), what the head would see.
        """
        states = []

        def catch(head, args):
            states.append(args[0])
            return (args[0][:0],)  # no row is left for the head

        handle = self.head.register_forward_pre_hook(catch)
        try:
            self.model(**inputs, decoder_input_ids=decoder_input_ids, use_cache=False)
        finally:
            handle.remove()
        return states[0]

    @property
    def head(self):
        """The head's module: (..., D) -> (..., V)."""
        return self.model.get_output_embeddings()

    def logits(self, inputs, labels):
        """What the model says at each target token: (T, V), as `states`; none where a label is padding, which is most of the work."""
        return self.head(self.states(inputs, labels))

    @torch.no_grad()
    def bits(self, inputs, labels):
        """(B,) log2 p(label | input), the end of the label included."""
        found = cross_entropy(
            self.logits(inputs, labels).float(), labels[labels >= 0], reduction="none"
        )
        rows = (labels >= 0).nonzero()[:, 0]
        return -found.new_zeros(len(labels)).index_add(0, rows, found) / math.log(2)

    @torch.no_grad()
    def generate(self, inputs, **options):
        """Greedy answers as texts; what is attached to the model is read."""
        out = self.model.generate(**inputs, **{**GREEDY, **options})
        return [text.strip() for text in self.tokenizer.batch_decode(out, skip_special_tokens=True)]


def pad(latents):
    """List of (N_i, D) -> (B, N, D) and mask (B, N), padding at the end."""
    states = torch.nn.utils.rnn.pad_sequence(latents, batch_first=True)
    lengths = torch.tensor([len(row) for row in latents], device=states.device)
    return states, torch.arange(states.shape[1], device=states.device) < lengths[:, None]


def weights_hash(model):
    """SHA-256 of a module's state, independent of device: hexadecimal, 64 characters."""
    return digest(model.state_dict())


def load_backbone(name="nano", device=None, dtype=None):
    """A frozen backbone: "nano" (shipped), an id on the hub such as "google/flan-t5-base", or a folder.

    device  "cpu", "cuda", ...; default: a GPU if there is one, for each process of several its own
    dtype   torch dtype; default: float32; for others than nano bfloat16 on a GPU that has it
    raises  InputError if nothing is found there, for a device that is not here, or if it is no encoder-decoder of the families in `lmem.backbone.sites`
    """
    device = device_of(device or default_device())
    if dtype is None:
        # not where it is emulated, as on a T4: that is slow
        bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(False)
        dtype = torch.bfloat16 if bf16 and name != "nano" else torch.float32
    if dtype == torch.float16:
        raise InputError(
            "float16 overflows in T5's feed-forward layers; expected bfloat16 or float32"
        )
    source = str(NANO) if name == "nano" else str(name)
    quiet = transformers_logging.get_verbosity(), hub_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    hub_logging.set_verbosity_error()  # it tells of each of its five tries
    transformers_logging.disable_progress_bar()
    try:
        kind = AutoConfig.from_pretrained(source).model_type
        if kind not in sites.SITES:
            raise InputError(
                f"expected an encoder-decoder of the family of T5, mT5 or BART at {name}, found {kind!r}"
            )
        tokenizer = AutoTokenizer.from_pretrained(source)
        if tokenizer.unk_token_id in tokenizer("hello").input_ids:
            # without its files transformers makes an empty one
            raise InputError(f"expected a tokenizer at {name}, found none that knows a letter")
        model, found = AutoModelForSeq2SeqLM.from_pretrained(
            source, dtype=dtype, output_loading_info=True
        )
        if found["missing_keys"]:  # transformers would draw them at random
            raise InputError(
                f"expected all weights of a {kind} at {name}, there is no {min(found['missing_keys'])}"
            )
        if model.state_dict().get("final_logits_bias", torch.zeros(())).any():
            raise InputError(f"expected a head without a bias at {name}, this one has one")
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        if isinstance(error, InputError):
            raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f'expected "nano", a model id on the hub or a folder, cannot load {name}: {first}'
        ) from error
    finally:
        transformers_logging.set_verbosity(quiet[0])
        hub_logging.set_verbosity(quiet[1])
    return Backbone(model.to(device), tokenizer, str(name))
