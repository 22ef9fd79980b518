"""Attaching: inside a `with` block, ordinary calls of the model read the bank (chapters 3 to 5).

One context manager serves the three sites. It owns its hooks: when the block ends, also by an exception, it removes them and no
others. The hooks act only in the context that opened the block (`lmem.backbone.context`), so threads and asyncio tasks can read
different banks through one backbone at the same time. Which bank a text reads is never guessed: the encoder call gives the number
of texts; decoder batch / texts = beams.

A read at the encoder's output may also correct the decoder's last states, by the rows that it put there (`spells`).

A read's keys depend only on the bank, so they are computed once and kept while decoding (with gradients: once per pass). So are
the frozen keys and values of rows appended to the encoder's output.

In shapes, U counts the banks, X the rows appended to the encoder's output, and m the soft tokens before its input.
"""

import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from lmem.backbone import sites, support
from lmem.backbone.context import HookBlock, open_blocks, suspended
from lmem.errors import BankError, InputError, MethodError
from lmem.utils.digest import versions

ABLATIONS = (None, "masked", "null_rows")
Places = Sequence[int] | Tensor | None


@contextmanager
def attach(
    model: PreTrainedModel,
    read: Any,
    rows: Tensor,
    mask: Tensor,
    expand: int | None = None,
    of: Places = None,
) -> Iterator["Attachment"]:
    """Let `model` read `rows` through `read` at the read's site.

    Blocks may be nested: a call then reads all of their banks. `MemoryModel.answer` and `log_likelihood` read only the bank that they
    are given, `write` and `Backbone.encode` none, also inside a block.

    Only calls from the context that opened the block read the bank. `asyncio.to_thread` passes this context on, a plain
    `threading.Thread` does not: open the block in the thread that calls the model. A call outside the block, in any thread,
    reads nothing. What `torch.utils.checkpoint` computes again in a backward pass after the block reads nothing either.

    Args:
        model: The frozen encoder-decoder.
        read: A `lmem.memory.read.base.Read`.
        rows: (U, R, D), one bank for each text of the encoder's batch, or one bank for all (U = 1).
        mask: (U, R), True where a row may be read. If no row may be read, nothing at all is added.
        expand: Beams: how many entries of the decoder's batch belong to one text. Needed only if `encoder_outputs=` is passed in
            and U > 1, since the block then sees no encoder call.
        of: For each text of the encoder's batch the index of its bank in `rows`, if several texts read the same one. Default:
            text i reads bank i.

    Raises:
        InputError: A bank in `of` does not exist, or, inside the block, the batch does not fit the banks.
        MethodError: The backbone cannot be read through (`lmem.backbone.support`), or, inside the block, the cache is static.
        BankError: The block ended and no call had read the bank.
    """
    support.check_hooks(model)
    bank_index = None
    if of is not None:
        rows, mask, bank_index = _banks_in_use(rows, mask, of)
    attachment = Attachment(model, read, rows, mask, expand, bank_index)
    if not bool(mask.any()):
        yield attachment
        return
    with attachment:
        attachment.register()
        yield attachment
    if not attachment.was_read:
        raise BankError(
            "expected a call of the backbone inside the block, and in its context; this bank was attached and never read "
            "(`answer` and `log_likelihood` read only the bank that they are given, `write` and `encode` none)"
        )


@contextmanager
def spelling(model: PreTrainedModel, read: Any, pieces: Tensor) -> Iterator[None]:
    """Let a read that `spells` correct the decoder's last states, in a call without a cache, by pieces (B, X, D)."""
    [decoder] = sites.find(model, "encoder_output")[1]
    with HookBlock() as block:
        block.after(decoder, lambda _, args, output: _spelled(read, output, pieces, 0))
        yield


@contextmanager
def without_banks(model: PreTrainedModel) -> Iterator[None]:
    """Let calls of this model read no bank that an outer block attached, for what has a bank of its own or needs none."""
    with suspended(_attachments(model)):
        yield


def is_attached(model: PreTrainedModel) -> bool:
    """Whether a bank is attached to this model for calls from here."""
    return bool(_attachments(model))


def _attachments(model: PreTrainedModel) -> list["Attachment"]:
    return [b for b in open_blocks() if isinstance(b, Attachment) and b.model is model]


