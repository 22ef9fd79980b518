"""Attachments act only in the context that opened them: threads, asyncio, nested and overlapping blocks, exceptions."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import torch
from helpers import away, bare

from lmem.errors import BankError
from lmem.memory.model import MemoryModel

SITES = ["m1", "m2", "m3", "m4", "m5", "keyed", "m2_as_run"]  # each site, each kind of hook
QUESTION = "Where does Ben live?"
OPTIONS = {"max_new_tokens": 4, "min_new_tokens": 2}


def hooks(model):
    """Every hook on every module, and what PyTorch notes about it."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_forward_hooks_with_kwargs")
    return [(name, list(getattr(m, k))) for name, m in model.named_modules() for k in kinds]


def four_banks(model, talk):
    """Four banks of different conversations, and what is right for each: the answer and the bits of a given answer."""
    homes = ["Cedar-Bay", "Amber-Hill", "Falcon-Hill", "Cedar-Hill"]
    turns = [[turn.replace("Cedar-Bay", home) for turn in talk] for home in homes]
    banks = [model.write(model.new_bank(), part) for part in turns]
    right = [ask(model, bank) for bank in banks]
    assert len({bits for _, bits in right}) == 4
    return banks, right


def ask(model, bank):
    answer = model.answer(bank, QUESTION, **OPTIONS)
    return answer, model.log_likelihood(bank, QUESTION, "Cedar-Bay").item()


def stress(works):
    """Run a list of functions in threads that start together; return their results."""
    start = threading.Barrier(len(works))

    def run(work):
        start.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def count_wrong(model, talk, answers):
    """Four threads, each with its own bank: how many of the answers are not those of the thread's bank."""
    banks, right = four_banks(model, talk)
    before = hooks(model.backbone.model)

    def work(bank, expected):
        return lambda: sum(ask(model, bank) != expected for _ in range(answers))

    wrong = sum(stress([work(*pair) for pair in zip(banks, right, strict=True)]))
    return wrong, hooks(model.backbone.model) != before


@pytest.mark.parametrize("method", SITES)
def test_four_threads_with_four_banks(tiny, talk, method):
    assert count_wrong(away(MemoryModel(tiny, method, scale=0.5)), talk, 8) == (0, False)


@pytest.mark.full
@pytest.mark.parametrize("name", ["nano-recent", "nano-keyed"])
def test_four_threads_with_200_answers_each(nano, talk, name):
    assert count_wrong(MemoryModel.from_shipped(name, nano), talk, 200) == (0, False)


@pytest.mark.full
@pytest.mark.parametrize("method", SITES)
def test_four_threads_with_200_answers_each_at_every_site(tiny, talk, method):
    assert count_wrong(away(MemoryModel(tiny, method, scale=0.5)), talk, 200) == (0, False)


@pytest.mark.parametrize("method", ["m1", "m2", "m3"])
def test_asyncio_with_to_thread(tiny, talk, method):
    """A block that is opened in a task is that of the threads that this task starts, and of no others."""
    model = away(MemoryModel(tiny, method, scale=0.5))
    banks, right = four_banks(model, talk)
    before, inputs = hooks(tiny.model), tiny.inputs([f"question: {QUESTION}"])

    async def task(bank):
        answers = []
        for _ in range(5):
            with model.attached(bank):
                await asyncio.sleep(0.001)
                answers += [await asyncio.to_thread(tiny.generate, inputs, **OPTIONS)]
                answers += await asyncio.gather(
                    *(asyncio.to_thread(tiny.generate, inputs, **OPTIONS) for _ in range(2))
                )
        return answers

    async def all_tasks():
        return await asyncio.gather(*map(task, banks))

    for answers, (expected, _) in zip(asyncio.run(all_tasks()), right, strict=True):
        assert answers == [[expected]] * 15
    assert hooks(tiny.model) == before


