"""What a read looked at: shares that add up, that agree with a softmax written out, and a model that is left as it was."""

import pytest
import torch
from helpers import away, logits, make

from lmem.analysis.attention import record_attention
from lmem.errors import BankError, InputError, MethodError
from lmem.memory.model import MemoryModel

QUESTION = "Where does Ben live?"
ROWS = ("m1", "m2", "m3", "m5", "m6", "m2_as_run", "m5_as_run", "recent", "recent+extension")


@pytest.fixture
def read(tiny, talk):
    """Record one question with a method whose weights are drawn away from their start."""

    def made(method, **options):
        model = away(MemoryModel(tiny, method, scale=0.5, seed=3))
        bank = model.write(model.new_bank(), talk)
        return model, bank, record_attention(model, bank, QUESTION, "Cedar-Bay", **options)

    return made


@pytest.mark.parametrize("method", ROWS)
def test_shares_have_their_shapes_and_add_up(read, method):
    model, _, found = read(method)
    layers, looking, n = found.on_question.shape
    assert (layers, looking, n) == (2, len(found.readers), len(found.question))
    assert found.on_rows.shape == (layers, looking, model.rows)
    assert len(found.turns) == model.rows
    question, rows = found.on_question.sum(2), found.on_rows.sum(2)
    one = torch.ones(layers, looking)
    if model.read.site == "decoder_layer":  # two softmaxes, else one over both
        torch.testing.assert_close(question, one)
        torch.testing.assert_close(rows, one)
        assert found.added.shape == (layers, looking)
        assert bool((found.added > 0).all())
    else:
        torch.testing.assert_close(question + rows, one)
        assert found.added is None
        assert bool((rows > 0.01).all())


def test_who_looks(read):
    _, _, inside = read("m2")
    assert inside.readers[-1] == "(end)"
    assert "".join(inside.readers[:-1]).strip() == "Cedar-Bay"
    assert inside.question[0].strip() == "question:"
    _, _, before = read("m1")
    assert before.readers == before.question == inside.question


def test_a_square_bank_has_no_rows_of_turns(read):
    _, _, found = read("m4")
    assert found.turns is None
    assert found.on_rows.shape[2] == len(found.question)  # one find for each token of the question


def test_the_branchs_own_shares_by_hand(read, tiny):
    """First layer, first token: the decoder has seen its start token alone, so its state is written out here."""
    model, bank, found = read("m2")
    block, rows = tiny.model.decoder.block[0], bank.state.rows
    with torch.no_grad():
        state = block.layer[0](
            tiny.model.shared(torch.tensor([[tiny.model.config.decoder_start_token_id]]))
        )[0]
        state = block.layer[1].layer_norm(state)[0, 0]  # (D,)
        attend = model.read.attend
        scores = (state @ attend.w_q[0]) @ (rows[0] @ attend.w_k[0]).T / tiny.width**0.5
    torch.testing.assert_close(found.on_rows[0, 0], scores.softmax(-1), atol=1e-5, rtol=1e-4)  # fmt: skip


def test_zero_rows_share_equally(read):
    _, _, found = read("m3", ablate="null_rows")
    assert set(found.turns) == {-1}
    torch.testing.assert_close(found.on_rows, found.on_rows[:, :, :1].expand_as(found.on_rows))
    assert found.on_rows.min() > 0


def test_recent_knows_the_turn_of_every_row(read, tiny, talk):
    _, _, found = read("recent")
    sizes = [len(tiny.tokenize([f"context: {turn}"])[0]) for turn in talk]
    written = [turn for turn, size in enumerate(sizes) for _ in range(size)][-32:]
    assert found.turns == [-1] * (32 - len(written)) + written


def test_a_branch_of_twice_the_size_adds_twice_as_much(tiny, talk):
    model = MemoryModel(tiny, "m2", scale=0.5)
    bank = model.write(model.new_bank(), talk)
    added = []
    for beta in (0.0, 0.5, 1.0):
        with torch.no_grad():
            model.read.beta[0] = beta  # of the first layer; the second stays at 0
        added.append(record_attention(model, bank, QUESTION, "Cedar-Bay").added)
    assert float(added[0].max()) == 0.0
    torch.testing.assert_close(added[2][0], 2 * added[1][0])
    assert float(added[2][1].max()) == 0.0


def test_the_model_is_left_as_it_was(tiny, talk):
    model = make(tiny, "m5")
    bank = model.write(model.new_bank(), talk)
    before = logits(model, bank, [QUESTION])
    hooks = sum(len(m._forward_hooks) for m in (*tiny.model.modules(), *model.modules()))
    record_attention(model, bank, QUESTION, "Cedar-Bay")
    with pytest.raises(InputError, match="expected words in"):
        record_attention(model, bank, QUESTION, " ")
    assert tiny.model.config._attn_implementation == "sdpa"
    assert hooks == sum(len(m._forward_hooks) for m in (*tiny.model.modules(), *model.modules()))
    assert torch.equal(before, logits(model, bank, [QUESTION]))


def test_what_cannot_be_recorded(tiny, talk):
    with pytest.raises(MethodError, match="reads nothing"):
        record_attention(MemoryModel(tiny, "m0"), None, QUESTION)
    model = make(tiny, "m3")
    with pytest.raises(BankError, match="this one is empty"):
        record_attention(model, model.new_bank(), QUESTION)
    with pytest.raises(InputError, match="expected one bank"):
        record_attention(model, model.write(model.new_bank(2), [talk, talk]), QUESTION)
    with pytest.raises(InputError, match="masked"):
        record_attention(model, model.write(model.new_bank(), talk), QUESTION, ablate="masked")
