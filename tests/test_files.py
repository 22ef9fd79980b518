"""Files and folders appear whole or not at all, and nothing else is lost."""

import errno
import os
import stat
from pathlib import Path

import pytest
from safetensors import SafetensorError

from lmem.errors import InputError
from lmem.utils.files import expect_file, expect_folder, write_file, write_folder


def fill(folder, **texts):
    for name, text in texts.items():
        (folder / name).write_text(text)


def test_a_folder_is_made_whole(tmp_path):
    with write_folder(tmp_path / "deep" / "new") as fresh:
        fill(fresh, a="1")
        assert not (tmp_path / "deep" / "new").exists()
    assert (tmp_path / "deep" / "new" / "a").read_text() == "1"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["new"]


def test_a_folder_keeps_what_else_it_held(tmp_path):
    fill(tmp_path, diary="mine", a="old")
    with write_folder(tmp_path) as fresh:
        fill(fresh, a="new")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"diary": "mine", "a": "new"}


def fails(manager, name=""):
    with manager as fresh:
        (fresh / name if name else fresh).write_text("new")
        raise RuntimeError("stop")


def test_a_failure_leaves_the_old_files(tmp_path):
    fill(tmp_path, a="old")
    with pytest.raises(RuntimeError, match="stop"):
        fails(write_folder(tmp_path), "a")
    with pytest.raises(RuntimeError, match="stop"):
        fails(write_file(tmp_path / "a"))
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "old"}


def test_what_stands_in_the_way_is_named(tmp_path):
    fill(tmp_path, a="old")
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="is a file"), write_folder(tmp_path / "a"):
        raise AssertionError("nothing is begun")
    with pytest.raises(InputError, match="is a folder"), write_file(tmp_path / "b"):
        raise AssertionError("nothing is begun")
    for write in (write_file, write_folder):
        with pytest.raises(InputError, match="can be written"), write(tmp_path / "a" / "c"):
            raise AssertionError("nothing is begun")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield os.umask
    os.umask(before)


def test_new_files_follow_the_umask_and_old_ones_keep_their_mode(tmp_path, umask):
    with write_file(tmp_path / "a") as fresh:
        fresh.write_text("1")
    with write_folder(tmp_path / "b") as fresh:
        fill(fresh, c="1", d="1")
        (fresh / "d").chmod(0o600)  # as safetensors makes its files
    assert [mode(tmp_path / name) for name in ("a", "b", "b/c", "b/d")] == [
        0o640, 0o750, 0o640, 0o640,
    ]  # fmt: skip
    (tmp_path / "a").chmod(0o600)
    (tmp_path / "b/c").chmod(0o604)
    with write_file(tmp_path / "a") as fresh:
        fresh.write_text("2")
    with write_folder(tmp_path / "b") as fresh:
        fill(fresh, c="2", d="2")
    assert [mode(tmp_path / name) for name in ("a", "b/c", "b/d")] == [0o600, 0o604, 0o640]
    assert (tmp_path / "b/c").read_text() == "2"


def test_a_link_stays_a_link(tmp_path):
    fill(tmp_path, target="old")
    (tmp_path / "link").symlink_to("target")
    with write_file(tmp_path / "link") as fresh:
        fresh.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("disk full"),
        SafetensorError("I/O error: No space left on device (os error 28)\nsecond line"),
    ],
)
def test_a_full_disk_is_one_sentence(tmp_path, failure):
    fill(tmp_path, a="old")
    for manager in (write_file(tmp_path / "a"), write_folder(tmp_path)):
        with pytest.raises(InputError, match="unchanged: .*(No space|disk full)") as error, manager:
            raise failure
        assert "\n" not in str(error.value)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "old"}


def test_a_read_only_file_and_odd_names_are_refused(tmp_path, monkeypatch):
    fill(tmp_path, a="old")
    monkeypatch.setattr(os, "access", lambda path, how: False)  # root may write everywhere
    with pytest.raises(InputError, match="read-only"), write_file(tmp_path / "a"):
        raise AssertionError("nothing is begun")
    for name in ("\0", "\ud800", "x" * 300):
        with pytest.raises(InputError), write_file(tmp_path / name) as fresh:
            fresh.write_text("1")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    monkeypatch.chdir(tmp_path)
    for name in ("~/b", "~nobody/b", "~", None, 3, b"b"):
        for write in (write_file, write_folder):
            with (
                pytest.raises(InputError, match="expected (a path as it is|the name)"),
                write(name),
            ):
                raise AssertionError("nothing is begun")
    for expect in (expect_folder, expect_file):  # before an hour of training
        with pytest.raises(InputError, match="begins with ~, which a shell replaces"):
            expect(Path("~/b"))
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
