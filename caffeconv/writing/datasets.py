"""HDF5 files with room for arrays: datasets contiguous and without compression, whose values are written beside HDF5.

In the oldest form of the format that HDF5 writes, and without times, so the same arrays give the same bytes.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

from h5py import h5d, h5f, h5g, h5p, h5s, h5t

from caffeconv.model import Weight
from caffeconv.writing.tiles import Piece

__all__ = ["created_file", "link_properties", "reserved", "space_of"]


def created_file(path: Path) -> h5f.FileID:
    """A new file, in place of what is there."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_EARLIEST, h5f.LIBVER_LATEST)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    return h5f.create(os.fsencode(path), h5f.ACC_TRUNC, fapl=access)


def link_properties(ascii_only: bool) -> h5p.PropLCID:
    """For a name that makes the groups it needs."""
    properties = h5p.create(h5p.LINK_CREATE)
    properties.set_create_intermediate_group(True)
    if not ascii_only:
        properties.set_char_encoding(h5t.CSET_UTF8)
    return properties


def reserved(place: h5f.FileID | h5g.GroupID, name: bytes, weight: Weight, link: h5p.PropLCID) -> list[Piece]:
    """A float32 dataset for a weight, without its values; the piece to be copied there, if it has any."""
    dataset = h5d.create(place, name, h5t.IEEE_F32LE, space_of(weight.shape), dcpl=_creation(), lcpl=link)
    offset: int | None = dataset.get_offset()
    return [(weight.view, offset)] if offset is not None else []


@functools.cache
def _creation() -> h5p.PropDCID:
    """Contiguous room at once, and nothing written to it that would only be overwritten."""
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_layout(h5d.CONTIGUOUS)
    properties.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5d.FILL_TIME_NEVER)
    properties.set_obj_track_times(False)
    return properties


# To make a space takes HDF5 about as long as to write an attribute, and a net needs few different ones.
@functools.lru_cache(maxsize=1024)
def space_of(shape: tuple[int, ...]) -> h5s.SpaceID:
    """The extent of an array; a scalar's is one of no dimensions."""
    return h5s.create_simple(shape)
