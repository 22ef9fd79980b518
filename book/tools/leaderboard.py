"""The leaderboards of chapter 17, judged again with the writes that the chapter shows.

python book/tools/leaderboard.py 60     results/capstone/leaderboard.json
python book/tools/leaderboard.py 240    results/capstone/leaderboard-240.json
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

from lmem.data import splits  # noqa: E402
from lmem.evaluation import results  # noqa: E402
from lmem.exercises import capstone  # noqa: E402
from lmem.utils import provenance  # noqa: E402

CHAPTER = ROOT / "notebooks" / "17_build_your_own_method.ipynb"
CONVERSATIONS = 12
BOARDS = {  # turns of a conversation: file, {name: (class in the chapter, its options)}
    60: ("leaderboard", {"recent": (None, {}), "novel": ("MyWrite", {"theta": 0.9})}),
    240: (
        "leaderboard-240",
        {
            "novel_085": ("MyWrite", {"theta": 0.85}),
            "reservoir": ("Reservoir", {}),
            "novel": ("MyWrite", {"theta": 0.9}),
            "recent": (None, {}),
        },
    ),
}


def shown_class(name):
    """A write as the chapter's solutions have it, in a code cell or between code fences."""
    for cell in json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if f"class {name}" not in text or "Solution of 17" not in text:
            continue
        source = re.search(r"```python\n(.*?)```", text, re.S)
        space = {}
        exec((source[1] if source else text).partition("\nprint(")[0], space)
        return space[name]
    raise SystemExit(f"expected a class {name} in a solution of {CHAPTER.name}, found none")


def main(turns=""):
    if turns not in map(str, BOARDS):
        print(__doc__)
        return 2
    file, methods = BOARDS[int(turns)]
    data = splits.for_testing("tinyworld", CONVERSATIONS, int(turns), 7)
    rows = []
    for name, (source, options) in methods.items():
        if source:
            capstone.register(name, shown_class(source))
        row = capstone.judge(name, data, write=options)
        rows.append(row | {"data": splits.label("tinyworld", int(turns))})
        print(f"{name}: {' '.join(row['said'])}", flush=True)
    board = {"backbone": "nano", "versions": provenance.versions(), "rows": rows}
    results.save(board, ROOT / "results" / "capstone" / f"{file}.json")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
