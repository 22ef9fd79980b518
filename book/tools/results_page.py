"""The page of results, made from the files under results/: no number of ours on it is typed by hand.

python book/tools/results_page.py write    make book/results.md anew
python book/tools/results_page.py check    say whether it is what the files say
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "book" / "results.md"
sys.path[:0] = [str(ROOT / "book" / "tools"), str(ROOT / "book" / "_ext")]

import result_files as rf  # noqa: E402
from findings import FINDINGS, WRONG, spread  # noqa: E402

from lmem.evaluation.summary import difference, headline  # noqa: E402
from lmem.evaluation.tables import bits, percent, printed_conditions, printed_figures, scored  # noqa: E402
from lmem.experiments.paper import MEAN_RECALL, TAX_BY_ROWS  # noqa: E402

HEAD = """\
# Results

% Made by book/tools/results_page.py from the files under results/. Do not edit it: make it anew.

A program makes this page from the result files, its sentences too: the numbers choose them.

```{admonition} What these numbers are of
:class: important
Nearly all are of `nano`, a small T5, on generated conversations, tinyworld; the paper's are of Flan-T5-XL on LoCoMo. What is shown
here holds here. It says what a score proves, not what a larger model would score.
```

The headline is always the **memory score**: right bank minus wrong bank, question by question. On tinyworld the wrong bank is that of
the twin, a conversation of the same turns and questions with other values. The score is given in points of exact match and in bits of
the right answer's likelihood, with its 95% interval over conversations, and with the smallest difference that 4 of 5 such experiments
would find (MDD). Seeds are averaged question by question; the lowest and the highest stand beside, for the interval does not hold
their spread. Intervals are not corrected for their number: where nothing differs, 1 in 20 misses 0 by chance. An interval of 0 at both
ends says that no conversation differed from another, not that none could; there is then no MDD. *Bits over no bank* are shown in order
to be distrusted: see below what noise gains."""
INTERVAL = r"[-\d.]+(?:\*\*)? \[[-\d.]+, [-\d.]+\]"
BOOTSTRAP = "95% intervals by bootstrap over conversations"


# ---- text ----------------------------------------------------------------------------------------------


def table(rows):
    """Rows of {column: text}, in Markdown."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(row.values() for row in rows)]
    return "\n".join(f"| {' | '.join(map(whole, line))} |" for line in lines)


def whole(cell):
    """A cell's text; a number and its interval stay on one line."""
    return re.sub(INTERVAL, lambda found: found[0].replace(" ", "\u00a0"), str(cell))


def upright(rows):
    """A table with its columns as rows: for a few rows of many columns."""
    first, *rest = rows[0]
    return [{first: column} | {row[first]: row[column] for row in rows} for column in rest]


def section(title, parts):
    """A heading and what there is to say, or that it is not run yet."""
    return "\n\n".join([f"## {title}", *(parts or ["Not run yet."])])


def about(backbone, data, questions, seeds, interval=BOOTSTRAP):
    """What every table says of itself."""
    return f"Backbone {backbone}; {data}; {questions}; {seeds}; {interval}."


def written_by(*commands):
    return "Written by\n\n```sh\n" + "\n".join(commands) + "\n```"


def asked(summary):
    return f"{summary['n']} questions in {summary['conversations']} conversations"


def found(files):
    """What was found, and what is not measured yet."""
    known, unknown = [], []
    for finding in FINDINGS:
        one = finding(files)
        if one.verdict is None:
            unknown.append(f"- {one.lead} *The paper:* {one.paper}")
        else:
            known.append(
                f"1. **{one.lead}** {one.numbers}\n   - *The paper:* {one.paper}\n   - *Beside it:* {one.verdict}."
            )
    parts = ["\n".join(known)] if known else []
    parts += ["Not measured yet:\n\n" + "\n".join(unknown)] if unknown else []
    return section("What was found", parts)


# ---- cells of the sweep --------------------------------------------------------------------------------


def cell_row(cell):
    """A cell's row."""
    memory, seeds = cell["memory"], str(len(cell["seeds"]))
    rows, answered = cell["rows"], f"no bank: {percent(cell['baseline'])}"
    size = f"{rows} x {rows}" if cell["method"].endswith("query") else f"{rows} rows"
    if memory:
        answered = f"{percent(cell['right'])} / {percent(cell['wrong'])} {cell['wrong_bank']}"
        lowest, highest = map(percent, cell["spread"])
        seeds += f": {lowest} to {highest}" if len(cell["seeds"]) > 1 else ""
    return {
        "cell": f"`{cell['cell']}`" + (f", {size}" if memory else ""),
        "seeds": seeds,
        "right / wrong bank": answered,
        "memory score, points": scored(memory, percent, "**"),
        "memory score, bits": scored(cell["bits"], bits, "**"),
        "bits over no bank": bits(cell["bits_gained"]),
    }


