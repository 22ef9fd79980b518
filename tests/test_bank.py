"""The bank as a value: what is saved comes back, what does not fit is refused, nothing is left half written."""

import json
import os
import stat

import pytest
import torch
from helpers import outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lmem.errors import BankError, InputError, MethodError
from lmem.memory.bank import Bank
from lmem.memory.model import MemoryModel
from lmem.utils.digest import digest


@pytest.fixture
def model(tiny):
    return MemoryModel(tiny, "recent+extension")


@pytest.fixture
def bank(model, talk):
    return model.write(model.new_bank(), talk)


def test_round_trip(bank, tmp_path):
    bank.save(tmp_path / "a.safetensors")
    again = Bank.load(tmp_path / "a.safetensors")
    assert (again.owner, again.backbone) == (bank.owner, bank.backbone)
    for a, b in zip(again.state, bank.state, strict=True):
        assert torch.equal(a, b)


def test_age_counts_turns_since_a_row_changed(model, talk):
    bank = model.write(model.new_bank(), talk[:2])
    ages = bank.age[0]
    first, second = (
        len(ids) for ids in model.backbone.tokenize([f"context: {t}" for t in talk[:2]])
    )
    assert (ages == 1).sum() == first
    assert (ages == 0).sum() == second
    assert (ages == -1).sum() == model.rows - first - second


def test_values_and_sizes(bank):
    assert bank.turns_written == [4]
    assert not bank.empty
    assert bank.nbytes == 64 * 64 * 4 + 64 * 8 + 8
    copy = bank.clone()
    copy.state.rows.zero_()
    assert bank.state.rows.abs().sum() > 0
    half = bank.to(torch.bfloat16)
    assert half.state.rows.dtype == torch.bfloat16
    assert half.state.turns.dtype == torch.long


def test_pick_takes_banks_out_of_a_batch(model, talk):
    both = model.write(model.new_bank(2), [talk[:1], talk[:3]])
    assert both.turns_written == [1, 3]
    assert both.pick(1).turns_written == [3]
    assert torch.equal(both.pick([1, 0]).state.rows[1], both.state.rows[0])