def ablated(rows: Tensor, mask: Tensor, how: str | None) -> tuple[Tensor, Tensor]:
    """Return rows and mask of a bank under an ablation: "masked" is no bank, "null_rows" zero rows that are still read.

    The paper's "bank forced to zero" is "null_rows". With an extension read on T5 it leaves R keys with logit 0 and value 0
    (chapter 4).

    Raises:
        MethodError: There is no such ablation.
    """
    if how not in ABLATIONS:
        raise MethodError(f"ablate must be one of {ABLATIONS}, not {how!r}")
    if how == "masked":
        return rows, torch.zeros_like(mask)
    if how == "null_rows":
        return torch.zeros_like(rows), torch.ones_like(mask)
    return rows, mask


class _CallState(threading.local):
    """What an attachment keeps between the calls of one thread."""

    latents: Tensor  # the encoder's output (B, N, D)
    joined: Tensor  # the banks' rows that join it (U, X, D)
    length: int  # soft tokens before the encoder's input
    soft_mask: Tensor  # (B, m)
    soft_latents: Tensor  # what the encoder made of them (B, m, D)
    pieces: Tensor  # of the rows that joined the encoder's output (B, X, D)
    first: int  # step of the decoder's first state

    def __init__(self) -> None:
        self.encoded: int | None = None  # texts of the last encoder call in this block
        self.bank_keys: dict = {}  # the read's keys by set of projections, (U, ...)
        self.batch_parts: dict = {}  # rows and mask, and keys, spread over a batch
        self.versions: Any = None  # of the weights that the keys were made with


