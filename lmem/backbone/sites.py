"""Where memory enters: the three injection sites, as data for each family of backbones (chapters 3 to 5).

    encoder_input    rows in front of the encoder's input      before the encoder
    encoder_output   rows behind the encoder's output          between encoder and decoder
    decoder_layer    a branch beside every cross-attention     inside the decoder

A site names a module by its path in the model and the kind of hook that reaches it; `*` stands for every layer. Where a family
cannot carry a site, the reason stands in its place. T5 v1.0, T5 v1.1, Flan-T5 and ByT5 are all "t5".
"""

from typing import NamedTuple

from lmem.errors import MethodError


class Site(NamedTuple):
    """path: module, `*` for every layer; hook: "before" (arguments) or "after" (output) of its forward.

    norm       at decoder_layer: the module's own norm before its attention; "" where states come normed
    attention  at decoder_layer: the frozen cross-attention in it; "" is the module itself
    maps       at decoder_layer: its maps of what it reads to keys and values
    """

    name: str
    path: str
    hook: str
    norm: str = ""
    attention: str = ""
    maps: tuple[str, ...] = ()


T5 = {
    "encoder_input": Site("encoder_input", "encoder", "before"),
    "encoder_output": Site("encoder_output", "decoder", "before"),
    "decoder_layer": Site(
        "decoder_layer",
        "decoder.block.*.layer.1",
        "after",
        "layer_norm",
        "EncDecAttention",
        ("k", "v"),
    ),
}
SITES = {
    "t5": T5,
    "mt5": T5,
    "bart": {
        "encoder_input": "its positions are learned and absolute, so a prefix would move every word to another one",
        "encoder_output": Site("encoder_output", "model.decoder", "before"),
        "decoder_layer": Site(
            "decoder_layer",
            "model.decoder.layers.*.encoder_attn",
            "after",
            maps=("k_proj", "v_proj"),
        ),
    },
}


def find(model, name):
    """The site of this name in this model: (Site, [modules]).

    raises  MethodError if the model's family or the site is unknown, or if the family cannot carry it
    """
    kind = model.config.model_type
    family = SITES.get(kind)
    if family is None:
        raise MethodError(f"expected a model of the family {', '.join(SITES)}, not {kind}")
    if name not in family:
        raise MethodError(f"expected a site out of {', '.join(family)}, not {name!r}")
    site = family[name]
    if isinstance(site, str):
        fit = ", ".join(other for other, found in family.items() if isinstance(found, Site))
        raise MethodError(f"expected a site out of {fit} for {kind}, not {name}: {site}")
    if "*" not in site.path:
        return site, [model.get_submodule(site.path)]
    head, tail = site.path.split(".*.")
    return site, [layer.get_submodule(tail) for layer in model.get_submodule(head)]


def maps(model):
    """The modules that make keys and values of what the decoder's frozen cross-attentions read, layer by layer."""
    site, modules = find(model, "decoder_layer")
    frozen = [module.get_submodule(site.attention) for module in modules]
    return [one.get_submodule(name) for one in frozen for name in site.maps]
