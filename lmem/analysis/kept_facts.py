"""What a write keeps: a linear classifier reads one fact from the bank, by its position and by its lag (chapter 6).

    x = the bank's numbers;   W = X^T (X X^T + lambda I)^-1 Y;   the value named is argmax x W      ridge regression on 1 of C

One speaker tells where she lives, at a position of the conversation: one of C values. Other turns come before and after it. The
classifier is fitted on the banks of many such conversations and names the value in others. No read and no decoder is involved, so what
it finds is in the bank, and what it does not find no linear read of the whole bank can use.

Turns are encoded alone, so conversations are put together from a stock of encoded turns.

`superposition` is the theory for a write that adds up turns, P_T = sum_t gamma^(T-1-t) s_t with s_t the sum of a turn's latents,
whatever its maps and its rows: for Gaussian turns the best classifier is linear, and its errors follow from

    noise covariance = gamma^(2 lag) C_told + sum over the other turns gamma^(2 k) C_other
"""

import random
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from lmem.backbone.backbone import Backbone
from lmem.data.conversation import Turn
from lmem.data.splits import for_training
from lmem.data.tinyworld.language import HELD_OUT_NAMES, NAMES, RELATIONS, VALUES
from lmem.data.tinyworld.story import Event
from lmem.data.tinyworld.text import say
from lmem.memory.model import MemoryModel
from lmem.utils.settings import AtLeast1, AtLeast2, Settings, settings

RIDGES = tuple(10.0**i for i in range(-7, 2))  # times the mean of the Gram matrix's diagonal
BATCH = 50  # conversations that are written together
DRAWS = 4000  # of the theory's noise
LARGE = 8192  # numbers of a bank; larger ones are folded to so many


@settings
class KeptConfig(Settings):
    """What is asked of a write.

    Attributes:
        conversations: Conversations that the classifier is fitted on.
        tests: Others, in which it names the value.
        values: C, different towns that are told.
        others: Other turns in the stock, half of them for the tests.
        positions: Turns before the fact.
        lags: Turns after it.
        seed: Of everything that is drawn.
    """

    conversations: AtLeast2 = 1200
    tests: AtLeast1 = 300
    values: AtLeast2 = 64
    others: AtLeast2 = 2000
    positions: tuple[int, ...] = (0, 11)
    lags: tuple[int, ...] = (0, 1, 2, 4, 8, 16, 32, 60)
    seed: int = 0


class Stock(NamedTuple):
    """Encoded turns, (N, D) each.

    Attributes:
        told: For each of C values turns in which a speaker says that she lives there.
        others: Turns without any of these values: those for fitting, and those for tests.
    """

    told: list[list[Tensor]]
    others: tuple[list[Tensor], list[Tensor]]


