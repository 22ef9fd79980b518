"""The engine in the browser against PyTorch, with the same weights in 8 bits: hidden states, banks, logits, answers."""

import random
from itertools import islice

import numpy as np
import pytest
import torch
from browsing import needs_browser

from lmem.backbone.backbone import EMBEDDED, MAX_TOKENS, Backbone, load_backbone
from lmem.backbone.mini.tokenizer import train_tokenizer
from lmem.backbone.pretrain import copying_t5
from lmem.backbone.reading import measure
from lmem.data import everyday, locomo, tinyworld
from lmem.data.everyday.reading import readings
from lmem.data.messages import conversation_texts
from lmem.data.tinyworld.language import NAMES
from lmem.experiments.repairs import REPAIRS
from lmem.memory.model import MemoryModel, as_prompt
from lmem.memory.read import READS
from lmem.memory.write import WRITES
from lmem.memory.write.slots import SlotWrite
from lmem.viz.live import adapters, weights
from lmem.viz.live.site import ENGINE, known_adapters

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_browser]
CLOSE = 1e-3  # relative error
ROOM = MAX_TOKENS - 64  # tokens of turns in the input, next to a question
SHIPPED = {about["name"]: about["backbone"] for about in known_adapters()}
CASES = {  # name: method, scale, options of the write, options of the read
    "m1": ("m1", 1, {}, {}),
    "m1, a mixed prefix": ("m1", 1, {}, {"length": 8}),
    "m2": ("m2", 1, {}, {"beta": 1.0}),
    "m3": ("m3", 1, {}, {}),
    "m4": ("m4", 1, {}, {}),
    "m5": ("m5", 1, {}, {}),
    "m6": ("m6", 1, {}, {}),
    "m2 as run": ("m2_as_run", 1, {}, {"beta": 1.0}),
    "m5 as run": ("m5_as_run", 1, {}, {}),
    "m2, 10x": ("m2", 10, {}, {"beta": 1.0}),
    "m6, 10x": ("m6", 10, {}, {}),
    "m3, normalised rows": ("m3", 1, {"normalise": True}, {"start": "identity"}),
    "m6, normalised and learned": ("m6", 1, {"normalise": True, "trainable": True}, {}),
    "m4, without its norm": ("m4", 0.25, {"normalise": False, "gamma": 1.0}, {}),
    "m5, a set for each layer": ("m5", 1, {}, {"shared": False, "heads": 4}),
    "recent": ("recent", 1, {}, {}),
    "recent, joined": ("recent+extension", 1, {}, {}),
    "recent, before the encoder": ("recent+prefix", 1, {}, {}),
    "gated": ("gated+branch", 1, {"normalise": True}, {"beta": 1.0, "heads": 2, "raw": True}),
    "delta": ("delta+query", 0.25, {}, {}),
    "keyed": ("keyed", 1, {}, {}),
    "spans": ("spans", 1, {}, {"threshold": 0.9}),
    "spans, withheld": ("spans", 1, {}, {"threshold": 0.0}),
    "spans, of other sizes": (
        "spans",
        1,
        {"key": 10, "code": 6, "length": 3, "facts": 5, "heads": 2, "hidden": 16, "theta": 0.3},
        {"threshold": 0.9, "heads": 3, "hidden": 24},
    ),
    **{r.name: (r.repaired_method, 1, r.write, r.read) for r in REPAIRS if r.changes},
    "m3_repaired, 10x": ("m3", 10, {"address": 30.0, "normalise": True}, {"start": "identity"}),
    "m6, each token": (
        "m6",
        1,
        {"each": "token", "choose": "empty", "k": 1, "trainable": True, "normalise": True},
        {},
    ),
    **{name: name for name in SHIPPED},
}
START = """
if (lmemLive.parts.length !== arguments[0]) return false;
const engine = {};
lmemLive.parts.forEach((part) => part(engine));
const backbones = Object.fromEntries(Object.entries(lmemLive.files).filter(([, file]) => file.config).map(([name, file]) => [name, new engine.T5(file)]));
const firstLogits = (backbone, steps, act) => {     // what act() gives, and the logits of its first steps
  const logits = [];
  backbone.logits = (state) => {
    const found = engine.T5.prototype.logits.call(backbone, state);
    if (logits.length < steps) logits.push([...found]);
    return found;
  };
  try { return {...act(), logits}; }
  finally { delete backbone.logits; }
};
window.live = {engine, backbones, firstLogits, states: {}};
return true;
"""
RUN = """
const [file, said, questions, steps] = arguments, {engine, backbones, firstLogits} = window.live, backbone = backbones[file.backbone];
const memory = new engine.Memory(file, backbone), turns = said.map((turn, t) => memory.asEncoded(said[t - 1], turn)), known = `${file.backbone} ${JSON.stringify(turns)}`;
const fresh = !live.states[known], states = live.states[known] ??= turns.map(({text, skip}) => {
  const all = backbone.encode(memory.tokens(text));
  return all.slice(skip, all.rows);
});
let bank = memory.newBank();
const banks = [];
for (const turn of states) {
  bank = memory.writeStates(bank, turn);
  banks.push({written: [...bank.written], rows: banks.length % 8 === 7 ? [...bank.rows.data] : null});
}
const asked = questions.map((question) => {
  const {text, ids, logits, sure, withheld} = firstLogits(backbone, steps, () => memory.ask(bank, question));
  return {text, ids, logits, sure, withheld};
});
return {states: fresh ? states.map((one) => [...one.data]) : null, banks, asked};
"""


