"""The page of the ablation ladder, made from the files under results/beyond: no number on it is typed by hand.

python book/tools/ladder_page.py write    make book/ladder.md
python book/tools/ladder_page.py check    say whether it is what the files say
"""

import sys
from collections import Counter
from pathlib import Path

from page_numbers import said, write_or_check
from results_page import figure, table

from lmem.analysis.retrieval_errors import STAGES, error_stage
from lmem.evaluation import results
from lmem.evaluation.summary import difference, verdicts
from lmem.evaluation.tables import percent
from lmem.experiments.ablation import FINAL, STEPS
from lmem.experiments.aggregate import group_by_seed, mean_gain, question_scores
from lmem.viz import score_plots

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "book" / "ladder.md"

FAR = 256
SCALES = (1, 10)


def load(root):
    """{cell: [results of its seeds]}; a cell is a step, a scale and a test."""
    groups = group_by_seed(sorted((root / "beyond").glob("*.json.gz")))
    return {group.name: list(map(results.load, files.values())) for group, files in groups.items()}


def is_far(row):
    return row["lag"] is not None and row["lag"] >= FAR


def has_new_phrasing(row):
    return "phrasing" in row["held_out"]


def score(seeds, *args, **options):
    """A gain as text: "80.7 [78.0, 83.5] (G=10)"."""
    return percent(mean_gain(seeds, *args, **options))


def steps(cells):
    rows, bars = [], []
    for step in STEPS:
        scores = {}
        for scale in SCALES:
            seeds = cells.get(f"{step.name}-{scale}x", [])
            trained = [s["training"] for s in seeds if "parameters" in s["training"]]
            weights = f"{trained[0]['parameters']:,}" if trained else "shipped"
            row = {
                "step": f"`{step.name}`",
                "what is new": step.change if scale == SCALES[0] else "",
                "bank": f"{scale}x",
                "seeds": len(seeds),
            }
            if seeds:
                gain = mean_gain(seeds)
                scores[scale] = gain["mean"], gain["low"], gain["high"]
                row |= {
                    "memory score": score(seeds),
                    f"{FAR} turns back or more": score(seeds, is_far),
                }
                rows.append(row | {"weights trained": weights})
        bars += [(step.name, scores)] if scores else []
    chart = score_plots.ladder(bars, "Rows that are found by a key make the difference")
    return f"## The steps\n\n{figure(chart)}\n\n{table(rows)}"


def goals(cells):
    """What was asked of the final step, and what it does."""
    one, ten = cells["keyed-1x"], cells["keyed-10x"]
    updated = mean_gain(ten, lambda row: row["kind"] == "updated", worse=None)
    asked = [
        ("10x, all questions", 0.9, mean_gain(ten)),
        (f"10x, {FAR} turns back or more", 0.9, mean_gain(ten, is_far)),
        ("1x, all questions", 0.6, mean_gain(one)),
        ("10x, overwritten facts: the newest value", 0.9, updated),
    ]
    return [
        {
            "asked": what,
            "aim": f"{100 * aim:.0f}",
            "measured": percent(gain),
            "questions": gain["n"],
            "reached": "yes" if gain["mean"] >= aim else "no",
        }
        for what, aim, gain in asked
    ]


KINDS = {
    "nothing held out": lambda r: not r["held_out"],
    "a held-out name": lambda r: "name" in r["held_out"] and "phrasing" not in r["held_out"],
    "a held-out relation": lambda r: (
        "relation" in r["held_out"] and "phrasing" not in r["held_out"]
    ),
    "a held-out phrasing": lambda r: "phrasing" in r["held_out"],
    "one fact, told once": lambda r: r["kind"] == "single",
    "an overwritten fact": lambda r: r["kind"] == "updated",
    "two hops": lambda r: r["kind"] == "two-hop",
}


def by_kind(cells):
    rows = []
    for what, keep in KINDS.items():
        one, ten = (mean_gain(cells[f"keyed-{scale}x"], keep) for scale in SCALES)
        rows.append(
            {"questions with": what, "n": one["n"], "1x": percent(one), "10x": percent(ten)}
        )
    return "## Which questions are hard\n\nThe table is about the final step.\n\n" + table(rows)


