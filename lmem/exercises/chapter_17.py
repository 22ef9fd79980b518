"""Checks of chapter 17: a write of one's own, its row, a setting chosen without looking at the test."""

import torch

from lmem.errors import MethodError
from lmem.evaluation.summary import is_too_few, verdict
from lmem.evaluation.tables import percent
from lmem.exercises import capstone
from lmem.exercises.exercise import Wrong, exercise, require
from lmem.memory.write import WRITES


@exercise("17.1")
def own_write(answer):
    """A subclass of Write: it holds what every write holds."""
    before = dict(WRITES)
    try:
        capstone.register("mine", answer)
        rule = answer(8, 4)
        turn = torch.ones(1, 2, 4), torch.ones(1, 2, dtype=torch.bool)
        new = rule.update(rule.start(), *turn)  # an untouched stub is unfinished
        pair = isinstance(new, tuple | list) and len(new) == 2
        require(pair, "update must return (rows, written): two tensors, and nothing else")
        rule(rule.start(), *turn)
    except MethodError as error:
        raise Wrong(str(error)) from error
    except (NotImplementedError, Wrong):
        raise
    except Exception as error:
        name = f"{type(error).__name__}: {error}"
        raise Wrong(
            f"{answer.__name__}(8, 4), written a turn of 2 tokens, stops with {name}"
        ) from error
    finally:
        WRITES.clear()
        WRITES.update(before)
    capstone.register("mine", answer)
    report = capstone.check("mine")
    wrong = [f"{what}: {why}" for what, why in report.problems.items() if why]
    require(not wrong, f"it must hold that {wrong[0] if wrong else ''}")


@exercise("17.2")
def row(answer):
    """A row of `capstone.judge`: memory is shown, and it comes from the evidence."""
    require(
        isinstance(answer, dict) and {"memory", "deleted", "right", "name"} <= set(answer),
        "expected the row that capstone.judge returns",
    )
    require(answer["name"] != "recent", "that is the row of recent; judge your own write")
    score = answer["memory"]
    require(not is_too_few(score), "judge it on 5 conversations or more: fewer show nothing")
    shown = f"no memory is shown: right minus twin is {percent(score)} points"
    require(verdict(score) == "more", shown)
    half = answer["right"]["mean"] / 2
    require(
        answer["deleted"]["mean"] < half,
        "without the evidence's turns more than half remains: the answers come from elsewhere",
    )


@exercise("17.3")
def honest(answer):
    """({setting: score on validation}, {setting: score on the test}) to (the setting to report, its score on the test)."""
    validation, test = {0.7: 50.0, 0.8: 60.0, 0.9: 55.0}, {0.7: 51.0, 0.8: 58.0, 0.9: 65.0}
    hint = "choose by the validation scores alone; the test is looked at once, for the chosen one"
    yield (validation, test), (0.8, 58.0), hint
    yield ({"a": 1.0}, {"a": 0.0}), ("a", 0.0), "what comes out is reported"
