"""Bugs are planted in the package, and the test that is meant to find each one must fail by an assertion.

A plant changes one line of a module. The changed code must run: a TypeError or another crash does not count as found.
"""

import functools
import inspect
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

import pytest
import test_bank
import test_contexts
import test_invariants
import test_sites
import test_write
from helpers import make

from lmem.backbone import context, hooks, sites
from lmem.backbone.backbone import load_backbone
from lmem.memory.read import attend, branch, gated_branch
from lmem.memory.write import attention, base, hebbian, keyed, recent, slots
from lmem.utils import digest

ASSERTS = (AssertionError, pytest.fail.Exception)  # pytest.raises fails with the second


class Plant(NamedTuple):
    """A bug: what is written in a module, what the bug writes, and the test that must find it with these arguments."""

    bug: str
    module: ModuleType
    right: str
    wrong: str
    test: object
    arguments: dict


M3 = {"method": "m3"}
ATTENTION = {"name": "attention", "options": {}}
HEBBIAN = {"name": "hebbian", "options": {}}
PLANTS = [
    Plant(
        "all masks are ones",
        hooks,
        "mask.long()",
        "torch.ones_like(mask.long())",
        test_invariants.test_one_bank_per_row,
        M3,
    ),
    Plant(
        "padding is written",
        base,
        "mask = mask.bool()",
        "mask = mask.bool() | True",
        test_write.test_padding_is_never_written,
        {"name": "hebbian"},
    ),
    Plant(
        "beta is negated",
        branch,
        "return self.beta[layer]",
        "return -self.beta[layer]",
        test_sites.test_branch_by_hand,
        {"method": "m2", "options": {}, "name": "tiny"},
    ),
    Plant(
        "the branch hooks self-attention",
        sites,
        "layer.get_submodule(tail)",
        'layer.get_submodule(tail.replace("1", "0"))',
        test_sites.test_branch_by_hand,
        {"method": "m2", "options": {}, "name": "tiny"},
    ),
    Plant(
        "decay twice",
        attention,
        "self.gamma * state.rows",
        "self.gamma**2 * state.rows",
        test_write.test_equals_the_equation_in_numpy,
        ATTENTION,
    ),
    Plant(
        "bank of the neighbour",
        hooks,
        ".shape[1:])",
        ".shape[1:]).roll(1, 0)",
        test_invariants.test_one_bank_per_row,
        {"method": "m5"},
    ),
    Plant(
        "the prefix is dropped at the wrong end",
        hooks,
        "output.last_hidden_state[:, self.calls.length :]",
        "output.last_hidden_state[:, : -self.calls.length]",
        test_sites.test_prefix_by_hand,
        {"name": "tiny", "length": None},
    ),
    Plant(
        "the mask of an earlier bank",
        hooks,
        '["encoder_attention_mask"] = join_masks(seen, mask, states)',
        '["encoder_attention_mask"] = join_masks(seen, self.read.__dict__.setdefault("stale", mask), states)',
        test_invariants.test_an_empty_bank_is_no_memory,
        M3,
    ),
    Plant(
        "one slot too many",
        slots,
        "[:, : self.k]",
        "[:, : self.k + 1]",
        test_write.test_equals_the_equation_in_numpy,
        {"name": "slots", "options": {}},
    ),
    Plant(
        "decay in place",
        attention,
        "self.gamma * state.rows",
        "state.rows.mul_(self.gamma)",
        test_invariants.test_writes_return_new_banks,
        M3,
    ),
    Plant(
        "scores are scaled by the width of all heads",
        attend,
        ".shape[-1] ** 0.5",
        ".shape[-1] ** 0.5 / self.heads**0.5",
        test_sites.test_branch_by_hand,
        {"method": "m2", "options": {"raw": True, "heads": 4}, "name": "tiny"},
    ),
    Plant(
        "`written` is one too large",
        base,
        "return state.turns[:, None].expand",
        "return state.turns[:, None].add(1).expand",
        test_write.test_equals_the_equation_in_numpy,
        ATTENTION,
    ),
    Plant(
        "beams in another order",
        hooks,
        "repeat_interleave(times)",
        "repeat(times)",
        test_invariants.test_beams_read_the_bank_of_their_row,
        M3,
    ),
    Plant(
        "decay after the write",
        hebbian,
        "self.gamma * state.rows + keys.transpose(1, 2) @ values / tokens",
        "self.gamma * (state.rows + keys.transpose(1, 2) @ values / tokens)",
        test_write.test_equals_the_equation_in_numpy,
        HEBBIAN,
    ),
    Plant(
        "the mask of the third bank is inverted",
        base,
        "return (state.turns > 0)[:, None]",
        "return ((state.turns > 0) ^ (torch.arange(len(state.turns)) == 2))[:, None]",
        test_invariants.test_one_bank_per_row,
        M3,
    ),
    Plant(
        "the digest leaves out a tensor",
        digest,
        "sorted(tensors.items())",
        "sorted(tensors.items())[:-1]",
        test_bank.test_what_is_no_bank_is_refused,
        {"damage": "one turn"},
    ),
    Plant(
        "no gradient to the latents",
        base,
        "latents.to(state.rows.dtype)",
        "latents.detach().to(state.rows.dtype)",
        test_invariants.test_writes_carry_gradient_until_it_is_cut,
        M3,
    ),
    Plant(
        "one hook is left behind",
        context,
        "for handle in self._handles:",
        "for handle in self._handles[:-1]:",
        test_contexts.test_two_models_on_one_backbone_at_once,
        {},
    ),
    Plant(
        "the oldest tokens stay",
        recent,
        "[:, -self.rows :]",
        "[:, : self.rows]",
        test_write.test_equals_the_equation_in_numpy,
        {"name": "recent", "options": {}},
    ),
    Plant(
        "the newest row is given up",
        keyed,
        "written.argmin(1)",
        "written.argmax(1)",
        test_write.test_keyed_gives_up_the_oldest_row_when_none_is_free,
        {},
    ),
    Plant(
        "all layers read with the first one's keys",
        gated_branch,
        "keys(rows, layer % self.sets)",
        "keys(rows, 0)",
        test_sites.test_branch_by_hand,
        {"method": "m5", "options": {"shared": False}, "name": "tiny"},
    ),
]


