"""Type 1 training with the paper's settings, the engine against the plain way (chapter 15).

plain   every epoch: turns encoded, turns written, questions learned from one at a time
engine  turns and questions encoded once (where the bank enters behind the encoder), banks written once, all conversations side
        by side; every epoch: questions in batches
"""

from functools import partial
from itertools import islice

from lmem.bench import plain
from lmem.bench.compare import PADDING, Comparison, digits, positive, shortened, some
from lmem.errors import InputError
from lmem.training.dataset import Batches
from lmem.training.train import TrainConfig, prepare_loss, train


def bench_train(
    backbone, conversations, method="m3", scale=1, epochs=10, turns=64, plain_turns=24, questions=16,
    steps=4, repeats=5, seed=0, progress=True,
):  # fmt: skip
    """What `epochs` of training on these conversations cost, both ways.

    conversations  list of Conversation; the counts are theirs
    turns          sample of the engine: so many of each conversation, side by side
    plain_turns    sample of the plain way
    questions      sample of the plain way: one step of the optimiser
    steps          sample of the engine: steps of the paper's batch
    returns        dict: see `Comparison.report`; and `agreement`, the relative differences of banks and losses
    raises         InputError for an empty sample or less than 3 repeats, LmemError if the two ways do not agree
    """
    positive(epochs=epochs, questions=questions, steps=steps)
    found = Comparison(backbone, conversations, method, scale, seed, turns, plain_turns)
    model, config = found.model, TrainConfig.paper(epochs=epochs)
    answered = [q for c in conversations for q in c.questions if q.answer is not None]
    if not answered:
        raise InputError("expected questions with answers to train on, found none")
    bank, difference = found.bank()
    agreement = {"banks": difference, "losses": _same_loss(found)}
    asked = some(answered, questions)
    short, few = (
        [shortened(c, 8) for c in conversations],
        TrainConfig.paper(epochs=None, steps=steps),
    )

    def learn():
        return train(model, short, few, progress=False)["seconds"]["train"] / (steps * few.batch)

    loss_of = prepare_loss(model, short, few, False)
    batches = [*islice(Batches(loss_of.dataset.examples, few.batch, few.seed), steps)]

    def steps_alone():
        for batch in batches:
            loss_of(batch).backward()
            model.zero_grad(set_to_none=True)

    prompts = [*dict.fromkeys(q.prompt for q in answered)]
    sample = some(prompts, turns)
    encode = partial(model.encode_questions, sample)
    # latents of the questions: the plain way makes them in each step, and so do both if the bank enters first
    apart = {"latents": len(prompts)} if loss_of.question_latents else {}
    own = {"question": (steps_alone, steps * few.batch)}
    own |= {unit: (encode, len(sample)) for unit in apart}
    timed = {unit: found.timed(encode, len(sample)) for unit in apart}
    ways = {"engine": found.engine() | timed | {"question": learn}}
    for way, length in PADDING.items():
        step = partial(
            plain.learn, model, plain.optimizer_of(model, config), [(bank, q) for q in asked],
            config.clip, length,
        )  # fmt: skip
        ways[way] = found.plain(length) | {"question": found.timed(step, len(asked))}
    again = {
        "encode": epochs * found.turns,
        "write": epochs * found.turns,
        "question": epochs * len(answered),
    }
    once = {"encode": found.turns, "write": found.turns, **apart, "question": again["question"]}

    def backward(question, length):
        plain.loss(model, bank, question, length).backward()
        model.zero_grad(set_to_none=True)

    about = {
        "what": "training",
        "epochs": epochs,
        "batch": config.batch,
        "questions": len(answered),
    }
    about |= found.tokens(answered, [len(ids) for ids in found.ids(q.answer for q in answered)])
    counts = {"engine": once, "plain": again, "unpadded": again}
    report = found.report(about, ways, counts, some(asked, 8), backward, repeats, progress, own)
    return digits(report | {"agreement": agreement})


def _same_loss(found):
    """How far the engine's loss of one batch lies from the plain way's, questions of every conversation in it."""
    short = [shortened(c, 8, 4) for c in found.conversations]
    banks = [plain.write(found.model, c.texts()) for c in short]
    pairs = [(bank, q) for bank, c in zip(banks, short, strict=True) for q in c.questions]
    config = TrainConfig.paper(epochs=None, steps=1, batch=len(pairs))
    tokens = sum(len(ids) for ids in found.ids(q.answer for _, q in pairs))
    expected = sum(plain.loss(found.model, *pair).item() for pair in pairs) / tokens
    [ours] = train(found.model, short, config, progress=False)["losses"]
    return found.agree("losses", abs(ours - expected) / expected)
