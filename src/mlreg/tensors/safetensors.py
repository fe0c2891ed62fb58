"""safetensors: where the tensors of a file lie, and numpy arrays to the bytes of a file and back.

    8 bytes    N, little-endian
    N bytes    JSON, begins with `{` and may end in spaces: {"name": {"dtype", "shape", "data_offsets"}, ...}
               and perhaps "__metadata__": text to text; offsets count from the end of the header
    the rest   the tensors, little-endian, C order, each byte in exactly one of them

Reading is strict. What is accepted here, the reference implementation accepts with the same meaning.
Files with a key twice, with other keys in an entry, with a space before the `{`, or beyond one of the
bounds below, it accepts and we do not.

Source: https://github.com/huggingface/safetensors, format as of release 0.8.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from mlreg.errors import IntegrityError, UnsupportedError, UsageError
from mlreg.tensors.cursor import shown
from mlreg.tensors.tensor_format import MAX_TENSORS, UNKNOWN_SIZE, Element, Read, TensorInfo

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

LENGTH_BYTES = 8
"""Size of N."""
MAX_HEADER_BYTES = 100_000_000
"""The largest N; the bound of the reference implementation."""
MAX_DIMENSIONS = 32
"""What every release of numpy can hold."""
MAX_TENSOR_BYTES = 2**63 - 1
"""What numpy can address; of an empty tensor, the product of its other dimensions counts."""
METADATA = "__metadata__"
"""The key that is not the name of a tensor."""


class Dtype(NamedTuple):
    """A type of element."""

    word: str
    """What a header calls it."""
    bits: int
    """Size of an element."""
    array: str = ""
    """The numpy or ml_dtypes name of an array of it; empty if we make no array of it."""


# A writer lays tensors out in this order, which is the reverse of the reference implementation's list.
DTYPES = (
    Dtype("U64", 64, "uint64"),
    Dtype("I64", 64, "int64"),
    Dtype("F64", 64, "float64"),
    Dtype("C64", 64),  # releases before 2025 do not read it
    Dtype("F32", 32, "float32"),
    Dtype("U32", 32, "uint32"),
    Dtype("I32", 32, "int32"),
    Dtype("BF16", 16, "bfloat16"),
    Dtype("F16", 16, "float16"),
    Dtype("U16", 16, "uint16"),
    Dtype("I16", 16, "int16"),
    Dtype("F8_E5M2FNUZ", 8, "float8_e5m2fnuz"),
    Dtype("F8_E4M3FNUZ", 8, "float8_e4m3fnuz"),
    Dtype("F8_E8M0", 8, "float8_e8m0fnu"),
    Dtype("F8_E4M3", 8, "float8_e4m3fn"),
    Dtype("F8_E5M2", 8, "float8_e5m2"),
    Dtype("I8", 8, "int8"),
    Dtype("U8", 8, "uint8"),
    Dtype("F6_E3M2", 6),  # several elements share a byte, which no array does
    Dtype("F6_E2M3", 6),
    Dtype("F4", 4),
    Dtype("BOOL", 8, "bool"),
)
"""Every type of the format, widest first."""

_BY_WORD = {dtype.word: dtype for dtype in DTYPES}
_BY_ARRAY = {dtype.array: dtype for dtype in DTYPES if dtype.array}
_PLACE = {dtype: place for place, dtype in enumerate(DTYPES)}

_WAYS_OUT = {
    "c": "write its .real and its .imag as two arrays",
    "f": "convert it: array.astype('float64')",
    "m": "convert it: array.astype('int64')",
    "M": "convert it: array.astype('int64')",
    "O": "convert it to numbers: array.astype('float32')",
    "V": "write each of its fields as an array",
}
"""What to do with an array of an unsupported dtype, by its `kind`."""
_WAY_OUT = "keep it in a file of another format"


class Header(NamedTuple):
    """What the first `data_start` bytes of a file say about it."""

    tensors: tuple[TensorInfo, ...]
    """In the order of their bytes, without a gap; empty ones by name."""
    metadata: dict[str, str]
    """Free text; empty if there is none."""
    data_start: int
    """Bytes before the first tensor."""


def header_size(first8: bytes | memoryview) -> int:
    """Return how many bytes of a file `parse_header` needs, from its first 8: 8 + N.

    Raises:
        IntegrityError: `bad_safetensors`, there are no 8 bytes, or N is beyond 100,000,000.
    """
    if len(first8) < LENGTH_BYTES:
        _refuse(f"{len(first8)} bytes cannot hold the length of a header")
    size = int.from_bytes(first8[:LENGTH_BYTES], "little")
    if size > MAX_HEADER_BYTES:
        _refuse(f"a header of {size} bytes, where at most {MAX_HEADER_BYTES} are allowed")
    return LENGTH_BYTES + size


def parse_header(head: bytes | memoryview, file_size: int) -> Header:
    """Return where each tensor lies.

    Args:
        head: the first `header_size` bytes of the file, or more.
        file_size: bytes of the whole file.

    Raises:
        IntegrityError: `bad_safetensors`, with the rule that is broken. No other error, whatever the bytes.
    """
    data_start = header_size(head[:LENGTH_BYTES])
    if data_start > min(file_size, len(head)):
        _refuse(f"a header of {data_start - LENGTH_BYTES} bytes does not fit into {min(file_size, len(head))} bytes")
    fields = _decode_json(bytes(head[LENGTH_BYTES:data_start]))
    metadata = _metadata(fields.pop(METADATA, {}))
    tensors = [_tensor(name, entry, data_start) for name, entry in fields.items()]
    tensors.sort(key=lambda tensor: (tensor.start, tensor.end, tensor.name))
    _check_cover(tensors, data_start, file_size)
    return Header(tuple(tensors), metadata, data_start)


def _decode_json(text: bytes) -> dict[str, Any]:
    if text[:1] != b"{":
        _refuse("the header does not begin with '{'")
    # One brace for each tensor, the metadata and the whole: known before a single object is made. One within a
    # name counts as well.
    if text.count(b"{") > MAX_TENSORS + 2:
        _refuse(f"more than {MAX_TENSORS} tensors")
    try:
        fields: dict[str, Any] = json.loads(
            text.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except (ValueError, RecursionError) as error:
        raise _bad(f"the header is not the JSON it should be: {error}") from error
    return fields


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key, perhaps the name of a tensor, is there twice")
    # An escape can spell half of a surrogate pair, which has no UTF-8.
    "".join(part for pair in pairs for part in pair if isinstance(part, str)).encode()
    return fields


def _integer(token: str) -> int:
    # 2**63 has 19 digits; and a huge token is refused before it is converted.
    if len(token) > 20 or token[0] == "-":
        _refuse_number(token)
    return int(token)


def _refuse_number(token: str) -> NoReturn:
    raise ValueError(f"{token[:40]} is not a dimension or an offset, which are whole and not negative")


def _metadata(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        _refuse(f"{METADATA} does not map text to text")
    return value


def _tensor(name: str, entry: object, data_start: int) -> TensorInfo:
    match entry:
        case {"dtype": str(word), "shape": list(shape), "data_offsets": [begin, end], **rest} if not rest:
            if not all(type(number) is int for number in (*shape, begin, end)):
                _refuse(f"the tensor {shown(name)} has a dimension or an offset that is not a number")
        case _:
            _refuse(f"the tensor {shown(name)} does not have just a dtype, a shape and two data_offsets")
    if word not in _BY_WORD:
        _refuse(f"the tensor {shown(name)} has the unknown dtype {shown(word)}")
    if end - begin != _size(name, _BY_WORD[word], shape):
        _refuse(f"the tensor {shown(name)} has data_offsets that do not fit its shape and dtype")
    return TensorInfo(name, word, tuple(shape), data_start + begin, data_start + end)


def _size(name: str, dtype: Dtype, shape: list[int]) -> int:
    """Return the bytes of a tensor."""
    if len(shape) > MAX_DIMENSIONS:
        _refuse(f"the tensor {shown(name)} has more than {MAX_DIMENSIONS} dimensions")
    # A dimension of 0 must not hide others that no array can have.
    if math.prod(filter(None, shape)) * dtype.bits > 8 * MAX_TENSOR_BYTES:
        _refuse(f"the tensor {shown(name)} is larger than any memory")
    size, rest = divmod(math.prod(shape) * dtype.bits, 8)
    if rest:
        _refuse(f"the tensor {shown(name)} does not end at the end of a byte")
    return size


def _check_cover(tensors: list[TensorInfo], data_start: int, file_size: int) -> None:
    """Refuse bytes in no tensor or in two: they would make the file another format's file as well."""
    reached = data_start
    for tensor in tensors:
        if tensor.start != reached:
            fault = "a hole before" if tensor.start > reached else "an overlap with"
            _refuse(f"there is {fault} the tensor {shown(tensor.name)}")
        reached = tensor.end
    if file_size not in (reached, UNKNOWN_SIZE):
        _refuse(f"the last tensor ends at byte {reached} of a file of {file_size} bytes")


