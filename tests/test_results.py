"""Result files: what is saved comes back, in a tenth of the space."""

import json

from lmem import results

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


def test_other_results_come_back_too(tmp_path):
    for i, result in enumerate(
        ([1, {"a": None}], {}, {"questions": []}, {"questions": 7, "a": [1]})
    ):
        results.save(result, tmp_path / f"{i}.json")
        assert results.load(tmp_path / f"{i}.json") == result
