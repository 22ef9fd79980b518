"""Taking a turn out again: only with the ledger, exactly, and to find out what an answer rests on."""

import stat

import pytest
import torch
from helpers import changed, make

from lmem import Bank, Ledger, MemoryModel
from lmem.errors import BankError, InputError
from lmem.memory.bank import save_tensors
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
    model = MemoryModel.from_shipped("nano-recent")
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


@pytest.mark.parametrize("method", ["recent", "m4", "keyed"])
def test_a_ledger_is_saved_and_loaded(tiny, talk, tmp_path, method):
    """It does the same tomorrow, and only its owner can read it."""
    model = make(tiny, method)
    bank, ledger = written(model, talk)
    path = tmp_path / "bank.ledger"
    path.write_text("old")
    path.chmod(0o644)
    ledger.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = Ledger.load(path)
    assert loaded == ledger
    assert model.unwrite(bank, 1, loaded)[0] == model.unwrite(bank, 1, ledger)[0]
    bits = model.attribute(bank, "Where does Ben live?", loaded, "Cedar-Bay")
    torch.testing.assert_close(
        bits, model.attribute(bank, "Where does Ben live?", ledger, "Cedar-Bay")
    )
    assert loaded.texts == talk
    later = model.write(bank, ["Ben: Bye."], ledger=loaded)
    assert len(loaded) == 5
    assert loaded.texts == [*talk, "Ben: Bye."]
    assert model.unwrite(later, [1, 3], loaded)[1].texts == [talk[0], talk[2], "Ben: Bye."]
    with pytest.raises(BankError, match="another one"):
        Ledger.load(path).check(later)
    _, none = model.unwrite(bank, range(4), ledger)
    none.save(path)
    assert Ledger.load(path) == none


def test_a_ledger_of_an_earlier_version_has_no_words(tiny, talk, tmp_path, monkeypatch):
    model, path = make(tiny, "recent"), tmp_path / "x.ledger"
    bank, ledger = written(model, talk)

    def save(path, form, tensors, about, private):
        old = {name: tensor for name, tensor in tensors.items() if name != "texts"}
        save_tensors(path, form, old, about, private)

    monkeypatch.setattr("lmem.memory.ledger.save_tensors", save)
    ledger.save(path)
    loaded = Ledger.load(path)
    assert loaded.texts == [""] * 4
    loaded.check(bank)
    assert model.unwrite(bank, 1, loaded)[0] == model.unwrite(bank, 1, ledger)[0]


@pytest.mark.parametrize("words", [b"", b"{}", b'["a"]', b'["a", "b", "c", 1]', b"[[[[", b"\xff"])
def test_words_that_are_none_are_refused(tiny, talk, tmp_path, monkeypatch, words):
    model, path = make(tiny, "recent"), tmp_path / "x.ledger"
    _, ledger = written(model, talk)

    def save(path, form, tensors, about, private):
        odd = torch.tensor(list(words), dtype=torch.uint8)
        save_tensors(path, form, tensors | {"texts": odd}, about, private)

    monkeypatch.setattr("lmem.memory.ledger.save_tensors", save)
    ledger.save(path)
    with pytest.raises(BankError, match="the words of 4 turns"):
        Ledger.load(path)


def test_a_ledger_that_is_none_is_refused(tiny, talk, tmp_path):
    model, path = make(tiny, "recent"), tmp_path / "x"
    with pytest.raises(BankError, match="nothing was recorded"):
        Ledger().save(path)
    bank, ledger = written(model, talk)
    bank.save(path)
    with pytest.raises(BankError, match="lmem-ledger-1"):
        Ledger.load(path)
    ledger.save(path)
    with pytest.raises(BankError, match="lmem-bank-1"):
        Bank.load(path)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(BankError, match="altered"):
        Ledger.load(path)
    path.write_bytes(content[:-9])
    for wrong in (path, tmp_path / "none", tmp_path):
        with pytest.raises(BankError, match="expected a ledger"):
            Ledger.load(wrong)


def test_some_turns_are_attributed_alone(tiny, talk):
    model = make(tiny, "recent")
    bank, ledger = written(model, talk)
    whole = model.attribute(bank, "Where does Ben live?", ledger, "Cedar-Bay")
    part = model.attribute(bank, "Where does Ben live?", ledger, "Cedar-Bay", turns=[2, 0])
    torch.testing.assert_close(part[[0, 2]], whole[[0, 2]])
    assert part[[1, 3]].tolist() == [0, 0]
    assert whole[1] != 0
    with pytest.raises(InputError):
        model.attribute(bank, "Where does Ben live?", ledger, "Cedar-Bay", turns=[4])
