"""A backbone of a published size with random weights: its speed is that of the real one, its answers mean nothing (chapter 15)."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, T5ForConditionalGeneration

from lmem.backbone.backbone import Backbone
from lmem.memory import methods
from lmem.utils.device import device_of

PIECES, TEXTS = 4000, 1000


def random_backbone(name, texts, seed=0, device=None, dtype=torch.float32):
    """A Flan-T5 of a published size, drawn from `seed`, with a tokenizer learned from the texts.

    name     "flan-t5-small" to "flan-t5-xxl"
    texts    what it will be asked to read; 1,000 of them, spread evenly, make 4,000 pieces at most
    raises   MethodError for a size that was not published, InputError for a device that is not here
    """
    device, config = device_of(device or "cpu"), methods.shape(name).config
    config.decoder_start_token_id = config.pad_token_id
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = T5ForConditionalGeneration(config)
        model.lm_head = torch.nn.Linear(
            config.d_model, config.vocab_size, bias=False
        )  # transformers 5 ties it
    return Backbone(model.to(device, dtype), _tokenizer(texts), f"{name}, random weights")


def _tokenizer(texts):
    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    specials = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(vocab_size=PIECES, special_tokens=specials, show_progress=False)
    core.train_from_iterator(texts[:: -(-len(texts) // TEXTS)], trainer)
    core.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
