"""Attaching: for the length of a `with` block, ordinary calls of the model read the bank (chapters 3 to 5).

One context manager for the three sites. It owns its hooks: on leaving, also by an exception, they go and no one else's do.
Which bank a row reads is never guessed: the encoder call fixes the number of rows, and the decoder's batch divided by it
is the number of beams.

What the read makes of a bank alone is made once for all who read it and for all tokens that are decoded (as transformers keeps the
keys of the encoder's output), and with gradients once for each pass. So are the frozen keys and values of rows behind the encoder's
output: a batch of questions about few conversations has few banks.
"""

import inspect
from contextlib import contextmanager

import torch

from lmem.backbone import sites
from lmem.errors import InputError, MethodError

ABLATIONS = (None, "masked", "null_rows")
KERNELS = ("eager", "sdpa")


@contextmanager
def attach(model, read, rows, mask, expand=None, of=None):
    """Let `model` read `rows` through `read` at the read's site.

    rows    (U, R, D)  one bank per row of the encoder's batch, or one bank for all (U = 1)
    mask    (U, R)     True where a row may be read; if nothing may be, nothing at all is added
    expand  decoder rows per encoder row, needed only if `encoder_outputs=` is passed in and U > 1
    of      for each row of the encoder's batch the place of its bank in `rows`, if several read the same one
    raises  InputError for a place that is none, and inside the block if the batch does not fit the banks; MethodError for
            an attention kernel that was not tried
    """
    kernel = model.config._attn_implementation
    if kernel not in KERNELS:  # others take masks of their own form, which our rows would not enter
        raise MethodError(f"expected attention out of {', '.join(KERNELS)}, not {kernel!r}")
    if of is not None:
        rows, mask, of = _used(rows, mask, of)
    attachment = _Attachment(model, read, rows, mask, expand, of)
    handles = attachment.hook() if bool(mask.any()) else []
    try:
        yield attachment
    finally:
        for handle in handles:
            handle.remove()


def ablated(rows, mask, how):
    """The bank as an ablation has it: "masked" is no bank; "null_rows" is the paper's, zero rows that are still read.

    The paper's "bank forced to zero" leaves R keys with logit 0 and value 0 in the softmax (chapter 4).
    """
    if how not in ABLATIONS:
        raise MethodError(f"ablate must be one of {ABLATIONS}, not {how!r}")
    if how == "masked":
        return rows, torch.zeros_like(mask)
    if how == "null_rows":
        return torch.zeros_like(rows), torch.ones_like(mask)
    return rows, mask


