"""The page of the repaired methods, made from the files under results/repairs: no number on it is typed by hand.

python book/tools/repairs_page.py write    make book/repairs.md
python book/tools/repairs_page.py check    say whether it is what the files say
"""

import json
import shlex
import sys
from pathlib import Path

import plotly.graph_objects as go
from page_numbers import NumberError, said, write_or_check
from results_page import figure, table

from lmem.backbone.backbone import load_backbone
from lmem.data import splits
from lmem.data.tinyworld.language import UNKNOWN
from lmem.evaluation import results
from lmem.evaluation.summary import verdicts
from lmem.evaluation.tables import percent
from lmem.experiments.aggregate import compare_cells, mean_gain
from lmem.experiments.read_use import ReadUseConfig
from lmem.experiments.repairs import KNOWN, REPAIRS, RepairConfig
from lmem.memory.methods import find, rows_of
from lmem.viz import plots
from lmem.viz.colours import LOOKS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "book" / "repairs.md"

BUCKETS = {"0-7": (0, 7), "8-15": (8, 15), "16-31": (16, 31), "32-60": (32, 60)}
NAMES = {"m2": "M.2, branch", "m3": "M.3, extension", "m5": "M.5, gated branch", "m6": "M.6, slots"}
LATE = {"m1": "M.1, prefix", "m4": "M.4, matrix"}  # repaired later, and measured at 1x only
SCALES = (10, 1)
READS = {
    "extension": "extension (M.3, M.6)",
    "branch": "branch (M.2)",
    "gated_branch": "gated branch (M.5)",
    "prefix": "prefix (M.1)",
    "query": "query of a matrix (M.4)",
}
BANKS = {
    "exact": "hidden states",
    "superposed-1": "two turns in a row",
    "superposed-3": "four turns in a row",
    "pooled": "one mean",
}

LATE_READS = ("prefix-kept-1steps", "query-learned-100steps")  # what M.1 and M.4 can use, repaired
EXAMPLE = "tiny-test 7-10/q0"


def example(files):
    """One question, asked of the repaired and of the printed M.3."""
    repaired, printed = (
        {row["id"]: row for row in files[f"{name}-10x-s0"]["questions"]}[EXAMPLE]
        for name in ("m3_repaired", "m3")
    )
    right, twin, none = repaired["right"], repaired["twin"], printed["right"]["answer"]
    config = RepairConfig()
    talks = splits.for_testing("tinyworld", config.tests, config.turns, config.test_seed)
    [(told, asked)] = [
        (t.turns[q.evidence[0]], q) for t in talks for q in t.questions if q.id == EXAMPLE
    ]
    return said(
        "repairs_example",
        holds=right["em"] and twin["follows"] and none == UNKNOWN,
        speaker=told.speaker,
        told=told.text,
        lag=repaired["lag"],
        asked=asked.text,
        printed=none,
        repaired=right["answer"],
        twin=twin["answer"],
    )


def load(root):
    """{name of a file: result}."""
    files = sorted((root / "repairs").glob("*.json.gz"))
    return {results.stem(file): results.load(file) for file in files}


def seeds(files, repair, scale, part=""):
    """The results of a repair's seeds; of long conversations with part="-long".

    Raises NumberError if one was made with other settings than the repair has now.
    """
    found = [
        files[name] for seed in range(3) if (name := f"{repair}-{scale}x{part}-s{seed}") in files
    ]
    now = KNOWN[repair]
    for result in found:
        options = result.get("options", {"write": now.write})["write"]
        settings = result.get("training", {}).get("settings", now.training)
        if (options, settings) != (now.write, now.training):
            raise NumberError(f"a result of {repair} at {scale}x was made with other settings")
    return found


def cells(files, changed):
    """(method with scale, seeds after 12 turns, seeds after 60 turns), of the repairs or of the printed methods."""
    chosen = [r for r in REPAIRS if bool(r.changes) == changed and r.method in NAMES]
    for repair in sorted(chosen, key=lambda repair: repair.method):
        for scale in SCALES:
            parts = (seeds(files, repair.name, scale, part) for part in ("", "-long"))
            yield f"{short(NAMES[repair.method])} at {scale}x", *parts


