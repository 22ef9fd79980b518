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
from lmem.experiments.read_use import ReadUseConfig  # noqa: E402
from lmem.experiments.repairs import REPAIRS, RepairConfig  # noqa: E402
from lmem.viz import plots  # noqa: E402
from lmem.viz.colours import LOOKS  # noqa: E402

BUCKETS = {"0-7": (0, 7), "8-15": (8, 15), "16-31": (16, 31), "32-60": (32, 60)}
NAMES = {"m2": "M.2, branch", "m3": "M.3, extension", "m5": "M.5, gated branch", "m6": "M.6, slots"}
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

EXAMPLE = "tiny-test 7-10/q0"


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
    return (
        f'**An example.** {told.speaker} says "{told.text}" Then {repaired["lag"]} more turns follow, and somebody asks "{asked.text}" At 10x the '
        f'printed M.3 answers "{none}" and the repaired M.3 answers "{right["answer"]}". Is that memory? We give the repaired M.3 the bank of a twin conversation, in which the '
        f'same turn has another name. It answers "{twin["answer"]}", the name in the twin. So the answer comes from the bank.'
    )


def indistinct(files):
    """The repaired cells whose interval does not exclude 0."""
    cells = [
        f"{NAMES[repair.method].split(',')[0]} at {scale}x after {turns} turns"
        for repair in repaired()
        for scale in SCALES
        for part, turns in (("", 12), ("-long", 60))
        if (found := seeds(files, repair.name, scale, part)) and (mean_gain(found)["low"] or 0) <= 0
    ]
    return f"These scores cannot be told from 0: {'; '.join(cells)}." if cells else ""


def first_chart(files):
    """The memory score by lag of the long conversations, the picture of the page."""
    if not (large := by_lag(files, 10)):
        return ""
    return "\n\n".join(
        [
            "The chart shows the same for all questions about conversations of 60 turns: how many of 100 are answered right, minus those with the twin's bank, by the number of turns since the "
            "fact was told. The printed M.3 is at zero.",
            chart("Memory score at 10x in points", list(BUCKETS), large),
        ]
    )


def full_slots(files):
    """The sentences on slots without an empty row; raises NumberError if the numbers do not support them."""
    short, long = (seeds(files, "m6_repaired", 10, part) for part in ("", "-long"))
    if not short or not long:
        return ""
    before, after = (mean_gain(each, within(0, 3)) for each in (short, long))
    if after["mean"] >= before["mean"] / 2:
        raise NumberError("the sentence on full slots in repairs_page.py is no longer true")
    return (
        "**A likely reason why M.6 loses the newest facts.** Its slots work only while rows are free. When none is free, a token replaces the row that is least like an average "
        "latent, whatever its age, and that can be a row just written. After 12 turns some of the 640 rows are free, and facts of the last four turns have a memory score of "
        f"{percent(before)}. After 60 turns none is free, and the score of such facts is {percent(after)}, with {after['n']} questions only."
    )


def load(root):
    """{name of a file: result}."""
    files = sorted((root / "repairs").glob("*.json.gz"))
    return {file.name.removesuffix(".json.gz"): results.load(file) for file in files}


def seeds(files, repair, scale, part=""):
    """The results of a repair's seeds; of long conversations with part="-long".

    Raises NumberError if one was made with other options or another rate than the repair has now.
    """
    found = [
        files[name] for seed in range(3) if (name := f"{repair}-{scale}x{part}-s{seed}") in files
    ]
    [now] = [each for each in REPAIRS if each.name == repair]
    for result in found:
        options = result.get("options", {"write": now.write})["write"]
        settings = result.get("training", {}).get("settings", now.training)
        if (options, settings) != (now.write, now.training):
            raise NumberError(f"a result of {repair} at {scale}x was made with other settings")
    return found


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
    done = ", ".join(dict.fromkeys(NAMES[repair.method].split(",")[0] for repair, _, _ in cells))
    return (
        f"The printed methods are the control of the changes. Trained and asked in the same way, they have a memory score of 0.0 after 12 and after 60 turns, at both sizes ({done}). "
        f"The page [Results](results.md) has all six, trained longer."
    )


