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
    words = {"speaker": told.speaker, "told": told.text, "asked": asked.text, "none": none}
    answers = {"right": right["answer"], "twin": twin["answer"]}
    return said("repairs_example", lag=repaired["lag"], **words, **answers)


def indistinct(files):
    """The repaired cells whose interval does not exclude 0."""
    cells = [
        f"{NAMES[repair.method].split(',')[0]} at {scale}x after {turns} turns"
        for repair in repaired()
        for scale in SCALES
        for part, turns in (("", 12), ("-long", 60))
        if (found := seeds(files, repair.name, scale, part)) and (mean_gain(found)["low"] or 0) <= 0
    ]
    return said("repairs_indistinct", cells="; ".join(cells)) if cells else ""


def full_slots(files):
    """The sentences on slots without an empty row; raises NumberError if the numbers do not support them."""
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
    """One line for each repair and scale."""
    rows = []
    for scale in SCALES:
        for repair in sorted(repaired(), key=lambda repair: repair.method):
            short, long = (seeds(files, repair.name, scale, part) for part in ("", "-long"))
            if not short or not long:
                continue
            rows.append(
                {
                    "method": NAMES[repair.method],
                    "bank": f"{scale}x",
                    "seeds": len(short),
                    "memory score, 12 turns": percent(mean_gain(short)),
                    "memory score, 60 turns": percent(mean_gain(long)),
                    "abstention, 12 turns": abstention(short),
                }
            )
    return rows


def as_printed(files):
    """The sentence on the printed methods, the control of the changes; raises NumberError if one of them remembers."""
    cells = [
        (repair, scale, [seeds(files, repair.name, scale, part) for part in ("", "-long")])
        for repair in REPAIRS
        if not repair.changes
        for scale in SCALES
    ]
    cells = [(repair, scale, parts) for repair, scale, parts in cells if any(parts)]
    if not cells:
        return ""
    for repair, scale, parts in cells:
        if any(abs(mean_gain(part)["mean"]) >= 0.001 for part in parts if part):
            raise NumberError(f"{repair.name} at {scale}x, as printed, no longer scores 0")
    done = ", ".join(f"{NAMES[repair.method].split(',')[0]} at {scale}x" for repair, scale, _ in cells)  # fmt: skip
    return said("repairs_printed", done=done)


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
    """Both charts by lag with what they show; raises NumberError if they no longer do."""
    large, small = (by_lag(files, scale) for scale in SCALES)
    if not large or not small:
        return ""
    slots, newest = large["M.6, slots"], [values[0] for values in large.values()]
    others = [v for name in ("M.2, branch", "M.3, extension") for v in large[name]]
    most = max(v for values in small.values() for v in values)
    lost = slots[0] < 0.05 and max(slots[1:]) >= 0.1
    if not lost or min(others) < 0.15 or max(newest) < 0.15 or most > 0.3:
        raise NumberError("the titles of the curves in repairs_page.py are no longer true")
    return "\n\n".join(
        [
            said("repairs_curves", most=percent(most)),
            chart("Points at 10x: only M.6 has lost the newest facts", list(BUCKETS), large),
            full_slots(files),
            chart("Points at 1x: little is left at any lag", list(BUCKETS), small),
        ]
    )


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
    drawn = chart("Percent of towns named: M.3 still holds the last turns", lags, lines)
    one = {name: values[lags.index("1")] for name, values in lines.items()}
    if not one["M.3, printed"] > 0.9 > one["M.6, printed"] > one["M.4, printed"]:
        raise NumberError("the sentences on what is kept in repairs_page.py are no longer true")
    shares = {f"m{i}": percent(one[f"M.{i}, printed"]) for i in (3, 4, 6)}
    return "\n\n".join([about, drawn, said("repairs_kept_after", **shares)])


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
    low, high = extremes(files, 10)
    scores = {"reached": reached, "n": len(ten), "low": low, "high": high}
    return said("repairs_verdict", **scores, **vars(RepairConfig()))


def extremes(files, scale):
    """The lowest and the highest memory score of the repairs at this scale; raises NumberError if one may be 0."""
    found = [mean_gain(each) for repair in repaired() if (each := seeds(files, repair.name, scale))]
    if any((one["mean"] if one["low"] is None else one["low"]) <= 0 for one in found):
        raise NumberError("a repair at 10x is not shown to remember")
    means = sorted(one["mean"] for one in found)
    return percent(means[0]), percent(means[-1])


def changes():
    """What each repair changes."""
    return "\n".join(
        f"- **{NAMES[repair.method]}**: {'; '.join(repair.changes)}." for repair in repaired()
    )


def page(root):
    """The text of book/repairs.md, from the result files below `root`."""
    files = load(root)
    rows = scores(files)
    if any(row["abstention, 12 turns"].startswith("100.0") for row in rows):
        raise NumberError("not all repairs invent answers any more: see `verdict`")
    parts = [
        said("repairs"),
        example(files),
        said("repairs_methods"),
        "## How much they remember",
        verdict(files),
        said("repairs_reading"),
        table(rows),
        indistinct(files),
        as_printed(files),
        said("repairs_write"),
        kept(files),
        said("repairs_addresses"),
        changes(),
        curves(files),
        said("repairs_limits"),
        said("repairs_again"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def main(verb=""):
    return write_or_check(verb, page, PAGE, __doc__)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
