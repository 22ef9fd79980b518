"""The backbone: a frozen encoder-decoder, and everything that is computed with it (chapter 1).

Z = E(x), (N, D);   y = D(Z)      paper, section 2

Frozen means that no weight changes; gradients still pass through it. Turns are encoded in batches of similar length with a
mask, so that a turn's latents do not depend on the other turns of the batch.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.utils import logging as hub_logging
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer
from transformers import __version__ as transformers_version
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import logging as transformers_logging

from lmem.backbone import hooks, sites, support
from lmem.backbone.context import HookBlock
from lmem.errors import InputError, LmemError
from lmem.utils.device import default_device, device_of
from lmem.utils.digest import digest, versions
from lmem.utils.text import checked_text

NANO = Path(__file__).parent / "assets" / "nano"
MINI = NANO.parent / "mini"
EMBEDDED = {"nano": NANO, "mini": MINI}  # shipped with the package
MAX_TOKENS = 384  # the paper's source length
EMBEDDINGS = ("shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
GREEDY = {"max_new_tokens": 32, "do_sample": False, "num_beams": 1}


class Backbone:
    """A frozen model with its tokenizer. Use `load_backbone`.

    Attributes:
        model: A transformers encoder-decoder.
        tokenizer: Its tokenizer.
        name: "nano", "mini", an id on the hub, or a folder.
        width: D.
        layers: L, layers of the decoder.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str):
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.name = name
        self.width: int = model.config.d_model
        self.layers = len(sites.find(model, "decoder_layer")[1])
        self._hashed: tuple[tuple, str] = (), ""  # versions of the weights, and their hash

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return self.model.dtype

    @property
    def encoder(self) -> nn.Module:
        """Module of the encoder."""
        return self.model.get_encoder()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over names, shapes and values of all weights; computed again after an edit, but not one through `.data`."""
        now = versions((*self.model.parameters(), *self.model.buffers()))
        if self._hashed[0] != now:
            support.check_offloading(self.model)
            self._hashed = now, weights_hash(self.model)
        return self._hashed[1]

    def tokenize(
        self, texts: Sequence[str], max_tokens: int = MAX_TOKENS, truncate: bool = False
    ) -> list[list[int]]:
        """Return the token ids of each text, the end-of-text token included.

        Whitespace and Unicode are normalised here (`lmem.utils.text`), so that all backbones read the same.

        Raises:
            InputError: A text is no text, empty, or longer than `max_tokens` without `truncate`.
        """
        texts = [checked_text(text, f"text {i} of {len(texts)}") for i, text in enumerate(texts)]
        if not texts:
            return []
        ids = self.tokenizer(texts, verbose=False).input_ids
        for i, row in enumerate(ids):
            if len(row) > max_tokens:
                if not truncate:
                    raise InputError(
                        f"expected at most {max_tokens} tokens a turn, got {len(row)}: {texts[i][:60]!r}... "
                        "(truncate=True cuts it)"
                    )
                ids[i] = row[: max_tokens - 1] + row[-1:]
        return ids

    def batches(
        self, ids: Sequence[list[int]], batch_tokens: float | None = None
    ) -> Iterator[tuple[list[int], Tensor, Tensor]]:
        """Form batches of texts of similar length.

        Args:
            ids: Token ids of each text.
            batch_tokens: Largest number of tokens in a batch, padding included; default: what fits a CPU's cache, or fills a
                GPU.

        Yields:
            Places of the texts, input_ids (B, N), attention_mask (B, N).

        Raises:
            MethodError: The weights are in float16 or offloaded, see `lmem.backbone.support`.
        """
        support.check_weights(self.model)
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
    def encode(
        self, texts: Sequence[str], truncate: bool = False, batch_tokens: float | None = None
    ) -> list[Tensor]:
        """Return the encoder's hidden states (latents) of each text: (N, D), in the order of the texts, without padding.

        A bank that is attached is not read: latents are of the text alone.

        Raises:
            InputError: A text is empty or too long.
        """
        ids = self.tokenize(texts, truncate=truncate)
        latents: list[Any] = [None] * len(ids)
        for places, tokens, mask in self.batches(ids, batch_tokens):
            with hooks.without_banks(self.model):
                states = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
            for place, row in zip(places, states, strict=True):
                latents[place] = row[: len(ids[place])].clone()
        return latents

    def encode_after(
        self, before: Sequence[str], texts: Sequence[str], truncate: bool = False
    ) -> list[Tensor]:
        """Encode each text together with what stands in front of it, and return the text's own latents: (N, D).

        Args:
            before: What stands in front of each text, or ""; left out where both together are too long.
            texts: As in `encode`.
            truncate: As in `encode`.

        Raises:
            InputError: A text is empty or too long.
        """
        ids = self.tokenize(texts, truncate=truncate)
        in_front = dict.fromkeys(text for text in before if text)
        tokens = self.tokenize(list(in_front), truncate=True)
        without_end = (len(row) - 1 for row in tokens)
        lengths = dict(zip(in_front, without_end, strict=True))
        together = [
            f"{first} {text}" if first and lengths[first] + len(own) <= MAX_TOKENS else text
            for first, text, own in zip(before, texts, ids, strict=True)
        ]
        latents = self.encode(together, truncate)
        return [states[-len(own) :] for states, own in zip(latents, ids, strict=True)]

    def inputs(
        self,
        texts: Sequence[str],
        truncate: bool = False,
        latents: Mapping[str, Tensor] | None = None,
    ) -> dict[str, Any]:
        """Return keyword arguments of a transformers call: input_ids and attention_mask, (B, N).

        Args:
            texts: The texts.
            truncate: Cut texts that are too long.
            latents: (N, D) of each text from `encode`, if known; then the call gets encoder_outputs instead of input_ids.

        Raises:
            InputError: There is no text, or one is empty or too long.
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

    def labels(self, texts: Sequence[str]) -> Tensor:
        """Return target ids (B, N), padding as -100."""
        batch = self.inputs(texts)
        return batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)

    @torch.no_grad()
    def encoded(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Run the encoder once, with whatever is attached, and return inputs for several calls."""
        if "encoder_outputs" in inputs:
            return inputs
        return {
            "encoder_outputs": self.encoder(**inputs),
            "attention_mask": inputs["attention_mask"],
        }

    def states(self, inputs: dict[str, Any], labels: Tensor) -> Tensor:
        """Return the decoder's states before the head, teacher-forced.

        Args:
            inputs: From `inputs` or `encoded`.
            labels: (B, N), from `labels`.

        Returns:
            (T, D), one row for each label that is not padding.
        """
        starts = self.model.prepare_decoder_input_ids_from_labels(labels)
        return self.head_states(inputs, starts)[labels >= 0]

    def head_states(self, inputs: dict[str, Any], decoder_input_ids: Tensor) -> Tensor:
        """Run encoder and decoder without the head.

        Args:
            inputs: Of `inputs` or `encoded`.
            decoder_input_ids: (B, N).

        Returns:
            (B, N, D), what the head would see.
        """
        states = []

        def catch(head: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
            states.append(args[0])
            return (args[0][:0],)  # no row is left for the head

        with HookBlock() as block:
            block.before(self.head, catch)
            self.model(**inputs, decoder_input_ids=decoder_input_ids, use_cache=False)
        return states[0]

    @property
    def head(self) -> nn.Module:
        """Module of the head: (..., D) -> (..., V)."""
        return self.model.get_output_embeddings()

    def logits(self, inputs: dict[str, Any], labels: Tensor) -> Tensor:
        """Return the logits (T, V) at each label that is not padding, as in `states`; padding would be most of the work."""
        return self.head(self.states(inputs, labels))

    @torch.no_grad()
    def bits(self, inputs: dict[str, Any], labels: Tensor) -> Tensor:
        """Return (B,) bits, log2 p(label | input), the end of the label included."""
        logits, targets = self.logits(inputs, labels), labels[labels >= 0]
        losses = cross_entropy(logits.float(), targets, reduction="none")  # (T,)
        rows = (labels >= 0).nonzero()[:, 0]
        return -losses.new_zeros(len(labels)).index_add(0, rows, losses) / math.log(2)

    @torch.no_grad()
    def generate(self, inputs: dict[str, Any], **options: Any) -> list[str]:
        """Return greedy answers as texts; a bank that is attached to the model is read.

        Args:
            inputs: From `inputs` or `encoded`.
            **options: Arguments of transformers' `generate`.

        Returns:
            One text for each input; with `num_return_sequences=k` the k texts of the first input, then those of the next.

        Raises:
            InputError: An option asks for more than texts, or transformers refuses it.
            MethodError: A bank is attached, and the cache is static.
        """
        if options.get("return_dict_in_generate"):
            raise InputError(
                "expected options that leave texts as the result, not return_dict_in_generate: "
                "for scores call backbone.model.generate inside `attached`"
            )
        return self._texts(self._generated(inputs, options))

    @torch.no_grad()
    def generate_with_confidence(
        self, inputs: dict[str, Any], **options: Any
    ) -> tuple[list[str], Tensor]:
        """Return greedy answers and how sure the decoder is of each.

            confidence = product over the tokens y_i of the answer, its end included, of p(y_i | input, y_1 .. y_i-1)

        So it is the probability that the decoder gives to exactly this answer, as in `bits`. An answer that was cut off by
        `max_new_tokens` has no end that counts.

        Args:
            inputs: From `inputs` or `encoded`.
            **options: Arguments of transformers' `generate` that keep it greedy.

        Returns:
            B texts as of `generate`, and (B,) confidences from 0 to 1.

        Raises:
            InputError: An option asks for beams, samples or several answers, or transformers refuses it.
        """
        wanted = {"num_beams": 1, "do_sample": False, "num_return_sequences": 1}
        if any(options.get(name, value) != value for name, value in wanted.items()):
            raise InputError(
                "expected options that leave one greedy answer for its confidence, "
                "not num_beams, do_sample or num_return_sequences"
            )
        scored = {"return_dict_in_generate": True, "output_logits": True}
        out = self._generated(inputs, options | scored)
        logits = torch.stack(out.logits, 1).float()  # (B, N, V)
        tokens = out.sequences[:, -logits.shape[1] :]  # (B, N), without the decoder's start
        each = logits.log_softmax(-1).gather(2, tokens[:, :, None])[:, :, 0]
        ends = self.model.generation_config.eos_token_id
        is_end = torch.isin(tokens, torch.as_tensor(ends, device=tokens.device))
        after_end = is_end.cumsum(1) - is_end.long() > 0
        return self._texts(out.sequences), each.masked_fill(after_end, 0).sum(1).exp()

    def _texts(self, tokens: Tensor) -> list[str]:
        decoded = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [text.strip() for text in decoded]

    def _generated(self, inputs: dict[str, Any], options: dict[str, Any]) -> Any:
        """Call transformers' `generate`; a refusal of its own becomes one sentence."""
        if hooks.is_attached(self.model):
            for source in (options, vars(options.get("generation_config") or object)):
                support.check_cache(source.get("cache_implementation") or "dynamic")
                support.check_cache(source.get("past_key_values"))
        try:
            return self.model.generate(**inputs, **{**GREEDY, **options})
        except (ValueError, TypeError, AssertionError, ArithmeticError) as error:
            if isinstance(error, LmemError):
                raise
            first = str(error).strip().split("\n")[0]
            raise InputError(
                f"expected options that transformers can generate with: {first}"
            ) from error


def pad(latents: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Pad latents (N_i, D) at the end: (B, N, D) and mask (B, N)."""
    states = torch.nn.utils.rnn.pad_sequence(list(latents), batch_first=True)
    lengths = torch.tensor([len(row) for row in latents], device=states.device)
    return states, torch.arange(states.shape[1], device=states.device) < lengths[:, None]


def last_place(ids: Sequence[int], pieces: Sequence[int], first: int = 0) -> int | None:
    """Find where some pieces stand for the last time in a text's ids, at `first` or later; None if they do not."""
    for start in range(len(ids) - len(pieces), first - 1, -1):
        if ids[start] == pieces[0] and ids[start : start + len(pieces)] == pieces:
            return start
    return None


def weights_hash(model: nn.Module) -> str:
    """Return the SHA-256 of a module's state, 64 hexadecimal characters, the same on every device."""
    return digest(model.state_dict())


@torch.inference_mode(False)  # a weight that is made in inference mode can never be trained through
def load_backbone(
    name: str | Path = "nano",
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Backbone:
    """Load a frozen backbone.

    Args:
        name: "nano" or "mini" (shipped), an id on the hub such as "google/flan-t5-base", or a folder.
        device: "cpu", "cuda", ...; default: a GPU if there is one, and one for each process of several.
        dtype: Default: float32; bfloat16 for others than these two on a GPU that has it.

    Raises:
        InputError: Nothing can be loaded from there, the machine has no such device, or the model is no encoder-decoder of the
            families in `lmem.backbone.sites`.
    """
    device = device_of(device or default_device())
    if dtype is None:
        # not where bfloat16 is emulated, as on a T4: that is slow
        bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(False)
        dtype = torch.bfloat16 if bf16 and name not in EMBEDDED else torch.float32
    if dtype == torch.float16:
        raise InputError(
            "float16 overflows in T5's feed-forward layers; expected bfloat16 or float32"
        )
    verbosity = transformers_logging.get_verbosity(), hub_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    hub_logging.set_verbosity_error()  # it reports each of its five tries
    transformers_logging.disable_progress_bar()
    try:
        model, tokenizer = _load(str(EMBEDDED.get(str(name), name)), dtype, name)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        if isinstance(error, InputError):
            raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f'expected "nano", "mini", a model id on the hub or a folder, cannot load {name}: {first}'
        ) from error
    finally:
        transformers_logging.set_verbosity(verbosity[0])
        hub_logging.set_verbosity(verbosity[1])
    return Backbone(model.to(device), tokenizer, str(name))


def _load(source: str, dtype: torch.dtype, name: str | Path) -> tuple[Any, Any]:
    """Return model and tokenizer; InputError for what transformers would load without complaint but wrongly."""
    kind = AutoConfig.from_pretrained(source).model_type
    if kind not in sites.SITES:
        raise InputError(
            f"expected an encoder-decoder out of {', '.join(sites.SITES)} at {name}, found {kind!r}"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
    except (ImportError, ValueError) as error:
        if not any(
            word in str(error).lower() for word in ("sentencepiece", "tiktoken", "protobuf")
        ):
            raise
        raise InputError(
            f"expected a tokenizer.json at {name}, found a SentencePiece model alone, as mT5 has it; to read it install "
            "sentencepiece and protobuf (`pip install sentencepiece protobuf`)"
        ) from error
    if tokenizer.unk_token_id in tokenizer("hello").input_ids:
        # without its files transformers makes an empty one
        raise InputError(f"expected a tokenizer at {name}, found none that knows a letter")
    model, loaded = AutoModelForSeq2SeqLM.from_pretrained(
        source, dtype=dtype, output_loading_info=True
    )
    if loaded["missing_keys"]:  # transformers would draw them at random
        raise InputError(
            f"expected all weights of a {kind} at {name}, there is no {min(loaded['missing_keys'])}"
        )
    embeddings = _stored_embeddings(source)
    if embeddings is not None and not torch.equal(
        embeddings.to(dtype), model.get_input_embeddings().weight.cpu()
    ):
        raise InputError(
            f"expected the embeddings in the files of {name}, transformers {transformers_version} loads others: install a "
            "newer transformers"
        )
    if model.state_dict().get("final_logits_bias", torch.zeros(())).any():
        raise InputError(f"expected a head without a bias at {name}, this one has one")
    return model, tokenizer


def _stored_embeddings(source: str) -> Tensor | None:
    """Return the input embeddings (V, D) as the files of a T5 hold them, under whatever name; None if they cannot be found.

    transformers 5.1 silently ties an untied T5's embeddings to its head if the file has no `shared.weight`.
    """
    files = {}
    index = _file_of(source, "model.safetensors.index.json")
    if index is not None:
        files = json.loads(index.read_text())["weight_map"]
    for name in EMBEDDINGS:
        path = _file_of(source, files.get(name, "model.safetensors"))
        if path is not None:
            with safe_open(str(path), framework="pt") as file:
                if name in file.keys():  # noqa: SIM118
                    return file.get_tensor(name)
    return None


def _file_of(source: str, name: str) -> Path | None:
    """Return the path of a file of a folder or of a model that was downloaded from the hub; None if there is none."""
    path = Path(source) / name
    if not Path(source).is_dir():
        cached = try_to_load_from_cache(source, name)
        path = Path(cached) if isinstance(cached, str) else path
    return path if path.is_file() else None
