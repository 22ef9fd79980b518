"""Nothing half written: files and folders are made under a temporary name and renamed when they are whole."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from lmem.errors import InputError


@contextmanager
def write_file(path):
    """A temporary path beside `path`; renamed to it on success, removed on failure."""
    path = Path(path)
    _parent(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o644)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def write_folder(path):
    """A temporary folder beside `path`; takes the place of `path` on success, removed on failure."""
    path = Path(path)
    _parent(path)
    fresh = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield fresh
        os.chmod(fresh, 0o755)
        if path.exists():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
            os.replace(path, old / path.name)
            os.replace(fresh, path)
            shutil.rmtree(old)
        else:
            os.replace(fresh, path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _parent(path):
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"expected a folder that can be written at {path.parent}: {error}"
        ) from error
