"""What a bank looks like: every number by hand on banks of two to four rows, then on banks that were written."""

import math

import pytest
import torch
from helpers import make

from lmem.analysis import bank_metrics
from lmem.errors import InputError
from lmem.memory.bank import Bank, State


def bank(rows, written, turns):
    rows = torch.tensor(rows, dtype=torch.float32)[None]
    return Bank(State(rows, torch.tensor([written]), torch.tensor([turns])), "hand", "hand")


def test_effective_rank_by_hand():
    assert bank_metrics.effective_rank(torch.eye(4)) == pytest.approx(4)  # four shares of 1/4
    assert bank_metrics.effective_rank(torch.ones(4, 3)) == pytest.approx(1)
    assert bank_metrics.effective_rank(torch.zeros(4, 3)) == 0
    # singular values 3 and 1: p = 3/4, 1/4; entropy = 3/4 log(4/3) + 1/4 log 4
    expected = math.exp(0.75 * math.log(4 / 3) + 0.25 * math.log(4))
    found = bank_metrics.effective_rank(torch.tensor([[3.0, 0, 0], [0, 1, 0]]))
    assert found == pytest.approx(expected)
    assert expected == pytest.approx(1.7548, abs=1e-4)


def test_distinct_rows_by_hand():
    # lengths 10, 10.5 and 10; 0.5 <= 0.1 * 10.5, the third is 14 away
    rows = torch.tensor([[10.0, 0], [10.5, 0], [0, 10]])
    assert bank_metrics.distinct_rows(rows) == 2
    assert bank_metrics.distinct_rows(rows, alike=0.04) == 3  # 0.5 > 0.04 * 10.5
    # a chain: 10, 11, 12; the ends are 2 apart, each step 1 <= 0.1 * 11
    assert bank_metrics.distinct_rows(torch.tensor([[10.0], [11], [12]])) == 1
    assert bank_metrics.distinct_rows(torch.zeros(3, 2)) == 1


def test_mean_cosine_by_hand():
    # pairs: (x, y) 0, (x, -x) -1, (y, -x) 0; their mean is -1/3
    assert bank_metrics.mean_cosine(torch.tensor([[2.0, 0], [0, 3], [-1, 0]])) == pytest.approx(
        -1 / 3
    )
    assert bank_metrics.mean_cosine(torch.tensor([[1.0, 0], [3, 0]])) == pytest.approx(1)
    assert bank_metrics.mean_cosine(torch.tensor([[1.0, 0], [0, 0]])) == 0


def test_a_look_by_hand():
    found = bank_metrics.measure_bank(bank([[3, 4], [0, 0], [6, 8]], [1, -1, 0], 2))
    assert (found["turns"], found["rows"], found["distinct"]) == (2, 3, 3)
    assert (found["low"], found["middle"], found["high"]) == (0, 5, 10)
    assert found["rank"] == pytest.approx(1)  # both are multiples of (3, 4)
    assert found["cosine"] == pytest.approx(1 / 3)  # one pair of three
    assert found["changed"] == pytest.approx(1 / 3)  # row 0, by turn 1, the newest
    assert found["used"] == pytest.approx(2 / 3)
    with pytest.raises(InputError, match="one bank"):
        bank_metrics.measure_bank(
            Bank(State(*(torch.cat([t, t]) for t in bank([[1.0, 0]], [0], 1).state)), "", "")
        )


def test_a_fresh_bank_was_not_changed():
    found = bank_metrics.measure_bank(bank([[1, 0], [0, 1]], [-1, -1], 0))
    assert (found["changed"], found["used"]) == (0, 0)


def test_usage_counts_every_write():
    steps = [bank([[0], [0], [0]], w, t) for t, w in enumerate([[-1] * 3, [0, -1, 0], [1, -1, 0]])]
    assert bank_metrics.write_counts(steps).tolist() == [[0, 0, 0], [1, 0, 1], [2, 0, 1]]


def test_usage_of_written_slots(tiny, talk):
    model = make(tiny, "m6")
    steps = [model.new_bank()]
    for turn in talk:
        steps.append(model.write(steps[-1], [turn]))
    counts = bank_metrics.write_counts(steps)
    assert counts[-1].sum() == len(talk) * 8  # top-k, each turn
    assert (counts[-1] > 0).tolist() == (steps[-1].state.written[0] >= 0).tolist()


def test_cosines_of_evenly_spaced_rows():
    rows = torch.tensor([[2.0, 0], [9, 9], [0, 1], [9, 9], [-3, 0]])
    # of five rows three: 0, 2 and 4
    expected = torch.tensor([[1.0, 0, -1], [0, 1, 0], [-1, 0, 1]]).double()
    torch.testing.assert_close(bank_metrics.cosines(rows, 3), expected)
    assert bank_metrics.cosines(rows).shape == (5, 5)


def test_similarity_of_keys(tiny):
    model = make(tiny, "m4")
    latents = tiny.encode(["context: Ana: Hi.", "context: Ben: I live in Cedar-Bay."])
    found = bank_metrics.key_similarity(model.write_rule, latents)
    a, b = ((z @ model.write_rule.w_k).mean(0) for z in latents)
    torch.testing.assert_close(
        found[0, 1].float(), torch.cosine_similarity(a, b, dim=0), atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(found.diagonal(), torch.ones(2).double())
    with pytest.raises(InputError, match="AttentionWrite"):
        bank_metrics.key_similarity(make(tiny, "m3").write_rule, latents)
