"""What the pages of the book load: the engine, the pieces, and the weights of backbone and adapters as scripts.

`write` puts them into a folder next to the pages when the site is built; nothing of it is stored in the repository.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from lmem.viz.live import weights
from lmem.viz.live.words import WORDS

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1]
ENGINE = [
    HERE / "engine" / f"{name}.js"
    for name in ("matrix", "tokenizer", "t5", "writes", "reads", "memory", "texts", "service")
]
PIECES = [
    HERE / "pieces" / f"{name}.js"
    for name in (
        "client",
        "lines",
        "swap",
        "talk",
        "collapse",
        "journey",
        "machine",
        "space",
        "show",
    )
]
NEEDS = {"talk": {"lines", "swap"}, "machine": {"lines"}, "space": {"swap"}}
STYLES = [HERE / "pieces" / f"{name}.css" for name in ("live", "site")]  # a notebook has the first
BACKBONES = {name: PACKAGE / "backbone" / "assets" / name for name in ("nano", "mini")}
ADAPTERS = PACKAGE / "memory" / "assets" / "adapters"


def write(out: Path) -> list[Path]:
    """Write everything a live page loads.

    Args:
        out: The folder; it gets `engine`, `pieces` and `weights`.

    Returns:
        The files.
    """
    written = []
    for source in (*ENGINE, *PIECES, *STYLES):
        target = out / source.relative_to(HERE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        written.append(target)
    (out / "weights").mkdir(exist_ok=True)
    contents = {name: weights.backbone_file(folder, name) for name, folder in BACKBONES.items()}
    contents |= {f"{name}-words": WORDS[name]() for name in BACKBONES}
    for about in known_adapters():
        tensors = weights.read_safetensors(ADAPTERS / about["name"] / "adapter.safetensors")
        contents[about["name"]] = weights.adapter_file(tensors, about)
    for name, content in contents.items():
        target = out / "weights" / f"{name}.js"
        target.write_text(weights.script(name, content), encoding="utf-8")
        written.append(target)
    return written


def scripts_for(pieces: Iterable[str]) -> list[Path]:
    """Return the scripts of a page with these pieces, in the order in which they must run."""
    wanted = {"client", "show"}.union(*({piece} | NEEDS.get(piece, set()) for piece in pieces))
    return [path for path in PIECES if path.stem in wanted]


def known_adapters() -> list[dict]:
    """Return `lmem.viz.live.adapters.describe` of the adapters that pages offer, from `adapters.json`."""
    return json.loads((HERE / "adapters.json").read_text(encoding="utf-8"))
