"""Where a read looks: shares of attention while an answer is produced, over the question and over the bank (chapter 5).

    encoder_output   the decoder's own attention, one softmax over [Z; extra rows]
    decoder_layer    two of them: the frozen one over Z, the branch's own over the bank
    encoder_input    the encoder's attention of each question token over [prefix; question]; the decoder sees no row

All shares are means over heads. Kernels that keep no shares (SDPA) are replaced by eager ones during the recording.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lmem.backbone import sites
from lmem.backbone.backbone import Backbone
from lmem.backbone.context import HookBlock
from lmem.backbone.support import eager_attention
from lmem.errors import BankError, InputError, MethodError
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel, as_prompt


class AttentionRecord(NamedTuple):
    """Attention shares of one bank and one question: L layers, T reading tokens, N tokens of the question, X rows.

    Attributes:
        answer: The answer that this bank gives, decoded freely.
        readers: T texts, the token that is about to be produced; where the bank enters before the encoder, the question's token.
        question: N texts.
        on_question: (L, T, N) shares.
        on_rows: (L, T, X) shares; for a proxy read those of the bank's rows, through the rows that it makes of them.
        turns: X numbers of the turns that wrote the rows last, -1 for none; None where what is read is no row of the bank.
        added: (L, T) size of what the branch adds, over the size of what the frozen attention adds; None at other sites.
    """

    answer: str
    readers: list[str]
    question: list[str]
    on_question: Tensor
    on_rows: Tensor
    turns: list[int] | None
    added: Tensor | None


@torch.no_grad()
def record_attention(
    model: MemoryModel,
    bank: Bank,
    question: str,
    answer: str | None = None,
    ablate: str | None = None,
) -> AttentionRecord:
    """Read one bank for one question, and record where the attention goes.

    Args:
        model: The memory.
        bank: One bank.
        question: The question.
        answer: Text whose tokens are produced one after the other, so that several banks can be compared; by default the
            model's own answer.
        ablate: None, or "null_rows".

    Raises:
        MethodError: The method is stateless.
        InputError: There is more than one bank, or the answer is empty.
        BankError: The bank does not fit, or nothing was written into it.
    """
    if model.read is None:
        raise MethodError("the stateless method reads nothing")
    if len(bank) != 1 or ablate not in (None, "null_rows"):
        raise InputError(
            f"expected one bank, whole or as null_rows, not {len(bank)} with {ablate!r}"
        )
    if bank.empty:
        raise BankError("expected a bank into which a turn was written, this one is empty")
    own_answer = model.answer(bank, question, ablate)
    backbone, site = model.backbone, model.read.site
    inputs, labels = backbone.inputs([as_prompt(question)]), backbone.labels([answer or own_answer])
    with eager_attention(backbone.model), _Watch(model) as watch, model.attached(bank, ablate):
        out = backbone.model(**inputs, labels=labels, output_attentions=True)
    n = inputs["attention_mask"].shape[1]
    question_tokens = _texts(backbone, inputs["input_ids"][0])
    if site == "encoder_input" and not model.read.keep:
        readers, shares = question_tokens, _means(out.encoder_attentions)  # (L, X + N, X + N)
        x = shares.shape[2] - n
        on_rows, on_question = shares[:, x:, :x], shares[:, x:, x:]
    else:
        readers, shares = _texts(backbone, labels[0]), _means(out.cross_attentions)  # (L, T, N + X)
        on_question, on_rows = shares[:, :, :n], shares[:, :, n:]
    if site == "decoder_layer":
        on_rows = torch.stack(watch.shares)
    elif watch.shares:  # a proxy: each row that it makes is a mixture of the bank's
        on_rows = on_rows @ watch.shares[0]
    turns = bank.state.written[0].tolist() if on_rows.shape[2] == model.rows else None
    if ablate and turns:
        turns = [-1] * len(turns)
    return AttentionRecord(
        own_answer, readers, question_tokens, on_question.cpu(), on_rows.cpu(), turns, watch.added()
    )


def _means(attentions: Sequence[Tensor]) -> Tensor:
    """Average each layer's (1, H, T, N) over its heads: (L, T, N)."""
    return torch.stack([shares[0].float().mean(0) for shares in attentions])


def _texts(backbone: Backbone, ids: Tensor) -> list[str]:
    pieces = backbone.tokenizer.convert_ids_to_tokens(ids)
    end = backbone.tokenizer.eos_token
    return ["(end)" if piece == end else piece.replace("▁", " ") for piece in pieces]


class _Watch(HookBlock):
    """Hooks that catch what an explicit read selects and adds, and what the frozen attention next to it adds.

    Attributes:
        shares: (T, R) for each call of the read's selection, layer by layer.
        gains: (T,) norms of what the read adds, layer by layer.
        frozen: (T,) norms of what the frozen attention adds, layer by layer.
    """

    def __init__(self, model: MemoryModel) -> None:
        super().__init__()
        self.model = model
        self.shares: list[Tensor] = []
        self.gains: list[Tensor] = []
        self.frozen: list[Tensor] = []

    def __enter__(self) -> "_Watch":
        super().__enter__()
        read: Any = self.model.read
        attend = getattr(getattr(read, "inner", read), "attend", None)
        if attend is not None:
            self.after(attend, self._select)
        if read.site == "decoder_layer":
            self.after(read, lambda read, args, gain: self.gains.append(_norms(gain)))
            site, layers = sites.find(self.model.backbone.model, read.site)
            for layer in layers:
                self.after(
                    layer.get_submodule(site.attention),
                    lambda frozen, args, output: self.frozen.append(_norms(output[0])),
                )
        return self

    def _select(self, attend: Any, args: tuple, output: object) -> None:
        states, (keys, _), mask, place = args
        shares = attend.shares(states, keys, mask, place)[0]  # (H, T, R)
        self.shares.append(shares.float().mean(0))

    def added(self) -> Tensor | None:
        """Divide what the read adds by what the frozen attention adds: (L, T)."""
        if not self.gains:
            return None
        return (torch.stack(self.gains) / torch.stack(self.frozen).clamp(min=1e-9)).cpu()


def _norms(output: Tensor) -> Tensor:
    """Compute the norm of each position of the first text of (B, T, D): (T,)."""
    return output[0].float().norm(dim=1)
