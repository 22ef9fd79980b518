"""The result files as the page of results reads them: which there are, which cell of a sweep is what, and cells compared."""

from lmem.errors import InputError
from lmem.evaluation import results
from lmem.experiments.aggregate import compare_cells, group_by_seed, load_seeds, summarise_seeds

METHODS = ("m1", "m2", "m3", "m4", "m5", "m6")


def paths(folder):
    """The result files of a folder, compressed or not."""
    return sorted([*folder.glob("*.json"), *folder.glob("*.json.gz")])


def load_results(folder, name="*"):
    """{name: result} of a folder's files; each result says under `path` where it is."""
    return {
        results.stem(path): results.load(path) | {"path": f"results/{folder.name}/{path.name}"}
        for path in paths(folder)
        if name in ("*", results.stem(path))
    }


def load_cells(folder):
    """{name without its seed: cell} of the sweep's files in a folder; see `_cell`."""
    groups = group_by_seed(paths(folder))
    return {group.name: _cell(group, load_seeds(files)) for group, files in groups.items()}


def _cell(group, seeds):
    """What `lmem.experiments.aggregate.gather` says of a cell, and what the page needs besides.

    Adds `label`, such as m3; backbone, data, conversations, steps, settings of the sweep; `results`, {seed: result}; `baseline`, the
    bare backbone's exact match. Raises InputError if the seeds were not run with the same settings.
    """
    first = next(iter(seeds.values()))
    if any(r[key] != first[key] for r in seeds.values() for key in ("backbone", "data", "sweep")):
        raise InputError(f"expected all seeds of {group.name} to be run with the same settings")
    return summarise_seeds(group.name, seeds) | {
        "label": group.method,
        "backbone": first["backbone"],
        "data": first["data"],
        "conversations": first["summary"]["conversations"],
        "steps": first["training"].get("steps"),
        "settings": first["sweep"],
        "results": seeds,
        "baseline": first["summary"]["conditions"]["baseline"]["em"]["mean"],
    }


# ---- which cell is what ------------------------------------------------------------------------------


def options(cell):
    """{name: value} of its write, read and training, over the method's and the sweep's own."""
    return {name: value for part in cell["options"].values() for name, value in part.items()}


def is_printed(cell):
    return not options(cell) and cell["label"] in ("m0", *METHODS) and cell["scale"] in (1, 10)


def is_as_run(cell):
    return not options(cell) and cell["label"].endswith("_as_run")


def is_scaled(cell):
    return not options(cell) and cell["label"] in METHODS and cell["scale"] != 1


def only(name):
    """A test for cells that differ from the method as printed in this option only."""
    return lambda cell: set(options(cell)) == {name}


is_decay, is_start, is_normalised = only("gamma"), only("noise"), only("normalise")
is_linear, is_eps = only("maps"), only("eps")
KINDS = (is_printed, is_as_run, is_linear, is_eps, is_decay, is_start, is_scaled, is_normalised)


def base_of(cell, cells):
    """The cell that this one is compared with, if it was run with the same settings: None otherwise.

    With options it is the same without; of a shortcut, the printed method; of another scale, 1x.
    """
    label, scale = cell["label"].removesuffix("_as_run"), cell["scale"]
    if options(cell):
        label = cell["label"]
    elif label == cell["label"]:
        scale = 1
    base = cells.get(f"{label}-{scale:g}x")
    same = base is not None and base is not cell and base["settings"] == cell["settings"]
    return base if same else None


def change(cell, cells):
    """A cell minus its base, over the seeds that both have (`compare_cells`); None without a base or a common seed."""
    base = base_of(cell, cells)
    if base is None or not set(cell["results"]) & set(base["results"]):
        return None
    return compare_cells(base["results"], cell["results"])
