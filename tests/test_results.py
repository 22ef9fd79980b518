"""Result files: what is saved comes back, in a tenth of the space."""

import json
import re
import subprocess

import pytest

from lmem.data.conversation import conversations_sha256
from lmem.data.splits import for_testing
from lmem.errors import DataError, InputError
from lmem.evaluation import results
from lmem.utils import provenance

ROWS = [
    {
        "id": f"c/q{i}", "lag": None if i == 3 else i, "held_out": ["name"] if i % 2 else [], "kind": None,
        "right": {"answer": "Miro" if i % 3 else "", "f1": 0.5, "em": 0, "bits": -1.25},
    }
    for i in range(200)
]  # fmt: skip


def test_questions_come_back_as_they_were(tmp_path):
    file = tmp_path / "r.json"
    result = {"method": "m3", "questions": ROWS, "summary": {"n": 200, "text": "two\nlines"}}
    results.save(result, file)
    assert results.load(file) == result
    assert list(results.load(file)) == list(result)  # in their order
    assert file.stat().st_size < 0.3 * len(json.dumps(result, indent=1))


def test_compressed_files_are_the_same_result_in_the_same_bytes(tmp_path):
    result = {"method": "m3", "questions": ROWS}
    for name in ("a.json", "a.json.gz", "b.json.gz"):
        results.save(result, tmp_path / name)
        assert results.load(tmp_path / name) == result
    plain, packed, again = (
        (tmp_path / n).read_bytes() for n in ("a.json", "a.json.gz", "b.json.gz")
    )
    assert packed == again
    assert len(packed) < len(plain) / 3
    for broken in (packed[:-20], b"no gzip", packed[:40] + b"\0\0\0\0" + packed[44:]):
        (tmp_path / "a.json.gz").write_bytes(broken)
        with pytest.raises(DataError, match="expected a result file"):
            results.load(tmp_path / "a.json.gz")


def test_shipped_results_are_found_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "shipped_folder", lambda: tmp_path)
    results.save({"a": 1}, tmp_path / "tinyworld" / "m3-0.5x-s0.json.gz")
    results.save({"a": 2}, tmp_path / "recent.json")
    assert results.names() == ["recent", "tinyworld/m3-0.5x-s0"]
    assert [results.load(name)["a"] for name in results.names()] == [2, 1]
    with pytest.raises(DataError, match="recent, tinyworld/m3-0.5x-s0, not m3"):
        results.load("m3")


def test_other_results_come_back_too(tmp_path):
    for i, result in enumerate(
        ([1, {"a": None}], {}, {"questions": []}, {"questions": 7, "a": [1]})
    ):
        results.save(result, tmp_path / f"{i}.json")
        assert results.load(tmp_path / f"{i}.json") == result


def test_the_commit_is_of_the_packages_own_checkout(tmp_path, monkeypatch):
    """ "-dirty" once a file of it was changed; none where the package lies in another repository's environment."""

    def git(*arguments):
        who = ("-c", "user.name=Ana", "-c", "user.email=ana@example.org")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    module = tmp_path / "package" / "utils" / "provenance.py"
    module.parent.mkdir(parents=True)
    module.write_text("1\n")
    monkeypatch.setattr(provenance, "__file__", str(module))
    git("init")
    (tmp_path / "other.py").write_text("2\n")
    git("add", "other.py")
    git("commit", "-m", "mine")
    assert provenance.commit() is None
    git("add", ".")
    git("commit", "-m", "all")
    clean = provenance.commit()
    assert re.fullmatch("[0-9a-f]{7,40}", clean)
    module.write_text("3\n")
    assert provenance.commit() == f"{clean}-dirty"


def drawn_of(result):
    """What decides which conversations of tinyworld were drawn: how many, of how many turns, cut short or not."""
    ids = {row["conversation"] for row in result["questions"]}
    return len(ids), int(result["data"].split()[1]), result.get("test") == "cut"


def test_shipped_results_name_the_conversations_that_are_drawn_today():
    """The digest of each result is that of the conversations that its rows are about, turn by turn and answer by answer."""
    drawn, asked = {}, {}
    for name in results.names():
        result = results.load(name)
        if not str(result.get("data", "")).startswith("tinyworld, ") or "bench/" in name:
            continue
        spec = drawn_of(result) if "questions" in result else (40, 60, False)  # zero rows have none
        if spec not in drawn:
            tests = for_testing("tinyworld", *spec[:2], 7, cut=spec[2])
            drawn[spec] = conversations_sha256(tests)
            asked[spec] = [(q.id, q.kind, c.id) for c in tests for q in c.questions]
        assert result["conversations_sha256"] == drawn[spec], name
        rows = [(r["id"], r["kind"], r["conversation"]) for r in result.get("questions", ())]
        assert set(rows) <= set(asked[spec]), name
    assert len(drawn) >= 6
    for name, turns in (("leaderboard", 60), ("leaderboard-240", 240)):
        digest = conversations_sha256(for_testing("tinyworld", 12, turns, 7))
        rows = results.load(f"capstone/{name}")["rows"]
        assert {row["conversations_sha256"] for row in rows} == {digest}


def test_a_result_of_other_settings_is_not_there(tmp_path):
    path = tmp_path / "a.json"
    assert not results.exists(path, "sweep", {"steps": 2})
    results.save({"sweep": {"steps": 2, "tests": [1, 2]}}, path)
    assert results.exists(path, "sweep", {"steps": 2, "tests": (1, 2)})
    with pytest.raises(InputError, match=r"a\.json is of others"):
        results.exists(path, "sweep", {"steps": 3})
