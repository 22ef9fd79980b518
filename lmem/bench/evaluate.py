"""Evaluation, lmem's engine against the plain way (chapter 15).

both    every turn is encoded and written once, every question is answered with the bank, and with the paper's zeroed bank
plain   one at a time, padded
engine  conversations in parallel, turns and questions in batches of similar length
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lmem.backbone.backbone import Backbone
from lmem.bench import plain
from lmem.bench.compare import Comparison
from lmem.bench.measure import require_positive
from lmem.bench.units import Asked, sample_evenly
from lmem.data.conversation import Conversation
from lmem.errors import InputError
from lmem.evaluation.evaluate import EvalConfig
from lmem.memory.bank import Bank
from lmem.training.banks import make_banks

CONDITIONS = 2  # the bank, and the bank set to zero, which the recall rate needs


def bench_eval(
    backbone: Backbone,
    conversations: Sequence[Conversation],
    questions: int = 8,
    asked: int = 64,
    max_new_tokens: int = 32,
    repeats: int = 5,
    conditions: int = CONDITIONS,
    **sample: Any,
) -> dict[str, Any]:
    """Measure what it costs to evaluate on these conversations, both ways; scores are not counted.

    Args:
        backbone: The frozen model.
        conversations: The counts are theirs.
        questions: Sample of the plain way.
        asked: Sample of the engine, in batches of evaluation's own size.
        max_new_tokens: Of an answer; with random weights hardly any answer ends before.
        repeats: At least 3.
        conditions: Under how many banks every question is asked.
        sample: method, scale, seed, turns and plain_turns, as in `Comparison`.

    Returns:
        dict: see `Comparison.report`; agreement, the relative differences of banks and answers.

    Raises:
        InputError: A sample is empty, or there are fewer than 3 repeats.
        LmemError: The two ways do not agree.
    """
    require_positive(questions=questions, asked=asked, max_new_tokens=max_new_tokens)
    require_positive(conditions=conditions)
    comparison = Comparison(backbone, conversations, **sample)
    model, size = comparison.model, EvalConfig().batch
    every = [(i, q) for i, c in enumerate(conversations) for q in c.questions]
    if not every:
        raise InputError("expected questions to answer, found none")
    bank, difference = comparison.check_banks()
    few = [question for _, question in sample_evenly(every, questions)]
    answers, gap = _compare_answers(comparison, bank, [q.prompt for q in few], max_new_tokens)

    banks = make_banks(model, [part[:8] for part in comparison.parts], progress=False)
    many = sorted(sample_evenly(every, asked), key=lambda pair: len(pair[1].text))
    batches = []
    for start in range(0, len(many), size):
        places, batch = zip(*many[start : start + size], strict=True)
        batches.append(Asked(list(places), [question.prompt for question in batch]))
    limit = {"max_new_tokens": max_new_tokens}
    comparison.ways["engine"]["answer"] = comparison.engine.answer(banks, batches, **limit)
    for way, units in comparison.plain.items():
        comparison.ways[way]["answer"] = units.answer([(bank, q) for q in few], **limit)

    turns = comparison.turns
    once = {"encode": turns, "write": turns, "answer": conditions * len(every)}
    lengths = {
        "question": comparison.token_counts(q.prompt for _, q in every),
        "answer": [len(ids) for ids in answers],
    }
    about = {
        "what": "evaluation",
        "conditions": conditions,
        "batch": size,
        "questions": len(every),
        "agreement": {"banks": difference, "answers": gap},
    }
    counts = dict.fromkeys(comparison.ways, once)
    return comparison.report(about, counts, lengths, repeats)


@torch.no_grad()
def _compare_answers(
    comparison: Comparison, bank: Bank, prompts: list[str], max_new_tokens: int
) -> tuple[list[Tensor], float]:
    """The engine's answers as tokens, and by how much any of them misses the plain way's greatest logit.

    Two tokens may be equally likely up to rounding, so the texts need not be the same.
    """
    model, backbone = comparison.model, comparison.backbone
    with model.attached(bank):
        inputs = backbone.inputs(prompts)
        out = backbone.model.generate(**inputs, max_new_tokens=max_new_tokens, do_sample=False)
    answers, worst = [], 0.0
    for prompt, ids in zip(prompts, out[:, 1:], strict=True):
        ends = (ids == backbone.tokenizer.eos_token_id).long()
        ids = ids[ends.cumsum(0) - ends == 0]  # up to its end, which is part of it
        logits = plain.logits(model, bank, prompt, ids[None])  # (N, vocabulary)
        missed = logits.max(1).values - logits.gather(1, ids[:, None])[:, 0]
        worst = max(worst, (missed.max() / logits.abs().max()).item())
        answers.append(ids)
    return answers, comparison.agree("answers", worst)