class _Attachment:
    def __init__(self, model, read, rows, mask, expand, of):
        self.model, self.read, self.rows, self.mask = model, read, rows, mask
        self.expand, self.of = expand, of
        self.encoded = None  # rows of the encoder call that this block saw last
        self.kept, self.own = {}, {}  # rows, masks and keys of a batch; keys of the banks
        self.kept_for = None  # the weights they were made with
        self.latents = self.joined = None  # the encoder's output, and the banks' rows that join it

    def hook(self):
        """Register the hooks of the read's site; returns their handles."""
        site, modules = sites.find(self.model, self.read.site)
        encoder = self.model.get_encoder()
        handles = [encoder.register_forward_pre_hook(self._count, with_kwargs=True)]
        if site.name == "encoder_input":
            handles.append(encoder.register_forward_pre_hook(self._prepend, with_kwargs=True))
            handles.append(encoder.register_forward_hook(self._drop))
            [decoder] = sites.find(self.model, "encoder_output")[1]
            handles.append(decoder.register_forward_pre_hook(self._need_encoder))
        elif site.name == "encoder_output":
            [decoder] = modules
            handles.append(decoder.register_forward_pre_hook(self._extend, with_kwargs=True))
            for maps in sites.maps(self.model) if self.read.alone else ():
                handles.append(maps.register_forward_pre_hook(self._without_rows, prepend=True))
                handles.append(maps.register_forward_hook(self._rows_too))
        else:
            for i, module in enumerate(modules):
                hook = self._branch(i, site.norm)
                handles.append(module.register_forward_hook(hook, with_kwargs=True))
        return handles

    def places(self, batch, decoding=True):
        """Which bank each row of such a batch reads, (batch,); None if each reads that at its own place, or all the only one."""
        held = len(self.rows) if self.of is None else len(self.of)
        if held == 1:  # all read the one bank, which may be large: it is not copied
            return None
        times = 1
        if decoding:
            if self.encoded is None and self.expand is None:
                raise InputError(
                    "encoder_outputs= was passed in: say expand=, the decoder rows per encoder row"
                )
            times = self.expand if self.encoded is None else batch // self.encoded
        if held * times != batch:
            each = "bank" if self.of is None else "place in of"
            raise InputError(
                f"expected {held} rows, one for each {each}, not {batch // max(times, 1)}"
            )
        of = torch.arange(held) if self.of is None and times > 1 else self.of
        return of if of is None or times == 1 else of.repeat_interleave(times)

    def held(self, like, layer=0):
        """rows, mask and the read's keys for a batch of decoder states like this one."""
        if layer == 0:  # what was kept may be different now
            now = [(weight.data_ptr(), weight._version) for weight in self.read.parameters()]
            if torch.is_grad_enabled() or now != self.kept_for:
                self.kept, self.own, self.kept_for = {}, {}, now
        batch, place = len(like), layer % self.read.sets
        rows, mask = self.rows.to(like.device), self.mask.to(like.device)
        if place not in self.own:
            self.own[place] = self.read.keys(rows, place)
        for name, ours in ((batch, (rows, mask)), ((batch, place), self.own[place])):
            if name not in self.kept:
                places = self.places(batch)
                self.kept[name] = [spread(one, places, batch) for one in ours]
        return *self.kept[batch], self.kept[batch, place]

    def _count(self, module, args, kwargs):
        first = _argument("input_ids", args, kwargs)
        self.encoded = len(first if first is not None else kwargs["inputs_embeds"])
        self.kept, self.own = {}, {}

    def _prepend(self, module, args, kwargs):
        names = inspect.signature(module.forward).parameters
        kwargs = {**dict(zip(names, args, strict=False)), **kwargs}
        tokens = kwargs.pop("input_ids", None)
        embeds = module.embed_tokens(tokens) if tokens is not None else kwargs["inputs_embeds"]
        batch, places = len(embeds), self.places(len(embeds), decoding=False)
        found = self.read(self.rows.to(embeds.device), self.mask.to(embeds.device))
        soft, seen = (spread(one, places, batch) for one in found)  # (B, m, D), (B, m)
        self.length = soft.shape[1]
        kwargs["inputs_embeds"] = torch.cat([soft.to(embeds.dtype), embeds], 1)
        kwargs["attention_mask"] = _joined(seen, kwargs.get("attention_mask"), embeds)
        return (), kwargs

    def _drop(self, module, args, output):
        if isinstance(output, tuple):  # return_dict=False, in older releases of transformers
            return (output[0][:, self.length :], *output[1:])
        output.last_hidden_state = output.last_hidden_state[:, self.length :]
        if output.hidden_states is not None:
            output.hidden_states = tuple(state[:, self.length :] for state in output.hidden_states)
        return output

    def _need_encoder(self, module, args):
        if self.encoded is None:
            raise InputError(
                "encoder_outputs= was passed in: this memory enters before the encoder, so encode inside the block"
            )

    def _extend(self, module, args, kwargs):
        states, seen = kwargs["encoder_hidden_states"], kwargs.get("encoder_attention_mask")
        rows, mask, keys = self.held(states)
        extra, mask = self.read(
            rows, mask, states.to(rows.dtype), seen, keys=keys
        )  # (B, X, D), (B, X)
        if self.read.alone:
            self.latents, [joined] = states, self.own[0]
            self.joined = joined.to(states.dtype)  # (U, X, D)
        kwargs = dict(kwargs)
        kwargs["encoder_hidden_states"] = torch.cat([states, extra.to(states.dtype)], 1)
        kwargs["encoder_attention_mask"] = _joined(seen, mask, states)
        return args, kwargs

    def _without_rows(self, module, args):
        end = self.latents.shape[1] + self.joined.shape[1]
        # what a block inside this one has added, but for what it takes away itself
        behind = args[0][:, end:]
        return (torch.cat([self.latents, behind], 1) if behind.shape[1] else self.latents,)

    def _rows_too(self, module, args, output):
        rows = module.forward(self.joined)  # (U, X, inner): once for all who read the same bank
        rows, place = spread(rows, self.places(len(output)), len(output)), self.latents.shape[1]
        return torch.cat([output[:, :place], rows, output[:, place:]], 1)

    def _branch(self, layer, norm):
        def hook(module, args, kwargs, output):
            raw = _argument("hidden_states", args, kwargs)
            rows, mask, keys = self.held(raw, layer)
            states = raw if self.read.raw or not norm else module.get_submodule(norm)(raw)
            gain = self.read(rows, mask, states.to(rows.dtype), layer=layer, keys=keys)
            return (output[0] + gain.to(raw.dtype), *output[1:])

        return hook


def spread(one, places, batch):
    """What each of a batch reads out of a tensor of U banks: (U, ...) -> (batch, ...); without places its own, or the only one."""
    if places is None or len(one) == 1:
        return one.expand(batch, *one.shape[1:])
    return one.index_select(0, places.to(one.device))


def _used(rows, mask, of):
    """The banks that are read, and for each row of the batch its place among them; None if each reads its own."""
    of = torch.as_tensor(of, dtype=torch.long, device=mask.device)
    if len(of) == 0 or not 0 <= int(of.min()) <= int(of.max()) < len(rows):
        raise InputError(f"expected places of {len(rows)} banks, from 0, not {of.tolist()}")
    used, places = of.unique(return_inverse=True)
    if len(used) == len(of):
        used, places = of, None
    return rows.index_select(0, used.to(rows.device)), mask.index_select(0, used), places


def _argument(name, args, kwargs):
    """A forward's first argument, whichever way it came."""
    return args[0] if args else kwargs.get(name)


def _joined(first, second, states):
    """Two masks side by side as integers; the one that is None is all ones over `states`."""
    ones = torch.ones(states.shape[:2], dtype=torch.long, device=states.device)
    first, second = (ones if mask is None else mask.long() for mask in (first, second))
    return torch.cat([first, second], 1)
