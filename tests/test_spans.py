"""The span memory: where facts begin, what a row holds, which row is told, and that it learns."""

import json
from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

from lmem import load_backbone
from lmem.backbone.backbone import MAX_TOKENS
from lmem.cli import app
from lmem.data.messages import with_question_before
from lmem.errors import InputError, MethodError
from lmem.memory.bank import Bank, State
from lmem.memory.large import in_chunks
from lmem.memory.model import MemoryModel
from lmem.memory.read.copying import doubt_signs, lead, newer, newest
from lmem.memory.write.spans import SpanWrite
from lmem.training import fact_data, spans
from lmem.training.fact_data import fact_conversations
from lmem.training.minimise import minimise
from lmem.training.replacing import replacements
from lmem.training.spans import SpanConfig, calibrate, span_parts, start_codes, train_spans
from lmem.training.spelling import SpellingLoss

SMALL = {"key": 8, "code": 6, "length": 3, "facts": 2}


@pytest.fixture(scope="module")
def mini():
    return load_backbone("mini")


@pytest.fixture
def model(mini):
    return MemoryModel(mini, "spans", scale=1, seed=3, write=SMALL)


@pytest.fixture(scope="module")
def conversations(mini):
    return fact_conversations(mini, 4, "test", progress=False)


def test_a_turn_is_encoded_with_the_question_that_it_answers():
    turns = ["context: Ana: Dog or cat?", "context: Ben: It's Hector.", "context: Ana: Nice."]
    assert with_question_before(turns) == [
        "context: Ana: Dog or cat?",
        "context: Ana: Dog or cat? context: Ben: It's Hector.",
        "context: Ana: Nice.",
    ]


def test_a_question_is_remembered_over_parts_of_a_conversation(model):
    """`write` encodes 64 turns at a time; the 65th still sees the question before it."""
    talk = [f"Ana: Hello number {i}." for i in range(63)] + [
        "Ana: What is his name?",
        "Ben: Hector.",
    ]
    whole = model.write(model.new_bank(), talk)
    latents = model.encode_turns([[f"context: {turn}" for turn in talk]])
    rows = model.write_latents(model.new_bank(), latents).state.rows
    assert torch.allclose(whole.state.rows, rows, atol=1e-5)
    [alone] = model.backbone.encode([f"context: {talk[-1]}"])
    [together] = model.backbone.encode([f"context: {talk[-2]} context: {talk[-1]}"])
    own = latents[0][-1]  # of its own tokens alone, which have seen the question
    assert torch.allclose(own, together[-len(alone) :], atol=1e-5)
    assert not torch.allclose(own, alone, atol=1e-2)


def test_a_question_that_is_too_long_is_left_out(mini):
    """What the encoder cannot read together is read alone."""
    texts = ["context: Ben: It's Hector."]
    long = "context: Ana: " + "what is " * MAX_TOKENS + "his name?"
    [together], [alone] = mini.encode_after([long], texts), mini.encode(texts)
    assert torch.allclose(together, alone, atol=1e-5)


def test_facts_of_one_turn_do_not_replace_each_other():
    write = SpanWrite(64, 192, facts=2, theta=-0.99)
    with torch.no_grad():
        write.correct.linear.bias.fill_(50.0)
    state = write.start()
    key = torch.nn.functional.normalize(torch.randn(1, 2, write.key), dim=-1)
    value, on = torch.randn(1, 2, write.length * write.code.out_features), torch.ones(1, 2)
    rows, written = write.place_all(state, key, value, on, on)
    assert (written == 0).sum() == 2
    later = State(rows, written, state.turns + 1)
    _, written = write.place_all(later, key, value, on, on)
    assert sorted(written[written >= 0].tolist()) == [1, 1]


def test_facts_are_marked_where_their_values_begin(mini, conversations):
    marked = 0
    for each in conversations:
        ids = mini.tokenize(each.texts, truncate=True)
        for fact in each.facts:
            if fact.value is None:
                assert fact.token == len(ids[fact.turn]) - 1
                continue
            pieces = ids[fact.turn][fact.token : fact.token + fact.pieces]
            assert mini.tokenizer.decode(pieces).strip() == fact.value
            marked += 1
    assert marked > 40


