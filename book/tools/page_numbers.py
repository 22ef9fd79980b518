"""Numbers that are read from files, filled into hand-written text, and checked.

A text has {numbers} in it. A number says where it is read:
    {file: tinyworld/recent, at: summary/n}     a result file, and the path to the value in it
    {abilities: mini/spans-10x, at: update/n}   the same of its figures by ability (`lmem.evaluation.abilities`)
    {cell: m6-1x, at: bits}                     a cell of the sweep, over its seeds (`result_files`)
    {cells: "m[1-6]-1x", at: bits}              the same of all cells whose names match: {cell: value}
    {changes: "*-gamma=*", at: bits}            such cells minus the cells that they are compared with: {cell: difference}
    {paper: RECALL/10/m3/0}                     what the paper prints (`lmem.experiments.paper`)
    {count: m2/1/trainable}                     method, scale and column of `lmem methods --shape flan-t5-xl`
    {default: "lmem.memory.write.base:Write/gamma"}    a default of the package
    {setting: lr}                               the paper's settings (`TrainConfig.paper`)
    {calc: "1 - a / b"}                         arithmetic on the numbers before it
and with `as` how it is shown: percent, bits, count, spread, or else plain. `stands_if` is a condition on the numbers. When a new
result breaks it, the build fails, and a person decides what to write.
"""

import ast
import builtins
import importlib
import inspect
import math
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import result_files
import yaml

from lmem.errors import DataError
from lmem.evaluation import results
from lmem.evaluation.abilities import by_ability
from lmem.evaluation.summary import verdicts
from lmem.evaluation.tables import bits, percent
from lmem.experiments import paper
from lmem.memory import methods
from lmem.metrics import forgetting, statistics
from lmem.training.train import TrainConfig

ROOT = Path(__file__).parents[2]

TEXTS = yaml.safe_load((ROOT / "book" / "texts.yml").read_text(encoding="utf-8"))
KINDS = [
    "file",
    "abilities",
    "cell",
    "cells",
    "changes",
    "paper",
    "count",
    "default",
    "setting",
    "calc",
]
BUILTINS = "abs float int len max min range round set sorted sum tuple zip all any map"
TOOLS = {name: getattr(builtins, name) for name in BUILTINS.split()}


def shown_to_differ(*families):
    """The names, sorted, of the differences that are shown to be more or less than 0, all adjusted together by Holm's method.

    A family is {name: figures of `lmem.evaluation.summary.difference`}, as a calculation has them.
    """
    together = {
        (i, name): vars(score)
        for i, family in enumerate(families)
        for name, score in family.items()
    }
    found = verdicts(together)
    return sorted({name for (_, name), said in found.items() if said in ("more", "less")})


def verdict(score):
    """The verdict of a single difference: more, less, not shown or too few."""
    return verdicts({"": vars(score)})[""]


def upper(score):
    """The upper end of an interval; the mean where all conversations agree, so that there is none."""
    return score.mean if score.high is None else score.high


TOOLS |= {"exp": math.exp, "forgetting": forgetting, "statistics": statistics}
TOOLS |= {tool.__name__: tool for tool in (shown_to_differ, verdict, upper)}


class NumberError(DataError):
    """What is wrong with an entry: a number that cannot be read, or a condition that no longer holds."""


@cache
def cells():
    return result_files.load_cells(ROOT / "results" / "tinyworld")


@cache
def changes(pattern):
    """{cell: its comparison with its base} of the cells that match and have a base."""
    compared = {
        name: result_files.change(cell, cells())
        for name, cell in cells().items()
        if fnmatchcase(name, pattern)
    }
    return {name: change for name, change in compared.items() if change}


@cache
def counts(scale):
    """{method: its row of `lmem methods`} for a Flan-T5-XL."""
    rows = methods.table(methods.shape("flan-t5-xl"), scale=int(scale))
    return {row["method"]: row for row in rows}


def follow(value, path):
    """The value at the end of a path such as "summary/memory/right-twin, all/mean"; whole numbers are keys or places.

    A step "[name=recent,rows=64]" takes the one row of a list that has these values.
    """
    for step in str(path).split("/") if path else ():
        if step.startswith("["):
            wanted = dict(pair.split("=") for pair in step[1:-1].split(","))
            [value] = [row for row in value if all(str(row[k]) == v for k, v in wanted.items())]
        elif isinstance(value, list | tuple):
            value = value[int(step)]
        else:
            value = value[int(step) if step not in value and step.lstrip("-").isdigit() else step]
    return value


