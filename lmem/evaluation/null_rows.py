"""What zero rows cost: the paper's "bank forced to zero" on a backbone that nothing was trained beside (chapters 4 and 12).

N rows of zeros that join the encoder's output are N keys with logit 0 and value 0 in every decoder layer: they take softmax
mass from what there is to read. The cost depends on N and on the backbone alone, so a tax that is measured with a bank forced
to zero says nothing of what was trained. It is measured where the backbone has something to lose: with the evidence in its
input.
"""

import time

import torch

from lmem.backbone import hooks
from lmem.errors import InputError
from lmem.evaluation import text_baselines
from lmem.evaluation.evaluate import EvalConfig, ask
from lmem.evaluation.summary import difference, interval
from lmem.memory.read import READS
from lmem.metrics.answer_scores import exact_match, f1
from lmem.utils import provenance

COUNTS = (0, 64, 384, 640)


def null_rows(backbone, conversations, counts=COUNTS, config=None, progress=True):
    """Ask every question with N zero rows beside the encoder's output, with its evidence in the input and without.

    counts   the N; 0, where nothing is attached, comes first whether it is named or not
    returns  dict: n; `by_rows`, for each N f1, em and bits (log2-likelihood of the right answer) of both inputs, with
             intervals over conversations, and what N rows cost of each against N = 0
    raises   InputError for a negative N, or without questions that have answer and evidence
    """
    config, begun = config or EvalConfig(), time.perf_counter()
    counts = sorted({0, *counts})
    if counts[0] < 0:
        raise InputError(f"expected numbers of rows of 0 or more, not {counts[0]}")
    asked, oracle = [], []
    for conversation in conversations:
        questions = [q for q in conversation.questions if q.answer is not None and q.evidence]
        texts = conversation.texts(config.dates, config.captions)
        oracle += [
            s
            for s, _ in text_baselines.sources(backbone, texts, questions, "oracle", config.budget)
        ]
        asked += [({"conversation": conversation.id}, q) for q in questions]
    if not asked:
        raise InputError("expected questions with answer and evidence, found none")
    inputs = {"evidence": oracle, "question_only": [q.prompt for _, q in asked]}
    found, first = {}, None
    for count in counts:
        scored = {
            name: _scores(backbone, sources, asked, count, config, f"{count} rows", progress)
            for name, sources in inputs.items()
        }
        first = first or scored
        found[count] = {name: _figures(asked, scored[name], first[name]) for name in inputs}
    return {
        "backbone": backbone.name,
        "n": len(asked),
        "settings": config.difference(),
        "by_rows": found,
        "provenance": provenance.provenance(config.seed, {"all": time.perf_counter() - begun}),
    }


def _scores(backbone, sources, asked, count, config, title, progress):
    """{measure: [value per question]} with `count` zero rows attached."""
    read = READS["extension"](backbone.width, backbone.layers, max(1, count)).to(backbone.device)
    rows = torch.zeros(1, count, backbone.width, device=backbone.device)
    mask = torch.ones(1, count, dtype=torch.bool, device=backbone.device)
    order = sorted(range(len(sources)), key=lambda k: len(sources[k]))
    golds = [q.answer for _, q in asked]

    def attached(_):
        return hooks.attach(backbone.model, read, rows, mask)

    answers = ask(backbone, sources, order, attached, config, title, progress, golds)
    return {
        "f1": [f1(answer, gold) for (answer, _), gold in zip(answers, golds, strict=True)],
        "em": [int(exact_match(a, gold)) for (a, _), gold in zip(answers, golds, strict=True)],
        "bits": [bits for _, bits in answers],
    }


def _figures(asked, scored, first):
    rows = [row for row, _ in asked]
    found = {name: interval(rows, values) for name, values in scored.items()}
    costs = {
        name: [a - b for a, b in zip(first[name], values, strict=True)]
        for name, values in scored.items()
    }
    return found | {"cost": {name: difference(rows, values) for name, values in costs.items()}}