def test_the_page_reads_every_byte(driver, tmp_path):
    """As a reader would: a script of a folder, in a page in UTF-8."""
    data = bytes(range(256)) + np.random.default_rng(0).bytes(100_000)
    page_with(driver, tmp_path, {"bytes": {"data": weights.coded(data)}})
    read = "return [...live.engine.bytesOf(lmemLive.files.bytes.data)]"
    assert bytes(driver.execute_script(read)) == data


def relative(found, wanted):
    found, wanted = np.asarray(found, "f8").ravel(), np.asarray(wanted, "f8").ravel()
    assert found.shape == wanted.shape
    return np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-9)


@pytest.fixture(scope="module")
def coarse():
    """The shipped backbones with the weights that the browser gets."""
    return {name: adapters.in_8_bits(load_backbone(name, device="cpu")) for name in EMBEDDED}


@pytest.fixture(scope="module")
def talks():
    """A conversation of 60 turns in the language of each backbone."""
    samples = {
        "nano": tinyworld.samples(1, "live parity", tinyworld.World(turns=60)),
        "mini": everyday.samples(1, "live parity", everyday.World(turns=60)),
    }
    return {name: locomo.parse(drawn)[0] for name, drawn in samples.items()}


def page_with(driver, folder, files):
    """Open a page from a folder, with the engine and these files, as a reader would without a server."""
    sources = [path.read_text(encoding="utf-8") for path in ENGINE]
    sources += [weights.script(name, content) for name, content in files.items()]
    names = [f"{i}.js" for i in range(len(sources))]
    for name, source in zip(names, sources, strict=True):
        (folder / name).write_text(source, encoding="utf-8")
    scripts = "".join(f'<script src="{name}"></script>' for name in names)
    page = folder / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><title>parity</title>{scripts}", "utf-8")
    driver.get(page.as_uri())
    assert driver.execute_script(START, len(ENGINE)), "not all scripts of the engine were loaded"


@pytest.fixture(scope="module")
def page(driver, tmp_path_factory):
    """The engine with the shipped backbones, in a page."""
    files = {name: weights.backbone_file(folder, name) for name, folder in EMBEDDED.items()}
    page_with(driver, tmp_path_factory.mktemp("parity"), files)
    return driver


