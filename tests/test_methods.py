"""The table of methods: names, counts against the paper's, and the shortcuts that its experiments ran."""

import json
from collections import Counter
from dataclasses import replace

import pytest
import torch
from helpers import apart, away, logits, make
from typer.testing import CliRunner

from lmem.cli import app
from lmem.errors import BankError, MethodError
from lmem.memory import methods
from lmem.memory.model import MemoryModel
from lmem.memory.options import completed, known_options
from lmem.memory.read import READS
from lmem.memory.write import WRITES, AttentionWrite

D, L = 2048, 24  # Flan-T5-XL
PRINTED = {  # paper, table 2, in millions, and the formulas that give it
    "m1": (4.2, D**2),
    "m2": (16.8, 4 * D**2 + L),
    "m3": (4.2, D**2),
    "m4": (1.0, 2 * D * 256),
    "m5": (21.0, 3 * D**2 + 2 * D**2 + D),
    "m6": (4.2, D**2),
}


@pytest.fixture(scope="module")
def xl():
    return methods.shape("flan-t5-xl")


def test_counts_are_the_papers(xl):
    rows = {row["aliases"][0]: row for row in methods.table(xl) if row["aliases"]}
    for name, (millions, exact) in PRINTED.items():
        assert rows[name]["trainable"] == exact
        assert round(exact / 1e6, 1) == millions
        assert rows[name]["frozen"] == 2_849_757_184
    assert rows["m0"]["trainable"] == 0


def test_banks_grow_by_ten(xl):
    """640 rows for 64; 810 x 810 for 256 x 256, which is 10.01 times the numbers."""
    one, ten = ({r["method"]: r["bank"] for r in methods.table(xl, scale)} for scale in (1, 10))
    assert one["attention+extension"] == 64 * D
    assert ten["attention+extension"] == 640 * D
    assert (one["hebbian+query"], ten["hebbian+query"]) == (256**2, 810**2)


@pytest.mark.parametrize("name", sorted(methods.SHAPES))
def test_published_sizes(name):
    """Against the published parameter counts of Flan-T5: 77M, 248M, 783M, 2.85B, 11.1B."""
    published = {"small": 77e6, "base": 248e6, "large": 783e6, "xl": 2.85e9, "xxl": 11.1e9}
    frozen = methods.table(methods.shape(name), chosen=methods.METHODS[:1])[0]["frozen"]
    assert frozen == pytest.approx(published[name.removeprefix("flan-t5-")], rel=5e-3)


def test_names_and_the_grid():
    assert methods.find("M3") is methods.find("attention+extension")
    assert methods.find("kv extension").name == "attention+extension"
    names = [m.name for m in methods.grid()]
    writes = Counter(write.form for write in WRITES.values())
    reads = Counter(read.form for read in READS.values() if not read.shortcut)
    assert len(names) == len(set(names)) == sum(writes[form] * reads[form] for form in writes)
    for name in names:
        method = methods.find(name)
        assert WRITES[method.write].form == READS[method.read].form
    shortcuts = {m.read for m in methods.METHODS if m.read and READS[m.read].shortcut}
    assert {m.read for m in methods.grid()} | shortcuts == set(READS)
    assert set(WRITES) == {m.write for m in methods.grid()}
    for bad in ("m9", "hebbian+extension", "delta+branch", "attention+query", ""):
        with pytest.raises(MethodError, match="expected a method"):
            methods.find(bad)


def test_options_reach_the_write_and_the_read(tiny, talk):
    model = MemoryModel(tiny, "m3", write={"gamma": 0.5}, read={"start": "identity"})
    assert model.write_rule.gamma == 0.5
    assert torch.equal(model.read.w_mem, torch.eye(tiny.width))
    with pytest.raises(MethodError, match="shared=False"):
        MemoryModel(tiny, "m2", read={"start": "borrowed"})
    short = away(MemoryModel(tiny, "m1", read={"length": 5}))
    assert (
        short.read(short.write(short.new_bank(), talk).state.rows, torch.ones(1, 64).bool())[
            0
        ].shape[1]
        == 5
    )


