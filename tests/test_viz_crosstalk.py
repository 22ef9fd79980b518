"""Two facts in one matrix: the shares are what the package's own rules recall, and the slider shows them."""

import pytest
import torch

from lmem.memory.bank import State
from lmem.memory.write import DeltaWrite, HebbianWrite
from lmem.viz import crosstalk


def recalled(rule, cosine, asked):
    """Write two one-token turns with keys at this cosine, ask one key: shares of both values."""
    keys = torch.zeros(2, 4)
    keys[0, 0] = 1
    keys[1, :2] = torch.tensor([cosine, (1 - cosine**2) ** 0.5])
    values = torch.eye(4)[2:]
    latents = torch.cat([keys, values], 1)  # a token says its key and its value
    state = State(torch.zeros(1, 4, 4), torch.full((1, 4), -1), torch.zeros(1, dtype=torch.long))
    for token in latents:
        state = rule(state, token[None, None], torch.ones(1, 1))
    return (state.rows[0].T @ keys[asked - 1])[2:].tolist()


@pytest.mark.parametrize("kind", [HebbianWrite, DeltaWrite])
def test_the_rows_are_what_the_rules_recall(kind):
    rule = kind(4, 8, gamma=1.0, normalise=False)
    rule.w_k.copy_(torch.eye(8)[:, :4])
    rule.w_v.copy_(torch.eye(8)[:, 4:])
    if kind is DeltaWrite:
        rule.w_b.copy_(torch.tensor([0.0, 0, 0, 0, 0, 0, 50, 50]))  # sigmoid(50), strength 1
    name = "delta" if kind is DeltaWrite else "Hebbian"
    rows = [row for row in crosstalk.two_facts() if row["rule"] == name]
    assert len(rows) == 22
    for row in rows:
        found = recalled(rule, row["cosine"], row["asked"])
        assert found == pytest.approx([row["v1"], row["v2"]], abs=1e-3)


def test_the_slider_shows_the_rows():
    figure = crosstalk.draw_two_facts(crosstalk.two_facts())
    [slider] = figure.layout.sliders
    assert [frame.name for frame in figure.frames] == [f"{c / 10:.1f}" for c in range(11)]
    assert figure.data[0].y == figure.frames[slider.active].data[0].y
    first, second = figure.frames[6].data  # c = 0.6: 1, 0.6, 1 - 0.36, 0 of the first value
    assert list(first.y) == [1.0, 0.6, 0.64, 0.0]
    assert list(second.y) == [0.6, 1.0, 0.6, 1.0]
    assert "slider" in figure.layout.meta["alt"]
    assert len(figure.to_json()) < 20_000
