"""Reads a file of one kind, as `caffeconv.reading.contents` does before it upgrades."""

from __future__ import annotations

import mmap
from pathlib import Path

from caffe_proto.caffe_pb2 import NetParameter
from caffeconv.model import Blob, Note
from caffeconv.reading import snapshots
from caffeconv.reading.files import MappedFile, map_file, open_file
from caffeconv.reading.kinds import Kind
from caffeconv.reading.prototxt import parse_prototxt
from caffeconv.reading.sniff import open_input
from caffeconv.reading.wire import reader

__all__ = ["detect_maker", "read_caffemodel", "read_prototxt", "read_snapshot"]


def read_caffemodel(path: Path | str) -> tuple[NetParameter, tuple[Blob, ...], tuple[Note, ...]]:
    """A binary caffemodel, as stored."""
    opened = open_input(path, Kind.CAFFEMODEL)
    assert isinstance(opened.content, mmap.mmap)
    return reader.read_caffemodel(opened.path, opened.content)


def read_snapshot(path: Path | str) -> tuple[NetParameter, tuple[Blob, ...], tuple[Note, ...]]:
    """An HDF5 snapshot."""
    return snapshots.read_snapshot(str(path), mapped(path))


def detect_maker(path: Path | str) -> snapshots.Maker:
    """Who wrote an HDF5 file."""
    return snapshots.detect_maker(str(path), mapped(path))


def read_prototxt(path: Path | str) -> tuple[NetParameter, tuple[Note, ...]]:
    """A prototxt, as written."""
    opened = open_input(path, Kind.PROTOTXT)
    assert isinstance(opened.content, bytes)
    return parse_prototxt(opened.content, opened.path)


def mapped(path: Path | str) -> MappedFile:
    """The bytes of a file."""
    with open_file(path) as file:
        return map_file(file)
