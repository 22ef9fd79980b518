"""The invariants: what must be true of every write with every read, on every backbone, in every precision.

Each invariant runs with every method of the grid. Backbone, precision, attention kernel and write options vary along with it, so
that any two settings meet in at least one case (a pairwise cover). Each identity comes with its opposite: "detached equals bare"
says nothing unless "attached differs". `test_planted.py` plants bugs and names the test that must find each.
"""

import inspect
from dataclasses import replace
from functools import cache
from itertools import combinations, product

import pytest
import torch
from backbones import FAMILIES, carries
from helpers import TARGET, apart, bare, changed, close, coarse, logits, make, nearer
from pairwise import cover, pairs

from lmem.errors import BankError, InputError
from lmem.memory.methods import METHODS, grid
from lmem.memory.model import MemoryModel
from lmem.memory.options import known_options
from lmem.memory.write import WRITES

METHOD = {method.name: method for method in (*grid(), *METHODS) if method.write}
ACCEPTS = {name: set(known_options(write)) for name, write in WRITES.items()}
OPTIONS = {
    "plain": {},
    "normalised": {"normalise": True},
    "trainable": {"trainable": True, "gamma": 0.9},
}
OF = [2, 0, 2]  # three questions, the first and the last about the same bank


FACTORS = {
    "method": list(METHOD),
    "backbone": ["nano", "flan", *FAMILIES],
    "precision": ["float32", "bfloat16"],
    "kernel": ["sdpa", "eager"],
    "options": list(OPTIONS),
}


def possible(case):
    """Return False for settings that exclude each other; a case may lack some factors."""
    factors = ("test", "backbone", "precision", "options")
    test, backbone, precision, options = (case.get(factor) for factor in factors)
    method = METHOD.get(case.get("method"), METHODS[0])
    needed = [method]
    if test == "test_banks_of_others_are_refused":  # it compares with a method that has a prefix
        needed.append(METHOD["attention+prefix"])
    refused = backbone in FAMILIES and not all(carries(backbone, m) for m in needed)
    # in bfloat16 two scores may tie, and then other rows are chosen
    ties = method.write == "slots" and test == "test_rows_do_not_depend_on_how_turns_arrive"
    unknown = method.write and not ACCEPTS[method.write] >= set(OPTIONS[options or "plain"])
    return not (refused or (ties and precision == "bfloat16") or unknown)


@cache
def cases():
    """{name of a test: its cases}."""
    tests = [
        name
        for name, check in globals().items()
        if name.startswith("test_") and "model" in inspect.signature(check).parameters
    ]
    found = {name: [] for name in tests}
    for case in cover({"test": tests, **FACTORS}, possible):
        found[case.pop("test")].append(tuple(case.values()))
    return found


def pytest_generate_tests(metafunc):
    if "model" in metafunc.fixturenames:
        rows = cases()[metafunc.function.__name__]
        metafunc.parametrize("model", rows, indirect=True, ids="-".join)


@pytest.fixture
def model(request, backbone_of):
    method, name, precision, kernel, options = request.param
    backbone = backbone_of(name, precision)
    before = backbone.model.config._attn_implementation
    backbone.model.set_attn_implementation(kernel)
    yield make(backbone, method, write=OPTIONS[options])
    backbone.model.set_attn_implementation(before)


def sibling(model, **changes):
    """A model like this one but for the changes, its read as at the start."""
    like = {"backbone": model.backbone, "method": model.method.name, "scale": model.scale}
    like |= {"seed": model.seed, **model.options}
    return MemoryModel(**(like | changes))


def three_banks(model, talk):
    """Banks of one turn, three turns, and three other turns."""
    return model.write(model.new_bank(3), [talk[:1], talk[:3], talk[1:]])


