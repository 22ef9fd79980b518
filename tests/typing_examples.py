"""What a type checker knows of the public API; basedpyright checks this file, nothing runs it."""

from collections.abc import Sequence
from typing import assert_type

import torch

import lmem
from lmem import Backbone, Bank, Ledger, LmemError, MemoryModel, load_backbone, results
from lmem.memory.model import Answer

backbone = load_backbone("nano")
assert_type(backbone, Backbone)
assert_type(backbone.width, int)
assert_type(backbone.fingerprint, str)
assert_type(backbone.device, torch.device)
assert_type(backbone.encode(["context: Ana: Hi."]), list[torch.Tensor])
assert_type(backbone.generate(backbone.inputs(["question: Who?"])), list[str])

model = MemoryModel(
    backbone, "m3", scale=2, seed=1, write={"gamma": 0.9}, read={"start": "identity"}
)
assert_type(model, MemoryModel)
assert_type(lmem.MemoryModel.from_shipped("nano-recent", backbone), MemoryModel)
assert_type(model.variant(scale=10), MemoryModel)
assert_type(model.to("cpu"), MemoryModel)
assert_type(model.owner, str)

ledger = Ledger()
bank = model.write(model.new_bank(), ["Ana: I live in Cedar-Bay."], ledger=ledger)
assert_type(bank, Bank)
assert_type(bank.turns_written, list[int])
assert_type(bank.age, torch.Tensor)
assert_type(bank.to("cpu"), Bank)
assert_type(Bank.load("bank.safetensors"), Bank)
assert_type(model.answer(bank, "Where does Ana live?"), str)
assert_type(model.answer(bank, ["Where does Ana live?"], max_new_tokens=3), list[str])
answer = model.answer(bank, "Where does Ana live?", return_confidence=True)
assert_type(answer, Answer)
assert_type(answer.confidence, float)
assert_type(model.answer(bank, ["Where does Ana live?"], return_confidence=True), list[Answer])
assert_type(Ledger.load("bank.ledger"), Ledger)
assert_type(model.unwrite(bank, 0, ledger), tuple[Bank, Ledger])
assert_type(model.attribute(bank, "Where does Ana live?", ledger), torch.Tensor)
assert_type(model.log_likelihood(bank, "Where does Ana live?", "Cedar-Bay"), torch.Tensor)
assert_type(lmem.__version__, str)


def last(names: Sequence[str]) -> dict | None:
    try:
        return results.load(names[-1])
    except LmemError:
        return None
