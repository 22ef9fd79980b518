"""Large banks: up to a million rows, read exactly in fixed memory or through an index, and slots changed in place (page "At full size").

    softmax(s W_q (P W_k)^T / sqrt(D_h)) P W_v = [softmax((s W_q W_k^T / sqrt(D_h)) P^T) P] W_v,   head by head

So the rows are never projected. The state is projected instead and compared with the rows directly, on the disk if need be.
Chunks of rows are read one after the other under a running maximum (online softmax: Milakov and Gimelshein, 2018). One index
of the rows serves all layers and heads, and M.6's choice of slots.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lmem.errors import InputError, MethodError
from lmem.memory.model import MemoryModel
from lmem.memory.read.attend import Attend
from lmem.memory.read.base import Keys, Read
from lmem.memory.read.branch import BranchRead
from lmem.memory.read.copying import CopyingRead
from lmem.memory.read.gated_branch import GatedBranchRead
from lmem.memory.read.recall import Hop, RecallRead
from lmem.memory.write.slots import SlotWrite

try:
    faiss: Any = import_module("faiss")
except ImportError:  # the extra "large" is not installed
    faiss = None

CHUNK = 4096


# mean value (B, Q, V), largest score (B, Q, 1), sum of e^(score - largest) (B, Q, 1)
Selection = tuple[Tensor, Tensor, Tensor]
# queries (B, Q, K), keys (B, R, K), values (B, R, V), mask (B, R) -> Selection
Select = Callable[[Tensor, Tensor, Tensor, Tensor], Selection]


@contextmanager
def in_chunks(model: MemoryModel, size: int = CHUNK) -> Iterator[None]:
    """Let the model's read use `size` rows at a time: the same result up to rounding, in fixed memory.

    Raises:
        InputError: size is not positive.
        MethodError: The read does not select among rows by itself (only branch, gated branch and recall do), or this block is
            inside another one.
    """
    if size < 1:
        raise InputError(f"expected at least 1 row at a time, not {size}")
    with _selecting(model.read, partial(select_in_chunks, size=size)):
        yield


@contextmanager
def top_k(model: MemoryModel, index: Any, k: int = 32) -> Iterator[None]:
    """Let the model's read use the k rows that score best, as far as the index finds them.

    Args:
        model: The model; its bank must be a single one.
        index: An Index of what `searched` returns for the bank's rows, or anything with its `search`.
        k: Rows for each query.

    Raises:
        InputError: k is not positive, or there are several banks.
        MethodError: As in `in_chunks`.
    """
    if k < 1:
        raise InputError(f"expected at least 1 row, not {k}")
    with _selecting(model.read, partial(select_best, index=index, k=k)):
        yield


def searched(model: MemoryModel, rows: Tensor) -> Tensor:
    """Return the part of rows (R, D) that an index must contain: all of it for a branch, the keys of a keyed bank."""
    return rows[:, : model.read.key] if isinstance(model.read, RecallRead) else rows


class Index:
    """An inverted file of rows, to find their largest inner products (library faiss, `pip install "lmem[large]"`)."""

    def __init__(self, rows: Tensor, lists: int | None = None, probes: int = 16, seed: int = 0):
        """Cluster the rows.

        Args:
            rows: (R, D); a copy is kept in memory.
            lists: Number of clusters; default: 4 sqrt(R), at least 1.
            probes: Clusters that a query looks into.
            seed: Seed of the clustering.

        Raises:
            InputError: faiss is not installed.
        """
        if faiss is None:
            raise InputError('expected the library faiss for an index: pip install "lmem[large]"')
        count, width = rows.shape
        lists = max(1, min(lists or int(4 * count**0.5), count // 39 or 1))
        quantizer = faiss.IndexFlatIP(width)
        self.faiss = faiss.IndexIVFFlat(quantizer, width, lists, faiss.METRIC_INNER_PRODUCT)
        self.faiss.cp.seed, self.faiss.cp.min_points_per_centroid = seed, 1
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
        sample = order[: min(count, 64 * lists)].sort().values
        self.faiss.train(_array(rows[sample]))
        self.faiss.set_direct_map_type(faiss.DirectMap.Array)
        for start in range(0, count, 65536):
            self.faiss.add(_array(rows[start : start + 65536]))
        self.faiss.nprobe = min(probes, lists)

    def search(self, queries: Tensor, k: int) -> Tensor:
        """Return numbers of rows (Q, k) for queries (Q, D), best first; -1 where fewer were found."""
        return torch.from_numpy(self.faiss.search(_array(queries), k)[1])

    def update(self, places: Tensor, rows: Tensor) -> None:
        """Replace the rows at these places (n,) by rows (n, D)."""
        self.faiss.update_vectors(places.cpu().numpy(), _array(rows))

    @property
    def touched(self) -> float:
        """Approximate share of the rows that a query looks at."""
        return self.faiss.nprobe / self.faiss.nlist


def best_rows(queries: Tensor, rows: Tensor, k: int) -> Tensor:
    """Return the rows (R, D) that score best for queries (Q, D), best first: (Q, k), or fewer if there are fewer rows."""
    kind = faiss.METRIC_INNER_PRODUCT
    return torch.from_numpy(faiss.knn(_array(queries), _array(rows), min(k, len(rows)), kind)[1])


def agreement(retrieved: Tensor, expected: Tensor) -> float:
    """Return the recall of a search: the share of the expected rows (Q, k) that were retrieved (Q, k)."""
    hits = (retrieved[:, :, None] == expected[:, None, :]).any(1)
    return hits.float().mean().item()


# ---- the reads ---------------------------------------------------------------------------------------


@contextmanager
def _selecting(read: Read, select: Select) -> Iterator[None]:
    """Replace the read's own attention by `select`."""
    branch = getattr(read, "inner", read)  # a proxy read contains the branch that it replaces
    if isinstance(getattr(branch, "attend", None), SelectingAttend) or "recall" in vars(branch):
        raise MethodError(
            "expected one way to look at the rows, this read already looks at them in another way"
        )
    if isinstance(branch, BranchRead | GatedBranchRead):
        own = branch.attend
        branch.attend = SelectingAttend(own, select)
        try:
            yield
        finally:
            branch.attend = own
    elif isinstance(branch, RecallRead) and not isinstance(branch, CopyingRead):
        branch.recall = partial(_recall, branch, select)
        try:
            yield
        finally:
            del branch.recall
    else:
        raise MethodError(
            f"expected a read that selects among rows by itself, {type(read).__name__} leaves that to the backbone"
        )


