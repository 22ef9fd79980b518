"""What tests share: a memory whose bank is seen, logits with and without it, how close is equal; a call of the command line."""

import sys

import pytest
import torch

from lmem import cli
from lmem.memory.model import MemoryModel

TARGET = "Cedar-Bay"


def make(backbone, method, seed=3):
    """A small bank, and the read's weights drawn away from their start."""
    return away(MemoryModel(backbone, method, scale=0.5, seed=seed))


def away(model, seed=0):
    """The read's weights drawn anew, so large that a bank is seen in the logits."""
    torch.manual_seed(seed)
    scale = (
        5.0 if model.method.write == "hebbian" else 1.0
    )  # what a clamped matrix recalls is small
    with torch.no_grad():
        for weight in model.read.parameters():
            drawn = torch.randn_like(weight) / weight.shape[-1] ** 0.5 if weight.ndim > 1 else 1.0
            weight.copy_(scale * drawn)
    return model


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


def close(model, found, expected):
    """Equal within the rounding of the backbone's type."""
    coarse = model.backbone.dtype == torch.bfloat16
    atol = 0.04 * expected.abs().max().item() if coarse else 1e-3
    torch.testing.assert_close(found, expected, atol=atol, rtol=1e-2 if coarse else 1e-4)


def nearer(found, expected, other):
    """Far nearer to what is expected than to what another bank gives, also where rounding is coarse."""
    assert (found - expected).norm() < 0.25 * (found - other).norm()


def apart(found, expected):
    """Some logit differs by more than 1e-2."""
    assert (found - expected).abs().max() > 1e-2


def changed(bank, other):
    """The banks differ by more than a ten-thousandth of their size."""
    assert bank.diff(other).norm() > 1e-4 * other.state.rows.norm()


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