def against(cell, base):
    """A cell's row, and its memory score minus that of the cell that it is compared with."""
    apart = [rf.contrast(cell, base, measure) for measure in ("em", "bits")]
    return cell_row(cell) | {
        "against": f"`{base['cell']}`" if base else "-",
        "points": scored(apart[0], percent),
        "bits": scored(apart[1], bits),
    }


def cells_about(cells):
    """What the table says of itself, and the commands that wrote its cells."""
    kinds, runs = {}, {}
    for cell in [cell for cell in cells if cell["steps"]] or cells:  # m0 is not trained
        steps = f"{cell['steps']} training steps" if cell["steps"] else "nothing is trained"
        seeds = f"{steps}, seeds {', '.join(map(str, cell['seeds']))}"
        said = about(cell["backbone"], cell["data"], asked(cell), seeds)
        kinds.setdefault(said, []).append(cell)
    for cell in cells:
        run = (cell["seeds"], cell["scale"], cell["options"], cell["settings"])
        runs.setdefault(json.dumps(run), []).append(cell)
    lines = [f"- {', '.join(c['cell'] for c in some)}: {kind}" for kind, some in kinds.items()]
    lines = list(kinds) if len(kinds) == 1 else lines
    return ["\n".join(lines), written_by(*map(sweep_command, runs.values()))]


def sweep_command(cells):
    """The `lmem sweep` that writes cells that differ in their method only."""
    first = cells[0]
    parts = [
        "lmem sweep --out results/tinyworld",
        f"--methods {','.join(c['label'] for c in cells)}",
    ]
    parts += [f"--scales {first['scale']:g}", f"--seeds {','.join(map(str, first['seeds']))}"]
    for name, given in first["options"].items():
        parts += [f"--{name} {','.join(assigned(given))}"] if given else []
    return " ".join(parts + [f"--set {one}" for one in assigned(first["settings"])])


def assigned(values):
    return [f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in values.items()]


def as_printed(files):
    cells = [cell for cell in files["cells"].values() if rf.is_printed(cell)]
    cells.sort(key=lambda cell: (cell["scale"], cell["label"]))
    wanted = ["m0-1x", *(f"{m}-{scale}x" for scale in (1, 10) for m in rf.METHODS)]
    left = [name for name in wanted if name not in files["cells"]]
    rates = [MEAN_RECALL[cell["scale"]].get(cell["label"], 0.0) for cell in cells]
    rows = [
        cell_row(cell)
        | {
            "empty answers": percent(cell["empty"]),
            "the paper's recall rate (table 3)": f"{rate:.2f}",
        }
        for cell, rate in zip(cells, rates, strict=True)
    ]
    parts = [table(rows), *cells_about(cells)] if cells else []
    parts += [f"Not run yet: {', '.join(left)}."] if cells and left else []
    return section("The six methods as printed", parts)


def compared(title, files, *kinds, drawn=None):
    """The cells of some kinds, among those that they are compared with.

    drawn  a function of them that gives a figure's text
    """
    cells = files["cells"]
    chosen = [cell for cell in cells.values() if any(kind(cell) for kind in kinds)]
    bases = {cell["cell"]: rf.base_of(cell, cells) for cell in chosen}
    shown = set(bases) | {base["cell"] for base in bases.values() if base}
    shown = [cell for name, cell in cells.items() if name in shown]
    if not shown:
        return section(title, [])
    rows = [against(cell, bases.get(cell["cell"])) for cell in shown]
    picture = drawn(shown) if drawn else None
    return section(title, [table(rows), *([picture] if picture else []), *cells_about(shown)])


def curves(cells):
    """Memory score by scale, where a curve has two points or more."""
    from lmem.viz import score_plots as figures

    found = {}
    for cell in sorted(cells, key=lambda cell: cell["scale"]):
        name = cell["label"] + (", normalised" if rf.options(cell) else "")
        found.setdefault(name, []).append(cell)
    found = {name: line for name, line in found.items() if len(line) > 1}
    if not found:
        return None
    return figure(figures.capacity(found, "memory score by the size of the bank"))


