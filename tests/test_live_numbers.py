"""The sentences with numbers on the live pages are what the result files say, and these are about the weights that are shipped."""

from pathlib import Path

import pytest

from lmem.backbone.backbone import load_backbone
from lmem.evaluation import results

ROOT = Path(__file__).parents[1]
import live_pages  # noqa: E402


@pytest.mark.parametrize("path", live_pages.PAGES, ids=lambda path: path.stem)
def test_the_sentences_are_what_the_files_say(path):
    text = path.read_text(encoding="utf-8")
    assert live_pages.PLACE.search(text)
    assert text == live_pages.page(path, ROOT / "results"), "python book/tools/live_pages.py write"


def test_every_sentence_stands_on_a_page():
    pages = "".join(path.read_text(encoding="utf-8") for path in live_pages.PAGES)
    assert {place[2] for place in live_pages.PLACE.finditer(pages)} == set(live_pages.ENTRIES)


def test_8_bits_cost_mini_at_most_half_a_point_of_reading():
    """Measured once, question by question, since it takes minutes: `lmem read --backbone mini --eight-bits --out results/mini/read-8-bits.json`."""
    found = results.load("mini/read-8-bits")
    assert found["fingerprint"] == load_backbone("mini").fingerprint
    assert found["n"] >= 1000
    assert 100 * found["rounded"]["difference"]["mean"] >= -0.5


def test_the_pages_say_how_many_weights_mini_has():
    said = f"{load_backbone('mini').model.num_parameters() / 1e6:.1f} million weights"
    for path in ("book/read_plain_english.md", "lmem/viz/live/words.toml"):
        assert said in " ".join((ROOT / path).read_text(encoding="utf-8").split()), path
