"""The README keeps its word: its links lead somewhere, its chat is what runs, its numbers are those of the files."""

import re
from pathlib import Path

import pytest

import lmem
from lmem.chat import commands
from lmem.chat.session import ChatSession
from lmem.data.tinyworld.language import UNKNOWN
from lmem.evaluation import results
from lmem.evaluation.abilities import by_ability
from lmem.evaluation.summary import headline
from lmem.evaluation.tables import percent
from lmem.experiments import paper
from lmem.experiments.aggregate import gather, mean_gain
from lmem.experiments.repairs import REPAIRS

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


def sessions():
    """The terminal sessions on the page: [(what follows `lmem chat`, [(line typed, [lines printed])])]."""
    [block] = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    found = []
    for session in block.strip().split("$ lmem chat ")[1:]:
        options, *lines = session.strip().splitlines()
        exchange = [("", [])]
        for line in lines:
            if line.startswith("Ana: "):
                exchange.append((line.removeprefix("Ana: "), []))
            else:
                exchange[-1][1].append(line)
        found.append((options, exchange))
    return found


def test_the_chat_is_what_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = lmem.MemoryModel.from_shipped()
    first, second = sessions()
    assert (first[0], second[0]) == ("--name Ana", "--name Ana --bank ana.safetensors")
    replies = 0
    for (_, exchange), bank in ((first, None), (second, "ana.safetensors")):
        session = ChatSession(model, "Ana")
        opening = [commands.load_at(session, Path(bank)).text] if bank else []
        assert exchange[0][1] == opening
        assert exchange[-1] == ("/quit", [])
        for typed, printed in exchange[1:-1]:
            reply = session.take(typed)
            said = f"lmem: {reply.text}" if reply.kind == "answer" else reply.text
            notes = [f"({reply.note})"] if reply.note else []
            assert (typed, [said, *notes]) == (typed, printed)
            replies += 1
    assert replies >= 10


def test_whose_fact_it_is_can_be_confused():
    [(*told, said)] = re.findall(r'told "(.*?)" and then "(.*?)", it says "(.*?)"', WORDS)
    session = ChatSession(lmem.MemoryModel.from_shipped(), "Ana")
    assert [session.take(line).text for line in (*told, "Where do I live?")][-1] == said


def test_what_the_chat_answers_is_the_file():
    found = results.load("mini/spans-10x")
    simple = by_ability(found["questions"], ["right"])["extraction"]["conditions"]["right"]
    right, none = simple["right"]["mean"], simple["unknown"]["mean"]
    said = re.search(
        r"answers (\d+) rightly, leaves (\d+) unanswered and answers (\d+) wrongly", WORDS
    )
    assert [int(each) for each in said.groups()] == [
        round(100 * each) for each in (right, none, 1 - right - none)
    ]


def row(name, scale, seeds):
    """What a row of the table says of our test: right bank, twin's bank, their difference, abstention."""
    found = [results.load(f"beyond/{name}-{scale}x-s{seed}") for seed in range(seeds)]
    asked = [[q for q in one["questions"] if q["answerable"]] for one in found]
    right, twin = (
        sum(q[bank]["em"] for rows in asked for q in rows) / sum(map(len, asked))
        for bank in ("right", "twin")
    )
    figures = (right, twin, mean_gain(found), abstention(found, "right"))
    return " | ".join(percent(one) for one in figures) + " |"


def abstention(found, condition):
    """How often the answer is "unknown" to questions about things never told."""
    never = [q for one in found for q in one["questions"] if not q["answerable"]]
    assert len(never) == 200 * len(found)
    return sum(q[condition]["answer"] == UNKNOWN for q in never) / len(never)


