"""Taking a turn out again: only with the ledger, exactly, and to find out what an answer rests on."""

import pytest
import torch
from helpers import changed, make

from lmem import Bank, Ledger, MemoryModel
from lmem.errors import BankError, InputError
from lmem.memory.ledger import leave_one_out

METHODS = ["m3", "m4", "m6", "gated+branch", "delta+query", "recent"]


def written(model, talk):
    ledger = Ledger()
    bank = model.write(model.new_bank(), talk[:2], ledger=ledger)
    return model.write(bank, talk[2:], ledger=ledger), ledger


@pytest.mark.parametrize("method", METHODS)
def test_unwritten_is_never_written(tiny, talk, method):
    model = make(tiny, method)
    bank, ledger = written(model, talk)
    assert len(ledger) == 4
    without, shorter = model.unwrite(bank, 1, ledger)
    never = model.write(model.new_bank(), [talk[0], *talk[2:]])
    torch.testing.assert_close(without.state.rows, never.state.rows, atol=1e-5, rtol=1e-5)
    assert without.turns_written == [3]
    changed(without, bank)
    assert len(shorter) == 3
    rest, none = model.unwrite(without, [0, 1, 2], shorter)
    assert rest.empty
    assert model.attribute(rest, "Where does Ben live?", none, "Oslo").shape == (0,)
    with pytest.raises(InputError, match="words in an answer"):
        model.attribute(bank, "Where does Ben live?", ledger, "")
    assert model.unwrite(bank, (t for t in (0, 2)), ledger)[0].turns_written == [2]
    assert len(ledger) == 4  # the old one still stands for the old bank
    model.write(without, ["Ben: Bye."], ledger=shorter)
    assert len(shorter) == 4


@pytest.mark.parametrize("method", METHODS)
def test_what_was_written_before_the_ledger_stays(tiny, talk, method):
    """A ledger that began at the third turn takes its own turns out, and leaves the others."""
    model, ledger = make(tiny, method), Ledger()
    early = model.write(model.new_bank(), talk[:2])
    bank = model.write(early, talk[2:], ledger=ledger)
    without, _ = model.unwrite(bank, 0, ledger)
    never = model.write(early, talk[3:])
    torch.testing.assert_close(without.state.rows, never.state.rows, atol=1e-5, rtol=1e-5)
    assert without.turns_written == [3]
    few = [
        state.rows
        for state in leave_one_out(model.write_rule, ledger.first, ledger.latents, batch=1)
    ]
    [both] = [state.rows for state in leave_one_out(model.write_rule, ledger.first, ledger.latents)]
    torch.testing.assert_close(torch.cat(few), both, atol=1e-5, rtol=1e-5)
    changed(without, early)
    assert not torch.equal(both[0], both[1])


def test_without_its_ledger_nothing_is_unwritten(tiny, talk, tmp_path):
    model = make(tiny, "m3")
    bank, ledger = written(model, talk)
    bank.save(tmp_path / "bank.safetensors")
    again = Bank.load(tmp_path / "bank.safetensors")  # the file holds no ledger
    for wrong in (None, Ledger()):
        with pytest.raises(BankError, match="ledger"):
            model.unwrite(again, 0, wrong)
        with pytest.raises(BankError, match="ledger"):
            model.attribute(again, "Where does Ben live?", wrong)
    model.unwrite(again, 0, ledger)
    later = model.write(bank, ["Ben: Bye."])  # without the ledger
    for action in (
        lambda: model.unwrite(later, 0, ledger),
        lambda: model.write(later, talk, ledger=ledger),
    ):
        with pytest.raises(BankError, match="another"):
            action()
    with pytest.raises(InputError, match="turns 0 to 3"):
        model.unwrite(bank, 4, ledger)
    with pytest.raises(BankError, match="one bank"):
        model.write(model.new_bank(2), [talk, talk], ledger=Ledger())


@pytest.mark.parametrize("method", METHODS)
def test_attribution_is_leaving_one_out(tiny, talk, method):
    model = make(tiny, method)
    bank, ledger = written(model, talk)
    question, answer = "Where does Ben live?", "Cedar-Bay"
    bits = model.attribute(bank, question, ledger, answer)
    whole = model.log_likelihood(bank, question, answer)
    for turn in range(4):
        without, _ = model.unwrite(bank, turn, ledger)
        expected = whole - model.log_likelihood(without, question, answer)
        torch.testing.assert_close(bits[turn], expected[0], atol=1e-3, rtol=1e-3)
    assert bits.abs().max() > 1e-3


def test_nano_says_which_turn_its_answer_comes_from():
    model = MemoryModel.from_shipped()
    ledger = Ledger()
    talk = [
        "Ana: I adopted a cat called Miro.",
        "Ben: I live in Cedar-Bay.",
        "Ana: My dog is called Zuri.",
    ]
    bank = model.write(model.new_bank(), talk, ledger=ledger)
    assert model.answer(bank, "Where does Ben live?") == "Cedar-Bay"
    bits = model.attribute(bank, "Where does Ben live?", ledger)
    assert bits.argmax() == 1
    assert bits[1] > 5


def test_log_likelihood_in_bits_by_hand(tiny, talk):
    model = make(tiny, "m3")
    bank = model.write(model.new_bank(), talk)
    inputs = tiny.inputs(["question: Where does Ben live?"])
    labels = tiny.labels(["Cedar-Bay"])
    with torch.no_grad(), model.attached(bank):
        loss = tiny.model(**inputs, labels=labels).loss  # mean negative log-likelihood in nats
    expected = -loss * labels.shape[1] / torch.log(torch.tensor(2.0))
    torch.testing.assert_close(
        model.log_likelihood(bank, "Where does Ben live?", "Cedar-Bay")[0], expected
    )
