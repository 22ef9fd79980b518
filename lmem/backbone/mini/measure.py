"""How well mini reads everyday conversations, by ability, and which way its errors go.

A wrong answer is a *subject error* if it is right for the same relation of somebody else in the input, a *relation
error* if it is right for another relation of the same subject, *old* if it was right before an update.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from lmem.backbone.reading import in_batches
from lmem.data import everyday
from lmem.data.everyday.reading import Reading, readings
from lmem.metrics.answer_scores import exact_match


def validation(n: int) -> list[Reading]:
    """Give the first n readings of the validation stream, of 6 turns; training streams have other names."""
    world = everyday.World(turns=40, facts=0.5, questions=12)
    return list(islice(readings("validation", 6, world, near=0.5), n))


@torch.no_grad()
def answers(model: Any, tokenizer: PreTrainedTokenizerFast, rows: Sequence[Reading]) -> list[str]:
    """Answer readings greedily.

    Args:
        model: T5ForConditionalGeneration.
        tokenizer: Of the model.
        rows: Readings.

    Returns:
        One text per reading, in their order.
    """

    def answer(texts: list[str]) -> list[str]:
        inputs = tokenizer(texts, return_tensors="pt", padding=True).to(model.device)
        out = model.generate(**inputs, max_new_tokens=24, do_sample=False, num_beams=1)
        return [text.strip() for text in tokenizer.batch_decode(out, skip_special_tokens=True)]

    was = model.training
    model.eval()
    texts = in_batches(answer, [row.source for row in rows], 64)
    model.train(was)
    return texts


def measure(
    model: Any, tokenizer: PreTrainedTokenizerFast, rows: Sequence[Reading], keep: int = 0
) -> dict[str, Any]:
    """Measure exact match by ability and by what is held out, and what the errors are.

    Args:
        model: T5ForConditionalGeneration.
        tokenizer: Of the model.
        rows: Readings.
        keep: How many wrong answers to return as samples.

    Returns:
        n, em; by_kind, by_held_out ({name: [share, n]}); subject_errors, relation_errors, old,
        false_unknown and other (shares of the questions that have an answer); guessed (share of the
        questions without an answer that got one); wrong (samples).
    """
    texts = answers(model, tokenizer, rows)
    kinds: defaultdict[str, list[float]] = defaultdict(list)
    held: defaultdict[str, list[float]] = defaultdict(list)
    errors: defaultdict[str, int] = defaultdict(int)
    hits, wrong, with_answer, without, guessed = [], [], 0, 0, 0
    for row, text in zip(rows, texts, strict=True):
        hit = exact_match(text, row.target)
        hits.append(hit)
        kinds[row.kind or ""].append(hit)
        seen = [part for part in ("relation", "phrasing") if part in row.held_out]
        held[seen[0] if seen else "seen"].append(hit)
        where = None
        if row.target == everyday.UNKNOWN:
            without += 1
            guessed += not hit
            where = "guessed"
        else:
            with_answer += 1
            if not hit:
                where = _error(text, row)
                errors[where] += 1
        if not hit and len(wrong) < keep:
            wrong.append({"source": row.source, "target": row.target, "said": text, "kind": row.kind,
                          "relation": row.relation, "error": where})  # fmt: skip

    def share(scores: list[float]) -> list[float]:
        return [round(sum(scores) / len(scores), 4), len(scores)]

    names = ("subject_errors", "relation_errors", "old", "false_unknown", "other")
    shares = {name: round(errors[name] / max(1, with_answer), 4) for name in names}
    return {
        "n": len(rows),
        "em": round(sum(hits) / len(hits), 4),
        "by_kind": {kind: share(rows) for kind, rows in sorted(kinds.items())},
        "by_held_out": {name: share(rows) for name, rows in sorted(held.items())},
        **shares,
        "guessed": round(guessed / max(1, without), 4),
        "wrong": wrong,
    }


def _error(text: str, row: Reading) -> str:
    if text == everyday.UNKNOWN:
        return "false_unknown"
    for name in ("subject_errors", "relation_errors", "old"):
        if any(exact_match(text, value) for value in getattr(row, name)):
            return name
    return "other"
