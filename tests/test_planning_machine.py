"""Profiles: what the machines can hold, and what is refused."""

import json

import pytest

from lmem.errors import InputError
from lmem.experiments.planning.machine import MACHINES, MachineProfile


@pytest.mark.parametrize("name", ["cpu", "t4", "a100", "h200"])
def test_profiles_are_settings(name):
    found = MachineProfile.of(name)
    assert found.name == name
    assert MachineProfile.from_dict(json.loads(found.to_json())) == found
    assert found.dtype == ("bfloat16" if name in ("a100", "h200") else "float32")
    assert (found.device == "cpu") == (name == "cpu")
    assert set(MACHINES) == {"cpu", "t4", "a100", "h200"}


def test_a_profile_can_be_changed():
    assert MachineProfile.of("a100", memory=76.0).memory == 76.0
    assert MachineProfile.of("cpu", dtype="bfloat16").dtype == "bfloat16"
    assert MachineProfile.of("t4").difference()["memory"] == 14.5


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("h200", {"dtype": "float16"}, "'float32' or 'bfloat16'"),
        ("t4", {"dtype": "bfloat16"}, "t4 has no bfloat16"),
        ("cpu", {"dtype": "int8"}, "'float32' or 'bfloat16'"),
        ("cpu", {"batch": 0}, "batch must be at least 1"),
        ("cpu", {"memory": 0}, "memory must be greater than 0"),
        ("cpu", {"device": "abacus"}, "'cpu' or 'cuda'"),
        ("v100", {}, "cpu, t4, a100, h200"),
    ],
)
def test_refusals(name, changes, reason):
    with pytest.raises(InputError, match=reason):
        MachineProfile.of(name, **changes)