def test_questions_know_their_facts(conversations):
    hops, twice = set(), 0
    for each in conversations:
        for question in each.questions:
            for i in question.last:
                assert (each.facts[i].value or "unknown") == question.answer
                assert each.live[i] or not each.facts[i].single or question.answer != "unknown"
                again = [fact for fact in each.facts if fact.about == each.facts[i].about]
                twice += len(again) > 1
                assert all(
                    j in question.last
                    for j, fact in enumerate(each.facts)
                    if each.live[j] and fact in again and fact.value == each.facts[i].value
                )
            hops.add(question.two_hops)
    assert hops == {True, False}
    assert twice


def test_an_older_value_no_longer_holds(conversations):
    for each in conversations:
        for i, fact in enumerate(each.facts):
            later = [other.value for other in each.facts[i + 1 :] if other.about == fact.about]
            assert each.live[i] == (not fact.single or {*later} <= {fact.value})


def fire_at(write, end=-1.0):
    """Let the gate fire at tokens whose first latent is above 0, and at the last one if `end` is."""
    with torch.no_grad():
        for weight in (*write.gate.parameters(), *write.ends.parameters()):
            weight.zero_()
        write.ends.linear.bias.fill_(end)
        write.gate[0].weight[0, 0] = write.gate[2].weight[0, 0] = 1.0
        write.gate[2].bias.fill_(-0.1)


def turn_of(width, *places, tokens=6, seed=0):
    """One turn of random latents whose first number is 1 at some places and -1 elsewhere."""
    latents = torch.randn(1, tokens, width, generator=torch.Generator().manual_seed(seed))
    latents[..., 0] = -1.0
    latents[0, list(places), 0] = 1.0
    return latents


def test_every_fact_of_a_turn_gets_a_row_with_its_tokens(model):
    write, _ = span_parts(model)
    fire_at(write, end=1.0)
    latents, mask = turn_of(192, 1), torch.ones(1, 6)
    state = write(write.start(), latents, mask)
    used = (state.written[0] == 0).nonzero()[:, 0]
    assert len(used) == 2
    first, second = state.rows[0, used, 8:].unflatten(1, (3, 6))
    assert torch.allclose(first, write.code(latents[0, 1:4]), atol=1e-6)
    assert torch.allclose(second[0], write.code(latents[0, 5]), atol=1e-6)
    assert second[1:].abs().sum() == 0  # behind the end of the turn


def test_the_end_of_a_turn_has_a_gate_of_its_own(model):
    """Whether something is taken back shows in the whole turn, and padding behind it changes nothing."""
    write, _ = span_parts(model)
    mask = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
    latents = turn_of(192, 0, 3, 5).expand(2, -1, -1)
    fire_at(write)
    assert (write.begins(latents, mask) > 0).nonzero().tolist() == [[0, 0], [1, 0], [1, 3]]
    fire_at(write, end=1.0)
    assert (write.begins(latents, mask) > 0).nonzero().tolist() == [
        [0, 0],
        [0, 3],
        [1, 0],
        [1, 3],
        [1, 5],
    ]
    with torch.no_grad():
        write.ends.linear.weight[0, 0] = 5.0  # looks at what the pool found
        other = latents.clone()
        other[:, 1] += 1.0  # another token than the last
        assert write.begins(other, mask)[0, 3] != write.begins(latents, mask)[0, 3]


