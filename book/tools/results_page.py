"""The page of results, made from the files under results/ and the sentences in findings.yml: no number of ours is typed by hand.

python book/tools/results_page.py write    make book/results.md
python book/tools/results_page.py check    say whether it is what the files say
"""

import json
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
FINDINGS, PAGE = ROOT / "book" / "findings.yml", ROOT / "book" / "results.md"
sys.path[:0] = [str(ROOT / "book" / "_ext")]

import result_files as rf  # noqa: E402
from page_numbers import (  # noqa: E402
    check_condition,
    fill,
    read_numbers,
    said,
    shown,
    spread,
    write_or_check,
)

from lmem.evaluation.summary import difference, headline  # noqa: E402
from lmem.evaluation.tables import (  # noqa: E402
    bits,
    condition_texts,
    figure_texts,
    percent,
    render,
    with_mdd,
)
from lmem.experiments.paper import (  # noqa: E402
    MEAN_RECALL,
    TAX_BY_ROWS,
    TITLES,
    comparison_tables,
    table_texts,
)
from lmem.viz import bank_cost, score_plots  # noqa: E402

INTERVAL = r"[-\d.]+(?:\*\*)? \[[-\d.]+,\u00a0[-\d.]+\](?: \(G=\d+\))?"
WRONG_BANKS = {"twin": "the twin's", "other": "another conversation's"}
INTERVALS = "95% t intervals over conversations"


# ---- text ----------------------------------------------------------------------------------------------


def table(rows):
    """Rows of {column: text}, in Markdown; an interval is below its number, so that the columns are narrow."""
    text = re.sub(r"(?<=\d), (?=\d)", ",\u00a0", render(rows, "markdown"))
    text = re.sub(INTERVAL, lambda interval: interval[0].replace(" ", "<br>"), text)
    return text.replace(", MDD ", ",<br>MDD\u00a0")


def upright(rows):
    """A table with its columns as rows: for a few rows of many columns."""
    first, *rest = rows[0]
    return [{first: column} | {row[first]: row[column] for row in rows} for column in rest]


def section(title, parts):
    """A heading and what there is to say, or that it is not run yet."""
    return "\n\n".join([f"## {title}", *(parts or ["Not run yet."])])


def folded(parts):
    """A table and its commands as one part that is folded on the page; nothing stays nothing."""
    head = "~~~{dropdown} The table, and the commands that made it"
    return ["\n\n".join([head, *parts]) + "\n~~~"] if parts else []


def about(backbone, data, questions, seeds, interval=INTERVALS):
    """What every table says of itself."""
    return f"Backbone {backbone}; {data}; {questions}; {seeds}; {interval}."


def written_by(*commands):
    return "Written by\n\n```sh\n" + "\n".join(commands) + "\n```"


def asked(summary):
    return f"{summary['n']} questions in {summary['conversations']} conversations"


def findings(path=FINDINGS, files=None):
    """What was found: the hand-written sentences, each folded over its numbers and the paper, under questions with their charts."""
    parts = []
    for entry in yaml.safe_load(Path(path).read_text(encoding="utf-8"))["findings"]:
        known = read_numbers(entry)
        check_condition(entry, known)
        fields = ("finding", "because", "paper", "comparison")
        finding, because, paper, comparison = (fill(entry, field, known) for field in fields)
        parts += [f"### {entry['section']}"] if "section" in entry else []
        parts += [CHARTS[entry["chart"]](files)] if files and "chart" in entry else []
        said = [because, f"*The paper:* {paper}", f"*Comparison:* {comparison}"]
        parts.append(f"~~~{{dropdown}} {finding}\n" + "\n\n".join(said) + "\n~~~")
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
        "memory score, points": with_mdd(memory, percent, "**"),
        "memory score, bits": with_mdd(cell["bits"], bits, "**"),
    }


def against(cell, cells):
    """A cell's row, and its memory score minus that of the cell that it is compared with."""
    base, change = rf.base_of(cell, cells), rf.change(cell, cells) or {}
    return cell_row(cell) | {
        "against": f"`{base['cell']}`" if base else "-",
        "points": with_mdd(change.get("memory"), percent),
        "bits": with_mdd(change.get("bits"), bits),
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
            "bits over no bank": bits(cell["bits_gained"]),
            "empty answers": percent(cell["empty"]),
            "the paper's recall rate (table 3)": f"{rate:.2f}",
        }
        for cell, rate in zip(cells, rates, strict=True)
    ]
    parts = folded([table(rows), *cells_about(cells)]) if cells else []
    parts += [f"Not run yet: {', '.join(left)}."] if cells and left else []
    return section("The six methods as printed", parts)


