"""Where memory enters: the three injection sites, as data (chapters 3 to 5).

    encoder_input    rows in front of the encoder's input      before the encoder
    encoder_output   rows behind the encoder's output          between encoder and decoder
    decoder_layer    a branch beside every cross-attention     inside the decoder

A site names a module by its path in the model and the kind of hook that reaches it. `*` stands for every layer.
"""

from typing import NamedTuple

from lmem.errors import MethodError


class Site(NamedTuple):
    """path: module, `*` for every layer; hook: "before" (arguments) or "after" (output) of its forward."""

    name: str
    path: str
    hook: str


SITES = {
    "t5": {
        "encoder_input": Site("encoder_input", "encoder", "before"),
        "encoder_output": Site("encoder_output", "decoder", "before"),
        "decoder_layer": Site("decoder_layer", "decoder.block.*.layer.1", "after"),
    }
}


def find(model, name):
    """The site of this name in this model: (Site, [modules]).

    raises  MethodError if the model's family or the site is unknown
    """
    family = SITES.get(model.config.model_type)
    if family is None:
        raise MethodError(
            f"expected a model of the family {', '.join(SITES)}, not {model.config.model_type}"
        )
    if name not in family:
        raise MethodError(f"expected a site out of {', '.join(family)}, not {name!r}")
    site = family[name]
    if "*" not in site.path:
        return site, [model.get_submodule(site.path)]
    head, tail = site.path.split(".*.")
    return site, [layer.get_submodule(tail) for layer in model.get_submodule(head)]
