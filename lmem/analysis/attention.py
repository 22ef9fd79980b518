"""What a read looked at: shares of attention while an answer is made, over the question and over the bank (chapter 5).

    encoder_output   the decoder's own attention, one softmax over [Z; extra rows]
    decoder_layer    two of them: the frozen one over Z, the branch's own over the bank
    encoder_input    the encoder's attention of each question token over [prefix; question]; the decoder sees no row

All shares are means over heads. The kernels that keep no shares (SDPA) are replaced by eager ones while it is recorded.
"""

from contextlib import contextmanager
from typing import NamedTuple

import torch

from lmem.backbone import sites
from lmem.errors import BankError, InputError, MethodError
from lmem.memory.model import as_prompt


class Looked(NamedTuple):
    """L layers, T tokens that look, N tokens of the question, X rows that could be looked at.

    said         the answer that this bank gives, decoded freely
    readers      T texts: the token that is about to be said; where the bank enters before the encoder, the question's token
    question     N texts
    on_question  (L, T, N)  shares
    on_rows      (L, T, X)  shares; for a proxy read those of the bank's rows, through the rows that it makes of them
    turns        X numbers of the turns that wrote the rows last, -1 for none; None where what is read is no row of the bank
    added        (L, T) size of what the branch adds, over the size of what the frozen attention adds; None at other sites
    """

    said: str
    readers: list[str]
    question: list[str]
    on_question: torch.Tensor
    on_rows: torch.Tensor
    turns: list[int] | None
    added: torch.Tensor | None


@torch.no_grad()
def record(model, bank, question, answer=None, ablate=None):
    """Let one bank be read for one question, and note where the attention goes.

    answer   the text whose tokens are said one after the other, so that several banks can be compared; default: what is said
    ablate   None or "null_rows"
    returns  Looked
    raises   MethodError for the stateless method, InputError for more than one bank or an answer without words, BankError for a
             bank that does not fit or into which nothing was written
    """
    if model.read is None:
        raise MethodError("the stateless method reads nothing")
    if len(bank) != 1 or ablate not in (None, "null_rows"):
        raise InputError(
            f"expected one bank, whole or as null_rows, not {len(bank)} with {ablate!r}"
        )
    if bank.empty:
        raise BankError("expected a bank into which a turn was written, this one is empty")
    said = model.answer(bank, question, ablate)
    backbone, site = model.backbone, model.read.site
    prompt = as_prompt(question)
    inputs, labels = backbone.inputs([prompt]), backbone.labels([answer or said])
    with _eager(backbone.model), _Watch(model) as watch, model.attached(bank, ablate):
        out = backbone.model(**inputs, labels=labels, output_attentions=True)
    n = inputs["attention_mask"].shape[1]
    asked, spoken = (_texts(backbone, ids) for ids in (inputs["input_ids"][0], labels[0]))
    if site == "encoder_input":
        shares = _means(out.encoder_attentions)  # (L, m + N, m + N)
        m = shares.shape[2] - n
        on_rows, on_question, readers = shares[:, m:, :m], shares[:, m:, m:], asked
    else:
        shares = _means(out.cross_attentions)  # (L, T, N + X)
        on_question, on_rows, readers = shares[:, :, :n], shares[:, :, n:], spoken
    if site == "decoder_layer":
        on_rows = torch.stack([watch.shares[layer] for layer in range(len(shares))])
    elif watch.shares:  # a proxy: each row that it makes is a mixture of the bank's
        on_rows = on_rows @ watch.shares[0]
    turns = bank.state.written[0].tolist() if on_rows.shape[2] == model.rows else None
    if ablate and turns:
        turns = [-1] * len(turns)
    return Looked(said, readers, asked, on_question.cpu(), on_rows.cpu(), turns, watch.added())


def _means(attentions):
    """Of each layer's (1, H, T, N) over its heads: (L, T, N)."""
    return torch.stack([shares[0].float().mean(0) for shares in attentions])


def _texts(backbone, ids):
    pieces = backbone.tokenizer.convert_ids_to_tokens(ids)
    end = backbone.tokenizer.eos_token
    return ["(end)" if piece == end else piece.replace("▁", " ") for piece in pieces]


@contextmanager
def _eager(model):
    """Kernels that hand out their shares, for the length of the block."""
    kernel = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(kernel)


class _Watch:
    """Catches what an explicit read selects and adds, and what the frozen attention beside it adds."""

    def __init__(self, model):
        self.model, self.handles = model, []
        self.shares, self.gains, self.frozen = {}, {}, {}

    def __enter__(self):
        read = self.model.read
        attend = getattr(getattr(read, "inner", read), "attend", None)
        if attend is not None:
            self.handles.append(attend.register_forward_hook(self._select))
        if read.site == "decoder_layer":
            self.handles.append(read.register_forward_hook(self._add, with_kwargs=True))
            site, modules = sites.find(self.model.backbone.model, read.site)
            for i, module in enumerate(modules):
                frozen = module.get_submodule(site.attention)
                self.handles.append(frozen.register_forward_hook(self._stay(i)))
        return self

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()

    def _select(self, attend, args, output):
        states, (keys, _), mask, place = args
        shares = attend.shares(states, keys, mask, place)[0].float().mean(0)  # (T, R)
        self.shares[len(self.shares)] = shares

    def _add(self, read, args, kwargs, output):
        self.gains[kwargs["layer"]] = output[0].float().norm(dim=1)

    def _stay(self, layer):
        def hook(module, args, output):
            self.frozen[layer] = output[0][0].float().norm(dim=1)

        return hook

    def added(self):
        if not self.gains:
            return None
        parts = [self.gains[i] / self.frozen[i].clamp(min=1e-9) for i in sorted(self.gains)]
        return torch.stack(parts).cpu()
