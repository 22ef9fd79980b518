"""One run, one small JSON: settings that differ from the defaults, per-question scores, seed, versions, machine, seconds.

Where a result has `questions`, one row each, the file holds them as columns, which takes a tenth of the space; a file that ends
in .gz takes a seventh of that.
"""

import gzip
import json
import zlib
from importlib.resources import files
from pathlib import Path

from lmem.errors import DataError, InputError
from lmem.utils.files import write_file

SUFFIXES = (".json", ".json.gz")

try:
    import resource
except ImportError:  # Windows has none
    resource = None


def save(result, path):
    """Write one result as JSON, whole or not at all; compressed if the path ends in .gz."""
    written = _dump(result).encode()
    if Path(path).suffix == ".gz":
        written = gzip.compress(written, mtime=0)  # the same bytes for the same result
    with write_file(path) as temporary:
        temporary.write_bytes(written)


def _dump(result):
    """JSON that can be read and compared: indented, but long columns of numbers on one line."""
    if not isinstance(result, dict):
        return json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    lines = []
    for key, value in result.items():
        flat = key in ("questions", "losses")
        value = _columns(value) if key == "questions" and isinstance(value, list) else value
        form = {"separators": (",", ":")} if flat else {"indent": 1}
        text = json.dumps(value, ensure_ascii=False, **form).replace("\n", "\n ")
        lines.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _columns(rows):
    """Rows of the same keys as {key: column}; a column of texts as {"texts": the distinct ones, "at": places}."""
    found = {}
    for key in rows[0] if rows else ():
        column = [row[key] for row in rows]
        if isinstance(column[0], dict):
            column = _columns(column)
        elif all(isinstance(value, str) for value in column):
            texts = {text: place for place, text in enumerate(dict.fromkeys(column))}
            column = {"texts": list(texts), "at": [texts[text] for text in column]}
        found[key] = column
    return found


def _rows(columns):
    """What `_columns` was made of."""
    lists = {}
    for key, column in columns.items():
        if isinstance(column, dict) and set(column) == {"texts", "at"}:
            column = [column["texts"][place] for place in column["at"]]
        lists[key] = _rows(column) if isinstance(column, dict) else column
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def load(name):
    """A result by path, or by the name of one that is shipped with the package (`tinyworld/recent`)."""
    shipped = [_shipped() / f"{name}{suffix}" for suffix in SUFFIXES]
    path = next((path for path in (Path(name), *shipped) if path.is_file()), None)
    if path is None:
        raise DataError(f"expected a result file or one of {', '.join(names())}, not {name}")
    try:
        read = path.read_bytes()
        found = json.loads(gzip.decompress(read) if path.suffix == ".gz" else read)
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"expected a result file in JSON at {path}: {error}") from error
    if isinstance(found, dict) and isinstance(found.get("questions"), dict):
        found["questions"] = _rows(found["questions"])
    return found


def there(path, key, settings):
    """Is this result there already? InputError if what it says of its settings, under `key`, is not `settings`."""
    if not Path(path).exists():
        return False
    if load(path).get(key) != json.loads(json.dumps(settings)):
        raise InputError(
            f"expected results of these settings in {Path(path).parent}, {Path(path).name} is of others"
        )
    return True


def names():
    """The names of the shipped results."""
    root = _shipped()
    return sorted(
        path.relative_to(root).as_posix().removesuffix(suffix)
        for suffix in SUFFIXES
        for path in root.rglob(f"*{suffix}")
    )


def _shipped():
    installed = Path(str(files("lmem") / "_results"))  # copied into the wheel
    return installed if installed.is_dir() else Path(__file__).parents[2] / "results"