def test_the_cover_is_small_and_has_every_possible_pair():
    assert sum(len(rows) for rows in cases().values()) <= 18 * len(METHOD)
    rows = [
        {"test": test, **dict(zip(FACTORS, row, strict=True))}
        for test, chosen in cases().items()
        for row in chosen
    ]
    assert all(possible(row) for row in rows)
    covered = set().union(*(pairs(row) for row in rows))
    factors = {"test": list(cases()), **FACTORS}
    for first, second in combinations(factors, 2):
        for a, b in product(factors[first], factors[second]):
            pair = {first: a, second: b}
            assert frozenset(pair.items()) in covered or not possible(pair), pair


# ---- with a bank, without, with an empty one, at the start --------------------------------------------


def test_detached_is_bare_and_attached_is_not(model, talk, questions):
    before = bare(model, questions)
    bank = model.write(model.new_bank(), talk)
    apart(logits(model, bank, questions), before)
    assert torch.equal(bare(model, questions), before)


def test_an_empty_bank_is_no_memory(model, talk, questions):
    before = bare(model, questions)
    assert torch.equal(logits(model, model.new_bank(), questions), before)
    for turns in ([[], talk, []], [talk, [], talk]):
        banks = model.write(model.new_bank(3), turns)
        mixed = logits(model, banks, questions)
        for i, some in enumerate(turns):
            if some:
                apart(mixed[i], before[i])
            else:
                close(model, mixed[i], before[i])
    bank = model.write(model.new_bank(), talk)
    assert torch.equal(logits(model, bank, questions, ablate="masked"), before)


def test_null_rows_are_a_mode_of_their_own(model, talk, questions):
    """Zero rows get a share of the attention at a row site; in a branch of their own they add exactly nothing."""
    bank = model.write(model.new_bank(), talk)
    change = logits(model, bank, questions, ablate="null_rows") - bare(model, questions)
    largest = change.abs().max()
    assert (largest == 0) if model.read.site == "decoder_layer" else (largest > 1e-3)


def test_start_values(model, talk, questions):
    """An untrained adapter changes nothing exactly where the table of methods says "silent"."""
    fresh = sibling(model)
    bank = fresh.write(fresh.new_bank(), talk)
    difference = (logits(fresh, bank, questions) - bare(fresh, questions)).abs().max()
    assert (difference == 0) == (fresh.method.start == "silent")


# ---- frozen means frozen --------------------------------------------------------------------------------


def test_a_training_step_changes_the_adapter_alone(model, talk, questions):
    frozen = model.backbone.model
    before = {name: weight.clone() for name, weight in frozen.state_dict().items()}
    bank = model.write_latents(model.new_bank(), [model.backbone.encode(talk)])
    inputs = model.backbone.inputs([f"question: {q}" for q in questions])
    labels = model.backbone.labels([TARGET] * len(questions))
    learned = dict(model.named_parameters())
    optimizer = torch.optim.SGD(learned.values(), lr=0.1)
    with model.attached(bank):
        frozen(**inputs, labels=labels, use_cache=False).loss.backward()
    unreached = {name for name, p in learned.items() if p.grad is None or not p.grad.abs().sum()}
    choices = tuple(f"write_rule.{name}" for name in model.write_rule.choices)
    choices += tuple(f"read.{name}" for name in model.read.choices)
    assert all(name.startswith(choices) for name in unreached) if choices else not unreached
    assert {p.grad.dtype for p in learned.values() if p.grad is not None} == {torch.float32}
    optimizer.step()
    assert all(torch.equal(weight, before[name]) for name, weight in frozen.state_dict().items())
    assert all(p.grad is None for p in frozen.parameters())
    assert not [name for name in model.state_dict() if name.startswith("backbone")]


# ---- how turns arrive makes no difference ------------------------------------------------------------


def test_rows_do_not_depend_on_how_turns_arrive(model, talk):
    """In halves or at once, alone or in a batch."""
    tolerance = 0.1 if coarse(model) else 1e-4
    halves = model.write(model.write(model.new_bank(), talk[:2]), talk[2:])
    once = model.write(model.new_bank(), talk)
    both = model.write(model.new_bank(2), [talk, talk[:1]])
    for rows in (halves.state.rows[0], both.state.rows[0]):
        torch.testing.assert_close(rows, once.state.rows[0], atol=tolerance, rtol=tolerance)
    assert both.turns_written == [4, 1]
    changed(both, both.pick([1, 0]))


