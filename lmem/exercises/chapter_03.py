"""Checks of chapter 3: soft tokens, the way through the encoder and back, what zeros take, how far they are, what they cost."""

import torch

from lmem.exercises.cases import read_checks
from lmem.exercises.exercise import Wrong, call, exercise, expect

share_of_zeros, far, times_the_work = read_checks("3.3", "3.4", "3.5")


def _draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@exercise("3.1")
def soft_tokens(answer):
    """S = U_P P W_P: ((R, D) rows, (D, D) w_p, (m, R) u_p or None) to (m, D)."""
    rows, w_p, u_p = _draw(5, 3), _draw(3, 3, seed=1), _draw(2, 5, seed=2)
    yield (rows, w_p, None), rows @ w_p, "without U_P there are as many soft tokens as rows: P W_P"
    mixed = "U_P stands on the left: it mixes rows, W_P on the right mixes columns"
    yield (rows, w_p, u_p), u_p @ rows @ w_p, mixed
    zero = "W_P = 0 gives soft tokens of zeros, not none"
    yield (rows, torch.zeros(3, 3), None), torch.zeros(5, 3), zero


@exercise("3.2")
def latents_of_question(answer):
    """Z = E([S; x]) without its first m positions: (encode, (N, D) embeddings, (m, D) soft) to (N, D)."""
    embeds, soft = _draw(4, 3), _draw(2, 3, seed=1)
    expected = _mix(torch.cat([soft, embeds]))[2:]
    hint = (
        "the soft tokens stand in front; the encoder reads both, then their m positions are cut off"
    )
    title = "with an encoder in which every position sees all before it"
    expect(_quietly(answer, _mix, embeds, soft), expected, title, hint)
    none = "without soft tokens the question is encoded as it is"
    expect(_quietly(answer, _mix, embeds, soft[:0]), _mix(embeds), none, hint)


def _mix(embeds):
    """A stand-in for an encoder: each position becomes the mean of itself and all before it."""
    if embeds.ndim != 2:
        raise Wrong(f"the encoder here takes (positions, D), it was given {tuple(embeds.shape)}")
    return embeds.cumsum(0) / torch.arange(1, len(embeds) + 1)[:, None]


def _quietly(answer, *arguments):
    """As `call`, without the stand-in's name, which says nothing to a learner."""
    try:
        return call(answer, *arguments)
    except Wrong as error:
        text = str(error)
        raise Wrong(text.replace(repr(_mix), "encode")) from error