@pytest.mark.parametrize(
    ("method", "write", "read", "match"),
    [
        (
            "m3",
            {"decay": 0.5},
            {},
            "gamma, maps, noise, normalise, strength, trainable, got decay=0.5",
        ),
        ("m4", {"k": 3}, {}, "HebbianWrite options out of gamma, .*, got k=3"),
        ("recent", {"gamma": 0.9}, {}, "RecentWrite options out of none"),
        ("m3", {"gamma": "0.5"}, {}, "got gamma='0.5': Input should be a valid number"),
        ("m3", {"normalise": 1}, {}, "got normalise=1: Input should be a valid boolean"),
        ("m6", {"k": 2.5}, {}, "got k=2.5: Input should be a valid integer"),
        ("m2", {}, {"start": "borowed"}, "should be 'drawn' or 'borrowed'"),
        ("m3", {}, {"start": "one"}, "should be 'zero' or 'identity'"),
        (
            "m1",
            {},
            {"heads": 2},
            "PrefixRead options out of keep, length, start, times, got heads=2",
        ),
        ("m0", {"gamma": 0.5}, {}, "expected no options for none"),
    ],
)
def test_unknown_options_and_other_types_are_refused(tiny, method, write, read, match):
    with pytest.raises(MethodError, match=match):
        MemoryModel(tiny, method, write=write, read=read)


EQUAL = [
    ("m3", {"gamma": 1}, {"gamma": 1.0}),
    ("m3", {"gamma": 0.95}, {}),
    ("m3", {"gamma": 0.95, "normalise": False, "noise": 0.5}, {"noise": 0.5}),
    ("m4", {"normalise": True}, {}),
    ("m6", {"k": 8}, {}),
    ("keyed", {"key": 20, "cells": 2}, {}),
]


@pytest.mark.parametrize(("method", "first", "second"), EQUAL, ids=str)
def test_equal_options_give_one_owner(tiny, talk, method, first, second):
    one, two = (MemoryModel(tiny, method, write=options) for options in (first, second))
    assert one.owner == two.owner
    two.check(one.write(one.new_bank(), talk))
    different = MemoryModel(tiny, method, write={**second, CHANGED[method][0]: CHANGED[method][1]})
    assert different.owner != two.owner


CHANGED = {
    "m3": ("gamma", 0.9),
    "m4": ("gamma", 0.9),
    "m6": ("k", 7),
    "keyed": ("select", False),
}


def test_banks_of_version_0_1_spell_options_as_they_were_typed(tiny, talk):
    model = MemoryModel(tiny, "m3", write={"gamma": 1})
    bank = model.write(model.new_bank(), talk)
    *start, maps = bank.owner.split(" ")
    assert start == ["attention+extension", "64x64", "gamma=1.0"]
    for typed in ("gamma=1", "gamma=1 normalise=False", "gamma=1.0 trainable=False"):
        model.check(replace(bank, owner=f"attention+extension 64x64 {typed} {maps}"))
    for wrong in (
        f"attention+extension 64x64 {maps}",
        f"attention+extension 64x64 gamma=0.9 {maps}",
        f"attention+extension 64x64 gamma=1 decay=2 {maps}",
        f"attention+extension 64x64 gamma=one {maps}",
        f"attention+branch 64x64 gamma=1 {maps}",
        f"attention+extension 32x64 gamma=1 {maps}",
        "gamma=1",
    ):
        with pytest.raises(BankError, match="expected a bank of attention"):
            model.check(replace(bank, owner=wrong))


def test_a_learners_constructor_says_what_its_options_are():
    class Sizes(AttentionWrite):
        def __init__(self, *sizes):
            super().__init__(*sizes)

    class Own(AttentionWrite):
        def __init__(self, rows, width, theta=0.9, steps: int = 3, **options):
            super().__init__(rows, width, **options)

    assert known_options(Sizes) == {}
    assert set(known_options(Own)) == {
        "theta",
        "steps",
        "address",
        "strength",
        "gamma",
        "normalise",
        "trainable",
        "noise",
        "maps",
    }
    assert completed(Own, {"theta": "any", "gamma": 1})["gamma"] == 1.0
    with pytest.raises(MethodError, match="got steps='3'"):
        completed(Own, {"steps": "3"})


def test_options_are_saved_with_the_adapter(tiny, tmp_path):
    MemoryModel(tiny, "gated+branch", write={"trainable": True}, read={"heads": 4}).save_pretrained(
        tmp_path
    )
    again = MemoryModel.from_pretrained(tmp_path, tiny)
    assert again.write_rule.trainable
    assert again.read.attend.heads == 4


