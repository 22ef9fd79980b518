"""The claims ledger: the page is what the ledger and the files say, nothing is typed, and what is missing fails the build."""

import copy
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
import claims  # noqa: E402
import page_numbers  # noqa: E402

LEDGER = claims.load()
BY_ID = {claim["id"]: claim for claim in LEDGER}


def test_the_page_is_what_the_ledger_and_the_files_say():
    made = claims.page(LEDGER)
    assert claims.PAGE.read_text(encoding="utf-8") == made, (
        "run `python book/tools/claims.py write`"
    )


def test_every_table_sentence_and_control_has_its_claim():
    assert len(LEDGER) >= 25
    abstract = " ".join(claim["place"] for claim in LEDGER if claim["group"] == "The abstract")
    assert set(re.findall(r"Sentence (\d)", abstract)) == set("1234567")
    tables = " ".join(claim["place"] for claim in LEDGER if claim["group"] == "The tables")
    assert set(re.findall(r"Table (\d)", tables)) == set("12345")
    assert {f"c{n}" for n in range(1, 16)} <= set(BY_ID)  # the fifteen controls
    assert {claim["verdict"] for claim in LEDGER} == set(claims.VERDICTS)


@pytest.mark.parametrize("name", BY_ID)
def test_no_number_is_typed(name):
    """What is left of a text without its braces and names holds no digit."""
    names = r"\b[MACTSK][._]?\d+[BCD]?\b|\bK_30\b|\b10?x\b|\b([Tt]able|[Ss]ection) \d\b|\bF1\b|\bF_0\b|\bBM25\b|conv-49|Flan-T5|bfloat16|95%"
    for text in (BY_ID[name]["claim"], BY_ID[name]["because"]):
        left = re.sub(r"\{\w+\}", "", text)
        left = re.sub(names, "", left)
        assert not re.search(r"\d", left), left


def test_evidence_from_nano_has_an_interval_or_says_why_not():
    for claim in LEDGER:
        if claim["scope"] == "nano" and not claim.get("interval"):
            assert any(map(claims.has_interval, page_numbers.read_numbers(claim).values())), claim[
                "id"
            ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": None}, "expected a verdict of claim t4, it has none"),
        ({"verdict": "true"}, "expected a verdict out of holds, "),
        ({"evidence": []}, "expected a evidence of claim t4"),
        ({"evidence": ["results/tinyworld/never.json"]}, "never.json does not"),
        ({"evidence": ["tests/test_score.py::test_never"]}, "test_never does not"),
        ({"evidence": ["tests/test_score.py"]}, "test_score.py does not"),  # which of its tests?
        ({"evidence": ["notebooks/99_never.ipynb"]}, "99_never.ipynb does not"),
        ({"stands_if": "m0 > m6"}, "the numbers no longer support t4: not m0 > m6"),
        ({"stands_if": None}, "expected a condition on the numbers of t4"),
        ({"numbers": {"m0": {"paper": "KNOWLEDGE/m9/1"}}}, "'m0' of t4, cannot read it"),
        ({"numbers": {"m0": {"file": "never", "at": "n"}}}, "'m0' of t4, cannot read it"),
        ({"numbers": {"m0": {"calc": "m1"}}}, "'m0' of t4, cannot read it"),
        ({"numbers": {"m0": {}}}, "expected one source for a number"),
        ({"numbers": {}}, "expected numbers for the arithmetic"),
        ({"scope": "flan"}, "expected a scope"),
    ],
)  # fmt: skip
def test_what_is_missing_fails(change, said):
    claim = copy.deepcopy(BY_ID["t4"]) | change
    with pytest.raises(page_numbers.NumberError) as error:
        claims.page([claim])
    assert said in str(error.value)


def test_a_text_with_a_number_that_is_not_read_fails():
    claim = copy.deepcopy(BY_ID["t4"]) | {"because": "It is {never}."}
    with pytest.raises(page_numbers.NumberError, match="never"):
        claims.entry(claim)


def test_a_verdict_from_nano_needs_an_interval():
    claim = copy.deepcopy(BY_ID["a7"])
    del claim["interval"]
    with pytest.raises(page_numbers.NumberError, match="an interval for claim a7"):
        claims.check(claim)


def test_two_claims_of_one_id_are_refused(tmp_path):
    path = tmp_path / "claims.yml"
    path.write_text("claims:\n- {id: a}\n- {id: a}\n")
    with pytest.raises(page_numbers.NumberError, match="an id of its own"):
        claims.load(path)


def test_ways_into_a_value():
    value = {"a": [{"k": 1, "v": "x"}, {"k": 2, "v": "y"}], 10: (7, 8), "b c": 3}
    assert page_numbers.follow(value, "a/1/v") == "y"
    assert page_numbers.follow(value, "a/[k=1]/v") == "x"
    assert page_numbers.follow(value, "10/0") == 7
    assert page_numbers.follow(value, "b c") == 3


def test_numbers_are_shown_as_asked():
    found = {"mean": 0.25, "low": 0.1, "high": 0.5}
    assert page_numbers.shown(found, "percent") == "25.0 [10.0, 50.0]"
    assert page_numbers.shown(0.004, "bits") == "0.00"
    assert page_numbers.shown(1234567, "count") == "1,234,567"
    assert page_numbers.shown(11.60) == "11.6"
    assert page_numbers.shown(2.04e-6) == "2.0 x 10^-6"
    assert page_numbers.shown((1.0, 2.0)) == "[1, 2]"


def test_arithmetic_on_known_numbers():
    found = {"a": {"mean": 2.0, "low": 1.0, "high": 3.0}, "b": 4}
    assert page_numbers.calculate("a.high - a.low + b / 2", found) == 4.0
    with pytest.raises(NameError):
        page_numbers.calculate("open('x')", {})


def test_evidence_is_named_in_words():
    assert claims.named("arithmetic") == "arithmetic"
    assert claims.named("results/a/b-1x.json.gz") == "the result `a/b-1x`"
    assert claims.named("tests/test_a.py::test_it_is_so") == "`tests/test_a.py` (it is so)"
    assert claims.named("lmem/analysis/bank_metrics.py") == "`lmem/analysis/bank_metrics.py`"


def test_on_the_command_line(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(claims, "PAGE", tmp_path / "claims.md")
    monkeypatch.setattr(claims, "load", lambda: [BY_ID["s1"]])
    assert claims.main("check") == 1
    assert claims.main("write") == 0
    assert claims.main("check") == 0
    assert claims.main("") == 2
    monkeypatch.setattr(claims, "load", lambda: [BY_ID["s1"] | {"verdict": None}])
    assert claims.main("write") == 1
    assert "expected a verdict of claim s1" in capsys.readouterr().out
