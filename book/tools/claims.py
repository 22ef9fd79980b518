"""The claims ledger: what the paper claims, our verdict, and the evidence, every number read from a file.

python book/tools/claims.py write    make book/claims.md out of book/claims.yml
python book/tools/claims.py check    say whether the page is what the ledger and the files say

A claim has a place, our words, a verdict, where the evidence comes from, a reason with {numbers} in it, and the evidence itself.
Numbers and conditions are described in `page_numbers`.
"""

import ast
import sys
from pathlib import Path

import yaml
from page_numbers import NumberError, check_condition, fill, read_numbers, write_or_check

from lmem.evaluation import results

ROOT = Path(__file__).parents[2]
LEDGER, PAGE = ROOT / "book" / "claims.yml", ROOT / "book" / "claims.md"

_TEXTS = yaml.safe_load(LEDGER.read_text(encoding="utf-8"))
VERDICTS, SCOPES = _TEXTS["verdicts"], _TEXTS["scopes"]  # {name: what it means}
NEEDED = ("id", "group", "place", "claim", "verdict", "scope", "because", "evidence")
HEAD, FOOT = (_TEXTS[name].strip() for name in ("head", "foot"))
BUTTON = '<button type="button" data-verdict="{}" aria-pressed="{}">{}</button>'
FILTER = """\
```{{raw}} html
<div class="lmem-filter" role="group" aria-label="Show the claims with this verdict" hidden>{}</div>
<script defer src="../_static/lmem_claims.js"></script>
```"""


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
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return any(isinstance(node, ast.FunctionDef) and node.name == test for node in nodes)


def check(claim, root=ROOT):
    """The claim's numbers, if nothing is missing; raises NumberError."""
    name = claim.get("id", "without an id")
    for field in NEEDED:
        if not claim.get(field):
            raise NumberError(f"expected a {field} of claim {name}, it has none")
    for field, allowed in (("verdict", VERDICTS), ("scope", SCOPES)):
        if claim[field] not in allowed:
            raise NumberError(
                f"expected a {field} out of {', '.join(allowed)} for claim {name}, not {claim[field]!r}"
            )
    for evidence in claim["evidence"]:
        if not exists(evidence, root):
            raise NumberError(
                f"expected the evidence of claim {name} to exist, {evidence} does not"
            )
    known = read_numbers(claim)
    if "arithmetic" in claim["evidence"] and not known:
        raise NumberError(f"expected numbers for the arithmetic of claim {name}")
    has_reason = claim["scope"] != "nano" or claim.get("interval")
    if not has_reason and not any(map(has_interval, known.values())):
        raise NumberError(f"expected an interval for claim {name}, or why there is none")
    check_condition(claim, known)
    return known


def has_interval(value):
    return isinstance(value, tuple) or (isinstance(value, dict) and value.get("low") is not None)


# ---- the page ----------------------------------------------------------------------------------------


def load(path=LEDGER):
    """The claims as the ledger's file has them; raises NumberError if two have the same id."""
    claims = yaml.safe_load(Path(path).read_text(encoding="utf-8"))["claims"]
    ids = [claim.get("id") for claim in claims]
    if len(set(ids)) != len(ids):
        raise NumberError(f"expected an id of its own for each claim, found {ids}")
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
    known = check(claim)
    said, because = (fill(claim, field, known) for field in ("claim", "because"))
    evidence = ", ".join(map(named, claim["evidence"]))
    interval = f" Interval: {claim['interval']}" if claim.get("interval") else ""
    return f"""\
```{{div}} lmem-claim {css(claim["verdict"])}
(claim-{claim["id"]})=
**{claim["id"].upper()}. {claim["place"]}.** *{said}*

**{claim["verdict"].capitalize()}.** {because}{interval}

Evidence ({SCOPES[claim["scope"]]}): {evidence}
```"""


def css(verdict):
    """The class of a verdict, by which claims are coloured and filtered."""
    return f"lmem-{verdict.replace(' ', '-')}"


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
    chosen = {"All": (len(claims), "")}
    chosen |= {v.capitalize(): (len(links[v]), css(v)) for v in VERDICTS}
    buttons = [
        BUTTON.format(name, str(not name).lower(), f"{verdict} ({count})")
        for verdict, (count, name) in chosen.items()
    ]
    parts = [HEAD, "\n".join(rows), FILTER.format("".join(buttons))]
    for group in dict.fromkeys(claim.get("group") for claim in claims):
        parts.append(f"## {group}")
        parts += [entry(claim) for claim in claims if claim.get("group") == group]
    return "\n\n".join([*parts, FOOT]) + "\n"


def main(verb=""):
    return write_or_check(lambda _: page(load()), PAGE, __doc__, verb)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
