"""The page of the repaired methods is what its files say."""

import importlib.util
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from helpers import lmem

from lmem.experiments.read_use import STARTS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "book/tools/repairs_page.py"
    spec = importlib.util.spec_from_file_location("repairs_page", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def result(right, lags=range(12), method="slots+extension"):
    rows = []
    for conversation in "abcdefgh":
        for lag in lags:
            em = {"em": int(lag < right), "answer": "x", "bits": 0.0}
            no = {"em": 0, "answer": "y", "bits": 0.0}
            about = {"id": f"{conversation}{lag}", "conversation": conversation, "lag": lag}
            rows.append(about | {"answerable": True, "right": em, "twin": no, "none": no})
    none = {"em": None, "answer": "unknown"}
    about = {"id": "u", "conversation": "a", "lag": None, "answerable": False}
    rows.append(about | {"right": none, "twin": none})
    summary = {"memory": {"right-twin, all": {}}, "conditions": ["right", "twin", "none"]}
    return {"questions": rows, "method": method, "summary": summary}


def test_the_page_is_what_the_files_say(tool):
    written = (ROOT / "book/repairs.md").read_text(encoding="utf-8")
    assert written == tool.page(ROOT / "results"), "python book/tools/repairs_page.py write"


def test_sentences_fall_with_their_numbers(tool):
    files = {f"{repair.name}-10x-s0": result(4) for repair in tool.repaired()}
    files |= {f"{repair.name}-1x-s0": result(1) for repair in tool.repaired()}
    assert "the last four turns, all have at least 50 points" in tool.verdict(files)
    early, late = {"mean": 1.0, "low": None, "conversations": 4, "n": 9}, {"mean": 0.2, "low": None}
    late |= {"conversations": 4, "n": 7}
    assert "100.0" in tool.full_slots(early, late)
    with pytest.raises(tool.NumberError, match="full_slots"):
        tool.full_slots(early, early)
    files["m6_repaired-10x-s0"] = result(0)
    with pytest.raises(tool.NumberError, match="verdict"):
        tool.verdict(files)


def test_a_repair_is_compared_with_what_is_left_of_it(tool):
    m3, [less, *_] = tool.KNOWN["m3_repaired"], tool.KNOWN["m3_repaired"].each_left_out()
    files = {}
    for name, right in ((m3.name, 8), (less.name, 2), ("m3", 0)):
        files[f"{name}-10x-s0"] = result(right)
    files["m3_repaired-10x-s1"] = result(12)  # is not compared, what is left has one seed
    found = tool.left_out(files)
    assert found[less.name]["mean"] == -0.5
    rows = tool.left_table(files, m3, found, {less.name: "less"}).splitlines()[2:]
    assert [row.split("|")[1].split()[0] for row in rows] == ["nothing:", "rows", "all"]
    assert [row.split("|")[2].strip() for row in rows] == ["2", "1", "1"]
    assert "less" in rows[1]
    labels = tool.left_labels(tool.KNOWN["m2_repaired"])
    assert labels["m2_repaired-without-gamma"] == "no decay"
    assert labels["m2_repaired-without-start+shared"] == "only `start`, `shared`"
    assert tool.ablated(files) == []  # as long as a change was not left out
    for change in m3.changes:
        files.setdefault(f"{m3.without(change).name}-10x-s0", result(8))
    written = "\n\n".join(tool.ablated(files))
    assert written.count("### ") == 1
    [needed] = [part for part in written.split("\n\n") if part.startswith("**Needed.**")]
    assert needed.endswith(": rows have fixed addresses, and W_Q whitens the latents.")
    assert "no decay" in written.split("**Not shown to be needed.**")[1]
    assert "begin with *only*" not in written  # no part of a change was left out
    assert "fewer changes" in tool.limits(True, ROOT / "results")
    for change in m3.changes:
        files[f"{m3.without(change).name}-10x-s0"] = result(2)
    assert "**All four are needed.**" in "\n\n".join(tool.ablated(files))


def test_a_chart_has_a_point_for_each_value_and_says_them(tool):
    drawn = tool.chart("Score", ["0", "1", "2"], {"one": [1.0, None, 0.5], "two": [0.0, 0.25, 0.0]})
    stored = json.loads(re.search(r'<script type="application/json">(.*?)</script>', drawn)[1])
    assert [trace["y"] for trace in stored["data"]] == [[100, None, 50], [0, 25, 0]]
    assert "one: 100, -, 50; two: 0, 25, 0" in drawn
    assert tool.abstention([result(4)]) == "100.0 (n=1)"


def ideal(read, start, exact=1.0, pair=0.7, pooled=0.0):
    """A result of `lmem reads`."""
    kinds = {"exact": exact, "superposed-1": pair, "superposed-3": 0.0, "pooled": pooled}
    kinds |= {"embeddings": 0.2} if read == "prefix" else {}
    first = 1.0 if read == "extension" and start == "identity" else 0.0
    banks = {
        kind: {"curve": {"0": min(first, right), "10": min(0.6, right), "20": right}, "wrong": 0.0}
        for kind, right in kinds.items()
    }
    return {"read": read, "start": start, "questions": 7, "reads": {"steps": 20}, "banks": banks}


def ideal_files(**changed):
    files = {}
    for read, starts in STARTS.items():
        for start in starts:
            best = 0.0 if start == "printed" or read in ("prefix", "query") else 1.0
            files[f"reads-{read}-{start}-s0"] = ideal(read, start, **{"exact": best, **changed})
    return files


def test_the_section_on_reads_is_what_its_files_say(tool):
    drawn = "\n".join(tool.reads(ideal_files()))
    assert "20 steps" in drawn
    stored = json.loads(re.search(r'<script type="application/json">(.*?)</script>', drawn)[1])
    assert len(stored["data"]) == 10
    assert "has 0.0 points" in drawn
    rows = tool.read_table(tool.read_scores(ideal_files()))
    assert [row["steps to 50%"] for row in rows[:2]] == ["0", "never"]
    assert rows[0]["hidden states"] == "100.0"
    for changed in ({"exact": 0.0}, {"pair": 0.1}, {"pooled": 0.5}, {"exact": 1.0}):
        with pytest.raises(tool.NumberError, match="repairs_reads"):
            tool.reads(ideal_files(**changed))


def late_files():
    """What the section on M.1 and M.4 reads."""
    files = ideal_files()
    free = {"normalise": False}
    told = (("hebbian+query", {}, 0.02), ("hebbian+query", free, 0.9), ("delta+query", {}, 0.8))
    for method, write, share in told:
        name = f"kept-{method}-{len(write)}-s0"
        about = {"method": method, "options": {"write": write}}
        files[name] = about | {"facts": {"0": {"4": share}}}
    files["reads-prefix-kept-1steps-s0"] = ideal("prefix", "kept")
    files["reads-prefix-kept-1steps-s0"]["banks"]["exact"]["curve"]["0"] = 0.9
    files["reads-query-learned-100steps-s0"] = ideal("query", "learned")
    for name, right in (("m1_repaired", 4), ("m4_repaired", 8), ("m1", 0), ("m4", 0)):
        files[f"{name}-1x-s0"] = result(right)
    return files


def test_the_section_on_m1_and_m4_falls_with_its_numbers(tool):
    said = "\n".join(tool.late_repairs(late_files()))
    assert "steps of training 20.0 percent" in " ".join(said.split())
    assert "90.0 percent, and with the delta rule" in said
    assert "is then 100.0 points after 20 steps" in " ".join(said.split())
    assert said.count("printed, 1x |") == said.count("repaired, 1x |") == 2
    assert "as far as that was run" not in said
    files = late_files() | {"m4_repaired-without-rule-1x-s0": result(1)}
    [line] = [x for x in "\n".join(tool.late_repairs(files)).splitlines() if "| the delta" in x]
    assert line.split("|")[5].strip() == "less"
    changed = {
        "repairs_matrix": ("kept-delta+query-0-s0", "facts", "0", "4", 0.1),
        "repairs_prefix": ("reads-prefix-kept-1steps-s0", "banks", "exact", "curve", {"0": 0.1}),
    }
    for text, (name, *path, key, value) in changed.items():
        files = late_files()
        part = files[name]
        for step in path:
            part = part[step]
        part[key] = value
        with pytest.raises(tool.NumberError, match=text):
            tool.late_repairs(files)
    with pytest.raises(tool.NumberError, match="repairs_late_table"):
        tool.late_repairs(late_files() | {"m4_repaired-1x-s0": result(0)})


def test_the_printed_commands_make_the_files_that_are_shipped(tmp_path, capsys):
    """With these settings every file is there already: none is refused, and none is missing."""
    files = [*ROOT.glob("results/repairs/kept-*"), *ROOT.glob("results/repairs/reads-*")]
    for file in files:
        shutil.copy(file, tmp_path)
    page = (ROOT / "book/repairs.md").read_text(encoding="utf-8")
    commands = re.findall(r"^lmem ((?:kept|reads) .*)$", page, re.M)
    skipped = []
    for command in commands:
        assert "--out results/repairs " in command
        args = shlex.split(command.replace("results/repairs", str(tmp_path)))
        code, output, _ = lmem(capsys, *args, "--json")
        assert code == 0
        report = json.loads(output)
        assert report["done"] == []
        skipped += report["skipped"]
    assert sorted(skipped) == sorted(file.name.removesuffix(".json.gz") for file in files)


def test_results_of_other_settings_are_refused(tool):
    old = result(4) | {"options": {"write": {"address": 30.0}}}
    with pytest.raises(tool.NumberError, match="other settings"):
        tool.seeds({"m3_repaired-1x-s0": old}, "m3_repaired", 1)
    slow = result(4) | {"training": {"settings": {}}}
    with pytest.raises(tool.NumberError, match="other settings"):
        tool.seeds({"m2-1x-s0": slow}, "m2", 1)
