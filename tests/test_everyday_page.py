"""The numbers of book/everyday.md are those of the result files that it names."""

import json
import re
from pathlib import Path

from lmem.chat.session import ChatSession
from lmem.evaluation import results
from lmem.evaluation.abilities import NOVELTY, by_ability, by_novelty
from lmem.memory.model import ADAPTERS, MemoryModel
from lmem.memory.read.copying import SAME
from lmem.memory.write.spans import END

PAGE = Path("book/everyday.md").read_text(encoding="utf-8")


def shown(share):
    """A share with its interval, in percent."""
    mean = f"{100 * share['mean']:.1f}"
    if share["low"] is None:
        return mean
    low, high = 100 * share["low"], 100 * share["high"]
    return f"{mean} [{low:.1f}, {high:.1f}] (G={share['conversations']})"


def row_of(first):
    """The cells of the row with an interval that begins so; another table names the abilities too."""
    rows = [line for line in PAGE.splitlines() if line.startswith(f"| {first}") and "(G=" in line]
    assert len(rows) == 1, first
    return [cell.strip() for cell in rows[0].strip("|").split("|")]


def test_what_mini_reads():
    for name, first in (("read-everyday", "everyday, held-out"), ("read-locomo", "LoCoMo, its")):
        found = results.load(f"mini/{name}")
        assert row_of(first)[1:] == [shown(found["em"]), shown(found["abstention"])]
    assert f"There its F1 is {shown(results.load('mini/read-locomo')['f1'])}" in PAGE


def test_what_the_memory_answers():
    found = results.load("mini/spans-10x")
    abilities = by_ability(found["questions"], list(found["summary"]["conditions"]))
    for name in ("extraction", "update", "multi-hop", "temporal"):
        of = abilities[name]["conditions"]
        right, twin = (shown(of[bank]["right"]) for bank in ("right", "twin"))
        assert row_of(name)[1:] == [right, twin, shown(of["right"]["unknown"])]
    unknown = abilities["abstention"]["conditions"]["right"]["unknown"]
    assert row_of("never told")[3] == shown(unknown)
    simple = abilities["extraction"]["conditions"]["right"]
    none, right = simple["unknown"]["mean"], simple["right"]["mean"]
    [told] = re.findall(
        r"it leaves (\d+) unanswered and answers (\d+) wrongly", " ".join(PAGE.split())
    )
    assert [int(each) for each in told] == [round(100 * none), round(100 * (1 - right - none))]
    assert f"one in {round(1 / (1 - unknown['mean']))} questions" in PAGE


def test_what_is_new():
    found = by_novelty(results.load("mini/spans-10x")["questions"])
    assert list(found) == list(NOVELTY)
    for new, of in found.items():
        shares = [shown(of["right"]), shown(of["unknown"])]
        assert row_of(NOVELTY[new])[1:] == [str(of["n"]), *shares]


def test_a_kind_that_is_in_no_list():
    [(told, asked, said)] = re.findall(
        r'told "(.*?)" and asked "(.*?)", it says "(.*?)"', " ".join(PAGE.split())
    )
    session = ChatSession(MemoryModel.from_shipped("mini-spans"), "Ana")
    assert [session.take(line).text for line in (told, asked)][-1] == said


def test_what_is_taken_back():
    words = " ".join(PAGE.split())
    assert f"if the keys' cosine exceeds {END}" in words
    told = re.findall(
        r'[Tt]old "(.*?)" and then "(.*?)", (?:the chat answers|it still says) "(.*?)"', words
    )
    asked = ("Where do I live?", "What instrument do I play?")
    for (*lines, said), question in zip(told, asked, strict=True):
        session = ChatSession(MemoryModel.from_shipped("mini-spans"), "Ana")
        assert [session.take(line).text for line in (*lines, question)][-1] == said


def test_what_takes_the_row_of_what():
    calibration = json.loads((ADAPTERS / "mini-spans" / "training.json").read_text())["calibration"]
    chosen, low = (calibration["replaced"][each] for each in (str(SAME), "0.9"))
    words = " ".join(PAGE.split())
    assert f"their cosine must exceed {SAME}" in words
    assert (
        f"{chosen[0]} facts take the row of an older value at that similarity, and {chosen[1]} take"
        in words
    )
    assert f"At 0.9 it would be {low[0]}, but also {low[1]} others" in words
