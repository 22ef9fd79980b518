"""Mini's third lesson: a question and the turn that answers it, encoded apart, should be alike.

    q = pool_Q(E(question)),  t = pool_T(E(turn));   L = -log sum_{t answers q} e^(s q.t) / sum_t e^(s q.t)

The sum below goes over all turns of a few small conversations, so the company is hard: the same fact of somebody else, another fact of
the same person (in-batch negatives: Karpukhin et al., EMNLP 2020). One step compares fifty questions with seventy turns, where a
reading compares one with six, so the encoder hears in every step who and what many sentences are about. The pools are
dropped after training. A turn that follows a question of the other speaker is encoded with that question.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import PreTrainedTokenizerFast

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
    """

    turns: tuple[Tensor, Tensor]
    questions: tuple[Tensor, Tensor]
    answers: Tensor
    left_out: Tensor

    def to(self, device: torch.device) -> "MatchingBatch":
        """Return the batch on a device."""
        turns, questions = (
            tuple(part.to(device) for part in pair) for pair in (self.turns, self.questions)
        )
        return MatchingBatch(turns, questions, self.answers.to(device), self.left_out.to(device))  # pyright: ignore[reportArgumentType]


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
        rows: list[tuple[str, set[int], set[int]]] = []
        for _ in range(CONVERSATIONS):
            texts, asked = self._conversation()
            first = len(turns)
            rows += [
                (prompt, {first + t for t in right}, {first + t for t in neither})
                for prompt, right, neither in asked
            ]
            turns += texts
        answers = torch.zeros(len(rows), len(turns), dtype=torch.bool)
        left_out = torch.zeros_like(answers)
        for i, (_, right, neither) in enumerate(rows):
            answers[i, list(right)] = True
            left_out[i, list(neither)] = True
        questions = [prompt for prompt, _, _ in rows]
        return MatchingBatch(self._pieces(turns), self._pieces(questions), answers, left_out)

    def _conversation(self) -> tuple[list[str], list[tuple[str, set[int], set[int]]]]:
        """Draw a conversation: its turns, and (question, turns that answer it, turns that are left out)."""
        rng = random.Random(f"{self.name} {self.index}")
        sample = everyday.sample(self.name, self.index, _world(rng), False)
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
            rows.append((question.prompt, right, (evidence | older) - right))
        return with_question_before(source.texts), rows

    def _pieces(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        rows = [row.ids[:LONGEST] for row in self.core.encode_batch(list(texts))]
        longest = -(-max(map(len, rows)) // 16) * 16
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        return ids, ids != 0


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
        self.sharp = nn.Parameter(torch.tensor(2.0))  # s / 10

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
        scores = (10 * self.sharp * q @ t.T).masked_fill(batch.left_out, -1e9)  # (Q, T)
        right = scores.masked_fill(~batch.answers, -1e9)
        loss = (scores.logsumexp(1) - right.logsumexp(1)).mean()
        best = scores.argmax(1, keepdim=True)
        return loss, batch.answers.gather(1, best).float().mean()


def _pool(states: Tensor, mask: Tensor, queries: Tensor, linear: nn.Linear) -> Tensor:
    """Pool (B, N, D) to (B, size), of length 1."""
    scores = (states @ queries.T).transpose(1, 2).masked_fill(~mask[:, None], -1e9)
    return normalize(linear((scores.softmax(-1) @ states).flatten(1)), dim=-1)


def _world(rng: random.Random) -> everyday.World:
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