class SelectingAttend(Attend):
    """Replacement for a read's `Attend`, with its weights, whose keys are the rows themselves."""

    def __init__(self, own: Attend, select: Select):
        nn.Module.__init__(self)
        self.own, self.select = own, select
        self.heads, self.inner = own.heads, own.inner

    def keys(self, rows: Tensor, layer: int = 0) -> Keys:
        """Return the rows."""
        return (rows,)

    def forward(self, states: Tensor, keys: Keys, mask: Tensor, layer: int = 0) -> Tensor:
        """Attend as `Attend.forward` does."""
        [rows] = keys
        w_q, w_k, w_v = (  # (D, H, D_h) each
            w[layer].unflatten(-1, (self.heads, -1))
            for w in (self.own.w_q, self.own.w_k, self.own.w_v)
        )
        queries = torch.einsum("bnd,dhe,che->bhnc", states, w_q, w_k) / w_q.shape[-1] ** 0.5
        value, _, _ = _select_shared(self.select, queries.flatten(1, 2), rows, rows, mask)
        value = value.unflatten(1, queries.shape[1:3])  # (B, H, N, D)
        out = torch.einsum("bhnc,che->bnhe", value, w_v).flatten(2)  # (B, N, inner)
        return out * mask.any(1)[:, None, None]


def _recall(
    read: RecallRead,
    select: Select,
    keys: Tensor,
    values: Tensor,
    bias: Tensor,
    states: Tensor,
    seen: Tensor,
) -> list[Hop]:
    """Recall as `RecallRead.recall` does; of the scores only the largest is returned, (B, 1)."""
    beta, hops, mask = 10 * read.sharp, [], bias >= 0
    none = beta * (1 - read.nu)  # the score of "no row matches"
    for ask in read.asks:
        queries = beta * ask(states, seen)[:, None]  # (B, 1, K)
        value, top, total = _select_shared(select, queries, keys, values, mask)
        highest = torch.maximum(top, none)
        rows_mass, none_mass = total * (top - highest).exp(), (none - highest).exp()  # (B, 1, 1)
        value = (value * rows_mass / (rows_mass + none_mass))[:, 0]  # (B, V)
        hops.append((top[:, 0], value, (none_mass / (rows_mass + none_mass))[:, 0]))
        states, seen = read.next_question(states, seen, value)
    return hops


