"""What kind of file this is, told by its content and never by its name.

Caffe's users name files as they like (`lenet_iter_10000`, `deploy.txt`, `x.json.caffemodel`), and what they have may be
something else: a page instead of a download, a Git LFS pointer, an archive. Only the first few KB are looked at.
"""

from __future__ import annotations

import codecs
import contextlib
import dataclasses
import os
import re
from typing import TYPE_CHECKING, Final

from caffeconv.errors import ParseError
from caffeconv.model import StrPath
from caffeconv.reading.files import MappedFile, map_file, open_file, read_rest
from caffeconv.reading.kinds import Kind, kind_by_magic, kind_of_text
from caffeconv.reading.wire.format import FIXED32, FIXED64, LENGTH, VARINT, Cut, Damage, walk_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["OpenedFile", "detect_kind", "open_input"]

_HEAD: Final = 8192


_HDF5_KINDS: Final = {
    "caffe": Kind.HDF5_SNAPSHOT,
    "caffe solver": Kind.SOLVER_STATE,
    "keras": Kind.KERAS_HDF5,
    None: Kind.OTHER_HDF5,
}
_EXPECTED: Final = {
    Kind.CAFFEMODEL: "the caffemodel (binary weights)",
    Kind.HDF5_SNAPSHOT: "Caffe's HDF5 snapshot",
    Kind.PROTOTXT: "the prototxt (text)",
}

_HDF5_MAGIC: Final = b"\x89HDF\r\n\x1a\n"
_HDF5_OFFSETS: Final = (0, 512, 1024, 2048, 4096)
_NOT_TEXT: Final = re.compile(rb"[\x00-\x08\x0e-\x19\x1b-\x1f\x7f]")
_FIELDS_OF_A_NET: Final = {1: LENGTH, 3: LENGTH, 4: VARINT, 5: VARINT, 6: LENGTH, 7: VARINT, 8: LENGTH}
_LAYERS_OF_A_NET: Final = {
    100 << 3 | LENGTH: {**dict.fromkeys((1, 2, 3, 4, 6, 7, 8, 9), LENGTH), 10: VARINT},
    2 << 3 | LENGTH: {**dict.fromkeys((1, 2, 3, 4, 6), LENGTH), 5: VARINT},
}
"""Wire types by field number: of a NetParameter, and of its two layer messages (`layer`, `layers`)."""
_DIMS_OF_A_BLOB: Final = {1: VARINT, 2: VARINT, 3: VARINT, 4: VARINT, 5: VARINT, 7: LENGTH}
_DATA_OF_A_BLOB: Final = {5 << 3 | LENGTH, 5 << 3 | FIXED32, 6 << 3 | LENGTH, 8 << 3 | LENGTH, 8 << 3 | FIXED64}
"""With those of C3D, which has a width at 5 and the data at 6."""
_FIELDS_OF_ONNX: Final = {1: VARINT, 2: LENGTH, 3: LENGTH, 4: LENGTH, 5: VARINT, 6: LENGTH, 7: LENGTH, 8: LENGTH}
_WORD: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_>/.-]*")


@dataclasses.dataclass(frozen=True, eq=False)
class OpenedFile:
    """A file that was opened, once: its path for messages, its kind, and its bytes; those of a binary file mapped."""

    path: str
    kind: Kind
    content: bytes | MappedFile


def open_input(path: StrPath, *wanted: Kind) -> OpenedFile:
    """Open a file that must be of one of the kinds wanted.

    Raises: ParseError, when it cannot be read or is of another kind, with a line that says what the file is instead,
    and what can be done about it.
    """
    with open_file(path) as file:
        head = read_rest(file, _HEAD)
        mapped = map_file(file) if _is_hdf5(head) else None
        kind = _kind_of(os.fspath(path), head, mapped)
        if kind not in wanted:
            expected = " or ".join(_EXPECTED.get(each, each.value) for each in wanted)
            raise ParseError(f"{os.fspath(path)} is {kind.value}; {expected} was expected here")
        content = head + read_rest(file) if kind is Kind.PROTOTXT else mapped or map_file(file)
    return OpenedFile(os.fspath(path), kind, content)


def detect_kind(path: StrPath) -> Kind:
    """Tell the kind of a file by its content. Raises: ParseError, when it cannot be read."""
    with open_file(path) as file:
        head = read_rest(file, _HEAD)
        return _kind_of(os.fspath(path), head, map_file(file) if _is_hdf5(head) else None)


def _is_hdf5(head: bytes) -> bool:
    return any(head.startswith(_HDF5_MAGIC, offset) for offset in _HDF5_OFFSETS)


def _kind_of(path: str, head: bytes, mapped: MappedFile | None) -> Kind:
    """The kind of a file that begins with `head`; one in HDF5 is `mapped`."""
    if mapped is None:
        return _kind_of_head(head)
    from caffeconv.reading.snapshots import detect_maker  # only an HDF5 file is worth the import of h5py

    return _HDF5_KINDS[detect_maker(path, mapped)]


