"""Evaluation, the engine against the plain way (chapter 15).

both    every turn encoded and written once, every question answered with the bank, and with the paper's zeroed bank
plain   one at a time, padded
engine  conversations side by side, turns and questions in batches of similar length
"""

import torch

from lmem.bench import plain
from lmem.bench.compare import PADDING, Comparison, digits, positive, some
from lmem.errors import InputError
from lmem.evaluation.evaluate import EvalConfig
from lmem.training.banks import make_banks

CONDITIONS = 2  # the bank, and the bank forced to zero, without which there is no recall rate


def bench_eval(
    backbone, conversations, method="m3", scale=1, turns=64, plain_turns=24, questions=8, asked=64,
    max_new_tokens=32, repeats=5, seed=0, progress=True,
):  # fmt: skip
    """What it costs to evaluate on these conversations, both ways; scores are not counted.

    questions       sample of the plain way
    asked           sample of the engine, in batches of its own size
    max_new_tokens  of an answer; with random weights hardly any ends before
    The others, and what comes back, are as in `bench_train`; `agreement` is that of banks and answers.
    """
    positive(questions=questions, asked=asked, max_new_tokens=max_new_tokens)
    found = Comparison(backbone, conversations, method, scale, seed, turns, plain_turns)
    model, batch = found.model, EvalConfig().batch
    every = [(i, q) for i, c in enumerate(conversations) for q in c.questions]
    if not every:
        raise InputError("expected questions to answer, found none")
    bank, difference = found.bank()
    prompts = [q.prompt for _, q in some(every, questions)]
    said, gap = _same_answers(found, bank, prompts, max_new_tokens)
    agreement = {"banks": difference, "answers": gap}
    many = sorted(some(every, asked), key=lambda pair: len(pair[1].text))
    banks = make_banks(model, [one[:8] for one in found.parts], progress=False)

    def answer_together():
        for start in range(0, len(many), batch):
            places, chunk = zip(*many[start : start + batch], strict=True)
            texts = [question.text for question in chunk]
            model.answer(banks, texts, of=places, max_new_tokens=max_new_tokens)

    ways = {"engine": found.engine() | {"answer": found.timed(answer_together, len(many))}}
    for way, length in PADDING.items():

        def answer(length=length):
            for prompt in prompts:
                plain.answer(model, bank, prompt, max_new_tokens, length)

        ways[way] = found.plain(length) | {"answer": found.timed(answer, len(prompts))}
    once = {"encode": found.turns, "write": found.turns, "answer": CONDITIONS * len(every)}

    @torch.no_grad()
    def forward(pair, length):
        prompt, ids = pair
        plain.logits(model, bank, prompt, ids[None], length)

    about = {
        "what": "evaluation",
        "conditions": CONDITIONS,
        "batch": batch,
        "questions": len(every),
    }
    about |= found.tokens([q for _, q in every], [len(ids) for ids in said])
    pairs = list(zip(prompts, said, strict=True))[:8]
    counts = dict.fromkeys(ways, once)
    report = found.report(about, ways, counts, pairs, forward, repeats, progress)
    return digits(report | {"agreement": agreement})


@torch.no_grad()
def _same_answers(found, bank, prompts, max_new_tokens):
    """The engine's answers as tokens, and by how much any of them misses the plain way's greatest logit.

    Two tokens may be equally likely up to rounding; so it is not the texts that must be the same.
    """
    model, backbone = found.model, found.backbone
    with model.attached(bank):
        out = backbone.model.generate(
            **backbone.inputs(prompts), max_new_tokens=max_new_tokens, do_sample=False
        )[:, 1:]  # (B, N)
    said, worst = [], 0.0
    for prompt, ids in zip(prompts, out, strict=True):
        ended = (ids == backbone.tokenizer.eos_token_id).cumsum(0) - (
            ids == backbone.tokenizer.eos_token_id
        ).long()
        ids = ids[ended == 0]  # up to its end, which is part of it
        logits = plain.logits(model, bank, prompt, ids[None])  # (N, vocabulary)
        missed = logits.max(1).values - logits.gather(1, ids[:, None])[:, 0]
        worst = max(worst, (missed.max() / logits.abs().max()).item())
        said.append(ids)
    return said, found.agree("answers", worst)
