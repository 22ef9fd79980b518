"""Checks of chapter 3: soft tokens, the way through the encoder and back, what zeros take, how far they are, what they cost."""

import torch

from lmem.exercises.exercise import Wrong, call, exercise, expect


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


@exercise(
    "3.3", "a key of zeros has the logit 0 plus its bias; exp, then its part of the sum over all"
)
def share_of_zeros(answer):
    """Softmax mass on soft tokens of zeros: ((N,) logits of the question's tokens, (m,) position biases of the zeros)."""
    zeros = torch.zeros(2)
    yield (zeros, zeros), 0.5  # 2 of 4 equal ones
    log = torch.tensor([2.0, 1.0]).log()  # exp: 2 and 1
    yield (log, torch.zeros(3)), 0.5  # 3 of 2 + 1 + 3
    bias = torch.tensor([6.0]).log()
    yield (log, bias), 2 / 3, "the bias counts too: exp(0 + bias)"  # 6 of 2 + 1 + 6
    far = torch.tensor([-1000.0])
    yield (log, far), 0.0, "a bias of minus a thousand leaves nothing"
    high = torch.tensor([1000.0, 1000.0])
    yield (high, high), 0.5, "large logits overflow in exp: take the largest off first"


@exercise(
    "3.4",
    "soft token j stands at position j, question token i at m + i: their distance is m + i - j",
)
def far(answer):
    """How many of m soft tokens lie `limit` or further in front of question token i: (m, i, limit)."""
    yield (4, 0, 3), 2  # distances 4, 3, 2, 1
    yield (4, 2, 3), 4  # 6, 5, 4, 3
    yield (4, 0, 9), 0, "none may be that far"
    yield (4, 50, 9), 4, "there are no more than m of them"
    yield (640, 0, 91), 550  # distances 640 down to 91


@exercise(
    "3.5", "2 (4 n D^2 + 2 n^2 D + 3 n D F) with n + m in the place of n, over the same with n"
)
def times_the_work(answer):
    """What m soft tokens cost: work of an encoder's layer with them over that without: (n, m, width, inner)."""
    yield (1, 0, 2, 3), 1.0
    # n = 1: 4*4 + 2*2 + 3*6 = 38; n = 2: 8*4 + 8*2 + 6*6 = 84
    yield (1, 1, 2, 3), 84 / 38
    # n = 10: 640 + 800 + 720 = 2160 with D = 4, F = 6; n = 30: 1920 + 7200 + 2160 = 11280
    yield (10, 20, 4, 6), 11280 / 2160, "the middle part grows with the square"
