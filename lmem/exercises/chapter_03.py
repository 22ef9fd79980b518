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
    turned = "W_P is transposed: it mixes the columns of a row the wrong way round"
    plain = "without U_P there are as many soft tokens as rows"
    yield (rows, w_p, None), rows @ w_p, plain, {turned: rows @ w_p.T}
    mixed = "U_P mixes rows and W_P mixes columns; on which side must each of them be?"
    yield (rows, w_p, u_p), u_p @ rows @ w_p, mixed, {turned: u_p @ rows @ w_p.T}
    zero = "W_P = 0 gives soft tokens of zeros, not none"
    yield (rows, torch.zeros(3, 3), None), torch.zeros(5, 3), zero


@exercise("3.2")
def latents_of_question(answer):
    """Z = E([S; x]) without its first m positions: (encode, (N, D) embeddings, (m, D) soft) to (N, D)."""
    embeds, soft = _draw(4, 3), _draw(2, 3, seed=1)
    expected = _mix(torch.cat([soft, embeds]))[2:]
    hint = "the soft tokens are in front; the encoder reads both; which positions belong to the question?"
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
