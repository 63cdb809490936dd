"""The bytes of a `.caffemodel`: a NetParameter in protobuf's wire format, read without copying its weights.

The file is mapped, never read whole. The walk touches tags and lengths only; each blob's values become a read-only
NumPy view into the mapping (`blobs`), and the few bytes left of every layer go to the generated bindings (`layers`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from caffeconv.files import Path, map_file
from caffeconv.sniff import Kind, expect_kind
from caffeconv.wire.reader import Reader

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import NetParameter
    from caffeconv.model import Blob, Note

__all__ = ["read_caffemodel"]


def read_caffemodel(path: Path) -> tuple[NetParameter, tuple[Blob, ...], tuple[Note, ...]]:
    """Read a binary caffemodel of any generation (V0, V1, V2), as stored: nothing is upgraded.

    Each BlobProto of the message returned has only its own field `payload` set: the index of its values in the tuple
    of blobs. Blobs have the type the file stores (float16, 32 or 64, or integers), and live as long as the mapping,
    which the arrays keep alive. The file must not shrink meanwhile. Notes name fields of forks that were left out.

    Raises: ParseError, when the file is missing, of another kind, cut short or damaged.
    """
    expect_kind(path, Kind.CAFFEMODEL)
    reader = Reader(os.fspath(path), map_file(path))
    net = reader.read()
    return net, tuple(reader.blobs), tuple(reader.notes)