def test_of_a_value_and_the_end_that_takes_it_back_one_is_kept(model):
    """ "I no longer play the violin": the likelier one, if theta takes both for the same fact."""
    write, _ = span_parts(model)
    latents, mask, kept = turn_of(192, 1), torch.ones(1, 6), {}
    for theta in (-0.99, 0.99):  # any two keys are the same fact, and none are
        for end in (0.1, 9.0):
            fire_at(write, end)
            with torch.no_grad():
                write.theta.fill_(theta)
            keep = write.facts(latents, mask)[2]
            kept[theta, end] = (keep[0, keep[0] > -9] > 0).tolist()
    assert kept[0.99, 0.1] == kept[0.99, 9.0] == [True, True]
    assert kept[-0.99, 0.1] == [True]
    assert kept[-0.99, 9.0] == [True]
    fire_at(write, 9.0)
    with torch.no_grad():
        write.theta.fill_(-0.99)
    assert (write.facts(latents, mask)[2] > 0).tolist() == [[False, True]]
    fire_at(write, -1.0)
    assert (write.facts(latents, mask)[2] > 0).tolist() == [[True, False]]


def test_an_end_takes_the_row_of_a_key_that_is_a_little_less_alike(model):
    """0.92 is enough for what is taken back and not for a new value."""
    write, _ = span_parts(model)
    with torch.no_grad():
        write.theta.fill_(0.94)
    key = torch.zeros(1, 2, 8)
    key[0, 0, 0], key[0, 1, 0], key[0, 1, 1] = 1.0, 0.92, (1 - 0.92**2) ** 0.5
    value, on = torch.ones(1, 18), torch.ones(1)
    end = torch.cat([torch.ones(1, 6), torch.zeros(1, 12)], 1)
    assert write.is_end(torch.cat([value, end])).tolist() == [False, True]
    rows, written = write.place(write.start(), key[:, 0], value, on, on)
    later = State(rows, written, torch.ones_like(write.start().turns))
    for new, used in ((value, 2), (end, 1)):
        _, written = write.place(later, key[:, 1], new, on, on)
        assert (written >= 0).sum() == used


def test_every_second_conversation_speaks_of_open_relations(mini):
    drawn = fact_conversations(mini, 4, "test", open_relations=True, progress=False)
    is_open = [any(f.about[1].startswith("open_") for f in each.facts) for each in drawn]
    assert is_open == [False, True, False, True]


def test_padding_and_small_talk_write_nothing(model):
    write, _ = span_parts(model)
    fire_at(write)
    padded = turn_of(192, 4)
    mask = torch.tensor([[1, 1, 1, 0, 0, 0]])
    assert (write(write.start(), padded, mask).written < 0).all()
    alone = write(write.start(), turn_of(192, 1, tokens=3), torch.ones(1, 3))
    longer = write(write.start(), turn_of(192, 1, tokens=3), torch.ones(1, 3))
    assert torch.equal(alone.rows, longer.rows)


def test_the_same_key_takes_the_same_row_and_another_one_does_not(model):
    write, _ = span_parts(model)
    fire_at(write)
    with torch.no_grad():
        write.correct.linear.bias.fill_(50.0)
    latents, mask = turn_of(192, 2), torch.ones(1, 6)
    once = write(write.start(), latents, mask)
    again = write(once, latents, mask)
    other = write(once, turn_of(192, 3, seed=5), mask)
    rows = [int((state.written >= 0).sum()) for state in (once, again, other)]
    assert rows == [1, 1, 2]
    assert again.written.max() == 1  # the newer turn


def doubt_by_cosine(read, key, steep=20.0, hops=2):
    """Let the doubt be near 0 for a cosine of 1 and near 1 for one of 0 or less, the more so the steeper it is.

    With one hop, whatever the second finds is doubted.
    """
    with torch.no_grad():
        for weight in read.doubt.parameters():
            weight.zero_()
        for doubt in read.doubt[:hops]:
            doubt[0].weight[0, key] = 1.0  # 3 times the cosine
            doubt[2].weight[0, 0], doubt[2].bias[0] = -steep, steep
        for doubt in read.doubt[hops:]:
            doubt[2].bias[0] = 100.0


def matching_rows(read, states, seen, size):
    """Five rows: the fourth has the question's key, the others have its opposite."""
    query = read.asks[0](states, seen)
    rows = torch.randn(1, 5, size + 1)
    rows[..., : read.key] = -query
    rows[0, 3, : read.key] = query[0]
    return rows


