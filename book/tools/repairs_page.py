"""The page of the repaired methods, made from the files under results/repairs: no number on it is typed by hand.

python book/tools/repairs_page.py write    make book/repairs.md
python book/tools/repairs_page.py check    say whether it is what the files say
"""

import sys
from pathlib import Path

import plotly.graph_objects as go

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "book" / "repairs.md"
sys.path[:0] = [str(ROOT / "book" / "tools")]

from page_numbers import NumberError, said, write_or_check  # noqa: E402
from results_page import figure, table  # noqa: E402

from lmem.analysis.kept_facts import KeptConfig  # noqa: E402
from lmem.data import splits  # noqa: E402
from lmem.data.tinyworld.language import UNKNOWN  # noqa: E402
from lmem.evaluation import results  # noqa: E402
from lmem.evaluation.tables import percent  # noqa: E402
from lmem.experiments.aggregate import mean_gain  # noqa: E402
from lmem.experiments.repairs import REPAIRS, RepairConfig  # noqa: E402
from lmem.viz import plots  # noqa: E402
from lmem.viz.colours import LOOKS  # noqa: E402

BUCKETS = {"0-7": (0, 7), "8-15": (8, 15), "16-31": (16, 31), "32-60": (32, 60)}
NAMES = {"m2": "M.2, branch", "m3": "M.3, extension", "m5": "M.5, gated branch", "m6": "M.6, slots"}
SCALES = (10, 1)

EXAMPLE = "tiny-test 7-6/q0"


def example(files):
    """One question, asked of the repaired and of the printed M.3; raises NumberError if it is no example any more."""
    repaired, printed = (
        {row["id"]: row for row in files[f"{name}-10x-s0"]["questions"]}[EXAMPLE]
        for name in ("m3_repaired", "m3")
    )
    right, twin, none = repaired["right"], repaired["twin"], printed["right"]["answer"]
    if not right["em"] or not twin["follows"] or none != UNKNOWN:
        raise NumberError("the example in repairs_page.py is none any more")
    config = RepairConfig()
    talks = splits.for_testing("tinyworld", config.tests, config.turns, config.test_seed)
    [(told, asked)] = [
        (t.turns[q.evidence[0]], q) for t in talks for q in t.questions if q.id == EXAMPLE
    ]
    score = percent(mean_gain(seeds(files, "m3_repaired", 10))["mean"])
    words = {"speaker": told.speaker, "told": told.text, "asked": asked.text, "none": none}
    answers = {"right": right["answer"], "twin": twin["answer"]}
    return said("repairs_example", lag=repaired["lag"], score=score, **words, **answers)


def indistinct(files):
    """The repaired cells whose interval does not exclude 0."""
    cells = [
        f"{NAMES[repair.method].split(',')[0]} at {scale}x over {turns} turns"
        for repair in repaired()
        for scale in SCALES
        for part, turns in (("", 12), ("-long", 60))
        if (found := seeds(files, repair.name, scale, part)) and (mean_gain(found)["low"] or 0) <= 0
    ]
    m6 = percent(mean_gain(seeds(files, "m6_repaired", 1)))
    return said("repairs_indistinct", m6=m6, cells="; ".join(cells) or "none")


def full_slots(files):
    """The sentence on slots without an empty row; raises NumberError if the numbers do not support it."""
    short, long = (seeds(files, "m6_repaired", 10, part) for part in ("", "-long"))
    if not short or not long:
        return ""
    before, after = (mean_gain(each, within(0, 3)) for each in (short, long))
    if after["mean"] >= before["mean"] / 2:
        raise NumberError("the sentence on full slots in repairs_page.py is no longer true")
    scores = {"before": percent(before), "after": percent(after)}
    return said("repairs_full", n=after["n"], **scores)


def load(root):
    """{name of a file: result}."""
    files = sorted((root / "repairs").glob("*.json.gz"))
    return {file.name.removesuffix(".json.gz"): results.load(file) for file in files}


def seeds(files, repair, scale, part=""):
    """The results of a repair's seeds; of long conversations with part="-long"."""
    return [
        files[name] for seed in range(3) if (name := f"{repair}-{scale}x{part}-s{seed}") in files
    ]


def within(low, high):
    return lambda row: row["lag"] is not None and low <= row["lag"] <= high


def abstention(results_of_seeds):
    """Share of the questions without an answer that are answered so."""
    rows = [row for result in results_of_seeds for row in result["questions"]]
    asked = [row for row in rows if not row["answerable"]]
    right = sum(row["right"]["answer"] == UNKNOWN for row in asked)
    return f"{percent(right / len(asked))} (n={len(asked)})" if asked else "-"


def repaired():
    return [repair for repair in REPAIRS if repair.changes]


def scores(files):
    """One line for each repair, each printed method and each scale; abstention has a table of its own."""
    rows = []
    for repair in sorted(REPAIRS, key=lambda repair: (repair.method, not repair.changes)):
        for scale in SCALES:
            short, long = (seeds(files, repair.name, scale, part) for part in ("", "-long"))
            if not short or not long:
                continue
            rows.append(
                {
                    "method": f"{NAMES[repair.method]}, {'repaired' if repair.changes else 'printed'}",
                    "bank": f"{scale}x",
                    "seeds": len(short),
                    "12 turns": percent(mean_gain(short)),
                    "lag 0 to 3": percent(mean_gain(short, within(0, 3))),
                    "60 turns": percent(mean_gain(long)),
                    "abstention": abstention(short),
                }
            )
    return rows


