"""Tensors in the files of a version: listed, and printed one by one."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlreg.cli.comparing import difference
from mlreg.formats.recipe import Part
from mlreg.ids import ContentId
from mlreg.registry.comparing import compare
from mlreg.registry.registry import Registry
from mlreg.repository.objects import Objects
from mlreg.tensors.safetensors import encode_arrays
from tests.cli.calling import Call, command, environment
from tests.conformance.sample import Sample
from tests.conformance.tensor_files import SAMPLES

EVERY = [sample for samples in SAMPLES.values() for sample in samples]
LARGE = {"early": np.arange(500_000, dtype="<f4"), "late": np.arange(500_000, dtype="<f4") * 2}
"""Two tensors of 2 MB, each a piece of its own."""


def put(mlreg: Call, version: str, **files: bytes) -> str:
    for name, data in files.items():
        path = Path(version, name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    assert mlreg("add", "model/tensors", version, "--version", version).status == 0
    return f"model/tensors@{version}"


def encoded(**arrays: Any) -> bytes:
    return b"".join(map(bytes, encode_arrays(arrays)))


# show --tensors.


@pytest.mark.parametrize("sample", EVERY, ids=lambda sample: sample.title)
def test_the_tensors_of_every_format_are_listed(mlreg: Call, sample: Sample) -> None:
    ref = put(mlreg, "1.0.0", weights=sample.data, notes=b"a file without tensors")

    items = mlreg("show", "--tensors", ref, "--json").document["items"]

    assert {item["name"]: (item["dtype"], tuple(item["shape"]), item["size"]) for item in items} == {
        name: (dtype, shape, len(data)) for name, (dtype, shape, data) in sample.tensors.items()
    }
    assert {item["path"] for item in items} <= {"weights"}


def test_a_row_is_a_tensor_with_its_file(mlreg: Call) -> None:
    ref = put(mlreg, "1.0.0", b=encoded(w=np.zeros((2, 3), "<f4")), a=encoded(v=np.zeros(2, "<i8")))

    assert mlreg("show", "--tensors", ref).rows == [
        ["I64", "[2]", "16", "a", "v"],
        ["F32", "[2, 3]", "24", "b", "w"],
    ]
    assert mlreg("show", "--tensors", f"{ref}:b").rows == [["F32", "[2, 3]", "24", "b", "w"]]
    assert mlreg("show", "--tensors", ref, "-q").out == f"{ref}:a#v\n{ref}:b#w\n"


def test_a_version_without_tensors_has_none_and_a_path_that_is_not_there_is_an_error(mlreg: Call) -> None:
    ref = put(mlreg, "1.0.0", a=b"text")

    assert mlreg("show", "--tensors", ref, "--json").document["items"] == []
    assert mlreg("show", "--tensors", f"{ref}:b", "--json").error["code"] == "path_not_found"


def test_a_damaged_piece_is_an_error_and_no_file_without_tensors(mlreg: Call) -> None:
    ref = put(mlreg, "1.0.0", a=encoded(w=np.arange(300_000.0)))
    for pack in Path(".mlreg/packs").glob("*/*.pack"):
        body = bytearray(pack.read_bytes())
        body[20 : len(body) // 2] = bytes(len(body) // 2 - 20)
        pack.chmod(0o644)
        pack.write_bytes(body)

    assert mlreg("show", "--tensors", ref).status == 6


# cat.


@pytest.mark.parametrize("sample", EVERY, ids=lambda sample: sample.title)
def test_each_tensor_of_every_format_is_printed_by_its_name(mlreg: Call, sample: Sample) -> None:
    ref = put(mlreg, "1.0.0", weights=sample.data)

    for name, (_, _, data) in sample.tensors.items():
        found = mlreg("cat", f"{ref}:weights#{name}", "--json").document
        assert (found["ref"], found["size"], found["id"]) == (
            f"{ref}:weights#{name}",
            len(data),
            str(ContentId.of(data)),
        )
        assert base64.b64decode(found["base64"]) == data


def test_of_a_tensor_only_its_pieces_are_read(mlreg: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(**LARGE)
    ref = put(mlreg, "1.0.0", weights=data)
    read: list[Part] = []
    load = Objects.read_part

    def counted(objects: Objects, part: Part) -> Any:
        read.append(part)
        return load(objects, part)

    monkeypatch.setattr(Objects, "read_part", counted)
    assert mlreg("cat", f"{ref}:weights#late", "--json").document["size"] == LARGE["late"].nbytes

    start = data.index(LARGE["late"].tobytes())
    assert {part.start for part in read} == {0, start}


def test_the_bytes_are_printed_as_they_are(mlreg: Call) -> None:
    ref = put(mlreg, "1.0.0", weights=encoded(w=np.arange(4, dtype="<u2")))

    printed = subprocess.run(command("cat", f"{ref}:weights#w"), env=environment(), capture_output=True, check=True)
    assert printed.stdout == np.arange(4, dtype="<u2").tobytes()


def test_a_mark_may_be_part_of_both_names_and_the_longest_file_is_meant(mlreg: Call) -> None:
    inner = encoded(**{"b": np.zeros(1, "<f4"), "b#c": np.ones(1, "<f4"), "#": np.full(1, 2, "<f4")})
    files: dict[str, bytes] = {"a": inner, "a#b": b"a file"}
    ref = put(mlreg, "1.0.0", **files)

    def printed(path: str) -> bytes:
        return base64.b64decode(mlreg("cat", f"{ref}:{path}", "--json").document["base64"])

    assert printed("a#b") == b"a file"
    assert printed("a##") == np.full(1, 2, "<f4").tobytes()
    # Of a file that is called a#b no tensor can be had, and a's tensor b#c lies behind it.
    assert mlreg("cat", f"{ref}:a#b#c", "--json").error["code"] == "tensor_not_found"


def test_a_tensor_that_is_not_there_is_an_error_with_those_that_are_called_alike(mlreg: Call) -> None:
    ref = put(mlreg, "1.0.0", weights=encoded(**{"head.weight": np.zeros(1)}), text=b"text")

    error = mlreg("cat", f"{ref}:weights#head.wieght", "--json").error
    assert error["code"] == "tensor_not_found"
    assert error["fix"][0] == f"mlreg cat {ref}:weights#head.weight"
    assert mlreg("cat", f"{ref}:weights#", "--json").error["code"] == "tensor_not_found"
    assert mlreg("cat", f"{ref}:text#w", "--json").error["code"] == "tensor_not_found"
    assert mlreg("cat", f"{ref}:nothing#w", "--json").error["code"] == "path_not_found"
    assert mlreg("cat", f"{ref}:text#w").status == 4


def test_a_terminal_shows_the_beginning_of_ids(mlreg: Call) -> None:
    before, after = (put(mlreg, version, w=encoded(a=np.full(4, float(version[0])))) for version in ("1.0.0", "2.0.0"))
    registry = Registry(Path(".mlreg").absolute(), "")

    view = difference(compare(registry, before, after, tensors=True))

    long, short = (next(row for row in rows if row[1] == "tensor") for rows in (view.rows, view.terminal_rows))
    assert [len(str(cell).split()[-1]) for cell in (long[3], long[4])] == [64, 64]
    assert [str(cell).split()[-1] for cell in short[3:5]] == [str(cell).split()[-1][:12] for cell in long[3:5]]
