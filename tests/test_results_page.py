"""The page of results: equal to what the tool makes of the files, its sentences supported by their numbers, no text of LoCoMo."""

import os
import re
from pathlib import Path

import pytest
import yaml

from lmem.bench.encode import bench_encode
from lmem.bench.evaluate import bench_eval
from lmem.bench.train import bench_train
from lmem.bench.write import bench_write
from lmem.data import locomo
from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.abilities import by_ability
from lmem.evaluation.summary import summarise
from lmem.viz import bank_cost

ROOT = Path(__file__).parents[1]
import page_numbers  # noqa: E402
import result_files  # noqa: E402
import results_page  # noqa: E402

# Six conversations of one question. SE^2 = 6 / 5 sum (gain - mean)^2 / 36; t_.975 = 2.57058 and t_.80 = .91954 with 5 degrees of freedom.
GAINS = {
    # mean 5/6, SE = 1/6, half .42843, MDD 3.49012 / 6 = .5817; as a share, Wilson's: width w = .42843^2 / (5/36) = 1.32155,
    # (5/6 + w / 2 -+ sqrt(w 5/36 + w^2 / 4)) / (1 + w) = .3043 and .9828
    "shown": (1, 1, 1, 1, 1, 0),
    "contradicted": (-1, -1, -1, -1, -1, 0),
    "same": (0, 0, 0, 0, 0, 0),
    # mean 0, SE = sqrt(6/5 * 2/36) = .2582, half .6637
    "small": (1, -1, 0, 0, 0, 0),
    # mean 1/3, SE = sqrt(6/5 * 12/9 / 36) = .2108
    "open": (1, 1, 0, 0, 0, 0),
}
NONE = -20.0  # bits of the right answer without a bank


def rows_of(em, likely, answer="x", kept=True):
    """Rows of six questions with these gains of the right bank over the twin's; the right bank gives 8 bits more than none."""
    rows = []
    for i, (hit, more) in enumerate(zip(em, likely, strict=True)):
        row = {"id": f"q{i}", "conversation": f"c{i}", "lag": 3, "category": 4, "answerable": True}
        row["in_bank"] = kept
        scores = {"right": (max(hit, 0), NONE + 8), "twin": (max(-hit, 0), NONE + 8 - more)}
        for name in ("right", "twin", "none", "baseline"):
            hit_, bits = scores.get(name, (0, NONE))
            said = {
                "answer": answer if name == "right" else "y",
                "bits": bits,
                "locomo": float(hit_),
            }
            row[name] = said | {"f1": float(hit_), "em": hit_}
        rows.append(row)
    return rows


def cell(root, name, em="same", bits="same", answer="x", **more):
    """A file of a sweep: "m3-1x-s0", or "m3-1x-gamma=0.99-s0" with write={"gamma": 0.99}."""
    label, scale, *_ = name.split("-")
    rows = rows_of(GAINS[em], GAINS[bits], answer)
    result = {
        "name": name, "method": more.pop("method", "attention+extension"), "rows": 64, "scale": float(scale[:-1]),
        "options": {"write": more.pop("write", {}), "read": {}} | more.pop("options", {}), "backbone": "nano", "data": "tinyworld, 60 turns",
        "summary": summarise(rows, ["right", "twin", "none", "baseline"]), "questions": rows,
        "sweep": more.pop("sweep", {}), "training": {} if label == "m0" else {"steps": 1000},
        "provenance": {"seed": int(name.rpartition("-s")[2])},
    }  # fmt: skip
    assert not more
    if label == "m0":
        result["summary"] = summarise(rows, ["baseline"])
    save(root, f"tinyworld/{name}", result)


def recent(root, em="shown", **conditions):
    """A file of the control battery; conditions, {name: gain of the right bank over it}, beside the usual."""
    rows = rows_of(GAINS[em], GAINS["same"])
    for row, *hits in zip(rows, *(GAINS[word] for word in conditions.values()), strict=True):
        for name, gain in zip(conditions, hits, strict=True):
            hit = row["right"]["em"] - gain
            row[name] = row["twin"] | {
                "em": hit,
                "f1": float(hit),
                "bits": NONE + 4,
                "in_text": 0.5,
            }
    names = ["right", "twin", "none", "baseline", *conditions]
    result = {
        "method": "recent+branch", "rows": 192, "backbone": "nano", "data": "tinyworld, 60 turns",
        "settings": {"budget": 128}, "summary": summarise(rows, names), "questions": rows,
    }  # fmt: skip
    save(root, "tinyworld/recent", result)


