"""BlobProto: the shape and the values of one learned array, as a view into the file.

The numbers of Caffe 1.0, and what forks made of them; they are told apart by wire type:

    field   Caffe 1.0           NVCaffe           C3D v1.0        ljpadam (3-D)
    1, 2    num, channels       same              same            same
    3, 4    height, width       same              length, height  height, width
    5       data float[]        same              width (varint)  data float[]
    6       diff float[]        same              data float[]    diff float[]
    7       shape               same              diff float[]    shape
    8, 9    double_data, _diff  same              -               same
    10      -                   raw_data_type     -               -
    12      -                   raw_data (bytes)  -               -
    7777    -                   -                 -               length (varint)

Other forks put arrays of floats at 10 and 11 and single numbers at 12; those are passed over.
Sources: caffe.proto; Blob::FromProto in src/caffe/blob.cpp, from which the order of precedence comes.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Final

import numpy as np

from caffeconv.model import MAX_AXES, MAX_COUNT, Array, Blob, Shape
from caffeconv.reading.wire.format import (
    FIXED32,
    FIXED64,
    LENGTH,
    VARINT,
    Buffer,
    Damage,
    WireField,
    read_varint,
    walk_fields,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["read_blob"]


@dataclasses.dataclass(frozen=True)
class _Dialect:
    """Which fields hold the legacy dimensions, the float data and the shape."""

    dims: tuple[int, ...]
    data: int
    shape: int | None


_CAFFE: Final = _Dialect(dims=(1, 2, 3, 4), data=5, shape=7)
_C3D: Final = _Dialect(dims=(1, 2, 3, 4, 5), data=6, shape=None)
_LJPADAM: Final = _Dialect(dims=(1, 2, 7777, 3, 4), data=5, shape=7)

_DOUBLE_DATA: Final = 8
_RAW_TYPE: Final = 10
_RAW_DATA: Final = 12
_RAW_DTYPES: Final = {0: "<f8", 1: "<f4", 2: "<f2", 3: "<i4", 4: "<u4", 5: "|b1"}

_FLOAT32: Final = np.dtype("<f4")
_FLOAT64: Final = np.dtype("<f8")


def read_blob(buffer: Buffer, start: int, end: int, remarks: list[str] | None = None) -> Blob:
    """The blob whose BlobProto is `buffer[start:end]`; what contradicts itself in it is put into `remarks`.

    Its values are a read-only view into `buffer`; only values stored in several pieces are copied, into one array.

    Raises: Damage.
    """
    scalars: dict[int, int] = {}
    fields: dict[int, list[WireField]] = {}
    for field in walk_fields(buffer, start, end):
        tag = field[0]
        if tag & 7 == VARINT:
            scalars[tag >> 3] = field[4]
        else:
            fields.setdefault(tag >> 3, []).append(field)
    dialect = _C3D if 5 in scalars else _LJPADAM if 7777 in scalars else _CAFFE
    stored = _stored_values(buffer, dialect, scalars, fields)
    name, values = stored[0] if stored else ("data", np.empty(0, _FLOAT32))
    if remarks is not None:
        remarks += [
            f"holds {other} beside {name}, with other values; {name} counts, as in Caffe: is the file damaged?"
            for other, others in stored[1:]
            if not _agree(values, others)
        ]
    legacy = not scalars.keys().isdisjoint(dialect.dims)
    if legacy:
        shape = tuple([_int32(scalars.get(number, 0)) for number in dialect.dims])
    else:
        shape = _shape(buffer, fields.get(dialect.shape, ()) if dialect.shape is not None else ())
    _check(shape, values.size)
    return Blob(values.reshape(shape), legacy)


def _stored_values(
    buffer: Buffer, dialect: _Dialect, scalars: dict[int, int], fields: dict[int, list[WireField]]
) -> list[tuple[str, Array]]:
    """All values, by the name of the field that holds them: raw data before doubles before floats, as NVCaffe and
    Caffe do. A field without values is not there."""
    stored: list[tuple[str, Array]] = []
    raw = [field for field in fields.get(_RAW_DATA, ()) if field[0] & 7 == LENGTH]
    doubles = _pieces(buffer, fields.get(_DOUBLE_DATA, ()), _FLOAT64, FIXED64)
    floats = _pieces(buffer, fields.get(dialect.data, ()), _FLOAT32, FIXED32)
    if raw and (_RAW_TYPE in scalars or not (doubles or floats)):
        kind = scalars.get(_RAW_TYPE, 0)
        if kind not in _RAW_DTYPES:
            raise Damage(f"raw_data_type {kind} is unknown")
        stored.append(("raw_data", _view(buffer, raw[-1], np.dtype(_RAW_DTYPES[kind]))))
    stored += [(name, _joined(pieces)) for name, pieces in (("double_data", doubles), ("data", floats)) if pieces]
    return stored


def _joined(pieces: Sequence[Array]) -> Array:
    if len(pieces) == 1:
        return pieces[0]
    values = np.concatenate(pieces)
    values.flags.writeable = False
    return values


def _agree(values: Array, others: Array) -> bool:
    """Whether two fields hold the same, as far as float32 tells, or halves where one has no more."""
    if values.size != others.size:
        return False
    coarsest = min((each.dtype for each in (values, others, np.empty(0, _FLOAT32))), key=lambda dtype: dtype.itemsize)
    with np.errstate(all="ignore"):
        return np.array_equal(values.astype(coarsest), others.astype(coarsest), equal_nan=coarsest.kind == "f")


def _pieces(buffer: Buffer, fields: Sequence[WireField], dtype: np.dtype[np.generic], unpacked: int) -> list[Array]:
    """One view for each packed chunk and each unpacked run that is not empty."""
    views = [_view(buffer, field, dtype) for field in fields if field[0] & 7 in (LENGTH, unpacked)]
    return [view for view in views if view.size]


def _view(buffer: Buffer, field: WireField, dtype: np.dtype[np.generic]) -> Array:
    tag, begin, start, end, _ = field
    if tag & 7 != LENGTH:
        stride = start - begin + dtype.itemsize
        return np.ndarray(((end - begin) // stride,), dtype, buffer, start, (stride,))
    count, rest = divmod(end - start, dtype.itemsize)
    if rest:
        raise Damage(f"byte {start} starts {end - start} bytes of {dtype.name}, not a multiple of {dtype.itemsize}")
    return np.ndarray((count,), dtype, buffer, start)


def _shape(buffer: Buffer, fields: Sequence[WireField]) -> Shape:
    """The dimensions of BlobShape (field 1, int64, packed or not); none at all is a scalar."""
    dims: list[int] = []
    for outer, _, start, end, _ in fields:
        if outer & 7 != LENGTH:
            continue
        for tag, _, first, last, value in walk_fields(buffer, start, end):
            if tag == 1 << 3 | VARINT:
                dims.append(value)
            elif tag == 1 << 3 | LENGTH:
                while first < last and len(dims) <= MAX_AXES:
                    if (value := buffer[first]) < 0x80:
                        first += 1
                    else:
                        value, first = read_varint(buffer, first, last)
                    dims.append(value)
            if len(dims) > MAX_AXES:
                raise Damage(f"more than {MAX_AXES} axes")
    return tuple([dim - (dim >> 63 << 64) for dim in dims])


def _int32(value: int) -> int:
    """The lowest 32 bits of a varint with their sign, as protobuf reads them."""
    value &= (1 << 32) - 1
    return value - (value >> 31 << 32)


def _check(shape: Shape, size: int) -> None:
    """Believe a shape only when it agrees with the values that are there."""
    if min(shape, default=0) < 0:
        raise Damage(f"shape {shape} has a negative size")
    count = math.prod(shape)
    if count != size:
        raise Damage(f"shape {shape} needs {count} values, got {size}")
    if not count and math.prod(dim or 1 for dim in shape) > MAX_COUNT:
        raise Damage(f"shape {shape} is beyond Caffe's limits")