def figure(drawn):
    """A plotly figure as the notebooks show theirs, by the book's own extension."""
    import lmem_book

    drawn = json.loads(drawn.to_json())
    box = lmem_book.box(drawn, drawn["layout"], drawn["layout"]["meta"]["alt"])
    for script in ("plotly.min.js", "lmem_plotly.js"):
        box += f'<script defer src="../_static/{script}"></script>'
    return f"```{{raw}} html\n{box}\n```"


def others(files):
    """Cells of no kind above; no section without any."""

    def unknown(cell):
        return not any(kind(cell) for kind in rf.KINDS)

    some = any(unknown(cell) for cell in files["cells"].values())
    return [compared("Other cells", files, unknown)] if some else []


# ---- single files --------------------------------------------------------------------------------------


def zero_rows(files):
    found = files["null_rows"]
    if not found:
        return section("What zero rows cost", [])
    rows = []
    for n, each in found["by_rows"].items():
        evidence, alone = each["evidence"], each["question_only"]
        rows.append(
            {
                "zero rows": n,
                "right, evidence in the input": percent(evidence["em"]),
                "cost, points": scored(evidence["cost"]["em"], percent),
                "cost, bits": scored(evidence["cost"]["bits"], bits),
                "right, question alone": percent(alone["em"]),
                "cost there, bits": scored(alone["cost"]["bits"], bits),
                "the paper's tax, points of F1 (table 5)": TAX_BY_ROWS.get(int(n), "-"),
            }
        )
    same = [
        c for c in files["cells"].values() if (c["data"], c["n"]) == (found["data"], found["n"])
    ]
    questions = f"{found['n']} questions"
    questions += (
        f", as many as in the {same[0]['conversations']} conversations of the sweep" if same else ""
    )
    told = about(found["backbone"], found["data"], questions, "nothing is trained, so no seeds")
    counts = ",".join(found["by_rows"])
    wrote = f"lmem null-rows --backbone {found['backbone']} --rows {counts} --out {found['path']}"
    return section("What zero rows cost", [table(rows), told, written_by(wrote)])


def evaluation(result):
    """The command that wrote a file of `lmem evaluate`, as far as the file says: not where the adapters lay."""
    given, names = result["settings"], result["summary"]["conditions"]
    parts = ["lmem evaluate"]
    parts += ["--adapter ADAPTER"] if result["method"] != "recent+branch" else []
    parts += [f"--data {result['data']}"] if not result["data"].startswith("tinyworld") else []
    parts += ["--controls all"] if "shuffled" in names else []
    parts += ["--constant CONSTANT"] if "constant" in names else []
    parts += [f"--budget {given['budget']}"] if "budget" in given else []
    parts += ["--knowledge"] if given.get("knowledge") else []
    return written_by(" ".join([*parts, f"--out {result['path']}"]))


def battery(files):
    """`recent` under every condition, and right minus each of them."""
    found, title = files["recent"], "`recent` and the control battery"
    if not found:
        return section(title, [])
    summary = found["summary"]
    every = [row for row in found["questions"] if row["answerable"]]
    kept = [row for row in every if row["in_bank"]]
    memory, wrong = headline(summary)
    score = (
        f"Memory score, right bank minus {WRONG[wrong]}, points: {scored(memory, percent, '**')}; bits: "
        f"{scored(memory['bits'], bits, '**')}."
    )

    def gap(rows, name):
        gains = [row["right"]["em"] - row[name]["em"] for row in rows]
        return scored(difference(rows, gains), percent) if rows and name != "right" else "-"

    rows = [
        {
            "condition": name,
            "right answers": percent(each["em"]),
            "right bank minus it, points": gap(every, name),
            f"where the evidence is in the bank ({len(kept)})": gap(kept, name),
            "bits over no bank": bits(each.get("bits_gained")),
            "the twin's answer": percent(each.get("follows")),
            "all evidence in the text": percent(each.get("in_text")),
        }
        for name, each in summary["conditions"].items()
    ]
    what = f"{found['method']}, {found['rows']} rows, one adapter"
    told = about(found["backbone"], found["data"], asked(summary), what)
    told += "" if "constant" in summary["conditions"] else " The trained constant: not run yet."
    return section(title, [score, table(rows), told, evaluation(found)])