def drawn_away(model, seed=1):
    """Move every weight of the read away from its start, so that what is read shows in the logits."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        if name.startswith("read.") and not weight.any():
            noise = torch.randn(weight.shape, generator=generator) / weight.shape[0] ** 0.5
            weight.data.copy_(noise)
    return model


def memory_of(case, backbone):
    if isinstance(case, str):
        folder = MemoryModel.from_shipped(case)
        options = {part: dict(folder.options[part]) for part in ("write", "read")}
        model = MemoryModel(backbone, folder.method.name, folder.scale, folder.seed, **options)
        model.load_state_dict(folder.state_dict())
        return model
    method, scale, write, read = case
    return drawn_away(MemoryModel(backbone, method, scale, seed=3, write=write, read=read))


def rounded(case, backbone):
    """A memory with the weights that the browser gets, and its file."""
    model = memory_of(case, backbone)
    adapters.round_weights(model)
    about = adapters.describe(model, "adapter")
    return model, weights.adapter_file(adapters.arrays(model.state_dict()), about)


def generated(backbone, inputs, steps):
    """Return the greedy ids and the logits of the first steps."""
    out = backbone.model.generate(
        **inputs, max_new_tokens=32, do_sample=False, num_beams=1, output_logits=True, return_dict_in_generate=True,
    )  # fmt: skip
    return out.sequences[0, 1:].tolist(), [logits[0].numpy() for logits in out.logits[:steps]]


@pytest.mark.parametrize("name", CASES)
def test_a_memory_is_the_same_in_the_browser(page, coarse, talks, name):
    backbone = SHIPPED.get(name, "nano")
    compare(page, coarse[backbone], CASES[name], talks[backbone], 20 if name in SHIPPED else 8)


@pytest.mark.full
@pytest.mark.parametrize("name", SHIPPED)
def test_many_questions_are_answered_alike(page, coarse, name):
    """500 with nano, 200 with mini."""
    backbone = SHIPPED[name]
    data, left = {"nano": (tinyworld, 500), "mini": (everyday, 200)}[backbone]
    drawn = data.samples(16, "many questions", data.World(turns=100, questions=50))
    for conversation in locomo.parse(drawn):
        count = min(len(conversation.questions), left)
        compare(page, coarse[backbone], CASES[name], conversation, count)
        left -= count
        if not left:
            return
    pytest.fail(f"expected {left} more questions")


@torch.no_grad()
def compare(page, backbone, case, conversation, count):
    model, file = rounded(case, backbone)
    # M.6 may take another row if two scores differ by a rounding error, as in some long conversation; the answers stay
    ties = isinstance(model.write_rule, SlotWrite) and count > 20
    turns = conversation_texts(conversation)
    questions = [question.text for question in conversation.questions][:count]
    assert len(questions) == count
    found = page.execute_script(RUN, file, turns, questions, 3)
    [latents], bank = model.encode_turns([turns]), model.new_bank()
    for states, own in zip(found["states"] or (), latents, strict=bool(found["states"])):
        assert relative(states, own) < CLOSE  # for the first memory that encodes these turns
    for t, (own, there) in enumerate(zip(latents, found["banks"], strict=True)):
        bank = model.write_latents(bank, [[own]])
        rows, written = bank.state.rows[0].numpy(), bank.state.written[0].numpy()
        if ties:
            assert sorted(there["written"]) == sorted(written), t
        else:
            assert there["written"] == written.tolist(), t
        if there["rows"] and not ties:
            assert relative(there["rows"], rows) < CLOSE, t
    answers = model.answer(bank, questions, return_confidence=True)
    for question, answer, there in zip(questions, answers, found["asked"], strict=True):
        with model.attached(bank):
            ids, logits = generated(backbone, backbone.inputs([as_prompt(question)]), 3)
        assert there["ids"] == ids, question
        assert there["text"] == answer.text
        assert there["withheld"] == answer.withheld
        assert there["sure"] == pytest.approx(answer.confidence, rel=0.05, abs=1e-3)
        for mine, theirs in zip(there["logits"], logits, strict=True):
            assert ties or relative(mine, theirs) < CLOSE, question


SERVE = """
const [backbone, file, parts] = arguments, call = live.engine.serve();
call("backbone", backbone);
call("adapter", {file, name: "one", backbone: backbone.name, scale: file.scale});
const first = parts.map(() => call("bank", "one")), rows = (bank) => [...call("contents", bank).rows];
const singly = parts.map((turns, i) => turns.reduce((bank, [speaker, text]) => call("write", {bank, speaker, text}).bank, first[i]));
const [turns] = parts, half = call("writeAll", {bank: first[0], turns: turns.slice(0, 1)});
return [...singly, call("writeAll", {bank: half, turns: turns.slice(1)})].map(rows);
"""


@torch.no_grad()
def test_a_turn_that_is_written_alone_is_encoded_with_the_question_before_it(page, coarse):
    """Turns written singly, or in two parts, give the bank of Python's one call; a bank knows the turn that was written last."""
    model, file = rounded("mini-spans", coarse["mini"])
    name = "".join(random.SystemRandom().choices("bdfgklmnprstvz", k=5)).title()
    answer = ("Ana", f"He is called {name}.")
    asked = [("Ben", "What is your brother called? "), answer]
    parts = [asked, [("Ben", "I like your brother."), answer], [*asked, ("Ana", "I live in Rome.")]]
    backbone = weights.backbone_file(EMBEDDED["mini"], "mini")
    found = page.execute_script(SERVE, backbone, file, parts)
    for turns, rows in zip([*parts, asked], found, strict=True):
        assert relative(rows, model.write(model.new_bank(), turns).state.rows) < CLOSE, turns
    apart = model.write(model.write(model.new_bank(), asked[:1]), asked[1:])
    assert relative(found[0], apart.state.rows) > CLOSE  # the question counts


