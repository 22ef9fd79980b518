"""The page of the ladder, made from the files under results/beyond: no number on it is typed by hand.

python book/tools/ladder_page.py write    make book/ladder.md anew
python book/tools/ladder_page.py check    say whether it is what the files say
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "book" / "ladder.md"
sys.path[:0] = [str(ROOT / "book" / "tools")]

from results_page import table, write_or_check  # noqa: E402

from lmem.analysis.retrieval_errors import STAGES, error_stage  # noqa: E402
from lmem.evaluation import results  # noqa: E402
from lmem.experiments.ablation import RUNGS, TOP, gain  # noqa: E402

HEAD = """\
# The ladder, and what did not work

% Made by book/tools/ladder_page.py from the files under results/beyond. Do not edit it: make it anew.

What it takes, step by step, until a bank of constant size holds what was said 600 turns ago. Chapter 14 climbs it; this page
has the numbers. All are of `nano`, frozen, on held-out tinyworld conversations; what is trained saw conversations of at most 100 turns.
The memory score is the exact match with the right bank minus that with the twin's bank, in points, with its 95% interval over
conversations, seeds averaged question by question. A bank of 1x holds as many numbers as 64 rows of the backbone's width, one of 10x
as many as 640."""
FAR = 256


def load(root):
    """{cell: [results of its seeds]}; a cell is a rung, a scale and a test."""
    found = {}
    for path in sorted((root / "beyond").glob("*.json.gz")):
        found.setdefault(path.name.rpartition("-s")[0], []).append(results.load(path))
    return found


def said(found, signs=True):
    if found is None:
        return ""
    ends = "" if found["low"] is None else f" [{100 * found['low']:.1f}, {100 * found['high']:.1f}]"
    return f"{100 * found['mean']:.1f}" + (ends if signs else "")


def far(row):
    return row["lag"] is not None and row["lag"] >= FAR


def rungs(cells):
    rows = []
    for rung in RUNGS:
        change = rung.change
        for scale in (1, 10):
            seeds = cells.get(f"{rung.name}-{scale}x")
            if not seeds:
                continue
            learned = [seed["training"] for seed in seeds if "parameters" in seed["training"]]
            cost = (
                f"{learned[0]['parameters']:,}; {np.median([t['seconds'] for t in learned]):.0f} s"
                if learned
                else "shipped"
            )
            rows.append(
                {
                    "rung": f"`{rung.name}`", "what is new": change, "bank": f"{scale}x", "seeds": len(seeds),
                    "memory score": said(gain(seeds)), f"{FAR} turns back or more": said(gain(seeds, far)),
                    "trained; time": cost,
                }
            )  # fmt: skip
            change = ""  # said once
    return "## The rungs\n\n" + table(rows)


def goals(cells):
    """What was asked of the last rung, and what it does: rows and how many are reached."""
    one, ten = cells["keyed-1x"], cells["keyed-10x"]
    asked = [
        ("10x, all questions", gain(ten), 0.9),
        (f"10x, {FAR} turns back or more", gain(ten, far), 0.9),
        ("1x, all questions", gain(one), 0.6),
        ("10x, overwritten facts: the newest value", gain(ten, lambda r: r["kind"] == "updated", worse=None), 0.9),
    ]  # fmt: skip
    return [
        {
            "asked": what, "aim": f"{100 * aim:.0f}", "measured": said(found), "questions": found["n"],
            "reached": "yes" if found["mean"] >= aim else "no",
        }
        for what, found, aim in asked
    ]  # fmt: skip


KINDS = {
    "nothing held out": lambda r: not r["held_out"],
    "a held-out name": lambda r: "name" in r["held_out"] and "phrasing" not in r["held_out"],
    "a held-out relation": lambda r: "relation" in r["held_out"] and "phrasing" not in r["held_out"],
    "a held-out phrasing": lambda r: "phrasing" in r["held_out"],
    "one fact, told once": lambda r: r["kind"] == "single",
    "an overwritten fact": lambda r: r["kind"] == "updated",
    "two hops": lambda r: r["kind"] == "two-hop",
}  # fmt: skip


def apart(cells):
    rows = []
    for what, keep in KINDS.items():
        found = {scale: gain(cells[f"keyed-{scale}x"], keep) for scale in (1, 10)}
        rows.append(
            {
                "questions with": what,
                "n": found[1]["n"],
                "1x": said(found[1]),
                "10x": said(found[10]),
            }
        )
    return "## Apart\n\nThe last rung, by what a question needs.\n\n" + table(rows)


def tests(cells):
    names = {
        "": "600 turns, asked at the end",
        "-cut": "asked at a random turn of the last three quarters of 600",
        "-2000": "2,000 turns",
    }
    rows = []
    for mark, what in names.items():
        for scale in (1, 10):
            seeds = cells.get(f"keyed-{scale}x{mark}")
            if seeds:
                rows.append(
                    {
                        "test": what, "bank": f"{scale}x", "seeds": len(seeds), "memory score": said(gain(seeds)),
                        "rough": said(gain(seeds, better="rough", worse="twin")),
                        "right": said(gain(seeds, worse=None), False), "no bank": said(gain(seeds, better="none", worse=None), False),
                        "null rows": said(gain(seeds, better="null_rows", worse=None), False),
                        "BM25": said(gain(seeds, better="bm25", worse=None), False),
                        "last k": said(gain(seeds, better="last_k", worse=None), False),
                        "oracle": said(gain(seeds, better="oracle", worse=None), False),
                    }
                )  # fmt: skip
    budget = cells["keyed-10x"][0]["settings"].get("budget", 384)
    return (
        "## Longer, cut short, rough, and beside text\n\n*Rough*: the bank stored in bfloat16 with noise of 1% of each row's norm, minus the "
        f"twin's bank. The last three columns have no bank: turns stand in the input's text, within {budget} tokens.\n\n"
        + table(rows)
    )


def where(cells):
    """Where the last rung loses its answers, from `lmem lost`."""
    parts, groups = [], {"all": lambda r: True} | KINDS
    for scale in (10, 1):
        for result in cells.get(f"lost-{scale}x", [])[:1]:
            asked = result["questions"]
            rows = []
            for what, keep in groups.items():
                kept = [row for row in asked if keep(row)]
                share = Counter(map(error_stage, kept))
                rows.append(
                    {"questions with": what, "n": len(kept)}
                    | {name: f"{100 * share[name] / len(kept):.1f}" for name in STAGES}
                )
            first, four = (
                [r for r in asked if r["place"] is not None and r["place"] < n] for n in (1, 4)
            )
            right = sum(r["em"] for r in first) / len(first)
            parts += [
                table(rows),
                f"At {scale}x the row that holds the answer comes first for {100 * len(first) / len(asked):.1f} percent of the questions, and among "
                f"the first four for {100 * len(four) / len(asked):.1f}. Where it comes first, {100 * right:.1f} percent are answered right.",
            ]  # fmt: skip
    if not parts:
        return "## Where it stops\n\nNot run yet."
    return "\n\n".join(
        [
            "## Where it stops",
            "The shipped adapter (the first seed), 600 turns, in percent of the questions: which step loses the answer. A question of two hops is judged "
            "by its second. At 1x there are fewer rows than facts, so that most rows that are gone were taken by later facts.",
            *parts,
            "Made by `lmem lost --scale 10 --out results/beyond/lost-10x-s0.json.gz`, and likewise at 1x.",
        ]
    )


def failures(cells):
    """Rungs that did not remember, and changes that did not help; each from its files."""
    lines, before = [], {}
    for rung in RUNGS:
        for scale in (1, 10):
            seeds = cells.get(f"{rung.name}-{scale}x")
            if not seeds:
                continue
            found = gain(seeds)
            if found["high"] is not None and found["high"] < 0.02 and found["low"] <= 0:
                lines.append(
                    f"- `{rung.name}` at {scale}x ({rung.change}): {said(found)} points. No memory that this test can see."
                )
            elif scale in before and found["mean"] < before[scale][1]["mean"] - 0.005:
                name, other = before[scale]
                lines.append(
                    f"- `{rung.name}` at {scale}x ({rung.change}): {said(found)} points, after {said(other)} of `{name}`. This change costs more than it brings there."
                )
            if scale not in before or before[scale][0] != TOP.name:  # later ones: beside the top
                before[scale] = rung.name, found
    parts = apart_gap(cells)
    return "## What did not work\n\n" + "\n".join([*lines, parts])


def apart_gap(cells):
    known = gain(cells["keyed-10x"], lambda r: not r["held_out"])
    new = gain(cells["keyed-10x"], lambda r: "phrasing" in r["held_out"])
    read = gain(cells["keyed-10x"], lambda r: "phrasing" in r["held_out"], "oracle", None)
    return (
        f"- Phrasings that no adapter has seen: {said(new)} points at 10x, beside {said(known)} where nothing was held out. A key is learned from three "
        "ways of telling a relation and two of asking for it, and does not carry over whole to a fourth and a third. With the evidence in its input "
        f"the same backbone answers {said(read)} percent of these questions, so most of what is missing is in the key."
    )  # fmt: skip


def page(root):
    """The text of book/ladder.md, from the result files below `root`."""
    cells = load(root)
    reached = goals(cells)
    parts = [
        HEAD, rungs(cells), "## What was aimed at\n\n" + table(reached), apart(cells), where(cells), tests(cells), failures(cells),
        "Made by `lmem ladder --out results/beyond`.",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def main(verb=""):
    return write_or_check(verb, page, PAGE, __doc__)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