def test_one_row_is_told_and_a_threshold_decides_whether(model):
    """The best row's value alone reaches the decoder; where it is doubted, or at threshold 0, the rows for "unknown" do."""
    _, read = span_parts(model)
    doubt_by_cosine(read, 8, hops=1)
    states, seen = torch.randn(1, 4, 192), torch.ones(1, 4, dtype=torch.bool)
    with torch.no_grad():
        rows, mask = matching_rows(read, states, seen, 8 + 18), torch.ones(1, 5, dtype=torch.bool)
        extra, *_ = read(rows, mask, states, seen)
        assert torch.allclose(extra, read.value_rows(rows[:, 3, 8:-1]), atol=1e-5)
        hidden = mask.clone()
        hidden[0, 3] = False
        assert torch.equal(read(rows, hidden, states, seen)[0][0], read.nothing)
        read.threshold = 0.0
        assert torch.equal(read(rows, mask, states, seen)[0][0], read.nothing)


def test_a_second_hop_asks_with_the_value_that_was_found(model):
    """The second key is that of the question with the found row's value behind it, as the decoder would see it."""
    _, read = span_parts(model)
    doubt_by_cosine(read, 8)
    states, seen = torch.randn(1, 4, 192), torch.ones(1, 4, dtype=torch.bool)
    with torch.no_grad():
        read.sharp.fill_(20.0)
        rows, mask = matching_rows(read, states, seen, 8 + 18), torch.ones(1, 5, dtype=torch.bool)
        rows[0, 3, :8] *= 0.8  # the best row of the first hop, and not certain
        longer = torch.cat([states, read.value_rows(rows[:, 3, 8:-1])], 1)
        rows[0, 1, :8] = read.asks[1](longer, torch.ones(1, 7, dtype=torch.bool))[0]
        best, doubt, _ = read.choose(rows, mask, states, seen)
    assert best.item() == 1
    assert doubt.item() < 0.01


def test_a_row_that_is_withheld_is_far_or_doubted(model):
    """Far if its cosine is below 1 - nu, where "no row" wins the softmax; judged only if there is a row."""
    _, read = span_parts(model)
    doubt_by_cosine(read, 8, hops=1)
    states, seen = torch.randn(1, 4, 192), torch.ones(1, 4, dtype=torch.bool)
    with torch.no_grad():
        read.nu.fill_(0.5)
        rows, mask = matching_rows(read, states, seen, 8 + 18), torch.ones(1, 5, dtype=torch.bool)
        hidden = mask.clone()
        hidden[0, 3] = False  # the others have the opposite of the question's key
        [told], [far] = read.judge(rows, mask, states, seen), read.judge(rows, hidden, states, seen)
        assert (told.withheld, far.withheld) == (None, "far")
        assert told.doubt < 0.01
        assert far.doubt > 0.9
        read.threshold = 0.0
        assert read.judge(rows, mask, states, seen)[0].withheld == "doubted"
        read.nu.fill_(-0.1)  # nothing is like the question any more
        assert read.judge(rows, mask, states, seen)[0].withheld == "far"
        assert read.judge(rows, torch.zeros_like(mask), states, seen) == [None]


def test_an_answer_is_as_sure_as_its_row_is_not_doubted(model):
    """p (1 - doubt) if the row is told, p doubt if it is withheld; other banks of the batch change nothing."""
    write, read = span_parts(model)
    fire_at(write)
    doubt_by_cosine(read, 8, steep=2.0)
    told = model.write(model.new_bank(), ["Ana: My dog is called Rex.", "Ana: I live in Oslo."])
    assert not told.empty
    question = "Where does Ana live?"
    bold = model.variant(read={"threshold": 2.0})
    shy = model.variant(read={"threshold": 0.0})
    for reads, withheld in ((bold, (None,)), (shy, ("far", "doubted"))):
        answer = reads.answer(told, question, return_confidence=True)
        with reads.attached(told):
            inputs = reads.backbone.inputs([f"question: {question}"])
            [text], [p] = reads.backbone.generate_with_confidence(inputs)
        assert answer.text == text
        assert answer.withheld in withheld
        share = answer.doubt if answer.withheld else 1 - answer.doubt
        assert 0 < answer.doubt < 1
        assert answer.confidence == pytest.approx(p.item() * share, rel=1e-4)
        state = [torch.cat(parts) for parts in zip(told.state, model.new_bank().state, strict=True)]
        both = Bank(type(told.state)(*state), told.owner, told.backbone)
        found = reads.answer(both, [question] * 3, of=[1, 0, 1], return_confidence=True)
        assert [each.doubt for each in found] == [None, pytest.approx(answer.doubt, rel=1e-4), None]
        assert found[1].withheld == answer.withheld