def short(name):
    """A name without what explains it: "M.3, extension" is M.3, "branch (M.2)" a branch."""
    return name.split(",")[0].split(" (")[0]


def within(low, high):
    return lambda row: row["lag"] is not None and low <= row["lag"] <= high


NEW = within(0, 3)  # about facts of the last four turns


def abstention(results_of_seeds):
    """Share of the questions without an answer that are answered so."""
    rows = [row for result in results_of_seeds for row in result["questions"]]
    asked = [row for row in rows if not row["answerable"]]
    right = sum(row["right"]["answer"] == UNKNOWN for row in asked)
    return f"{percent(right / len(asked))} (n={len(asked)})"


def repaired(methods=NAMES):
    return [repair for repair in REPAIRS if repair.changes and repair.method in methods]


def scores(files):
    """One line for each repair and scale."""
    rows = []
    for scale in SCALES:
        for repair in sorted(repaired(), key=lambda repair: repair.method):
            name = {"method": NAMES[repair.method], "bank": f"{scale}x"}
            rows.append(name | measured(files, repair, scale))
    return rows


def measured(files, repair, scale):
    """What a row of a table says of one cell: both memory scores, and how often it abstains."""
    early, late = (seeds(files, repair.name, scale, part) for part in ("", "-long"))
    return {
        "seeds": len(early),
        "memory score, 12 turns": percent(mean_gain(early)),
        "memory score, 60 turns": percent(mean_gain(late)) if late else "-",
        "abstention, 12 turns": abstention(early),
    }


def indistinct(files):
    """The repaired cells whose interval does not exclude 0."""
    names = [
        f"{name} after {turns} turns"
        for name, *parts in cells(files, changed=True)
        for turns, part in zip((12, 60), parts, strict=True)
        if (mean_gain(part)["low"] or 0) <= 0
    ]
    return said("repairs_indistinct", holds=names, cells="; ".join(names))


def as_printed(files):
    """The sentence on the printed methods, the control of the changes."""
    printed = list(cells(files, changed=False))
    means = [mean_gain(part)["mean"] for _, *parts in printed for part in parts]
    names = ", ".join(dict.fromkeys(name.split(" at ")[0] for name, *_ in printed))
    return said("repairs_printed", holds=max(map(abs, means)) < 0.001, cells=names)


def chart(title, labels, lines, axis="lag in turns", by="lag"):
    """A figure of shares from 0 to 1 by label; `lines` is {name: values}, None where there is none."""
    drawn, spoken = go.Figure(), []
    for n, (name, values) in enumerate(lines.items()):
        colour, dash, symbol = LOOKS[n % len(LOOKS)]
        y = [plots.percent(value) for value in values]
        look = {"mode": "lines+markers", "marker": {"symbol": symbol, "size": 8}}
        drawn.add_trace(plots.line(labels, y, name, colour, dash, 2, **look))
        spoken.append(f"{name}: {', '.join('-' if v is None else f'{v:.0f}' for v in y)}")
    alt = f"{title} by {by} {', '.join(labels)}. {'; '.join(spoken)}"
    plots.style(drawn, title, alt, axis, b=130)
    drawn.update_yaxes(rangemode="tozero")
    return figure(drawn.update_xaxes(type="category"))


def by_lag(files, scale, names=NAMES):
    """{method: memory score by bucket} of repairs in the long conversations, as shares."""
    return {
        name: gains_by_lag(files, f"{method}_repaired", scale) for method, name in names.items()
    }


def gains_by_lag(files, repair, scale):
    """The memory score by bucket in the long conversations."""
    late = seeds(files, repair, scale, "-long")
    gains = [mean_gain(late, within(*bucket)) for bucket in BUCKETS.values()]
    return [gain and gain["mean"] for gain in gains]


