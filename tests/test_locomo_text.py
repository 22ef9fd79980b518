"""No tracked file and no stored output holds a turn of LoCoMo: its text is under CC BY-NC 4.0 and never ours to ship.

Words are compared, in order, so that quotes, escapes, line ends, tags and capitals hide nothing.
"""

import gzip
import html
import json
import re
import subprocess
from pathlib import Path

import pytest

from lmem.data import locomo, locomo_release

ROOT = Path(__file__).parents[1]
LONG = 30  # characters; shorter turns are what anyone says
START = 4  # words by which a turn is looked up
WORD = re.compile(r"[^\W_]+")
TAG = re.compile(r"<[^<>]{1,200}>")


def words(text):
    return WORD.findall(html.unescape(TAG.sub(" ", text)).lower())


def texts(path):
    """What a file says, as texts: the strings of a JSON file, one each, with those of a list joined too; else the whole."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    text = content.decode(errors="replace")
    try:
        content = json.loads(text) if path.suffix in (".json", ".ipynb", ".gz") else None
    except ValueError:
        content = None
    yield from [text] if content is None else dict.fromkeys(strings(content))  # each but once


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from strings(one)
    elif isinstance(value, list):
        if value and all(isinstance(one, str) for one in value):
            yield "".join(value)  # lines
            yield " ".join(value)  # words
        for one in value:
            yield from strings(one)


def index(turns):
    """{its first words: the words of the turns that begin so}."""
    found = {}
    for turn in turns:
        said = words(turn)
        if len(turn) >= LONG and len(said) >= START:
            found.setdefault(tuple(said[:START]), set()).add(tuple(said))
    return found


def held(text, known):
    """Turns of an index that stand whole in a text."""
    said = words(text)
    starts = zip(*(said[i:] for i in range(START)), strict=False)
    return {
        turn
        for place, start in enumerate(starts)
        for turn in known.get(start, ())
        if tuple(said[place : place + len(turn)]) == turn
    }


def tracked():
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: no list of tracked files")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_tracked_file_holds_a_turn():
    path = locomo_release.find()
    if path is None:
        pytest.skip("LoCoMo is neither in LMEM_LOCOMO nor in the user's cache")
    turns = [turn for conversation in locomo.load(path) for turn in conversation.turns]
    known = index([turn.text for turn in turns] + [turn.caption for turn in turns if turn.caption])
    assert sum(map(len, known.values())) > 5000
    files = tracked()
    assert ROOT / "results/locomo/collapse-nano.json" in files
    assert any(path.suffix == ".ipynb" for path in files)
    found = {
        str(path.relative_to(ROOT)): len(one)
        for path in files
        if (one := set().union(*(held(text, known) for text in texts(path))))
    }
    assert found == {}, "files that hold turns of LoCoMo, and how many"


INVENTED = "It's been ages, hasn't it? We climbed the old lighthouse & counted seventeen boats!"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.md", f"## Talk\n\n> ANA: {INVENTED}\n"),
        ("broken.txt", INVENTED.replace(" ", "\n  ")),
        ("page.html", f"<p>{html.escape(INVENTED)}</p>".replace("old ", "<b>old</b> ")),
        ("code.py", f"TEXT = {json.dumps(INVENTED)}\n"),
        ("result.json", json.dumps({"questions": {"text": ["a", INVENTED.lower()]}})),
        ("split.json", json.dumps({"words": INVENTED.split()})),
        ("result.json.gz", gzip.compress(json.dumps([{INVENTED: 1}]).encode())),
        ("n.ipynb", json.dumps({"cells": [{"outputs": [{"text": [INVENTED[:30], INVENTED[30:]]}]}]})),
        ("figure.json", json.dumps({"hovertext": f"turn 3:<br>{INVENTED}\n"})),
        ("weights.safetensors", b"\xff\x00\x07" + INVENTED.encode() + b"\x00\xfe"),
    ],
)  # fmt: skip
def test_a_turn_is_found_in_any_dress(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    known = index([INVENTED, "Yes, of course!"])
    assert [turn for text in texts(path) for turn in held(text, known)]


def test_a_part_of_a_turn_is_no_turn():
    known = index([INVENTED, "Yes, I know it, of course!"])  # the second is too short
    assert held(INVENTED.replace("boats", "ships"), known) == set()
    assert held("Yes, I know it, of course!", known) == set()
    assert held(f"So: {INVENTED} And more.", known) == {tuple(words(INVENTED))}