def nano(files):
    rows = [
        {
            "file": f"`{found['path']}`",
            "of": found.get("what") or found.get("about") or "the shipped nano",
            "evidence in the input": percent(found["with_evidence"]),
            "without it": percent(found["without_evidence"]),
            "among turns alike": percent(found["alike"]),
            "best constant answers": percent(found["without_evidence"]["best_guess"]),
            "questions": found["with_evidence"]["n"],
        }
        for found in files["nano"].values()
    ]
    told = about(
        "nano", "turns of tinyworld in the input, exact match in percent", "of conversations that no training drew",
        "one training seed each", "95% intervals by Wilson, over questions",
    )  # fmt: skip
    told += " The trials are by `lmem pretrain` as it was then."
    wrote = [
        f"lmem doctor --questions {found['with_evidence']['n']} --out {found['path']}"
        for found in files["nano"].values()
        if "reading" not in found
    ]
    return section("What nano reads", [table(rows), told, written_by(*wrote)] if rows else [])


def locomo(files):
    parts = []
    for found in files["locomo"].values():
        summary = found["summary"]
        if found["backbone"] == "nano":
            parts.append(
                "**A proof of the path, no measurement of a method**: everything was run from the release's file to the score, but nano "
                f"does not know this English and spells {percent(found['words_spelled_out'])} percent of its words in pieces."
            )
        what = f"{found['method']}, {found['rows']} rows, one adapter"
        told = about(found["backbone"], found["data"], asked(summary), what)
        told += " Percent; bits over no bank; empty answers, answers stuck in repetition, and the share of the most frequent one."
        figures = [{"figure": k, "value": v} for k, v in printed_figures(summary).items()]
        parts += [table(printed_conditions(summary)), told, table(figures), evaluation(found)]
    return section("LoCoMo", parts)


# ---- speed ---------------------------------------------------------------------------------------------


def speed(files):
    """Of the files of `lmem bench`, told apart by what they hold."""
    runs, encode, write = (
        {name: found for name, found in files["bench"].items() if key in found}
        for key in ("ratio_by_operations", "turns_per_second", "flat")
    )
    parts = []
    if runs:
        parts += [
            "### Training and evaluation",
            table(upright([ratio_row(*one) for one in runs.items()])),
        ]
        parts += [PLAIN, table([row for one in runs.items() for row in time_rows(*one)])]
        parts += [written_by(*map(bench_command, runs.values()))]
    if encode:
        parts += ["### Encoding", table([encode_row(*one) for one in encode.items()])]
        parts += [written_by(*(bench_command(one, "encode") for one in encode.values()))]
    for found in write.values():
        parts += [
            f"### Writing: {found['backbone']}",
            table(turn_rows(found)),
            rows_figure(found),
            table(size_rows(found)),
        ]
        told = f"{machine(found)}. Milliseconds, medians of {found['repeats']} repeats"
        parts += [f"{told}; the same question without a bank takes {found['bare_ms']:.2f}."]
        parts += [written_by(bench_command(found, "write"))]
    return section("Speed", parts)


PLAIN = (
    "The plain way does one conversation, turn and question at a time, pads every text to 384 tokens, and encodes and writes every turn "
    "in every epoch. Medians; in brackets the least and the greatest of the repeats, which is a spread and no confidence interval. Costs "
    "of pieces, timed in turn, times the counts of the whole run. The floor is the questions' own decoder passes, one by one, at the "
    "rate of this machine's matrix product; the engine's operations of a training question are counted as it does them, with what is "
    "padded, and with a bank's keys and values made once for all questions of a batch that read it. In training the engine encodes each "
    "question once, the plain way in every epoch, as part of the question. Where the time goes, in seconds:"
)


def ratio_row(name, found):
    ratio, bare = found["ratio"]["plain"], found["ratio"]["unpadded"]
    operations, floor = found["ratio_by_operations"], found["floor"]
    epochs = f", {found['epochs']} epochs" if "epochs" in found else ""
    return {
        "file": f"`{name}`",
        "backbone": found["backbone"],
        "machine": machine(found),
        "work": f"{found['what']}, {found['method']}, {found['data']}: {found['questions']} questions in {found['conversations']} "
        f"conversations, {found['turns']} turns{epochs}",
        "repeats": found["repeats"],
        "plain over engine": f"**{spread(ratio)}**",
        "by operations": f"{operations['plain']:.1f}",
        "by padding alone": f"{ratio['median'] / bare['median']:.1f}",
        "without padding": spread(bare),
        "the same by operations": f"{operations['unpadded']:.1f}",
        "engine over the floor": f"{floor['engine_over_floor']:.1f}",
    }