def curves(files):
    """What is forgotten first: both charts by lag say it."""
    large, small = (by_lag(files, scale) for scale in SCALES)
    late = by_lag(files, 1, LATE)
    slots, newest = large["M.6, slots"], [values[0] for values in large.values()]
    fading = [large[name] for name in large if name != "M.6, slots"]
    as_said = slots[0] < 0.05 and max(slots[1:]) >= 0.1 and max(newest) >= 0.15
    others = [*small.values(), late[LATE["m1"]]]
    most = all(a > max(rest) for a, *rest in zip(late[LATE["m4"]], *others, strict=True))
    more = [
        f"{short(name)} at lag {bucket}"
        for name in small
        for bucket, a, b in zip(BUCKETS, small[name], large[name], strict=True)
        if a > b
    ]
    but = f", except for {', '.join(more)}" if more else ""
    early, full = (mean_gain(seeds(files, "m6_repaired", 10, p), NEW) for p in ("", "-long"))
    return [
        "## What is forgotten first",
        said("repairs_forgotten", holds=as_said and all(line[0] > line[-1] for line in fading)),
        said("repairs_forgotten_small", holds=len(more) <= 3, but=but),
        chart("Memory score at 1x in points", list(BUCKETS), small | late),
        said("repairs_forgotten_late", holds=most, **matrix_size()),
        full_slots(early, full),
    ]


def full_slots(early, late):
    """Why M.6 loses the newest facts, from the scores of facts of the last four turns."""
    holds = late["mean"] < early["mean"] / 2
    numbers = {"early": percent(early), "late": percent(late), "n": late["n"]}
    return said("repairs_full_slots", holds, **numbers)


def kept_label(result):
    """Name a write for the figure of what is kept."""
    write = result["method"].split("+")[0]
    if write == "delta":
        return "delta rule"
    changed = result["options"]["write"]
    if write == "hebbian" and changed:
        return "M.4, no clamp, no decay"
    state = "repaired" if changed else "printed"
    return {"attention": "M.3", "hebbian": "M.4", "slots": "M.6"}[write] + f", {state}"


def kept_by(files):
    """{write: {lag: share of the towns that are named}}, with the theory of superposition after its write."""
    lines = {}
    for result in (files[name] for name in files if name.startswith("kept-")):
        lines[kept_label(result)] = next(iter(result["facts"].values()))
        if "superposition" in result:
            lines["M.3, theory"] = next(iter(result["superposition"].values()))
    return lines


def kept(files):
    """The figure of what a write keeps, with the theory of superposition."""
    lines, printed = kept_by(files), files["kept-m3-1x-s0"]
    one = {name: values["1"] for name, values in lines.items()}
    holds = one["M.3, printed"] > 0.9 > one["M.6, printed"] > one["M.4, printed"]
    below = one["M.3, repaired"] <= one["M.3, printed"] - 0.1
    texts = {f"m{name[2]}": percent(one[name]) for name in one if name.endswith("printed")}
    return [
        said("repairs_kept", chance=percent(printed["chance"]), **printed["kept"]),
        chart(
            "Towns named in percent",
            list(lines["M.3, printed"]),
            {name: list(values.values()) for name, values in lines.items()},
        ),
        said("repairs_kept_found", holds, **texts),
        said("repairs_kept_used", below, repaired=percent(one["M.3, repaired"])),
    ]


def read_scores(files):
    """{(read, start): result} of the reads that were trained on ideal banks, in the order of READS."""
    told = [r for name, r in files.items() if name.startswith("reads-") and "steps" not in name]
    order = list(READS)
    told.sort(key=lambda result: (order.index(result["read"]), result["start"] == "printed"))
    return {(result["read"], result["start"]): result for result in told}


def points(bank):
    """Right minus wrong bank after the last step, as a share."""
    return list(bank["curve"].values())[-1] - bank["wrong"]


def steps_to_half(bank):
    """The first check at which half of the questions are answered right, as text."""
    reached = [step for step, right in bank["curve"].items() if right >= 0.5]
    return reached[0] if reached else "never"


def read_table(scores):
    """One line for each read and start."""
    return [
        {
            "read": READS[read],
            "start": start,
            "steps to 50%": steps_to_half(result["banks"]["exact"]),
            **{BANKS[kind]: percent(points(result["banks"][kind])) for kind in BANKS},
        }
        for (read, start), result in scores.items()
    ]


