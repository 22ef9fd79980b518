"""The invariants: what holds for every write with every read, at every site, in every precision (book/architecture.md).

One suite over one table of methods. Logits are compared, never only tokens, and each identity stands beside its opposite.
`test_planted.py` plants bugs and expects this suite to turn red.
"""

from dataclasses import replace

import pytest
import torch
from helpers import TARGET, apart, bare, changed, close, logits, make, nearer

from lmem.backbone.backbone import load_backbone, weights_hash
from lmem.errors import BankError, InputError
from lmem.memory.methods import METHODS
from lmem.memory.model import MemoryModel

TABLE = [m.name for m in METHODS if m.write is not None]
SAMPLE = [
    "slots+branch", "gated+prefix", "gated+extension", "delta+query", "slots+gated_branch", "recent+prefix",
]  # fmt: skip
CASES = [("nano", name) for name in TABLE + SAMPLE]
CASES += [("nano16", name) for name in TABLE + SAMPLE]
CASES += [("flan", name) for name in (*TABLE, "delta+query", "gated+branch")]


@pytest.fixture(scope="session")
def nano16():
    return load_backbone("nano", dtype=torch.bfloat16)


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def model(request):
    backbone, method = request.param
    return make(request.getfixturevalue(backbone), method)


# ---- (a) to (c): with, without, empty, at the start ------------------------------------------------


def test_detached_is_bare_and_attached_is_not(model, talk, questions):
    before = bare(model, questions)
    bank = model.write(model.new_bank(), talk)
    apart(logits(model, bank, questions), before)
    assert torch.equal(bare(model, questions), before)


def test_an_empty_bank_is_no_memory(model, talk, questions):
    before = bare(model, questions)
    assert torch.equal(logits(model, model.new_bank(), questions), before)
    some = model.write(model.new_bank(3), [[], talk, []])
    mixed = logits(model, some, questions)
    close(model, mixed[[0, 2]], before[[0, 2]])
    apart(mixed[1], before[1])
    assert torch.equal(logits(model, some.pick(1), questions, ablate="masked"), before)


def test_null_rows_are_a_mode_of_their_own(model, talk, questions):
    """Zero rows that are read tax every method at a row site; beside a printed branch they are exactly nothing."""
    bank = model.write(model.new_bank(), talk)
    tax = (logits(model, bank, questions, ablate="null_rows") - bare(model, questions)).abs().max()
    assert (tax == 0) if model.read.site == "decoder_layer" else (tax > 1e-3)


def test_start_values(model, talk, questions):
    """An untrained adapter is silent exactly where the table says so."""
    fresh = MemoryModel(model.backbone, model.method.name, scale=0.5, seed=3)
    bank = fresh.write(fresh.new_bank(), talk)
    difference = (logits(fresh, bank, questions) - bare(fresh, questions)).abs().max()
    assert (difference == 0) == (fresh.method.start == "silent")


# ---- (d): frozen means frozen ----------------------------------------------------------------------


def test_a_training_step_changes_the_adapter_alone(model, talk, questions):
    before = weights_hash(model.backbone.model)
    bank = model.write_latents(model.new_bank(), [model.backbone.encode(talk)])
    inputs = model.backbone.inputs([f"question: {q}" for q in questions])
    labels = model.backbone.labels([TARGET] * len(questions))
    learned = dict(model.named_parameters())
    optimizer = torch.optim.SGD(learned.values(), lr=0.1)
    with model.attached(bank):
        model.backbone.model(**inputs, labels=labels, use_cache=False).loss.backward()
    unreached = {name for name, p in learned.items() if p.grad is None or not p.grad.abs().sum()}
    choices = tuple(f"write_rule.{name}" for name in model.write_rule.choices)
    assert all(name.startswith(choices) for name in unreached) if choices else not unreached
    assert {p.grad.dtype for p in learned.values() if p.grad is not None} == {torch.float32}
    optimizer.step()
    assert weights_hash(model.backbone.model) == before
    assert all(p.grad is None for p in model.backbone.model.parameters())
    assert not [name for name in model.state_dict() if name.startswith("backbone")]


# ---- (e): how the turns come makes no difference -----------------------------------------------------


def same_rows(model, found, expected):
    if model.method.write == "slots" and model.backbone.dtype == torch.bfloat16:
        pytest.skip("chosen rows are compared in float32; bfloat16 latents may tie")
    coarse = model.backbone.dtype == torch.bfloat16
    torch.testing.assert_close(
        found, expected, atol=0.1 if coarse else 1e-4, rtol=0.1 if coarse else 1e-4
    )


def test_written_in_halves_or_at_once_alone_or_beside_others(model, talk):
    halves = model.write(model.write(model.new_bank(), talk[:2]), talk[2:])
    once = model.write(model.new_bank(), talk)
    same_rows(model, halves.state.rows, once.state.rows)
    both = model.write(model.new_bank(2), [talk, talk[:1]])
    same_rows(model, both.state.rows[0], once.state.rows[0])
    assert both.turns_written == [4, 1]
    changed(both, both.pick([1, 0]))


def test_writes_return_new_banks(model, talk):
    bank = model.write(model.new_bank(), talk[:2])
    copy = bank.clone()
    later = model.write(bank, talk[2:])
    assert all(torch.equal(a, b) for a, b in zip(bank.state, copy.state, strict=True))
    changed(later, bank)


