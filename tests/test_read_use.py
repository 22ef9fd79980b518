"""What a read can use: the ideal banks hold what they should, and a read learns from them."""

from dataclasses import replace

import pytest
import torch
from helpers import lmem

from lmem.errors import InputError
from lmem.evaluation import results
from lmem.experiments.read_use import (
    STARTS,
    ReadUseConfig,
    draw_questions,
    ideal_model,
    ideal_rows,
    learning_curve,
    run_reads,
    share_from_text,
)

FEW = ReadUseConfig(
    conversations=6, tests=3, turns=10, distractors=(1, 2), steps=2, checks=(0,), batch=4
)


@pytest.fixture(scope="module")
def questions(nano):
    return draw_questions(nano, FEW)


def test_each_question_has_its_turn_and_the_distractors(nano, questions):
    for asked in questions:
        examples = asked.dataset.examples
        assert len(examples) == len(asked.turns) == len(asked.embeddings) > 5
        assert [example.place for example in examples] == list(range(len(examples)))
        for example, text, turns in zip(examples, asked.dataset.texts, asked.turns, strict=True):
            assert example.answer in text[0]
            torch.testing.assert_close(turns[0], nano.encode(text)[0], atol=1e-4, rtol=1e-4)
            assert len(turns) == 3


def test_ideal_rows_are_what_they_say(questions):
    _, test = questions
    exact, pooled, one, two = (
        ideal_rows(test, kind) for kind in ("exact", "pooled", "superposed-1", "superposed-2")
    )
    own, first, second = test.turns[0]
    assert torch.equal(exact[0], own)
    torch.testing.assert_close(pooled[0], own.mean(0, keepdim=True))
    torch.testing.assert_close(one[0][0], (own[0] + first[0]) / 2)
    torch.testing.assert_close(two[0][0], (own[0] + first[0] + second[0]) / 3)
    assert len(two[0]) == len(own)
    for rows, turns in zip(one, test.turns, strict=True):  # no hidden state is left alone
        last = (turns[0][-1] + turns[1][(len(turns[0]) - 1) % len(turns[1])]) / 2
        torch.testing.assert_close(rows[-1], last)
    with pytest.raises(InputError, match="not 'most'"):
        ideal_rows(test, "most")


def test_a_read_that_starts_at_the_identity_reads_hidden_states_untrained(nano, questions):
    found = {
        start: learning_curve(ideal_model(nano, "extension", start), *questions, "exact", FEW)
        for start in STARTS["extension"]
    }
    assert found["identity"]["curve"][0] > 0.8
    assert found["identity"]["wrong"] < 0.3
    assert found["printed"]["curve"][0] == 0
    assert share_from_text(nano, questions[1]) > 0.8
    assert set(found["printed"]["curve"]) == {0, 2}


def test_a_prefix_that_keeps_its_positions_reads_hidden_states_untrained(nano, questions):
    dropped, kept = (
        learning_curve(ideal_model(nano, "prefix", start), *questions, "exact", FEW)
        for start in ("identity", "kept")
    )
    assert dropped["curve"][0] == 0
    assert kept["curve"][0] > 0.8
    assert kept["wrong"] < 0.3


def test_a_query_at_the_identity_returns_a_token_that_was_written_alone(nano):
    model = ideal_model(nano, "query", "identity")
    latents = nano.encode(["Ben: I live in Kavalo now."])[0][:1]
    bank = model.write_latents(model.new_bank(), [[latents]])
    rows, mask = bank.state.rows, model.write_rule.readable(bank.state)
    extra, _ = model.read(rows, mask, latents[None])
    assert torch.cosine_similarity(extra[0, 0], latents[0], 0) > 0.999
    assert 0.3 < extra.norm() / latents.norm() < 3


def test_learned_keys_are_learned_with_the_read(nano, questions):
    model = ideal_model(nano, "query", "learned")
    before = model.write_rule.w_k.detach().clone()
    found = learning_curve(model, *questions, "exact", FEW)
    assert found["curve"].keys() == {0, 2}
    assert not torch.equal(model.write_rule.w_k, before)


def test_a_prefix_at_the_identity_is_the_rows(nano):
    model = ideal_model(nano, "prefix", "identity")
    rows = torch.randn(1, 64, nano.width)
    soft, _ = model.read(rows, torch.ones(1, 64, dtype=torch.bool))
    assert torch.equal(soft, rows)


def test_the_command_keeps_files(tmp_path, capsys):
    few = ["conversations=4", "tests=2", "steps=1", "checks=[0]", "distractors=[1]"]
    args = ["--names", "query", "--starts", "printed", "--json"]
    args += [part for setting in few for part in ("--set", setting)]
    code, _, _ = lmem(capsys, "reads", "--out", tmp_path, *args)
    assert code == 0
    result = results.load(tmp_path / "reads-query-printed-1steps-s0.json.gz")
    assert set(result["banks"]) == {"exact", "superposed-1", "pooled"}
    assert set(result["banks"]["exact"]["curve"]) == {"0", "1"}
    config = ReadUseConfig(conversations=4, tests=2, steps=1, checks=(0,), distractors=(1,))
    again = run_reads(tmp_path, ["query"], ["printed"], config)
    assert again == {"done": [], "skipped": ["reads-query-printed-1steps-s0"]}
    with pytest.raises(InputError, match="other|differ|settings"):
        run_reads(tmp_path, ["query"], ["printed"], ReadUseConfig(steps=1))
    some = replace(config, steps=2, banks=("pooled",))
    [name] = run_reads(tmp_path, ["query"], ["printed"], some)["done"]
    assert set(results.load(tmp_path / f"{name}.json.gz")["banks"]) == {"pooled"}
    with pytest.raises(InputError, match="mind"):
        run_reads(tmp_path, ["mind"])


def test_printed_starts_are_silent_or_drawn(nano):
    assert not ideal_model(nano, "prefix", "printed").read.w_p.any()
    assert not ideal_model(nano, "extension", "printed").read.w_mem.any()
    branch = ideal_model(nano, "branch", "printed").read
    assert branch.sets == 1
    assert not branch.beta.any()
    assert ideal_model(nano, "branch", "copied").read.sets == nano.layers
    assert (ideal_model(nano, "gated_branch", "printed").read.b_g == -2).all()