def test_what_a_row_is_doubted_by():
    """By hand: the product, number by number, times the root of K; three times cosine and lead in both hops, and a newer row."""
    query, keys = torch.tensor([[0.6, 0.8]]), torch.tensor([[[0.0, 1.0], [0.8, 0.6], [0.6, -0.8]]])
    own, other = torch.tensor([[0.5, 0.96, -1.0]]), torch.tensor([[0.9, 0.2, -1.0]])
    row, turn = torch.tensor([[1, 0]]), torch.tensor([[0.0, -3.0, -1.0]])
    signs = doubt_signs(query, keys, turn, row, own, other)
    expected = [
        [
            0.48 * 2**0.5,
            0.48 * 2**0.5,
            3 * 0.96,
            3 * 0.46,
            3 * 0.2,
            3 * -0.7,
            -3,
        ],  # the newer ones are far from the question
        [0, 0.8 * 2**0.5, 3 * 0.5, 3 * -0.46, 3 * 0.9, 3 * 0.7, -3],  # none is newer
    ]
    assert torch.allclose(signs, torch.tensor([expected]), atol=1e-6)
    assert lead(torch.tensor([[0.3]]), torch.tensor([[0]])).item() == pytest.approx(0.3)  # alone


def test_a_newer_row_counts_if_it_is_as_like_the_question():
    keys = torch.tensor([[[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]]])
    turn, rows = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[0, 1, 2]])
    near, far = torch.tensor([[0.9, 0.85, 0.86]]), torch.tensor([[0.9, 0.7, 0.4]])
    assert torch.allclose(newer(keys, turn, rows, near), torch.tensor([[0.8, 0.96, -1.0]]))
    assert torch.allclose(newer(keys, turn, rows, far), torch.tensor([[-1.0, -1.0, -1.0]]))


def test_of_rows_with_the_same_key_the_newest_is_told():
    keys = torch.nn.functional.normalize(
        torch.tensor([[[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.6, 0.8]]]), dim=2
    )
    turn, near = torch.tensor([[-5.0, -3.0, -3.0, 0.0]]), torch.tensor([[0.9, 0.85, 0.85, 0.9]])
    rows = [newest(keys, turn, torch.tensor([[row]]), near).item() for row in range(4)]
    assert rows == [1, 1, 2, 3]  # the last has another key; of one turn none is newer
    far = torch.tensor([[0.9, 0.7, 0.7, 0.9]])
    assert newest(keys, turn, torch.tensor([[0]]), far).item() == 0


def test_codes_start_at_the_regression(model):
    """With as many numbers as the latents have directions nothing is lost: what was read together comes back."""
    full = MemoryModel(model.backbone, "spans", 1, write={"key": 8, "code": 16, "length": 2})
    write, read = span_parts(full)
    basis = torch.randn(16, 192)
    alone = torch.randn(400, 16) @ basis
    turned = alone @ torch.linalg.qr(torch.randn(192, 192))[0]
    start_codes(write, read, alone, turned, torch.eye(192))
    with torch.no_grad():
        back = read.respell(write.code(alone))
    assert (back - turned).norm() / turned.norm() < 0.02


