"""Nothing half written: files and folders are made under a temporary name and renamed when they are whole."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from lmem.errors import InputError


@contextmanager
def write_file(path):
    """A temporary path beside `path`; renamed to it on success, removed on failure.

    raises  InputError if a folder stands there, or if nothing can be written there
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"expected a file to write, {path} is a folder")
    handle, name = _beside(path, tempfile.mkstemp)
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o644)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def write_folder(path):
    """A temporary folder beside `path`; becomes `path` on success, removed on failure.

    If `path` is there already, the new files take the places of the old ones one by one, and other files in it stay.
    raises  InputError if a file stands there, or if nothing can be written there
    """
    path = Path(path)
    expect_folder(path)
    fresh = Path(_beside(path, tempfile.mkdtemp))
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


def expect_folder(path):
    """InputError if something else than a folder stands at `path`; worth asking before an hour of training."""
    if Path(path).exists() and not Path(path).is_dir():
        raise InputError(f"expected a folder to write, {path} is a file")


def expect_file(path):
    """The path, for an option of the command line; InputError if it is a folder."""
    if path is not None and Path(path).is_dir():
        raise InputError(f"expected a file to write, {path} is a folder")
    return path


def _beside(path, make):
    """A temporary file or folder beside `path`; the folder above is made if it is not there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return make(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise InputError(
            f"expected a folder that can be written at {path.parent}: {error}"
        ) from error
