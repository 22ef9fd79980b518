"""Large banks: reads over up to a million rows, exact in fixed memory, or over the k best rows that an index finds (chapter 15).

    softmax(s W_q (P W_k)^T / sqrt(D_h)) P W_v = [softmax((s W_q W_k^T / sqrt(D_h)) P^T) P] W_v,   head by head

So rows are never projected: the state is, and then asks the rows as they lie, on the disk if need be. Chunks of rows are read one after
the other under a running maximum (online softmax: Milakov and Gimelshein, 2018); one index of the rows serves all layers and heads.
"""

from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from lmem.errors import InputError, MethodError

CHUNK = 4096


@contextmanager
def in_chunks(model, size=CHUNK):
    """Inside this block the model's read looks at `size` rows at a time: the same result up to rounding, in fixed memory.

    raises  MethodError for a read that does not select among rows by itself (branch, gated branch, recall), and inside
            another such block
    """
    if size < 1:
        raise InputError(f"expected at least 1 row at a time, not {size}")
    with _swapped(model.read, lambda asked, rows, mask: _online(asked, rows, mask, size)):
        yield


@contextmanager
def top_k(model, index, k=32):
    """Inside this block the model's read looks at the k rows that score best, as far as the index finds them.

    index   an Index of the bank's rows: of what they are asked with, see `searched`
    raises  MethodError as `in_chunks`
    """
    if k < 1:
        raise InputError(f"expected at least 1 row, not {k}")
    with _swapped(model.read, lambda asked, rows, mask: _best(asked, rows, mask, index, k)):
        yield


def searched(model, rows):
    """What an index must hold of rows (R, D): all of it for a branch, the keys of a keyed bank."""
    return rows[:, : model.read.key] if hasattr(model.read, "recall") else rows