def test_writes_return_new_banks(model, talk):
    bank = model.write(model.new_bank(), talk[:2])
    copy = bank.clone()
    later = model.write(bank, talk[2:])
    assert all(torch.equal(a, b) for a, b in zip(bank.state, copy.state, strict=True))
    changed(later, bank)


def test_writes_carry_gradient_until_it_is_cut(model, talk):
    turns = [z.float().requires_grad_() for z in model.backbone.encode(talk[:3])]
    bank = model.write_latents(model.new_bank(), [turns[:1]]).detach()
    bank = model.write_latents(bank, [turns[1:]])
    assert bank.state.rows.requires_grad
    bank.state.rows.square().sum().backward()
    assert turns[0].grad is None
    assert all(z.grad is not None and z.grad.abs().sum() > 0 for z in turns[1:])


# ---- ordinary calls read the bank ----------------------------------------------------------------------


def test_one_bank_per_row(model, talk, questions):
    banks = three_banks(model, talk)
    together = logits(model, banks, questions)
    swapped = logits(model, banks.pick([1, 2, 0]), questions)
    alone = [logits(model, banks.pick(i), [question]) for i, question in enumerate(questions)]
    close(model, together, torch.cat(alone))
    nearer(together, torch.cat(alone), swapped)
    apart(swapped, together)


def test_questions_of_one_bank_read_what_each_reads_alone(model, talk, questions):
    """`of` gives the place of each question's bank: the same logits and gradients as with a copy for each."""
    banks = three_banks(model, talk)
    together = logits(model, banks, questions, of=OF)
    copies, wrong = (logits(model, banks.pick(places), questions) for places in (OF, [0, 2, 1]))
    close(model, together, copies)
    nearer(together, copies, wrong)
    apart(together, wrong)
    same = logits(model, banks, questions, of=[1, 1, 1])
    close(model, same, logits(model, banks.pick(1), questions))

    inputs = model.backbone.inputs([f"question: {q}" for q in questions])
    labels = model.backbone.labels(["a red kettle", "yes", "Lisbon"])
    gradients = []
    for of in (OF, None):
        model.zero_grad()
        rows = banks.state.rows.detach().clone().requires_grad_()
        bank = replace(banks, state=banks.state._replace(rows=rows))
        with model.attached(bank if of else bank.pick(OF), of=of):
            model.backbone.model(**inputs, labels=labels).loss.float().backward()
        weights = [p.grad for p in model.read.parameters() if p.grad is not None]
        gradients.append([rows.grad, *weights])
    of_rows = gradients[0][0].abs().amax((1, 2))
    assert of_rows[1] == 0
    if not model.read.choices:  # one that chooses a row may choose none
        assert of_rows[[0, 2]].min() > 0
    for shared, copied in zip(*gradients, strict=True):
        close(model, shared, copied)


def generated(model, bank, questions, of=None, **options):
    inputs = model.backbone.inputs([f"question: {q}" for q in questions])
    options = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False} | options
    with model.attached(bank, of=of):
        return model.backbone.model.generate(**inputs, return_dict_in_generate=True, **options)


def test_cached_generation_is_uncached(model, talk, questions):
    """The tokens of a cached generation, given to one uncached call, get the same logits."""
    bank = model.write(model.new_bank(), talk)
    cached = generated(model, bank, questions, output_logits=True, use_cache=True)
    inputs = model.backbone.inputs([f"question: {q}" for q in questions])
    with torch.no_grad(), model.attached(bank):
        whole = model.backbone.model(
            **inputs, decoder_input_ids=cached.sequences[:, :-1], use_cache=False
        )
    close(model, torch.stack(cached.logits, 1).float(), whole.logits.float())


