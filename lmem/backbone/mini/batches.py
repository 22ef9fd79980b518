"""Training batches of mini, generated for every step: readings of small dense worlds.

A reading is one question with some turns. The lessons rise by LEVELS, from one or two turns and few relations to the whole language.
Each piece of an answer has its weight in the loss; the first piece of a value, which must find its owner, weighs most.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from lmem.backbone.backbone import last_place
from lmem.data import everyday
from lmem.data.everyday.language import simple
from lmem.data.everyday.reading import Reading, readings

if TYPE_CHECKING:
    from lmem.backbone.mini.pretrain import MiniConfig

# encoder input, decoder input, labels, weights, places
Example: TypeAlias = tuple[list[int], list[int], list[int], list[float], list[int]]
Batch: TypeAlias = tuple[dict[str, Tensor], Tensor, Tensor]


class Batches:
    """Training batches without an end.

    Args:
        config: Sizes and shares.
        tokenizer: Of the model.
        seed: Names the streams of conversations.
        level: Level of the curriculum to begin with.
    """

    ahead = 12  # batches drawn together and sorted by length, so little of a batch is padding

    def __init__(
        self,
        config: "MiniConfig",
        tokenizer: PreTrainedTokenizerFast,
        seed: int | str,
        level: int = 0,
    ) -> None:
        self.config = config
        # a copy: padding that measuring turns on would pad every source to the longest of its chunk
        self.core: Any = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self.core.no_padding()
        self.comma: int = self.core.token_to_id(",")
        self.random = random.Random(f"mini {seed}")
        self.level, self.right = level, 0.0
        self.begun: float | None = None
        self.name = f"mini train {seed}"
        self._begin_level()

    def next(self, done: float) -> Batch:
        """Give one batch.

        Args:
            done: Share of the leg that is over.

        Returns:
            (inputs, weights, places): input_ids, attention_mask (B, N), decoder_input_ids, labels (B, M); weights (B, M);
            places (B, M), where in the source each piece of the answer stands, -1 if nowhere.
        """
        if self.begun is None:
            self.begun = done
        late = done - self.begun > LATEST
        if self.level < LAST_LEVEL and (self.right > ENOUGH or late):
            self.level, self.begun, self.right = self.level + 1, done, 0.0
            self._begin_level()
        return next(self.readings)

    def report(self, right: float) -> None:
        """Take note of the share of first pieces that a step predicted right: what decides about the next level."""
        self.right += 0.02 * (right - self.right)

    def _begin_level(self) -> None:
        config, level = self.config, LEVELS[self.level]
        language = everyday.load()
        if level.language:
            language = simple(language, *level.language)
        name = f"{self.name} {self.level}"
        last = self.level == LAST_LEVEL
        drawn = readings(
            name,
            lambda: self.random.choice(level.turns),
            level.world,
            level.near,
            config.missing if last else 0.0,
            config.undated if last else 0.8,
            language,
        )
        self.readings = self._sorted(self._readings(drawn), config.batch)

    def _readings(self, drawn: Iterator[Reading]) -> Iterator[Example]:
        """Make examples of questions and their answers."""
        while True:
            rows = list(islice(drawn, 256))
            sources = self.core.encode_batch([row.source for row in rows])
            for row, source in zip(rows, sources, strict=True):
                answer, weights, places = self._answer(
                    row.target, row.kind == "temporal", source.ids
                )
                answer, weights, places = [*answer, 1], [*weights, 0.3], [*places, -1]
                yield source.ids, [0, *answer[:-1]], answer, weights, places

    def _answer(
        self, text: str, even: bool, source: list[int]
    ) -> tuple[list[int], list[float], list[int]]:
        """Split an answer into pieces with weights, 1 for the first piece of each of its items, and places in the source."""
        ids, weights, places = [], [], []
        for i, item in enumerate([text] if even else text.split(", ")):
            pieces = self._ids(item)
            later = 0.5 if even else LEVELS[self.level].later
            if i:
                ids, weights, places = [*ids, self.comma], [*weights, later], [*places, -1]
            ids += pieces
            weights += [1.0, *[later] * (len(pieces) - 1)]
            places += self._places(source, item, len(pieces))
        return ids, weights, places

    def _places(self, source: list[int], item: str, size: int) -> list[int]:
        """Find where the pieces of an answer's item stand; that of "unknown" is the end of the text."""
        if item == everyday.UNKNOWN:
            return [len(source) - 1]
        start = last_place(source, self._ids(item))
        return [-1] * size if start is None else [*range(start, start + size)]

    def _ids(self, text: str) -> list[int]:
        return self.core.encode(text).ids[:-1]

    def _sorted(self, rows: Iterator[Example], size: int) -> Iterator[Batch]:
        """Batch examples of similar length."""
        while True:
            drawn = sorted(islice(rows, size * self.ahead), key=lambda row: len(row[0]))
            batches: list[list[Example]] = []
            batch: list[Example] = []
            for row in drawn:
                longest = len(row[0])
                if batch and (
                    len(batch) >= size or (len(batch) + 1) * longest > self.config.tokens
                ):
                    batches.append(batch)
                    batch = []
                batch.append(row)
            batches.append(batch)
            self.random.shuffle(batches)
            for batch in batches:
                yield _padded(batch)