def chart(title, labels, lines):
    """A figure of shares from 0 to 1 by label; `lines` is {name: values}, None where there is none."""
    drawn, spoken = go.Figure(), []
    for n, (name, values) in enumerate(lines.items()):
        colour, dash, symbol = LOOKS[n % len(LOOKS)]
        y = [plots.percent(value) for value in values]
        look = {"mode": "lines+markers", "marker": {"symbol": symbol, "size": 8}}
        drawn.add_trace(plots.line(labels, y, name, colour, dash, 2, **look))
        spoken.append(f"{name}: {', '.join('-' if v is None else f'{v:.0f}' for v in y)}")
    alt = f"{title} by lag {', '.join(labels)}. {'; '.join(spoken)}"
    plots.style(drawn, title, alt, "lag in turns", b=130)
    drawn.update_yaxes(rangemode="tozero")
    return figure(drawn.update_xaxes(type="category"))


def by_lag(files, scale):
    """{method: memory score by bucket} in the long conversations, as shares: the repairs, and M.3 as printed."""
    lines = {}
    for repair in [*repaired(), *(repair for repair in REPAIRS if repair.name == "m3")]:
        name = NAMES[repair.method] if repair.changes else "M.3, printed"
        if long := seeds(files, repair.name, scale, "-long"):
            gains = [mean_gain(long, within(*bucket)) for bucket in BUCKETS.values()]
            lines[name] = [gain and gain["mean"] for gain in gains]
    return lines


def curves(files):
    parts = ["## By lag, in conversations of 60 turns"]
    for scale in SCALES:
        if lines := by_lag(files, scale):
            title = f"Memory score at {scale}x in points"
            parts.append(chart(title, list(BUCKETS), lines))
    return "\n\n".join(parts)


def kept(files):
    """The figure of what a write keeps, with the theory of superposition."""
    lines, chance, lags = {}, 0.0, []
    told = [result for name, result in files.items() if name.startswith("kept-")]
    for result in told:
        found = next(iter(result["facts"].values()))
        lags, chance = list(found), result["chance"]
        label = {"attention": "M.3", "hebbian": "M.4", "slots": "M.6"}[
            result["method"].split("+")[0]
        ]
        lines[f"{label}, printed"] = list(found.values())
        if "superposition" in result:
            theory = next(iter(result["superposition"].values()))
            lines[f"{label}, theory"] = list(theory.values())
    if not lines:
        return ""
    fitted = {result["kept"].get("conversations", KeptConfig.conversations) for result in told}
    about = said("repairs_kept", fitted=max(fitted), chance=percent(chance))
    drawn = chart("Towns named in percent", lags, lines)
    one = {name: values[lags.index("1")] for name, values in lines.items()}
    if not one["M.3, printed"] > 0.9 > one["M.6, printed"] > one["M.4, printed"]:
        raise NumberError("the sentences on what is kept in repairs_page.py are no longer true")
    shares = {f"m{i}": percent(one[f"M.{i}, printed"]) for i in (3, 4, 6)}
    after = said("repairs_kept_after", **shares)
    made = "Made by `lmem kept --out results/repairs`, with the settings that the files name."
    return "\n\n".join(["## What the printed writes keep", about, drawn, after, made])


def verdict(files):
    """The sentences on the aims; raises NumberError if the numbers do not support them."""
    ten, one = (
        {
            repair.name: mean_gain(found, within(0, 3))["mean"]
            for repair in repaired()
            if (found := seeds(files, repair.name, scale))
        }
        for scale in SCALES
    )
    if not ten or min(ten.values()) <= 0.1 or any(one[name] >= ten[name] for name in one):
        raise NumberError("the sentences on the scores in repairs_page.py are no longer true")
    reached = sum(value >= 0.5 for value in ten.values())
    return said("repairs_verdict", reached=reached, n=len(ten), **vars(RepairConfig()))


def changes():
    """What each repair changes."""
    return "\n".join(
        f"- **{NAMES[repair.method]}**: {'; '.join(repair.changes)}." for repair in repaired()
    )


def page(root):
    """The text of book/repairs.md, from the result files below `root`."""
    files = load(root)
    rows = scores(files)
    parts = [
        said("repairs"),
        example(files),
        "## What the repairs remember",
        verdict(files),
        indistinct(files),
        said("repairs_meaning"),
        table(
            [{key: row[key] for key in row if key not in ("seeds", "abstention")} for row in rows]
        ),
        said("repairs_unknown"),
        table(
            [{key: row[key] for key in ("method", "bank", "seeds", "abstention")} for row in rows]
        ),
        curves(files),
        full_slots(files),
        kept(files),
        said("repairs_why"),
        "The named changes of each repair:",
        changes(),
        said("repairs_limits"),
        "Made by `lmem repairs --out results/repairs`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def main(verb=""):
    return write_or_check(verb, page, PAGE, __doc__)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
