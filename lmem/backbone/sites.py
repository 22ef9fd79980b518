"""Where memory enters: the three injection sites, as data for each family of backbones (chapters 3 to 5).

    encoder_input    rows before the encoder's input            before the encoder
    encoder_output   rows appended to the encoder's output      between encoder and decoder
    decoder_layer    a branch next to every cross-attention     inside the decoder

A site names a module by its path in the model; `*` stands for every layer. If a family cannot carry a site, its entry is the
reason. T5 v1.0, T5 v1.1, Flan-T5 and ByT5 are all "t5".
"""

from typing import Any, NamedTuple

from transformers import PreTrainedModel

from lmem.errors import MethodError, expect_out_of


class Site(NamedTuple):
    """A place in a model.

    Attributes:
        name: Name of the site.
        path: The module, `*` for every layer.
        norm: At decoder_layer: the module's own norm before its attention; "" if the states come normed.
        attention: At decoder_layer: the frozen cross-attention in it; "" is the module itself.
        maps: At decoder_layer: its maps from what it reads to keys and values.
    """

    name: str
    path: str
    norm: str = ""
    attention: str = ""
    maps: tuple[str, ...] = ()


T5: dict[str, Site | str] = {
    "encoder_input": Site("encoder_input", "encoder"),
    "encoder_output": Site("encoder_output", "decoder"),
    "decoder_layer": Site(
        "decoder_layer", "decoder.block.*.layer.1", "layer_norm", "EncDecAttention", ("k", "v")
    ),
}
BART: dict[str, Site | str] = {
    "encoder_input": "its positions are learned and absolute, so a prefix would move every word to another one",
    "encoder_output": Site("encoder_output", "model.decoder"),
    "decoder_layer": Site(
        "decoder_layer", "model.decoder.layers.*.encoder_attn", maps=("k_proj", "v_proj")
    ),
}
SITES = {"t5": T5, "mt5": T5, "bart": BART}


def find(model: PreTrainedModel, name: str) -> tuple[Site, list[Any]]:
    """Return the site of this name and its modules in this model.

    Raises:
        MethodError: The model's family or the site is unknown, or the family cannot carry the site.
    """
    kind = model.config.model_type
    family = SITES.get(kind)
    if family is None:
        raise MethodError(f"expected a model of the family {', '.join(SITES)}, not {kind}")
    expect_out_of("a site", family, name, error=MethodError)
    site = family[name]
    if isinstance(site, str):
        fit = ", ".join(known for known, entry in family.items() if isinstance(entry, Site))
        raise MethodError(f"expected a site out of {fit} for {kind}, not {name}: {site}")
    if "*" not in site.path:
        return site, [model.get_submodule(site.path)]
    layers, tail = site.path.split(".*.")
    return site, [layer.get_submodule(tail) for layer in model.get_submodule(layers).children()]


def maps(model: PreTrainedModel) -> list[Any]:
    """Return the modules that make keys and values of what the decoder's frozen cross-attentions read, layer by layer."""
    site, modules = find(model, "decoder_layer")
    return [
        m.get_submodule(site.attention).get_submodule(name) for m in modules for name in site.maps
    ]
