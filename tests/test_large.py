"""Large banks: exact reads in fixed memory, reads through an index, mapped banks, slots that do not touch every row."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers import apart, bare, close, logits, make

from lmem.errors import InputError, MethodError
from lmem.memory import large
from lmem.memory.bank import Bank, State
from lmem.memory.large import LargeSlots
from lmem.memory.read import BranchRead
from lmem.memory.write.slots import SlotWrite

READS = ["m2", "m5", "recent", "keyed", "m2_as_run", "m5_as_run", "slots+branch"]


@pytest.mark.parametrize("method", READS)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_chunks_are_exact(tiny, talk, questions, method, size):
    model = make(tiny, method)
    bank = model.write(model.new_bank(), talk)
    expected = logits(model, bank, questions)
    apart(expected, bare(model, questions))
    before = set(model.state_dict())
    with large.in_chunks(model, size):
        close(model, logits(model, bank, questions), expected)
    assert set(model.state_dict()) == before
    assert torch.equal(logits(model, bank, questions), expected)


@pytest.mark.parametrize("method", ["m2", "recent", "keyed"])
def test_chunks_keep_banks_apart(tiny, talk, questions, method):
    """One bank for each question, one of them empty."""
    model = make(tiny, method)
    banks = model.write(model.new_bank(3), [talk[:2], [], talk])
    expected = logits(model, banks, questions)
    with large.in_chunks(model, 5):
        close(model, logits(model, banks, questions), expected)


def test_chunks_by_hand():
    """Four heads, a mask, scores so large that e^score overflows without the running maximum."""
    torch.manual_seed(0)
    read = BranchRead(16, layers=1, heads=4, beta=1.0).double()
    rows, states = 40 * torch.randn(2, 50, 16).double(), torch.randn(2, 3, 16).double()
    mask = torch.rand(2, 50) < 0.7
    expected = read(rows, mask, states)
    with large.in_chunks(SimpleNamespace(read=read), 8):
        chunked = read(rows, mask, states)
    assert not torch.equal(chunked, expected)
    torch.testing.assert_close(chunked, expected, atol=1e-9, rtol=1e-9)


def test_what_the_backbone_selects_is_not_chunked(tiny):
    for method in ("m1", "m3", "m4"):
        with (
            pytest.raises(MethodError, match="leaves that to the backbone"),
            large.in_chunks(make(tiny, method)),
        ):
            pass
    with pytest.raises(InputError), large.in_chunks(make(tiny, "m2"), 0):
        pass


def test_a_large_bank_takes_no_more_memory_than_a_chunk(tiny):
    """MiB that reading 32 MiB of rows takes: with keys and values of all rows, and in chunks, under the counter of `lmem.experiments.planning.op_cost`."""
    from lmem.experiments.planning.op_cost import cost

    model = make(tiny, "m2")
    rows = torch.randn(1, 131072, tiny.width)
    state = State(rows, torch.zeros(1, len(rows[0]), dtype=torch.long), torch.tensor([1]))
    model.write_rule.rows = len(rows[0])
    bank = model.new_bank()
    bank = type(bank)(state, bank.owner, bank.backbone)
    asked = ["Where does Ben live?"] * 4
    whole = cost(lambda: logits(model, bank, asked), tiny.model, model, rows).peak / 2**20
    with large.in_chunks(model, 1024):
        chunked = cost(lambda: logits(model, bank, asked), tiny.model, model, rows).peak / 2**20
    assert whole > 64
    assert chunked < 8


# ---- top-k -------------------------------------------------------------------------------------------


@pytest.fixture
def faiss():
    return pytest.importorskip("faiss", reason="the [large] extra is not installed")


def test_an_index_finds_the_best_rows(faiss):
    torch.manual_seed(0)
    centres = torch.randn(20, 16)
    rows = centres[torch.randint(0, 20, (4000,))] + 0.2 * torch.randn(4000, 16)
    asked = centres + 0.2 * torch.randn(20, 16)
    expected = (asked @ rows.T).topk(8).indices
    some, every = large.Index(rows, lists=40, probes=8), large.Index(rows, lists=40, probes=40)
    assert large.agreement(every.search(asked, 8), expected) == 1
    assert 0.6 < large.agreement(some.search(asked, 8), expected) <= 1
    assert some.touched == pytest.approx(0.2)
    assert large.agreement(torch.tensor([[0, 1]]), torch.tensor([[1, 5]])) == 0.5


@pytest.mark.parametrize("method", ["m2", "recent", "keyed"])
def test_the_best_rows_of_all_are_the_exact_read(faiss, tiny, talk, questions, method):
    """With as many rows as there are nothing is missing; with one row something is."""
    model = make(tiny, method)
    bank = model.write(model.new_bank(), talk)
    rows = bank.state.rows[0]
    expected = logits(model, bank, questions)
    index = large.Index(large.searched(model, rows), lists=1)
    with large.top_k(model, index, len(rows)):
        close(model, logits(model, bank, questions), expected)
    with large.top_k(model, index, 1):
        assert (logits(model, bank, questions) - expected).abs().max() > 1e-5
    two = model.new_bank(2)
    with large.top_k(model, index), pytest.raises(InputError, match="one bank for an index"):
        logits(model, model.write(two, [talk, talk[:1]]), questions[:2])


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(large, "faiss", None)
    with pytest.raises(InputError, match=r"lmem\[large\]"):
        large.Index(torch.randn(100, 8))


# ---- banks on the disk, slots ------------------------------------------------------------------------


def test_a_mapped_bank_is_the_bank(tiny, talk, questions, tmp_path):
    model = make(tiny, "recent")
    bank = model.write(model.new_bank(), talk)
    bank.save(tmp_path / "b")
    mapped = Bank.load(tmp_path / "b", map=True)
    if sys.platform == "linux":  # its rows lie in the file
        lines = Path("/proc/self/maps").read_text().splitlines()
        [ends] = [line.split()[0] for line in lines if line.endswith(str(tmp_path / "b"))]
        first, last = (int(end, 16) for end in ends.split("-"))
        assert first <= mapped.state.rows.data_ptr() < last
    assert torch.equal(mapped.state.rows, bank.state.rows)
    expected = logits(model, bank, questions)
    with large.in_chunks(model, 16):
        close(model, logits(model, mapped, questions), expected)
    with (
        large.in_chunks(model, 16),
        pytest.raises(MethodError, match="one way to look"),
        large.in_chunks(model, 8),
    ):
        pass
    close(
        model, logits(model, mapped, questions), expected
    )  # and the block is left as it should be


def test_slots_through_an_index_are_slots(faiss):
    """An index that looks everywhere chooses as the paper's argmax does, turn after turn; and only the chosen rows change."""
    torch.manual_seed(0)
    rule = SlotWrite(256, 16, k=4)
    state, slots = rule.start(), LargeSlots(rule, rule.p0.clone())
    slots.index = large.Index(slots.rows, lists=6, probes=6)
    for _ in range(40):
        turn = torch.randn(1, 5, 16)
        state = rule(state, turn, torch.ones(1, 5))
        before = slots.rows.clone()
        chosen = slots.write(turn[0])
        assert len(chosen) == 4
        changed = (slots.rows != before).any(1).nonzero()[:, 0]
        assert set(changed.tolist()) == set(chosen.tolist())
    torch.testing.assert_close(slots.rows, state.rows[0], atol=1e-6, rtol=1e-5)
    assert torch.equal(slots.written, state.written[0])
    with pytest.raises(MethodError, match="as printed"):
        LargeSlots(SlotWrite(256, 16, normalise=True), rule.p0)


@pytest.mark.parametrize("method", ["m2", "m5", "keyed"])
def test_in_chunks_may_begin_and_end_inside_an_attached_block(tiny, talk, questions, method):
    """With encoder_outputs= no encoder call says that keys are to be made again."""
    model = make(tiny, method)
    bank = model.write(model.new_bank(), talk)
    inputs = tiny.encoded(tiny.inputs([f"question: {q}" for q in questions]))
    labels = tiny.labels(["Cedar-Bay"] * len(questions))
    with torch.no_grad(), model.attached(bank):
        before = tiny.model(**inputs, labels=labels).logits
        with large.in_chunks(model, 16):
            inside = tiny.model(**inputs, labels=labels).logits
            answers = tiny.generate(inputs, max_new_tokens=4)
        after = tiny.model(**inputs, labels=labels).logits
        assert answers == tiny.generate(inputs, max_new_tokens=4)
    close(model, inside, before)
    assert torch.equal(after, before)
