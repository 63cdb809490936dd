"""A pickle of plain Python values and NumPy arrays, which loads on Python 3.8 or newer with NumPy 1.17 or newer.

The file is a list with a dict for every layer:

    {"name": str, "type": str, "weights": [array, …], "bottoms": [(blob name, shape), …], "tops": […]}

Shapes are tuples of int, or None where they are not wholly known. The arrays are float32, C-contiguous and writable.

The opcodes are written here, not by `pickle`, for two reasons. NumPy pickles an array as a call of a private function
of `numpy._core` (before NumPy 2: `numpy.core`), which the other half of the NumPys in use has not got under this name.
Here it is an empty `numpy.ndarray`, whose `__setstate__` then takes shape, type and bytes: public names alone, in use
since Python 2. And the values go to the file tile by tile, without a copy of the model in memory: what is written
here leaves gaps, which the copy engine fills.

Nothing in this package reads a pickle: reading one runs whatever code it names.
"""

from __future__ import annotations

import functools
import pickle
import struct
from typing import TYPE_CHECKING

from caffeconv.model import StrPath, whole
from caffeconv.writing.atomic import replacing
from caffeconv.writing.offsets import writes_at
from caffeconv.writing.tiles import Piece, Progress, copy_pieces
from caffeconv.writing.values import Examine, Written

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from caffeconv.model import Array, Layer, MaybeShape, Shape

__all__ = ["write_pickle"]

_NDARRAY, _FLOAT32 = pickle.BINGET + b"\0", pickle.BINGET + b"\1"  # remembered by the prologue
_STATE_VERSION = pickle.BININT1 + b"\1"


def write_pickle(
    path: StrPath, layers: Sequence[Layer], *, progress: Progress | None = None, examine: Examine | None = None
) -> None:
    """Write every layer's name, type, blobs, bottoms and tops; blobs in Caffe's order and layout, as float32.

    `progress` takes the number of bytes of weights written so far, `examine` what was seen of them, before the file
    takes its place.

    Raises WriteError when the file cannot be written; what was at `path` is still there then.
    """
    texts, pieces = _opcodes(layers)
    with replacing(path) as temporary, temporary.open("rb+", buffering=0) as file:
        write_at = writes_at(file.fileno())
        for offset, text in texts:
            write_at(offset, memoryview(text))
        seen = copy_pieces(pieces, write_at, progress=progress)
        if examine is not None:
            blobs = [(layer.name, number, blob) for layer in layers for number, blob in enumerate(layer.blobs)]
            named = zip(blobs, seen, strict=True)
            examine([Written(name, f"blob {number}", blob.array, each) for (name, number, blob), each in named])


def _opcodes(layers: Iterable[Layer]) -> tuple[list[tuple[int, bytes]], list[Piece]]:
    """What stands between the values of the arrays, and these, each with its byte offset in the file."""
    texts: list[tuple[int, bytes]] = []
    pieces: list[Piece] = []
    start = 0
    text = bytearray(_prologue() + pickle.EMPTY_LIST + pickle.MARK)
    for layer in layers:
        text += pickle.EMPTY_DICT + pickle.MARK
        text += _string("name") + _string(layer.name) + _string("type") + _string(layer.type)
        text += _string("weights") + pickle.EMPTY_LIST + pickle.MARK
        for blob in layer.blobs:
            text += _array_start(blob.array)
            texts.append((start, bytes(text)))
            pieces.append((blob.array, start + len(text)))
            start += len(text) + 4 * blob.array.size
            text = bytearray(pickle.TUPLE + pickle.BUILD)
        text += pickle.APPENDS
        text += _string("bottoms") + _edges(layer.bottoms, layer.bottom_shapes)
        text += _string("tops") + _edges(layer.tops, layer.top_shapes)
        text += pickle.SETITEMS
    texts.append((start, bytes(text + pickle.APPENDS + pickle.STOP)))
    return texts, pieces


def _prologue() -> bytes:
    """Remember `numpy.ndarray` as 0 and `numpy.dtype("<f4")` as 1."""
    array_type = pickle.GLOBAL + b"numpy\nndarray\n" + pickle.BINPUT + b"\0"
    element_type = pickle.GLOBAL + b"numpy\ndtype\n" + _string("<f4") + pickle.TUPLE1 + pickle.REDUCE
    return pickle.PROTO + b"\4" + array_type + pickle.POP + element_type + pickle.BINPUT + b"\1" + pickle.POP


def _array_start(array: Array) -> bytes:
    """An array up to its values, which are followed by TUPLE and BUILD: ndarray(0).__setstate__((1, shape, …))."""
    empty = _NDARRAY + _shape((0,)) + pickle.TUPLE1 + pickle.NEWOBJ
    state = pickle.MARK + _STATE_VERSION + _shape(array.shape) + _FLOAT32 + pickle.NEWFALSE
    return empty + state + pickle.BINBYTES8 + struct.pack("<Q", 4 * array.size)


def _edges(names: Sequence[str], shapes: Sequence[MaybeShape]) -> bytes:
    pairs = zip(names, shapes, strict=True)
    known = ((name, whole(shape)) for name, shape in pairs)
    items = (_string(name) + (pickle.NONE if shape is None else _shape(shape)) + pickle.TUPLE2 for name, shape in known)
    return pickle.EMPTY_LIST + pickle.MARK + b"".join(items) + pickle.APPENDS


@functools.lru_cache(maxsize=1024)  # a net has few different ones
def _shape(shape: Shape) -> bytes:
    return pickle.MARK + b"".join(_integer(size) for size in shape) + pickle.TUPLE


def _integer(value: int) -> bytes:
    stored = pickle.encode_long(value)
    return pickle.LONG1 + bytes([len(stored)]) + stored


def _string(value: str) -> bytes:
    stored = value.encode("utf-8", "surrogatepass")
    return pickle.BINUNICODE + struct.pack("<I", len(stored)) + stored