@pytest.mark.parametrize(
    ("name", "scale", "seeds", "said"),
    [
        ("m2", 10, 1, "M.2 as printed, 10x"),
        ("m3", 10, 1, "M.3 as printed, 10x"),
        ("m6", 10, 1, "M.6 as printed, 10x"),
        ("keyed", 1, 3, "`keyed`, 1x"),
        ("keyed", 10, 3, "`keyed`, 10x"),
    ],
)
def test_the_table_is_the_files(name, scale, seeds, said):
    [line] = [one for one in PAGE.splitlines() if one.startswith("|") and said in one]
    counted, papers, ours = line.removeprefix(f"| {said}, ").split(" | ", 2)
    assert counted == {1: "one seed", 3: "three seeds"}[seeds]
    assert papers == str(paper.MEAN_RECALL[scale].get(name, "-"))
    assert ours == row(name, scale, seeds)


def test_the_first_page_of_the_book_has_the_same_numbers():
    """Its table has fewer rows, shorter names, and no columns for the paper and for the difference."""
    intro = (ROOT / "book/intro.md").read_text(encoding="utf-8")
    names = {
        "none": "none",
        "M.3 as printed, 10x, one seed": "M.3, from the paper",
        "`keyed`, 10x, three seeds": "`keyed`, from this book",
    }
    ours = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    shorter = [
        f"| {names[name]} | {right} | {twin} | {abstained} |"
        for name, _, right, twin, _, abstained in ours
        if name in names
    ]
    assert [line for line in intro.splitlines() if line.startswith("| ")][1:] == shorter


def test_what_is_said_around_the_table():
    found = results.load("beyond/keyed-10x-s0")
    summary, means = found["summary"], found["summary"]["conditions"]
    assert f"{summary['n']:,} questions that have an answer" in WORDS
    none, oracle, bm25 = (percent(means[name]["em"]["mean"]) for name in ("none", "oracle", "bm25"))
    assert f"| none | - | {none} | - | - | {percent(abstention([found], 'none'))} |" in PAGE
    text = [line for line in PAGE.splitlines() if line.startswith("| text: turns found by BM25")]
    assert text[0].endswith(f"| - | {bm25} | - | - | {percent(abstention([found], 'bm25'))} |")
    assert f"the same model answers {oracle} percent" in WORDS
    # "most of what it misses is lost by the memory"
    assert means["oracle"]["em"]["mean"] - means["right"]["em"]["mean"] > (1 - means["right"]["em"]["mean"]) / 2  # fmt: skip


def test_the_other_answers_are_made_up():
    """With `keyed`, what is not "unknown" to such a question is an answer and not silence."""
    for scale in (1, 10):
        for seed in range(3):
            rows = results.load(f"beyond/keyed-{scale}x-s{seed}")["questions"]
            assert all(q["right"]["answer"].strip() for q in rows if not q["answerable"])


def test_what_is_said_of_other_methods():
    cells = gather(
        f"tinyworld/m{i}-{size}-s{seed}"
        for i in range(1, 7)
        for size in ("1x", "10x")
        for seed in range(3)
    )
    assert len(cells) == 12
    assert all(cell["memory"]["mean"] < 0.002 for cell in cells), "as printed they show no memory"
    repaired = [repair for repair in REPAIRS if repair.changes]
    assert len(repaired) == 6
    for repair in repaired:
        assert len(repair.changes) <= 4
        size = "1x" if repair.method in ("m1", "m4") else "10x"
        score = headline(results.load(f"repairs/{repair.name}-{size}-s0")["summary"])[0]
        assert score["low"] > 0


def test_the_aims_are_missed():
    nearest = [results.load(f"beyond/keyed-1x-s{seed}") for seed in range(3)]
    assert f"the closest is {percent(mean_gain(nearest)['mean'])} of 60 points at 1x" in WORDS
    ladder = (ROOT / "book/ladder.md").read_text(encoding="utf-8")
    aims = ladder.split("## Which goals were reached")[1].split("\n## ")[0]
    lines = [line for line in aims.splitlines() if line.startswith("| ")][1:]
    assert len(lines) == 4
    assert all(line.endswith("| no |") for line in lines)
