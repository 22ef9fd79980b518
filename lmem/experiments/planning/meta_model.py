"""A method on a backbone of which only the configuration is known: what each piece of a run costs (chapter 15).

The pieces are those that training and evaluation are made of; they run on the meta device, hooks and all, and `lmem.experiments.planning.op_cost` counts.
"""

from typing import NamedTuple

import torch
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForSeq2SeqLM
from transformers.modeling_outputs import BaseModelOutput

from lmem.backbone import hooks, sites
from lmem.backbone.backbone import NANO
from lmem.errors import InputError
from lmem.experiments.planning.op_cost import Cost, cost
from lmem.memory import methods
from lmem.memory.bank import State


class Decoded(NamedTuple):
    """An answer, token by token: the first token, two further ones, and the bytes alive at the last."""

    first: Cost
    two: Cost
    peak: int

    def seconds(self, machine, tokens):
        return self.first.seconds(machine) + (tokens - 1) / 2 * self.two.seconds(machine)


class Sketch:
    """A method on a backbone of which only the configuration is known; everything on the meta device.

    model  of `bare`; write, read, rows  of the method
    """

    def __init__(self, model, method, scale, kernel="sdpa"):
        self.model, self.method = model, methods.find(method)
        if self.method.write is None:
            raise InputError(f"expected a method with a bank, {self.method.name} has none")
        model.set_attn_implementation(kernel)
        self.rows, self.dtype = methods.rows_of(scale, self.method), next(model.parameters()).dtype
        with torch.device("meta"):
            self.write, self.read = methods.build(self.method, model, self.rows, 0)
        self.early = self.read.site == "encoder_input"

    def latents(self, batch, tokens):
        width = self.model.config.d_model
        return torch.empty(batch, tokens, width, device="meta", dtype=self.dtype)

    def encode(self, batch, tokens):
        """Texts of so many tokens, once."""
        ids, mask = _ids(batch, tokens), _ids(batch, tokens)
        encoder = self.model.get_encoder()
        return self._cost(lambda: encoder(input_ids=ids, attention_mask=mask))

    def turn(self, banks, tokens):
        """One turn written into each of so many banks."""
        rows = self.write.p0.expand(banks, -1, -1).clone()
        written = torch.empty(banks, self.write.rows, device="meta", dtype=torch.long)
        state = State(rows, written, torch.empty(banks, device="meta", dtype=torch.long))
        latents, mask = self.latents(banks, tokens), torch.empty(banks, tokens, device="meta")
        return self._cost(lambda: self.write(state, latents, mask))

    def step(self, batch, question, answer, padded, banks=None):
        """One optimiser step on a batch that reads so many banks (default: each its own), without the optimiser."""

        def work():
            inputs, labels = self._inputs(batch, question), round(batch * answer)
            head = self.model.get_output_embeddings()
            with self._states() as found, self._attached(batch, banks):
                self.model(**inputs, decoder_input_ids=_ids(batch, padded), use_cache=False)
            logits = head(found[0].flatten(0, 1)[:labels]).float()
            cross_entropy(logits, _ids(len(logits))).backward()

        found = self._cost(work, grad=True)
        for weight in (*self.write.parameters(), *self.read.parameters()):
            weight.grad = None
        return found

    def answer(self, batch, question, tokens, banks=None, bare=False):
        """So many tokens of an answer, decoded one by one; `bare`: nothing attached."""
        first, third = (
            self._cost(lambda n=n: self._decode(batch, question, n, banks, bare)) for n in (1, 3)
        )
        seen = len(first.flop)
        two = third._replace(flop=third.flop[seen:], moved=third.moved[seen:])
        grown = max(0, third.peak - first.peak) / 2  # with each token
        return Decoded(first, two, third.peak + int(grown * (tokens - 3)))

    def bits(self, batch, question, answer, padded, banks=None):
        """How likely the right answers are."""

        def work():
            with self._states() as found, self._attached(batch, banks):
                self.model(
                    **self._inputs(batch, question),
                    decoder_input_ids=_ids(batch, padded),
                    use_cache=False,
                )
            kept = found[0].flatten(0, 1)[: round(batch * answer)]
            self.model.get_output_embeddings()(kept).float().log_softmax(-1)

        return self._cost(work)

    def _decode(self, batch, question, tokens, banks, bare):
        inputs, kept = self._inputs(batch, question), None
        with self._attached(0 if bare else batch, banks):
            for _ in range(tokens):
                out = self.model(
                    **inputs, decoder_input_ids=_ids(batch, 1), past_key_values=kept, use_cache=True
                )
                kept = out.past_key_values
                out.logits[:, -1].float().argmax(-1)
                if "input_ids" in inputs:
                    latents = out.encoder_last_hidden_state
                    mask = inputs["attention_mask"]
                    inputs = {"encoder_outputs": BaseModelOutput(latents), "attention_mask": mask}

    def _inputs(self, batch, tokens):
        mask = _ids(batch, tokens)
        if self.early:
            return {"input_ids": _ids(batch, tokens), "attention_mask": mask}
        latents = BaseModelOutput(self.latents(batch, tokens))
        return {"encoder_outputs": latents, "attention_mask": mask}

    def _attached(self, batch, banks=None):
        shape, banks = self.write.p0.shape, min(batch, banks or batch)
        rows = torch.empty(banks or 1, *shape, device="meta")
        mask = torch.full((banks or 1, shape[0]), bool(batch))  # a real one: it is looked at
        of = torch.arange(batch) % banks if batch else None
        return hooks.attach(self.model, self.read, rows, mask, expand=1, of=of)

    def _states(self):
        return _Head(self.model.get_output_embeddings())

    def _cost(self, work, grad=False):
        with torch.set_grad_enabled(grad):
            return cost(work, self.model, self.write, self.read)


class _Head:
    """Catches what the head would see, as `Backbone.states` does."""

    def __init__(self, head):
        self.head, self.found = head, []

    def __enter__(self):
        def catch(head, args):
            self.found.append(args[0])
            return (args[0][:0],)

        self.handle = self.head.register_forward_pre_hook(catch)
        return self.found

    def __exit__(self, *_):
        self.handle.remove()


def bare(name, dtype="float32"):
    """A model without weights: a published Flan-T5, or a folder or an id whose configuration is at hand.

    raises  InputError if there is no configuration here, or of another family
    """
    short = str(name).removeprefix("google/")
    model = methods.shape(short) if short in methods.SHAPES else from_config(_config(name))
    return model.to(getattr(torch, dtype)).eval().requires_grad_(False)


def from_config(config, tied=None):
    """A model of this configuration on the meta device.

    tied  its head is the table of its embeddings; default: as the configuration says
    """
    tied = config.tie_word_embeddings if tied is None else tied
    with torch.device("meta"):
        model = AutoModelForSeq2SeqLM.from_config(config)
        if not tied and hasattr(model, "lm_head"):
            model.lm_head = torch.nn.Linear(config.d_model, config.vocab_size, bias=False)
    return model


def _config(name):
    place = str(NANO) if name == "nano" else str(name)
    try:
        config = AutoConfig.from_pretrained(place, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"expected a published size ({', '.join(methods.SHAPES)}), nano, or a folder with a configuration, not {name}"
        ) from error
    if config.model_type not in sites.SITES:
        raise InputError(
            f"expected a family out of {', '.join(sites.SITES)}, not {config.model_type}"
        )
    return config


def _ids(*shape):
    return torch.empty(*shape, device="meta", dtype=torch.long)
