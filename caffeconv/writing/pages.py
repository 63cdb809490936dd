"""Views into a mapped file: reading their bytes past the mapping, giving its pages back.

A page that is touched through a mapping costs more than its bytes: the system maps its neighbours as well, and takes
all of them away again afterwards. Where only a few hundred bytes of every page are wanted, to read just these is
cheaper; where all of them are, the mapping is.
"""

from __future__ import annotations

import mmap
import os
import sys
from typing import TYPE_CHECKING

import numpy as np

from caffeconv.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from caffeconv.model import Array

__all__ = ["Mapped", "find_mapping", "reach", "release_mappings"]

_HUGE_PAGE = 2**21  # bytes; one fault may map as much


class Mapped:
    """A read-only mapping, the place of views in it, and, where the mapping has a `descriptor`, its file."""

    def __init__(self, mapping: mmap.mmap) -> None:
        self._mapping = mapping
        self._start = _address(np.frombuffer(mapping, np.uint8))
        self._end = self._start + len(mapping)
        self._descriptor: int | None = getattr(mapping, "descriptor", None) if hasattr(os, "preadv") else None

    @property
    def readable(self) -> bool:
        """Whether `read` works here."""
        return self._descriptor is not None

    def offset(self, view: Array) -> int:
        """The place of a view's first value in the file."""
        return _address(view) - self._start

    def read(self, target: memoryview, places: Iterable[tuple[int, int]], size: int) -> None:
        """Read runs of `size` bytes; `places` are pairs of a place in the file and one in `target`."""
        assert sys.platform != "win32" and self._descriptor is not None
        for source, start in places:
            if os.preadv(self._descriptor, [target[start : start + size]], source) != size:
                raise ParseError("the file of the weights became shorter while it was read")

    def release(self, view: Array | None = None) -> None:
        """Give the pages under a view, or all, back to the system; they come back by themselves when touched."""
        if not hasattr(mmap, "MADV_DONTNEED"):
            return
        low, after = self._start, self._end
        if view is not None:
            start = _address(view)
            start += sum(min(0, stride * (extent - 1)) for stride, extent in zip(view.strides, view.shape, strict=True))
            # Rounded outwards: a fault maps the pages around it too, and those of a neighbour done long ago would stay.
            low = max(low, start // _HUGE_PAGE * _HUGE_PAGE)
            after = min(after, -(-(start + reach(view.shape, view)) // _HUGE_PAGE) * _HUGE_PAGE)
        self._mapping.madvise(mmap.MADV_DONTNEED, low - self._start, after - low)


def find_mapping(view: Array) -> Mapped | None:
    """The mapping that a view lies in, if any and read-only: of a writable one, to release pages could lose changes."""
    base = _base(view)
    return Mapped(base) if base is not None and memoryview(base).readonly else None


def release_mappings(views: Iterable[Array]) -> None:
    """Give back all pages of all read-only mappings that any of the views lies in."""
    for mapping in {base for view in views if (base := _base(view)) is not None}:
        if memoryview(mapping).readonly:
            Mapped(mapping).release()


def _base(view: Array) -> mmap.mmap | None:
    base: object = view
    while base is not None and not isinstance(base, mmap.mmap):
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    return base


def reach(box: Sequence[int], source: Array) -> int:
    """How many bytes lie between the first and the end of the last value of a box of the source."""
    steps = (abs(stride) * (extent - 1) for stride, extent in zip(source.strides, box, strict=True))
    return sum(steps) + source.itemsize


def _address(view: Array) -> int:
    address: int = view.__array_interface__["data"][0]
    return address
