"""What tests share: a model whose bank changes the logits, logits with and without it, tolerances, a call of the command line."""

import sys

import pytest
import torch

from lmem import cli
from lmem.errors import LmemError
from lmem.memory.model import MemoryModel

TARGET = "Cedar-Bay"


def make(backbone, method, seed=3, write=None):
    """A model with a small bank, and weights of the read that are not at their start; it tells what it chooses."""
    read = {"threshold": 2.0} if method in ("spans", "spans+copying") else None
    return away(MemoryModel(backbone, method, scale=0.5, seed=seed, write=write, read=read))


def away(model, seed=0):
    """Draw the read's weights, so large that a bank changes the logits; returns the model."""
    torch.manual_seed(seed)
    # what a clamped matrix recalls is small
    scale = 5.0 if model.method.write == "hebbian" else 1.0
    with torch.no_grad():
        for weight in model.read.parameters():
            drawn = torch.randn_like(weight) / weight.shape[-1] ** 0.5 if weight.ndim > 1 else 1.0
            weight.copy_(scale * drawn)
    return model


def untried(chapter, tried):
    """Which of a chapter's checks are not among the names that a test tries, as sentences; `chapter` is a module of lmem.exercises."""
    module = chapter.__name__.rpartition(".")[2]
    checks = [name for name, value in vars(chapter).items() if hasattr(value, "__wrapped__")]
    return [f"{module}.{name} has no variants" for name in checks if name not in tried]


def logits(model, bank, questions, ablate=None, of=None, **options):
    backbone = model.backbone
    inputs = backbone.inputs([f"question: {q}" for q in questions])
    labels = backbone.labels([TARGET] * len(questions))
    with torch.no_grad(), model.attached(bank, ablate, of=of):
        return backbone.model(**inputs, labels=labels, **options).logits.float()


def bare(model, questions):
    backbone = model.backbone
    inputs = backbone.inputs([f"question: {q}" for q in questions])
    labels = backbone.labels([TARGET] * len(questions))
    with torch.no_grad():
        return backbone.model(**inputs, labels=labels).logits.float()


def coarse(model):
    """True for a backbone in bfloat16."""
    return model.backbone.dtype == torch.bfloat16


def close(model, actual, expected):
    """Assert that they are equal within the rounding of the backbone's precision."""
    atol = 0.04 * expected.abs().max().item() if coarse(model) else 1e-3
    rtol = 1e-2 if coarse(model) else 1e-4
    torch.testing.assert_close(actual, expected, atol=atol, rtol=rtol)


def nearer(actual, expected, wrong):
    """Assert that they are far nearer to what is expected than to what another bank gives, in any precision."""
    assert (actual - expected).norm() < 0.25 * (actual - wrong).norm()


def apart(actual, reference):
    """Assert that some logit differs by more than 1e-2."""
    assert (actual - reference).abs().max() > 1e-2


def changed(bank, before):
    """Assert that the banks differ by more than a ten-thousandth of their size."""
    assert bank.diff(before).norm() > 1e-4 * before.state.rows.norm()


def by_hand(backbone, question):
    """Inputs of one question, and the first tokens of a decoder."""
    return backbone.inputs([f"question: {question}"]), torch.tensor([[0, 40, 41]])


def lmem(capsys, *arguments):
    """(exit code, output, errors) of a call in this process."""
    sys.argv = ["lmem", *map(str, arguments)]
    with pytest.raises(SystemExit) as stop:
        cli.main()
    captured = capsys.readouterr()
    return stop.value.code or 0, captured.out, captured.err


def outcome(action):
    """Return what an action returns, or the LmemError that it raises, with its message of one line."""
    try:
        return action()
    except LmemError as error:
        return error if "\n" not in str(error) else AssertionError(f"more than a line: {error}")