def chart(title, labels, lines, axis="lag in turns", short="lag"):
    """A figure of shares from 0 to 1 by label; `lines` is {name: values}, None where there is none."""
    drawn, spoken = go.Figure(), []
    for n, (name, values) in enumerate(lines.items()):
        colour, dash, symbol = LOOKS[n % len(LOOKS)]
        y = [plots.percent(value) for value in values]
        look = {"mode": "lines+markers", "marker": {"symbol": symbol, "size": 8}}
        drawn.add_trace(plots.line(labels, y, name, colour, dash, 2, **look))
        spoken.append(f"{name}: {', '.join('-' if v is None else f'{v:.0f}' for v in y)}")
    alt = f"{title} by {short} {', '.join(labels)}. {'; '.join(spoken)}"
    plots.style(drawn, title, alt, axis, b=130)
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
    if "M.6, slots" not in large:
        return ""
    slots, newest = large["M.6, slots"], [values[0] for values in large.values()]
    others = [
        values for name, values in large.items() if name not in ("M.6, slots", "M.3, printed")
    ]
    if slots[0] >= 0.05 or max(slots[1:]) < 0.1 or max(newest) < 0.15:
        raise NumberError("the titles of the curves in repairs_page.py are no longer true")
    if any(values[0] <= values[-1] for values in others):
        raise NumberError("new facts are not kept better than old ones, against repairs_page.py")
    parts = [
        "## What is forgotten first",
        "The conversations of 60 turns are five times as long as those in training, and have more tokens than the bank has rows. Which facts survive?",
        "**With 640 rows, M.2, M.3 and M.5 keep new facts better than old ones, and M.6 has lost the newest.** The first chart of this page shows it. In the attention write a row holds its "
        "latest token, so an old fact is lost when other tokens take its rows.",
    ]
    if small.keys() == large.keys():
        more = [
            f"{name.split(',')[0]} at lag {bucket}"
            for name in small
            for bucket, a, b in zip(BUCKETS, small[name], large[name], strict=True)
            if a > b
        ]
        if len(more) > 3:
            raise NumberError("64 rows often keep more than 640, against repairs_page.py")
        but = f", except for {', '.join(more)}" if more else ""
        parts += [
            f"**With 64 rows less is left at any age{but}.** Memory score at 1x:",
            chart("Memory score at 1x in points", list(BUCKETS), small),
        ]
    return "\n\n".join([*parts, full_slots(files)])


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


def kept(files):
    """The figure of what a write keeps, with the theory of superposition."""
    lines, chance, lags = {}, 0.0, []
    told = [result for name, result in files.items() if name.startswith("kept-")]
    for result in told:
        found = next(iter(result["facts"].values()))
        lags, chance = list(found), result["chance"]
        label = kept_label(result)
        lines[label] = list(found.values())
        if "superposition" in result:
            theory = next(iter(result["superposition"].values()))
            lines["M.3, theory"] = list(theory.values())
    if not lines:
        return ""
    fitted = {result["kept"].get("conversations", KeptConfig.conversations) for result in told}
    figure = chart("Towns named in percent", lags, lines)
    one = {name: values[lags.index("1")] for name, values in lines.items()}
    compared = (
        " The other curves belong to [M.4](#why-m1-and-m4-resist)." if "delta rule" in lines else ""
    )
    if not one["M.3, printed"] > 0.9 > one["M.6, printed"] > one["M.4, printed"]:
        raise NumberError("the sentences on what is kept in repairs_page.py are no longer true")
    if repaired_write := one.get("M.3, repaired"):
        if repaired_write > one["M.3, printed"] - 0.1:
            raise NumberError(
                "the classifier finds as much after the repair, against repairs_page.py"
            )
        compared += (
            f"\n\n**What a classifier finds is not what the model can use.** In the bank of the repaired M.3 the same classifier names fewer towns ({percent(repaired_write)} percent one turn later), because the "
            "same word can be in any of 64 rows. But from this bank the model answers, and from the printed one it does not. A classifier that adds up all numbers can use a sum. The decoder's attention "
            "needs rows that are single latents."
        )
    return "\n\n".join(
        [
            f"To find out, we look into the bank without the model. In {max(fitted)} conversations the first turn tells where somebody lives. A linear classifier learns to name the "
            f"town from the bank, and is then tested on other conversations; guessing gives {percent(chance)} percent.",
            "**The printed M.3 still holds the last turns, although it cannot answer.** Towns that the classifier names, in percent, from banks of 1x:",
            figure,
            f"One turn later the classifier names {percent(one['M.3, printed'])} percent of the towns in the bank of M.3. So the sum contains the fact. But attention picks rows, and among equal "
            f"rows there is nothing to pick. The bank of M.6 loses facts faster ({percent(one['M.6, printed'])} percent), and that of M.4 at once "
            f"({percent(one['M.4, printed'])} percent), because M.4 ([chapter 7](../notebooks/07_hebbian_and_delta.ipynb)) divides what it holds by the size of each new turn. The curve *theory* is the best that any classifier could reach if the bank were a plain sum of fading turns; ours "
            "is below it, because it learned from few conversations." + compared,
        ]
    )


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
    """What each read can use, as a figure and a table; raises NumberError if a sentence is no longer true."""
    scores = read_scores(files)
    if ("extension", "identity") not in scores:
        return ""
    banks = {key: result["banks"] for key, result in scores.items()}
    steps = list(banks["extension", "identity"]["exact"]["curve"])
    lines = {
        f"{READS[read].split(' (')[0]}, {start}": list(
            banks[read, start]["exact"]["curve"].values()
        )
        for read, start in scores
        if read != "gated_branch"
    }
    about = scores["extension", "identity"]
    config = ReadUseConfig(**about["reads"])
    return "\n\n".join(
        [
            said("repairs_reads"),
            f"Each read is trained for {config.steps} steps of {config.batch} questions, at one rate. On the way it is asked {about['questions']} questions of other conversations.",
            "**From hidden states, the extension answers at once and the branches after ten steps, if they start at the frozen maps.** Right answers in percent, from banks that hold the hidden states of the right turn:",
            chart("Right answers in percent", steps, lines, "training step", "training step"),
            said("repairs_reads_table"),
            table(read_table(scores)),
            *read_findings(banks),
        ]
    )


