"""One turn step by step: the tensors are the model's own, and nothing stays behind."""

import pytest
import torch
from helpers import make

from lmem.analysis.walkthrough import walk_through
from lmem.errors import BankError, InputError
from lmem.memory.model import MemoryModel

TURN, QUESTION = "Ben: I live in Cedar-Bay.", "Where does Ben live?"


def steps_of(model, talk):
    bank = model.write(model.new_bank(), talk[:2])
    return bank, {step.symbol: step for step in walk_through(model, bank, TURN, QUESTION)}


def norm(tensor):
    return pytest.approx(float(tensor.norm()), abs=0.051)


@pytest.mark.parametrize("method", ["m1", "m2", "m3", "m4", "m5", "m6", "m2_as_run", "recent"])
def test_every_method_can_be_followed(tiny, talk, method):
    model = make(tiny, method)
    bank, found = steps_of(model, talk)
    assert list(found) == ["Z_t", "P_t-1", "ΔP", "P_t", "Z_q", "read", "logits"]
    after = model.write(bank, [TURN])
    assert found["P_t-1"].norm == norm(bank.state.rows)
    assert found["P_t"].norm == norm(after.state.rows)
    assert found["ΔP"].norm == norm(after.state.rows - bank.state.rows)
    assert found["P_t"].shape == tuple(bank.state.rows.shape[1:])
    assert found["read"].norm > 0
    assert "turns written: 3" in found["P_t"].text
    n = len(tiny.tokenize([f"question: {QUESTION}"])[0])
    assert found["Z_q"].shape == (n, tiny.width)
    assert found["logits"].shape[1] == tiny.model.config.vocab_size


def test_what_the_read_hands_over(tiny, talk):
    shapes = {
        method: steps_of(make(tiny, method), talk)[1]["read"] for method in ("m1", "m2", "m4")
    }
    assert shapes["m1"].shape == (32, tiny.width)
    said = shapes["m2"].shape[1]
    assert shapes["m2"].shape == (2, said, tiny.width)
    assert (shapes["m2"].letters, shapes["m4"].letters) == ("L x T x D", "X x D")
    n = len(tiny.tokenize([f"question: {QUESTION}"])[0])
    assert shapes["m4"].shape == (n, tiny.width)  # one row for each token of the question  # fmt: skip


def test_extra_rows_by_hand(tiny, talk):
    """M.3: H = P W_mem."""
    model = make(tiny, "m3")
    bank, found = steps_of(model, talk)
    rows = model.write(bank, [TURN]).state.rows[0]
    with torch.no_grad():
        assert found["read"].norm == norm(rows @ model.read.w_mem)


def test_the_write_says_how_many_rows_it_changed(tiny, talk):
    model = MemoryModel(tiny, "m6", scale=0.5, write={"k": 3})
    _, found = steps_of(model, talk)
    assert found["ΔP"].text == "the write changes 3 of 32 rows"


def test_nothing_stays_behind(tiny, talk):
    model = make(tiny, "m2")
    modules = (*tiny.model.modules(), *model.modules())
    before = [len(m._forward_hooks) for m in modules]
    bank, _ = steps_of(model, talk)
    assert bank.turns_written == [2]
    assert [len(m._forward_hooks) for m in modules] == before


def test_what_cannot_be_followed(tiny):
    with pytest.raises(BankError, match="no bank"):
        walk_through(MemoryModel(tiny, "m0"), None, TURN, QUESTION)
    model = MemoryModel(tiny, "m3", scale=0.5)
    with pytest.raises(InputError, match="expected one bank, not 2"):
        walk_through(model, model.new_bank(2), TURN, QUESTION)