# ---- turns as text in the input ------------------------------------------------------------------

READ = """
const [name, readings, steps] = arguments, {engine, backbones, firstLogits} = window.live, backbone = backbones[name];
const memory = engine.memoryOf({name: "text", write: {kind: "text"}}, backbone);
return readings.map(([question, turns]) => {
  const bank = turns.reduce((bank, turn) => memory.writeText(bank, turn), memory.newBank());
  let states;
  backbone.encode = (ids) => (states = engine.T5.prototype.encode.call(backbone, ids));
  const {text, ids, shares, logits} = firstLogits(backbone, steps, () => memory.ask(bank, question));
  delete backbone.encode;
  return {text, ids, logits, states: [...states.data], shares: shares && [...shares], written: [...bank.written]};
});
"""


def compare_reading(page, backbone, questions):
    """Compare what a backbone makes of (question, turns); returns what the browser found."""
    found = page.execute_script(READ, backbone.name, questions, 3)
    for (question, turns), there in zip(questions, found, strict=True):
        assert there["written"] == list(range(len(turns)))
        inputs = backbone.encoded(backbone.inputs([" ".join([as_prompt(question), *turns])]))
        assert relative(there["states"], inputs["encoder_outputs"][0]) < CLOSE
        ids, logits = generated(backbone, inputs, 3)
        assert there["ids"] == ids, question
        assert there["text"] == backbone.tokenizer.decode(ids, skip_special_tokens=True).strip()
        for mine, theirs in zip(there["logits"], logits, strict=True):
            assert relative(mine, theirs) < CLOSE, question
    return found


def drawn_readings(backbone, count, seed):
    """(question, turns) of everyday's conversations, with 3 to 12 turns, as far as they fit."""
    sizes = random.Random(seed)
    drawn = readings(seed, lambda: sizes.randint(3, 12), undated=1.0, missing=0.2)
    split = (one.source.split(" context: ") for one in drawn)
    parts = ((question, [f"context: {turn}" for turn in turns]) for question, *turns in split)
    yield from islice((one for one in parts if tokens_of(backbone, one[1]) <= ROOM), count)


def tokens_of(backbone, turns):
    """Tokens of turns, without the end of text."""
    return sum(len(ids) - 1 for ids in backbone.tokenize(turns))


