"""The page of results: equal to what the tool makes of the files, every finding in every wording, and no text of LoCoMo.

A difference per conversation, one question in each of six, gives each of the five words; see `GAINS`.
"""

import os
import re
import sys
from pathlib import Path

import pytest

from lmem.bench.encode import bench_encode
from lmem.bench.evaluate import bench_eval
from lmem.bench.train import bench_train
from lmem.bench.write import bench_write
from lmem.data import locomo
from lmem.errors import InputError
from lmem.evaluation import results
from lmem.evaluation.summary import difference, summarise
from lmem.viz import bank_cost, score_plots

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "tools"))

import findings  # noqa: E402
import result_files  # noqa: E402
import results_page  # noqa: E402

# Six conversations of one question. SE^2 = 6 / 5 sum (gain - mean)^2 / 36, MDD = 2.80159 SE; a bootstrap mean is the mean of six draws.
GAINS = {
    # mean 5/6; of six draws at most 3 are 1 in 6.2% and at most 2 in 0.9%: the interval begins at 3/6
    "shown": (1, 1, 1, 1, 1, 0),
    "contradicted": (-1, -1, -1, -1, -1, 0),
    "same": (0, 0, 0, 0, 0, 0),
    # mean 0, SE = sqrt(6/5 * 2/36) = .2582, MDD .7234; a sum of six draws above 3 comes in less than 2.5%: it ends at 3/6
    "small": (1, -1, 0, 0, 0, 0),
    # mean 1/3, SE = sqrt(6/5 * 12/9 / 36) = .2108, MDD .5906; of six draws none is 1 in 8.8%, 5 or more in 1.8%: 0 to 4/6
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
        "options": {"write": more.pop("write", {}), "read": {}}, "backbone": "nano", "data": "tinyworld, 60 turns",
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


def save(root, name, result, suffix=".json"):
    path = root / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    results.save(result, path)


def said(root, finding, **options):
    return finding(result_files.load(root), **options)


# ---- the words of a difference -------------------------------------------------------------------------


@pytest.mark.parametrize("word", GAINS)
def test_the_word_of_a_difference_by_hand(word):
    rows = rows_of(GAINS[word], GAINS["same"])
    found = difference(rows, GAINS[word])
    assert findings.status(found) == word
    if word == "shown":
        assert (found["mean"], found["low"]) == (0.8333, 0.5)
    if word == "small":
        assert (found["mean"], found["high"], found["mdd"]) == (0.0, 0.5, 0.7234)
    if word == "open":
        assert (found["low"], found["high"], found["mdd"]) == (0.0, 0.6667, 0.5906)
    if word == "same":
        assert found["mdd"] is None


def test_nothing_is_missing_and_one_conversation_is_open():
    assert findings.status(None) == "missing"
    [row, *_] = rows_of(GAINS["shown"], GAINS["shown"])
    assert findings.status(difference([row], [1])) == "open"


def test_differences_of_one_word_stand_together():
    found = {
        "m1": {"mean": 0.5, "low": 0.25, "high": 0.75, "mdd": 0.4},
        "m2": {"mean": 0.0, "low": 0.0, "high": 0.0, "mdd": None},
        "m3": {"mean": 0.25, "low": 0.125, "high": 0.5, "mdd": 0.2},
    }
    assert findings.grouped(found, findings.GAIN) == (
        "In points of exact match: the right bank beats the wrong one: m1 50.0 [25.0, 75.0] (MDD 40.0), m3 25.0 [12.5, 50.0] "
        "(MDD 20.0); right and wrong bank score the same in every conversation: m2."
    )
    zero = {"": found["m2"]}  # one difference that has no name of its own
    assert findings.grouped(zero, findings.COST) == "In points of exact match: they change nothing."
    assert findings.those(["a", "b", "c"]) == "a, b and c"


def test_many_differences_that_show_nothing_are_counted():
    small = {"mean": 0.0, "low": -0.1, "high": 0.1, "mdd": 0.2}
    found = {f"m{i}": small | {"mean": i / 100, "mdd": 0.2 + i / 100} for i in range(9)}
    assert findings.grouped(found, findings.GAIN, "bits") == (
        "In bits: no gain as large as the MDD: 9 cells, from 0.00 to 0.08 (MDD up to 0.28)."
    )
    same = {name: each | {"mean": 0.0, "low": 0.0, "high": 0.0} for name, each in found.items()}
    assert findings.grouped(same, findings.COST, "bits") == "In bits: they change nothing: 9 cells."
    shown = {name: each | {"low": 0.05} for name, each in found.items()}
    assert "m8 0.08 [0.05, 0.10] (MDD 0.28)" in findings.grouped(shown, findings.GAIN, "bits")


# ---- the findings, each in every wording -----------------------------------------------------------------


def test_every_finding_says_that_it_is_not_measured_yet(tmp_path):
    files = result_files.load(tmp_path)
    for finding in findings.FINDINGS:
        one = finding(files)
        assert one.lead.endswith(": not measured yet.")
        assert one.verdict is None
        assert one.paper


def test_what_nano_reads(tmp_path):
    share = {"n": 100, "em": 0.98, "low": 0.96, "high": 0.99, "best_guess": 0.09, "unknown": 0.0}
    nothing = share | {"em": 0.0, "low": 0.0, "high": 0.04}
    found = {"with_evidence": share, "without_evidence": nothing, "alike": share}
    save(tmp_path, "nano/reading", found)
    one = said(tmp_path, findings.reads)
    assert "so a right answer comes from a memory" in one.lead
    assert "98.0 [96.0, 99.0] percent of 100" in one.numbers
    assert one.verdict.startswith("not comparable, because ")
    save(tmp_path, "nano/reading", found | {"with_evidence": share | {"low": 0.94}})
    assert "may not mean memory" in said(tmp_path, findings.reads).lead
    guessing = nothing | {"high": 0.10}  # more than the best constant answers get
    save(tmp_path, "nano/reading", found | {"without_evidence": guessing})
    assert "may not mean memory" in said(tmp_path, findings.reads).lead


def test_the_methods_as_printed(tmp_path):
    cell(tmp_path, "m2-1x-s0", "shown", "same")
    cell(tmp_path, "m3-1x-s0", "same", "small")
    cell(tmp_path, "m4-1x-s0", "contradicted", "open")
    one = said(tmp_path, findings.printed, scale=1)
    assert one.lead == "At 1x, as printed, memory is shown for m2 of m2, m3 and m4."
    # mean 5/6; SE = sqrt(6/5 (5 (1/6)^2 + (5/6)^2) / 36) = sqrt(6/5 * 5/6 / 36) = 1/6, MDD 2.80159 / 6 = 46.7 points
    assert "the right bank beats the wrong one: m2 83.3 [50.0, 100.0] (MDD 46.7)" in one.numbers
    assert "the wrong bank beats the right one: m4 -83.3 [-100.0, -50.0]" in one.numbers
    assert "score the same in every conversation: m3." in one.numbers
    assert "no gain as large as the MDD: m3 0.00 [-0.50, 0.50] (MDD 0.72)" in one.numbers
    assert "undecided: m4 0.33 [0.00, 0.67] (MDD 0.59)." in one.numbers
    assert one.numbers.endswith("Not run yet: m1, m5, m6.")
    # table 3 at 1x: m2 11.91, m3 0, m4 9.34; here m2 yes, m3 no, m4 no
    assert one.verdict.startswith("not comparable, because ")
    assert one.verdict.endswith("the paper says as here for m2 and m3 and otherwise for m4")
    assert said(tmp_path, findings.printed, scale=10).verdict is None


def test_memory_in_bits_alone_is_memory(tmp_path):
    cell(tmp_path, "m4-10x-s0", "same", "shown")
    one = said(tmp_path, findings.printed, scale=10)
    assert "shown for m4 of m4" in one.lead
    assert one.verdict.endswith("the paper says as here for m4")
    cell(tmp_path, "m4-10x-s0", "same", "same")
    one = said(tmp_path, findings.printed, scale=10)
    assert "shown for none of m4" in one.lead
    assert one.verdict.endswith("the paper says otherwise for m4")


def test_bits_over_no_bank(tmp_path):
    cell(tmp_path, "m2-1x-s0", "shown", "shown")
    one = said(tmp_path, findings.gained)
    assert "came with memory wherever" in one.lead
    assert "Of 1 cells 1 gain" in one.numbers
    cell(tmp_path, "m3-1x-s0", "same", "small")
    one = said(tmp_path, findings.gained)
    assert one.lead == "Bits gained over no bank are no evidence of memory."
    assert "In 1 of 2 cells" in one.numbers
    # the right bank -12, none -20
    assert "m3-1x, 8.00 [8.00, 8.00] bits over no bank, 0.00 [-0.50, 0.50] over" in one.numbers


def test_bits_of_noise(tmp_path):
    recent(tmp_path, noise="shown")
    one = said(tmp_path, findings.gained)
    assert one.lead == "Bits gained over no bank are no evidence of memory."
    assert "Gaussian rows" in one.numbers
    assert "4.00 [4.00, 4.00] bits" in one.numbers  # -16 beside -20


def test_empty_answers(tmp_path):
    cell(tmp_path, "m2-1x-s0")
    one = said(tmp_path, findings.broken)
    assert "no cell leaves half of its answers empty" in one.lead
    assert "At most 0.0 percent" in one.numbers
    cell(tmp_path, "m4-1x-s0", answer="")
    one = said(tmp_path, findings.broken)
    assert "m4-1x leaves most answers empty" in one.lead
    assert "m4-1x 100.0 (1 of 2 cells)" in one.numbers
    assert one.verdict.startswith("not comparable, because ")
    cell(tmp_path, "m3-1x-s0", answer=" ")
    one = said(tmp_path, findings.broken)
    assert "m3-1x and m4-1x leave most" in one.lead
    assert one.verdict.startswith("agrees")


@pytest.mark.parametrize(
    ("word", "lead"),
    [
        ("shown", "remembers."),
        ("contradicted", "does worse with its right bank"),
        ("small", "is not shown"),
        ("same", "is not shown"),
        ("open", "is not shown"),
    ],
)
def test_whether_recent_remembers(tmp_path, word, lead):
    recent(tmp_path, word, deleted="same")
    one = said(tmp_path, findings.remembers)
    assert lead in one.lead
    assert findings.GAIN[word] in one.numbers
    assert "(6 of 6 questions)" in one.numbers
    assert "the evidence's turns" in one.numbers


def test_a_bank_beside_text(tmp_path):
    recent(tmp_path, last_k="shown", bm25="contradicted", oracle="small")
    one = said(tmp_path, findings.beside_text)
    assert one.lead == (
        "A bank of 192 rows answers more than the newest turns, and less than the turns that BM25 finds as text."
    )
    assert "the bank answers more than: last_k 83.3 [50.0, 100.0]" in one.numbers
    assert "it answers less than: bm25 -83.3" in one.numbers
    assert "no gain as large as the MDD: oracle 0.0" in one.numbers
    assert "within 128 tokens" in one.numbers
    assert "of the bank for 100.0 percent" in one.numbers  # all six are kept
    assert "of bm25 for 50.0" in one.numbers
    recent(tmp_path, oracle="same")
    one = said(tmp_path, findings.beside_text)
    assert "neither more nor less" in one.lead
    assert "it answers as much as: oracle. " in one.numbers
    recent(tmp_path)
    assert said(tmp_path, findings.beside_text).verdict is None


def null_rows(root, evidence, alone="same", counts=(0, 64)):
    def scored(word):
        found = difference(rows_of(GAINS[word], GAINS["same"]), GAINS[word])
        return {
            "em": found,
            "f1": found,
            "bits": found,
            "cost": dict.fromkeys(("em", "f1", "bits"), found),
        }

    by_rows = {
        str(n): {"evidence": scored(evidence if n else "same"), "question_only": scored(alone)}
        for n in counts
    }
    save(
        root,
        "tinyworld/null-rows",
        {"backbone": "nano", "data": "tinyworld, 60 turns", "n": 6, "by_rows": by_rows},
    )


def test_zero_rows(tmp_path):
    null_rows(tmp_path, "shown", "contradicted")
    one = said(tmp_path, findings.zero_rows)
    assert "such a tax is not the adapter's" in one.lead
    assert "they cost: 64 rows 83.3 [50.0, 100.0]" in one.numbers
    assert "they help: 64 rows -0.83" in one.numbers
    assert "0 rows 0" not in one.numbers.replace("640 rows", "")
    assert one.verdict.startswith("agrees")
    for word, text in (
        ("same", "they change nothing"),
        ("small", "no gain as large"),
        ("open", "undecided"),
    ):
        null_rows(tmp_path, word)
        one = said(tmp_path, findings.zero_rows)
        assert "nothing that could be found" in one.lead
        assert text in one.numbers
        assert one.verdict.startswith("not comparable, because ")


CHANGED = {
    findings.as_run: ("m2_as_run-1x-s0", "m2-1x-s0", {}),
    findings.decay: ("m2-1x-gamma=0.99-s0", "m2-1x-s0", {"gamma": 0.99}),
    findings.start: ("m2-1x-noise=0-s0", "m2-1x-s0", {"noise": 0}),
    findings.capacity: ("m2-10x-s0", "m2-1x-s0", {}),
    findings.normalised: ("m2-40x-normalise=True-s0", "m2-40x-s0", {"normalise": True}),
}


@pytest.mark.parametrize("finding", CHANGED, ids=lambda finding: finding.keywords["what"][:20])
def test_what_is_changed_one_at_a_time(tmp_path, finding):
    variant, base, write = CHANGED[finding]
    name = variant.removesuffix("-s0")
    cell(tmp_path, variant, "shown", "same", write=write)
    one = said(tmp_path, finding)
    assert one.verdict is None
    assert f"{name} has nothing to be compared with" in one.lead
    cell(tmp_path, base, "same", "same")
    one = said(tmp_path, finding)
    assert f"more memory is shown for {name}." in one.lead
    assert f"more memory: {name} 83.3 [50.0, 100.0]" in one.numbers
    assert f"the same memory score in every conversation: {name}." in one.numbers
    assert one.verdict.startswith("not comparable, because ")
    cell(tmp_path, variant, "same", "contradicted", write=write)
    one = said(tmp_path, finding)
    assert f"less memory is shown for {name}." in one.lead
    assert f"less memory: {name} -0.83" in one.numbers
    for word in ("same", "small", "open"):
        cell(tmp_path, variant, word, word, write=write)
        one = said(tmp_path, finding)
        assert f"no change is shown for {name}." in one.lead
        assert findings.MORE[word] in one.numbers


def test_more_for_one_and_less_for_another(tmp_path):
    for name, word in (("m1", "shown"), ("m3", "contradicted")):
        cell(tmp_path, f"{name}-1x-s0")
        cell(tmp_path, f"{name}-10x-s0", word)
    one = said(tmp_path, findings.capacity)
    assert one.lead.endswith("more memory is shown for m1-10x, less memory is shown for m3-10x.")
    assert one.verdict == "contradicts, in direction"  # the paper: ten times the rows lift both
    cell(tmp_path, "m3-10x-s0", "same")
    assert said(tmp_path, findings.capacity).verdict.startswith("not comparable, because a lift")
    cell(tmp_path, "m3-10x-s0", "shown")
    assert said(tmp_path, findings.capacity).verdict == "agrees, in direction"
    cell(tmp_path, "m3-10x-s0", "shown", "contradicted")
    one = said(tmp_path, findings.capacity)
    assert one.lead.endswith("more by one measure and less by the other for m3-10x.")
    assert one.verdict.startswith("not comparable, because a lift")


def test_a_contrast_is_over_the_seeds_that_both_have(tmp_path):
    """Seed 0: 5/6 - 0; seed 1: 0 - 5/6; seed 2 has no base."""
    for name, words in (
        ("m2-1x", ("same", "shown")),
        ("m2-10x", ("shown", "same", "contradicted")),
    ):
        for seed, word in enumerate(words):
            cell(tmp_path, f"{name}-s{seed}", word)
    cells = result_files.load(tmp_path)["cells"]
    found = result_files.contrast(cells["m2-10x"], cells["m2-1x"], "em")
    assert (found["mean"], found["low"], found["high"]) == (0.0, 0.0, 0.0)
    assert cells["m2-10x"]["seeds"] == [0, 1, 2]
    assert result_files.contrast(cells["m2-10x"], None, "em") is None


def test_other_settings_are_not_compared(tmp_path):
    cell(tmp_path, "m2-1x-s0")
    cell(tmp_path, "m2-10x-s0", "shown", sweep={"steps": 3000})
    assert "nothing to be compared with" in said(tmp_path, findings.capacity).lead
    cell(tmp_path, "m2-10x-s1", "shown")
    with pytest.raises(InputError, match="m2-10x to be run with the same settings"):
        result_files.load(tmp_path)


def on_locomo(root, em, backbone="nano"):
    rows = rows_of(GAINS[em], GAINS["same"])
    for row in rows:
        row["other"] = row.pop("twin")
    result = {
        "method": "attention+extension", "rows": 64, "backbone": backbone, "data": "locomo", "settings": {},
        "summary": summarise(rows, ["right", "other", "none", "baseline"]), "questions": rows, "words_spelled_out": 0.5,
    }  # fmt: skip
    save(root, "locomo/one", result)


def test_locomo(tmp_path):
    on_locomo(tmp_path, "same")
    one = said(tmp_path, findings.locomo)
    assert "nothing is answered" in one.lead
    assert "another conversation's" in one.numbers
    assert "gains 8.00 [8.00, 8.00] bits over no bank, and 0.00 [0.00, 0.00] over" in one.numbers
    assert one.verdict == "not comparable, because the backbone is nano, not Flan-T5-XL"
    assert "**A proof of the path" in results_page.page(tmp_path)
    on_locomo(tmp_path, "shown", "google/flan-t5-base")
    one = said(tmp_path, findings.locomo)
    assert "something is answered by one" in one.lead
    assert "the right bank beats the wrong one: 83.3" in one.numbers
    assert "google/flan-t5-base" in one.verdict
    assert "A proof of the path" not in results_page.page(tmp_path)


@pytest.mark.parametrize(
    ("plain", "bare", "word", "share"),
    [
        (
            (40.0, 50.0, 60.0),
            (4.0, 5.0, 6.0),
            "is faster",
            "most of the ratio is padding: 10.0 times",
        ),
        ((6.0, 8.0, 9.0), (3.0, 4.0, 5.0), "is faster", "padding is the smaller part: 2.0 times"),
        ((0.5, 0.8, 0.9), (0.4, 0.5, 0.6), "is slower", "most of the ratio is padding: 1.6 times"),
        (
            (0.9, 1.0, 1.1),
            (0.9, 1.0, 1.1),
            "no faster, within the spread",
            "smaller part: 1.0 times",
        ),
    ],
)
def test_speed(tmp_path, plain, bare, word, share):
    ratio = {
        way: dict(zip(("min", "median", "max"), each, strict=True))
        for way, each in (("plain", plain), ("unpadded", bare))
    }
    found = {
        "what": "training",
        "backbone": "nano",
        "ratio": ratio,
        "ratio_by_operations": {"plain": 7.0},
    }
    save(tmp_path, "bench/train-a", found)
    one = said(tmp_path, findings.speed)
    assert word in one.lead
    assert share in one.numbers
    assert (
        f"{plain[1]:.1f} [{plain[0]:.1f}, {plain[2]:.1f}] times, 7.0 by operations" in one.numbers
    )


def test_the_cost_of_a_turn(tmp_path):
    rows = [{"write": "slots", "turns": turns} for turns in (10, 2000)]
    for times, lead, verdict in (
        (1.05, "what it cost", "agrees"),
        (1.5, "costs more", "contradicts"),
    ):
        flat = {"slots": {"turn_ms": times}, "delta": {"turn_ms": 1.0}}
        save(tmp_path, "bench/write-a", {"backbone": "nano", "flat": flat, "by_turns": rows})
        one = said(tmp_path, findings.flat)
        assert lead in one.lead
        assert f"{times:.2f} times at most (slots), after 2000 turns against 10" in one.numbers
        assert one.verdict == verdict


# ---- the page --------------------------------------------------------------------------------------------


def test_the_page_is_what_the_files_say():
    """After a new result file: python book/tools/results_page.py write."""
    stored = (ROOT / "book/results.md").read_text(encoding="utf-8")
    assert stored == results_page.page(ROOT / "results")


def test_what_is_not_run_is_said(tmp_path):
    text = results_page.page(tmp_path)
    headings = re.findall(r"^## (.+)$", text, flags=re.M)
    assert len(headings) == 11
    for heading in headings[1:]:
        assert f"## {heading}\n\nNot run yet." in text
    assert text.count(": not measured yet.") == len(findings.FINDINGS)
    assert "| ---" not in text


def test_further_seeds_methods_and_options_need_no_change(tmp_path):
    cell(tmp_path, "m2-1x-s0", "shown")
    cell(tmp_path, "m2-1x-s1", "same")
    cell(tmp_path, "m0-1x-s0")
    cell(tmp_path, "m4-10x-s0", method="hebbian+query")
    cell(tmp_path, "slots+branch-1x-s0", write={"k": 4})
    text = results_page.page(tmp_path).replace("\u00a0", " ")
    # the seeds' scores are 83.3 and 0.0, their mean 41.7; the right bank is right in 5 of 12
    # half of what one seed gives: 83.3 [50.0, 100.0], and 2.80159 / 12 = .2335
    score = "**41.7 [25.0, 50.0]**, MDD 23.4"
    assert f"| `m2-1x`, 64 rows | 2: 0.0 to 83.3 | 41.7 / 0.0 twin | {score} |" in text
    assert "| `m0-1x` | 1 | no bank: 0.0 | - |" in text
    assert "| `m4-10x`, 64 x 64 | 1 |" in text
    assert "6 questions in 6 conversations; 1000 training steps, seeds 0, 1;" in text
    assert "Not run yet: m1-1x, m3-1x," in text
    cell(tmp_path / "m0", "m0-1x-s0")
    assert "conversations; nothing is trained, seeds 0;" in results_page.page(tmp_path / "m0")
    others = text.split("## Other cells")[1].split("\n## ")[0]
    assert "`slots+branch-1x`" in others
    assert "--methods slots+branch --scales 1 --seeds 0 --write k=4" in others


def test_compressed_files_are_files_too(tmp_path):
    recent(tmp_path)
    found = results.load(tmp_path / "tinyworld/recent.json")
    plain = results_page.page(tmp_path)
    (tmp_path / "tinyworld/recent.json").unlink()
    save(tmp_path, "tinyworld/recent", found, ".json.gz")
    text = results_page.page(tmp_path)
    assert "--out results/tinyworld/recent.json.gz" in text
    assert text.replace("recent.json.gz", "recent.json") == plain


def test_the_command_that_wrote_a_cell(tmp_path):
    cell(tmp_path, "m3-40x-normalise=True-s0", write={"normalise": True}, sweep={"steps": 3000})
    cell(tmp_path, "m2-40x-normalise=True-s0", write={"normalise": True}, sweep={"steps": 3000})
    text = results_page.page(tmp_path)
    assert (
        "lmem sweep --out results/tinyworld --methods m2,m3 --scales 40 --seeds 0 --write normalise=true --set steps=3000\n"
        in text
    )


def test_the_figure_of_capacity(tmp_path):
    pytest.importorskip("myst_nb", reason="the [book] extra is not installed")
    cell(tmp_path, "m3-1x-s0")
    assert "lmem-plotly" not in results_page.page(tmp_path)
    cell(tmp_path, "m3-10x-s0", "shown", "small")
    text = results_page.page(tmp_path)
    assert text.count('class="lmem-plotly"') == 1
    assert "points: m3 0.0 at 1x, 83.3 at 10x." in text
    cells = result_files.load(tmp_path)["cells"]
    figure = score_plots.capacity({"m3": [cells["m3-1x"], cells["m3-10x"]]}, "a title")
    points, bits = figure.data
    assert (list(points.x), list(points.y)) == ([1, 10], [0.0, 83.3])
    # 50.0 to 100.0 around 83.3; -0.50 to 0.50 around 0.00
    assert (list(points.error_y.array), list(points.error_y.arrayminus)) == (
        [0.0, 16.7],
        [0.0, 33.3],
    )
    assert (list(bits.y), list(bits.error_y.array)) == ([0.0, 0.0], [0.0, 0.5])
    assert figure.layout.meta["alt"] in text.replace("&#x27;", "'")


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
    text = results_page.page(tmp_path).replace("\u00a0", " ")
    assert "right bank minus the twin's, points: **83.3 [50.0, 100.0]**, MDD 46.7; bits:" in text
    assert "| constant | 83.3 [50.0, 100.0] | 0.0 [0.0, 0.0] |" in text
    assert "The trained constant: not run yet." not in text
    recent(
        tmp_path, "same", deleted="contradicted"
    )  # 0 with the right bank, 5/6 without the evidence
    text = results_page.page(tmp_path).replace("\u00a0", " ")
    assert "| deleted | 83.3 [50.0, 100.0] | -83.3 [-100.0, -50.0], MDD 46.7 |" in text
    assert "The trained constant: not run yet." in text


def test_files_of_the_bench_as_they_are_written(tmp_path, tiny, conversations):
    """Real files of all four, of the smallest sizes: the page finds every figure that it shows."""
    few = {"turns": 3, "plain_turns": 2, "questions": 2, "repeats": 3, "progress": False}
    about, talks = {"data": "tinyworld, 16 turns"}, conversations[:2]
    texts = talks[0].texts()
    made = {
        "train-nano": about | bench_train(tiny, talks, epochs=1, steps=1, **few),
        "eval-nano": about | bench_eval(tiny, talks, asked=2, max_new_tokens=2, **few),
        "encode-nano": about | bench_encode(tiny, texts, 2, progress=False),
        "write-nano": bench_write(tiny, texts, ["slots"], (2, 4), (64, 128), 3, progress=False),
    }
    for name, result in made.items():
        save(tmp_path, f"bench/{name}", result)
    text = results_page.page(tmp_path).replace("\u00a0", " ")
    for name in made:
        assert f"results/bench/{name}.json" in text
    ratio = made["train-nano"]["ratio"]["plain"]
    assert f"| **{findings.spread(ratio)}** |" in text
    assert f"| **{findings.spread(made['encode-nano']['ratio'])}** |" in text
    assert f"{made['write-nano']['flat']['slots']['turn_ms']:.2f} times" in text
    assert text.count("| plain |") == text.count("| engine |") == 2
    assert "| file | `eval-nano` | `train-nano` |" in text


def test_the_tool_says_what_it_does(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(results_page, "ROOT", tmp_path)
    monkeypatch.setattr(results_page, "PAGE", tmp_path / "results.md")
    assert results_page.main("check") == 1
    assert results_page.main("write") == 0
    assert results_page.main("check") == 0
    cell(tmp_path / "results", "m2-1x-s0")
    assert results_page.main("check") == 1
    assert results_page.main() == 2
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


def test_a_number_and_its_interval_stay_on_one_line():
    for text in ("0.8 [-0.4, 1.2]", "**83.3 [50.0, 100.0]**", "**83.3** [50.0, 100.0]"):
        assert " " not in results_page.whole(text)
    assert results_page.whole("rows [1, 2], seeds 3") == "rows [1, 2], seeds 3"
    assert results_page.whole(7) == "7"