def _kind_of_head(head: bytes) -> Kind:
    if not head:
        return Kind.EMPTY
    kind = kind_by_magic(head)
    if kind is not None:
        return kind
    if not _NOT_TEXT.search(head):
        return kind_of_text(head.removeprefix(codecs.BOM_UTF8).decode("latin-1"))
    return next((kind for test, kind in _BINARY if _holds(test, head)), Kind.UNKNOWN)


def _holds(test: Callable[[bytes], bool], head: bytes) -> bool:
    try:
        return test(head)
    except Damage:
        return False


def _is_net(head: bytes) -> bool:
    """The first layer decides; a file without layers must be a well-formed net to its end."""
    known = False
    for tag, _, start, end, _ in walk_fields(head, 0, len(head)):
        if tag in _LAYERS_OF_A_NET:
            return _agrees(head[start:end], _LAYERS_OF_A_NET[tag])
        if _FIELDS_OF_A_NET.get(tag >> 3, tag & 7) != tag & 7:
            return False
        known = known or tag >> 3 in _FIELDS_OF_A_NET
    return known and len(head) < _HEAD


def _agrees(layer: bytes, wires: dict[int, int]) -> bool:
    """Whether the fields of a layer, perhaps cut short, have the wire types that they should have."""
    try:
        return all(wires.get(tag >> 3, tag & 7) == tag & 7 for tag, *_ in walk_fields(layer, 0, len(layer)))
    except Cut:
        return True


def _is_blob(head: bytes) -> bool:
    """Dimensions, then data."""
    tags = (tag for tag, *_ in walk_fields(head, 0, len(head)))
    first_other = next((tag for tag in tags if _DIMS_OF_A_BLOB.get(tag >> 3) != tag & 7), 0)
    return first_other in _DATA_OF_A_BLOB


def _is_state(head: bytes) -> bool:
    """The iteration, then the name of the caffemodel that was written with it."""
    fields = walk_fields(head, 0, len(head))
    iteration, _, _, _, _ = next(fields)
    model, _, start, end, _ = next(fields, (0, 0, 0, 0, 0))
    return iteration == 1 << 3 | VARINT and model == 2 << 3 | LENGTH and b".caffemodel" in head[start:end]


def _is_onnx(head: bytes) -> bool:
    """ir_version, then who made it, the graph and the operator sets."""
    fields = list(_whole_fields(head))
    numbers = [tag >> 3 for tag, _ in fields]
    if numbers[:1] != [1] or not {2, 7, 8}.intersection(numbers):
        return False
    maker = next((value for tag, value in fields if tag >> 3 == 2), b"")
    return maker.isascii() and all(_FIELDS_OF_ONNX.get(tag >> 3, tag & 7) == tag & 7 for tag, _ in fields)


def _is_tensorflow(head: bytes) -> bool:
    """node { name op … } of a GraphDef."""
    tag, node = next(_whole_fields(head), (0, b""))
    fields = list(_whole_fields(node))
    (name_tag, name), (op_tag, op) = fields[:2] if len(fields) > 1 else ((0, b""), (0, b""))
    tags = (tag, name_tag, op_tag)
    return tags == (1 << 3 | LENGTH, 1 << 3 | LENGTH, 2 << 3 | LENGTH) and bool(name) and bool(_WORD.fullmatch(op))


def _is_caffe2(head: bytes) -> bool:
    """op { input output name type arg … } of a NetDef; a layer of V1 has its type as a number at 5."""
    op = next((value for tag, value in _whole_fields(head) if tag == 2 << 3 | LENGTH), b"")
    fields = list(_whole_fields(op))
    kinds = [value for tag, value in fields if tag == 4 << 3 | LENGTH]
    tags = {tag for tag, _ in fields}
    named = all(tag & 7 == LENGTH for tag in tags) and len(kinds) == 1 and bool(_WORD.fullmatch(kinds[0]))
    return named and (5 << 3 | LENGTH in tags or any(_WORD.fullmatch(value) for tag, value in fields if tag >> 3 == 1))


def _whole_fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each field, the last of which may be cut short."""
    with contextlib.suppress(Cut):
        for tag, _, start, end, _ in walk_fields(message, 0, len(message)):
            yield tag, message[start:end]


_BINARY: Final = (
    (_is_tensorflow, Kind.TENSORFLOW),
    (_is_caffe2, Kind.CAFFE2),
    (_is_net, Kind.CAFFEMODEL),
    (_is_blob, Kind.BINARYPROTO),
    (_is_state, Kind.SOLVER_STATE),
    (_is_onnx, Kind.ONNX),
)
"""Messages of protobuf, which have no magic: in this order, since what one test takes a later one may take, too."""