def test_two_models_on_one_backbone_at_once(tiny, talk, questions):
    """Threads with different methods, one that only calls the bare backbone, and one that encodes and writes."""
    models = [away(MemoryModel(tiny, method, scale=0.5)) for method in ("m2", "m3", "keyed")]
    banks = [model.write(model.new_bank(), talk) for model in models]
    right = [ask(*pair) for pair in zip(models, banks, strict=True)]
    plain, before = bare(models[0], questions), hooks(tiny.model)

    def read(k):
        return lambda: sum(ask(models[k], banks[k]) != right[k] for _ in range(8))

    def call():
        return sum(not torch.equal(bare(models[0], questions), plain) for _ in range(20))

    def write():
        made = (models[2].write(models[2].new_bank(), talk) for _ in range(10))
        return sum(not torch.equal(bank.state.rows, banks[2].state.rows) for bank in made)

    assert stress([read(0), read(1), read(2), call, write]) == [0] * 5
    assert hooks(tiny.model) == before


def test_exceptions_in_one_thread_do_not_touch_the_others(tiny, talk):
    model = away(MemoryModel(tiny, "m3", scale=0.5))
    banks, right = four_banks(model, talk)
    before = hooks(tiny.model)

    def fail():
        for _ in range(30):
            with pytest.raises(RuntimeError, match="stop"), model.attached(banks[0]):
                raise RuntimeError("stop")
        return 0

    def work():
        return sum(ask(model, banks[1]) != right[1] for _ in range(10))

    assert stress([fail, work, fail, work]) == [0] * 4
    assert hooks(tiny.model) == before


def test_overlapping_blocks(tiny, talk, questions):
    """The first of two blocks ends first; from then on only the second one is read."""
    outer, inner = (
        away(MemoryModel(tiny, m, scale=0.5), seed) for seed, m in enumerate(("m2", "m3"))
    )
    first, second = (model.write(model.new_bank(), talk) for model in (outer, inner))
    plain = bare(inner, questions)

    def call():
        return bare(inner, questions)

    with inner.attached(second):
        alone = call()
    before, one, two = hooks(tiny.model), ExitStack(), ExitStack()
    one.enter_context(outer.attached(first))
    two.enter_context(inner.attached(second))
    both = call()
    one.close()
    assert torch.equal(call(), alone)
    two.close()
    assert torch.equal(call(), plain)
    assert (both - alone).abs().max() > 1e-3
    assert (alone - plain).abs().max() > 1e-3
    assert hooks(tiny.model) == before


@pytest.mark.parametrize("method", ["m1", "m2", "m3", "m4", "keyed", "recent"])
def test_what_has_a_bank_of_its_own_reads_no_other(tiny, talk, questions, method):
    """Inside a block, `answer` and `log_likelihood` read the bank that they are given, `write` and `encode` none."""
    model = away(MemoryModel(tiny, method, scale=0.5))
    others = [turn.replace("Cedar-Bay", "Amber-Hill") for turn in talk]
    outer, bank = (model.write(model.new_bank(), turns) for turns in (talk, others))

    def own():
        tensors = [
            model.log_likelihood(outer, questions[0], "Cedar-Bay"),
            model.log_likelihood(bank, questions[0], "Cedar-Bay"),
            model.write(model.new_bank(), talk).state.rows,
            *tiny.encode(talk),
        ]
        masked = model.answer(bank, questions, ablate="masked", **OPTIONS)
        return tensors, [model.answer(bank, questions, **OPTIONS), masked]

    plain, (tensors, answers) = bare(model, questions), own()
    with model.attached(outer):
        tensors_inside, answers_inside = own()
        attached = bare(model, questions)
    assert all(torch.equal(a, b) for a, b in zip(tensors, tensors_inside, strict=True))
    assert answers_inside == answers
    assert (attached - plain).abs().max() > 1e-3  # the block itself was read
    assert not torch.equal(*tensors[:2])  # and the two banks differ
    with pytest.raises(BankError, match="only the bank that they are given"), model.attached(outer):
        model.answer(bank, questions, **OPTIONS)


def test_a_bank_that_was_never_read_raises(tiny, talk, questions):
    model = away(MemoryModel(tiny, "m3"))
    bank, before = model.write(model.new_bank(), talk), hooks(tiny.model)
    with pytest.raises(BankError, match="never read"), model.attached(bank):
        pass
    with pytest.raises(BankError, match="never read"), model.attached(bank):
        tiny.encode(talk)  # the encoder alone reads nothing at this site
    with pytest.raises(BankError, match="never read"), model.attached(bank):
        stress([lambda: bare(model, questions)])
    assert hooks(tiny.model) == before
    for nothing in ({"ablate": "masked"}, {}):  # no row may be read
        with model.attached(model.new_bank() if not nothing else bank, **nothing):
            pass
