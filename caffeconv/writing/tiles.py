"""The one copy engine: strided views of any real type to float32 in C order, at the speed of memory.

A writer reserves room for its arrays in the output, then hands all of them over at once as pieces: (view, byte offset).
Small pieces are copied whole, by one thread: to cut them would take longer than to copy them, and two threads would
spend the time on waiting for the interpreter lock. A large view is cut three times, every cut a grid of boxes over the
same axes:

- slab: what one reused buffer holds. Its shape is chosen so that both what is written is made of long runs of the
  output and what is read is compact in the source. Slabs are independent, so two threads share the work: NumPy's
  copies and the writes release the interpreter lock.
- window: as much of a slab as lies close together in the source; the pages of a mapped source are given back
  after each window, so resident memory does not grow with the model.
- tile: what the cache holds. Where the source is transposed, a tile is read along the source into a scratch buffer
  whose rows are an odd number of cache lines apart, and written along the output from there. Rows at their own
  distance, often a power of two, would all fall into the same few sets of the cache.

Conversion to float32 happens on the way to the output; float32 sources are copied bit by bit, NaN payloads included.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from caffeconv.model import Array, Shape
from caffeconv.writing.pages import Mapped, find_mapping, reach, release_mappings

__all__ = ["Piece", "Progress", "Seen", "WriteAt", "copy_pieces"]

Piece: TypeAlias = tuple[Array, int]
"""A view to copy and the byte offset of its first value in the output."""
WriteAt: TypeAlias = Callable[[int, memoryview], object]
"""Writes bytes at an offset; called from two threads at once, in no order, for ranges that do not overlap."""
Progress: TypeAlias = Callable[[int], object]
"""Takes the number of bytes done so far; called in the thread that started the copy."""

_Floats: TypeAlias = npt.NDArray[np.float32]
_Bytes: TypeAlias = npt.NDArray[np.uint8]
_Cut: TypeAlias = tuple[slice, ...]

_OUTPUT = np.dtype("<f4")
_TINY = np.finfo(np.float32).tiny
_WORKERS = min(2, os.cpu_count() or 1)
_SMALL = 2**14  # values
_BATCH = 128  # small pieces; of each, a fault maps some 64 KB around it
_SLAB = 7 * 2**20  # values; two threads have one each, and a VGG-16 stays well below 130 MB
_RUN = 2**14  # values written in one piece, where the output's shape allows
_WINDOW = 2**23  # bytes of source
_TILE = 2**21  # bytes of source
_TILE_ROWS = 256
_READ = 2**11  # bytes side by side from which reading pays
_SPARSE = 2  # times its own size that a slab must reach over for reading to pay
_LINE = 64  # bytes of a cache line
_LOOK = 2**17  # values that are looked at and written at once; the cache holds them


@dataclasses.dataclass
class Seen:
    """What was seen of a piece's values, as float32, on their way: how many are NaN or infinite, whether all are 0.

    `only_denormal`: all are 0 or so near to it that float32 has no full precision for them.
    """

    nan: int = 0
    infinite: int = 0
    only_zeros: bool = True
    only_denormal: bool = True

    def look(self, values: _Floats) -> None:
        """Look at some more of the values, which lie side by side; their scalar product with themselves tells soonest
        whether anything is odd."""
        squares = float(values.dot(values))
        if 0 < squares < math.inf:
            self.only_zeros = self.only_denormal = False
            return
        self.nan += int(np.isnan(values).sum())
        self.infinite += int(np.isinf(values).sum())
        self.only_zeros = self.only_zeros and not values.any()
        self.only_denormal = self.only_denormal and bool((np.abs(values) < _TINY).all())

    def join(self, other: Seen) -> None:
        """Take over what was seen of other values of the piece."""
        self.nan += other.nan
        self.infinite += other.infinite
        self.only_zeros = self.only_zeros and other.only_zeros
        self.only_denormal = self.only_denormal and other.only_denormal


def copy_pieces(pieces: Sequence[Piece], write_at: WriteAt, *, progress: Progress | None = None) -> list[Seen]:
    """Copy every view, read in C order, as little-endian float32 to its offset; what was seen of each on the way.

    Raises TypeError for a view of complex or other values that have no float32; what `write_at` raises passes through.
    """
    seen = [Seen() for _ in pieces]
    both = list(zip(pieces, seen, strict=True))
    done = _copy_small([each for each in both if each[0][0].size <= _SMALL], write_at, progress)
    _copy_large([each for each in both if each[0][0].size > _SMALL], write_at, progress, done)
    return seen


def _copy_small(pieces: Sequence[tuple[Piece, Seen]], write_at: WriteAt, report: Progress | None) -> int:
    """Copy pieces whole; returns the number of bytes. After each batch, gives back pages and reports."""
    done = 0
    for start in range(0, len(pieces), _BATCH):
        batch = pieces[start : start + _BATCH]
        with np.errstate(all="ignore"):
            for (view, offset), seen in batch:
                values = view.astype(_OUTPUT, order="C", casting="same_kind", copy=False).reshape(-1)
                if values.size:
                    write_at(offset, values.data.cast("B"))
                seen.look(values)
                done += values.nbytes
        release_mappings(view for (view, _), _ in batch)
        if report is not None:
            report(done)
    return done


def _copy_large(pieces: Sequence[tuple[Piece, Seen]], write_at: WriteAt, progress: Progress | None, done: int) -> None:
    """Copy pieces slab by slab, by two threads where there is enough to do; `done` bytes were copied before."""
    slabs = _slabs(pieces)
    room = min(_SLAB, max((view.size for (view, _), _ in pieces), default=0))
    lock = threading.Lock()
    failures: list[BaseException] = []

    def take() -> tuple[Array, Shape, int, Seen] | None:
        with lock:
            return None if failures else next(slabs, None)

    def work(report: Progress | None) -> None:
        nonlocal done
        buffer = np.empty(room, _OUTPUT)
        scratch = np.empty(_TILE + _TILE_ROWS * 2 * _LINE, np.uint8)  # every row padded by up to two lines
        try:
            with np.errstate(all="ignore"):
                while (slab := take()) is not None:
                    source, whole, offset, seen = slab
                    target = buffer[: source.size].reshape(source.shape)
                    _fill(target, source, scratch)
                    part = _write_runs(target, whole, offset, write_at)
                    with lock:
                        seen.join(part)
                        done += target.nbytes
                    if report is not None:
                        report(done)
        except BaseException as failure:  # raised again below, in the caller's thread
            failures.append(failure)

    several = sum(view.size for (view, _), _ in pieces) > _SLAB
    helpers = [threading.Thread(target=work, args=(None,)) for _ in range(_WORKERS - 1 if several else 0)]
    for helper in helpers:
        helper.start()
    work(progress)
    for helper in helpers:
        helper.join()
    if failures:
        raise failures[0]
    if progress is not None:
        progress(done)


def _slabs(pieces: Iterable[tuple[Piece, Seen]]) -> Iterator[tuple[Array, Shape, int, Seen]]:
    """Every slab of every view: the source, the shape of the whole it is cut from, the offset of its first value."""
    for (view, offset), seen in pieces:
        merged = _merge_axes(view)
        steps = _row_major_steps(merged.shape)
        for cut in _cuts(merged.shape, _slab_shape(merged.shape, _source_order(merged))):
            first = sum(part.start * step for part, step in zip(cut, steps, strict=True))
            yield merged[cut], merged.shape, offset + first * _OUTPUT.itemsize, seen


def _merge_axes(view: Array) -> Array:
    """The same values in the same order, with every axis gone that is no more than a part of the axis before it."""
    shape: list[int] = []
    last_stride = 0
    for extent, stride in zip(view.shape, view.strides, strict=True):
        if extent == 1:
            continue
        if shape and last_stride == extent * stride:
            shape[-1] *= extent
        else:
            shape.append(extent)
        last_stride = stride
    return view.reshape(shape or 1)


def _row_major_steps(shape: Shape) -> list[int]:
    """How many values of a C-contiguous array lie between neighbours along each axis."""
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _source_order(source: Array) -> list[int]:
    """The axes, from the one along which the source is closest together; repeated values (stride 0) come last."""
    return sorted(range(source.ndim), key=lambda axis: abs(source.strides[axis]) or sys.maxsize)


def _cuts(shape: Shape, box: Sequence[int]) -> Iterator[_Cut]:
    """A grid of boxes over `shape`."""
    return itertools.product(
        *(
            [slice(start, min(start + extent, size)) for start in range(0, size, extent)]
            for size, extent in zip(shape, box, strict=True)
        )
    )


def _slab_shape(shape: Shape, order: list[int]) -> list[int]:
    """Long runs of the output first, the rest of the room goes to what is close together in the source."""
    box = [1] * len(shape)
    for axis in reversed(range(len(shape))):
        box[axis] = min(shape[axis], math.ceil(_RUN / math.prod(box)))
    for axis in order:
        box[axis] = min(shape[axis], max(box[axis], _SLAB * box[axis] // math.prod(box)))
    return box


def _window_shape(source: Array, order: list[int]) -> list[int]:
    """As much as reaches over no more than the window's bytes, cut along the axes furthest apart in the source."""
    box = list(source.shape)
    for axis in reversed(order):
        stride = abs(source.strides[axis])
        rest = reach(box, source) - (box[axis] - 1) * stride
        if stride:
            box[axis] = min(box[axis], max(1, (_WINDOW - rest) // stride + 1))
    return box


def _tile_shape(source: Array, order: list[int]) -> list[int]:
    """Rows of the output long enough to pay for, and of the source as much as fits beside them."""
    box = [1] * source.ndim
    box[-1] = min(source.shape[-1], _TILE_ROWS)
    for axis in order:
        if axis != source.ndim - 1:
            box[axis] = min(source.shape[axis], max(1, _TILE // (math.prod(box) * source.itemsize)))
    return box


def _fill(target: _Floats, source: Array, scratch: _Bytes) -> None:
    """Copy one slab, window by window."""
    order = _source_order(source)
    mapped = find_mapping(source)
    transposed = abs(source.strides[-1]) > _LINE and order[0] != source.ndim - 1
    sparse = reach(source.shape, source) > _SPARSE * source.nbytes
    if transposed and sparse and mapped is not None and mapped.readable and _run(source, order) >= _READ:
        _transpose(target, source, order, scratch, mapped)
        return
    for cut in _cuts(source.shape, _window_shape(source, order)):
        window = source[cut]
        if transposed:
            _transpose(target[cut], window, order, scratch, None)
        else:
            np.copyto(target[cut], window, casting="same_kind")
        if mapped is not None:
            mapped.release(window)


def _run(source: Array, order: list[int]) -> int:
    """How many bytes of a tile lie side by side in the source."""
    box = _tile_shape(source, order)
    return math.prod(box[axis] for axis in _run_axes(box, order, source)) * source.itemsize


def _run_axes(box: Sequence[int], order: list[int], *views: Array) -> list[int]:
    """The axes along which a box of all views is without gaps; never the one that is last in the output."""
    axes: list[int] = []
    size = views[0].itemsize
    for axis in order:
        if axis == len(box) - 1 or any(view.strides[axis] != size for view in views):
            break
        axes.append(axis)
        size *= box[axis]
    return axes


def _transpose(target: _Floats, source: Array, order: list[int], scratch: _Bytes, mapped: Mapped | None) -> None:
    """Copy tile by tile, reading along the source, from its file if `mapped` is given, and writing along the output."""
    box = _tile_shape(source, order)
    staged = _stage(box, source.dtype, order, scratch)
    memory = scratch.data
    for cut in _cuts(source.shape, box):
        tile = source[cut]
        stage = staged[tuple([slice(extent) for extent in tile.shape])]
        if mapped is None:
            np.copyto(stage, tile)
        else:
            axes = _run_axes(tile.shape, order, tile, stage)
            size = math.prod(tile.shape[axis] for axis in axes) * tile.itemsize
            places = _run_starts(tile, axes) + mapped.offset(tile), _run_starts(stage, axes)
            mapped.read(memory, zip(*(starts.tolist() for starts in places), strict=True), size)
        np.copyto(target[cut], stage, casting="same_kind")


def _stage(box: list[int], dtype: np.dtype[Any], order: list[int], scratch: _Bytes) -> Array:
    """A tile in the scratch buffer: its axes ordered as in the source, the rows an odd number of cache lines apart."""
    last = len(box) - 1
    layout = [last, *(axis for axis in reversed(order) if axis != last)]
    rows, width = box[last], math.prod(box) // box[last] * dtype.itemsize
    pitch = (math.ceil(width / _LINE) | 1) * _LINE
    padded = scratch[: rows * pitch].view(dtype).reshape(rows, pitch // dtype.itemsize)
    return padded[:, : width // dtype.itemsize].reshape([box[axis] for axis in layout]).transpose(np.argsort(layout))


def _run_starts(view: Array, run_axes: list[int]) -> npt.NDArray[np.intp]:
    """Byte offsets, from the view's first value, of all runs along the given axes."""
    starts = np.zeros((1,), np.intp)
    for axis in range(view.ndim):
        if axis not in run_axes:
            starts = np.add.outer(starts, np.arange(view.shape[axis]) * view.strides[axis]).reshape(-1)
    return starts


def _write_runs(target: _Floats, whole: Shape, offset: int, write_at: WriteAt) -> Seen:
    """Write one slab, in as few runs as its place in the whole array allows; what was seen of it.

    A long run is written in parts that the cache still holds once they were looked at.
    """
    seen = Seen()
    split = target.ndim - 1
    while split > 0 and target.shape[split] == whole[split]:
        split -= 1
    steps = _row_major_steps(whole)[:split]
    for index in itertools.product(*map(range, target.shape[:split])):
        first = sum(position * step for position, step in zip(index, steps, strict=True))
        run = target[index].reshape(-1)
        for start in range(0, run.size, _LOOK):
            part = run[start : start + _LOOK]
            seen.look(part)
            write_at(offset + (first + start) * target.itemsize, memoryview(part).cast("B"))
    return seen
