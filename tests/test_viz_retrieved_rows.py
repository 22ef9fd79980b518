"""What a keyed read found, drawn; and found at all."""

import pytest
import torch

from lmem.analysis.retrieval import recall_shares
from lmem.errors import InputError, MethodError
from lmem.memory.model import MemoryModel
from lmem.viz.retrieved_rows import retrieved_rows

TURNS = ["Ana: I adopted a cat called Miro.", "Ben: How sweet!", "Ben: I live in Cedar-Bay."]


def test_the_nearest_rows_by_hand():
    written = torch.tensor([2, 0, -1])
    hops = [
        (torch.tensor([0.7, 0.1, 0.0, 0.2]), written),
        (torch.tensor([0.0, 0.3, 0.0, 0.7]), written),
    ]
    figure = retrieved_rows(
        [("Where does Ben live?", hops, "Cedar-Bay"), ("Who?", hops[::-1], "unknown")], TURNS, "t"
    )
    first, second = figure.data
    assert first.x[:3] == (70.0, 20.0, 10.0)
    assert [name.partition(" ")[2] for name in first.y[:3]] == [TURNS[2], "no match", TURNS[0]]
    assert second.y[0] == "2.1 no match"
    assert len(figure.frames) == 2
    assert (
        '"Where does Ben live?" finds Ben: I live in Cedar-Bay. with 70%'
        in figure.layout.meta["alt"]
    )
    with pytest.raises(InputError, match="at least one question"):
        retrieved_rows([], TURNS, "t")


def test_the_shipped_adapter_finds_the_turn():
    model = MemoryModel.from_shipped("nano-keyed")
    bank = model.write(model.new_bank(), TURNS)
    (shares, written), _ = recall_shares(model, bank, "Where does Ben live?")
    assert shares.sum().item() == pytest.approx(1, abs=1e-5)
    assert written[shares[:-1].argmax()].item() == 2
    assert model.answer(bank, "Where does Ben live?") == "Cedar-Bay"
    (shares, _), _ = recall_shares(model, bank, "What is Ben's favourite song?")
    assert shares[-1] > 0.5  # no match


def test_only_keyed_reads_recall(tiny):
    model = MemoryModel(tiny, "m3", scale=0.5)
    with pytest.raises(MethodError, match="recalls by keys"):
        recall_shares(model, model.new_bank(), "Who?")
    keyed = MemoryModel(tiny, "keyed", scale=0.5)
    with pytest.raises(InputError, match="one bank, not 2"):
        recall_shares(keyed, keyed.new_bank(2), "Who?")


def test_the_shipped_adapter_remembers_corrects_and_skips_chatter():
    """Five facts, chatter between them, a correction; saved, loaded, asked."""
    model = MemoryModel.from_shipped("nano-keyed")
    facts = [
        "Ana: I adopted a cat called Miro.",
        "Ben: I live in Cedar-Bay.",
        "Ana: My favourite dish is spiced-turnip.",
        "Ben: My brother is Hugo.",
        "Ben: Hugo works for Falcon-Studio.",
    ]
    chatter = ["Ana: How are you today?", "Ben: I am fine, thanks!"] * 40
    bank = model.write(model.new_bank(), [*facts, *chatter])
    kept = {t for t in bank.state.written[0].tolist() if t >= 0}
    assert set(range(5)) <= kept
    assert len(kept) <= 7
    asked = {
        "What is Ana's cat called?": "Miro",
        "Where does Ben live?": "Cedar-Bay",
        "What is Ana's favourite dish?": "spiced-turnip",
        "Who does Hugo work for?": "Falcon-Studio",
    }
    assert {q: model.answer(bank, q) for q in asked} == asked
    later = model.write(bank, ["Ben: Correction: I live in Amber-Hill."])
    assert model.answer(later, "Where does Ben live?") == "Amber-Hill"
    assert (later.state.written >= 0).sum() == (bank.state.written >= 0).sum()
