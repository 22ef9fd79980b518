"""The making of mini, in small: a leg runs, is logged, goes on after a break, and the next leg starts from its checkpoint."""

import json
import math
import random
from dataclasses import replace

import pytest
import torch
from transformers import T5ForConditionalGeneration

from lmem.backbone.mini.batches import LAST_LEVEL, Batches
from lmem.backbone.mini.grow import grow
from lmem.backbone.mini.losses import pointer_loss, weighted_loss
from lmem.backbone.mini.matching import Matching, MatchingBatches, matched_world
from lmem.backbone.mini.measure import measure, validation
from lmem.backbone.mini.pretrain import MiniConfig, States, build_model, pretrain
from lmem.backbone.mini.tokenizer import train_tokenizer
from lmem.data import everyday, locomo
from lmem.evaluation.mini_card import write_card

SMALL = {
    "width": 32, "heads": 2, "head_size": 16, "feed_forward": 32, "encoder_layers": 1, "decoder_layers": 1, "batch": 8,
    "tokens": 1500, "log_every": 2, "save_every": 2, "questions": 6, "bf16": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(1200, texts=400)


@pytest.fixture(scope="module")
def leg(tokenizer, tmp_path_factory):
    """A leg of some steps, and its last line."""
    out = tmp_path_factory.mktemp("leg")
    config = MiniConfig(minutes=0.02, **SMALL)
    line = pretrain(out, config, progress=lambda line: None, tokenizer=tokenizer)
    return out, line


def test_text_comes_back_and_blanks_are_one(tokenizer):
    for text in ("Maya's dog, Rex!", "10:30 pm on 8 May, 2023", "naïve café 東京 😀", "unknown"):
        ids = tokenizer(f"  {text}  ".replace(" ", "   ")).input_ids
        assert tokenizer.decode(ids, skip_special_tokens=True).strip() == text
        assert 2 not in ids
    assert len(tokenizer("unknown").input_ids) == 2


def test_a_leg_is_logged_with_errors_apart(leg):
    out, line = leg
    lines = [json.loads(row) for row in (out / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == line["step"] > 0
    for name in (
        "matched",
        "em",
        "by_kind",
        "subject_errors",
        "relation_errors",
        "false_unknown",
        "guessed",
    ):
        assert name in line


def test_a_leg_ends_in_sixteen_bits(leg):
    out, _ = leg
    model = T5ForConditionalGeneration.from_pretrained(out / "model")
    assert {weight.dtype for weight in model.state_dict().values()} == {torch.bfloat16}
    assert (out / "model" / "pretrain.json").exists()


def test_its_card_says_what_it_reads_and_what_it_invents(leg):
    out, line = leg
    write_card(out / "model", questions=30)
    card = (out / "model" / "README.md").read_text()
    assert f"{line['step']:,} steps" in card
    assert "conversations agree]" in card or "(G=" in card
    assert 'says "unknown" to' in card
    assert "{" not in card


def test_it_goes_on_where_it_stopped(leg, tokenizer):
    out, line = leg
    config = MiniConfig(minutes=0.04, **SMALL)
    again = pretrain(out, config, progress=lambda line: None)
    assert again["step"] > line["step"]


def test_the_next_leg_starts_from_the_checkpoint(leg, tmp_path):
    out, _ = leg
    config = MiniConfig(minutes=0.001, peak=0.0, **SMALL)
    pretrain(tmp_path, config, start=out / "model", progress=lambda line: None)
    before = T5ForConditionalGeneration.from_pretrained(out / "model").state_dict()
    after = T5ForConditionalGeneration.from_pretrained(tmp_path / "model").state_dict()
    for name, value in before.items():
        assert torch.equal(value, after[name]), name  # at a rate of nothing, nothing changes


def test_it_grows_without_a_change_of_what_it_says(tokenizer):
    small = build_model(MiniConfig(**SMALL), tokenizer)
    sizes = SMALL | {"head_size": 24, "decoder_layers": 3}
    large = grow(small, build_model(MiniConfig(**sizes), tokenizer))
    assert large.num_parameters() > small.num_parameters()
    source = tokenizer("question: Where? context: Ana: I live in Oslo.", return_tensors="pt")
    said = torch.tensor([[0, 5, 9, 7]])
    before, after = (model(**source, decoder_input_ids=said).logits for model in (small, large))
    assert torch.allclose(before, after, atol=1e-5)
    after.sum().backward()  # and all that is new can learn: o where v is random, q where k is
    last = large.decoder.block[-1].layer[1].EncDecAttention
    assert last.o.weight.grad.abs().sum() > 0


def test_measuring_does_not_pad_the_training_batches(tokenizer):
    batches = Batches(MiniConfig(**SMALL), tokenizer, "pad")
    tokenizer(["short", "a much longer text than the other one"], padding=True)
    for _ in range(3):
        inputs, _, _ = batches.next(0.9)
        lengths = (inputs["input_ids"] != tokenizer.pad_token_id).sum(1)
        assert torch.equal(inputs["attention_mask"].sum(1), lengths)
        assert inputs["input_ids"].shape[1] - int(lengths.max()) < 16  # widths are multiples of 16


def test_first_pieces_weigh_more():
    logits = torch.zeros(2, 5)
    logits[0, 1] = 5.0
    labels = torch.tensor([1, 2])
    right = weighted_loss(logits, labels, torch.tensor([1.0, 0.0]))
    both = weighted_loss(logits, labels, torch.tensor([1.0, 1.0]))
    assert right < both


def test_the_loss_is_the_models_own(tokenizer):
    model = build_model(MiniConfig(**SMALL), tokenizer)
    batches = Batches(MiniConfig(**SMALL), tokenizer, "own", 2)
    for _ in range(4):
        inputs, weights, _ = batches.next(0.0)
        labels = inputs["labels"]
        asked = labels != -100
        logits = model(**inputs).logits
        _, decoded, _ = States(model)(**{k: v for k, v in inputs.items() if k != "labels"})
        ours = model.lm_head(decoded[asked] * model.config.d_model**-0.5)
        assert torch.allclose(ours, logits[asked], atol=1e-5)
        plain = weighted_loss(ours, labels[asked], torch.ones(int(asked.sum())))
        assert torch.allclose(plain, model(**inputs).loss, atol=1e-5)
        assert weights[~asked].sum() == 0


def test_each_piece_of_an_answer_has_its_place(tokenizer):
    batches = Batches(MiniConfig(**SMALL), tokenizer, "point")
    ids = tokenizer(
        "question: What is it? context: Ana: a cat called Rex and a dog called Rex."
    ).input_ids
    pieces, weights, places = batches._answer("Rex", False, ids)
    assert [ids[place] for place in places] == pieces
    begin = places[0]
    assert all(ids[n : n + len(pieces)] != pieces for n in range(begin + 1, len(ids)))  # the last
    assert weights[0] == 1
    assert batches._answer("unknown", False, ids)[2] == [len(ids) - 1]
    assert set(batches._answer("Balthazar", False, ids)[2]) == {-1}
    pieces, weights, places = batches._answer("cat, dog", False, ids)
    assert pieces == tokenizer("cat, dog").input_ids[:-1]
    for piece, weight, place in zip(pieces, weights, places, strict=True):
        assert place == -1 or ids[place] == piece
        assert weight < 1 or place >= 0
    assert sum(weight == 1 for weight in weights) == 2


def test_a_right_pointer_costs_less_and_what_is_nowhere_costs_nothing():
    shares = torch.tensor([[[0.0, 5.0, 0.0], [0.0, 5.0, 0.0]]]).log_softmax(-1)
    right, wrong = (pointer_loss(shares, torch.tensor([[n, -1]])) for n in (1, 2))
    assert 0 < right < 0.1
    assert wrong > 4
    assert pointer_loss(shares, torch.tensor([[-1, -1]])) == 0


def test_levels_rise_with_what_is_right_and_with_time(tokenizer):
    batches = Batches(MiniConfig(**SMALL), tokenizer, "levels")
    batches.next(0.0)
    assert batches.level == 0
    for _ in range(200):
        batches.report(1.0)
    batches.next(0.01)
    assert batches.level == 1
    batches.next(0.05)
    assert batches.level == 1
    batches.next(0.5)
    assert batches.level == 2
    assert Batches(MiniConfig(**SMALL), tokenizer, "levels", LAST_LEVEL).level == LAST_LEVEL


def test_at_first_each_token_sees_on_which_side_it_stands(tokenizer):
    torch.manual_seed(0)
    model = build_model(MiniConfig(**SMALL), tokenizer)
    text = (
        "question: Where does Ana live? context: Ana: I live in Oslo. context: Ben: and I in Rome"
    )
    source = tokenizer(text, return_tensors="pt")
    ids = source.input_ids[0].tolist()
    marks = {tokenizer.encode(mark)[0] for mark in ("question:", "context:")}
    places = [place for place, piece in enumerate(ids) if piece in marks]
    seen = model.encoder(**source, output_attentions=True).attentions[0][0, 0]  # (N, N) of head 0
    for token in range(len(ids)):
        nearest = max(place for place in places if place <= token)
        assert seen[token, nearest] > 0.5


def test_measuring_names_every_error(tokenizer):
    config = MiniConfig(**SMALL)
    model = build_model(config, tokenizer)
    found = measure(model, tokenizer, validation(30), keep=3)
    assert found["n"] == 30
    assert set(found["by_held_out"]) <= {"seen", "relation", "phrasing"}
    shares = ("subject_errors", "relation_errors", "old", "false_unknown", "other")
    assert sum(found[name] for name in shares) <= 1.001
    assert len(found["wrong"]) <= 3


def test_matching_compares_each_question_with_all_turns(tokenizer):
    """Answers are right turns of the question's own conversation; older values are neither right nor wrong."""
    batch = MatchingBatches(tokenizer, "test").next()
    questions, turns = batch.answers.shape
    assert questions == len(batch.questions[0])
    assert turns == len(batch.turns[0]) == 72
    assert batch.answers.any(1).all()
    assert not (batch.answers & batch.left_out).any()
    third = torch.arange(turns) // 24
    assert all(len(third[row].unique()) == 1 for row in batch.answers)


def test_matching_marks_where_answers_begin(tokenizer):
    """At the marked places the right turns have the pieces of an answer; most questions have such a place."""
    batches = MatchingBatches(tokenizer, "test")
    [sample] = [
        everyday.sample(batches.name, 0, matched_world(random.Random(f"{batches.name} 0")), False)
    ]
    [talk] = locomo.parse([sample])
    batch = batches.next()
    longest = batch.turns[0].shape[1]
    asked = [" ".join(q.prompt.split()) for q in talk.questions]
    checked = 0
    for places, answers, ids in zip(batch.begins, batch.answers, batch.questions[0], strict=True):
        prompt = tokenizer.decode(ids, skip_special_tokens=True).strip()
        for place in places[places >= 0].tolist():
            assert answers[place // longest]
            if prompt in asked:
                answer = talk.questions[asked.index(prompt)].answer
                said = tokenizer.decode(batch.turns[0].flatten()[place : place + 24])
                assert said.strip().startswith(answer)
                checked += 1
    assert checked >= 5
    assert (batch.begins[:, 0] >= 0).float().mean() > 0.6


def test_matching_by_hand(tokenizer):
    """Two questions, two turns of one token: the losses of turns and of tokens are those of cosines 1 and 0, times 10 s."""
    batch = MatchingBatches(tokenizer, "test").next()
    yes = torch.eye(2, dtype=torch.bool)
    none, begins = torch.zeros(2, 2, dtype=torch.bool), torch.tensor([[0, -1], [1, -1]])
    batch = replace(batch, answers=yes, left_out=none, begins=begins)
    matching = Matching(4, size=4, heads=1)
    with torch.no_grad():
        for linear in (matching.linear, matching.turn_linear, matching.asks, matching.token):
            linear.weight.copy_(torch.eye(4))
            linear.bias.zero_()
        matching.sharp.copy_(torch.tensor([0.2, 0.1]))
    states = torch.eye(4)[:2, None]
    seen = torch.ones(2, 1, dtype=torch.bool)
    loss, right = matching((states, seen), (states, seen), batch)
    turns, tokens = math.log(1 + math.exp(-2)), math.log(1 + math.exp(-1))
    assert loss.item() == pytest.approx(turns + tokens, rel=1e-5)
    assert right == 1
    swapped = replace(batch, answers=~yes)
    assert matching((states, seen), (states, seen), swapped)[1] == 0
