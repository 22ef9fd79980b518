"""The still pictures of the live pieces: small, in light and in dark, shown where a reader looks for them, and taken from the pieces."""

from pathlib import Path

import pytest
from browsing import needs_browser

ROOT = Path(__file__).parents[1]
import pictures  # noqa: E402

SHOWN = {
    "book/intro.md": {"talk"},
    "notebooks/gallery_live.ipynb": set(),
}  # page: what it leaves out


def size(content):
    """Width and height of a WebP file in its extended form; both are stored less one, in three bytes."""
    assert content[:4] + content[8:16] == b"RIFFWEBPVP8X"
    return tuple(int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_a_piece_has_a_small_picture_in_light_and_dark(name):
    light, dark = (
        (pictures.STATIC / f"live_{name}_{theme}.webp").read_bytes() for theme in ("light", "dark")
    )
    for content in (light, dark):
        assert 5e3 < len(content) < 40e3
        assert size(content) == (608, 380)
    assert light != dark


@pytest.mark.parametrize("page", SHOWN)
def test_the_first_page_and_the_gallery_show_each(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    missing = {name for name in pictures.PICTURES if f"_static/live_{name}_light.webp" not in text}
    assert missing == SHOWN[page]


@pytest.mark.browser
@pytest.mark.slow
@needs_browser
def test_a_picture_is_taken_from_the_piece(tmp_path):
    taken = [path.read_bytes() for path in pictures.write(tmp_path, ["machine"])]
    stored = [
        (pictures.STATIC / f"live_machine_{theme}.webp").read_bytes() for theme in ("light", "dark")
    ]
    for fresh, old in zip(taken, stored, strict=True):
        assert size(fresh) == size(old)
        assert abs(len(fresh) - len(old)) < 0.2 * len(old)
