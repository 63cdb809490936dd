"""What a file holds, in today's form, whatever kind and generation of Caffe's files it is of."""

from __future__ import annotations

import dataclasses
import mmap
from typing import TYPE_CHECKING

from caffeconv.errors import ParseError
from caffeconv.model import Blob, Note
from caffeconv.reading.kinds import Kind
from caffeconv.reading.sniff import OpenedFile, open_input
from caffeconv.reading.upgrade import upgrade_net

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import NetParameter
    from caffeconv.model import StrPath

__all__ = ["Contents", "read_contents"]


@dataclasses.dataclass(frozen=True, eq=False)
class Contents:
    """A file as read and upgraded, and the generation of Caffe (V0, V1, V2) that wrote it, where that can be told.

    Each BlobProto of `net` that has a `payload` stands for that one of `blobs`.
    """

    path: str
    kind: Kind
    generation: str | None
    net: NetParameter
    blobs: tuple[Blob, ...]
    notes: tuple[Note, ...]


def read_contents(path: StrPath, *wanted: Kind) -> Contents:
    """Read a file that must be of one of the kinds wanted.

    Raises:
        ParseError: it is missing, of another kind, cut short or damaged.
    """
    opened = open_input(path, *wanted)
    net, blobs, notes = _read(opened)
    try:
        upgraded, more = upgrade_net(net)
    except ParseError as error:
        raise ParseError(f"{opened.path}: {error}") from error
    generation = None if opened.kind is Kind.HDF5_SNAPSHOT else _generation(net)
    return Contents(opened.path, opened.kind, generation, upgraded, blobs, (*notes, *more))


def _read(opened: OpenedFile) -> tuple[NetParameter, tuple[Blob, ...], tuple[Note, ...]]:
    """The net as stored; what one kind of file needs is imported for that kind only."""
    if not isinstance(opened.content, mmap.mmap):
        from caffeconv.reading.prototxt import parse_prototxt

        net, notes = parse_prototxt(opened.content, opened.path)
        return net, (), notes
    if opened.kind is Kind.HDF5_SNAPSHOT:
        from caffeconv.reading.snapshots import read_snapshot as read
    else:
        from caffeconv.reading.wire.reader import read_caffemodel as read
    return read(opened.path, opened.content)


def _generation(net: NetParameter) -> str:
    """V0 nests each layer in another, V1 has `layers`, V2 has `layer`."""
    if not net.layers:
        return "V2"
    return "V0" if any(layer.HasField("layer") for layer in net.layers) else "V1"