def test_codes_learn_what_their_tokens_are(model, conversations):
    """Drawn tokens are rarer than the tokens of the turns, and after some steps most of them are known by their codes."""
    full = MemoryModel(model.backbone, "spans", 1, write={"key": 8, "length": 2})
    write, read = span_parts(full)
    pairs = torch.randn(2, 300, 192)
    lesson = SpellingLoss(model.backbone, write, read, conversations, 0.05, pairs, torch.eye(192))
    assert len(lesson.piece) == sum(len(z) for each in conversations for z in each.latents)
    common = lesson.piece == lesson.piece.mode().values
    weight = lesson.up_to.diff(prepend=torch.zeros(1))
    assert weight[common].sum() / weight.sum() < 0.5 * common.double().mean()
    torch.manual_seed(0)
    minimise(lesson, lesson.weights, SpanConfig(), 150, 3e-3, "", False, 3e-3)
    with torch.no_grad():
        latents = torch.cat([z for each in conversations for z in each.latents]).float()
        states = read.spelling.pieces(write.code(latents))
        logits = model.backbone.model.lm_head(states * 192**-0.5)
    assert (logits.argmax(1) == lesson.piece).double().mean() > 0.6


def test_a_value_is_spelled_while_it_is_told(model):
    """At each step the decoder's last state moves towards the piece that is due: all at once, step by step, and in a beam."""
    _, read = span_parts(model)
    with torch.no_grad():
        read.threshold = 2.0
        read.spelling.gate.bias.fill_(20.0)
        bank = model.write(model.new_bank(), ["Ann: I have a cat called Miro."])
        assert (bank.state.written >= 0).any()
        head = model.backbone.model.lm_head.weight
        wanted = torch.randint(5, 500, (read.length,)).tolist()
        pieces = 400 * head[wanted] / head[wanted].square().sum(1, keepdim=True)
        read.pieces = lambda value: pieces.expand(len(value), -1, -1)
        prompt = model.backbone.inputs(["question: Ann: What is my cat called?"])
        with model.attached(bank):
            for beams in (1, 2):
                out = model.backbone.model.generate(
                    **prompt, max_new_tokens=read.length, do_sample=False, num_beams=beams
                )
                assert out[0, 1 : read.length + 1].tolist() == wanted
            logits = model.backbone.model(**prompt, labels=torch.tensor([wanted])).logits
            assert logits[0].argmax(1).tolist() == wanted


def test_it_learns_and_its_backbone_does_not(model, conversations):
    before = model.backbone.fingerprint
    few = SpanConfig(batch=2, questions=12, telling_batch=8)
    config = replace(few, steps=12, doubt_steps=5, telling_steps=12, spelling_steps=12)
    report = train_spans(model, conversations, config, progress=False)
    longer = MemoryModel(model.backbone, "spans", scale=1, seed=3, write=SMALL)
    config = replace(few, steps=60, doubt_steps=200, telling_steps=30, spelling_steps=90)
    after = train_spans(longer, conversations, config, progress=False)
    assert model.backbone.fingerprint == before
    assert after["losses"][0] < 0.8 * report["losses"][0]  # of the spelling
    assert after["losses"][2] < 0.9 * report["losses"][2]  # of the keys
    assert after["telling_loss"] < report["telling_loss"]
    *_, early, late = after["losses"]
    assert late < 0.9 * early  # of the doubt


def test_a_threshold_is_set_on_what_was_never_told(model, conversations, tmp_path):
    found = calibrate(model, conversations, abstain=0.9)
    _, read = span_parts(model)
    assert read.threshold == found["threshold"]
    assert found["never_told"] >= 0.9
    assert 0 <= found["found"] <= 1
    assert {*map(float, found["replaced"])} == {*spans.THETAS}
    assert 0 <= found["far_told"] <= 1
    bolder = calibrate(model, conversations, abstain=0.5)
    assert bolder["threshold"] >= found["threshold"]
    model.save_pretrained(tmp_path / "saved")
    loaded = MemoryModel.from_pretrained(tmp_path / "saved", model.backbone)
    assert span_parts(loaded)[1].threshold == bolder["threshold"]


def test_what_takes_the_row_of_what(mini, conversations):
    """The counts are those of the write itself, fact by fact."""
    shipped, told = MemoryModel.from_shipped("mini-spans", mini), conversations[0]
    thetas = (0.3, 0.9, 0.99)
    found = replacements(shipped.write_rule, told, thetas)
    assert found == [counted_by_hand(shipped, told, theta) for theta in thetas]
    assert found[0][1] > found[2][1]


