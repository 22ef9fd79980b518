"""Every verb with random options: a result, or one sentence and exit code 2; never a traceback, never a wait.

The verbs and their options are read from the command line itself, so a new one is covered as it is written. Work stops where it
would use a model for the first time: that its input was accepted until then is a result. Drawn conversations are few and short.
"""

import io
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmem import cli
from lmem.bench import rows
from lmem.data import locomo_release, splits, tinyworld
from lmem.data.importers.formats import save_samples
from lmem.memory import methods
from lmem.memory.model import MemoryModel

WAIT = 60  # seconds after which a verb is said to hang
FILES = ("FILE", "FOLDER", "WORLD", "BANK")


class Stopped(BaseException):
    """The work has begun."""


WORK = (
    "lmem.backbone.backbone.Backbone.batches",
    "lmem.backbone.pretrain.build_tokenizer",
    "lmem.backbone.mini.pretrain._load_tokenizer",
    "lmem.bench.shape.random_backbone",
    "lmem.bench.gpu.random_backbone",
    "lmem.experiments.planning.machine.measure_speed",
    "lmem.experiments.planning.meta_model.cost",
    "lmem.experiments.sweep.ProcessPoolExecutor",
)


class Hangs(BaseException):
    """Nothing happens."""


def begin(*_, **__):
    """Stand for work that would begin here."""
    raise Stopped


def few(draw, *places):
    """Draw no more conversations than two, of no more turns than twelve: numbers at these places of the arguments."""

    def drawn(*given, **named):
        listed = list(given)
        for place, most in places:
            listed[place] = min(listed[place], most)
        return draw(*listed, **named)

    return drawn


def verbs(group: Any, names: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """{names of a verb: its command}."""
    found = {}
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        found |= verbs(command, (*names, name)) if inner else {(*names, name): command}
    return found


VERBS = verbs(typer.main.get_command(cli.app))
ODD = st.text(st.characters(exclude_characters="/"), max_size=8) | st.sampled_from(
    ["", ".", "~nobody-here/x", "a\0b", "\udcff", "/dev/null", "nan", "1e3", "-1", "x=1", "=", "a=b,c", "m3", "cpu",
     "tinyworld", "everyday", "locomo", "all", "nano", "flan-t5-small", "0,1", "recent", "1/2", *FILES]
)  # fmt: skip
NUMBERS = {
    int: st.sampled_from(["-1", "0", "1", "2", "1.5", "x", ""]),
    float: st.sampled_from(["-1", "0", "0.5", "1", "nan", "inf", "-inf", "1e30", "x", ""]),
}


def values(option: Any) -> st.SearchStrategy[str]:
    """Draw a value for an option: of its type, or odd."""
    annotation = str(option.type_descriptor.annotation)
    for kind, drawn in NUMBERS.items():
        if kind.__name__ in annotation:
            return drawn
    return ODD


@st.composite
def arguments(draw, command):
    """Draw a call of a verb: what it requires, nearly always, and some options."""
    listed, last = [], []
    for option in command.params:
        if option.name == "help" or not draw(st.integers(0, 9)) >= (1 if option.required else 6):
            continue
        if option.param_type_name == "argument":
            last.append(draw(values(option)))
        elif option.is_flag:
            listed.append(draw(st.sampled_from([*option.opts, *option.secondary_opts])))
        else:
            listed.append(f"{option.opts[0]}={draw(values(option))}")
    return [*listed, "--", *last]


@pytest.fixture
def place(tmp_path, monkeypatch, tiny, tiny_folder):
    """A folder with files of several kinds, a small shipped model, and no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("lmem.backbone.backbone.NANO", tiny_folder)
    model = MemoryModel(tiny, "recent")
    monkeypatch.setattr(
        MemoryModel, "from_shipped", classmethod(lambda cls, name="", backbone=None: model)
    )
    monkeypatch.setattr(locomo_release, "find", lambda: tmp_path / "WORLD")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for generator in splits.GENERATORS.values():
        training = few(generator.training_conversations, (0, 2), (1, 1), (2, 12))
        monkeypatch.setattr(generator, "training_conversations", training)
        monkeypatch.setattr(
            generator, "test_conversations", few(generator.test_conversations, (0, 2), (1, 12))
        )
    build = methods.shape  # of the smallest, whichever is asked for: the largest takes seconds
    monkeypatch.setattr(
        methods, "shape", lambda name: build("flan-t5-small" if name in methods.SHAPES else name)
    )
    monkeypatch.setattr(rows, "newest_last", few(rows.newest_last, (0, 2), (1, 12)))

    save_samples(tinyworld.samples(3, 0, tinyworld.World(turns=10)), "WORLD")
    model.new_bank().save("BANK")
    made = {name: Path(name).read_bytes() for name in ("WORLD", "BANK")}

    def fill():
        Path("FILE").write_text('{"a": 1}')
        Path("FOLDER").mkdir(exist_ok=True)
        for name, content in made.items():
            Path(name).write_bytes(content)

    return fill


@contextmanager
def no_longer_than(seconds):
    """Raise where nothing happens for so long."""

    def hangs(*_):
        raise Hangs

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@given(data=st.data())
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_any_options_give_a_result_or_a_sentence(verb, place, capsys, monkeypatch, data):
    drawn = data.draw(arguments(VERBS[verb]))
    lines = data.draw(st.lists(ODD, max_size=3)) if verb == ("chat",) else []
    place()
    monkeypatch.setattr(sys, "argv", ["lmem", *verb, *drawn])
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
    for name in WORK if verb != ("chat",) else ():
        monkeypatch.setattr(name, begin)
    code = 0
    with no_longer_than(WAIT):
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        except Stopped:
            pass
    errors = capsys.readouterr().err
    assert code in (0, 1, 2), errors
    assert "Traceback" not in errors
    if code == 2 and "Usage:" not in errors:
        [sentence] = [line for line in errors.splitlines() if line.startswith("lmem: ")]
        assert len(sentence) > len("lmem: ")


def test_all_verbs_are_there():
    assert len(VERBS) >= 28
    assert {("chat",), ("data", "import"), ("bench", "gpu")} <= set(VERBS)