def compared(title, files, *kinds):
    """The cells of some kinds, among those that they are compared with."""
    cells = files["cells"]
    chosen = [cell for cell in cells.values() if any(kind(cell) for kind in kinds)]
    bases = [rf.base_of(cell, cells) for cell in chosen]
    compared_cells = [cell for cell in cells.values() if cell in chosen or cell in bases]
    if not compared_cells:
        return section(title, [])
    rows = [against(cell, cells if cell in chosen else {}) for cell in compared_cells]
    return section(title, folded([table(rows), *cells_about(compared_cells)]))


def figure(drawn):
    """A plotly figure as the notebooks show theirs, by the book's own extension."""
    import lmem_book

    drawn = json.loads(drawn.to_json())
    box = lmem_book.box(drawn, drawn["layout"], drawn["layout"]["meta"]["alt"])
    for script in ("plotly.min.js", "lmem_plotly.js"):
        box += f'<script defer src="../_static/{script}"></script>'
    return f"```{{raw}} html\n{box}\n```"


def chart_of_printed(files):
    """Memory scores of the six methods as printed next to that of `recent`, so that the axis is not stretched to nothing."""
    scores = {"recent": {3: headline(files["recent"]["summary"])[0]}}
    for name in rf.METHODS:
        found = {scale: files["cells"].get(f"{name}-{scale}x") for scale in (1, 10)}
        scores[name] = {scale: cell["memory"] for scale, cell in found.items() if cell}
    bars = [
        (name, {k: (m["mean"], m["low"], m["high"]) for k, m in sizes.items()})
        for name, sizes in scores.items()
    ]
    drawn = score_plots.ladder(bars, "recent remembers, the six methods as printed do not")
    drawn.update_traces(mode="markers")
    drawn.layout.meta["alt"] = drawn.layout.meta["alt"].replace(", after each change", "")
    return figure(drawn)


def chart_of_recent(files):
    """Bars of `recent` under the conditions, where the evidence is in the bank."""
    title = "Where recent has the evidence, only the right bank answers"
    return figure(score_plots.conditions(files["recent"]["summary"]["in_bank"], title))


def chart_of_rows(files):
    """The cost of a write and a read by rows, as `lmem bench write` measured it with nano."""
    result = files["bench"]["write-nano"]
    return figure(bank_cost.write_and_read_cost(result["by_rows"], result["bare_ms"], ROWS_TITLE))


def chart_of_reading(files):
    """Bars of what nano answers with the evidence in its input, among turns alike, and from the question alone."""
    read = files["nano"]["reading"]
    names = {
        "with_evidence": "evidence in the input",
        "alike": "among turns alike",
        "without_evidence": "question alone",
    }
    scores = {name: read[key] | {"mean": read[key]["em"]} for key, name in names.items()}
    return figure(score_plots.bars(scores, "nano reads, and answers nothing from the question"))


def chart_of_gains(files):
    """Bits of the six methods as printed over no bank and over the wrong bank."""
    cells = [cell for cell in files["cells"].values() if rf.is_printed(cell) and cell["memory"]]
    cells.sort(key=lambda cell: (cell["label"], cell["scale"]))
    gains = {
        f"{cell['label']}, {cell['scale']:g}x": {
            "over no bank": [cell["bits_gained"]],
            "over the wrong bank": [cell["bits"]],
        }
        for cell in cells
    }
    title = "Bits over no bank are no bits over a wrong bank"
    return figure(score_plots.points(gains, title, "bits gained by the right bank", 1))


def chart_of_changes(files):
    """What each other choice changes in the memory score, one point for each cell, next to the score of `recent`."""
    cells, found = files["cells"], {}
    for name, kind in CHOICES.items():
        changes = [rf.change(cell, cells) for cell in cells.values() if kind(cell)]
        found[name] = {"change of the score": [change["memory"] for change in changes if change]}
    recent = {"recent": {"memory score": [headline(files["recent"]["summary"])[0]]}}
    title = "No other choice is shown to change the memory score"
    return figure(score_plots.points(recent | found, title, "memory score, points", 100))