def test_m1_as_run_is_m3(tiny, talk, questions):
    """The paper's shortcut for the encoder prefix is the same function as its KV extension."""
    first, third, real = (make(tiny, name) for name in ("m1_as_run", "m3", "m1"))
    assert first.write_rule.state_dict().keys() == third.write_rule.state_dict().keys()
    found, expected, prefix = (
        logits(m, m.write(m.new_bank(), talk), questions) for m in (first, third, real)
    )
    assert torch.equal(found, expected)
    apart(prefix, expected)


@pytest.mark.parametrize("name", ["m2", "m5"])
def test_as_run_reads_once_with_the_latents_in_place_of_the_states(tiny, talk, questions, name):
    model, real = make(tiny, f"{name}_as_run"), make(tiny, name)
    bank = model.write(model.new_bank(), talk)
    inputs, start = tiny.inputs([f"question: {questions[0]}"]), torch.tensor([[0, 40, 41]])
    with torch.no_grad():
        z = tiny.model.encoder(**inputs).last_hidden_state
        look = model.read.inner.attend
        rows = bank.state.rows
        share = (z @ look.w_q[0] @ (rows @ look.w_k[0]).transpose(1, 2) / tiny.width**0.5).softmax(
            -1
        )
        said = share @ rows @ look.w_v[0]
        if name == "m2":
            said = model.read.inner.beta.mean() * said @ model.read.inner.w_o[0]
        else:
            gate = torch.cat([z, said], 2) @ model.read.inner.w_g[0] + model.read.inner.b_g[0]
            said = gate.sigmoid() * said
        both = torch.cat([z, said], 1)
        expected = tiny.model(encoder_outputs=(both,), decoder_input_ids=start).logits
        with model.attached(bank):
            found = tiny.model(**inputs, decoder_input_ids=start).logits
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    hooked = logits(real, real.write(real.new_bank(), talk), questions)
    apart(logits(model, bank, questions), hooked)


def test_the_table_on_the_command_line():
    out = CliRunner().invoke(app, ["methods", "--shape", "flan-t5-xl", "--json"])
    rows = {row["method"]: row for row in json.loads(out.stdout)["methods"]}
    assert rows["slots+extension"]["trainable"] == 4_194_304
    plain = CliRunner().invoke(app, ["methods", "--grid"], env={"COLUMNS": "160"}).stdout
    assert all(m.name in plain for m in methods.grid())
    bad = CliRunner().invoke(app, ["methods", "--shape", "flan-t5-huge"])
    assert isinstance(bad.exception, MethodError)


@pytest.mark.parametrize("method", ["m1_as_run", "m2_as_run", "m5_as_run", "m4"])
def test_maps_as_in_the_released_code(tiny, method):
    """PyTorch's Linear: uniform within 1 / sqrt(D), standard deviation 0.577 / sqrt(D); by default N(0, 1 / D)."""
    read = {"maps": "linear"} if method in ("m2_as_run", "m5_as_run") else {}
    released = MemoryModel(tiny, method, write={"maps": "linear"}, read=read)
    ours = MemoryModel(tiny, method)
    linear = torch.nn.Linear(tiny.width, 4096).weight
    maps = [name for name, w in ours.named_parameters() if w.ndim == 3 and ".inner" in name]
    for name in ["write_rule.w_k", "write_rule.w_v", *maps]:
        drawn, normal = (dict(m.state_dict())[name].flatten(0, -2) for m in (released, ours))
        inputs = dict(ours.state_dict())[name].shape[-2]
        assert drawn.abs().max() <= inputs**-0.5
        assert drawn.std().item() == pytest.approx((3 * inputs) ** -0.5, rel=0.05)
        assert normal.std().item() == pytest.approx(inputs**-0.5, rel=0.05)
    assert linear.std().item() == pytest.approx((3 * tiny.width) ** -0.5, rel=0.05)
    assert released.owner != ours.owner


def test_a_hebbian_bank_may_start_from_noise(tiny, talk):
    zeros, noise = MemoryModel(tiny, "m4"), MemoryModel(tiny, "m4", write={"noise": 0.02})
    assert not zeros.write_rule.p0.any()
    assert noise.write_rule.p0.std().item() == pytest.approx(0.02, rel=0.05)
    assert torch.equal(
        MemoryModel(tiny, "m4", write={"noise": 0.0}).write_rule.w_k, zeros.write_rule.w_k
    )
    plain = MemoryModel(tiny, "m4", write={"noise": 0.02, "normalise": False})
    bank = plain.write(plain.new_bank(), talk)
    with pytest.raises(MethodError, match="noise=0"):
        bank.merge(bank, plain.write_rule)
