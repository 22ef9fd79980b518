"""The README keeps its word: its links lead somewhere, its buttons are the book's, its numbers are the files'."""

import re
from pathlib import Path

import pytest

from lmem.evaluation import results
from lmem.evaluation.abilities import by_ability
from lmem.evaluation.summary import headline
from lmem.evaluation.tables import percent
from lmem.experiments import paper
from lmem.experiments.aggregate import gather, mean_gain

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    near = [link for link in links if not link.startswith("https://")]
    assert len(near) >= 8
    assert all((ROOT / link).exists() for link in near), near
    address = re.search(r"url: (https://github.com/(.+)/(.+))", (ROOT / "_config.yml").read_text())
    assert f"https://{address[2]}.github.io/{address[3]}/" in links
    [colab] = [link for link in links if "colab" in link]
    path = colab.removeprefix(f"https://colab.research.google.com/github/{address[2]}/{address[3]}/blob/main/")  # fmt: skip
    assert (ROOT / path).is_file()


def row(name, scale, seeds):
    """What a row of the table says after its name: right bank, twin's bank, memory score, the same from 256 turns back."""
    found = [results.load(f"beyond/{name}-{scale}x-s{seed}") for seed in range(seeds)]
    asked = [[q for q in one["questions"] if q["answerable"]] for one in found]
    right, twin = (
        sum(q[bank]["em"] for rows in asked for q in rows) / sum(map(len, asked))
        for bank in ("right", "twin")
    )
    far = mean_gain(found, lambda q: q["lag"] >= 256)
    figures = (right, twin, mean_gain(found), far)
    return "| " + " | ".join(percent(one) for one in figures) + " |"


@pytest.mark.parametrize(
    ("name", "scale", "seeds", "said"),
    [("m2", 1, 1, "`m2`"), ("keyed", 1, 3, "`keyed`, 1x"), ("keyed", 10, 3, "`keyed`, 10x")],
)
def test_the_table_is_the_files(name, scale, seeds, said):
    [line] = [one for one in PAGE.splitlines() if one.startswith("|") and said in one]
    assert line.endswith(row(name, scale, seeds)), row(name, scale, seeds)


def test_the_papers_row_is_its_best():
    method, best = max(paper.MEAN_RECALL[10].items(), key=lambda one: one[1])
    assert best == max(max(means.values()) for means in paper.MEAN_RECALL.values())
    assert f"| the paper's own best, `{method}` at 10x: " in PAGE
    assert f"clipped | {best} | not run |" in PAGE


def test_what_stands_beside_the_table():
    summary = results.load("beyond/keyed-10x-s0")["summary"]
    means = summary["conditions"]
    none, zeros, bare, oracle, bm25, last = (
        percent(means[name]["em"]["mean"])
        for name in ("none", "null_rows", "baseline", "oracle", "bm25", "last_k")
    )
    assert f"the bare backbone answer {none}, {zeros} and {bare}." in WORDS
    assert f"answers {oracle} from the evidence itself, {bm25} from the turns that BM25 finds, and {last} from" in WORDS  # fmt: skip
    assert f"({summary['n']:,} questions)" in WORDS
    rough = [
        results.load(f"beyond/keyed-10x-s{seed}")["summary"]["conditions"]["rough"]["em"]["mean"]
        for seed in range(3)
    ]
    assert f"with 1% noise the 10x bank scores {percent(sum(rough) / 3)}." in WORDS


def test_what_is_said_of_what_was_held_out_and_of_the_backbone():
    found = [results.load(f"beyond/keyed-10x-s{seed}") for seed in range(3)]
    plain = mean_gain(found, lambda row: not row["held_out"])
    phrasing = mean_gain(found, lambda row: "phrasing" in row["held_out"])
    assert (
        f"10x scores {percent(plain)}; with phrasings that no adapter has seen, {percent(phrasing)}."
        in WORDS
    )
    reads = results.load("nano/reading")["with_evidence"]
    low, high = 100 * reads["low"], 100 * reads["high"]
    assert (
        f"alone reads {100 * reads['em']:.1f} [{low:.1f}, {high:.1f}] percent of {reads['n']:,} held-out questions"
        in WORDS
    )
    sizes, seeds = ("1x", "10x"), range(3)
    cells = gather(
        f"tinyworld/m{i}-{size}-s{seed}" for i in range(1, 7) for size in sizes for seed in seeds
    )
    gained = [cell["bits_gained"]["mean"] for cell in cells]
    assert f"gains {min(gained):.0f} to {max(gained):.0f} bits over no bank" in WORDS
    most = max((cell["memory"] for cell in cells), key=lambda one: one["mean"])
    assert f"at most {percent(most).replace(' [', ' points [')}, while" in WORDS


def test_what_is_invented_is_said():
    """The share of "unknown" to questions about things that were never told, of the shipped memories."""
    shares = {}
    for name in ("keyed", "recent"):
        result = results.load(f"beyond/shipped-{name}-confidence")
        found = by_ability(result["questions"], ["right", "none"])["abstention"]
        assert found["n"] == 200
        assert found["conditions"]["none"]["right"]["mean"] == 1
        shares[name] = found["conditions"]["right"]["right"]["mean"]
    assert f'says "unknown" to {percent(shares["keyed"])}% of 200 questions' in WORDS
    assert f"`recent` invents {percent(1 - shares['recent'])}%" in WORDS


@pytest.mark.parametrize("name", ["m6", "m3", "m2", "m5"])
def test_the_repairs_are_the_files(name):
    result = results.load(f"repairs/{name}_repaired-10x-s0")
    score = headline(result["summary"])[0]["mean"]
    [sentence] = re.findall(r"remember conversations of 12 turns.*?points", WORDS)
    assert f"`{name}` {percent(score)}" in sentence