def read_findings(banks):
    """The sentences under the table of the reads; raises NumberError if one is no longer true."""
    start, pair, four = (
        points(banks["extension", "identity"][kind])
        for kind in ("exact", "superposed-1", "superposed-3")
    )
    best, pooled = max(
        (points(each["pooled"]), f"{READS[read].split(' (')[0]}, {start}")
        for (read, start), each in banks.items()
    )[::-1]
    first = banks["extension", "identity"]["exact"]["curve"]["0"]
    slow = [
        key
        for key in (("branch", "copied"), ("gated_branch", "copied"))
        if key in banks and steps_to_half(banks[key]["exact"]) not in ("0", "10")
    ]
    if slow or min(start, first) < 0.9 or not 0.5 < pair < start or four > 0.1 or pooled >= 0.5:
        raise NumberError("the sentences on the reads in repairs_page.py are no longer true")
    found = [
        f"**Mixtures are hard.** From hidden states the extension answers {percent(first)} percent of the questions before any training. When each row is the mean of two, it has to learn to "
        f"take them apart, and then has {percent(pair)} points. From means of four it learns nothing in this time. From the mean of a turn the best read ({best}) gets {percent(pooled)} points. "
        "The printed writes leave such mixtures in the bank. That is why the repaired write keeps the latest token of a row instead of a sum."
    ]
    printed = [points(each["exact"]) for (_, begin), each in banks.items() if begin == "printed"]
    if len(printed) == len(READS) and max(printed) <= 0.02:
        found.append(
            "**No printed start learns.** With the start that the paper prints, none of the reads answers after the last step, although the bank holds exactly the hidden states of the right turn."
        )
    if ("extension", "printed") in banks:
        zero = points(banks["extension", "printed"]["exact"])
        if zero > 0.5 * start:
            raise NumberError(
                "the start of the extension no longer decides, against repairs_page.py"
            )
        found.append(
            f"**The start decides.** With $W_{{mem}}$ at zero, as printed, the extension has {percent(zero)} points after the last step. It has to find from answers alone what "
            "the identity gives for nothing."
        )
    return found


def resist(files):
    """Why M.1 and M.4 have no repair; raises NumberError if the numbers say something else."""
    scores = read_scores(files)
    if ("prefix", "identity") not in scores:
        return ""
    return "\n\n".join(
        ["## Why M.1 and M.4 resist", resist_prefix(files, scores), resist_matrix(files, scores)]
    )


