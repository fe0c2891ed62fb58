"""The bytes of one file of a version, or of one tensor in it, and the tensors that there are."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlreg.codecs.codec import Buffer
from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.names import quoted
from mlreg.formats.ref import TENSOR, Ref
from mlreg.formats.tree import File
from mlreg.operations import history
from mlreg.operations.stored_file import StoredFile
from mlreg.registry import results
from mlreg.registry.getting import Finds
from mlreg.registry.resolve import Target
from mlreg.repository.repository import Repository
from mlreg.tensors.tensor_format import TensorInfo

MAX_DIGITS = 18
"""Of a place in a file."""


class Content(NamedTuple):
    """Bytes, and what they are."""

    ref: str
    """`model/suture_detector@1.0.0:model.safetensors`, of a tensor with `#head.weight` behind it."""
    parts: Iterator[Buffer]
    """Each verified when it is yielded."""


def read(registry: Finds, text: str, span: str = "", despite_taint: str = "") -> Content:
    """Find the bytes of a file, or of one of its tensors, as `content_of` does, and keep that they are read.

    Raises:
        TaintedError: `tainted`, and nothing says why they are wanted all the same.
    """
    repository, target, found = _found(registry, text, span)
    registry.allow(repository, target, despite_taint)
    registry.used(repository, target, "cat")
    return found


def content_of(registry: Finds, text: str, span: str = "") -> Content:
    """Find the bytes of a file, or of one of its tensors, of which only those pieces are read that it lies in.

    Args:
        registry: where refs begin.
        text: a ref with the path of a file, perhaps with `#` and the name of a tensor behind it.
        span: which bytes of it, as in a range of HTTP: `0-99`, `100-`, `-100`; all if empty.

    Raises:
        NotFoundError: `path_not_found`, `tensor_not_found`.
        UsageError: `no_path`, `bad_range`.
    """
    return _found(registry, text, span)[2]


def _found(registry: Finds, text: str, span: str) -> tuple[Repository, Target, Content]:
    repository, ref, target = registry.find(text)
    file, name = _file(registry, repository, ref, target)
    shown = f"{target}:{file.path}"
    if name is None and not span:
        return repository, target, Content(shown, repository.objects.read_whole(file.id, file.size))
    stored = StoredFile(repository.objects, file)
    start, end = 0, file.size
    if name is not None:
        tensor = _tensor(stored, name, shown)
        shown, start, end = f"{shown}{TENSOR}{name}", tensor.start, tensor.end
    first, last = _range(span, end - start)
    return repository, target, Content(shown, stored.pieces(start + first, start + last))


def _range(text: str, size: int) -> tuple[int, int]:
    """Return where a range of bytes begins and ends; it may end behind the end, and must not begin there.

    >>> _range("0-99", 1000), _range("990-", 1000), _range("-10", 1000), _range("", 1000)
    ((0, 100), (990, 1000), (990, 1000), (0, 1000))
    """
    first, dash, last = text.partition("-")
    if not text:
        return 0, size
    if (
        not dash
        or not (first or last)
        or not all(not one or (one.isascii() and one.isdigit() and len(one) <= MAX_DIGITS) for one in (first, last))
    ):
        raise UsageError("bad_range", f"{quoted(text)} is no range of bytes", fix=("--range 0-99", "--range=-100"))
    if not first:
        return max(0, size - int(last)), size
    start = int(first)
    if start >= max(size, 1):
        raise UsageError(
            "bad_range", f"there is no byte {start}", why=f"it has {size} bytes", fix="--range=-100 for the last ones"
        )
    return start, max(start, min(int(last) + 1, size)) if last else size


def _file(registry: Finds, repository: Repository, ref: Ref, target: Target) -> tuple[File, str | None]:
    """Return the file that a ref names, and the name of the tensor, if there is one.

    Both may have the mark in their names: the longest file is meant.
    """
    if not ref.path:
        raise UsageError("no_path", f"say which file of {target}", fix=f"mlreg ls {target}")
    commit = history.read_commit(repository, target.commit_id)
    marks = [at for at, character in enumerate(ref.path) if character == TENSOR]
    for at in (len(ref.path), *reversed(marks)):
        file = next(history.files_of(repository, commit, ref.path[:at]), None)
        if file and file.path == ref.path[:at]:
            return file, ref.path[at + 1 :] if at < len(ref.path) else None
    path = ref.path[: marks[0]] if marks else ref.path
    registry.files_of(repository, target, path)  # says what is not found
    raise UsageError("no_path", f"{target}:{path} is a directory", fix=f"mlreg ls {target}")


def _tensor(stored: StoredFile, name: str, file: str) -> TensorInfo:
    if stored.tensors is None:
        known = "a sound file of safetensors, GGUF, ONNX, npy, or an uncompressed archive of numpy.savez or torch.save"
        raise NotFoundError(
            "tensor_not_found", f"{file} has no tensors", why=f"it is not {known}", fix=f"mlreg cat {file}"
        )
    found = {tensor.name: tensor for tensor in stored.tensors.items}
    if name not in found:
        near = difflib.get_close_matches(name, found, n=2)
        fix = (*(f"mlreg cat {file}{TENSOR}{one}" for one in near), f"mlreg show --tensors {file}")
        raise NotFoundError("tensor_not_found", f"{file} has no tensor {name}", fix=fix)
    return found[name]


def tensors(registry: Finds, text: str) -> list[results.TensorInfo]:
    """Return the tensors of a version by path and place, reading only those pieces that say where they are.

    Args:
        registry: where refs begin.
        text: a ref; with a path, only what is at or below it.

    Raises:
        NotFoundError: `path_not_found`, and what else a ref may raise.
        IntegrityError: what must be read is damaged or gone.
    """
    repository, ref, target = registry.find(text)
    found: list[results.TensorInfo] = []
    for file in registry.files_of(repository, target, ref.path):
        listed = StoredFile(repository.objects, file).tensors
        found.extend(_infos(f"{target}:{file.path}", file.path, listed.items if listed else ()))
    return found


def _infos(ref: str, path: str, found: Sequence[TensorInfo]) -> Iterator[results.TensorInfo]:
    for one in found:
        yield results.TensorInfo(f"{ref}{TENSOR}{one.name}", path, one.name, one.dtype, one.shape, one.end - one.start)