def counted_by_hand(model, told, theta):
    """Write turn by turn, fact by fact, and compare the rows before and after."""
    write, _ = span_parts(model)
    state, label, newest, caught, wrong = write.start(), {}, {}, 0, 0
    with torch.no_grad():
        write.theta.fill_(theta)
        for turn, latents in enumerate(told.latents):
            parts = write.facts(latents[None].float(), torch.ones(1, len(latents)).bool())
            here = [(i, fact) for i, fact in enumerate(told.facts) if fact.turn == turn]
            for key, value, keep, correct in zip(*(part.unbind(1) for part in parts), strict=True):
                if keep <= 0:
                    continue
                state = state._replace(turns=torch.tensor([turn]))
                rows, written = write.place(state, key, value, keep, correct)
                [row] = (rows != state.rows)[0].any(1).nonzero()[:, 0].tolist()
                state = state._replace(rows=rows, written=written)
                mark = None
                for i, fact in here:
                    token = torch.tensor([[fact.token]])
                    mask = torch.ones(1, len(latents)).bool()
                    own = write.facts_at(latents[None].float(), mask, token)[0][0, 0]
                    if mark is None and own @ key[0] > 0.999:
                        mark = i
                old = label.get(row)
                if old is not None:
                    one = told.facts[old]
                    other = None if mark is None else told.facts[mark]
                    if other is None or one.about != other.about:
                        wrong += not one.single or newest[one.about] == old
                    elif one.value != other.value:
                        caught, wrong = caught + one.single, wrong + (not one.single)
                label[row] = mark
                if mark is not None:
                    newest[told.facts[mark].about] = mark
    return caught, wrong


def test_the_command_trains_calibrates_and_saves(monkeypatch, tmp_path):
    def briefly(model, facts, config):
        return train_spans(
            model, facts, replace(config, doubt_steps=2, telling_steps=2, spelling_steps=2), False
        )

    monkeypatch.setattr(spans, "train_spans", briefly)
    monkeypatch.setattr(fact_data, "long_world", fact_data.default_world)
    line = "train --method spans --data everyday --backbone mini --conversations 2 --validation 2"
    result = CliRunner().invoke(app, [*line.split(), "--steps", "2", "--out", str(tmp_path / "a")])
    assert result.exception is None
    made = json.loads((tmp_path / "a" / "training.json").read_text())
    assert made["settings"] == {"steps": 2}
    assert set(made["calibration"]) >= {"gate", "replaced", "threshold"}
    loaded = MemoryModel.from_pretrained(tmp_path / "a")
    assert span_parts(loaded)[1].threshold == made["calibration"]["threshold"]


def test_a_bank_survives_on_disk(model, tmp_path):
    write, _ = span_parts(model)
    fire_at(write)
    bank = model.write(model.new_bank(), ["Ana: My dog is called Rex.", "Ana: I live in Oslo."])
    bank.save(tmp_path / "bank.safetensors")
    loaded = Bank.load(tmp_path / "bank.safetensors")
    question = "What is my dog called?"
    assert model.answer(loaded, question) == model.answer(bank, question)


def test_what_does_not_fit_is_refused(mini, model, tmp_path):
    with pytest.raises(MethodError, match="even key"):
        MemoryModel(mini, "spans", 1, write={"key": 7})
    with pytest.raises(MethodError, match="numbers for a row"):
        MemoryModel(mini, "spans", 1, write={"code": 4000})
    with pytest.raises(InputError, match="method spans"):
        span_parts(MemoryModel(mini, "recent"))
    with pytest.raises(MethodError, match="selects among rows"), in_chunks(model):
        pass
    result = CliRunner().invoke(
        app, ["train", "--out", str(tmp_path / "x"), "--method", "spans", "--backbone", "mini"]
    )
    assert isinstance(result.exception, InputError)
    assert "--data everyday" in str(result.exception)
