"""Zero rows: none of them changes nothing, many change the likelihoods, and N = 0 is the bare backbone."""

import json

import pytest
import torch

from lmem.errors import InputError
from lmem.evaluation.null_rows import null_rows


def test_no_rows_cost_nothing_and_many_do(tiny, conversations):
    found = null_rows(tiny, conversations, (640, 64), progress=False)
    assert list(found["by_rows"]) == [0, 64, 640]
    assert found["n"] == sum(q.answer is not None for c in conversations for q in c.questions)
    for name in ("evidence", "question_only"):
        costs = [found["by_rows"][n][name]["cost"]["bits"]["mean"] for n in (0, 64, 640)]
        assert costs[0] == 0
        assert len(set(costs)) == 3  # each N has its own price
    bits = {
        name: found["by_rows"][0][name]["bits"]["mean"] for name in ("evidence", "question_only")
    }
    assert bits["evidence"] != bits["question_only"]
    asked = [q for c in conversations for q in c.questions if q.answer is not None]
    bare = torch.cat([tiny.bits(tiny.inputs([q.prompt]), tiny.labels([q.answer])) for q in asked])
    assert bits["question_only"] == pytest.approx(bare.mean().item(), abs=1e-3)  # N = 0: nothing
    json.dumps(found, allow_nan=False)


def test_the_cost_is_the_first_minus_the_later(tiny, conversations):
    found = null_rows(tiny, conversations[:2], (64,), progress=False)["by_rows"]
    for name, figures in found[64].items():
        expected = found[0][name]["bits"]["mean"] - figures["bits"]["mean"]
        assert figures["cost"]["bits"]["mean"] == pytest.approx(expected, abs=2e-4)


def test_bad_counts_and_no_questions(tiny, conversations):
    with pytest.raises(InputError, match="not -1"):
        null_rows(tiny, conversations, (-1,))
    with pytest.raises(InputError, match="found none"):
        null_rows(tiny, [])