def reads(files):
    """What each read can use, as a figure and a table."""
    scores = read_scores(files)
    lines = {
        f"{short(READS[read])}, {start}": result["banks"]["exact"]["curve"]
        for (read, start), result in scores.items()
        if read != "gated_branch"
    }
    about = scores["extension", "identity"]
    config = ReadUseConfig(**about["reads"])
    return [
        said("repairs_reads"),
        said("repairs_reads_chart", **vars(config) | {"questions": about["questions"]}),
        chart(
            "Right answers in percent",
            list(next(iter(lines.values()))),
            {name: list(curve.values()) for name, curve in lines.items()},
            "training step",
            "training step",
        ),
        said("repairs_reads_table"),
        table(read_table(scores)),
        *read_findings({key: result["banks"] for key, result in scores.items()}),
    ]


def read_findings(banks):
    """The sentences under the table of the reads."""
    extension = banks["extension", "identity"]
    start, pair, four = (
        points(extension[kind]) for kind in ("exact", "superposed-1", "superposed-3")
    )
    pooled, best = max(
        (points(each["pooled"]), f"{short(READS[read])}, {start}")
        for (read, start), each in banks.items()
    )
    first = extension["exact"]["curve"]["0"]
    copied = [banks[read, "copied"]["exact"] for read in ("branch", "gated_branch")]
    learn_at_once = all(steps_to_half(bank) in ("0", "10") for bank in copied)
    hard = min(start, first) >= 0.9 and 0.5 < pair < start and four <= 0.1 and pooled < 0.5
    numbers = {"first": percent(first), "pair": percent(pair), "pooled": percent(pooled)}
    printed = [points(each["exact"]) for (_, begin), each in banks.items() if begin == "printed"]
    zero = points(banks["extension", "printed"]["exact"])
    return [
        said("repairs_reads_mixtures", learn_at_once and hard, best=best, **numbers),
        said("repairs_reads_printed", max(printed) <= 0.02),
        said("repairs_reads_start", zero <= 0.5 * start, zero=percent(zero)),
    ]


def late_repairs(files):
    """M.1 and M.4: what was in the way, what was changed, and what they remember at the sizes that were run."""
    scores = read_scores(files)
    kept, learned = (files[f"reads-{name}-s0"]["banks"] for name in LATE_READS)
    rows = []
    for repair in (repair for repair in REPAIRS if repair.method in LATE):
        state = "repaired" if repair.changes else "printed"
        for scale in (1, 10):
            if seeds(files, repair.name, scale):
                label = f"{LATE[repair.method]}, {state}, {scale}x"
                rows.append({"method": label} | measured(files, repair, scale))
    gains = {method: mean_gain(seeds(files, f"{method}_repaired", 1))["mean"] for method in LATE}
    return [
        "## M.1 and M.4",
        said("repairs_late"),
        late_prefix(scores["prefix", "identity"]["banks"], kept),
        late_matrix(kept_by(files), points(scores["query", "identity"]["banks"]["exact"]), learned),
        said("repairs_late_changes"),
        changes(LATE),
        said(
            "repairs_late_table",
            holds=gains["m4"] >= 0.5 and 0.1 <= gains["m1"] < gains["m4"],
            m1=percent(gains["m1"]),
            m4=percent(gains["m4"]),
        ),
        table(rows),
        *late_left_out(files),
        late_limits(),
    ]


def late_left_out(files):
    """What is left of M.1 and M.4 at 1x without one of their changes, as far as that was run; and what they may not need."""
    found = left_out(files, LATE, 1)
    shown = verdicts(found)
    parts = [said("repairs_late_left_out", cells=len(found))] if found else []
    for repair in repaired(LATE):
        own = {name: text for name, text in left_labels(repair).items() if name in found}
        if own:
            parts += [f"**{LATE[repair.method]}**", left_table(files, repair, found, shown, 1)]
        if spare := [name for name in own if shown[name] != "less"]:
            names = "; ".join(f"{own[name]} ({mean_points(files, name)})" for name in spare)
            parts.append(
                said("repairs_not_minimal", names=names, whole=mean_points(files, repair.name))
            )
    return parts


def mean_points(files, name):
    """A memory score at 1x in words."""
    asked = seeds(files, name, 1)
    return f"{percent(mean_gain(asked)['mean'])} points, {len(asked)} seed{'s'[: len(asked) - 1]}"