def text_of(root):
    """The page's tables, with plain blanks."""
    text = "\n\n".join(results_page.tables(results_page.load(root)))
    return text.replace("\u00a0", " ").replace("<br>", " ")


def save(root, name, result, suffix=".json"):
    path = root / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    results.save(result, path)


# ---- the findings ----------------------------------------------------------------------------------------

FINDINGS = yaml.safe_load((ROOT / "book/findings.yml").read_text(encoding="utf-8"))["findings"]


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding["id"])
def test_no_number_of_a_finding_is_typed(finding):
    """What is left of a text without its braces, the names of cells and the paper's names has no digit."""
    names = r"`[^`]+`|\b[MKF][._]?\d\b|\b10?x\b|\b([Tt]able|[Ss]ection) [\d.]+\d?|\bF1\b|BM25|Flan-T5|pads to 384"
    for field in ("finding", "because", "paper", "comparison"):
        left = re.sub(names, "", re.sub(r"\{\w+\}", "", finding[field]))
        left = left.replace("clipped at 0", "")
        assert not re.search(r"\d", left), left


def test_every_group_of_findings_has_its_chart():
    charts = [finding.get("chart") for finding in FINDINGS if "section" in finding]
    assert sorted(charts) == sorted(results_page.CHARTS)


def test_a_finding_that_its_numbers_do_not_support_stops_the_build(tmp_path):
    finding = {**FINDINGS[0], "stands_if": "evidence.high < guess"}
    path = tmp_path / "findings.yml"
    path.write_text(yaml.safe_dump({"findings": [finding]}))
    with pytest.raises(page_numbers.NumberError, match="no longer support reading"):
        results_page.findings(path)
    path.write_text(yaml.safe_dump({"findings": [finding | {"stands_if": "evidence.low > guess"}]}))
    assert "99.0 [98.2, 99.5] percent of 1000" in results_page.findings(path)


def test_numbers_of_many_cells():
    """Two cells by their pattern, and their differences from 1x."""
    known = page_numbers.read_numbers(
        {
            "id": "x",
            "numbers": {
                "sizes": {"cells": "m3-[14]x", "at": "rows"},
                "changes": {"changes": "m3-[14]x", "at": "bits"},
                "most": {"calc": "max(sizes.values())"},
                "positive": {"calc": "[name for name in changes if changes[name].mean > 0]"},
            },
        }
    )
    assert known["sizes"] == {"m3-1x": 64, "m3-4x": 256}
    assert known["most"] == 256
    assert list(known["changes"]) == ["m3-4x"]  # 1x is not compared with itself
    assert known["positive"] == ["m3-4x"]  # 0.01 on the page


# ---- cells compared --------------------------------------------------------------------------------------


def test_a_contrast_is_over_the_seeds_that_both_have(tmp_path):
    """Seed 0: 5/6 - 0; seed 1: 0 - 5/6; seed 2 has no base."""
    for name, words in (
        ("m2-1x", ("same", "shown")),
        ("m2-10x", ("shown", "same", "contradicted")),
    ):
        for seed, word in enumerate(words):
            cell(tmp_path, f"{name}-s{seed}", word)
    cells = result_files.load_cells(tmp_path / "tinyworld")
    change = result_files.change(cells["m2-10x"], cells)
    memory = change["memory"]
    # the conversations agree on 0, the seeds are 5/6 apart from it: V_S = (2 25/36 - 2 (30/36) / 36 / (5/6)) / 2 = 2/3
    assert memory["mean"] == 0.0
    assert memory["high"] == pytest.approx(12.7062 * (2 / 3) ** 0.5, abs=1e-3)
    assert (change["seeds"], cells["m2-10x"]["seeds"]) == ([0, 1], [0, 1, 2])
    assert result_files.change(cells["m2-1x"], cells) is None


def test_other_settings_are_not_compared(tmp_path):
    cell(tmp_path, "m2-1x-s0")
    cell(tmp_path, "m2-10x-s0", "shown", sweep={"steps": 3000})
    cells = result_files.load_cells(tmp_path / "tinyworld")
    assert result_files.change(cells["m2-10x"], cells) is None
    cell(tmp_path, "m2-10x-s1", "shown")
    with pytest.raises(InputError, match="m2-10x to be run with the same settings"):
        result_files.load_cells(tmp_path / "tinyworld")


