"""One turn and one question, step by step: what passes from part to part, with its real shape and size (chapter 1).

x_t -> Z_t -> P_t = Write(P_{t-1}, Z_t);   question -> Z_q;   what Read(Z_q, P_t) hands over -> logits -> y
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lmem.backbone.context import HookBlock
from lmem.errors import BankError, InputError
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel, as_prompt, as_texts

FORMS = {"rows": "R x D", "square": "A x A", "keyed": "R x (K + V)"}
PLACES = {
    "encoder_input": "rows stand in front of the encoder's input",
    "encoder_output": "rows stand behind the encoder's output",
    "decoder_layer": "a gain is added in each of the decoder's layers",
}


class Step(NamedTuple):
    """What can be seen after a step.

    Attributes:
        parts: Boxes of `lmem.viz.diagram.path_of_a_turn`.
        symbol: Name of the tensor.
        letters: Its axes.
        shape: Its shape.
        norm: Its Frobenius norm.
        text: What happened.
    """

    parts: tuple[str, ...]
    symbol: str
    letters: str
    shape: tuple[int, ...]
    norm: float
    text: str


@torch.no_grad()
def walk_through(model: MemoryModel, bank: Bank, turn: str, question: str) -> list[Step]:
    """Write one turn into a bank, then ask it.

    Args:
        model: The memory.
        bank: One bank of this model.
        turn: "SPEAKER: TEXT".
        question: The question.

    Raises:
        BankError: The method is stateless.
        InputError: There is more than one bank.
    """
    if model.read is None:
        raise BankError("the stateless method has no bank")
    if len(bank) != 1:
        raise InputError(f"expected one bank, not {len(bank)}")
    backbone = model.backbone
    [text], prompt = as_texts(turn), as_prompt(question)
    [[latents]] = model.encode_turns([[text]])
    after = model.write_latents(bank, [[latents]])
    answer = model.answer(after, question)
    passed, logits = _read(model, after, prompt, answer or "-")
    form, rows = FORMS[model.write_rule.form], bank.state.rows.shape[1]
    passed_axes = "L x T x D" if model.read.site == "decoder_layer" else "X x D"
    moved = after.state.rows[0] - bank.state.rows[0]
    changed = int((moved != 0).any(1).sum())

    def step(parts: str, symbol: str, letters: str, tensor: Tensor, text: str) -> Step:
        norm = round(float(tensor.float().norm()), 1)
        return Step(tuple(parts.split()), symbol, letters, tuple(tensor.shape), norm, text)

    def state(bank: Bank, symbol: str, text: str) -> Step:
        text = f"{text}; turns written: {bank.turns_written[0]}"
        return step("bank", symbol, form, bank.state.rows[0], text)

    z_q = backbone.encode([prompt])[0]
    return [
        step("turn encoder latents", "Z_t", "N x D", latents, f'the frozen encoder reads "{text}"'),
        state(bank, "P_t-1", "the bank as it was"),
        step("write", "ΔP", form, moved, f"the write changes {changed} of {rows} rows"),
        state(after, "P_t", "the bank as it is"),
        step("question asked", "Z_q", "N x D", z_q, f'the encoder reads "{prompt}", and no turn'),
        step("read", "read", passed_axes, passed, PLACES[model.read.site]),
        step("decoder answer", "logits", "T x V", logits, f'the frozen decoder says "{answer}"'),
    ]


def _read(model: MemoryModel, bank: Bank, prompt: str, answer: str) -> tuple[Tensor, Tensor]:
    """Read a bank while an answer is produced.

    Returns:
        What the read hands over, (L, T, D) inside the decoder and (X, D) elsewhere; and the logits, (T, V).
    """
    backbone, read = model.backbone, model.read
    inside, passed = read.site == "decoder_layer", []

    def note(read, args, output):
        passed.append(output if inside else output[0][0])  # (1, T, D) of each layer, or (X, D)

    inputs = backbone.inputs([prompt])
    with HookBlock() as block, model.attached(bank):
        block.after(read, note)
        logits = backbone.logits(inputs, backbone.labels([answer]))
    return torch.cat(passed), logits