def read(number, known):
    """The value that a number's description names; `known` are the numbers before it, for `calc`."""
    kinds = [kind for kind in KINDS if kind in number]
    if len(kinds) != 1:
        raise NumberError(f"expected one source for a number, found {kinds or 'none'}")
    [kind] = kinds
    source, path = number[kind], number.get("at")
    if kind == "file":
        return follow(results.load(str(source)), path)
    if kind == "abilities":
        found = results.load(str(source))
        return follow(by_ability(found["questions"], list(found["summary"]["conditions"])), path)
    if kind == "cell":
        return follow(cells()[source], path)
    if kind == "cells":
        matching = [cell for name, cell in cells().items() if fnmatchcase(name, source)]
        values = {cell["cell"]: follow(cell, path) for cell in matching}
        return {name: value for name, value in values.items() if value is not None}
    if kind == "changes":
        return {name: follow(change, path) for name, change in changes(source).items()}
    if kind == "paper":
        name, _, path = str(source).partition("/")
        return follow(getattr(paper, name), path)
    if kind == "count":
        method, scale, column = source.split("/")
        return counts(scale)[methods.find(method).name][column]
    if kind == "default":
        place, _, name = source.partition("/")
        module, _, owner = place.partition(":")
        function = getattr(importlib.import_module(module), owner)
        return inspect.signature(function).parameters[name].default
    if kind == "setting":
        return getattr(TrainConfig.paper(), source)
    return calculate(source, known)


def calculate(expression, known):
    """An expression over known numbers; a mean with its interval has .mean, .low, .high, .mdd."""
    code = compile(ast.parse(expression, mode="eval"), "<yml>", "eval")
    values = {name: with_attributes(value) for name, value in known.items()}
    return eval(code, {"__builtins__": {}, **TOOLS, **values})


def with_attributes(value):
    if not isinstance(value, dict):
        return value
    return SimpleNamespace(**value) if "low" in value else {k: with_attributes(v) for k, v in value.items()}  # fmt: skip


def shown(value, form="plain"):
    """A number as the page shows it."""
    if isinstance(value, SimpleNamespace):
        value = vars(value)
    if isinstance(value, dict) and "em" in value and "mean" not in value:
        value = value | {"mean": value["em"]}  # how well a backbone reads
    if isinstance(value, tuple) and len(value) == 2:
        return f"[{shown(value[0], form)}, {shown(value[1], form)}]"
    if form == "percent":
        return percent(value)
    if form == "bits":
        return bits(value)
    if form == "count":
        return f"{value:,.0f}"
    if form == "spread":
        return spread(value)
    if isinstance(value, str):
        return value
    if isinstance(value, float) and 0 < abs(value) < 0.01:
        digits, _, power = f"{value:.1e}".partition("e")
        return f"{digits} x 10^{int(power)}"
    return f"{round(value, 2):g}"


def spread(repeats):
    """Median, least and greatest of repeats: "9.1 [8.7, 9.9]"."""
    return f"{repeats['median']:.1f} [{repeats['min']:.1f}, {repeats['max']:.1f}]"


def read_numbers(entry):
    """{name: value} of all numbers of an entry; raises NumberError for one that cannot be read."""
    known = {}
    for name, number in (entry.get("numbers") or {}).items():
        try:
            known[name] = read(number, known)
        except Exception as error:
            raise NumberError(
                f"expected a number under {name!r} of {entry['id']}, cannot read it: {type(error).__name__}: {error}"
            ) from error
        if known[name] is None:
            raise NumberError(f"expected a number under {name!r} of {entry['id']}, it is None")
    return known


def check_condition(entry, known):
    """Raise NumberError if an entry has numbers and no condition, or one that does not hold."""
    condition = entry.get("stands_if")
    if known and not condition:
        raise NumberError(f"expected a condition on the numbers of {entry['id']}: stands_if")
    if condition and not calculate(condition, known):
        raise NumberError(f"the numbers no longer support {entry['id']}: not {condition}")


def fill(entry, field, known):
    """An entry's text with its numbers filled in."""
    forms = {name: n.get("as", "plain") for name, n in (entry.get("numbers") or {}).items()}

    class Filler(dict):
        def __missing__(self, name):
            return shown(known[name], forms[name])

    try:
        return " ".join(entry[field].split()).format_map(Filler())
    except (KeyError, TypeError) as error:
        raise NumberError(
            f"expected a text of {entry['id']} with numbers that can be shown: {error}"
        ) from error


def said(name, holds=True, **values):
    """A text of book/texts.yml, with these values filled in; raises NumberError if what it says does not hold."""
    if not holds:
        raise NumberError(f"the numbers no longer support {name} of book/texts.yml")
    text = TEXTS[name].strip()
    return text.format(**values) if values else text


def write_or_check(page, path, usage, verb=""):
    """Write a generated page, or check that it is what its files say; returns the exit code.

    `page` makes the text from the folder of the result files.
    """
    if verb not in ("write", "check"):
        print(usage)
        return 2
    try:
        text = page(ROOT / "results")
    except NumberError as error:
        print(error)
        return 1
    if verb == "write":
        path.write_text(text, encoding="utf-8")
        print(f"written: {path.name}")
        return 0
    same = path.is_file() and path.read_text(encoding="utf-8") == text
    print("as the files say" if same else f"not as the files say: write {path.name} again")
    return int(not same)
