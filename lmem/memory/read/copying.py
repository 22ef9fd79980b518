"""Copying read: the row that matches a question best gives its value to the decoder, token by token, to be copied (chapter 14).

    p = softmax(beta [q . k_1 .. q . k_R]);      candidates, the 3 best rows
    a second hop asks again, with the value p_1 v_1 + .. + p_R v_R appended to the question, as rows
    d = sigmoid(MLP_h(q * k_r, q . k_r, its lead, both for the other hop too, k_r . k_n));
        doubt, the probability that r does not answer; n is the most alike of the newer rows that are as like the question
    r, of the candidates of both hops the one with the least doubt; of rows with the same key as r the newest is told
    X rows = tell(c_r), if d < threshold;      else rows that make the frozen decoder say "unknown"
    the decoder's last states gain the pieces that the codes stand for, one at each step (`lmem.memory.read.spelling`)
    withheld, "far" if q . k_r < 1 - nu, for then "no row" wins the softmax;      else "doubted"

The recall read mixes rows by p. Here one row is chosen, since a mixture of two words is no word. A single cosine does not tell a good
match from a near miss, somebody else's dog or the same person's cat; the numbers that it sums do so better, and so does the other hop:
for a question that needs one row both find the same. A newer row with a similar key may say that the value has changed; one with the
same key says it again, or corrects it. tell turns a code of v numbers, with those of its neighbours, into a row that the frozen
cross-attention reads as it reads the encoder's output for the same token.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lmem.memory.pooling import Address, mlp, row_sizes
from lmem.memory.read.base import Judgement, Keys, Read, extra_mask
from lmem.memory.read.recall import Hop, RecallRead
from lmem.memory.read.spelling import Spelling

CANDIDATES = 3  # rows of each hop of which one is chosen
NEAR = 0.1  # by which a row's cosine may be below another's to be as like the question
SAME = 0.94  # cosine of the keys of rows that say the same of the same person


class Choice(NamedTuple):
    """What each of B questions chooses.

    Attributes:
        row: (B,), the newest with the key of the one that is doubted least.
        doubt: (B,), that the latter does not answer.
        similarity: (B, R), cosines of question and keys in the hop that found it, -1 for rows that may not be read.
    """

    row: Tensor
    doubt: Tensor
    similarity: Tensor


class CopyingRead(RecallRead):
    """Give the best row's value to the decoder."""

    form = "spans"
    spells = True
    choices = ("asks", "sharp", "nu", "doubt", "nothing")

    def __init__(
        self,
        width: int,
        layers: int,
        rows: int = 0,
        key: int | None = None,
        code: int | None = None,
        length: int = 8,
        heads: int = 4,
        hidden: int = 256,
        threshold: float = 0.5,
    ):
        """Draw the pools.

        Args:
            width: D.
            layers: Not used.
            rows: Not used.
            key: Numbers of the key, as in the write.
            code: Numbers of a token of the value, as in the write.
            length: L, tokens of a value, as in the write.
            heads: Queries of the pools that make the question's key.
            hidden: Hidden units of the pools.
            threshold: Doubt from which on the answer is "unknown".
        """
        Read.__init__(self)
        key, code = row_sizes(width, key, code)
        self.key, self.length, self.width, self.threshold = key, length, width, threshold
        self.asks = nn.ModuleList(Address(width, key, heads, hidden) for _ in range(2))
        self.sharp = nn.Parameter(torch.tensor(1.5))  # beta / 10
        self.nu = nn.Parameter(torch.tensor(2.5))  # how far from a perfect match a key may be
        self.doubt = nn.ModuleList(mlp(key + 5, 192, 1) for _ in range(2))
        for network in self.doubt:
            *_, bias = network.parameters()
            nn.init.constant_(bias, -2.0)  # at first tell whatever fits best
        self.place = nn.Parameter(torch.zeros(length, width))
        self.respell = nn.Linear(code, width)
        self.around = mlp(3 * code + length, 512, width)
        self.nothing = nn.Parameter(0.02 * torch.randn(length, width))
        self.spelling = Spelling(width, code)
        for weight in self.around[2].parameters():
            nn.init.zeros_(weight)

    def look_up(self, rows: Tensor, mask: Tensor, states: Tensor, seen: Tensor) -> list[Hop]:
        """As in the recall read, of a bank (B, R, K + L v + 1)."""
        bias = torch.zeros_like(rows[..., 0]).masked_fill(~mask, -1e9)
        return self.recall(rows[..., : self.key], rows[..., self.key : -1], bias, states, seen)

    def next_question(self, states: Tensor, seen: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Append a value (B, L v) to the question, as the rows that tell it: latents (B, N + L, D), mask (B, N + L)."""
        states = torch.cat([states, self.value_rows(value)], 1)
        return states, torch.cat([seen, seen.new_ones(len(seen), self.length)], 1)

    def value_rows(self, value: Tensor) -> Tensor:
        """Map a value (B, L v) to the rows (B, L, D) that the decoder sees."""
        codes = value.unflatten(1, (self.length, -1))  # (B, L, v)
        padded = nn.functional.pad(codes, (0, 0, 1, 1))
        places = torch.eye(self.length, device=value.device, dtype=value.dtype)
        around = [padded[:, :-2], codes, padded[:, 2:], places.expand(len(value), -1, -1)]
        return self.respell(codes) + self.place + self.around(torch.cat(around, -1))

    def shares(self, scores: Tensor) -> Tensor:
        """Return what each row gives to the value of a hop (B, R): all of it comes from rows."""
        return scores[:, :-1].softmax(1)

    def forward(
        self,
        rows: Tensor,
        mask: Tensor,
        states: Tensor,
        seen: Tensor | None = None,
        keys: Keys = (),
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the extra rows (B, L, D) of a bank (B, R, K + L v + 1) for states (B, N, D), their mask (B, L), their pieces (B, L, D)."""
        seen = states.new_ones(states.shape[:2]).bool() if seen is None else seen.bool()
        best, doubt, _ = self.choose(rows, mask, states, seen)
        value = rows[torch.arange(len(rows), device=rows.device), best, self.key : -1]
        unknown = (doubt >= self.threshold)[:, None, None]
        extra = torch.where(unknown, self.nothing.to(rows.dtype), self.value_rows(value))
        seen_rows = extra_mask(mask, self.length)  # (B, L)
        silent = unknown | ~seen_rows[..., None]
        return extra, seen_rows, self.pieces(value).masked_fill(silent, 0.0)

    def pieces(self, value: Tensor) -> Tensor:
        """Map a value (B, L v) to the pieces (B, L, D) that its tokens stand for."""
        return self.spelling.pieces(value.unflatten(1, (self.length, -1)))

    def spell(self, states: Tensor, pieces: Tensor, first: int = 0) -> Tensor:
        """As in the base class."""
        return self.spelling(states, pieces, first)

    def both_hops(
        self, rows: Tensor, mask: Tensor, states: Tensor, seen: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Return for both hops the query (B, K) and its cosines with the rows (B, R), -1 where a row may not be read."""
        first, second = self.look_up(rows, mask, states, seen)
        asked = (states, seen), self.next_question(states, seen, first[1])
        return [
            (ask(*question), (scores[:, :-1] / (10 * self.sharp)).masked_fill(~mask, -1.0))
            for ask, question, (scores, *_) in zip(self.asks, asked, (first, second), strict=True)
        ]

    def candidates(
        self, rows: Tensor, mask: Tensor, states: Tensor, seen: Tensor
    ) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Find for both hops the rows of the best keys (B, C), what each is doubted by (B, C, K + 5), and all cosines (B, R)."""
        (first, once), (second, again) = self.both_hops(rows, mask, states, seen)
        keys, turn, found = rows[..., : self.key], rows[..., -1].masked_fill(~mask, -torch.inf), []
        for query, own, other in ((first, once, again), (second, again, once)):
            best = own.masked_fill(~mask, -torch.inf).topk(min(CANDIDATES, own.shape[1])).indices
            found.append((best, doubt_signs(query, keys, turn, best, own, other), own))
        return found

    def choose(self, rows: Tensor, mask: Tensor, states: Tensor, seen: Tensor) -> Choice:
        """Choose of the candidates of both hops the one that is doubted least.

        Whether one row leads to another is not in the question: "Where does Ben live?" takes two hops if Ben is only known as
        somebody's brother.
        """
        found = self.candidates(rows, mask, states, seen)
        best = torch.cat([row for row, _, _ in found], 1)  # (B, 2 C)
        doubts = [
            torch.sigmoid(network(signs)[..., 0])
            for network, (_, signs, _) in zip(self.doubt, found, strict=True)
        ]
        doubt = torch.cat(doubts, 1).masked_fill(~mask.gather(1, best), 1.0)
        least, place = doubt.min(1)  # (B,)
        (_, _, once), (_, _, again) = found
        later = place >= best.shape[1] // 2
        similarity = torch.where(later[:, None], again, once)
        row = best.gather(1, place[:, None])  # (B, 1)
        turn = rows[..., -1].masked_fill(~mask, -torch.inf)
        return Choice(newest(rows[..., : self.key], turn, row, similarity), least, similarity)

    def judge(
        self, rows: Tensor, mask: Tensor, states: Tensor, seen: Tensor
    ) -> list[Judgement | None]:
        """Judge the row that each question chooses, as the base class says."""
        _, doubts, similarity = self.choose(rows, mask, states, seen)
        far = self.is_far(similarity)
        judged: list[Judgement | None] = []
        for doubt, is_far, any_row in zip(
            doubts.tolist(), far.tolist(), mask.any(1).tolist(), strict=True
        ):
            withheld = None if doubt < self.threshold else "far" if is_far else "doubted"
            judged.append(Judgement(doubt, withheld) if any_row else None)
        return judged

    def is_far(self, similarity: Tensor) -> Tensor:
        """Say whether no row is like the question (B,): the softmax over cosines (B, R) gives most to "no row", as it learned."""
        return similarity.amax(1) < 1 - self.nu


def keys_at(keys: Tensor, row: Tensor) -> Tensor:
    """Return the keys (B, C, K) of rows (B, C), from those of all rows (B, R, K)."""
    return keys.gather(1, row[..., None].expand(*row.shape, keys.shape[2]))


def lead(similarity: Tensor, row: Tensor) -> Tensor:
    """Return by how much rows (B, C) lead the best other one in cosines (B, R), or 0: (B, C), negative if they do not."""
    own = similarity.gather(1, row)
    best = nn.functional.pad(similarity, (0, 2), value=0.0).topk(2)  # the best two, or 0
    others = torch.where(row == best.indices[:, :1], best.values[:, 1:], best.values[:, :1])
    return own - others


def newer(keys: Tensor, turn: Tensor, row: Tensor, similarity: Tensor) -> Tensor:
    """Return how alike rows (B, C) are to a newer one that is as like the question: (B, C), the best cosine of keys, else -1.

    Args:
        keys: (B, R, K).
        turn: (B, R), the turn that wrote each row.
        row: (B, C).
        similarity: (B, R), cosines of the question with the keys.
    """
    own = keys_at(keys, row)  # (B, C, K)
    later = turn[:, None] > turn.gather(1, row)[..., None]  # (B, C, R)
    near = similarity[:, None] > (similarity.gather(1, row) - NEAR)[..., None]
    return (own @ keys.transpose(1, 2)).masked_fill(~(later & near), -1.0).amax(2)


def newest(keys: Tensor, turn: Tensor, row: Tensor, similarity: Tensor) -> Tensor:
    """Return the newest of the rows with the key of a row (B, 1) that are as like the question: (B,); other arguments as above."""
    own = keys_at(keys, row)  # (B, 1, K)
    same = (own @ keys.transpose(1, 2))[:, 0] > SAME  # (B, R)
    near = similarity > similarity.gather(1, row) - NEAR
    itself = turn.gather(1, row) + 0.5  # the first of its turn
    return turn.masked_fill(~(same & near), -torch.inf).scatter(1, row, itself).argmax(1)


def doubt_signs(
    query: Tensor, keys: Tensor, turn: Tensor, row: Tensor, own: Tensor, other: Tensor
) -> Tensor:
    """Collect what rows are doubted by.

    Args:
        query: (B, K), of the hop that found them.
        keys: (B, R, K), of all rows.
        turn: (B, R), the turn that wrote each.
        row: (B, C), the places of those that are judged.
        own: (B, R), cosines of that hop, at least -1.
        other: (B, R), those of the other hop.

    Returns:
        (B, C, K + 5): the product of query and key, number by number; the row's cosine and its lead in both hops; its cosine with
        a newer row.
    """
    key = keys_at(keys, row)  # (B, C, K)
    totals = [
        part
        for similarity in (own, other)
        for part in (similarity.gather(1, row), lead(similarity, row))
    ]
    totals.append(newer(keys, turn, row, own))
    products = query[:, None] * key * query.shape[1] ** 0.5
    return torch.cat([products, 3 * torch.stack(totals, 2)], 2)
