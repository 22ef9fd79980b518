"""Files and folders appear whole or not at all, and nothing else is lost."""

import pytest

from lmem.errors import InputError
from lmem.utils.files import write_file, write_folder


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