def resist_prefix(files, scores):
    """What stands in the way of M.1."""
    prefix = scores["prefix", "identity"]["banks"]
    best = prefix["embeddings"]["curve"]
    if best["0"] > 0.05 or not 0.05 < points(prefix["embeddings"]) < 0.5:
        raise NumberError("the sentences on M.1 in repairs_page.py are no longer true")
    longer = files.get("reads-prefix-identity-600steps-s0")
    after = (
        f" After {list(longer['banks']['embeddings']['curve'])[-1]} steps it is {percent(points(longer['banks']['embeddings']))} percent."
        if longer
        else " We did not train it longer."
    )
    return (
        "**M.1: the answer has to travel through the question.** M.1 puts its rows before the question. The frozen encoder reads both, and then the positions of the rows are dropped "
        "([chapter 3](../notebooks/03_before_the_encoder.ipynb)). So the encoder has to carry the answer into the hidden states of the question, and `nano` has never learned to do that. We gave M.1 the "
        "best prefix there is: the embeddings of the turn's own tokens, in their order. The encoder then sees the turn as if it were text. Untrained, "
        f"{percent(best['0'])} percent of the questions are answered. Training changes only $W_P$, and after {list(best)[-1]} steps it is {percent(points(prefix['embeddings']))} percent.{after} From hidden states, "
        f"which are what a bank of M.1 is made of, it is {percent(points(prefix['exact']))} percent. So M.1 learns far more slowly than the extension and the branches even from a perfect bank of one turn, and a bank of "
        "many turns has its rows in no order of words."
    )


def resist_matrix(files, scores):
    """What stands in the way of M.4."""
    kept_by = {
        kept_label(result): next(iter(result["facts"].values()))
        for name, result in files.items()
        if name.startswith("kept-")
    }
    names = ("M.4, printed", "M.4, no clamp, no decay", "delta rule")
    printed, freed, delta = (kept_by.get(name) for name in names)
    if not printed or not freed or not delta:
        return ""
    if min(delta["4"], freed["4"]) < 0.5 or printed["4"] > 0.1:
        raise NumberError("the sentences on the write of M.4 in repairs_page.py are no longer true")
    words = (
        f"**M.4: the write can be mended, the read returns mixtures.** Four turns later a classifier names {percent(printed['4'])} percent of the towns in the bank of M.4. Without the norm and the decay it names "
        f"{percent(freed['4'])} percent, and with the delta rule in their place ([chapter 7](../notebooks/07_hebbian_and_delta.ipynb)) {percent(delta['4'])} percent. But the read gives each token of the question one "
        "row: the sum of all values that were written, each "
        "weighted by how well its key fits. Such a row is a mixture, however good the matrix is."
    )
    if ("query", "identity") in scores:
        exact = points(scores["query", "identity"]["banks"]["exact"])
        if exact > 0.3:
            raise NumberError("the read of M.4 learns, against repairs_page.py")
        words += f" From the matrix of one single turn, {percent(exact)} percent of the questions are answered after training."
    return words


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
    short = [NAMES[name.split("_")[0]].split(",")[0] for name in one]
    less = (
        "each repair scores less"
        if one.keys() == ten.keys()
        else f"what was measured there scores less ({', '.join(short) or 'nothing yet'})"
    )
    training, low, high = RepairConfig(), *extremes(files, 10)
    return (
        f"**At 10x all repairs remember after 12 turns, and less after 60.** Their memory scores are {low} to {high} points after 12 turns. "
        f"For facts of the last four turns, {'all' if reached == len(ten) else reached} have at least 50 points. At 1x there are fewer rows than tokens, and {less}. "
        f"All of them invent answers to things that were never told.\n\nEach repair was trained for {training.steps} steps of {training.batch} questions on {training.conversations} "
        f"conversations of {training.turns} turns, and asked about {training.tests} other conversations of that length and {training.long_tests} of {training.long_turns} turns."
    )


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
        first_chart(files),
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
        reads(files),
        curves(files),
        resist(files),
        said("repairs_tried"),
        said("repairs_limits"),
        "## Make these numbers yourself",
        "`lmem repairs --out results/repairs` trains and asks all of them, `lmem kept --out results/repairs` fits the classifiers, and `lmem reads --out results/repairs` "
        "trains the reads. All take their settings from the defaults, and each result file names them.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def main(verb=""):
    return write_or_check(verb, page, PAGE, __doc__)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