def _select_shared(
    select: Select, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor
) -> Selection:
    """Apply `select`; if all queries (B, Q, K) go to the same bank, the rows are read only once."""
    same_mask = mask.stride(0) == 0 or torch.equal(mask, mask[:1].expand_as(mask))
    if len(queries) == 1 or keys.stride(0) or not same_mask:
        return select(queries, keys, values, mask)
    selection = select(queries.flatten(0, 1)[None], keys[:1], values[:1], mask[:1])  # (1, B Q, V)
    value, top, total = (part[0].unflatten(0, queries.shape[:2]) for part in selection)
    return value, top, total


def select_in_chunks(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, size: int
) -> Selection:
    """Select under a softmax over all rows, `size` rows at a time."""
    top = queries.new_full((*queries.shape[:2], 1), torch.finfo(queries.dtype).min)  # (B, Q, 1)
    total, value = torch.zeros_like(top), queries.new_zeros(*queries.shape[:2], values.shape[2])
    for start in range(0, keys.shape[1], size):
        chunk = slice(start, start + size)
        seen = mask[:, None, chunk].to(queries.device)
        scores = queries @ keys[:, chunk].to(queries).transpose(1, 2)  # (B, Q, C)
        scores = scores.masked_fill(~seen, torch.finfo(scores.dtype).min)
        highest = torch.maximum(top, scores.amax(2, keepdim=True))
        share = (scores - highest).exp() * seen
        shrink = (top - highest).exp()
        total = total * shrink + share.sum(2, keepdim=True)
        value = value * shrink + share @ values[:, chunk].to(queries)
        top = highest
    return value / total.clamp(min=torch.finfo(total.dtype).tiny), top, total


def select_best(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, index: Any, k: int
) -> Selection:
    """Select under a softmax over the k rows that the index finds for each query of one bank."""
    if len(queries) > 1:
        raise InputError(f"expected one bank for an index, not {len(queries)}")
    places = index.search(queries[0], min(k, keys.shape[1]))  # (Q, k)
    seen = (places >= 0) & mask[0].cpu()[places.clamp(min=0)]
    places, seen = places.clamp(min=0), seen.to(queries.device)
    scores = (queries[0][:, None] * keys[0][places].to(queries)).sum(-1)  # (Q, k)
    scores = scores.masked_fill(~seen, torch.finfo(scores.dtype).min)
    top = scores.amax(1, keepdim=True)  # (Q, 1)
    share = (scores - top).exp() * seen
    total = share.sum(1, keepdim=True)
    value = (share[:, :, None] * values[0][places].to(queries)).sum(1)  # (Q, V)
    value = value / total.clamp(min=torch.finfo(total.dtype).tiny)
    return value[None], top[None], total[None]


def _array(rows: Tensor) -> np.ndarray:
    return np.ascontiguousarray(rows.detach().float().cpu().numpy())


# ---- slots -------------------------------------------------------------------------------------------


class LargeSlots:
    """One bank of M.6 whose slots are found through an index and changed in place.

        z = mean(Z);  s = the k rows with the largest z W_a P^T among those that the index looks at
        P[s] <- gamma P[s] + (1 - gamma) z W_u                   paper, section 3, whose argmax goes through all rows

    A turn costs the clusters of the index, the rows of the few clusters that it looks into, and k rows, but not R. The chosen
    rows are the paper's choice only as far as the index finds it: `lmem bench rows` measures how far.

    Attributes:
        rows: (R, D), the content.
        written: (R,), as in a State.
        turns: Turns written so far.
    """

    def __init__(self, rule: SlotWrite, rows: Tensor, index: Index | None = None):
        """Begin with these rows.

        Args:
            rule: A SlotWrite on a CPU, without `normalise` and not trainable.
            rows: (R, D), such as P_0; may be mapped from a file, and is changed.
            index: An Index of these rows; default: a new one.

        Raises:
            MethodError: The rule is another one.
        """
        if not isinstance(rule, SlotWrite) or rule.normalise or rule.trainable:
            raise MethodError("expected slots as printed: without normalise, and not trainable")
        self.rule, self.rows, self.turns = rule, rows, 0
        self.index = index or Index(rows)
        self.written = torch.full((len(rows),), -1)

    @torch.no_grad()
    def write(self, latents: Tensor) -> Tensor:
        """Write one turn (N, D) and return the numbers of the changed rows, at most k, best first."""
        mean = latents.to(self.rows.dtype).mean(0)  # (D,)
        places = self.index.search((mean @ self.rule.w_a)[None], self.rule.k)[0]
        chosen = places[places >= 0]
        gamma = self.rule.gamma
        self.rows[chosen] = gamma * self.rows[chosen] + (1 - gamma) * (mean @ self.rule.w_u)
        self.index.update(chosen, self.rows[chosen])
        self.written[chosen] = self.turns
        self.turns += 1
        return chosen
