"""Write files and folders completely or not at all: under a temporary name, renamed when they are complete."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lmem.errors import InputError


@contextmanager
def write_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path next to `path`, renamed to it on success and removed on failure.

    Raises:
        InputError: `path` is a folder, or nothing can be written there.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"expected a file to write, {path} is a folder")
    handle, name = _make_next_to(path, tempfile.mkstemp)
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o644)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def write_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder next to `path`, renamed to it on success and removed on failure.

    If `path` exists, the new files replace the old ones one by one, and its other files stay.

    Raises:
        InputError: `path` is a file, or nothing can be written there.
    """
    path = Path(path)
    expect_folder(path)
    fresh = Path(_make_next_to(path, tempfile.mkdtemp))
    try:
        yield fresh
        fresh.chmod(0o755)
        files = sorted(fresh.iterdir())
        for file in files:
            file.chmod(0o644)
        if path.exists():
            for file in files:
                os.replace(file, path / file.name)
        else:
            os.replace(fresh, path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def expect_folder(path: str | os.PathLike[str]) -> None:
    """Raise an InputError if `path` is not a folder; worth a check before an hour of training."""
    if Path(path).exists() and not Path(path).is_dir():
        raise InputError(f"expected a folder to write, {path} is a file")


def expect_file(path: Path | None) -> Path | None:
    """Return the path, for an option of the command line; raise an InputError if it is a folder."""
    if path is not None and Path(path).is_dir():
        raise InputError(f"expected a file to write, {path} is a folder")
    return path


def _make_next_to(path: Path, make: Callable[..., Any]) -> Any:
    """Make a temporary file or folder next to `path`, and the folder above it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return make(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise InputError(
            f"expected a folder that can be written at {path.parent}: {error}"
        ) from error