def on_locomo(root, em, backbone="nano"):
    rows = rows_of(GAINS[em], GAINS["same"])
    for row in rows:
        row["other"] = row.pop("twin")
    result = {
        "method": "attention+extension", "rows": 64, "backbone": backbone, "data": "locomo", "settings": {},
        "summary": summarise(rows, ["right", "other", "none", "baseline"]), "questions": rows, "words_spelled_out": 0.5,
    }  # fmt: skip
    save(root, "locomo/one", result)


def test_a_small_backbone_on_locomo_is_called_a_proof_of_the_path(tmp_path):
    on_locomo(tmp_path, "same")
    assert "**A proof of the path" in text_of(tmp_path)
    on_locomo(tmp_path, "shown", "google/flan-t5-base")
    assert "A proof of the path" not in text_of(tmp_path)


def test_an_aim_that_is_missed_is_said(tmp_path):
    row = {
        "part": "lab",
        "seconds": 200.4,
        "plain_seconds": 1234,
        "times": 6.2,
        "aim": 180,
        "met": False,
    }
    made = {"machine": {"processor": "x86_64", "threads": 2, "device": "cpu"}}
    result = {
        "what": "lab",
        "backbone": "mini",
        "data": "locomo",
        "by_part": [row],
        "provenance": made,
    }
    save(tmp_path, "bench/lab-mini", result)
    text = text_of(tmp_path)
    assert "| lab | 200 | 180, missed | 1,234 | 6.2 |" in text
    assert "lmem bench lab --backbone mini --data locomo --out results/bench/lab-mini.json" in text


def test_the_cells_of_mini_on_locomo_have_one_table(tmp_path):
    """The right bank is right in 5 of 6 questions, another's in none; the bare backbone has the evidence as text."""
    rows = rows_of(GAINS["shown"], GAINS["same"])
    for row in rows:
        row["other"] = row.pop("twin")
        row |= {"null_rows": row["none"], "oracle": row["none"], "kind": None}
    five = {"category": 5, "answerable": False}
    names = ["right", "other", "none", "null_rows", "baseline"]
    unanswered = [
        {**row, **five, **{c: {**row[c], "f1": None, "em": None, "bits": None} for c in (*names, "oracle")}}
        for row in rows
    ]  # fmt: skip
    for cell, conditions in (("m3_repaired-10x", names), ("m0-1x", ["baseline", "oracle"])):
        asked = rows + unanswered
        result = {
            "name": f"{cell}-s42", "backbone": "mini", "data": "locomo", "scale": 10.0, "parameters": 4_000_000, "provenance": {"seed": 42},
            "summary": summarise(asked, conditions), "abilities": by_ability(asked, conditions), "questions": asked,
            "reproduce": {"backbone": "mini", "controls": "right,other", "constant": False, "knowledge": False, "steps": 200},
        }  # fmt: skip
        save(tmp_path, f"locomo/mini-{cell}-s42", result)
    text = text_of(tmp_path).split("## LoCoMo")[1].split("\n## ")[0]
    assert "the highest memory score in F1 is that of `m3_repaired-10x-s42`: 83.3 [" in text
    assert "in bits is that of `m3_repaired-10x-s42`: 0.00 [" in text
    assert "| `m3_repaired-10x-s42` | 83.3 / 0.0 / 0.0 | **83.3 [40.5, 126.2] (G=6)**" in text
    assert "| `m0-1x-s42` | - / - / - | - | - | - | - | 0.0 / 0.0 |" in text
    assert "Table 3: recall rate by lag" in text
    assert (
        "lmem reproduce --out mini-locomo --methods m0,m3_repaired --scales 1,10 --data locomo --backbone mini "
        "--controls right,other --steps 200 --no-constant --no-knowledge" in text
    )
    [table_4] = re.findall(r"### Table 4.*?(?=###|\Z)", text, re.S)
    assert "lmem reproduce --out mini-knowledge --methods m0 --scales 1 " in table_4
    assert table_4.count("--knowledge") == 1
    assert "--no-knowledge" not in table_4


# ---- the page --------------------------------------------------------------------------------------------


def test_the_page_is_what_the_files_say():
    """After a new result file: python book/tools/results_page.py write."""
    stored = (ROOT / "book/results.md").read_text(encoding="utf-8")
    assert stored == results_page.page(ROOT / "results")


