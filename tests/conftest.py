"""What several test files need: backbones with random weights, the shipped one, and small conversations."""

from functools import cache

import pytest
import torch
from backbones import FAMILIES, save, untie
from browsing import browser, served
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from lmem.backbone.backbone import load_backbone
from lmem.backbone.pretrain import PretrainConfig, build_model, build_tokenizer
from lmem.data import locomo, tinyworld

torch.set_num_threads(1)


# Files that take half a minute and more, in this order. The site is built first, so that no worker waits for it; with the long
# files early and short ones last, both workers end together.
FIRST = [
    "test_book.py",
    "test_live_parity.py",
    "15_flan_t5_and_locomo_on_one_gpu.ipynb",
    "test_live_pages.py",
    "test_browser.py",
    "test_reproduce.py",
    "test_notebooks_elsewhere.py",
    "test_train.py",
    "test_chat_session.py",
    "test_cli_any_input.py",
    "test_invariants.py",
    "test_notebooks.py",
    "test_editions.py",
    "test_spans.py",
    "test_nano.py",
    "test_bench.py",
]
PLACES = {name: place for place, name in enumerate(FIRST)}


def pytest_collection_modifyitems(items):
    """Long files first; the others stay in their order."""
    items.sort(key=lambda item: PLACES.get(item.path.name, len(FIRST)))


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """nano's tokenizer and form, two layers, random weights."""
    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    build_model(PretrainConfig(layers=2, width=64, heads=4), tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_folder):
    return load_backbone(tiny_folder)


@pytest.fixture(scope="session")
def flan_folder(tmp_path_factory):
    """Flan-T5-small's form, but narrow: its layers, heads and gates, a head of its own, random weights, a tokenizer trained here.

    As in Flan-T5-small the heads together are narrower than the states, and there are more embeddings than pieces.
    """
    folder = tmp_path_factory.mktemp("flan")
    config = T5Config(
        vocab_size=512,
        d_model=96,
        d_kv=12,
        d_ff=192,
        num_layers=8,
        num_heads=6,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )
    torch.manual_seed(0)
    T5ForConditionalGeneration(config).save_pretrained(folder)
    untie(folder, torch.randn(512, 96) / 96**0.5)

    core = Tokenizer(models.Unigram())
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    specials = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=400, special_tokens=specials, unk_token="<unk>")
    [conversation] = locomo.parse(tinyworld.samples(1, 0, tinyworld.World(turns=200)))
    core.train_from_iterator(conversation.texts(), trainer)
    core.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def flan(flan_folder):
    backbone = load_backbone(flan_folder)
    head, table = backbone.model.lm_head.weight, backbone.model.shared.weight
    assert head.data_ptr() != table.data_ptr()
    assert torch.equal(head, load_file(flan_folder / "model.safetensors")["lm_head.weight"])
    return backbone


@pytest.fixture(scope="session")
def nano():
    return load_backbone("nano")


@pytest.fixture(scope="session")
def family_folders(tmp_path_factory):
    """{family: folder of a tiny random model}."""
    return {family: save(family, tmp_path_factory.mktemp(family)) for family in FAMILIES}


@pytest.fixture(scope="session")
def backbone_of(family_folders, flan_folder):
    """(name, precision) -> Backbone, loaded once: "nano", "flan", or a family."""
    folders = {"nano": "nano", "flan": flan_folder, **family_folders}

    @cache
    def load(name, precision="float32"):
        return load_backbone(folders[name], dtype=getattr(torch, precision))

    return load


TALK = [
    "Ana: I adopted a cat called Miro.",
    "Ben: How sweet!",
    "Ben: I live in Cedar-Bay.",
    "Ana: My favourite dish is spiced-turnip.",
]
QUESTIONS = ["What is Ana's cat called?", "Where does Ben live?", "What is Ana's favourite dish?"]


@pytest.fixture
def talk():
    return list(TALK)


@pytest.fixture
def questions():
    return list(QUESTIONS)


@pytest.fixture(scope="session")
def conversations():
    """Four small conversations with their counterfactual versions."""
    return locomo.parse(tinyworld.samples(4, "tests", tinyworld.World(turns=16)))


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """A browser with a profile of its own."""
    with browser(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


@pytest.fixture(scope="module")
def site(tmp_path_factory, worker_id):
    """The address of the built site; in test_book itself this name is its folder."""
    from test_book import built_site

    with served(built_site(tmp_path_factory, worker_id)) as address:
        yield address
