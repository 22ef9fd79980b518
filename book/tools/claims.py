"""The claims ledger: what the paper claims, our verdict, and the evidence, every number read from a file.

python book/tools/claims.py write    make book/claims.md out of book/claims.yml
python book/tools/claims.py check    say whether the page is what the ledger and the files say

A claim has a place, our words, a verdict, where the evidence comes from, a reason with {numbers} in it, and the evidence itself.
A number says where it is read:
    {file: tinyworld/recent, at: summary/n}     a result file, and the way to the value in it
    {cell: m6-1x, at: bits}                     a cell of the sweep, over its seeds (`result_files`)
    {paper: RECALL/10/m3/0}                     what the paper prints (`lmem.experiments.paper`)
    {count: m2/1/trainable}                     method, scale and column of `lmem methods --shape flan-t5-xl`
    {default: "lmem.memory.write.base:Write/gamma"}    a default of the package
    {setting: lr}                               the paper's settings (`TrainConfig.paper`)
    {calc: "1 - a / b"}                         arithmetic on the numbers before it
and with `as` how it is shown: percent, bits, count, or else plain. `stands_if` is what must hold of the numbers for the verdict
to stand: when a new result breaks it, the build fails and a person decides anew.
"""

import ast
import importlib
import inspect
import math
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import yaml

ROOT = Path(__file__).parents[2]
LEDGER, PAGE = ROOT / "book" / "claims.yml", ROOT / "book" / "claims.md"
sys.path.insert(0, str(ROOT / "book" / "tools"))

import result_files  # noqa: E402

from lmem.errors import DataError  # noqa: E402
from lmem.evaluation import results  # noqa: E402
from lmem.evaluation.tables import bits, percent  # noqa: E402
from lmem.experiments import paper  # noqa: E402
from lmem.memory import methods  # noqa: E402
from lmem.metrics import forgetting, statistics  # noqa: E402
from lmem.training.train import TrainConfig  # noqa: E402

VERDICTS = {
    "holds": "we found the same, or it follows from the equations",
    "holds under conditions": "it is true where the conditions named are met, and not beyond",
    "not shown": "it may be true; what the paper measured cannot show it, and neither can we say that it is false",
    "contradicted by its own tables": "another number or equation of the paper says otherwise",
    "not testable here": "it needs what this project does not have",
}
SCOPES = {
    "arithmetic": "arithmetic on what the paper prints",
    "construction": "the equations and their tests, for any backbone",
    "nano": "measured on nano and tinyworld only",
    "locomo": "LoCoMo's released file",
    "none": "no measurement",
}
NEEDED = ("id", "group", "place", "claim", "verdict", "scope", "because", "evidence")
HEAD = """\
# The claims ledger

% Made by book/tools/claims.py from book/claims.yml and the result files. Do not edit it: make it anew.

What the paper {cite:p}`jeong2026` claims, in our words, one claim after the other: does it hold, and how do we know? A verdict is ours
and can be wrong; the evidence stands beside it, and every number is read from a file or computed from what the paper prints.
[Chapter 12](../notebooks/12_what_the_score_hides.ipynb) teaches the controls that most verdicts rest on.

```{admonition} Read this with two things in mind
:class: important
The paper calls itself a pilot, and a pilot is allowed to leave controls out. "Not shown" is a sentence about evidence, not about
the author or about the idea. And nearly all of our own measurements are of one small backbone, `nano`, on generated conversations:
they show what such a score can hide, not what Flan-T5-XL would have scored. Where that is so, the entry says so.
```"""


class ClaimError(DataError):
    """A claim that lacks something: which one, and what."""


# ---- numbers -----------------------------------------------------------------------------------------


@cache
def cells():
    return result_files.load(ROOT / "results")["cells"]


@cache
def counts(scale):
    """{method: its row of `lmem methods`} for a Flan-T5-XL."""
    return {
        row["method"]: row for row in methods.table(methods.shape("flan-t5-xl"), scale=int(scale))
    }


