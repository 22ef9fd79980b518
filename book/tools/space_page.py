"""The page of the design space: every write with every read, and what is known of the pair, from the result files.

python book/tools/space_page.py write    make book/design_space.md
python book/tools/space_page.py check    say whether it is what the files say
"""

import json
import sys
from html import escape
from pathlib import Path

from page_numbers import said, write_or_check

from lmem.evaluation import results
from lmem.evaluation.tables import percent
from lmem.experiments.aggregate import group_by_seed, mean_gain
from lmem.experiments.repairs import REPAIRS
from lmem.memory import methods
from lmem.memory.read import READS
from lmem.memory.write import WRITES
from lmem.viz.design_space import SITES
from lmem.viz.live.site import known_adapters
from lmem.viz.live.words import METHODS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "book" / "design_space.md"

SCALES = (1, 10)
SHIPPED = {  # evaluated as it comes with the package: result file, scale
    "recent+branch": ("tinyworld/recent", 1),
    "spans+copying": ("mini/spans-10x", 10),
}
WHERE = {
    site: "between encoder and decoder" if name == "between" else name
    for site, (name, _) in SITES.items()
}
LADDER = {"recent+extension": ("kept", "untrained"), "keyed+recall": ("keyed", "trained")}


def cells(root):
    """{pair: {variant: {scale: "score, over N turns"}}}, from the files under results."""
    found = {}
    printed = {method.name: method.aliases[0] for method in methods.METHODS if method.aliases}
    for pair in (method.name for method in methods.grid()):
        found[pair] = {
            "as printed": groups(root / "tinyworld", lambda name, p=pair: name == printed.get(p)),
            "repaired": groups(root / "repairs", lambda name, p=pair: is_repair(name, p)),
        }
    for pair, (step, kind) in LADDER.items():
        found[pair][kind] = groups(root / "beyond", lambda name, s=step: name == s)
    for pair, (name, scale) in SHIPPED.items():
        result = results.load(name)
        kind = "trained" if result["backbone"] == "nano" else f"trained, on {result['backbone']}"
        found[pair] = {kind: {scale: score([result])}}
    return {
        pair: {kind: scores for kind, scores in kinds.items() if scores}
        for pair, kinds in found.items()
    }


def groups(folder, chosen):
    """{scale: score} of the cells of a folder whose name is chosen, without options and over all seeds."""
    files = group_by_seed(sorted(folder.glob("*.json.gz")))
    return {
        int(group.scale): score([results.load(path) for path in seeds.values()])
        for group, seeds in files.items()
        if group.scale in SCALES and not group.options and chosen(group.method)
    }


def score(seeds):
    """A score as text."""
    return f"{percent(mean_gain(seeds))} over {seeds[0]['data'].split(', ')[1]}"


def is_repair(name, pair):
    return any(
        r.name == name and r.changes and methods.find(r.repaired_method).name == pair
        for r in REPAIRS
    )


def command(method, kind):
    """What gives a pair its score, with {scale} to fill in."""
    if kind == "repaired":
        [name] = [repair.name for repair in REPAIRS if is_repair(repair.name, method.name)]
        return f"lmem repairs --out my-results --names {name} --scales {{scale}}"
    train = f"lmem train --out my-memory --method {method.name} --scale {{scale}}"
    evaluate = "lmem evaluate --adapter my-memory"
    if method.write == "spans":
        train += " --backbone mini --data everyday"
        evaluate += " --data everyday --turns 600"
    return f"{train}\n{evaluate}"


def adapters():
    """{(pair, variant): [adapter, its sizes in the browser]}."""
    sizes = {entry["adapter"]: [scale for scale, _ in entry["sizes"]] for entry in METHODS}
    ours = {*LADDER, *SHIPPED}
    kind = lambda about: (  # noqa: E731
        "repaired" if about["name"].endswith("repaired")
        else "trained" if about["method"] in ours else "as printed"
    )  # fmt: skip
    return {
        (about["method"], kind(about)): [about["name"], sizes[about["name"]]]
        for about in known_adapters()
        if about["name"] in sizes
    }


def page(root):
    """The text of book/design_space.md."""
    known, runs, rows = cells(root), adapters(), []
    for method in methods.grid():
        site = WHERE[READS[method.read].site]
        name = f" ({method.aliases[0]})" if method.aliases else ""
        for kind, scores in (known[method.name] or {"": {}}).items():
            adapter, sizes = runs.get((method.name, kind), ("", []))
            columns = [scores.get(scale, "no score yet") for scale in SCALES]
            about = {"write": method.write, "read": method.read, "site": site, "kind": kind}
            about |= {"name": method.aliases[0] if method.aliases else "", "adapter": adapter}
            about["sizes"] = " ".join(map(str, sizes))
            about["elsewhere"] = "the first page" if method.write == "spans" else ""
            about["command"] = command(method, kind) if len(scores) < len(SCALES) else ""
            data = " ".join(
                f'data-{key}="{escape(value).replace(chr(10), "&#10;")}"'
                for key, value in about.items()
                if value
            )
            label = f"{method.write} + {method.read}{name}" + (f", {kind}" if kind else "")
            rows.append(
                f"<tr {data}><td>{label.replace('_', ' ')}</td><td>{site}</td>"
                + "".join(f"<td>{score}</td>" for score in columns)
                + f"<td>{'yes' if adapter else 'no'}</td></tr>"
            )
    forms = {name: kind.form for name, kind in {**WRITES, **READS}.items()}
    sites = {name: WHERE[kind.site] for name, kind in READS.items() if not kind.shortcut}
    box = f"data-forms='{json.dumps(forms)}' data-sites='{json.dumps(sites)}'"
    tried = sum(map(bool, known.values()))
    return "\n".join(
        [
            said("space", tried=tried, pairs=len(known)),
            "",
            f'<div class="lmem-live" data-piece="space" data-model="nano" {box}>',
            '<table class="table">',
            "<caption>Every pair that fits: the memory score at both sizes, and whether it runs in the browser</caption>",
            "<thead><tr><th>write + read</th><th>enters</th><th>1x: 64 rows</th><th>10x: 640 rows</th><th>runs here</th></tr></thead>",
            "<tbody>",
            *rows,
            "</tbody>",
            "</table>",
            "<noscript><p>With JavaScript this becomes a map, and pairs run in the page.</p></noscript>",
            "</div>",
            "",
            said("space_meaning"),
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(write_or_check(page, PAGE, __doc__, *(sys.argv[1:] or ["check"])))
