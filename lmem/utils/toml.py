"""Tables of the package that are data: TOML files next to the modules that read them."""

import tomllib
from pathlib import Path
from typing import Any


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file of the package."""
    return tomllib.loads(path.read_text(encoding="utf-8"))