def time_rows(name, found):
    last = list(found["counts"]["engine"])[-1]  # "question" in training, "answer" in evaluation
    for way, units in found["seconds"].items():
        shares = {unit: spread(units[unit]) for unit in ("encode", "write")}
        apart = {"latents of questions": spread(units["latents"]) if "latents" in units else "-"}
        rest = {"questions": spread(units[last]), "total": spread(units["total"])}
        yield {"file": f"`{name}`", "way": way, **shares, **apart, **rest}


def machine(found):
    made = found["provenance"]["machine"]
    return (
        f"{made['processor']}, {made['threads']} threads"
        if made["device"] == "cpu"
        else made["device"]
    )


def bench_command(found, verb=None):
    """The `lmem bench` that wrote a file, as far as it says: not the sizes of the samples."""
    shape = found["backbone"].removesuffix(", random weights")
    parts = [f"lmem bench {verb or {'training': 'train', 'evaluation': 'eval'}[found['what']]}"]
    parts += [f"--{'backbone' if shape == found['backbone'] else 'shape'} {shape}"]
    parts += [f"--data {found['data'].split(',')[0]}"] if "data" in found else []
    parts += [f"--conversations {found['conversations']}"] if "conversations" in found else []
    parts += [f"--repeats {found['repeats']}"] if "repeats" in found else []
    return " ".join([*parts, f"--out {found['path']}"])


def encode_row(name, found):
    rates = found["turns_per_second"]
    return {
        "file": f"`{name}`",
        "backbone": found["backbone"],
        "machine": machine(found),
        "turns": f"{found['turns']} of {found['data']}",
        "turns a second, in batches": spread(rates["batched"]),
        "one by one, padded": spread(rates["plain"]),
        "ratio": f"**{spread(found['ratio'])}**",
        "greatest difference of latents": f"{found['difference']:.0e}",
    }


def turn_rows(found):
    """What a turn, its write and a read cost after the fewest and after the most turns."""
    for_rule = {}
    for row in found["by_turns"]:
        for_rule.setdefault(row["write"], []).append(row)
    columns = {"turn_ms": "a turn", "write_ms": "its write", "read_ms": "a read"}
    return [
        {"write": f"`{rule}`", "after turns": f"{rows[0]['turns']}, then {rows[-1]['turns']}"}
        | {
            title: f"{rows[0][key]:.2f}, then {rows[-1][key]:.2f}: {found['flat'][rule][key]:.2f} times"
            for key, title in columns.items()
        }
        for rule, rows in for_rule.items()
    ]


def rows_figure(found):
    from lmem.viz import bank_cost

    return figure(
        bank_cost.write_and_read_cost(
            found["by_rows"], found["bare_ms"], "a write and a read by the bank's rows"
        )
    )


def size_rows(found):
    """What a write and a read cost by the bank's rows."""
    sizes, lines = sorted({row["rows"] for row in found["by_rows"]}), {}
    for row in found["by_rows"]:
        what = f"{row['kind']} `{row['name']}`"
        line = lines.setdefault(what, {"bank of": what} | {f"{n} rows": "-" for n in sizes})
        line[f"{row['rows']} rows"] = f"{row['ms']:.2f}"
    return list(lines.values())


# ---- the page ------------------------------------------------------------------------------------------


def page(root):
    """The text of book/results.md, from the result files below `root`."""
    files = rf.load(root)
    parts = [
        HEAD,
        found(files),
        as_printed(files),
        compared("The paper's shortcut beside the printed equations", files, rf.is_as_run),
        compared("Decay", files, rf.is_decay),
        compared("Where a bank starts", files, rf.is_start),
        compared("Capacity", files, rf.is_scaled, rf.is_normalised, drawn=curves),
        *others(files),
        zero_rows(files),
        battery(files),
        nano(files),
        locomo(files),
        speed(files),
    ]
    return "\n\n".join(parts) + "\n"


def write_or_check(verb, page, path, usage):
    """Write a generated page anew, or check that it is what its files say; returns the exit code."""
    if verb not in ("write", "check"):
        print(usage)
        return 2
    text = page(ROOT / "results")
    if verb == "write":
        path.write_text(text, encoding="utf-8")
        print(f"written: {path.relative_to(ROOT)}")
        return 0
    same = path.is_file() and path.read_text(encoding="utf-8") == text
    print(
        "as the files say" if same else f"not as the files say: make {path.name} anew with `write`"
    )
    return int(not same)


def main(verb=""):
    return write_or_check(verb, page, PAGE, __doc__)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