def test_mini_reads_the_same_in_the_browser(page, coarse):
    found = compare_reading(
        page, coarse["mini"], list(drawn_readings(coarse["mini"], 10, "live reading"))
    )
    assert len({there["text"] for there in found}) > 3  # it does not say the same to everything


@pytest.mark.full
def test_mini_answers_200_questions_alike(page, coarse):
    questions = list(drawn_readings(coarse["mini"], 200, "live reading 200"))
    for start in range(0, 200, 20):
        compare_reading(page, coarse["mini"], questions[start : start + 20])


def test_mini_reads_a_name_that_is_drawn_at_random(page, coarse):
    """Nothing can be recorded beforehand. Whether it reads the name is a matter of its weights; both must say the same."""
    rng = random.SystemRandom()
    name, town = (
        "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(3)).title()
        for _ in range(2)
    )
    turns = [
        f"context: Ana: My brother is called {name}.",
        f"context: Ben: I grew up in {town}, by the sea.",
        "context: Ana: What a long day!",
    ]
    asked = ["What is Ana's brother called?", "Where did Ben grow up?"]
    found = compare_reading(page, coarse["mini"], [(question, turns) for question in asked])
    for there in found:
        assert len(there["shares"]) == 3
        assert 0.1 < sum(there["shares"]) <= 1.001


def test_turns_that_do_not_fit_are_left_out_oldest_first(page, coarse):
    """320 tokens of turns stay; the answer is that of the backbone with these turns alone."""
    backbone = coarse["mini"]
    turns = [f"context: Ben: I walked {n} miles along the canal on Tuesday." for n in range(40)]
    question = "How far did Ben walk?"
    [there] = page.execute_script(READ, "mini", [(question, turns)], 0)
    kept = [t for t in range(40) if tokens_of(backbone, turns[t:]) <= ROOM]
    assert 5 < len(kept) < 40
    assert there["written"] == [t if t in kept else -1 for t in range(40)]
    source = " ".join([as_prompt(question), *turns[kept[0] :]])
    assert there["text"] == backbone.generate(backbone.inputs([source]), max_new_tokens=32)[0]


# ---- tokenizer, other backbones, speed -----------------------------------------------------------

TEXTS = [
    "Ana: I adopted a cat called Miro.",
    "  two\tblanks\nand\u00a0more  ",
    "Zoë's café — naïve “quotes” and ‘these’, 12345 / 7,5% £3 & 4€!",
    "Кира lives in Санкт-Петербург; 東京は大きい 🙂👩\u200d👩\u200d👧 e\u0301",
    "a literal <0x41> and </s> and <pad>inside",
    "don't we'll I'm they've she'd you're it's 1990s x2y",
    "\u200e\u00adinvisible\ufeff marks\u0007",
    "Qxzvw Thistlewick-Bumbleford antidisestablishmentarianism",
]
SPLIT = "return arguments[1].map((text) => { const {tokenizer} = live.backbones[arguments[0]], ids = tokenizer.encode(text); return [ids, tokenizer.decode(ids)]; });"


