"""What a row says: turn_similarity by hand, and one row read alone."""

import pytest
import torch
from helpers import make

from lmem.analysis.row_contents import answers_by_row, turn_similarity
from lmem.errors import InputError, MethodError
from lmem.memory.model import MemoryModel, as_texts

QUESTION, ANSWER = "Where does Ben live?", "Cedar-Bay"


@pytest.fixture
def latents(tiny, talk):
    return tiny.encode(as_texts(talk))


def test_a_row_of_recent_is_its_turns_own(tiny, latents):
    model = MemoryModel(tiny, "recent", scale=1)
    bank = model.write_latents(model.new_bank(), [latents])
    found, written = turn_similarity(model, bank, latents), bank.state.written[0]
    assert found.shape == (64, len(latents))
    there = written >= 0
    torch.testing.assert_close(
        found[there].gather(1, written[there][:, None])[:, 0], torch.ones(int(there.sum()))
    )
    assert torch.equal(found[~there], torch.zeros(int((~there).sum()), len(latents)))
    assert found.max() <= 1 + 1e-5


def test_mixed_rows_by_hand(tiny, latents):
    """From zeros all rows stay equal: v_1 / 2 + v_2, where v_t is the sum of the turn's values."""
    options = {"gamma": 0.5, "noise": 0.0}
    model = MemoryModel(tiny, "m3", scale=0.5, write=options)
    bank = model.write_latents(model.new_bank(), [latents[:2]])
    first, second = ((z @ model.write_rule.w_v).sum(0) for z in latents[:2])
    mixed = first / 2 + second
    expected = torch.stack([mixed @ v / (mixed.norm() * v.norm()) for v in (first, second)])
    torch.testing.assert_close(
        turn_similarity(model, bank, latents[:2]), expected.expand(32, 2), atol=1e-4, rtol=1e-4
    )


def test_only_what_was_written_is_like_anything(tiny, latents):
    model = MemoryModel(tiny, "m6", scale=0.5, write={"k": 3})
    bank = model.write_latents(model.new_bank(), [latents[:1]])
    found = turn_similarity(model, bank, latents)
    assert int((found.abs().sum(1) > 0).sum()) == 3  # the k rows that the turn chose


def test_a_row_alone_is_the_whole_of_a_bank_of_one(tiny, latents):
    model = make(tiny, "recent")
    bank = model.write_latents(model.new_bank(), [[latents[0][:1]]])  # one token, one row
    said, bits = answers_by_row(model, bank, QUESTION, ANSWER)
    with model.attached(bank, "masked"):
        inputs = tiny.inputs([f"question: {QUESTION}"])
        bare = tiny.bits(inputs, tiny.labels([ANSWER]))
    gained = model.log_likelihood(bank, QUESTION, ANSWER) - bare
    assert said[-1] == model.answer(bank, QUESTION)
    assert abs(float(gained)) > 1e-2
    torch.testing.assert_close(bits[-1:], gained, atol=1e-3, rtol=1e-3)
    assert set(said[:-1]) == {""}
    assert bits[:-1].abs().max() == 0


@pytest.mark.parametrize("method", ["m1", "m2", "m3", "m5", "m6", "m2_as_run"])
def test_equal_rows_say_the_same(tiny, talk, method):
    """A collapsed bank, each row read alone: all the same, but for a prefix, whose rows have positions in the encoder's input."""
    model = make(tiny, method)
    bank = model.write(model.new_bank(), talk)
    bank.state.rows.copy_(bank.state.rows[:, :1].expand_as(bank.state.rows).clone())
    said, bits = answers_by_row(model, bank, QUESTION, ANSWER)
    assert len(said) == model.rows
    assert float(bits.abs().min()) > 1e-3  # it is read
    assert (float(bits.max() - bits.min()) < 1e-3) == (method != "m1")


def test_what_has_no_rows(tiny, talk, latents):
    model = MemoryModel(tiny, "m4", scale=0.5)
    with pytest.raises(MethodError, match="a square one has associations"):
        turn_similarity(model, model.write(model.new_bank(), talk), latents)
    model = MemoryModel(tiny, "m3", scale=0.5)
    with pytest.raises(InputError, match="expected one bank, not 2"):
        answers_by_row(model, model.new_bank(2), QUESTION, ANSWER)