def test_what_is_not_run_is_said(tmp_path):
    text = text_of(tmp_path)
    headings = re.findall(r"^## (.+)$", text, flags=re.M)
    assert len(headings) == 10
    for heading in headings:
        assert f"## {heading}\n\nNot run yet." in text
    assert "| ---" not in text


def test_further_seeds_methods_and_options_need_no_change(tmp_path):
    cell(tmp_path, "m2-1x-s0", "shown")
    cell(tmp_path, "m2-1x-s1", "same")
    cell(tmp_path, "m0-1x-s0")
    cell(tmp_path, "m4-10x-s0", method="hebbian+query")
    cell(tmp_path, "slots+branch-1x-s0", write={"k": 4})
    text = text_of(tmp_path)
    # the seeds' scores are 83.3 and 0.0, their mean 41.7; the right bank is right in 5 of 12
    # half of what one seed gives: t^2 V = (2.57058 / 12)^2, and a fourth of the 2/3 of the test above: t^2 V_S = 12.7062^2 / 6
    score = "**41.7 [-477.5, 560.8] (G=6)**, MDD 575.6"
    assert f"| `m2-1x`, 64 rows | 2: 0.0 to 83.3 | 41.7 / 0.0 twin | {score} |" in text
    assert "| `m0-1x` | 1 | no bank: 0.0 | - |" in text
    assert "| `m4-10x`, 64 x 64 | 1 |" in text
    assert "6 questions in 6 conversations; 1000 training steps, seeds 0, 1;" in text
    assert "Not run yet: m1-1x, m3-1x," in text
    cell(tmp_path / "m0", "m0-1x-s0")
    assert "conversations; nothing is trained, seeds 0;" in text_of(tmp_path / "m0")
    others = text.split("## Other cells")[1].split("\n## ")[0]
    assert "`slots+branch-1x`" in others
    assert "--methods slots+branch --scales 1 --seeds 0 --write k=4" in others


def test_starts_and_eps_as_in_the_released_code_have_their_sections(tmp_path):
    """Each is compared with the same cell without it; the command names the option's part."""
    cell(tmp_path, "m2_as_run-1x-s0")
    cell(tmp_path, "m2_as_run-1x-maps=linear-s0", "shown", write={"maps": "linear"})
    cell(tmp_path, "m4-1x-s0")
    cell(tmp_path, "m4-1x-eps=1e-12-s0", options={"train": {"eps": 1e-12}})
    text = text_of(tmp_path)
    linear, eps = (
        text.split(f"## {title}\n")[1].split("\n## ")[0]
        for title in ("How the released code draws its maps", "Adam's eps")
    )
    [row] = [line for line in linear.splitlines() if "maps=linear`" in line]
    assert row.count("83.3 [40.5, 126.2] (G=6)") == 2  # its score, and what the option changes
    assert "| `m2_as_run-1x` |" in row
    assert "--methods m2_as_run --scales 1 --seeds 0 --write maps=linear\n" in linear
    assert "| `m4-1x` |" in eps
    assert "--methods m4 --scales 1 --seeds 0 --train eps=1e-12\n" in eps
    assert "## Other cells" not in text


def test_compressed_files_are_files_too(tmp_path):
    recent(tmp_path)
    found = results.load(tmp_path / "tinyworld/recent.json")
    plain = text_of(tmp_path)
    (tmp_path / "tinyworld/recent.json").unlink()
    save(tmp_path, "tinyworld/recent", found, ".json.gz")
    text = text_of(tmp_path)
    assert "--out results/tinyworld/recent.json.gz" in text
    assert text.replace("recent.json.gz", "recent.json") == plain


def test_the_command_that_wrote_a_cell(tmp_path):
    cell(tmp_path, "m3-40x-normalise=True-s0", write={"normalise": True}, sweep={"steps": 3000})
    cell(tmp_path, "m2-40x-normalise=True-s0", write={"normalise": True}, sweep={"steps": 3000})
    text = text_of(tmp_path)
    assert (
        "lmem sweep --out results/tinyworld --methods m2,m3 --scales 40 --seeds 0 --write normalise=true --set steps=3000\n"
        in text
    )