def random_texts(count, seed):
    """Words of tinyworld, marks and random characters of several scripts, in any order."""
    rng = random.Random(seed)
    words = [name for names in NAMES.values() for name in names] + [
        "lives",
        "in",
        "Cedar-Bay",
        "'s",
        "?",
    ]
    marks = "abzAZ09 .,:;!?'\"-/$£€&éßжあ漢🙂 \t"
    return [
        "".join(
            rng.choice([rng.choice(words), " ", "".join(rng.choices(marks, k=rng.randint(1, 6)))])
            for _ in range(rng.randint(1, 20))
        )
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Folders of backbones with random weights and a BPE tokenizer, as mini has them: gated and plain."""
    tokenizer, folders = train_tokenizer(size=1000, texts=400), {}
    for name, act in (("gated", "gated-gelu"), ("plain", "relu")):
        torch.manual_seed(5)
        model = copying_t5(len(tokenizer), 192, 6, 40, 320, 5, 3)
        if act == "relu":
            config = model.config.to_dict() | {"feed_forward_proj": "relu"}
            torch.manual_seed(5)
            model = type(model)(type(model.config)(**config))
        folders[name] = tmp_path_factory.mktemp(name)
        model.save_pretrained(folders[name])
        tokenizer.save_pretrained(folders[name])
    return folders


def test_every_text_is_split_as_the_library_splits_it(page, coarse, small):
    file = weights.backbone_file(small["gated"], "small")
    page.execute_script("live.backbones.small = new live.engine.T5(arguments[0])", file)
    texts = [text for text in TEXTS + random_texts(300, "parity") if text.strip()]
    for name, backbone in (coarse | {"small": load_backbone(small["gated"])}).items():
        for text, (ids, back) in zip(texts, page.execute_script(SPLIT, name, texts), strict=True):
            wanted = backbone.tokenize([text], max_tokens=10_000)[0]
            assert ids == wanted, (name, text)
            assert back == backbone.tokenizer.decode(wanted, skip_special_tokens=True).strip(), text


@pytest.mark.parametrize("form", ["gated", "plain"])
def test_a_backbone_of_another_form_computes_the_same(page, small, form):
    """Five layers and three, 192 wide, gated or plain: what mini may become. A text of 300 tokens reaches every position bias."""
    loaded = load_backbone(small[form])
    backbone = adapters.in_8_bits(Backbone(loaded.model, loaded.tokenizer, form))
    file = weights.backbone_file(small[form], form)
    page.execute_script("live.backbones.form = new live.engine.T5(arguments[0])", file)
    text = " ".join(["I moved to Thistlewick in 1994, and Zoë didn't like it."] * 12)
    run = """const {form} = live.backbones, ids = form.tokenizer.encode(arguments[0]), states = form.encode(ids);
        const cache = form.begin(states), out = [];
        for (const id of arguments[1]) out.push([...form.logits(form.step(cache, id))]);
        return [[...states.data], out];"""
    asked = backbone.tokenizer("Thistlewick, a town").input_ids
    assert 200 < len(backbone.tokenize([text])[0]) <= MAX_TOKENS
    states, logits = page.execute_script(run, text, [0, *asked])
    inputs = backbone.inputs([text])
    assert relative(states, backbone.encode([text])[0]) < CLOSE
    with torch.no_grad():
        wanted = backbone.model(**inputs, decoder_input_ids=torch.tensor([[0, *asked]])).logits[0]
    for mine, theirs in zip(logits, wanted, strict=True):
        assert relative(mine, theirs) < CLOSE


def test_a_name_drawn_at_random_comes_back_from_the_memory(page, coarse):
    """Nothing can be recorded beforehand: who, what and where are drawn now."""
    rng = random.SystemRandom()
    who, other = rng.sample(NAMES["person"][:40], 2)
    pet, town = (
        rng.choice(NAMES["pet"][:16]),
        "-".join([rng.choice(["Cedar", "Raven", "Lotus"]), "Bay"]),
    )
    turns = [
        f"{other}: I live in {town}.",
        f"{who}: I adopted a cat called {pet}.",
        f"{other}: How sweet!",
    ]
    _, file = rounded("nano-keyed", coarse["nano"])
    questions = [f"What is {who}'s cat called?", f"Where does {other} live?"]
    found = page.execute_script(RUN, file, [f"context: {turn}" for turn in turns], questions, 1)
    assert [asked["text"] for asked in found["asked"]] == [pet, town]


def test_8_bits_cost_nano_at_most_half_a_point_of_reading(nano, coarse):
    plain, rounded = measure(nano, 500), measure(coarse["nano"], 500)
    assert 100 * rounded["em"] >= 100 * plain["em"] - 0.5


def test_every_write_and_read_of_the_package_is_in_the_engine(page):
    names = "return [Object.keys(live.engine.WRITES), Object.keys(live.engine.READS)];"
    writes, reads = (set(found) for found in page.execute_script(names))
    assert writes == set(WRITES)
    assert reads == set(READS)
