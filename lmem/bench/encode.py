"""Encoding turns: batches of similar length, against one turn at a time padded to 384 tokens (chapter 15).

The plain way is what the paper's released code does; its padding costs the more the shorter the turns are.
"""

import time

import torch

from lmem import results
from lmem.backbone import MAX_TOKENS
from lmem.errors import InputError


@torch.no_grad()
def encode_plainly(backbone, text):
    """One turn, padded to 384 tokens: (N, D)."""
    [ids] = backbone.tokenize([text], truncate=True)
    tokens = torch.full((1, MAX_TOKENS), backbone.tokenizer.pad_token_id)
    tokens[0, : len(ids)] = torch.tensor(ids)
    mask = (torch.arange(MAX_TOKENS) < len(ids)).long()[None]
    states = backbone.model.encoder(
        input_ids=tokens.to(backbone.device), attention_mask=mask.to(backbone.device)
    ).last_hidden_state
    return states[0, : len(ids)]


def bench_encode(backbone, texts, plain_turns=200, repeats=3):
    """Turns per second of both ways, in turn, `repeats` times; and the greatest difference of their latents.

    texts        the turns; all of them for the batched way
    plain_turns  so many, spread evenly over the texts, for the plain way
    returns      dict: turns, tokens, turns per second of both, ratio (median, and each repeat), difference
    raises       InputError without a turn for either way
    """
    if not texts or plain_turns < 1:
        raise InputError(f"expected turns for both ways, not {len(texts)} and {plain_turns}")
    some = texts[:: max(1, len(texts) // plain_turns)][:plain_turns]
    ours, plain = [], []
    for _ in range(repeats):
        begun = time.perf_counter()
        latents = backbone.encode(texts, truncate=True)
        ours.append(len(texts) / (time.perf_counter() - begun))
        begun = time.perf_counter()
        slow = [encode_plainly(backbone, text) for text in some]
        plain.append(len(some) / (time.perf_counter() - begun))
    fast = backbone.encode(some, truncate=True)
    ratios = sorted(a / b for a, b in zip(ours, plain, strict=True))
    return {
        "backbone": backbone.name,
        "turns": len(texts),
        "tokens": sum(len(rows) for rows in latents),
        "batched_turns_per_second": round(sorted(ours)[repeats // 2], 1),
        "plain_turns_per_second": round(sorted(plain)[repeats // 2], 1),
        "ratio": round(ratios[repeats // 2], 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "difference": max((a - b).abs().max().item() for a, b in zip(fast, slow, strict=True)),
        "machine": results.machine(),
    }