DAMAGES = ["missing", "folder", "truncated", "text", "other tensors", "shapes", "nan"]
DAMAGES += ["one value", "one turn"]
DAMAGES += ["no metadata", "metadata is a list", "no owner", "another owner"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_no_bank_is_refused(model, bank, tmp_path, damage):
    path = tmp_path / "b.safetensors"
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        bank.save(path)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    if damage == "text":
        path.write_text("hello")
    if damage == "other tensors":
        save_file({"rows": torch.ones(1)}, path)
    if damage in DAMAGES[5:]:
        with safe_open(str(path), framework="pt") as file:
            about = json.loads(file.metadata()["lmem"])
        tensors = load_file(path)
        if damage == "shapes":
            tensors["turns"] = torch.zeros(7, dtype=torch.long)
        elif damage == "nan":
            tensors["rows"][0, 0, 0] = float("nan")
        elif damage == "one value":
            tensors["rows"][0, 5, 0] += 1e-3
        elif damage == "one turn":
            tensors["written"][0, 0] -= 1
        elif damage == "no owner":
            del about["owner"]
        elif damage == "metadata is a list":
            about = [about]
        elif damage == "another owner":
            about["owner"] += "x"
        if damage in ("shapes", "nan"):  # saved so, and not altered since
            about["digest"] = digest(tensors)
        known = None if damage == "no metadata" else {"lmem": json.dumps(about)}
        save_file(tensors, path, metadata=known)
    said = {
        "shapes": r"\(B, R, D\)",
        "nan": "finite rows",
        "one value": "altered",
        "one turn": "altered",
    }
    with pytest.raises(BankError, match=said.get(damage, "expected")):
        model.check(Bank.load(path))


@pytest.mark.parametrize("other", [("m3", 1), ("recent+extension", 10)])
def test_a_bank_of_another_method_or_size_is_refused(tiny, bank, other):
    stranger = MemoryModel(tiny, *other)
    with pytest.raises(BankError, match="belongs to recent"):
        stranger.answer(bank, "Who?")
    with pytest.raises(BankError, match="belongs to recent"):
        stranger.write(bank, ["Ana: hi."])


def test_a_bank_of_another_backbone_is_refused(flan, bank):
    with pytest.raises(BankError, match="backbone"):
        MemoryModel(flan, "recent+extension").check(bank)


def test_random_write_maps_are_part_of_who_owns_a_bank(tiny):
    first, second = MemoryModel(tiny, "m3", seed=1), MemoryModel(tiny, "m3", seed=2)
    with pytest.raises(BankError):
        second.check(first.new_bank())
    MemoryModel(tiny, "m3", seed=1).check(first.new_bank())


def test_a_failing_save_leaves_the_old_file(bank, tmp_path, monkeypatch):
    path = tmp_path / "c.safetensors"
    bank.save(path)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")

    with pytest.raises(InputError, match="folder"):
        bank.save(tmp_path)
    monkeypatch.setattr("lmem.memory.bank.save_file", fail)
    with pytest.raises(InputError, match="left unchanged: disk full"):
        bank.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_banks_are_compared_row_by_row(tiny, talk):
    model = MemoryModel(tiny, "slots+extension", scale=0.5)
    before = model.write(model.new_bank(), talk[:2])
    after = model.write(before, talk[2:3])
    moved = after.diff(before)
    assert moved.shape == (1, 32)
    assert (
        int((moved > 0).sum()) == model.write_rule.k
    )  # the slots that the turn chose, and no others
    assert torch.equal(moved > 0, after.age == 0)
    assert not before.diff(before).any()
    other = MemoryModel(tiny, "slots+extension", scale=0.5, seed=1)
    for wrong, why in ((other.new_bank(), "owner"), (model.new_bank(2), "1 banks")):
        with pytest.raises(BankError, match=why):
            before.diff(wrong)


def test_banks_are_merged_where_the_rule_makes_sense_of_it(tiny, talk):
    for method, options in (("recent", {}), ("hebbian+query", {"normalise": False})):
        model = MemoryModel(tiny, method, write=options)
        first, second = (model.write(model.new_bank(), part) for part in (talk[:3], talk[3:]))
        both = first.merge(second, model.write_rule)
        once = model.write(model.new_bank(), talk)
        torch.testing.assert_close(both.state.rows, once.state.rows, atol=1e-5, rtol=1e-5)
        assert both.turns_written == [4]
        with pytest.raises(BankError, match="owner"):
            first.merge(MemoryModel(tiny, "m3").new_bank(), model.write_rule)
    model = MemoryModel(tiny, "m3")
    bank = model.write(model.new_bank(), talk)
    with pytest.raises(MethodError, match="merged"):
        bank.merge(bank, model.write_rule)


def test_a_file_says_whose_it_is(tiny, talk, tmp_path):
    model = MemoryModel(tiny, "m3")
    model.write(model.new_bank(), talk).save(tmp_path / "bank.safetensors")
    with safe_open(str(tmp_path / "bank.safetensors"), framework="pt") as file:
        about = json.loads(file.metadata()["lmem"])
    assert about["owner"].startswith("attention+extension 64x64 ")
    assert about["backbone"] == tiny.fingerprint
    assert about["turns"] == [4]
    assert set(about) == {"format", "owner", "backbone", "turns", "lmem", "digest"}


# ---- the file ------------------------------------------------------------------------------------------


def test_a_loaded_bank_is_independent_of_its_file(bank, tmp_path):
    path = tmp_path / "bank"
    bank.save(path)
    loaded = Bank.load(path)
    with path.open("r+b") as file:  # in place: a map would see it
        file.seek(-400, os.SEEK_END)
        file.write(bytes(400))
    assert torch.equal(loaded.state.rows, bank.state.rows)
    path.write_bytes(b"")  # a map would end the process here
    assert torch.equal(loaded.state.rows, bank.state.rows)
    assert loaded.state.turns.tolist() == [4]


@pytest.mark.parametrize("map", [False, True])
def test_a_file_cut_anywhere_is_refused_when_it_is_loaded(bank, tmp_path, map):
    path = tmp_path / "bank"
    bank.save(path)
    whole = path.read_bytes()
    for size in [0, 1, 7, 8, 9, 100, 1000, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(BankError, match="expected a bank"):
            Bank.load(path, map=map)
    path.write_bytes(whole)
    assert torch.equal(Bank.load(path, map=map).state.rows, bank.state.rows)


def test_what_is_no_file_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", tmp_path, "", "\0", "\ud800"):
        with pytest.raises(BankError, match="expected a bank") as error:
            Bank.load(path)
        assert "\n" not in str(error.value)


def test_a_saved_bank_respects_the_umask_and_an_existing_mode(bank, tmp_path):
    before = os.umask(0o077)
    try:
        bank.save(tmp_path / "private")
        os.umask(0o022)
        bank.save(tmp_path / "public")
        (tmp_path / "private").chmod(0o640)
        bank.save(tmp_path / "private")
    finally:
        os.umask(before)
    modes = {p.name: oct(stat.S_IMODE(p.stat().st_mode)) for p in tmp_path.iterdir()}
    assert modes == {"private": "0o640", "public": "0o644"}


def test_a_full_disk_keeps_the_bank_and_the_old_file(bank, tmp_path):
    with pytest.raises(InputError, match="expected a file to write, /dev/full is none"):
        bank.save("/dev/full")
    assert bank.turns_written == [4]
    with pytest.raises(InputError, match="can be written"):
        bank.save("/proc/none/bank")


DAMAGED = settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@DAMAGED
@given(data=st.data())
def test_any_damage_to_a_bank_is_refused_or_changes_nothing(bank, tmp_path, data):
    path = tmp_path / "bank"
    bank.save(path)
    content = bytearray(path.read_bytes())
    header = int.from_bytes(content[:8], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, header + 8) | st.integers(0, len(content) - 1))
        piece = data.draw(st.binary(max_size=4))
        content[place : place + data.draw(st.integers(0, 4))] = piece
    path.write_bytes(data.draw(st.just(content) | st.binary(max_size=200)))
    map = data.draw(st.booleans())
    loaded = outcome(lambda: Bank.load(path, map=map))
    assert isinstance(loaded, BankError) or torch.equal(loaded.state.rows, bank.state.rows)
