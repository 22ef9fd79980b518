"""Mini's third lesson, on turns that are encoded apart, as a memory encodes them: which turn answers, and at which token.

    q = pool_Q(E(question)),  t = pool_T(E(turn));   L = -log sum_{t answers q} e^(s q.t) / sum_t e^(s q.t)
    the same with the tokens z_n of all turns in place of t; right is the token where the answer begins

The sum below goes over all turns of a few small conversations, so the wrong turns are hard ones: the same fact of somebody
else, or another fact of the same person (in-batch negatives: Karpukhin et al., EMNLP 2020). One step compares fifty questions
with seventy turns, where a reading compares one with six, so the encoder hears in every step who and what many sentences are
about. The second line asks each token whose value it is (as phrases are retrieved: Lee et al., ACL 2021). The pools are dropped
after training. A turn that follows a question of the other speaker is encoded with that question.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerFast

from lmem.backbone.backbone import last_place
from lmem.data import everyday
from lmem.data.everyday.reading import Source
from lmem.data.messages import with_question_before

CONVERSATIONS, TURNS, QUESTIONS = 3, 24, 20  # of a batch; the last two of each conversation
LONGEST = 160  # pieces of a text, the rest is cut off


@dataclass(frozen=True)
class MatchingBatch:
    """Turns and questions of a few conversations.

    Attributes:
        turns: Pieces and mask, (T, N) each.
        questions: Pieces and mask, (Q, N) each.
        answers: (Q, T), True where a turn answers a question.
        left_out: (Q, T), True where a turn is neither right nor wrong: an older value, half of the evidence.
        begins: (Q, P), places in the flattened turns where the answer begins; -1 is padding.
    """

    turns: tuple[Tensor, Tensor]
    questions: tuple[Tensor, Tensor]
    answers: Tensor
    left_out: Tensor
    begins: Tensor

    def to(self, device: torch.device) -> "MatchingBatch":
        """Return the batch on a device."""

        def move(part: Any) -> Any:
            return part.to(device) if isinstance(part, Tensor) else tuple(map(move, part))

        return MatchingBatch(*(move(getattr(self, field.name)) for field in fields(self)))


class MatchingBatches:
    """Batches without an end.

    Args:
        tokenizer: Of the model.
        seed: Names the stream of conversations.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, seed: int | str) -> None:
        self.core: Any = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self.core.no_padding()
        self.name, self.index = f"mini match {seed}", 0

    def next(self) -> MatchingBatch:
        """Give one batch."""
        turns: list[str] = []
        rows: list[_Asked] = []
        for _ in range(CONVERSATIONS):
            texts, asked = self._conversation()
            first = len(turns)
            turns += texts
            for row in asked:
                right, neither = (
                    {first + t for t in places} for places in (row.right, row.neither)
                )
                rows.append(_Asked(row.prompt, right, neither, row.answer))
        answers = torch.zeros(len(rows), len(turns), dtype=torch.bool)
        left_out = torch.zeros_like(answers)
        for i, row in enumerate(rows):
            answers[i, list(row.right)] = True
            left_out[i, list(row.neither)] = True
        encoded, questions = self._pieces(turns), self._pieces([row.prompt for row in rows])
        begins = [self._begins(row, encoded[0]) for row in rows]
        begins = pad_sequence([*map(torch.tensor, begins)], batch_first=True, padding_value=-1)
        return MatchingBatch(encoded, questions, answers, left_out, begins)

    def _begins(self, row: "_Asked", turns: Tensor) -> list[int]:
        """Find where the answer begins in each turn that says it; nowhere in most turns that imply it."""
        places = {
            turn: last_place(turns[turn].tolist(), row.answer) for turn in row.right if row.answer
        }
        longest = turns.shape[1]
        return [turn * longest + at for turn, at in places.items() if at is not None] or [-1]

    def _conversation(self) -> tuple[list[str], list["_Asked"]]:
        """Draw a conversation: its turns and its questions."""
        rng = random.Random(f"{self.name} {self.index}")
        sample = everyday.sample(self.name, self.index, matched_world(rng), False)
        source = Source(sample, dates=rng.random() < 0.3)
        self.index += 1
        rows = []
        for question in source.conversation.questions[:QUESTIONS]:
            evidence = set(question.evidence)
            if not evidence:
                continue
            told = {t for t in evidence if any(f[2] == question.answer for f in source.facts[t])}
            # a question that follows from two turns is answered by either of them
            right = evidence if question.kind == "multi-hop" else told or {max(evidence)}
            older = source.turns_of(question.subject, question.relation)
            answer = self._ids(f" {question.answer}") if told else []
            rows.append(_Asked(question.prompt, right, (evidence | older) - right, answer))
        return with_question_before(source.texts), rows

    def _ids(self, text: str) -> list[int]:
        return self.core.encode(text).ids[:-1]

    def _pieces(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        rows = [row.ids[:LONGEST] for row in self.core.encode_batch(list(texts))]
        longest = -(-max(map(len, rows)) // 16) * 16
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        return ids, ids != 0


class _Asked(NamedTuple):
    """A question: the turns that answer it, those that are left out, and the pieces of its answer if a turn says it."""

    prompt: str
    right: set[int]
    neither: set[int]
    answer: list[int]


class Matching(nn.Module):
    """The two pools and the sharpness s; the loss of a batch.

    Args:
        width: D.
        size: Numbers of what is compared.
        heads: Learned queries of a pool.
    """

    def __init__(self, width: int, size: int = 128, heads: int = 4) -> None:
        super().__init__()
        self.queries = nn.Parameter(0.1 * torch.randn(heads, width))
        self.turn_queries = nn.Parameter(self.queries.data.clone())
        self.linear = nn.Linear(heads * width, size)
        self.turn_linear = nn.Linear(heads * width, size)
        self.turn_linear.load_state_dict(self.linear.state_dict())
        self.token_queries = nn.Parameter(self.queries.data.clone())
        self.asks, self.token = nn.Linear(heads * width, size), nn.Linear(width, size)
        self.sharp = nn.Parameter(torch.tensor([2.0, 2.0]))  # s / 10, of turns and of tokens

    def forward(
        self, turns: tuple[Tensor, Tensor], questions: tuple[Tensor, Tensor], batch: MatchingBatch
    ) -> tuple[Tensor, Tensor]:
        """Compute the loss and the share of questions whose best turn is right.

        Args:
            turns: Encoded turns (T, N, D) and their mask.
            questions: Encoded questions (Q, N, D) and their mask.
            batch: Which turn answers which question.
        """
        t = _pool(*turns, self.turn_queries, self.turn_linear)
        q = _pool(*questions, self.queries, self.linear)
        scores = (10 * self.sharp[0] * q @ t.T).masked_fill(batch.left_out, -1e9)  # (Q, T)
        answering = scores.masked_fill(~batch.answers, -1e9)
        loss = (scores.logsumexp(1) - answering.logsumexp(1)).mean()
        best = scores.argmax(1, keepdim=True)
        right = batch.answers.gather(1, best).float().mean()
        return loss + self._tokens(turns, questions, batch), right

    def _tokens(
        self, turns: tuple[Tensor, Tensor], questions: tuple[Tensor, Tensor], batch: MatchingBatch
    ) -> Tensor:
        """Compute the loss of finding the token where the answer begins among those of all turns."""
        found = batch.begins[:, 0] >= 0
        begins, left_out = batch.begins[found], batch.left_out[found]
        q = _pool(*questions, self.token_queries, self.asks)[found]
        tokens = normalize(self.token(turns[0]), dim=-1).flatten(0, 1)  # (T N, size)
        out = left_out[:, :, None] | ~turns[1].bool()  # (F, T, N)
        scores = (10 * self.sharp[1] * q @ tokens.T).masked_fill(out.flatten(1), -1e9)
        right = scores.gather(1, begins.clamp_min(0)).masked_fill(begins < 0, -1e9)
        return (scores.logsumexp(1) - right.logsumexp(1)).mean()


def _pool(states: Tensor, mask: Tensor, queries: Tensor, linear: nn.Linear) -> Tensor:
    """Pool (B, N, D) to (B, size), of length 1."""
    scores = (states @ queries.T).transpose(1, 2).masked_fill(~mask[:, None], -1e9)
    return normalize(linear((scores.softmax(-1) @ states).flatten(1)), dim=-1)


def matched_world(rng: random.Random) -> everyday.World:
    """A small dense conversation without questions that have no answer."""
    return everyday.World(
        turns=TURNS,
        session_turns=12,
        facts=0.75,
        overwritten=0.1,
        withdrawn=0.0,
        subjects=rng.choice([3, 4, 6, 8]),
        invented=rng.choice([0.5, 0.65, 0.9]),
        relations=rng.choice([4, 8, 16, None]),
        alone=0.15,
        questions=TURNS,
        mix=(0.55, 0.15, 0.15, 0.15, 0.0),
        pool="train",
    )
