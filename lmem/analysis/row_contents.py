"""What a row says: which turns it is like, and what the frozen decoder answers when that row alone can be read (chapter 2).

    likeness(r, t) = max_j cos(P_r, W_t,j),   W_t = Write(0, Z_t): what turn t alone leaves in a bank of zeros

So a row is compared with turns as the write projects them, whatever the rule.
"""

import torch
from torch.nn.functional import normalize

from lmem.backbone import hooks
from lmem.backbone.backbone import pad
from lmem.errors import InputError, MethodError
from lmem.memory.model import as_prompt

BATCH = 64  # rows that are asked together


@torch.no_grad()
def likeness(model, bank, latents):
    """How like each row is to each turn.

    latents  of the turns, (N, D) each, as `model.encode_turns` gives them for one conversation
    returns  (R, T) cosines; 0 for a row into which nothing was written
    raises   MethodError for a square bank, whose rows are no turns; InputError for more than one bank
    """
    bank = _one(model, bank)
    rows, rule = bank.state.rows[0], model.write_rule
    if rule.form == "square":
        raise MethodError("expected a bank of rows; a square one holds associations, ask it")
    turns, mask = pad(latents)
    state = rule.start(len(latents))
    state = state._replace(rows=torch.zeros_like(state.rows))
    alone = normalize(
        rule(state, turns.to(rows.device), mask.to(rows.device)).rows, dim=2
    )  # (T, R, D)
    found = torch.stack([(normalize(rows, dim=1) @ one.T).amax(1) for one in alone], 1)  # (R, T)
    return torch.where(bank.state.written[0, :, None] >= 0, found, 0).cpu()


@torch.no_grad()
def ask_rows(model, bank, question, answer):
    """Ask the same question of each row alone.

    answer   the text whose likelihood is measured
    returns  R texts, and (R,) bits that the row alone gives the answer over no bank; ("", 0) for a row that may not be read
    raises   InputError for more than one bank
    """
    bank, backbone = _one(model, bank), model.backbone
    rows = bank.state.rows[0]
    readable = model.write_rule.readable(bank.state)[0]
    prompt = as_prompt(question)
    said, bits = [""] * len(readable), torch.zeros(len(readable))
    with model.attached(bank, "masked"):
        bare = backbone.bits(backbone.inputs([prompt]), backbone.labels([answer]))
    for places in readable.nonzero()[:, 0].split(BATCH):
        n = len(places)
        alone = torch.zeros(n, len(readable), dtype=torch.bool, device=places.device)
        alone[torch.arange(n), places] = True
        with hooks.attach(backbone.model, model.read, rows.expand(n, -1, -1), alone):
            inputs = backbone.inputs([prompt] * n)
            texts = backbone.generate(inputs)
            found = backbone.bits(inputs, backbone.labels([answer] * n)) - bare
        for place, text, gained in zip(places.tolist(), texts, found.tolist(), strict=True):
            said[place], bits[place] = text, gained
    return said, bits


@torch.no_grad()
def recalled(model, bank, question):
    """Which rows a keyed read finds, hop by hop (chapter 14).

    returns  [(shares, written), ...] for both hops: the read's softmax over the rows, (R + 1,), whose last is the empty hand; and the
             turn that each row was written in, (R,), -1 for none
    raises   MethodError if the read does not recall by keys; InputError for more than one bank
    """
    bank = _one(model, bank)
    if model.read is None or model.read.form != "keyed":
        raise MethodError(f"expected a read that recalls by keys, not that of {model.method.name}")
    prompt = as_prompt(question)
    rows = bank.state.rows
    states, seen = pad(model.backbone.encode([prompt]))
    unread = ~model.write_rule.readable(bank.state)
    bias = torch.zeros_like(rows[..., 0]).masked_fill(unread, -1e9)
    key = model.read.key
    hops = model.read.recall(
        rows[..., :key], rows[..., key:], bias, states.to(rows.dtype), seen.bool()
    )
    return [(scores[0].softmax(0).cpu(), bank.state.written[0].cpu()) for scores, *_ in hops]


def _one(model, bank):
    """One bank that fits the model, placed where it is."""
    model.check(bank)
    if len(bank) != 1:
        raise InputError(f"expected one bank, not {len(bank)}")
    return model.placed(bank)
