"""Small still pictures of the live pieces, for the first page and the gallery: book/_static/live_NAME_light.webp and _dark.webp.

python book/tools/pictures.py write [FOLDER]

Each is taken from the piece itself in Chromium, after a few presses (`tests/browsing.py` says what it needs). Take them again when the
weights or the pieces change.
"""

import base64
import sys
import tempfile
from pathlib import Path
from string import Template

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "book" / "_static"
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browsing import browser  # noqa: E402

from lmem.viz.live import site  # noqa: E402

WIDTH, HEIGHT, SCALE = 760, 475, 0.8
MINI = 'data-model="mini" data-memory='
# name: attributes of the piece, the page with what stands in it, and what is pressed
PICTURES = {
    "talk": (f'data-piece="talk" {MINI}"mini-spans"', None, "await tellTwo(); await piece.ask(piece.words.tell[0].ask)"),
    "plain": (f'data-piece="talk" {MINI}"text"', None, "await tellTwo(); await piece.ask(piece.words.tell[1].ask)"),
    "notebook": ('data-piece="talk"', None, "await tellTwo(); await piece.ask(piece.words.tell[1].ask)"),
    "collapse": ('data-piece="collapse" data-model="nano"', None, "piece.go(11); while (piece.reached < 11) await pause(50)"),
    "journey": ('data-piece="journey" data-model="nano"', "journey_of_a_fact", "await piece.follow()"),
    "machine": ('data-piece="machine" data-model="nano"', None, "await piece.look()"),
    "space": ('data-piece="space"', "design_space", ""),
}  # fmt: skip
PAGE = Template(Path(__file__).with_name("pictures.html").read_text(encoding="utf-8"))
PRESS = Path(__file__).with_name("pictures.js").read_text(encoding="utf-8")


def place(attributes, page):
    """The piece's element, with what stands in it on its page where it builds on that."""
    if page is None:
        return f'<div class="lmem-live" {attributes}></div>'
    text = (ROOT / "book" / f"{page}.md").read_text(encoding="utf-8")
    start = text.index('<div class="lmem-live"')
    return text[start : text.index("</div>", start)] + "</div>"


def take(driver, folder, name, theme):
    """Take one picture.

    Returns:
        The bytes of a WebP file.
    """
    attributes, page, pressed = PICTURES[name]
    scripts = "".join(
        f'<script src="live/{path.relative_to(site.HERE).as_posix()}" defer></script>'
        for path in site.PIECES
    )
    path = folder / "picture.html"
    inside = place(attributes, page)
    path.write_text(
        PAGE.substitute(theme=theme, name=name, inside=inside, scripts=scripts), "utf-8"
    )
    driver.get(path.as_uri())
    if not driver.execute_async_script(PRESS.replace("PRESSED", pressed)):
        raise RuntimeError(f"expected the live piece {name} to run, it shows its fallback")
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT, "scale": SCALE}
    shot = {"format": "webp", "quality": 70, "clip": clip}
    return base64.b64decode(driver.execute_cdp_cmd("Page.captureScreenshot", shot)["data"])


def write(out=STATIC, names=PICTURES):
    """Take the pictures of these pieces.

    Returns:
        The files.
    """
    written = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        site.write(folder / "live")
        with browser(folder / "profile", WIDTH, HEIGHT + 200) as driver:
            for name in names:
                for theme in ("light", "dark"):
                    written.append(Path(out) / f"live_{name}_{theme}.webp")
                    written[-1].write_bytes(take(driver, folder, name, theme))
    return written


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", *folder]:
            for file in write(*folder):
                print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")
        case _:
            sys.exit(__doc__)