CHOICES = {
    "shortcut": rf.is_as_run,
    "drawn maps": rf.is_linear,
    "Adam's eps": rf.is_eps,
    "decay": rf.is_decay,
    "start": rf.is_start,
    "rows": rf.is_scaled,
    "row length": rf.is_normalised,
}
CHARTS = {
    "reading": chart_of_reading,
    "printed": chart_of_printed,
    "gains": chart_of_gains,
    "recent": chart_of_recent,
    "changes": chart_of_changes,
    "rows": chart_of_rows,
}


def compared_if_any(title, files, kind):
    """The same; no section without any such cell."""
    some = any(map(kind, files["cells"].values()))
    return [compared(title, files, kind)] if some else []


def is_other(cell):
    """Of no kind that has a section of its own."""
    return not any(kind(cell) for kind in rf.KINDS)


# ---- single files --------------------------------------------------------------------------------------


def zero_rows(files):
    result = files["null_rows"]
    if not result:
        return section("What zero rows cost", [])
    rows = []
    for n, each in result["by_rows"].items():
        evidence, alone = each["evidence"], each["question_only"]
        rows.append(
            {
                "zero rows": n,
                "right, evidence in the input": percent(evidence["em"]),
                "cost, points": with_mdd(evidence["cost"]["em"], percent),
                "cost, bits": with_mdd(evidence["cost"]["bits"], bits),
                "right, question alone": percent(alone["em"]),
                "cost there, bits": with_mdd(alone["cost"]["bits"], bits),
                "the paper's tax, points of F1 (table 5)": TAX_BY_ROWS.get(int(n), "-"),
            }
        )
    same = [
        c for c in files["cells"].values() if (c["data"], c["n"]) == (result["data"], result["n"])
    ]
    questions = f"{result['n']} questions"
    questions += (
        f", as many as in the {same[0]['conversations']} conversations of the sweep" if same else ""
    )
    about_it = about(
        result["backbone"], result["data"], questions, "nothing is trained, so no seeds"
    )
    counts = ",".join(result["by_rows"])
    wrote = f"lmem null-rows --backbone {result['backbone']} --rows {counts} --out {result['path']}"
    return section("What zero rows cost", folded([table(rows), about_it, written_by(wrote)]))


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
    result, title = files["recent"], "`recent` and the control battery"
    if not result:
        return section(title, [])
    summary = result["summary"]
    every = [row for row in result["questions"] if row["answerable"]]
    kept = [row for row in every if row["in_bank"]]
    memory, wrong = headline(summary)
    score = (
        f"Memory score, right bank minus {WRONG_BANKS[wrong]}, points: {with_mdd(memory, percent, '**')}; bits: "
        f"{with_mdd(memory['bits'], bits, '**')}."
    )

    def gap(rows, name):
        gains = [row["right"]["em"] - row[name]["em"] for row in rows]
        return with_mdd(difference(rows, gains), percent) if rows and name != "right" else "-"

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
    what = f"{result['method']}, {result['rows']} rows, one adapter"
    about_it = about(result["backbone"], result["data"], asked(summary), what)
    about_it += "" if "constant" in summary["conditions"] else " The trained constant: not run yet."
    return section(title, [score, *folded([table(rows), about_it, evaluation(result)])])


def nano(files):
    rows, commands = [], []
    for result in files["nano"].values():
        reading = result.get("reading", result)
        n = reading["with_evidence"]["n"]
        rows.append(
            {
                "file": f"`{result['path']}`",
                "of": result.get("what") or result.get("about") or "the shipped nano",
                "evidence in the input": shown(reading["with_evidence"], "percent"),
                "without it": shown(reading["without_evidence"], "percent"),
                "among turns alike": shown(reading["alike"], "percent"),
                "best constant answers": percent(reading["without_evidence"]["best_guess"]),
                "questions": n,
            }
        )
        if "reading" not in result:
            commands.append(f"lmem doctor --questions {n} --out {result['path']}")
    about_it = about(
        "nano",
        "turns of tinyworld in the input, exact match in percent",
        "of conversations that no training drew",
        "one training seed each",
        "95% intervals by Wilson, over questions",
    )
    about_it += " The trials were made with earlier versions of `lmem pretrain`."
    parts = [table(rows), about_it, written_by(*commands)] if rows else []
    return section("What nano reads", folded(parts))


