"""Croissant 1.1: what a dataset is, as JSON-LD that loaders of datasets read.

Files are named by paths from where the document lies: beside the files of the version, anything that knows Croissant
reads them. The same dataset makes the same bytes. The words are those of http://mlcommons.org/croissant/1.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
MOST_FILES = 1000
"""Files that are listed one by one, each with its checksum; of more, only what they are called like."""

_PLAIN_TERMS = (
    *(
        "arrayShape",
        "citeAs",
        "column",
        "containedIn",
        "equivalentProperty",
        "excludes",
        "extract",
        "field",
        "fileObject",
    ),
    *("fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5"),
    *("parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator"),
    *("source", "subField", "transform"),
)
_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _PLAIN_TERMS},
}

ENCODINGS: Mapping[str, str] = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".tab": "text/tab-separated-values",
    ".jsonl": "application/jsonlines",
    ".ndjson": "application/jsonlines",
    ".parquet": "application/x-parquet",
    ".pq": "application/x-parquet",
    ".json": "application/json",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".html": "text/html",
    ".xml": "application/xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".zip": "application/zip",
    ".tar": "application/x-tar",
    ".gz": "application/gzip",
    ".pdf": "application/pdf",
}
"""Ends of names, and what such a file is called; all others are bytes."""
_BYTES = "application/octet-stream"
TYPES: Mapping[str, str] = {
    "boolean": "sc:Boolean",
    "integer": "sc:Integer",
    "number": "sc:Float",
    "date": "sc:Date",
    "timestamp": "sc:DateTime",
    "text": "sc:Text",
    "url": "sc:URL",
    "image": "sc:ImageObject",
}
"""Types of columns, and what they are called; all others are text."""


class FileOf(NamedTuple):
    """A file of a dataset."""

    path: str
    size: int
    """Bytes."""
    sha256: str
    """64 hexadecimal digits; empty if it is not listed by itself."""


class FieldOf(NamedTuple):
    """A column of a table."""

    name: str
    type: str
    """One of `TYPES`, or any other word for text."""
    description: str = ""


class TableOf(NamedTuple):
    """A table of a dataset."""

    path: str
    """Of its file."""
    fields: Sequence[FieldOf]


class DatasetOf(NamedTuple):
    """One version of a dataset."""

    name: str
    version: str
    time: str
    """When it was registered: `2026-11-23T06:28:00Z`."""
    author: str
    metadata: Mapping[str, Any]
    files: Sequence[FileOf]
    """Sorted by path."""
    tables: Sequence[TableOf]


def render_croissant(dataset: DatasetOf) -> str:
    """Return the document."""
    return json.dumps(croissant(dataset), ensure_ascii=False, indent=2) + "\n"


def croissant(dataset: DatasetOf) -> dict[str, Any]:
    """Return the document as JSON values."""
    return {
        "@context": dict(_CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": dataset.name,
        "version": _semantic(dataset.version),
        "datePublished": dataset.time,
        "creator": {"@type": "sc:Person", "name": dataset.author.partition(" <")[0] or "unknown"},
        **_described(dataset),
        "distribution": list(_distribution(dataset.files)),
        "recordSet": [*_splits(dataset.metadata), *map(_record_set, dataset.tables)],
    }


def _semantic(version: str) -> str:
    """Return a version as Semantic Versioning has it, if it can be: `2026.1.5`, and `2026.1.5+1` for the second."""
    numbers = version.split(".")
    if not 1 <= len(numbers) <= 4 or not all(number.isascii() and number.isdigit() for number in numbers):
        return version
    plain = [str(int(number)) for number in numbers]
    return ".".join(plain[:3]) + "".join(f"+{number}" for number in plain[3:])


_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*", re.ASCII)
_KEYS = {
    "description": "description",
    "keywords": "keywords",
    "citation": "citeAs",
    "url": "url",
    "language": "inLanguage",
}


def _described(dataset: DatasetOf) -> dict[str, Any]:
    found = {theirs: dataset.metadata[ours] for ours, theirs in _KEYS.items() if dataset.metadata.get(ours)}
    found.setdefault("description", f"data/{dataset.name}@{dataset.version}")
    if license_ := dataset.metadata.get("license"):
        # Those in small letters are names of Hugging Face: an address at SPDX has large ones, too.
        is_named = isinstance(license_, str) and _SPDX.fullmatch(license_) and not license_.islower()
        found["license"] = f"https://spdx.org/licenses/{license_}" if is_named else license_
    return found


def _distribution(files: Sequence[FileOf]) -> Iterable[dict[str, Any]]:
    if len(files) <= MOST_FILES:
        return map(_file_object, files)
    ends = sorted({_end_of(file.path) for file in files})
    return [
        {
            "@type": "cr:FileSet",
            "@id": _set_id(end),
            "name": _set_id(end),
            "encodingFormat": _encoding(end),
            "includes": f"**/*{end}",
        }
        for end in ends
    ]


def _file_object(file: FileOf) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": _id(file.path),
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": f"{file.size} B",
        "encodingFormat": _encoding(_end_of(file.path)),
        "sha256": file.sha256,
    }


def _id(path: str) -> str:
    """Return a path as an id of JSON-LD, which has only characters of a URL."""
    return quote(path, safe="/")


def _set_id(end: str) -> str:
    return f"files{_id(end)}"


def _end_of(path: str) -> str:
    """Return how a name ends: `.csv`, also of a table that is packed."""
    stem, end = _split(path.rpartition("/")[2])
    inner = _split(stem)[1]
    return inner if end == ".gz" and inner in ENCODINGS else end


def _split(name: str) -> tuple[str, str]:
    stem, _, end = name.rpartition(".")
    return (stem, f".{end}") if stem and end else (name, "")


def _encoding(end: str) -> str:
    return ENCODINGS.get(end.lower(), _BYTES)


def _record_set(table: TableOf) -> dict[str, Any]:
    own = f"records/{_id(table.path)}"
    return {
        "@type": "cr:RecordSet",
        "@id": own,
        "name": own,
        "field": [_field(own, table.path, field) for field in table.fields],
    }


def _field(own: str, path: str, field: FieldOf) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{own}/{_id(field.name)}",
        "name": field.name,
        **({"description": field.description} if field.description else {}),
        "dataType": TYPES.get(field.type, "sc:Text"),
        "source": {"fileObject": {"@id": _id(path)}, "extract": {"column": field.name}},
    }


def _splits(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    splits = metadata.get("splits")
    if not isinstance(splits, Mapping) or not splits:
        return []
    key = "splits/name"
    return [
        {
            "@type": "cr:RecordSet",
            "@id": "splits",
            "name": "splits",
            "dataType": "cr:Split",
            "key": {"@id": key},
            "field": [{"@type": "cr:Field", "@id": key, "name": "name", "dataType": "sc:Text"}],
            "data": [{key: name} for name in sorted(splits)],
        }
    ]