class Attachment(HookBlock):
    """The hooks of one block, and what they keep between calls. Use `attach`.

    Attributes:
        was_read: Whether a call of the model has reached the read's site.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        read: Any,
        rows: Tensor,
        mask: Tensor,
        expand: int | None,
        of: Tensor | None,
    ):
        super().__init__()
        self.model, self.read, self.rows, self.mask = model, read, rows, mask
        self.expand, self.of = expand, of
        self.was_read = False
        self.calls = _CallState()

    def register(self) -> None:
        """Register the hooks of the read's site."""
        site, modules = sites.find(self.model, self.read.site)
        encoder = self.model.get_encoder()
        [decoder] = sites.find(self.model, "encoder_output")[1]
        self.before(encoder, self.count_rows, with_kwargs=True)
        self.before(decoder, self.begin_decoding, with_kwargs=True)
        if site.name == "encoder_input":
            self.before(encoder, self.prepend, with_kwargs=True)
            self.after(encoder, self.drop, prepend=True)  # of nested blocks the inner one first
            self.before(decoder, self.need_encoder)
            if self.read.keep:
                self.before(decoder, self.put_back, with_kwargs=True)
        elif site.name == "encoder_output":
            self.before(decoder, self.extend, with_kwargs=True)
            if self.read.spells:
                self.after(decoder, self.spell)
            for maps in sites.maps(self.model) if self.read.from_bank_only else ():
                self.before(maps, self.without_rows, prepend=True)
                self.after(maps, self.with_rows)
        else:
            for i, module in enumerate(modules):
                self.after(module, self.branch(i, site.norm), with_kwargs=True)

    def places(self, batch: int, decoding: bool = True) -> Tensor | None:
        """Return (batch,), the index of each text's bank; None if text i reads bank i, or all read the only one.

        Raises:
            InputError: The batch does not fit the banks.
        """
        count = len(self.rows) if self.of is None else len(self.of)
        if count == 1:  # all read the one bank, which may be large: it is not copied
            return None
        times = 1
        if decoding and self.calls.encoded is not None:
            times = batch // self.calls.encoded
        elif decoding:
            if self.expand is None:
                raise InputError(
                    "encoder_outputs= was passed in: say expand=, the decoder's batch entries per text"
                )
            times = self.expand
        if count * times != batch:
            each = "bank" if self.of is None else "index in of"
            raise InputError(
                f"expected {count} texts, one for each {each}, not {batch // max(times, 1)}"
            )
        if times == 1:
            return self.of
        of = torch.arange(count) if self.of is None else self.of
        return of.repeat_interleave(times)

    def parts_for(self, states: Tensor, layer: int = 0) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return rows, mask and the read's keys for a batch of decoder states (batch, N, D)."""
        if layer == 0:  # weights may have changed since the keys were made
            now = versions(self.read.parameters())
            if torch.is_grad_enabled() or now != self.calls.versions:
                self.calls.batch_parts, self.calls.bank_keys, self.calls.versions = {}, {}, now
        batch, projection_set = len(states), layer % self.read.sets
        rows, mask = self.rows.to(states.device), self.mask.to(states.device)
        if projection_set not in self.calls.bank_keys:
            self.calls.bank_keys[projection_set] = self.read.keys(rows, projection_set)
        keys = self.calls.bank_keys[projection_set]
        for name, parts in ((batch, (rows, mask)), ((batch, projection_set), keys)):
            if name not in self.calls.batch_parts:
                bank_index = self.places(batch)
                self.calls.batch_parts[name] = [spread(part, bank_index, batch) for part in parts]
        rows, mask = self.calls.batch_parts[batch]
        return rows, mask, self.calls.batch_parts[batch, projection_set]

    def count_rows(self, module: Any, args: tuple, kwargs: dict) -> None:
        """Before the encoder: note the number of texts in its batch."""
        support.check_weights(self.model)  # `autocast` may have begun inside the block
        first = _argument("input_ids", args, kwargs)
        self.calls.encoded = len(first if first is not None else kwargs["inputs_embeds"])
        self.calls.batch_parts, self.calls.bank_keys = {}, {}

    def begin_decoding(self, module: Any, args: tuple, kwargs: dict) -> None:
        """Before the decoder: refuse a static cache, and forget the keys unless this call continues a generation.

        Since the last call the weights may have changed in a way that leaves no trace (`.data`), or the way of reading
        (`lmem.memory.large.in_chunks`).
        """
        past = kwargs.get("past_key_values")
        support.check_cache(past)
        self.calls.first = 0 if past is None else past.get_seq_length()
        if self.calls.first == 0:
            self.calls.batch_parts, self.calls.bank_keys = {}, {}

    def prepend(self, module: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """Before the encoder: put the read's soft tokens before its input."""
        self.was_read = True
        names = inspect.signature(module.forward).parameters
        kwargs = {**dict(zip(names, args, strict=False)), **kwargs}
        tokens = kwargs.pop("input_ids", None)
        embeds = module.embed_tokens(tokens) if tokens is not None else kwargs["inputs_embeds"]
        batch, places = len(embeds), self.places(len(embeds), decoding=False)
        read = self.read(self.rows.to(embeds.device), self.mask.to(embeds.device))
        soft, seen = (spread(part, places, batch) for part in read)  # (B, m, D), (B, m)
        self.calls.length, self.calls.soft_mask = soft.shape[1], seen
        kwargs["inputs_embeds"] = torch.cat([soft.to(embeds.dtype), embeds], 1)  # (B, m + N, D)
        kwargs["attention_mask"] = join_masks(seen, kwargs.get("attention_mask"), embeds)
        return (), kwargs

    def drop(self, module: Any, args: tuple, output: Any) -> Any:
        """After the encoder: remove the positions of the soft tokens."""
        self.calls.soft_latents = output[0][:, : self.calls.length]
        if isinstance(output, tuple):  # return_dict=False, in older releases of transformers
            return (output[0][:, self.calls.length :], *output[1:])
        output.last_hidden_state = output.last_hidden_state[:, self.calls.length :]  # (B, N, D)
        if output.hidden_states is not None:
            output.hidden_states = tuple(
                state[:, self.calls.length :] for state in output.hidden_states
            )
        return output

    def need_encoder(self, module: Any, args: tuple) -> None:
        """Before the decoder: refuse latents from outside the block, which cannot contain the memory."""
        self.was_read = True
        if self.calls.encoded is None:
            raise InputError(
                "encoder_outputs= was passed in: this memory enters before the encoder, so encode inside the block"
            )

    def put_back(self, module: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """Before the decoder: append the latents of the soft tokens, with their mask, for a read that keeps them."""
        states, soft = kwargs["encoder_hidden_states"], self.calls.soft_latents
        beams = len(states) // len(soft)
        soft, mask = (part.repeat_interleave(beams, 0) for part in (soft, self.calls.soft_mask))
        seen = kwargs.get("encoder_attention_mask")
        kwargs = {**kwargs, "encoder_attention_mask": join_masks(seen, mask, states)}
        kwargs["encoder_hidden_states"] = torch.cat([states, soft], 1)
        return args, kwargs

    def extend(self, module: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """Before the decoder: append the read's rows to the encoder's output."""
        self.was_read = True
        states, seen = kwargs["encoder_hidden_states"], kwargs.get("encoder_attention_mask")
        rows, mask, keys = self.parts_for(states)
        read = self.read(rows, mask, states.to(rows.dtype), seen, keys)
        extra, mask = read[:2]  # (B, X, D), (B, X)
        if self.read.spells:
            self.calls.pieces = read[2]
        if self.read.from_bank_only:
            self.calls.latents, [joined] = states, self.calls.bank_keys[0]
            self.calls.joined = joined.to(states.dtype)  # (U, X, D)
        kwargs = dict(kwargs)
        kwargs["encoder_hidden_states"] = torch.cat([states, extra.to(states.dtype)], 1)
        kwargs["encoder_attention_mask"] = join_masks(seen, mask, states)
        return args, kwargs

    def spell(self, module: Any, args: tuple, output: Any) -> Any:
        """After the decoder: correct its last states by the rows that joined."""
        return _spelled(self.read, output, self.calls.pieces, self.calls.first)

    def without_rows(self, module: Any, args: tuple) -> tuple[Tensor]:
        """Before a frozen key or value map: leave out the bank's rows, which `with_rows` adds."""
        end = self.calls.latents.shape[1] + self.calls.joined.shape[1]
        # rows of an inner `attach`, unless it removes them itself
        behind = args[0][:, end:]
        return (
            torch.cat([self.calls.latents, behind], 1) if behind.shape[1] else self.calls.latents,
        )

    def with_rows(self, module: Any, args: tuple, output: Tensor) -> Tensor:
        """After a frozen key or value map: insert those of the bank's rows, computed once for each bank."""
        rows = module.forward(self.calls.joined)  # (U, X, inner)
        rows = spread(rows, self.places(len(output)), len(output))
        end = self.calls.latents.shape[1]
        return torch.cat([output[:, :end], rows, output[:, end:]], 1)

    def branch(self, layer: int, norm: str) -> Callable:
        """Return the hook after the cross-attention of decoder layer `layer`; it adds what the read returns."""

        def hook(module: Any, args: tuple, kwargs: dict, output: tuple) -> tuple:
            self.was_read = True
            states = before_norm = _argument("hidden_states", args, kwargs)  # (B, N, D)
            rows, mask, keys = self.parts_for(before_norm, layer)
            if norm and not self.read.raw:
                states = module.get_submodule(norm)(before_norm)
            gain = self.read(rows, mask, states.to(rows.dtype), layer=layer, keys=keys)
            return (output[0] + gain.to(before_norm.dtype), *output[1:])

        return hook


def _spelled(read: Any, output: Any, pieces: Tensor, first: int) -> Any:
    """Return the decoder's output with its last states (B, N, D) corrected by the rows that joined."""
    states = output[0]
    states = states + read.spell(states.to(pieces.dtype), pieces, first).to(states.dtype)
    if isinstance(output, tuple):
        return (states, *output[1:])
    output.last_hidden_state = states
    return output


def spread(part: Tensor, places: Tensor | None, batch: int) -> Tensor:
    """Return what each row of a batch reads from a tensor of U banks: (U, ...) -> (batch, ...).

    Without places each row reads the bank at its own place, or all read the only one.
    """
    if places is None or len(part) == 1:
        return part.expand(batch, *part.shape[1:])
    return part.index_select(0, places.to(part.device))


def join_masks(first: Tensor | None, second: Tensor | None, states: Tensor) -> Tensor:
    """Concatenate two masks (B, N) as integers; one that is None is all ones over `states`."""
    ones = torch.ones(states.shape[:2], dtype=torch.long, device=states.device)
    return torch.cat([ones if mask is None else mask.long() for mask in (first, second)], 1)


def _banks_in_use(rows: Tensor, mask: Tensor, of: Places) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the banks that are read, and for each text the index of its bank among them; None if each reads its own."""
    try:
        of = torch.as_tensor(of, device=mask.device).reshape(-1)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"expected indices of {len(rows)} banks, from 0, not {of!r}") from error
    if of.is_floating_point() or of.dtype == torch.bool:
        raise InputError(f"expected indices of {len(rows)} banks, from 0, not {of.tolist()}")
    of = of.long()
    if len(of) == 0 or not 0 <= int(of.min()) <= int(of.max()) < len(rows):
        raise InputError(f"expected indices of {len(rows)} banks, from 0, not {of.tolist()}")
    used, bank_index = of.unique(return_inverse=True)
    if len(used) == len(of):
        used, bank_index = of, None
    return rows.index_select(0, used.to(rows.device)), mask.index_select(0, used), bank_index


def _argument(name: str, args: tuple, kwargs: dict) -> Any:
    """Return a forward's first argument, whether it was passed by position or by name."""
    return args[0] if args else kwargs.get(name)