def locomo(files):
    cells = {name: each for name, each in files["locomo"].items() if each["backbone"] == "mini"}
    parts = locomo_on_mini(cells) if cells else []
    for name, result in files["locomo"].items():
        summary = result["summary"]
        if name in cells:
            continue
        if result["backbone"] == "nano":
            parts.append(said("results_locomo", spelled=percent(result["words_spelled_out"])))
        what = f"{result['method']}, {result['rows']} rows, one adapter"
        about_it = about(result["backbone"], result["data"], asked(summary), what)
        about_it += " Percent; bits over no bank; empty answers, answers stuck in repetition, and the share of the most frequent one."
        others = [{"figure": k, "value": v} for k, v in figure_texts(summary).items()]
        parts += folded(
            [table(condition_texts(summary)), about_it, table(others), evaluation(result)]
        )
    return section("LoCoMo", parts)


def locomo_on_mini(files):
    """The published experiment on mini: a row for each cell, its controls, and the paper's tables next to ours."""
    cells = {name.removeprefix("mini-"): each for name, each in files.items()}
    bare = next(each["summary"] for name, each in cells.items() if name.startswith("m0-"))
    memory = {name: headline(each["summary"])[0] for name, each in cells.items()}
    f1, likely = (
        {name: score[measure] for name, score in memory.items() if score}
        for measure in ("f1", "bits")
    )
    most, surest = (max(some, key=lambda name: some[name]["mean"]) for some in (f1, likely))
    trained = [each["training"]["steps"] for each in cells.values() if each.get("training")]
    by_category = bare["locomo"]["oracle"]
    text = said(
        "results_locomo_mini",
        n=bare["n"],
        conversations=bare["conversations"],
        oracle=percent(bare["conditions"]["oracle"]["f1"]),
        single=percent(by_category["4"]),
        baseline=percent(bare["conditions"]["baseline"]["f1"]["mean"]),
        cells=len(f1),
        most=f"`{most}`",
        points=percent(f1[most]),
        surest=f"`{surest}`",
        bits=bits(likely[surest]),
        steps=max(trained, default=0),
    )
    seeds = sorted({each["provenance"]["seed"] for each in cells.values()})
    line = about("mini", "locomo", asked(bare), f"seeds {', '.join(map(str, seeds))}")
    first = {name.rpartition("-s")[0]: each for name, each in reversed(cells.items())}
    parts = [text, table([locomo_row(*cell) for cell in cells.items()]), line]
    parts += [said("results_locomo_controls"), table(control_rows(cells))]
    for title, rows in table_texts(comparison_tables(first)).items():
        found = [table(rows)] if rows else [no_knowledge(cells)] if title == TITLES["4"] else []
        parts += [f"### {title}", *found] if found else []
    return [*parts, written_by(*locomo_commands(cells))]


def no_knowledge(cells):
    """Say that table 4 was not run, and the command that would."""
    command, *_ = locomo_commands({name: each for name, each in cells.items() if "1x" in name})
    given = command.replace("--no-knowledge", "--knowledge")
    given = given.replace("--out mini-locomo ", "--out mini-knowledge ")
    return said("results_no_knowledge", holds=given != command, command=given)


def locomo_row(name, result):
    """A cell on LoCoMo: F1 with three banks, the memory score, the recall rate, and how often it declines category 5."""
    summary = result["summary"]
    conditions, memory = summary["conditions"], headline(summary)[0]
    method, scale = name.split("-")[0], int(result["scale"])
    f1 = [percent(conditions[c]["f1"]["mean"]) if c in conditions else "-" for c in BANKS]
    asked_of = "right" if "right" in conditions else "baseline"
    declined = summary["locomo"][asked_of]["5"]["mean"]
    ours = result["abilities"]["abstention"]["conditions"][asked_of]["unknown"]["mean"]
    printed = MEAN_RECALL.get(scale, {}).get(method)
    rate = summary["forgetting"]["recall_rate"]["mean_of_buckets"] if memory else None
    return {
        "cell": f"`{name}`",
        "F1: right / other / no bank": " / ".join(f1),
        "memory score, points of F1": with_mdd(memory and memory["f1"], percent, "**"),
        "memory score, bits": with_mdd(memory and memory["bits"], bits),
        "recall rate": percent(rate),
        "the paper's": "-" if printed is None else f"{printed:.2f}",
        "category 5 declined: LoCoMo's rule / ours": f"{percent(declined)} / {percent(ours)}",
    }


BANKS = ("right", "other", "none")


def control_rows(cells):
    """F1 of each cell under the conditions that are not in its row."""
    names = [c for each in cells.values() for c in each["summary"]["conditions"]]
    names = [name for name in dict.fromkeys(names) if name not in BANKS]
    rows = []
    for cell, result in cells.items():
        found = result["summary"]["conditions"]
        f1 = {c: percent(found[c]["f1"]["mean"]) if c in found else "-" for c in names}
        rows.append({"cell": f"`{cell}`", **f1})
    return rows


