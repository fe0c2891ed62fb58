"""Cards: Markdown behind front matter, as Hugging Face has them for models and datasets.

    ---
    license: mit
    pipeline_tag: object-detection
    ---

    # Suture detector

Front matter is YAML between two lines of `---`, read as all YAML here: no anchors, no tags. Its keys are respelt to the
standard fields and back by the table `SPELLINGS`; all others stay as they are. Page: `docs/fields.md`.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mlreg.errors import UsageError
from mlreg.formats import canonical
from mlreg.formats.yaml_document import parse_yaml

MAX_CHARS = 1024 * 1024
MAX_FRONT_CHARS = 128 * 1024
"""Of front matter; YAML of this size takes a second or two to read."""

_MAX_KEY_CHARS = 1000
"""YAML takes no longer key that stands before its colon."""
_OPENS = re.compile(r"\ufeff?---[ \t]*+\r?\n")
_CLOSES = re.compile(r"^---[ \t]*+(?:\r?\n|\r?\Z)", re.MULTILINE)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*+(?: [A-Za-z0-9_./-]++)*+", re.ASCII)
"""Text that stands in YAML without quotes, unless it is a word of some release of YAML."""
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


_TEXT = (str,)
_LIST = (list, tuple)
_TEXT_OR_LIST = _TEXT + _LIST


class Card(NamedTuple):
    """What a card says."""

    fields: dict[str, Any]
    """JSON values under the names of the standard fields, unchecked; empty without front matter."""
    body: str
    """Markdown, as it stands behind the front matter and one empty line."""


class Spelling(NamedTuple):
    """A key of front matter, and the standard field that means the same."""

    theirs: str
    ours: str
    holds: tuple[type, ...]
    """The types that mean the same in both; a value of another type stays under the key that it has."""


SPELLINGS = (
    Spelling("license", "license", _TEXT),
    Spelling("pipeline_tag", "task", _TEXT),
    Spelling("library_name", "framework", _TEXT),
    Spelling("base_model", "base_model", _TEXT_OR_LIST),
    Spelling("datasets", "data", _TEXT_OR_LIST),
    Spelling("tags", "keywords", _LIST),
    Spelling("metrics", "metric_names", _LIST),  # they list names only; the numbers are in their model-index
    Spelling("model-index", "metrics", ()),  # by `_with_metrics` and `_with_index`, if nothing is lost by it
    Spelling("configs", "splits", ()),  # by `_with_splits` and `_with_configs`, if it says nothing else
)
"""A key is respelt unless the other spelling is there too: then both stay as they are."""

_NO_TASK = "other"
_NO_SPLIT = "unknown"
_NO_TITLE = "model"


def parse_card(text: str, name: str) -> Card:
    """Read a card.

    Args:
        text: at most 1 MiB of characters, of which 128 KiB may be front matter.
        name: what to call it in an error.

    Raises:
        UsageError: `bad_card`, too long, front matter that is not closed or no mapping; `bad_yaml`.
    """
    if len(text) > MAX_CHARS:
        raise _bad_card(name, f"it has more than {MAX_CHARS} characters")
    opening = _OPENS.match(text)
    if opening is None:
        return Card({}, text)
    closing = _CLOSES.search(text, opening.end())
    if closing is None:
        raise _bad_card(name, "it begins with '---', and no other line is '---'", "close the front matter with '---'")
    front = text[opening.end() : closing.start()]
    if len(front) > MAX_FRONT_CHARS:
        raise _bad_card(name, f"its front matter has more than {MAX_FRONT_CHARS} characters")
    found = parse_yaml(front, f"the front matter of {name}")
    if not isinstance(found, dict | None):
        raise _bad_card(name, "its front matter is no mapping", "write KEY: VALUE lines between the lines of '---'")
    ours = {spelling.theirs: (spelling.ours, spelling.holds) for spelling in SPELLINGS}
    return Card(_with_splits(_with_metrics(_respelt(found or {}, ours))), _without_line(text[closing.end() :]))


def render_card(metadata: Mapping[str, Any], body: str, title: str) -> str:
    """Return a card; the same metadata, body and title make the same text.

    `parse_card` returns that metadata, unless a key of it is the spelling of Hugging Face of a standard field that is
    missing: it comes back as that field.

    Args:
        metadata: what `check_fields` takes; it is written in the order of its keys.
        body: Markdown.
        title: is put before the body as a heading, unless the body has one or the title is empty; and names the
            model in `model-index`.

    Raises:
        UsageError: `bad_json`; `bad_card`, too long to be read again.
    """
    canonical.check(metadata, depth=1)
    theirs = {spelling.ours: (spelling.theirs, spelling.holds) for spelling in SPELLINGS}
    heading = " ".join(title.split())
    front = _yaml_of(_respelt(_with_configs(_with_index(dict(metadata), heading)), theirs))
    if heading and not body.startswith("# "):
        body = f"# {heading}\n\n{body}"
    # A body that looks like front matter stands behind an empty one.
    text = f"---\n{front}---\n\n{body}" if front or _OPENS.match(body) else body
    if len(text) > MAX_CHARS or len(front) > MAX_FRONT_CHARS:
        raise _bad_card("the card", f"it has more than {MAX_CHARS} characters, or {MAX_FRONT_CHARS} of front matter")
    return text


def _bad_card(name: str, reason: str, fix: str = "make it shorter") -> UsageError:
    return UsageError("bad_card", f"{name} cannot be a card", why=reason, fix=fix)


def _without_line(text: str) -> str:
    """Take one empty line away from the beginning."""
    return text.removeprefix("\r\n") if text.startswith("\r") else text.removeprefix("\n")


def _respelt(fields: dict[str, Any], spellings: Mapping[str, tuple[str, tuple[type, ...]]]) -> dict[str, Any]:
    def key_of(key: str) -> str:
        other, holds = spellings.get(key, (key, ()))
        return other if isinstance(fields[key], holds) and other not in fields else key

    return {key_of(key): value for key, value in fields.items()}


# Metrics: {map: 0.93} or {test: {map: 0.93}} here, and a tree of models, results and metrics there.


def _with_index(fields: dict[str, Any], title: str) -> dict[str, Any]:
    """Turn metrics into a model-index, if they come back from it exactly."""
    metrics = fields.get("metrics")
    if "model-index" in fields or not isinstance(metrics, dict) or not metrics:
        return fields
    index = _index_of(_sorted(metrics), title or _NO_TITLE, fields)
    if repr(_metrics_in(index)) != repr(_sorted(metrics)):
        return fields
    return {key: value for key, value in fields.items() if key != "metrics"} | {"model-index": index}


def _with_metrics(fields: dict[str, Any]) -> dict[str, Any]:
    """Turn a model-index into metrics, if it is just what is written for them; the name of its model is dropped."""
    index: Any = fields.get("model-index")
    metrics = _metrics_in(index)
    if "metrics" in fields or not metrics or _index_of(metrics, index[0]["name"], fields) != index:
        return fields
    return {key: value for key, value in fields.items() if key != "model-index"} | {"metrics": metrics}


def _index_of(metrics: dict[str, Any], title: str, fields: Mapping[str, Any]) -> list[Any]:
    task = fields.get("task")
    is_split = any(isinstance(value, dict) for value in metrics.values())
    splits = metrics if is_split else {_NO_SPLIT: metrics}
    results = [
        {
            "task": {"type": task if isinstance(task, str) else _NO_TASK},
            "dataset": {"name": split, "type": split},
            "metrics": [{"type": name, "value": value} for name, value in found.items()],
        }
        for split, found in splits.items()
        if isinstance(found, dict)
    ]
    return [{"name": title, "results": results}]


def _metrics_in(index: Any) -> dict[str, Any]:
    """Return the numbers of a model-index that may be one of ours; empty if it cannot be."""
    try:
        splits = {
            result["dataset"]["name"]: {one["type"]: one["value"] for one in result["metrics"]}
            for result in index[0]["results"]
        }
        names = [index[0]["name"], *splits, *itertools.chain(*splits.values())]
    except (TypeError, KeyError, IndexError):
        return {}
    values = itertools.chain(*(found.values() for found in splits.values()))
    if not all(isinstance(name, str) for name in names) or not all(map(_is_number, values)):
        return {}
    return splits.get(_NO_SPLIT, splits) if len(splits) == 1 else splits


# Splits: {train: train/*} here, and files of the one configuration of a dataset there.

_ONE_CONFIG = "default"


def _with_configs(fields: dict[str, Any]) -> dict[str, Any]:
    """Turn splits into configs, if they come back from them exactly."""
    splits = fields.get("splits")
    if "configs" in fields or not isinstance(splits, dict) or not splits:
        return fields
    files = [{"split": name, "path": path} for name, path in sorted(splits.items())]
    configs = [{"config_name": _ONE_CONFIG, "data_files": files}]
    if _splits_in(configs) != splits:
        return fields
    return {key: value for key, value in fields.items() if key != "splits"} | {"configs": configs}


def _with_splits(fields: dict[str, Any]) -> dict[str, Any]:
    """Turn configs into splits, if they say nothing else; their order is dropped."""
    splits = _splits_in(fields.get("configs"))
    if "splits" in fields or not splits:
        return fields
    return {key: value for key, value in fields.items() if key != "configs"} | {"splits": splits}


def _splits_in(configs: Any) -> dict[str, Any]:
    """Return the splits of configs that hold nothing but these; empty if there is more, or anything else."""
    try:
        (config,) = configs
        files = [(one["split"], one["path"]) for one in config["data_files"] if one.keys() == {"split", "path"}]
        is_all = config == {"config_name": _ONE_CONFIG, "data_files": config["data_files"]}
        splits = dict(files)
    except (TypeError, KeyError, ValueError, AttributeError):
        return {}
    is_all = is_all and len(splits) == len(config["data_files"])
    return splits if is_all and all(isinstance(name, str) and _is_paths(path) for name, path in files) else {}


def _is_paths(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _sorted(metrics: dict[str, Any]) -> dict[str, Any]:
    return {key: _sorted(value) if isinstance(value, dict) else value for key, value in sorted(metrics.items())}


# YAML, written by hand: what the library leaves unquoted, such as 1e-3, is a number to others.


def _yaml_of(fields: Mapping[str, Any]) -> str:
    return "".join(f"{line}\n" for line in _lines(fields)) if fields else ""


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from _entry(_key_text(key), value[key])
    elif isinstance(value, list | tuple) and value:
        for item in value:
            first, *rest = _lines(item)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield _scalar_text(value)


def _entry(key: str, value: Any) -> Iterator[str]:
    lines = list(_lines(value))
    if isinstance(value, Mapping | list | tuple) and value:
        yield f"{key}:"
        yield from (f"  {line}" for line in lines)
    else:
        yield f"{key}: {lines[0]}"


def _key_text(key: str) -> str:
    text = _scalar_text(key)
    if len(text) > _MAX_KEY_CHARS:
        raise _bad_card("the card", f"a key has more than {_MAX_KEY_CHARS} characters")
    return text


def _scalar_text(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS:
        return value
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and "." not in text:
        # Without a point, PyYAML and other readers of YAML 1.1 take 1e-07 for text.
        text = text.replace("e", ".0e")
    # YAML takes fewer characters unescaped than JSON: no DEL, no line ends of Unicode.
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