def test_the_figure_of_rows():
    rows = [
        {"kind": kind, "name": "slots", "rows": n, "ms": ms}
        for kind, n, ms in (("write", 64, 0.51234), ("write", 1024, 2.0), ("read", 64, 7.0))
    ]
    figure = bank_cost.write_and_read_cost(rows, 5.5555, "a title")
    write, read, bare = figure.data
    assert (list(write.x), list(write.y)) == ([64, 1024], [0.512, 2.0])
    assert (read.name, list(read.y), list(bare.y)) == ("read slots", [7.0], [5.56, 5.56])
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert "write slots 0.512 at 64 rows, 2 at 1024" in figure.layout.meta["alt"]


def test_the_battery_by_hand(tmp_path):
    recent(tmp_path, "shown", constant="same")
    text = text_of(tmp_path)
    assert (
        "right bank minus the twin's, points: **83.3 [40.5, 126.2] (G=6)**, MDD 58.2; bits:" in text
    )
    nothing = "0.0 [no interval: all 6 conversations agree]"
    assert f"| constant | 83.3 [30.4, 98.3] (G=6) | {nothing} |" in text
    assert "The trained constant: not run yet." not in text
    recent(
        tmp_path, "same", deleted="contradicted"
    )  # 0 with the right bank, 5/6 without the evidence
    text = text_of(tmp_path)
    assert "| deleted | 83.3 [30.4, 98.3] (G=6) | -83.3 [-126.2, -40.5] (G=6), MDD 58.2 |" in text
    assert "The trained constant: not run yet." in text


def test_files_of_the_bench_as_they_are_written(tmp_path, tiny, conversations):
    """Real files of all four, of the smallest sizes: the page finds every figure that it shows."""
    few = {"turns": 3, "plain_turns": 2, "questions": 2, "repeats": 3}
    about, talks = {"data": "tinyworld, 16 turns"}, conversations[:2]
    texts = talks[0].texts()
    made = {
        "train-nano": about | bench_train(tiny, talks, epochs=1, steps=1, **few),
        "eval-nano": about | bench_eval(tiny, talks, asked=2, max_new_tokens=2, **few),
        "encode-nano": about | bench_encode(tiny, texts, 2),
        "write-nano": bench_write(tiny, texts, ["slots"], (2, 4), (64, 128), 3),
    }
    for name, result in made.items():
        save(tmp_path, f"bench/{name}", result)
    text = text_of(tmp_path)
    for name in made:
        assert f"results/bench/{name}.json" in text
    ratio = made["train-nano"]["ratio"]["plain"]
    assert f"| **{page_numbers.spread(ratio)}** |" in text
    assert f"| **{page_numbers.spread(made['encode-nano']['ratio'])}** |" in text
    assert f"{made['write-nano']['flat']['slots']['turn_ms']:.2f} times" in text
    assert text.count("| plain |") == text.count("| engine |") == 2
    assert "| file | `eval-nano` | `train-nano` |" in text


def test_the_tool_says_what_it_does(capsys, tmp_path):
    root, path = [], tmp_path / "page.md"

    def main(verb):
        return page_numbers.write_or_check(page, path, "usage", verb)

    def page(results):
        root.append(results)
        return f"version {len(root) // 4}"

    assert [main(verb) for verb in ("check", "write", "check", "check", "")] == [1, 0, 0, 1, 2]
    assert root[0] == ROOT / "results"
    assert "not as the files say" in capsys.readouterr().out


def test_the_page_holds_no_text_of_locomo():
    path = os.environ.get("LMEM_LOCOMO")
    if not path:
        pytest.skip("LMEM_LOCOMO names no copy of the release")
    page = (ROOT / "book/results.md").read_text(encoding="utf-8").lower()
    for conversation in locomo.load(path):
        texts = [turn.text for session in conversation.sessions for turn in session.turns]
        texts += [q.text for q in conversation.questions]
        texts += [q.answer for q in conversation.questions if q.answer]
        long = [text for text in texts if len(text) > 12]
        assert len(long) > 300
        assert [text for text in long if text.lower() in page] == []


def test_an_interval_is_below_its_number_and_is_not_broken():
    for text, shown in (
        ("0.8 [-0.4, 1.2]", "0.8<br>[-0.4,_1.2]"),
        ("**83.3 [50.0, 100.0] (G=6)**, MDD 5.1", "**83.3<br>[50.0,_100.0]<br>(G=6)**,<br>MDD_5.1"),
        ("**83.3** [50.0, 100.0]", "**83.3**<br>[50.0,_100.0]"),
        ("rows [1, 2], seeds 3", "rows [1,_2], seeds 3"),
    ):
        assert f"| {shown.replace('_', chr(0xA0))} |" in results_page.table([{"a": text}])
