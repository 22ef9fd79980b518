"""The live widgets, driven without a browser: a value is set, a button clicked, and the HTML looked at."""

import re
import time
import warnings

import ipywidgets
import pytest
import torch

from lmem import Bank, MemoryModel
from lmem.analysis import turn_trace
from lmem.data import locomo, tinyworld
from lmem.errors import InputError
from lmem.memory.write import WRITES
from lmem.viz import widgets_forgetting
from lmem.viz.widgets import Chat, Compare, Forgetting, Watch
from lmem.viz.widgets_write import Turns, choices

ALLOWED = {
    "VBoxModel",
    "HBoxModel",
    "HTMLModel",
    "TextModel",
    "ButtonModel",
    "DropdownModel",
    "IntSliderModel",
    "FloatSliderModel",
    "SelectionSliderModel",
}


@pytest.fixture(scope="module")
def shipped():
    return MemoryModel.from_shipped()


@pytest.fixture(scope="module")
def conversation():
    [found] = locomo.parse(tinyworld.samples(1, "widgets", tinyworld.World(turns=30)))
    return found


def label(widget):
    return re.search('<svg role="img"[^>]* aria-label="([^"]*)"', widget.view.value)[1]


# ---- chat ----------------------------------------------------------------------------------------


def test_a_turn_is_written_and_a_question_answered(shipped):
    chat = Chat(shipped)
    assert "before its first turn" in label(chat)
    chat.line.value = "I adopted a cat called Miro."
    assert chat.line.value == ""
    assert chat.bank.turns_written == [1]
    rows = int((chat.bank.state.written == 0).sum())
    assert f"(last writer of {rows} rows)" in chat.view.value
    assert f"The newest changed {rows} of the rows" in label(chat)
    chat.line.value = "What is Ana's cat called?"
    assert "<strong>lmem:</strong> Miro" in chat.view.value
    assert chat.bank.turns_written == [1], "a question writes nothing"


def test_what_is_typed_is_text(shipped):
    chat = Chat(shipped, ["I like <b>bold</b> & <script>x</script>."])
    assert "<script>" not in chat.view.value
    assert "&lt;script&gt;" in chat.view.value


def test_a_bank_is_saved_and_loaded_and_forgotten(shipped, tmp_path):
    chat = Chat(shipped, ["I adopted a cat called Miro."], file=str(tmp_path / "b.safetensors"))
    chat.save.click()
    assert Bank.load(chat.file.value).turns_written == [1]
    chat.new.click()
    assert chat.bank.empty
    assert "Miro" not in chat.view.value
    chat.load.click()
    assert chat.bank.turns_written == [1]
    chat.line.value = "What is Ana's cat called?"
    assert "Miro" in chat.view.value


def test_an_error_is_said_and_costs_nothing(shipped, tmp_path):
    chat = Chat(shipped, ["I adopted a cat called Miro."])
    chat.file.value = str(tmp_path / "none.safetensors")
    chat.load.click()
    assert "expected a bank" in chat.view.value
    chat.line.value = "hello " * 500
    assert "at most 384 tokens" in chat.view.value
    chat.line.value = "  "
    assert chat.bank.turns_written == [1]


def test_a_line_is_sent_once(shipped):
    """By Enter or by the button: the front end sends the value first, then the click."""
    chat = Chat(shipped)
    chat.line.value = "I live in Cedar-Bay."
    chat.say.click()
    assert chat.bank.turns_written == [1]


# ---- watch ---------------------------------------------------------------------------------------


def test_every_write_and_every_method_of_the_paper_can_be_watched(nano):
    names = [name for name, _ in choices()]
    assert [write for _, write in choices()] == list(WRITES)
    assert all(any(re.search(rf"\bm{i}\b", name) for name in names) for i in range(1, 7))
    watch = Watch(nano, ["Ana: I adopted a cat called Miro.", "Ben: How sweet!"])
    seen = set()
    for write in WRITES:
        watch.method.value = write
        seen.add(watch.view.value)
        assert "after 2 turns" in label(watch)
    assert len(seen) == len(WRITES)


def test_a_typed_turn_moves_the_rows_that_the_rule_moves(nano):
    watch = Watch(nano, ["Ana: I adopted a cat called Miro."], method="m6")
    watch.line.value = "I live in Cedar-Bay."
    assert watch.turns.texts[-1] == "Ana: I live in Cedar-Bay."
    assert "after 2 turns. The newest changed 8 of the rows" in label(watch)
    watch.method.value = "attention"
    assert "The newest changed 64 of the rows" in label(watch)
    watch.line.value = "hello " * 500
    assert '<p role="alert">' in watch.view.value
    watch.write.click()
    assert len(watch.turns.texts) == 2
    watch.clear.click()
    assert "No turn yet." in watch.view.value


def test_cached_turns_make_the_bank_that_a_model_makes(nano, talk):
    turns = Turns(nano, talk)
    for write in WRITES:
        model = turns.model(write)
        one, two = turns.banks(write)[-1], model.write(model.new_bank(), talk)
        torch.testing.assert_close(one.state.rows, two.state.rows, atol=1e-4, rtol=1e-4)
        assert torch.equal(one.state.written, two.state.written)


# ---- compare -------------------------------------------------------------------------------------


def test_two_methods_side_by_side(nano, talk):
    compare = Compare(nano, talk)
    assert "after 4 turns" in label(compare)
    assert compare.view.value.count("<svg") == 3
    before = compare.view.value
    compare.turn.value = 2
    assert "after 2 turns" in label(compare)
    compare.right.value = "delta"
    assert "delta" in compare.view.value
    compare.fact.value = 2
    said = re.findall('aria-label="(What is left[^"]*)"', compare.view.value)
    assert said == [
        "What is left of turn 3 after 2 turns, as a share of the bank&#x27;s norm: attention (m1, m2, m3, m5) 0%, delta 0%."
    ]
    assert compare.view.value != before
    with pytest.raises(InputError, match="one turn"):
        Compare(nano, [])