def matrix_size():
    """How large the bank of M.4 is at 1x: its side, and how many rows of a latent's width have as many numbers."""
    width, side = load_backbone(RepairConfig.backbone).width, rows_of(1, find("m4"))
    return {"side": side, "rows": side**2 // width, "width": width}


def late_limits():
    """What to know of these repairs, with the size of M.4's bank."""
    [m1, m4] = repaired(LATE)
    steps = {"rate": m1.training["lr"], "steps": m4.training["steps"]}
    return said("repairs_late_limits", **steps, **matrix_size())


def late_prefix(dropped, kept):
    """What stands in the way of M.1: ideal banks of embeddings and of hidden states, their positions dropped or kept."""
    curve = dropped["embeddings"]["curve"]
    exact = kept["exact"]["curve"]["0"]
    return said(
        "repairs_prefix",
        holds=curve["0"] <= 0.05 < points(dropped["embeddings"]) < 0.5 and exact > 0.8,
        first=percent(curve["0"]),
        steps=list(curve)[-1],
        last=percent(points(dropped["embeddings"])),
        states=percent(points(dropped["exact"])),
        exact=percent(exact),
    )


def late_matrix(kept, read, learned):
    """What stands in the way of M.4: what a classifier finds four turns later, and what its read learns."""
    names = ("M.4, printed", "M.4, no clamp, no decay", "delta rule")
    printed, freed, delta = (kept[name]["4"] for name in names)
    score = points(learned["exact"])
    numbers = {"printed": printed, "freed": freed, "delta": delta, "read": read, "learned": score}
    return said(
        "repairs_matrix",
        holds=min(delta, freed) >= 0.5 and max(printed, read) <= 0.1 and score >= 0.8,
        steps=list(learned["exact"]["curve"])[-1],
        **{name: percent(share) for name, share in numbers.items()},
    )


def verdict(files):
    """The sentences on the aims."""
    ten, one = (
        {repair.name: seeds(files, repair.name, scale) for repair in repaired()} for scale in SCALES
    )
    gains = sorted((mean_gain(each) for each in ten.values()), key=lambda gain: gain["mean"])
    shown = all((gain["mean"] if gain["low"] is None else gain["low"]) > 0 for gain in gains)
    new, new_one = (
        {name: mean_gain(each[name], NEW)["mean"] for name in each} for each in (ten, one)
    )
    reached = sum(value >= 0.5 for value in new.values())
    return said(
        "repairs_verdict",
        holds=shown and min(new.values()) > 0.1 and all(new_one[name] < new[name] for name in new),
        low=percent(gains[0]["mean"]),
        high=percent(gains[-1]["mean"]),
        reached="all" if reached == len(new) else reached,
        **vars(RepairConfig()),
    )


def changes(names=NAMES):
    """What each repair changes."""
    return "\n".join(
        f"- **{names[repair.method]}**: {'; '.join(repair.changes)}." for repair in repaired(names)
    )


def left_out(files, methods=NAMES, scale=10):
    """{name: memory score after 12 turns, minus that of the whole repair}, of the repairs that ran without something."""
    found = {}
    for repair in repaired(methods):
        whole = dict(enumerate(seeds(files, repair.name, scale)))
        for less in repair.each_left_out():
            if left := dict(enumerate(seeds(files, less.name, scale))):
                found[less.name] = compare_cells(whole, left)["memory"]
    return found


def left_labels(repair):
    """{name: what a repair of this name is without}: a change in words, or options that are only a part of one."""
    whole = {repair.without(change).name: change for change in repair.changes}
    names = (less.name for less in repair.each_left_out())
    options = {name: name.split("-without-")[1].replace("+", "`, `") for name in names}
    return {name: whole.get(name) or f"only `{left}`" for name, left in options.items()}


def left_table(files, repair, found, shown, scale=10):
    """One line for the repair, for each of its changes and their parts left out, and for the printed method."""
    labels = {repair.name: "nothing: the repair"}
    labels |= {name: text for name, text in left_labels(repair).items() if name in found}
    rows = []
    for name, label in (labels | {repair.method: "all four: as printed"}).items():
        asked = seeds(files, name, scale)
        row = {
            "left out": label,
            "seeds": len(asked),
            "memory score": percent(mean_gain(asked)),
            "compared with the repair": percent(found.get(name)),
            "shown": shown.get(name, "-"),
            "abstention": abstention(asked),
        }
        rows.append(row)
    return table(rows)


def needed(repair, shown):
    """Which of the four changes a repair needs, and which it is not shown to need."""
    verdict = {change: shown[repair.without(change).name] for change in repair.changes}
    needs = [change for change, word in verdict.items() if word == "less"]
    others = [change for change in verdict if change not in needs]
    if not others:
        return [said("repairs_all_needed")]
    texts = [said("repairs_needed", names="; ".join(needs))] if needs else []
    return texts + ([said("repairs_not_needed", names="; ".join(others))] if others else [])


def ablated(files):
    """What is left of each repair without one of its changes, as far as that was run."""
    found = left_out(files)
    shown = verdicts(found)
    parts = []
    for repair in sorted(repaired(), key=lambda repair: repair.method):
        if all(repair.without(change).name in found for change in repair.changes):
            parts += [f"### {NAMES[repair.method]}", left_table(files, repair, found, shown)]
            parts += needed(repair, shown)
    if not parts:
        return []
    whole = {repair.without(change).name for repair in repaired() for change in repair.changes}
    return [
        said("repairs_left_out", cells=len(found)),
        *([said("repairs_parts")] if found.keys() - whole else []),
        *parts,
    ]


def limits(taken_back, root):
    """What the page does not show; of the changes, that depends on whether they were taken back one at a time."""
    known = "repairs_taken_back" if taken_back else "repairs_not_taken_back"
    runs = [path for path in root.glob("*/*m[14]_repaired-*") if path.parent.name != "repairs"]
    runs += root.glob("repairs/m1_repaired-10x-*")
    tenfold = len([*root.glob("repairs/m4_repaired-10x-s*")])
    window, turns = KNOWN["m4_repaired"].training["window"], RepairConfig.turns
    numbers = {"turns": turns, "long_turns": RepairConfig.long_turns}
    holds = not runs and tenfold == 1 and window == turns
    return said("repairs_limits", holds, changes=said(known), **numbers)


def commands(files):
    """The `lmem kept` and `lmem reads` that make the files: one for the files of the same settings."""
    runs = {}
    for name, result in files.items():
        kind = name.split("-")[0]
        if kind == "kept":
            options = json.dumps(result["options"]["write"])
            same = (kind, f"{result['scale']:g}", options, json.dumps(result["kept"]))
            runs.setdefault(same, []).append(name.split("-")[1])
        if kind == "reads":
            own = result["read"] if result["reads"] else ""
            runs.setdefault((kind, own, "", json.dumps(result["reads"])), []).append(
                result["start"]
            )
    lines = []
    for (kind, which, write, settings), names in runs.items():
        chosen = ",".join(dict.fromkeys(names))
        parts = ["lmem", kind, "--out", "results/repairs"]
        if kind == "kept":
            parts += ["--methods", chosen, "--scales", which]
            pairs = [f"{option}={as_option(value)}" for option, value in json.loads(write).items()]
            parts += ["--write", ",".join(pairs)] if pairs else []
        else:
            parts += (["--names", which] if which else []) + ["--starts", chosen]
        for setting, value in json.loads(settings).items():
            parts += ["--set", f"{setting}={as_option(value)}"]
        lines.append(shlex.join(parts))
    return "\n".join(lines)


def as_option(value):
    """A value as the command line takes it."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def page(root):
    """The text of book/repairs.md, from the result files below `root`; raises NumberError if a sentence is no longer true."""
    files = load(root)
    rows = scores(files)
    without = ablated(files)
    invents = not any(row["abstention, 12 turns"].startswith("100.0") for row in rows)
    first = by_lag(files, 10) | {"M.3, printed": gains_by_lag(files, "m3", 10)}
    parts = [
        said("repairs"),
        example(files),
        said("repairs_first_chart"),
        chart("Memory score at 10x in points", list(BUCKETS), first),
        said("repairs_methods"),
        "## How much they remember",
        verdict(files),
        said("repairs_reading", holds=invents),
        table(rows),
        indistinct(files),
        as_printed(files),
        said("repairs_write"),
        *kept(files),
        said("repairs_addresses"),
        changes(),
        *without,
        *reads(files),
        *curves(files),
        *late_repairs(files),
        said("repairs_tried"),
        limits(bool(without), root),
        said("repairs_yourself", commands=commands(files)),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check(page, PAGE, __doc__, *sys.argv[1:]))
