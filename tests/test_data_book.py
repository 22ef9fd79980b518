"""The running conversation is the one that chapter 1 shows."""

import ast
import json
from pathlib import Path

from lmem.data.running_conversation import TALK

ROOT = Path(__file__).parents[1]


def test_it_is_chapter_1_s():
    text = (ROOT / "notebooks/01_a_model_that_forgets.ipynb").read_text(encoding="utf-8")
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        if "talk = [" in source:
            [found] = [
                node.value
                for node in ast.parse(source).body
                if isinstance(node, ast.Assign) and node.targets[0].id == "talk"
            ]
            assert tuple(ast.literal_eval(found)) == TALK
            return
    raise AssertionError("chapter 1 shows no talk")