def test_what_is_left_is_what_the_trace_says(nano, talk):
    compare = Compare(nano, talk)
    rule = compare.turns.model("attention").write_rule
    size = turn_trace.trace(rule, compare.turns.latents).size[:, 1].tolist()
    assert compare.shares("attention", 0) == pytest.approx(size)
    left_out = turn_trace.leave_out(
        compare.turns.model("gated").write_rule, compare.turns.latents, [1]
    )
    assert compare.shares("gated", 1) == pytest.approx(left_out[0].tolist())


# ---- forgetting ----------------------------------------------------------------------------------


def test_shares_by_lag_are_means_over_turns():
    """Added up by hand from the trace, for one lag; a mean is of five turns at least."""
    latents = [torch.randn(3, 8, generator=torch.Generator().manual_seed(i)) for i in range(9)]
    rule = widgets_forgetting.write_rule("attention", 8, rows=4, gamma=0.5)
    found = dict(widgets_forgetting.shares_by_lag(rule, latents))
    size = turn_trace.trace(rule, latents).size
    assert list(found) == list(range(5))
    assert found[2] == pytest.approx(sum(float(size[t + 3, t + 1]) for t in range(7)) / 7)
    with pytest.raises(InputError, match="at least 5"):
        widgets_forgetting.shares_by_lag(rule, latents[:4])


def test_every_number_moves_the_curve(shipped, conversation):
    forgetting = Forgetting(shipped, conversation)
    seen = [label(forgetting)]

    def move(control, value):
        control.value = value
        assert label(forgetting) not in seen
        seen.append(label(forgetting))

    move(forgetting.gamma, 0.8)
    move(forgetting.rows, 16)
    move(forgetting.write, "slots")
    move(forgetting.k, 2)
    move(forgetting.write, "hebbian")
    assert "(before: slots, 16 rows, gamma 0.80, top-2)" in forgetting.view.value
    assert forgetting.k.disabled
    assert not forgetting.gamma.disabled


def test_less_decay_leaves_more(conversation, nano):
    latents = nano.encode(conversation.texts())
    low, high = (
        dict(
            widgets_forgetting.shares_by_lag(
                widgets_forgetting.write_rule("attention", nano.width, gamma=gamma), latents
            )
        )
        for gamma in (0.8, 0.99)
    )
    assert low[0] > high[0]
    assert low[20] < high[20]


def test_bits_fall_where_the_bank_ends(shipped, conversation):
    """What a trained read gets out of a small bank, question by question: much of what is in it, nothing of what is not."""
    bits = widgets_forgetting.AnswerBits(shipped, conversation).by_lag(64)
    inside, outside = [b for lag, b in bits if lag <= 2], [b for lag, b in bits if lag > 15]
    assert inside
    assert outside
    assert min(inside) > 5
    assert abs(sum(outside) / len(outside)) < 5
    forgetting = Forgetting(shipped, conversation)
    forgetting.write.value = "recent"
    assert "bits over the twin&#x27;s bank" in forgetting.view.value
    with pytest.raises(InputError, match="recent"):
        widgets_forgetting.AnswerBits(MemoryModel(shipped.backbone, "m2"), conversation)


@pytest.mark.slow
def test_a_curve_takes_a_second_or_two(shipped):
    [long] = locomo.parse(tinyworld.samples(1, "widgets", tinyworld.World(turns=60)))
    forgetting = Forgetting(shipped, long)
    for write in ("slots", "hebbian", "recent", "attention"):
        forgetting.write.value = write
        begun = time.process_time()
        forgetting.rows.value = 256 if forgetting.rows.value == 64 else 64
        assert time.process_time() - begun < 2


def test_the_twin_moves_without_a_kernel(conversation, nano):
    latents = nano.encode(conversation.texts())
    figure, rows = widgets_forgetting.forgetting_by_gamma(latents, nano.width, (0.9, 0.95))
    assert [frame.name for frame in figure.frames] == ["0.90", "0.95"]
    assert figure.layout.sliders[0].active == 1
    assert "ten turns later" in figure.layout.meta["alt"]
    rule = widgets_forgetting.write_rule("slots", nano.width, gamma=0.9)
    share = dict(widgets_forgetting.shares_by_lag(rule, latents))[10]
    assert figure.frames[0].data[1].y[10] == round(100 * share, 1)
    assert rows[1]["lag 10"] == f"{100 * share:.0f}%"


# ---- all -----------------------------------------------------------------------------------------


def test_core_widgets_only_each_with_a_name(shipped, conversation, nano, talk):
    """Nothing that a front end must fetch; every control has a label that a screen reader says."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = [Chat(shipped), Watch(nano), Compare(nano, talk), Forgetting(shipped, conversation)]
    for widget in made:
        inside, waiting = [], [widget]
        while waiting:
            one = waiting.pop()
            inside.append(one)
            waiting += getattr(one, "children", ())
        assert {one._model_name for one in inside} <= ALLOWED
        for one in inside:
            if not isinstance(one, ipywidgets.Box | ipywidgets.HTML):
                assert one.description
        assert "<script" not in widget.view.value
        for picture in re.findall("<svg[^>]*>", widget.view.value):
            assert 'role="img"' in picture
            assert re.search('aria-label="[^"]{20,}"', picture)
            assert 'fill="currentColor"' in picture
