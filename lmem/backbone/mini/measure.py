"""How well mini reads everyday conversations, by ability, and which way its errors go.

A wrong answer is a *subject error* if it is right for the same relation of somebody else in the input. It is a *relation
error* if it is right for another relation of the same subject, and *old* if it was right before an update.
"""

from collections import Counter, defaultdict
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
    said = answers(model, tokenizer, rows)
    scored = [(row, text, _error(text, row)) for row, text in zip(rows, said, strict=True)]
    kinds: defaultdict[str, list[bool]] = defaultdict(list)
    held: defaultdict[str, list[bool]] = defaultdict(list)
    for row, _, error in scored:
        kinds[row.kind or ""].append(not error)
        seen = [part for part in ("relation", "phrasing") if part in row.held_out]
        held[seen[0] if seen else "seen"].append(not error)
    errors = Counter(error for *_, error in scored)
    unknown = sum(row.target == everyday.UNKNOWN for row in rows)
    wrong = [
        {"source": row.source, "target": row.target, "said": text, "kind": row.kind,
         "relation": row.relation, "error": error}
        for row, text, error in scored if error
    ]  # fmt: skip

    def share(scores: list[bool]) -> list[float]:
        return [round(sum(scores) / len(scores), 4), len(scores)]

    names = ("subject_errors", "relation_errors", "old", "false_unknown", "other")
    shares = {name: round(errors[name] / max(1, len(rows) - unknown), 4) for name in names}
    return {
        "n": len(rows),
        "em": round(errors[""] / len(rows), 4),
        "by_kind": {kind: share(rows) for kind, rows in sorted(kinds.items())},
        "by_held_out": {name: share(rows) for name, rows in sorted(held.items())},
        **shares,
        "guessed": round(errors["guessed"] / max(1, unknown), 4),
        "wrong": wrong[:keep],
    }


def _error(text: str, row: Reading) -> str:
    """Name what is wrong with an answer; "" for a right one."""
    if exact_match(text, row.target):
        return ""
    if row.target == everyday.UNKNOWN:
        return "guessed"
    if text == everyday.UNKNOWN:
        return "false_unknown"
    for name in ("subject_errors", "relation_errors", "old"):
        if any(exact_match(text, value) for value in getattr(row, name)):
            return name
    return "other"