def follow(value, way):
    """The value at the end of a way such as "summary/memory/right-twin, all/mean"; whole numbers are keys or places.

    A step "[name=recent,rows=64]" takes the one row of a list that has these values.
    """
    for step in str(way).split("/") if way else ():
        if step.startswith("["):
            wanted = dict(pair.split("=") for pair in step[1:-1].split(","))
            [value] = [row for row in value if all(str(row[k]) == v for k, v in wanted.items())]
        elif isinstance(value, list | tuple):
            value = value[int(step)]
        else:
            value = value[int(step) if step not in value and step.lstrip("-").isdigit() else step]
    return value


def read(number, known):
    """The value that a number's description names.

    known   {name: value} of the numbers before it, for `calc`
    raises  KeyError, IndexError, ... as the places it reads from do; `numbers_of` says of which claim
    """
    kinds = {"file", "cell", "paper", "count", "default", "setting", "calc"} & set(number)
    if len(kinds) != 1:
        raise ClaimError(f"expected one source for a number, found {sorted(kinds) or 'none'}")
    [kind] = kinds
    source = number[kind]
    if kind == "file":
        return follow(results.load(str(source)), number["at"])
    if kind == "cell":
        return follow(cells()[source], number["at"])
    if kind == "paper":
        name, _, way = str(source).partition("/")
        return follow(getattr(paper, name), way)
    if kind == "count":
        method, scale, column = source.split("/")
        return counts(scale)[methods.find(method).name][column]
    if kind == "default":
        place, _, name = source.partition("/")
        module, _, owner = place.partition(":")
        return (
            inspect.signature(getattr(importlib.import_module(module), owner))
            .parameters[name]
            .default
        )
    if kind == "setting":
        return getattr(TrainConfig.paper(), source)
    return calculate(source, known)


def calculate(expression, known):
    """An expression over known numbers; a mean with its interval has .mean, .low, .high, .mdd."""
    given = {
        name: SimpleNamespace(**value) if isinstance(value, dict) and "low" in value else value
        for name, value in known.items()
    }
    tools = {
        "abs": abs, "exp": math.exp, "float": float, "len": len, "max": max, "min": min, "range": range, "round": round, "statistics": statistics,
        "forgetting": forgetting, "set": set, "sorted": sorted, "sum": sum, "tuple": tuple,
        "zip": zip,
    }  # fmt: skip
    code = compile(ast.parse(expression, mode="eval"), "<claims.yml>", "eval")
    return eval(code, {"__builtins__": {}, **tools, **given})


def shown(value, form="plain"):
    """A number as the page shows it."""
    if isinstance(value, tuple) and len(value) == 2:
        return f"[{shown(value[0], form)}, {shown(value[1], form)}]"
    if form == "percent":
        return percent(value)
    if form == "bits":
        return bits(value)
    if form == "count":
        return f"{value:,.0f}"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and 0 < abs(value) < 0.01:
        digits, _, power = f"{value:.1e}".partition("e")
        return f"{digits} x 10^{int(power)}"
    return f"{round(value, 2):g}"


class Shown:
    """A number in a text."""

    def __init__(self, value, form):
        self.value, self.form = value, form

    def __format__(self, _):
        return shown(self.value, self.form)


def numbers_of(claim):
    """{name: value} of all numbers of a claim; raises ClaimError for one that cannot be read."""
    known = {}
    for name, number in (claim.get("numbers") or {}).items():
        try:
            known[name] = read(number, known)
        except Exception as error:
            raise ClaimError(
                f"expected a number under {name!r} of claim {claim['id']}, cannot read it: {type(error).__name__}: {error}"
            ) from error
        if known[name] is None:
            raise ClaimError(f"expected a number under {name!r} of claim {claim['id']}, it is None")
    return known


# ---- evidence ----------------------------------------------------------------------------------------


def exists(evidence, root=ROOT):
    """Is there such a result, notebook, test, file, or arithmetic?"""
    place, _, test = str(evidence).partition("::")
    if place == "arithmetic":
        return True
    path = root / place
    if not path.is_file():
        return False
    if place.startswith("results/"):
        results.load(str(path))  # raises if it is none
    if not test:
        return not place.startswith("tests/")  # of a test file, which one
    functions = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return any(isinstance(one, ast.FunctionDef) and one.name == test for one in functions)


