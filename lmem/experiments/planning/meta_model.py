"""A method on a backbone of which only the configuration is known: what each unit of a run costs (chapter 15).

The units are those that training and evaluation consist of: encode, write, step, answer, bits. They run on the meta device with
all hooks attached, and `op_cost` counts. The same units with weights are in `lmem.bench.units`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForSeq2SeqLM, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from lmem.backbone import hooks, sites
from lmem.backbone.backbone import EMBEDDED, Backbone
from lmem.errors import InputError
from lmem.experiments.planning.op_cost import Cost, MachineSpeed, cost
from lmem.experiments.planning.workload import Workload
from lmem.memory import methods
from lmem.memory.bank import State


class AnswerCost(NamedTuple):
    """What an answer costs that is decoded token by token.

    Attributes:
        first: The first token, with the encoder if it runs.
        two: Two further tokens.
        peak: Bytes in use at the last token.
        tokens: Length of the answer.
    """

    first: Cost
    two: Cost
    peak: int
    tokens: int

    def seconds(self, speed: MachineSpeed) -> float:
        """Return the time of the whole answer on a machine of this speed."""
        return self.first.seconds(speed) + (self.tokens - 1) / 2 * self.two.seconds(speed)


class MetaMethod:
    """A method on a backbone without weights; everything is on the meta device.

    Attributes:
        backbone: Of `load_without_weights`; it has no tokenizer.
        write, read, rows: Of the method, as in MemoryModel.
    """

    def __init__(
        self, model: PreTrainedModel, method: str, scale: float, kernel: str = "sdpa"
    ) -> None:
        """Build the method's write and read for a model.

        Args:
            model: Of `load_without_weights` or `build_without_weights`.
            method: Name of a method, as in MemoryModel.
            scale: 1 is 64 rows.
            kernel: Attention implementation, "sdpa" or "eager".

        Raises:
            InputError: The method has no bank.
        """
        self.method = methods.find(method)
        if self.method.write is None:
            raise InputError(f"expected a method with a bank, {self.method.name} has none")
        model.set_attn_implementation(kernel)
        self.backbone: Any = Backbone(model, None, "meta")
        self.rows = methods.rows_of(scale, self.method)
        with torch.device("meta"):
            built: Any = methods.build(self.method, model, self.rows, 0)
        self.write, self.read = built

    def encode_cost(self, batch: int, tokens: int) -> Cost:
        """Count encoding `batch` texts of `tokens` tokens."""
        inputs = {"input_ids": _ids(batch, tokens), "attention_mask": _ids(batch, tokens)}
        return self._cost(lambda: self.backbone.encoder(**inputs))

    def write_cost(self, banks: int, tokens: int) -> Cost:
        """Count writing one turn of `tokens` tokens into each of `banks` banks."""
        rows = self.write.p0.expand(banks, -1, -1).clone()
        state = State(rows, _ids(banks, self.write.rows), _ids(banks))
        latents, mask = self._latents(banks, tokens), torch.empty(banks, tokens, device="meta")
        return self._cost(lambda: self.write(state, latents, mask))

    def step_cost(self, batch: int, lengths: Workload, banks: int | None = None) -> Cost:
        """Count forward and backward pass of a training step, without the optimiser.

        Args:
            batch: Questions of the step.
            lengths: Tokens of a question and of an answer.
            banks: Banks that they read; default: each its own.
        """

        def work() -> None:
            logits = self._logits(batch, lengths, banks)
            cross_entropy(logits, _ids(len(logits))).backward()

        counted = self._cost(work, grad=True)
        for weight in (*self.write.parameters(), *self.read.parameters()):
            weight.grad = None
        return counted

    def bits_cost(self, batch: int, lengths: Workload, banks: int | None = None) -> Cost:
        """Count the likelihoods of the right answers; arguments as in `step_cost`."""
        return self._cost(lambda: self._logits(batch, lengths, banks).log_softmax(-1))

    def answer_cost(self, batch: int, question: int, tokens: int, banks: int = 0) -> AnswerCost:
        """Count answers of `tokens` tokens that read `banks` banks; without banks, those of the bare backbone."""

        def decode(n: int) -> Cost:
            return self._cost(lambda: self._decode(batch, question, n, banks))

        first, third = decode(1), decode(3)
        seen = len(first.flop)
        two = third._replace(flop=third.flop[seen:], moved=third.moved[seen:])
        growth = max(0, third.peak - first.peak) / 2  # with each token
        return AnswerCost(first, two, third.peak + int(growth * (tokens - 3)), tokens)

    def _logits(self, batch: int, lengths: Workload, banks: int | None) -> Tensor:
        """Logits of the answers' own tokens, (batch * answer, vocabulary)."""
        with self._attached(batch, banks or batch):
            inputs = self._inputs(batch, round(lengths.question))
            states = self.backbone.head_states(inputs, _ids(batch, lengths.padded))
        return self.backbone.head(states.flatten(0, 1)[: round(batch * lengths.answer)]).float()

    def _decode(self, batch: int, question: int, tokens: int, banks: int) -> None:
        inputs, cache = self._inputs(batch, question), None
        with self._attached(batch, banks):
            for _ in range(tokens):
                inputs["decoder_input_ids"] = _ids(batch, 1)
                out = self.backbone.model(**inputs, past_key_values=cache, use_cache=True)
                cache = out.past_key_values
                out.logits[:, -1].float().argmax(-1)
                inputs["encoder_outputs"] = BaseModelOutput(out.encoder_last_hidden_state)
                inputs.pop("input_ids", None)

    def _inputs(self, batch: int, tokens: int) -> dict[str, Any]:
        """Questions as token ids where the bank enters before the encoder, else as latents."""
        inputs: dict[str, Any] = {"attention_mask": _ids(batch, tokens)}
        if self.read.site == "encoder_input":
            return inputs | {"input_ids": _ids(batch, tokens)}
        return inputs | {"encoder_outputs": BaseModelOutput(self._latents(batch, tokens))}

    def _latents(self, batch: int, tokens: int) -> Tensor:
        width, dtype = self.backbone.width, self.backbone.dtype
        return torch.empty(batch, tokens, width, device="meta", dtype=dtype)

    def _attached(self, batch: int, banks: int) -> AbstractContextManager:
        banks, (content, _) = min(batch, banks), self.write.content(self.write.start())
        rows = torch.empty(max(banks, 1), *content.shape[1:], device="meta")
        mask = torch.full(rows.shape[:2], banks > 0)  # on the CPU, because its content is read
        of = torch.arange(batch) % banks if banks else None
        return hooks.attach(self.backbone.model, self.read, rows, mask, expand=1, of=of)

    def _cost(self, work: Callable[[], object], grad: bool = False) -> Cost:
        with torch.set_grad_enabled(grad):
            return cost(work, self.backbone.model, self.write, self.read)


