"""Shipped results in the form that an evaluation on LoCoMo has: for notebooks that must not depend on tinyworld's."""

from lmem.evaluation import results
from lmem.evaluation.summary import resummarise

CONVERSATIONS = ("conv-48", "conv-49", "conv-50")
load = results.load


def reshaped(result):
    """A result without twins, of three conversations, five categories and longer lags; its scores are the old ones."""
    rows = []
    for i, row in enumerate(result["questions"]):
        row = {key: value for key, value in row.items() if key != "twin"}
        row |= {"conversation": CONVERSATIONS[i % 3], "kind": None, "held_out": []}
        row |= {"category": 1 + i % 4 if row["answerable"] else 5}
        row |= {"lag": None if row["lag"] is None else 8 * row["lag"]}
        for name, scores in row.items():
            if isinstance(scores, dict):
                official = scores["f1"] if row["answerable"] else float(i % 2)
                row[name] = {**scores, "locomo": official}
        rows.append(row)
    new = {**result, "questions": rows, "data": "locomo"}
    return {**new, "summary": resummarise(new)}


def patch():
    """Let `results.load` give such results in place of the shipped ones on tinyworld."""

    def load_reshaped(name):
        result = load(name)
        asked = str(name).startswith("tinyworld/") and isinstance(result.get("questions"), list)
        return reshaped(result) if asked else result

    results.load = load_reshaped