def functions(code):
    """Return {qualified name: code} of the functions in a module's code, without those inside functions."""
    inner = [part for part in code.co_consts if isinstance(part, CodeType)]
    named = {part.co_qualname: part for part in inner if part.co_flags & inspect.CO_OPTIMIZED}
    for part in inner:
        if not part.co_flags & inspect.CO_OPTIMIZED:  # the body of a class
            named |= functions(part)
    return named


def put(plant, patch):
    """Give the one function that contains the line the code with the bug, wherever it was imported."""
    source = inspect.getsource(plant.module)
    assert source.count(plant.right) == 1, f"{plant.module.__name__} has no line {plant.right!r}"
    before, after = (
        functions(compile(text, plant.module.__file__, "exec"))
        for text in (source, source.replace(plant.right, plant.wrong))
    )
    [name] = [name for name in before if before[name] != after[name]]
    function = functools.reduce(getattr, name.split("."), plant.module)
    patch.setattr(inspect.unwrap(function), "__code__", after[name])


@pytest.mark.parametrize("plant", PLANTS, ids=[plant.bug for plant in PLANTS])
def test_a_bug_is_found_by_the_test_that_is_meant_to_find_it(
    plant, request, tiny_folder, talk, questions, tmp_path
):
    tiny = load_backbone(tiny_folder)  # one that a bug may spoil
    given = {"tiny": tiny, "talk": talk, "questions": questions, "request": request}
    wanted = inspect.signature(plant.test).parameters

    def run(folder):
        folder.mkdir()
        model = make(tiny, plant.arguments.get("method", "recent+extension"))
        bank = model.write(model.new_bank(), talk)
        known = given | {"model": model, "bank": bank, "tmp_path": folder} | plant.arguments
        plant.test(**{name: value for name, value in known.items() if name in wanted})

    run(tmp_path / "without")
    with pytest.MonkeyPatch.context() as patch:
        put(plant, patch)
        with pytest.raises(ASSERTS) as failure:
            run(tmp_path / "with")
    where = Path(str(failure.traceback[-1].path))
    assert (
        where.parent == Path(__file__).parent or "testing" in str(where) or "_pytest" in str(where)
    )