def test_beams_read_the_bank_of_their_row(model, talk, questions):
    beams_read(model, talk, questions)


def test_beams_of_one_bank_read_it(model, talk, questions):
    beams_read(model, talk, questions, OF)


def beams_read(model, talk, questions, of=None):
    """Each beam's score is that of its tokens in one call with a copy of its bank."""
    banks = three_banks(model, talk)
    options = {"num_beams": 3, "num_return_sequences": 3, "output_scores": True}
    beams = generated(model, banks, questions, of=of, **options)
    inputs = model.backbone.inputs([f"question: {q}" for q in questions])
    wide = {k: v.repeat_interleave(3, 0) for k, v in inputs.items()}
    copies = [place for place in of or range(3) for _ in range(3)]
    with torch.no_grad(), model.attached(banks.pick(copies)):
        again = model.backbone.model(**wide, decoder_input_ids=beams.sequences[:, :-1]).logits
    scores = again.float().log_softmax(-1).gather(2, beams.sequences[:, 1:, None])[:, :, 0]
    ended = (beams.sequences[:, 1:-1] == model.backbone.tokenizer.eos_token_id).cumsum(1) > 0
    scores[:, 1:][ended] = 0.0
    lengths = (scores != 0).sum(1)
    close(model, beams.sequences_scores.float(), scores.sum(1) / lengths)


def test_sampling_reads_the_bank(model, talk, questions):
    bank = model.write(model.new_bank(), talk)
    samples = []
    for _ in range(2):
        torch.manual_seed(0)
        samples.append(generated(model, bank, questions, do_sample=True, output_logits=True))
    assert torch.equal(samples[0].sequences, samples[1].sequences)
    close(model, samples[0].logits[0].float(), logits(model, bank, questions)[:, 0])


def test_eager_and_sdpa_agree(model, talk, questions):
    """The fixture's kernel and the other one; the fixture sets back the first."""
    bank, t5 = model.write(model.new_bank(), talk), model.backbone.model
    first = logits(model, bank, questions)
    kernel = t5.config._attn_implementation
    t5.set_attn_implementation({"eager": "sdpa", "sdpa": "eager"}[kernel])
    close(model, logits(model, bank, questions), first)


# ---- several memories on one backbone ------------------------------------------------------------------


def test_two_memories_on_one_backbone(model, talk, questions):
    inner = make(model.backbone, "m2", seed=9)
    bank, inner_bank = (m.write(m.new_bank(), talk) for m in (model, inner))
    alone = logits(model, bank, questions)
    logits(inner, inner_bank, questions)
    assert torch.equal(logits(model, bank, questions), alone)
    with model.attached(bank):
        nested = logits(inner, inner_bank, questions)
        assert torch.equal(bare(model, questions), alone)  # the inner one is gone, the outer is not
    apart(nested, logits(inner, inner_bank, questions))


def test_banks_of_others_are_refused(model, backbone_of, talk, questions):
    bank = model.write(model.new_bank(), talk)
    another = backbone_of("t5-1.0" if model.backbone.width != 32 else "nano")
    method = "slots+prefix" if model.method.write != "slots" else "m1"
    strangers = [
        sibling(model, method=method, write={}, read={}),
        sibling(model, scale=1),
        sibling(model, backbone=another),
    ]
    if any(tensor.any() for tensor in model.write_rule.state_dict().values()):  # drawn by the seed
        strangers.append(sibling(model, seed=4))
    for option in ({"gamma": 0.5}, {"cells": 1}):
        if ACCEPTS[model.method.write] >= set(option):
            strangers.append(sibling(model, write=model.options["write"] | option))
    for stranger in strangers:
        with pytest.raises(BankError, match="expected a bank"):
            logits(stranger, bank, questions)
    with pytest.raises(InputError, match="one for each bank"):
        logits(model, bank.pick([0, 0]), questions)