def check(claim, root=ROOT):
    """The claim's numbers, if nothing is missing; raises ClaimError."""
    name = claim.get("id", "without an id")
    for field in NEEDED:
        if not claim.get(field):
            raise ClaimError(f"expected a {field} of claim {name}, it has none")
    if claim["verdict"] not in VERDICTS:
        raise ClaimError(
            f"expected a verdict out of {', '.join(VERDICTS)} for claim {name}, not {claim['verdict']!r}"
        )
    if claim["scope"] not in SCOPES:
        raise ClaimError(f"expected a scope out of {', '.join(SCOPES)} for claim {name}")
    for one in claim["evidence"]:
        if not exists(one, root):
            raise ClaimError(f"expected the evidence of claim {name} to exist, {one} does not")
    found = numbers_of(claim)
    if "arithmetic" in claim["evidence"] and not found:
        raise ClaimError(f"expected numbers for the arithmetic of claim {name}")
    if claim["scope"] == "nano" and not any(has_interval(v) for v in found.values()):
        said = claim.get("interval")
        if not said:
            raise ClaimError(f"expected an interval for claim {name}, or why there is none")
    if found and not claim.get("stands_if"):
        raise ClaimError(f"expected what the verdict of claim {name} stands on: stands_if")
    if claim.get("stands_if") and not calculate(claim["stands_if"], found):
        raise ClaimError(
            f"the verdict of claim {name} no longer stands on its numbers: not {claim['stands_if']}"
        )
    return found


def has_interval(value):
    return isinstance(value, tuple) or (isinstance(value, dict) and value.get("low") is not None)


# ---- the page ----------------------------------------------------------------------------------------


def load(path=LEDGER):
    """The claims as the ledger's file has them; raises ClaimError if two have the same id."""
    claims = yaml.safe_load(Path(path).read_text(encoding="utf-8"))["claims"]
    ids = [claim.get("id") for claim in claims]
    if len(set(ids)) != len(ids):
        raise ClaimError(f"expected an id of its own for each claim, found {ids}")
    return claims


def named(evidence):
    """Evidence as the page names it, in pieces that a narrow page can break: a test's name is a sentence."""
    place, _, test = evidence.partition("::")
    if place == "arithmetic":
        return place
    if place.startswith("results/"):
        return f"the result `{place.removeprefix('results/').removesuffix('.gz').removesuffix('.json')}`"
    if test:
        return f"`{place}` ({test.removeprefix('test_').replace('_', ' ')})"
    return f"`{place}`"


def entry(claim):
    """One claim on the page."""
    found = check(claim)
    forms = {name: one.get("as", "plain") for name, one in (claim.get("numbers") or {}).items()}
    try:
        said, because = (
            " ".join(text.split()).format_map(
                {name: Shown(value, forms[name]) for name, value in found.items()}
            )
            for text in (claim["claim"], claim["because"])
        )
    except (KeyError, TypeError) as error:
        raise ClaimError(
            f"expected a text of claim {claim['id']} with numbers that can be shown: {error}"
        ) from error
    evidence = ", ".join(map(named, claim["evidence"]))
    interval = f" Interval: {claim['interval']}" if claim.get("interval") else ""
    return "\n".join(
        [
            f"(claim-{claim['id']})=",
            f"**{claim['id'].upper()}. {claim['place']}.** *{said}*",
            "",
            f"**{claim['verdict'].capitalize()}.** {because}{interval}",
            "",
            f"Evidence ({SCOPES[claim['scope']]}): {evidence}",
        ]
    )


def page(claims):
    """The whole page as Markdown."""
    links = {
        verdict: [
            f"[{c['id'].upper()}](#claim-{c['id']})" for c in claims if c.get("verdict") == verdict
        ]
        for verdict in VERDICTS
    }
    rows = [
        f"- **{verdict.capitalize()}** ({len(links[verdict])}): {means}. {' '.join(links[verdict])}"
        for verdict, means in VERDICTS.items()
    ]
    parts = [HEAD, "\n".join(rows)]
    for group in dict.fromkeys(claim.get("group") for claim in claims):
        parts.append(f"## {group}")
        parts += [entry(claim) for claim in claims if claim.get("group") == group]
    return "\n\n".join(parts) + "\n"


def main(verb=None, *_):
    try:
        made = page(load())
    except ClaimError as error:
        print(error)
        return 1
    if verb == "write":
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if verb == "check":
        same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == made
        print("book/claims.md is what the ledger says" if same else "make it anew: claims.py write")
        return 0 if same else 1
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
