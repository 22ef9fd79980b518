"""What zero rows cost: the paper's "bank forced to zero" on a backbone for which nothing was trained (chapters 4 and 12).

N rows of zeros that join the encoder's output are N keys with logit 0 and value 0 in every decoder layer. They take softmax
mass from what there is to read. The cost depends on N and on the backbone alone, so a tax that is measured with a bank forced
to zero says nothing about what was trained. It is measured where the backbone has something to lose: with the evidence in its
input.
"""

import time
from collections.abc import Sequence
from typing import Any

import torch

from lmem.backbone import hooks
from lmem.backbone.backbone import Backbone
from lmem.data.conversation import Conversation
from lmem.errors import InputError
from lmem.evaluation import text_baselines
from lmem.evaluation.evaluate import EvalConfig, answer_questions
from lmem.evaluation.summary import difference, interval
from lmem.memory.read import READS
from lmem.metrics.answer_scores import exact_match, f1
from lmem.utils import provenance

COUNTS = (0, 64, 384, 640)


def null_rows(
    backbone: Backbone,
    conversations: Sequence[Conversation],
    counts: Sequence[int] = COUNTS,
    progress: bool = True,
) -> dict[str, Any]:
    """Ask every question with N zero rows added to the encoder's output, with its evidence in the input and without.

    Args:
        backbone: The bare backbone.
        conversations: Test conversations.
        counts: The N; 0, where nothing is attached, is always included and comes first.
        progress: Show progress bars.

    Returns:
        A dict: n; `by_rows`, for each N f1, em and bits (log2-likelihood of the right answer) of both inputs, with
        intervals over conversations, and what N rows cost of each compared with N = 0.

    Raises:
        InputError: An N is negative, or there are no questions that have answer and evidence.
    """
    config, start = EvalConfig(), time.perf_counter()
    counts = sorted({0, *counts})
    if counts[0] < 0:
        raise InputError(f"expected numbers of rows of 0 or more, not {counts[0]}")
    rows: list[dict[str, Any]] = []  # of each question its conversation
    golds: list[str] = []
    inputs: dict[str, list[str]] = {"evidence": [], "question_only": []}
    for conversation in conversations:
        questions = [q for q in conversation.questions if q.answerable and q.evidence]
        texts = conversation.texts(config.dates, config.captions)
        with_evidence = text_baselines.sources(backbone, texts, questions, "oracle", config.budget)
        inputs["evidence"] += [text for text, _ in with_evidence]
        inputs["question_only"] += [q.prompt for q in questions]
        golds += [q.answer or "" for q in questions]
        rows += [{"conversation": conversation.id} for _ in questions]
    if not rows:
        raise InputError("expected questions with answer and evidence, found none")
    by_rows: dict[int, dict[str, Any]] = {}
    without_rows: dict[str, dict[str, list[float]]] = {}
    for count in counts:
        by_rows[count] = {}
        for name, sources in inputs.items():
            scores = _scores(backbone, sources, golds, count, config, progress)
            first = without_rows.setdefault(name, scores)
            costs = {
                measure: [a - b for a, b in zip(first[measure], values, strict=True)]
                for measure, values in scores.items()
            }
            by_rows[count][name] = {
                m: interval(rows, values, share=m != "bits") for m, values in scores.items()
            }
            by_rows[count][name]["cost"] = {m: difference(rows, c) for m, c in costs.items()}
    return {
        "backbone": backbone.name,
        "n": len(rows),
        "settings": config.difference(),
        "by_rows": by_rows,
        "provenance": provenance.provenance(config.seed, {"all": time.perf_counter() - start}),
    }


def _scores(backbone, sources, golds, count, config, progress) -> dict[str, list[float]]:
    """Score all questions with `count` zero rows attached: {measure: [value per question]}."""
    read = READS["extension"](backbone.width, backbone.layers, max(1, count)).to(backbone.device)
    zeros = torch.zeros(1, count, backbone.width, device=backbone.device)
    mask = torch.ones(1, count, dtype=torch.bool, device=backbone.device)
    answers = answer_questions(
        backbone,
        sources,
        sorted(range(len(sources)), key=lambda k: len(sources[k])),
        lambda _: hooks.attach(backbone.model, read, zeros, mask),
        config,
        golds=golds,
        title=f"{count} rows",
        progress=progress,
    )
    pairs = [(answers[k].text, gold) for k, gold in enumerate(golds)]
    return {
        "f1": [f1(answer, gold) for answer, gold in pairs],
        "em": [int(exact_match(answer, gold)) for answer, gold in pairs],
        "bits": [answers[k].bits or 0.0 for k in range(len(golds))],
    }
