"""Type 1 training with the paper's settings, lmem's engine against the plain way (chapter 15).

    plain   every epoch: turns are encoded, turns are written, questions are learned from, one at a time
    engine  once: turns and questions are encoded (questions where the bank enters behind the encoder) and banks are written,
            all conversations in parallel; every epoch: questions in batches

Both ways train the same weights on the same questions.
"""

from collections.abc import Sequence
from typing import Any

from lmem.backbone.backbone import Backbone
from lmem.bench import plain
from lmem.bench.compare import Comparison
from lmem.bench.measure import require_positive
from lmem.bench.units import TrainingSample, sample_evenly, shortened
from lmem.data.conversation import Conversation
from lmem.errors import InputError
from lmem.training.train import TrainConfig, train


def bench_train(
    backbone: Backbone,
    conversations: Sequence[Conversation],
    repeats: int = 5,
    epochs: int = 10,
    questions: int = 16,
    steps: int = 4,
    **sample: Any,
) -> dict[str, Any]:
    """Measure what `epochs` of training on these conversations cost, both ways.

    Args:
        backbone: The frozen model.
        conversations: The counts are theirs.
        repeats: At least 3.
        epochs: Of the whole run.
        questions: Sample of the plain way: one step of the optimiser.
        steps: Sample of the engine: steps of the paper's batch.
        sample: method, scale, seed, turns and plain_turns, as in `Comparison`.

    Returns:
        dict: see `Comparison.report`; agreement, the relative differences of banks and losses.

    Raises:
        InputError: A sample is empty, or there are fewer than 3 repeats.
        LmemError: The two ways do not agree.
    """
    require_positive(epochs=epochs, questions=questions, steps=steps)
    comparison = Comparison(backbone, conversations, **sample)
    model, config = comparison.model, TrainConfig.paper(epochs=epochs)
    answered = [q for c in conversations for q in c.questions if q.answer is not None]
    if not answered:
        raise InputError("expected questions with answers to train on, found none")
    bank, difference = comparison.check_banks()
    agreement = {"banks": difference, "losses": _compare_losses(comparison)}

    short = [shortened(c, 8) for c in conversations]
    training = TrainingSample(model, short, config, steps)
    prompts = [*dict.fromkeys(q.prompt for q in answered)]
    once = {"encode": comparison.turns, "write": comparison.turns}
    own = ["question"]
    engine = comparison.ways["engine"]
    if training.loss.question_latents:  # the plain way encodes them in each step
        once["latents"] = len(prompts)
        own.append("latents")
        some_prompts = sample_evenly(prompts, len(comparison.parts[0]))
        engine["latents"] = comparison.engine.encode_questions(some_prompts)
    engine["question"] = comparison.engine.step(training)
    pairs = [(bank, question) for question in sample_evenly(answered, questions)]
    for way, units in comparison.plain.items():
        comparison.ways[way]["question"] = units.step(pairs, training.optimizer, config.clip)

    asked = {"question": epochs * len(answered)}
    again = {"encode": epochs * comparison.turns, "write": epochs * comparison.turns} | asked
    lengths = {
        "question": comparison.token_counts(q.prompt for q in answered),
        "answer": comparison.token_counts(str(q.answer) for q in answered),
    }
    about = {
        "what": "training",
        "epochs": epochs,
        "batch": config.batch,
        "questions": len(answered),
        "agreement": agreement,
    }
    counts = {"engine": once | asked, "plain": again, "unpadded": again}
    return comparison.report(about, counts, lengths, repeats, own)


def _compare_losses(comparison: Comparison) -> float:
    """How far the engine's loss of one batch differs from the plain way's; it has questions of every conversation."""
    short = [shortened(c, 8, 4) for c in comparison.conversations]
    banks = [plain.write(comparison.model, c.texts()) for c in short]
    pairs = [(bank, q) for bank, c in zip(banks, short, strict=True) for q in c.questions]
    config = TrainConfig.paper(epochs=None, steps=1, batch=len(pairs))
    tokens = sum(comparison.token_counts(str(q.answer) for _, q in pairs))
    expected = sum(plain.loss(comparison.model, *pair).item() for pair in pairs) / tokens
    [ours] = train(comparison.model, short, config, progress=False)["losses"]
    return comparison.agree("losses", abs(ours - expected) / expected)