def locomo_commands(cells):
    """The `lmem reproduce` for each setting of the cells, and how the texts of answers were left out."""
    runs = {}
    for name, result in cells.items():
        if "reproduce" in result:
            runs.setdefault(json.dumps(result["reproduce"]), []).append(name)
    lines = []
    for made, names in runs.items():
        settings = json.loads(made)
        switches = [
            f"--{name}" if settings.pop(name) else f"--no-{name}"
            for name in ("constant", "knowledge")
            if name in settings
        ]
        chosen = ",".join(dict.fromkeys(name.split("-")[0] for name in names))
        scales = ",".join(dict.fromkeys(name.split("-")[1][:-1] for name in names))
        options = [f"--{name} {value}" for name, value in settings.items()]
        lines.append(
            f"lmem reproduce --out mini-locomo --methods {chosen} --scales {scales} --data locomo "
            + " ".join([*options, *switches])
        )
    for name, result in cells.items():
        if "reproduce" not in result:
            controls = ",".join(result["summary"]["conditions"])
            lines.append(
                f"lmem evaluate --adapter mini-spans --data locomo --seed {result['provenance']['seed']} "
                f"--controls {controls} --out mini-locomo/{name}.json.gz"
            )
    return [*lines, "lmem publish mini-locomo/*.json.gz --out results/locomo"]


# ---- speed ---------------------------------------------------------------------------------------------


def speed(files):
    """Of the files of `lmem bench`, about_it apart by what they hold."""
    runs, encode, write, lab = (
        {name: result for name, result in files["bench"].items() if key in result}
        for key in ("ratio_by_operations", "turns_per_second", "flat", "by_part")
    )
    parts = []
    if runs:
        parts += [
            "### Training and evaluation",
            table(upright([ratio_row(*one) for one in runs.items()])),
        ]
        parts += [said("plain"), table([row for one in runs.items() for row in time_rows(*one)])]
        parts += [written_by(*map(bench_command, runs.values()))]
    for result in lab.values():
        parts += [f"### The lab: {result['backbone']}", said("results_lab")]
        parts += [table([*map(part_row, result["by_part"])]), f"{machine(result)}."]
        parts += [written_by(bench_command(result, "lab"))]
    if encode:
        parts += ["### Encoding", table([encode_row(*one) for one in encode.items()])]
        parts += [written_by(*(bench_command(one, "encode") for one in encode.values()))]
    for result in write.values():
        parts += [
            f"### Writing: {result['backbone']}",
            table(turn_rows(result)),
            table(size_rows(result)),
        ]
        about_it = f"{machine(result)}. Milliseconds, medians of {result['repeats']} repeats"
        parts += [f"{about_it}; the same question without a bank takes {result['bare_ms']:.2f}."]
        parts += [written_by(bench_command(result, "write"))]
    return section("Speed", parts)


ROWS_TITLE = "What a write and a read cost by the bank's rows"


def ratio_row(name, result):
    ratio, bare = result["ratio"]["plain"], result["ratio"]["unpadded"]
    operations, floor = result["ratio_by_operations"], result["floor"]
    epochs = f", {result['epochs']} epochs" if "epochs" in result else ""
    return {
        "file": f"`{name}`",
        "backbone": result["backbone"],
        "machine": machine(result),
        "work": f"{result['what']}, {result['method']}, {result['data']}: {result['questions']} questions in {result['conversations']} "
        f"conversations, {result['turns']} turns{epochs}",
        "repeats": result["repeats"],
        "plain over engine": f"**{spread(ratio)}**",
        "by operations": f"{operations['plain']:.1f}",
        "by padding alone": f"{ratio['median'] / bare['median']:.1f}",
        "without padding": spread(bare),
        "the same by operations": f"{operations['unpadded']:.1f}",
        "engine over the floor": f"{floor['engine_over_floor']:.1f}",
    }


def part_row(row):
    return {
        "part": row["part"],
        "seconds": f"{row['seconds']:.0f}",
        "aim": f"{row['aim']}" + ("" if row["met"] else ", missed"),
        "the plain way": f"{row['plain_seconds']:,}",
        "times as fast": f"{row['times']:.1f}",
    }


def time_rows(name, result):
    last = list(result["counts"]["engine"])[-1]  # "question" in training, "answer" in evaluation
    for way, units in result["seconds"].items():
        shares = {unit: spread(units[unit]) for unit in ("encode", "write")}
        apart = {"latents of questions": spread(units["latents"]) if "latents" in units else "-"}
        rest = {"questions": spread(units[last]), "total": spread(units["total"])}
        yield {"file": f"`{name}`", "way": way, **shares, **apart, **rest}