def where(cells):
    """Where the final step loses its answers, from `lmem lost`."""
    parts = []
    for scale in (10, 1):
        questions, rows = cells[f"lost-{scale}x"][0]["questions"], []
        for what, keep in ({"all": lambda row: True} | KINDS).items():
            kept = [row for row in questions if keep(row)]
            counts = Counter(map(error_stage, kept))
            shares = {name: percent(counts[name] / len(kept)) for name in STAGES}
            rows.append({"questions with": what, "n": len(kept)} | shares)
        first, four = (
            [q for q in questions if q["place"] is not None and q["place"] < n] for n in (1, 4)
        )
        shares = {
            "first": percent(len(first) / len(questions)),
            "four": percent(len(four) / len(questions)),
            "right": percent(sum(q["em"] for q in first) / len(first)),
        }
        parts += [table(rows), said("ladder_where", scale=scale, **shares)]
    title = "## Where answers are lost"
    return "\n\n".join([title, said("ladder_lost"), *parts, said("ladder_made")])


def tests(cells):
    names = {
        "": "600 turns, asked at the end",
        "-cut": "asked at a random turn of the last three quarters of 600",
        "-2000": "2,000 turns",
    }
    columns = {
        "right": "right",
        "no bank": "none",
        "null rows": "null_rows",
        "BM25": "bm25",
        "last k": "last_k",
        "oracle": "oracle",
    }
    rows = []
    for suffix, what in names.items():
        for scale in SCALES:
            seeds = cells[f"keyed-{scale}x{suffix}"]
            row = {"test": what, "bank": f"{scale}x", "seeds": len(seeds)}
            row |= {"memory score": score(seeds), "rough": score(seeds, better="rough")}
            for column, condition in columns.items():
                row[column] = percent(mean_gain(seeds, better=condition, worse=None)["mean"])
            rows.append(row)
    budget = cells["keyed-10x"][0]["settings"].get("budget", 384)
    title = "## Longer conversations, rounded banks, and text"
    return "\n\n".join([title, said("ladder_tests", budget=budget), table(rows)])


def change(before, after):
    """The memory score of a step minus that of another, question by question, over the seeds that both have."""
    both = min(len(before), len(after))
    (rows, old), (_, new) = (question_scores(each[:both], worse="twin") for each in (before, after))
    return difference(rows, new - old, two_sided=True)


def failures(cells):
    """Steps that did not remember, and changes that did not help; each kind is one family for Holm's method."""
    gains, changes, previous = {}, {}, {}
    for step in STEPS:
        for scale in SCALES:
            seeds = cells.get(f"{step.name}-{scale}x")
            if not seeds:
                continue
            gains[step.name, scale] = mean_gain(seeds)
            before, base = previous.get(scale, (None, None))
            if before:
                changes[step.name, scale] = change(base, seeds)
            if before is not FINAL:  # later steps are compared with the final one
                previous[scale] = step, seeds
    none = named(cell for cell, verdict in verdicts(gains).items() if verdict == "not shown")
    worse = named(cell for cell, verdict in verdicts(changes).items() if verdict == "less")
    text = said("ladder_failures", n=len(gains), none=none, worse=worse)
    return "\n\n".join(["## What did not work", text, phrasings(cells["keyed-10x"])])


def named(cells):
    """The names of some steps at their scales: "`m2` at 1x, `m2` at 10x"."""
    return ", ".join(f"`{name}` at {scale}x" for name, scale in cells) or "none"


def phrasings(ten):
    """The sentences on phrasings."""
    known = mean_gain(ten, lambda row: not row["held_out"])
    new = mean_gain(ten, has_new_phrasing)
    read = mean_gain(ten, has_new_phrasing, "oracle", None)
    as_said = new["mean"] < min(known["mean"], read["mean"])
    shown = {"new": percent(new), "known": percent(known), "read": percent(read)}
    return said("ladder_phrasings", holds=as_said, **shown)


def page(root):
    """The text of book/ladder.md, from the result files below `root`."""
    cells = load(root)
    parts = [
        said("ladder"),
        steps(cells),
        "## Which goals were reached\n\n" + table(goals(cells)),
        by_kind(cells),
        where(cells),
        tests(cells),
        failures(cells),
        "Made by `lmem ladder --out results/beyond`.",
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check(page, PAGE, __doc__, *sys.argv[1:]))