def _bad(reason: str) -> IntegrityError:
    return IntegrityError("bad_safetensors", "the bytes are not a safetensors file", why=reason)


def _refuse(reason: str) -> NoReturn:
    raise _bad(reason)


class Tensor(NamedTuple):
    """One tensor on its way into a file."""

    name: str
    """Any text but `__metadata__`."""
    dtype: str
    """The header's word for it, one of `DTYPES`."""
    shape: tuple[int, ...]
    read: Callable[[], bytes | memoryview]
    """Return its bytes, little-endian and in C order; asked once, when they are written."""


def encode(tensors: Iterable[Tensor], metadata: Mapping[str, str] | None = None) -> Iterator[bytes | memoryview]:
    """Return the bytes of a file, the header first, then one buffer for each tensor.

    Equal tensors under equal names, with equal metadata, give equal bytes, whatever their order; without
    metadata those that the reference implementation writes.

    Raises:
        UsageError: `bad_array`, a name that safetensors cannot hold, or too many tensors; before the first buffer.
    """
    laid_out = sorted(tensors, key=lambda tensor: (_PLACE[_BY_WORD[tensor.dtype]], str(tensor.name)))
    for tensor in laid_out:
        _check_name(tensor.name)
    header = _header(laid_out, metadata or {})
    return chain((header,), (tensor.read() for tensor in laid_out))


