"""Run one cell of an experiment: train an adapter, evaluate it, write one result file."""

from pathlib import Path

from lmem.backbone.backbone import load_backbone
from lmem.data.splits import for_testing, for_training
from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.evaluate import EvalConfig, evaluate
from lmem.memory.model import MemoryModel
from lmem.training.train import TrainConfig, train


def trained_constant(folder, backbone):
    """The adapter that `lmem train --constant` left in a folder, on this backbone.

    raises  InputError if it was trained on banks that were written
    """
    about = Path(folder) / "training.json"
    if not about.is_file() or not results.load(about).get("settings", {}).get("constant"):
        raise InputError(f"expected an adapter from `lmem train --constant` in {folder}")
    return MemoryModel.from_pretrained(folder, backbone)


def demo(out, steps=120):
    """Train `recent` briefly on tinyworld, evaluate it beside its controls, write adapter and result into `out`."""
    out = Path(out)
    model = MemoryModel(load_backbone("nano"), "recent", scale=3, seed=42)
    report = train(
        model, for_training("tinyworld", 160, 12, 42)[0], TrainConfig(steps=steps, warmup=20)
    )
    result = evaluate(model, for_testing("tinyworld", 8, 24, 7), EvalConfig())
    model.save_pretrained(out / "adapter")
    results.save(result, out / "result.json")
    return {
        "out": str(out),
        "steps": steps,
        "loss": report["loss"],
        "summary": result["summary"],
    }