def _padded(batch: Sequence[Example]) -> Batch:
    """Pad examples to ({name: (B, N)}, weights (B, M), places (B, M)); few different N, since each new shape costs time."""

    def pad(part: int, filler: float, kind: torch.dtype = torch.long) -> Tensor:
        longest = max(len(row[part]) for row in batch)
        size = -(-longest // 16) * 16 if part == 0 or longest > 16 else -(-longest // 4) * 4
        rows = [[*row[part], *[filler] * (size - len(row[part]))] for row in batch]
        return torch.tensor(rows, dtype=kind)

    sources = pad(0, 0)
    inputs = {
        "input_ids": sources,
        "attention_mask": (sources != 0).long(),
        "decoder_input_ids": pad(1, 0),
        "labels": pad(2, -100),
    }
    return inputs, pad(3, 0.0, torch.float), pad(4, -1)


def _dense_world(rng: random.Random) -> everyday.World:
    """A small world in which facts are many and alike, so that a shortcut does not read them."""
    return everyday.World(
        turns=rng.choice([16, 24, 40]),
        session_turns=rng.choice([8, 12, 20]),
        facts=rng.choice([0.4, 0.6, 0.8]),
        overwritten=0.15,
        withdrawn=0.06,
        subjects=rng.choice([3, 4, 6, 8, 12]),
        invented=rng.choice([0.5, 0.65, 0.9]),
        relations=rng.choice([2, 4, 8, 16, None]),
        alone=0.15,
        questions=16,
        mix=(0.34, 0.22, 0.18, 0.14, 0.12),
        pool="train",
    )


def _answered_world(rng: random.Random) -> everyday.World:
    """A small world whose questions have an answer: "unknown" is the easiest thing to learn, so it comes later."""
    return everyday.World(
        turns=16, facts=0.9, overwritten=0.0, withdrawn=0.0, subjects=rng.choice([4, 8]),
        invented=0.65, relations=rng.choice([2, 4, 8]), questions=16, mix=(1.0, 0.0, 0.0, 0.0, 0.0), typos=0.1, pool="train",
    )  # fmt: skip


def _mostly_answered_world(rng: random.Random) -> everyday.World:
    """A dense world of which few questions have no answer."""
    return replace(_dense_world(rng), mix=(0.45, 0.2, 0.14, 0.15, 0.06))


@dataclass(frozen=True)
class Level:
    """One level of the curriculum.

    Attributes:
        turns: Numbers of turns in an input, one of which is drawn for each question.
        world: Draws the world of a conversation.
        language: (relations, phrasings) of the simpler language that is spoken, None for the whole one.
        near: Share of the other turns that are chosen for being similar.
        later: Weight of a value's pieces after the first.
    """

    turns: tuple[int, ...]
    world: Callable[[random.Random], everyday.World]
    language: tuple[int, int] | None
    near: float
    later: float = 0.15


LEVELS = (  # which turn is asked about; whose fact it is, with few relations; all that can be said
    Level((1, 2), _answered_world, (24, 4), 0.0),
    Level((1, 2, 3, 4), _answered_world, (24, 4), 0.0),
    Level((1, 2, 3, 4), _answered_world, (24, 4), 0.5),
    Level((1, 2, 3, 4), _mostly_answered_world, (80, 8), 0.3),
    Level((1, 2, 2, 3, 3, 4, 4, 5, 6), _mostly_answered_world, None, 0.4),
    Level((1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 8, 12), _dense_world, None, 0.5, 0.5),
)
LAST_LEVEL = len(LEVELS) - 1
ENOUGH = 0.75  # of the first pieces right, over the last steps, to go on to the next level
LATEST = 0.2  # share of a leg after which a level ends anyhow