def machine(result):
    made = result["provenance"]["machine"]
    return (
        f"{made['processor']}, {made['threads']} threads"
        if made["device"] == "cpu"
        else made["device"]
    )


def bench_command(result, verb=None):
    """The `lmem bench` that wrote a file, as far as it says: not the sizes of the samples."""
    shape = result["backbone"].removesuffix(", random weights")
    parts = [f"lmem bench {verb or {'training': 'train', 'evaluation': 'eval'}[result['what']]}"]
    parts += [f"--{'backbone' if shape == result['backbone'] else 'shape'} {shape}"]
    parts += [f"--data {result['data'].split(',')[0]}"] if "data" in result else []
    parts += [f"--conversations {result['conversations']}"] if "conversations" in result else []
    parts += [f"--repeats {result['repeats']}"] if "repeats" in result else []
    return " ".join([*parts, f"--out {result['path']}"])


def encode_row(name, result):
    rates = result["turns_per_second"]
    return {
        "file": f"`{name}`",
        "backbone": result["backbone"],
        "machine": machine(result),
        "turns": f"{result['turns']} of {result['data']}",
        "turns a second, in batches": spread(rates["batched"]),
        "one by one, padded": spread(rates["plain"]),
        "ratio": f"**{spread(result['ratio'])}**",
        "greatest difference of latents": f"{result['difference']:.0e}",
    }


def turn_rows(result):
    """What a turn, its write and a read cost after the fewest and after the most turns."""
    for_rule = {}
    for row in result["by_turns"]:
        for_rule.setdefault(row["write"], []).append(row)
    columns = {"turn_ms": "a turn", "write_ms": "its write", "read_ms": "a read"}
    return [
        {"write": f"`{rule}`", "after turns": f"{rows[0]['turns']}, then {rows[-1]['turns']}"}
        | {
            title: f"{rows[0][key]:.2f}, then {rows[-1][key]:.2f}: {result['flat'][rule][key]:.2f} times"
            for key, title in columns.items()
        }
        for rule, rows in for_rule.items()
    ]


def size_rows(result):
    """What a write and a read cost by the bank's rows."""
    sizes, lines = sorted({row["rows"] for row in result["by_rows"]}), {}
    for row in result["by_rows"]:
        what = f"{row['kind']} `{row['name']}`"
        line = lines.setdefault(what, {"bank of": what} | {f"{n} rows": "-" for n in sizes})
        line[f"{row['rows']} rows"] = f"{row['ms']:.2f}"
    return list(lines.values())


# ---- the page ------------------------------------------------------------------------------------------


def load(root):
    """All result files of a folder by their kind.

    Returns {"cells": see `result_files.load_cells`, "recent" and "null_rows": a result or None, "nano", "locomo", "bench":
    {name: result}}.
    """
    tinyworld = root / "tinyworld"
    single = {
        name: next(iter(rf.load_results(tinyworld, name).values()), None)
        for name in ("recent", "null-rows")
    }
    locomo = rf.load_results(root / "locomo")
    return {
        "cells": rf.load_cells(tinyworld),
        "recent": single["recent"],
        "null_rows": single["null-rows"],
        "nano": rf.load_results(root / "nano"),
        "locomo": {name: result for name, result in locomo.items() if "summary" in result},
        "bench": rf.load_results(root / "bench"),
    }


def tables(files):
    """The sections below the findings, from the result files."""
    return [
        as_printed(files),
        compared("The paper's shortcut and the printed equations", files, rf.is_as_run),
        *compared_if_any("How the released code draws its maps", files, rf.is_linear),
        *compared_if_any("Adam's eps", files, rf.is_eps),
        compared("Decay", files, rf.is_decay),
        compared("Where a bank starts", files, rf.is_start),
        compared("Capacity", files, rf.is_scaled, rf.is_normalised),
        *compared_if_any("Other cells", files, is_other),
        zero_rows(files),
        battery(files),
        nano(files),
        locomo(files),
        speed(files),
    ]


def page(root):
    """The text of book/results.md."""
    files = load(root)
    parts = [said("head"), findings(files=files), said("appendix").replace("# ", "## ", 1)]
    return "\n\n".join([*parts, *tables(files)]) + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check(page, PAGE, __doc__, *sys.argv[1:]))
