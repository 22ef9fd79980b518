"""The suite itself is tested: every planted bug turns it red, and without one it is green."""

import inspect

import pytest
import test_invariants
import test_sites
import test_write
import torch
from _pytest.outcomes import Skipped
from helpers import make

from lmem.backbone import hooks, sites
from lmem.memory.bank import State
from lmem.memory.read.branch import BranchRead
from lmem.memory.write.attention import AttentionWrite
from lmem.memory.write.base import Write
from lmem.memory.write.slots import SlotWrite

BY_HAND = {
    "m1": (test_sites.test_prefix_by_hand, {}),
    "m2": (test_sites.test_branch_by_hand, {"method": "m2", "options": {}}),
    "m3": (test_sites.test_extension_by_hand, {"name": "tiny"}),
}


def failing(method, request, talk, questions):
    """Names of the suite's tests that fail for this method on the small backbone."""
    known = {"talk": talk, "questions": questions, "request": request}
    known |= {name: request.getfixturevalue(name) for name in ("tiny", "nano", "flan")}
    model = make(known["tiny"], method)
    checks = [
        (check, {"model": model})
        for name, check in vars(test_invariants).items()
        if name.startswith("test_")
    ]
    checks += [BY_HAND[method]] if method in BY_HAND else []
    checks.append(
        (test_write.test_equals_the_equation_in_numpy, {"name": model.method.write, "options": {}})
    )
    red = []
    for check, given in checks:
        wanted = inspect.signature(check).parameters
        try:
            check(**{k: v for k, v in (known | given).items() if k in wanted})
        except Skipped:
            pass
        except Exception:
            red.append(check.__name__)
    return red


# ---- ten bugs ---------------------------------------------------------------------------------------


def mask_ignored(patch):
    joined = hooks.join_masks
    patch.setattr(hooks, "join_masks", lambda a, b, states: torch.ones_like(joined(a, b, states)))


def padding_written(patch):
    forward = Write.forward
    patch.setattr(
        Write, "forward", lambda self, s, z, mask: forward(self, s, z, torch.ones_like(mask))
    )


def beta_negated(patch):
    forward = BranchRead.forward
    patch.setattr(BranchRead, "forward", lambda self, *a, **k: -forward(self, *a, **k))


def hook_on_self_attention(patch):
    wrong = sites.SITES["t5"]["decoder_layer"]._replace(path="decoder.block.*.layer.0")
    patch.setitem(sites.SITES["t5"], "decoder_layer", wrong)


def decay_twice(patch):
    update = AttentionWrite.update

    def twice(self, state, latents, mask):
        return update(self, state._replace(rows=self.gamma * state.rows), latents, mask)

    patch.setattr(AttentionWrite, "update", twice)


def bank_of_the_neighbour(patch):
    spread = hooks.spread

    def next_one(*args):
        return spread(*args).roll(1, 0)

    patch.setattr(hooks, "spread", next_one)


def prefix_not_dropped(patch):
    patch.setattr(hooks.Attachment, "drop", lambda self, module, args, output: output)


def stale_mask(patch):
    joined, kept = hooks.join_masks, {}

    def first_of_this_shape(first, second, states):
        mask = joined(first, second, states)
        return kept.setdefault(tuple(mask.shape), mask)

    patch.setattr(hooks, "join_masks", first_of_this_shape)


def one_slot_too_many(patch):
    choose = SlotWrite.choose

    def more(self, rows, latents, mask):
        mean, scores, _ = choose(self, rows, latents, mask)
        return mean, scores, scores.argsort(dim=1, descending=True, stable=True)[:, : self.k + 1]

    patch.setattr(SlotWrite, "choose", more)


def written_in_place(patch):
    forward = Write.forward

    def over(self, state, latents, mask):
        new = forward(self, state, latents, mask)
        with torch.no_grad():
            state.rows.copy_(new.rows)
        return State(state.rows, *new[1:])

    patch.setattr(Write, "forward", over)


BUGS = [
    (mask_ignored, "m3"), (padding_written, "m4"), (beta_negated, "m2"), (hook_on_self_attention, "m2"),
    (decay_twice, "m3"), (bank_of_the_neighbour, "m5"), (prefix_not_dropped, "m1"), (stale_mask, "m3"),
    (one_slot_too_many, "m6"), (written_in_place, "m3"),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "method"), BUGS, ids=[plant.__name__ for plant, _ in BUGS])
def test_a_planted_bug_turns_the_suite_red(plant, method, request, talk, questions):
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        assert failing(method, request, talk, questions)


@pytest.mark.parametrize("method", sorted({method for _, method in BUGS}))
def test_without_a_bug_it_is_green(method, request, talk, questions):
    assert failing(method, request, talk, questions) == []
