"""Banks along one conversation: the file says what the probe sees, and holds numbers only."""

import json
from itertools import pairwise

import pytest
from helpers import lmem

from lmem.analysis import bank_metrics, collapse
from lmem.data import locomo, locomo_release, splits, tinyworld
from lmem.errors import InputError
from lmem.evaluation import results
from lmem.memory.model import MemoryModel
from lmem.viz.collapse import metrics_by_turn

FEW = {
    "rows": ("attention+extension", 0.25, {"normalise": True}),
    "slots": ("slots+extension", 0.25, {}),
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "talks.json"
    results.save(tinyworld.samples(2, "collapse", tinyworld.World(turns=50)), path)
    return path


def test_the_file_says_what_the_probe_sees(tiny, file):
    found = collapse.measure(tiny, file, banks=FEW, seed=5)
    talk = locomo.load(file)[0]
    assert (found["conversation"], found["turns"]) == (talk.id, 50)
    seen = collapse.by_turn(found)
    for name, (method, scale, options) in FEW.items():
        model = MemoryModel(tiny, method, scale, 5, write=options)
        turns = [one["turns"] for one in seen[name]]
        assert turns[:21] == list(range(21))
        assert turns[-1] == 50
        for place in (0, 7, -1):
            bank = model.new_bank()
            if turns[place]:
                bank = model.write(bank, talk.texts()[: turns[place]])
            expected = bank_metrics.measure_bank(bank)
            assert seen[name][place] == pytest.approx(expected, rel=2e-3)
            assert seen[name][place].keys() == expected.keys()
    assert "after 50" in metrics_by_turn(seen, "board").layout.meta["alt"]


def test_a_long_talk_is_looked_at_now_and_then():
    places = sorted(collapse.measured_turns(680))
    assert len(places) == 20 + 40 - 1  # 17 is among the first
    assert places[-1] == 680
    assert max(b - a for a, b in pairwise(places)) == 17


def strings(value):
    """All texts in a result file, keys too."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif isinstance(value, str):
        yield value


def test_the_shipped_file_holds_numbers_only():
    found = results.load("locomo/collapse-nano")
    known = {"data", "conversation", "turns", "backbone", "banks", "provenance", "method", "scale"}
    known |= {"write", "rows", "looks", "normalise", "locomo", "nano", *collapse.BANKS}
    known |= {*(method for method, _, _ in collapse.BANKS.values()), *probe_keys()}
    about = set(strings(found["provenance"]))
    assert set(strings(found)) - about - known == {found["conversation"]}
    assert found["conversation"] in splits.PAPER_TEST
    for bank in found["banks"].values():
        for column in bank["looks"].values():
            assert all(isinstance(one, int | float) for one in column)


def probe_keys():
    return collapse.by_turn(results.load("locomo/collapse-nano"))["slots, 1x"][0].keys()


def test_the_shipped_file_is_of_the_release(nano):
    """The first turns again: what the file says of them."""
    path = locomo_release.find()
    if path is None:
        pytest.skip("LoCoMo is neither in LMEM_LOCOMO nor in the user's cache")
    found = results.load("locomo/collapse-nano")
    [talk] = [one for one in locomo.load(path) if one.id == found["conversation"]]
    assert len(talk.turns) == found["turns"]
    latents = nano.encode(talk.texts()[:20], truncate=True)
    for name in ("attention, 1x", "slots, 1x"):
        method, scale, options = collapse.BANKS[name]
        again = collapse.measure_by_turn(
            MemoryModel(nano, method, scale, 0, write=options), latents
        )
        for stored, one in zip(collapse.by_turn(found)[name], again[:21], strict=False):
            # the file was made before whitespace was normalised, which removes nano's tokens for trailing blanks
            assert stored == pytest.approx(one, rel=1e-2, abs=2e-3)


def test_the_verb_writes_it(file, tmp_path, tiny_folder, capsys):
    out = tmp_path / "collapse.json"
    common = ("--data", file, "--backbone", tiny_folder, "--out", out, "--json")
    code, said, _ = lmem(capsys, "collapse", "--conversation", locomo.load(file)[1].id, *common)
    assert code == 0
    shown = json.loads(said)
    assert set(collapse.BANKS) <= set(shown)
    assert (
        shown["slots, 10x"]["distinct"]
        == collapse.by_turn(results.load(out))["slots, 10x"][-1]["distinct"]
    )
    code, _, error = lmem(capsys, "collapse", "--conversation", "none", *common)
    assert code == 2
    assert "not 'none'" in error


def test_a_conversation_that_is_not_there(tiny, file):
    with pytest.raises(InputError, match="conversation out of .*, not 'conv-0'"):
        collapse.measure(tiny, file, "conv-0", FEW)
