"""A backbone of a published size with random weights: its speed is that of the real one, its answers mean nothing (chapter 15)."""

from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, T5ForConditionalGeneration

from lmem.backbone.backbone import Backbone
from lmem.backbone.pretrain import SPECIALS, finished_tokenizer
from lmem.memory import methods
from lmem.utils.device import device_of

PIECES, TEXTS = 4000, 1000  # of the tokenizer, and how many texts it is learned from


def random_backbone(
    name: str,
    texts: Sequence[str],
    seed: int = 0,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Backbone:
    """Build a Flan-T5 of a published size, drawn from `seed`, with a tokenizer learned from the texts.

    Args:
        name: "flan-t5-small" to "flan-t5-xxl".
        texts: What it will read; 1,000 of them, at equal distances, give 4,000 pieces at most.
        seed: Of the weights.
        device: Where the model is put.
        dtype: Of its weights.

    Raises:
        MethodError: The size was not published.
        InputError: The device is not available.
    """
    place, config = device_of(device), methods.shape(name).config
    config.decoder_start_token_id = config.pad_token_id
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = T5ForConditionalGeneration(config)
        # transformers 5 ties the head to the embeddings; the released models have their own.
        model.lm_head = torch.nn.Linear(config.d_model, config.vocab_size, bias=False)
    return Backbone(model.to(place, dtype), _tokenizer(texts), f"{name}, random weights")


def _tokenizer(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    specials: Any = list(SPECIALS)
    trainer = trainers.BpeTrainer(vocab_size=PIECES, special_tokens=specials, show_progress=False)
    core.train_from_iterator(texts[:: -(-len(texts) // TEXTS)], trainer)
    return finished_tokenizer(core)