def load_without_weights(name: str, dtype: str = "float32") -> PreTrainedModel:
    """Build a model on the meta device: a published Flan-T5, or a folder or id whose configuration is available offline.

    Raises:
        InputError: There is no configuration here, or it is of another family.
    """
    short = name.removeprefix("google/")
    if short in methods.SHAPES:
        model = methods.shape(short)
    else:
        model = build_without_weights(_config(name))
    return model.to(getattr(torch, dtype)).eval().requires_grad_(False)  # pyright: ignore


def build_without_weights(config: PretrainedConfig, tied: bool | None = None) -> PreTrainedModel:
    """Build a model of this configuration on the meta device.

    Args:
        config: Of a family in `lmem.backbone.sites`.
        tied: Whether the head shares its weights with the embeddings; default: as the configuration says.
    """
    tied = config.tie_word_embeddings if tied is None else tied
    with torch.device("meta"):
        model = AutoModelForSeq2SeqLM.from_config(config)
        if not tied and hasattr(model, "lm_head"):
            model.lm_head = torch.nn.Linear(config.d_model, config.vocab_size, bias=False)
    return model


def _config(name: str) -> PretrainedConfig:
    try:
        path = str(EMBEDDED.get(name, name))
        config = AutoConfig.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        sizes = ", ".join(methods.SHAPES)
        raise InputError(
            f"expected a published size ({sizes}), nano, or a folder with a configuration, not {name}"
        ) from error
    if config.model_type not in sites.SITES:
        families = ", ".join(sites.SITES)
        raise InputError(f"expected a family out of {families}, not {config.model_type}")
    return config


def _ids(*shape: int) -> Tensor:
    return torch.empty(*shape, device="meta", dtype=torch.long)
