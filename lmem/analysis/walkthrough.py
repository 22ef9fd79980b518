"""One turn and one question, step by step: what passes from part to part, with its real shape and size (chapter 1).

x_t -> Z_t -> P_t = Write(P_{t-1}, Z_t);   question -> Z_q;   what Read(Z_q, P_t) hands over -> logits -> y
"""

from typing import NamedTuple

import torch

from lmem.errors import BankError, InputError
from lmem.memory.model import as_prompt, as_texts

FORMS = {"rows": "R x D", "square": "A x A", "keyed": "R x (K + V)"}
PLACES = {
    "encoder_input": "rows stand in front of the encoder's input",
    "encoder_output": "rows stand behind the encoder's output",
    "decoder_layer": "a gain is added in each of the decoder's layers",
}


class Step(NamedTuple):
    """What is seen after a step.

    parts   boxes of `lmem.viz.diagram.path_of_a_turn`
    symbol  of the tensor; letters, its axes; shape; norm, Frobenius
    text    what happened
    """

    parts: tuple[str, ...]
    symbol: str
    letters: str
    shape: tuple[int, ...]
    norm: float
    text: str


@torch.no_grad()
def follow(model, bank, turn, question):
    """Write one turn into a bank, then ask it.

    bank     one Bank of this model
    turn     "SPEAKER: TEXT"
    returns  list of Step
    raises   BankError for the stateless method, InputError for more than one bank
    """
    if model.read is None:
        raise BankError("the stateless method has no bank")
    if len(bank) != 1:
        raise InputError(f"expected one bank, not {len(bank)}")
    backbone, inside = model.backbone, model.read.site == "decoder_layer"
    [text], prompt = as_texts(turn), as_prompt(question)
    [[latents]] = model.encode_turns([[text]])
    after = model.write_latents(bank, [[latents]])
    moved = after.state.rows[0] - bank.state.rows[0]
    said, passed = model.answer(after, question), []

    def note(read, args, output):
        passed.append(output if inside else output[0][0])  # (1, T, D) of each layer, or (X, D)

    inputs = backbone.inputs([prompt])
    handle = model.read.register_forward_hook(note)
    try:
        with model.attached(after):
            logits = backbone.logits(inputs, backbone.labels([said or "-"]))  # (T, V)
    finally:
        handle.remove()
    form, rows = FORMS[model.write_rule.form], bank.state.rows.shape[1]
    changed = int((moved != 0).any(1).sum())
    seen = [
        (("turn", "encoder", "latents"), "Z_t", "N x D", latents, f'the frozen encoder reads "{text}"'),
        (("bank",), "P_t-1", form, bank.state.rows[0], f"the bank as it was; turns written: {bank.turns_written[0]}"),
        (("write",), "ΔP", form, moved, f"the write changes {changed} of {rows} rows"),
        (("bank",), "P_t", form, after.state.rows[0], f"the bank as it is; turns written: {after.turns_written[0]}"),
        (("question", "asked"), "Z_q", "N x D", backbone.encode([prompt])[0], f'the encoder reads "{prompt}", and no turn'),
        (("read",), "read", "L x T x D" if inside else "X x D", torch.cat(passed), PLACES[model.read.site]),
        (("decoder", "answer"), "logits", "T x V", logits, f'the frozen decoder says "{said}"'),
    ]  # fmt: skip
    return [
        Step(
            parts, symbol, letters, tuple(found.shape), round(float(found.float().norm()), 1), said
        )
        for parts, symbol, letters, found, said in seen
    ]