# ---- (f): gradient through the writes ---------------------------------------------------------------


def test_writes_carry_gradient_until_it_is_cut(model, talk):
    turns = [z.float().requires_grad_() for z in model.backbone.encode(talk[:3])]
    bank = model.write_latents(model.new_bank(), [turns[:1]]).detach()
    bank = model.write_latents(bank, [turns[1:]])
    bank.state.rows.square().sum().backward()
    assert turns[0].grad is None
    assert all(z.grad.abs().sum() > 0 for z in turns[1:])


# ---- (g): ordinary calls read the bank --------------------------------------------------------------


def test_one_bank_per_row(model, talk, questions):
    banks = model.write(model.new_bank(3), [talk[:1], talk[:3], talk[1:]])
    together = logits(model, banks, questions)
    swapped = logits(model, banks.pick([1, 2, 0]), questions)
    alone = [logits(model, banks.pick(i), [question]) for i, question in enumerate(questions)]
    close(model, together, torch.cat(alone))
    nearer(together, torch.cat(alone), swapped)
    apart(swapped, together)


OF = [2, 0, 2]


def test_questions_of_one_bank_read_what_each_reads_alone(model, talk, questions):
    """`of` says which bank: the same as a copy for each, in logits and beams, and in the gradient of the read and of the bank."""
    banks = model.write(model.new_bank(3), [talk[:1], talk[:3], talk[1:]])
    together = logits(model, banks, questions, of=OF)
    copies, others = (logits(model, banks.pick(p), questions) for p in (OF, [0, 2, 1]))
    close(model, together, copies)
    nearer(together, copies, others)
    apart(together, others)
    close(
        model,
        logits(model, banks, questions, of=[1, 1, 1]),
        logits(model, banks.pick(1), questions),
    )
    inputs = model.backbone.inputs([f"question: {q}" for q in questions])
    labels, found = model.backbone.labels(["a red kettle", "yes", "Lisbon"]), []
    for of in (OF, None):
        model.zero_grad()
        rows = banks.state.rows.clone().requires_grad_()
        given = replace(banks, state=banks.state._replace(rows=rows))
        with model.attached(given if of else given.pick(OF), of=of):
            model.backbone.model(**inputs, labels=labels).loss.float().backward()
        found.append([rows.grad, *(p.grad for p in model.read.parameters() if p.grad is not None)])
    assert found[0][0][1].abs().max() == 0 < found[0][0][[0, 2]].abs().amax((1, 2)).min()
    for one, other in zip(*found, strict=True):
        close(model, one, other)


def generated(model, bank, questions, of=None, **options):
    inputs = model.backbone.inputs([f"question: {q}" for q in questions])
    options = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False} | options
    with model.attached(bank, of=of):
        return model.backbone.model.generate(**inputs, return_dict_in_generate=True, **options)


def test_cached_generation_is_uncached(model, talk, questions):
    """Token by token along one path: the cached one's tokens, forced upon the uncached call."""
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
    banks = model.write(model.new_bank(3), [talk[:1], talk[:3], talk[1:]])
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
    outs = []
    for _ in range(2):
        torch.manual_seed(0)
        outs.append(generated(model, bank, questions, do_sample=True, output_logits=True))
    assert torch.equal(outs[0].sequences, outs[1].sequences)
    close(model, outs[0].logits[0].float(), logits(model, bank, questions)[:, 0])


def test_eager_and_sdpa_agree(model, talk, questions):
    bank, t5 = model.write(model.new_bank(), talk), model.backbone.model
    before, found = t5.config._attn_implementation, []
    try:
        for kernel in ("eager", "sdpa"):
            t5.set_attn_implementation(kernel)
            found.append(logits(model, bank, questions))
    finally:
        t5.set_attn_implementation(before)
    close(model, found[0], found[1])


# ---- (k), (l): others -------------------------------------------------------------------------------


def test_two_memories_on_one_backbone(model, talk, questions):
    other = make(model.backbone, "m2", seed=9)
    a, b = (m.write(m.new_bank(), talk) for m in (model, other))
    alone = logits(model, a, questions)
    logits(other, b, questions)
    assert torch.equal(logits(model, a, questions), alone)
    with model.attached(a):
        nested = logits(other, b, questions)
        assert torch.equal(bare(model, questions), alone)  # the outer one is still there, alone
    apart(nested, logits(other, b, questions))


def test_banks_of_others_are_refused(model, nano, flan, talk, questions):
    bank = model.write(model.new_bank(), talk)
    backbone = model.backbone
    others = [
        MemoryModel(backbone, "slots+prefix", scale=0.5, seed=3),  # another method
        MemoryModel(backbone, model.method.name, scale=1, seed=3),  # another size
        MemoryModel(flan if backbone is not flan else nano, model.method.name, scale=0.5, seed=3),
    ]
    if model.method.write != "recent":  # it has no maps
        others.append(MemoryModel(backbone, model.method.name, scale=0.5, seed=4))
        option = {"cells": 1} if model.method.write == "keyed" else {"gamma": 0.5}
        others.append(MemoryModel(backbone, model.method.name, 0.5, 3, write=option))
    for other in others:
        with pytest.raises(BankError, match="expected a bank"):
            logits(other, bank, questions)
    with pytest.raises(InputError, match="one for each bank"):
        logits(model, bank.pick([0, 0]), questions)