def draw_stock(backbone: Backbone, config: KeptConfig) -> Stock:
    """Encode what conversations are put together from; the same for every write."""
    rng = random.Random(f"kept facts {config.seed}")
    values = ["-".join(pair) for pair in product(*VALUES["town"])]
    values = rng.sample(values, config.values)
    speakers = [name for name in NAMES["person"] if name not in HELD_OUT_NAMES][:4]
    texts = [
        Turn("", speaker, say(Event(speaker, speaker, "home", template), value)).render(None)
        for value in values
        for speaker in speakers
        for template in RELATIONS["home"].statements[:-1]
    ]
    drawn, _ = for_training("tinyworld", -(-config.others // 50), 60, config.seed)
    others = [text for c in drawn for text in c.texts(dates=False)]
    others = [text for text in others if not any(value in text for value in values)]
    others = others[: config.others]
    told = backbone.encode(texts)
    each, half = len(told) // len(values), len(others) // 2
    encoded = backbone.encode(others)
    by_value = [told[i * each : (i + 1) * each] for i in range(len(values))]
    return Stock(by_value, (encoded[:half], encoded[half:]))


@torch.no_grad()
def facts_kept(
    model: MemoryModel, stock: Stock, config: KeptConfig | None = None
) -> dict[int, dict[int, float]]:
    """Fit and test the classifier on a method's banks.

    Args:
        model: Its write is used, whether it is trained or not.
        stock: From `draw_stock` with the same settings.
        config: Default: `KeptConfig()`.

    Returns:
        {position: {lag: share of the test conversations whose value is named}}; chance is 1 / C.
    """
    config, kept = config or KeptConfig(), {}
    for position in config.positions:
        values, banks = _banks(model, stock, config, position, 0, config.conversations)
        answers, asked_banks = _banks(model, stock, config, position, 1, config.tests)
        kept[position] = {
            lag: classify(fitted, values, asked, answers, config.values)
            for lag, fitted, asked in zip(config.lags, banks, asked_banks, strict=True)
        }
    return kept


def _banks(
    model: MemoryModel, stock: Stock, config: KeptConfig, position: int, part: int, count: int
) -> tuple[Tensor, list[Tensor]]:
    """Write conversations: their values (conversations,), and for each lag the banks' numbers (conversations, F)."""
    rng, lags = random.Random(f"{config.seed} {position} {part}"), config.lags
    values = [rng.randrange(config.values) for _ in range(count)]
    copies: list[list[Tensor]] = [[] for _ in lags]
    for start in range(0, len(values), BATCH):
        chunk = values[start : start + BATCH]
        turns = [
            [
                *rng.choices(stock.others[part], k=position),
                rng.choice(stock.told[value]),
                *rng.choices(stock.others[part], k=max(lags)),
            ]
            for value in chunk
        ]
        bank, begin = model.new_bank(len(chunk)), 0
        for copy, lag in zip(copies, lags, strict=True):
            end = position + 1 + lag
            bank = model.write_latents(bank, [z[begin:end] for z in turns])
            copy.append(folded(bank.state.rows.flatten(1)))
            begin = end
    return torch.tensor(values), [torch.cat(copy) for copy in copies]


def folded(features: Tensor) -> Tensor:
    """Fold features (N, F) to LARGE numbers if there are more: each is added to a random one with a random sign.

    Inner products, all that the classifier uses, stay the same within about 1 / sqrt(LARGE) of the lengths.
    """
    size = features.shape[1]
    if size <= LARGE:
        return features
    generator = torch.Generator().manual_seed(size)
    place = torch.randint(LARGE, (size,), generator=generator)
    sign = 2.0 * torch.randint(2, (size,), generator=generator) - 1
    return features.new_zeros(len(features), LARGE).index_add_(1, place, features * sign)


def classify(fitted: Tensor, labels: Tensor, asked: Tensor, answers: Tensor, classes: int) -> float:
    """Fit a ridge regression on features (N, F) with labels (N,), and return the share of (M, F) that it labels right.

    The weight of the ridge is the one of RIDGES with the smallest error of leave-one-out on the fitted features.
    """
    mean = fitted.mean(0)
    x, test = fitted - mean, asked - mean
    gram = (x @ x.T).double()
    sizes, vectors = torch.linalg.eigh(gram / gram.diagonal().mean())
    target = torch.eye(classes, dtype=torch.double)[labels]
    target = target - target.mean(0)
    turned, best = vectors.T @ target, (torch.inf, target)
    for ridge in RIDGES:
        inverse = 1 / (sizes.clamp(min=0) + ridge)
        weights = vectors @ (inverse[:, None] * turned)  # (N, C)
        left_out = weights / (vectors.square() @ inverse)[:, None]  # residuals of leave-one-out
        error = float(left_out.square().mean())
        best = min(best, (error, weights), key=lambda pair: pair[0])
    named = ((test @ x.T).double() @ best[1]).argmax(1)
    return float((named == answers).double().mean())


@torch.no_grad()
def superposition(
    stock: Stock, gamma: float, config: KeptConfig | None = None
) -> dict[int, dict[int, float]]:
    """Predict what `facts_kept` finds for a sum of turns that decays by `gamma`; see the head of this file.

    Returns:
        {position: {lag: share of values that the best classifier names}}.
    """
    config = config or KeptConfig()
    told = [torch.stack([z.sum(0) for z in turns]).double() for turns in stock.told]
    means = torch.stack([sums.mean(0) for sums in told])  # (C, D)
    within = torch.cat([sums - sums.mean(0) for sums in told])
    others = torch.stack([z.sum(0) for part in stock.others for z in part]).double()
    others = others - others.mean(0)
    told_noise, other_noise = (x.T @ x / len(x) for x in (within, others))
    generator = torch.Generator().manual_seed(config.seed)
    predicted: dict[int, dict[int, float]] = {}
    for position in config.positions:
        predicted[position] = {}
        for lag in config.lags:
            after = range(lag), range(lag + 1, lag + 1 + position)
            weight = sum(gamma ** (2 * k) for part in after for k in part)
            noise = gamma ** (2 * lag) * told_noise + weight * other_noise
            noise += 1e-6 * noise.diagonal().mean() * torch.eye(len(noise)).double()
            root = torch.linalg.cholesky(noise)
            # in whitened coordinates noise is N(0, 1) and the nearest mean wins
            white = torch.linalg.solve_triangular(root, gamma**lag * means.T, upper=False).T
            label = torch.randint(len(white), (DRAWS,), generator=generator)
            drawn = torch.randn(DRAWS, white.shape[1], generator=generator, dtype=torch.double)
            nearest = torch.cdist(white[label] + drawn, white).argmin(1)
            predicted[position][lag] = float((nearest == label).double().mean())
    return predicted