class Safetensors:
    """The format as one of those whose tensors are found; see `mlreg.tensors.tensor_format.TensorFormat`."""

    name = "safetensors"

    def recognises(self, head: bytes) -> bool:
        return head[LENGTH_BYTES : LENGTH_BYTES + 1] == b"{" and head[6:LENGTH_BYTES] == b"\0\0"

    def tensors(self, read: Read, size: int) -> tuple[TensorInfo, ...]:
        return parse_header(read(0, header_size(read(0, LENGTH_BYTES))), size).tensors

    def element(self, dtype: str) -> Element | None:
        bits = _BY_WORD[dtype].bits
        if bits < 8:
            return None
        # A complex number is two floats.
        return Element(4 if dtype == "C64" else bits // 8, dtype[0] not in "UI" and dtype != "BOOL")

    def numbers(self, dtype: str) -> str:
        name = array_name(dtype)
        if name.startswith(("bfloat", "float8")):
            return name
        return f"<{name[0]}{_BY_WORD[dtype].bits // 8}" if name and name != "bool" else ""


def array_name(dtype: str) -> str:
    """Return the numpy or ml_dtypes name for the header's word for a type; empty if no array is made of it."""
    return _BY_WORD[dtype].array


def encode_arrays(arrays: Mapping[str, NDArray[Any]]) -> Iterator[bytes | memoryview]:
    """Return the bytes of a file, the header first, then one buffer for each array.

    Equal arrays under equal names give equal bytes, those the reference implementation writes: the
    order of the mapping, the byte order and the strides of an array make no difference. Buffers of
    little-endian arrays in C order share their memory: leave them as they are until the last buffer
    is written. Any other array is copied when its buffer is asked for, and one at a time.

    Args:
        arrays: of bool, integers of 8 to 64 bits, float16, float32, float64, and the bfloat16 and
            float8 types of ml_dtypes; of any shape. A name may be any text but `__metadata__`.

    Raises:
        UsageError: `bad_array`, what safetensors cannot hold; before the first buffer.
    """
    return encode(
        Tensor(name, _dtype_of(name, array).word, array.shape, partial(_buffer, array))
        for name, array in arrays.items()
    )


def _check_name(name: object) -> None:
    if not isinstance(name, str) or name == METADATA or not _has_utf8(name):
        raise UsageError(
            "bad_array",
            f"{str(name)[:80]!a} cannot be the name of an array in safetensors",
            fix="give the array another name",
        )


def _dtype_of(name: object, array: object) -> Dtype:
    import numpy

    _check_name(name)
    quoted = shown(str(name))
    if not isinstance(array, numpy.ndarray) or isinstance(array, numpy.ma.MaskedArray):
        raise UsageError(
            "bad_array",
            f"{quoted} is a {type(array).__name__}, and safetensors holds plain numpy arrays",
            fix="convert it: numpy.asarray(...), or array.filled(...) if it has a mask",
        )
    dtype = _BY_ARRAY.get(array.dtype.name)
    if dtype is None or array.ndim > MAX_DIMENSIONS:
        raise UsageError(
            "bad_array",
            f"safetensors cannot hold the array {quoted}, {array.ndim} dimensions of {str(array.dtype)[:80]}",
            why=f"mlreg writes booleans, integers and floats of 8 to 64 bits, in at most {MAX_DIMENSIONS} dimensions",
            fix="give it fewer dimensions: array.reshape(...)" if dtype else _WAYS_OUT.get(array.dtype.kind, _WAY_OUT),
        )
    return dtype


def _has_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _header(laid_out: list[Tensor], metadata: Mapping[str, str]) -> bytes:
    fields: dict[str, Any] = {METADATA: dict(sorted(metadata.items()))} if metadata else {}
    end = 0
    for name, dtype, shape, _ in laid_out:
        begin, end = end, end + math.prod(shape) * _BY_WORD[dtype].bits // 8
        fields[name] = {"dtype": dtype, "shape": shape, "data_offsets": (begin, end)}
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    # Spaces to a multiple of 8, so that a mapped file has every element at its alignment.
    text = text.ljust(-(-len(text) // LENGTH_BYTES) * LENGTH_BYTES)
    if len(text) > MAX_HEADER_BYTES or text.count(b"{") > MAX_TENSORS + 1:
        raise UsageError(
            "bad_array",
            f"{len(laid_out)} arrays are too many, or their names too long, for one safetensors file",
            why=f"it holds at most {MAX_TENSORS} arrays, and {MAX_HEADER_BYTES} bytes of names and shapes",
            fix="write them to several files",
        )
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def _buffer(array: NDArray[Any]) -> memoryview:
    """Return the little-endian bytes of an array in C order, without a copy if it has them."""
    import numpy

    # As integers: the types of ml_dtypes do not take a byte order.
    contiguous = numpy.ascontiguousarray(array)
    words = contiguous.view(f"{array.dtype.byteorder}u{array.itemsize}").astype(f"<u{array.itemsize}", copy=False)
    return words.reshape(-1).view("u1").data


def decode_arrays(data: bytes | memoryview) -> dict[str, NDArray[Any]]:
    """Return the arrays of a whole file, in the order of their bytes.

    Each is a copy that may be written to, in C order and the byte order of this machine. In a BOOL
    every byte but 0 is true.

    Raises:
        IntegrityError: `bad_safetensors`.
        UnsupportedError: `missing_extra`, a dtype that needs ml_dtypes; `unsupported_dtype`, C64, F4 or F6.
    """
    view = memoryview(data).cast("B")
    tensors = parse_header(view, len(view)).tensors
    # All dtypes first: a file that cannot be read is not half read.
    dtypes = {word: _array_dtype(_BY_WORD[word]) for word in sorted({tensor.dtype for tensor in tensors})}
    return {tensor.name: _array(tensor, dtypes[tensor.dtype], view) for tensor in tensors}


def _array_dtype(dtype: Dtype) -> numpy.dtype[Any]:
    import numpy

    if not dtype.array:
        raise UnsupportedError(
            "unsupported_dtype",
            f"tensors of the dtype {dtype.word} cannot be made numpy arrays",
            fix="read the file with the library that wrote it",
        )
    if dtype.array in numpy.sctypeDict:
        return numpy.dtype(dtype.array)
    try:
        import ml_dtypes  # type: ignore[import-not-found,unused-ignore] # an extra: it may be there or not

        found: numpy.dtype[Any] = numpy.dtype(getattr(ml_dtypes, dtype.array))
    except (ImportError, AttributeError) as error:
        raise UnsupportedError(
            "missing_extra",
            f"tensors of the dtype {dtype.word} need ml_dtypes, with its type {dtype.array}",
            why=str(error),
            fix="pip install --upgrade ml_dtypes",
        ) from error
    return found


def _array(tensor: TensorInfo, dtype: numpy.dtype[Any], view: memoryview) -> NDArray[Any]:
    import numpy

    words = numpy.ndarray(tensor.shape, f"<u{dtype.itemsize}", view, tensor.start)
    if dtype == numpy.bool_:
        # Not a view: numpy does not define what a bool is that is neither 0 nor 1.
        return words.astype(dtype)
    return words.astype(f"=u{dtype.itemsize}").view(dtype)