class Index:
    """Rows that can be asked for their largest inner products: an inverted file of the library faiss, `pip install "lmem[large]"`.

    rows    (R, D); a copy of them is kept in memory
    lists   clusters; default: 4 sqrt(R), at least 1
    probes  clusters that a question looks into
    """

    def __init__(self, rows, lists=None, probes=16, seed=0):
        faiss = _faiss()
        count, width = rows.shape
        lists = max(1, min(lists or int(4 * count**0.5), count // 39 or 1))
        self.faiss = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(width), width, lists, faiss.METRIC_INNER_PRODUCT
        )
        self.faiss.cp.seed, self.faiss.cp.min_points_per_centroid = seed, 1
        drawn = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
        some = rows[drawn[: min(count, 64 * lists)].sort().values]
        self.faiss.train(_array(some))
        self.faiss.set_direct_map_type(faiss.DirectMap.Array)
        for start in range(0, count, 65536):
            self.faiss.add(_array(rows[start : start + 65536]))
        self.faiss.nprobe = min(probes, lists)

    def search(self, asked, k):
        """asked (Q, D) -> numbers of rows (Q, k), best first; -1 where fewer were found."""
        return torch.from_numpy(self.faiss.search(_array(asked), k)[1])

    def update(self, places, rows):
        """Put these rows (n, D) in the places (n,) of others."""
        self.faiss.update_vectors(places.cpu().numpy(), _array(rows))

    @property
    def touched(self):
        """The share of the rows that a question looks at, about."""
        return self.faiss.nprobe / self.faiss.nlist


def agreement(found, expected):
    """Recall of a search: the share of the expected rows (Q, k) that are among the found ones (Q, k)."""
    hits = (found[:, :, None] == expected[:, None, :]).any(1)
    return hits.float().mean().item()


# ---- the reads ---------------------------------------------------------------------------------------


@contextmanager
def _swapped(read, look):
    """The read's own attention replaced by `look`: (asked (B, Q, D), rows, mask) -> what is found, and the sum of e^score."""
    inner = getattr(read, "inner", read)  # a proxy read holds the branch whose place it takes
    if isinstance(getattr(inner, "attend", None), _Attend) or "recall" in vars(inner):
        raise MethodError(
            "expected one way to look at the rows, this read looks at them otherwise already"
        )
    if hasattr(inner, "attend"):
        own, inner.attend = inner.attend, _Attend(inner.attend, look)
        try:
            yield
        finally:
            inner.attend = own
    elif hasattr(inner, "recall"):
        inner.recall = lambda *given: _recall(inner, look, *given)
        try:
            yield
        finally:
            del inner.recall
    else:
        raise MethodError(
            f"expected a read that selects among rows by itself, {type(read).__name__} leaves that to the backbone"
        )


class _Attend(nn.Module):
    """Stands in for `lmem.memory.read.attend.Attend`; its keys are the rows themselves."""

    def __init__(self, own, look):
        super().__init__()
        self.own, self.look = own, look
        self.heads, self.inner = own.heads, own.inner

    def keys(self, rows, layer=0):
        return (rows,)

    def forward(self, states, keys, mask, layer=0):
        [rows], own = keys, self.own
        w_q, w_k, w_v = (
            w[layer].unflatten(-1, (self.heads, -1)) for w in (own.w_q, own.w_k, own.w_v)
        )
        asked = torch.einsum("bnd,dhe,che->bhnc", states, w_q, w_k) / w_q.shape[-1] ** 0.5
        found, _, _ = _shared(self.look, asked.flatten(1, 2), rows, mask)
        found = found.unflatten(1, asked.shape[1:3])  # (B, H, N, D)
        out = torch.einsum("bhnc,che->bnhe", found, w_v).flatten(2)
        return out * mask.any(1)[:, None, None]


def _recall(read, look, keys, values, bias, states, seen):
    """As `RecallRead.recall`; of the scores only the largest."""
    beta, hops, mask = 10 * read.sharp, [], bias >= 0
    rows = keys, values
    empty = beta * (1 - read.nu)
    for ask in read.asks:
        asked = beta * ask(states, seen)[:, None]  # (B, 1, K)
        found, top, total = _shared(look, asked, rows, mask)
        highest = torch.maximum(top, empty)
        rest, none = total * (top - highest).exp(), (empty - highest).exp()
        found = (found * rest / (rest + none))[:, 0]
        hops.append((top[:, 0], found, (none / (rest + none))[:, 0]))
        states = torch.cat([states, read.back(found)[:, None]], 1)
        seen = torch.cat([seen, seen.new_ones(len(seen), 1)], 1)
    return hops


def _shared(look, asked, rows, mask):
    """`look`, with one bank that all ask given once: asked (B, Q, D) -> (B, Q, V), (B, Q, 1), (B, Q, 1)."""
    parts = rows if isinstance(rows, tuple) else (rows, rows)
    alike = mask.stride(0) == 0 or torch.equal(mask, mask[:1].expand_as(mask))
    if len(asked) == 1 or parts[0].stride(0) or not alike:
        return look(asked, parts, mask)
    one = [part[:1] for part in parts]
    found = look(asked.flatten(0, 1)[None], one, mask[:1])
    return [part[0].unflatten(0, asked.shape[:2]) for part in found]


def _online(asked, rows, mask, size):
    """Chunk by chunk: the mean of the values under a softmax, the largest score, the sum of e^(score - largest)."""
    keys, values = rows
    top = asked.new_full((*asked.shape[:2], 1), torch.finfo(asked.dtype).min)
    total, found = torch.zeros_like(top), asked.new_zeros(*asked.shape[:2], values.shape[2])
    for start in range(0, keys.shape[1], size):
        part = slice(start, start + size)
        seen = mask[:, None, part].to(asked.device)
        scores = asked @ keys[:, part].to(asked).transpose(1, 2)  # (B, Q, C)
        scores = scores.masked_fill(~seen, torch.finfo(scores.dtype).min)
        highest = torch.maximum(top, scores.amax(2, keepdim=True))
        share = (scores - highest).exp() * seen
        shrink = (top - highest).exp()
        total = total * shrink + share.sum(2, keepdim=True)
        found = found * shrink + share @ values[:, part].to(asked)
        top = highest
    return found / total.clamp(min=torch.finfo(total.dtype).tiny), top, total


def _best(asked, rows, mask, index, k):
    """The same over the k rows that the index finds for each."""
    if len(asked) > 1:
        raise InputError(f"expected one bank for an index, not {len(asked)}")
    keys, values = (part[0] for part in rows)
    places = index.search(asked[0], min(k, len(keys)))  # (Q, k)
    seen = (places >= 0) & mask[0].cpu()[places.clamp(min=0)]
    places, seen = places.clamp(min=0), seen.to(asked.device)
    scores = (asked[0][:, None] * keys[places].to(asked)).sum(-1)  # (Q, k)
    scores = scores.masked_fill(~seen, torch.finfo(scores.dtype).min)
    top = scores.amax(1, keepdim=True)
    share = (scores - top).exp() * seen
    total = share.sum(1, keepdim=True)
    found = (share[:, :, None] * values[places].to(asked)).sum(1)
    found = found / total.clamp(min=torch.finfo(total.dtype).tiny)
    return found[None], top[None], total[None]


def _faiss():
    try:
        import faiss
    except ImportError as error:
        raise InputError(
            'expected the library faiss for an index: pip install "lmem[large]"'
        ) from error
    return faiss


def _array(rows):
    return np.ascontiguousarray(rows.detach().float().cpu().numpy())
